/**
 * The faults of devices and sensors. Those of the process (overheating, bearing-wear, battery-drop) are made by the
 * profile's physics, those of the sensor here, those of the transport (late to malformed) by transport.ts.
 */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import type { Sensor } from "./profile.ts";

export type FaultName =
  | "overheating"
  | "bearing-wear"
  | "battery-drop"
  | "stuck"
  | "drift"
  | "spike"
  | "noise"
  | "dropout"
  | "late"
  | "out-of-order"
  | "duplicate"
  | "malformed";

interface FaultKind {
  /** Shortest and longest duration of one that starts by itself, seconds. */
  seconds: readonly [number, number];
  /** What it befalls: the metric that the profile names, or all that the device sends. */
  scope: "metric" | "device";
  /** At its end the device is as before, or broken. */
  end: "recovers" | "breaks";
}

/** Every kind of fault. */
export const FAULTS: Readonly<Record<FaultName, FaultKind>> = {
  overheating: { seconds: [180, 420], scope: "metric", end: "recovers" },
  "bearing-wear": { seconds: [300, 900], scope: "metric", end: "breaks" },
  "battery-drop": { seconds: [60, 300], scope: "metric", end: "recovers" },
  stuck: { seconds: [60, 300], scope: "device", end: "recovers" },
  drift: { seconds: [300, 900], scope: "metric", end: "recovers" },
  spike: { seconds: [60, 300], scope: "metric", end: "recovers" },
  noise: { seconds: [60, 300], scope: "metric", end: "recovers" },
  dropout: { seconds: [30, 120], scope: "device", end: "recovers" },
  late: { seconds: [120, 300], scope: "device", end: "recovers" },
  "out-of-order": { seconds: [60, 300], scope: "device", end: "recovers" },
  duplicate: { seconds: [60, 300], scope: "device", end: "recovers" },
  malformed: { seconds: [30, 120], scope: "device", end: "recovers" },
};

/** One fault of one device. */
export interface Fault {
  name: FaultName;
  /** When it began, ms since 1970. */
  since: number;
  /** When it ends, ms since 1970; Infinity when it stays until it is cleared. */
  until: number;
  /** Started by an operator, not by itself. */
  isInjected: boolean;
  /** The sensor that shows it; undefined when it befalls the whole device. */
  sensor: Sensor | undefined;
  /** What a stuck device shows. */
  frozen?: Metrics;
  /** Readings until the next spike. */
  readingsToSpike?: number;
}

/** Drift adds this share of the healthy range in a second: 1 % a minute. */
const DRIFT_PER_SECOND = 0.01 / 60;
/** Noise makes the sensor's own noise this much stronger. */
const NOISE_FACTOR = 15;

/**
 * Does to measured values what a faulty sensor would do, in place. Faults that are none of the sensor's change nothing.
 *
 * @param time when it was measured, ms since 1970
 * @param random a stream for faults alone
 */
export function distort(metrics: Metrics, fault: Fault, time: number, random: Random): void {
  if (fault.name === "stuck") {
    fault.frozen ??= { ...metrics };
    Object.assign(metrics, fault.frozen);
    return;
  }
  if (fault.sensor === undefined) return;
  const { name, healthy, noise } = fault.sensor;
  const value = metrics[name];
  if (value === undefined) return;
  const width = healthy[1] - healthy[0];
  if (fault.name === "drift") {
    metrics[name] = value + (width * DRIFT_PER_SECOND * (time - fault.since)) / 1000;
  } else if (fault.name === "noise") {
    metrics[name] = value + NOISE_FACTOR * noise * random.gaussian();
  } else if (fault.name === "spike") {
    fault.readingsToSpike ??= 0;
    if (fault.readingsToSpike-- === 0) {
      // Away from the nearer end of the range, so that the sensor's limit never hides it.
      const direction = value < (healthy[0] + healthy[1]) / 2 ? 1 : -1;
      metrics[name] = value + direction * width * random.between(0.5, 1);
      fault.readingsToSpike = 3 + Math.floor(random.next() * 8);
    }
  }
}
