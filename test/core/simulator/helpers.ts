/** What the tests of the simulator share. */
import { mean, sampleCorrelation } from "simple-statistics";
import { Fleet, type FleetOptions } from "../../../core/simulator/fleet.ts";
import type { Reading } from "../../../core/types.ts";

/** Monday, 8 o'clock UTC: in the middle of a shift's work. */
export const START = Date.UTC(2026, 0, 5, 8);
export const MIDNIGHT = Date.UTC(2026, 0, 5);
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export function fleetOf(options: Partial<FleetOptions> = {}, startTime = START): Fleet {
  const defaults: FleetOptions = {
    profile: "machine",
    devices: 1,
    devicePrefix: "R",
    seed: 1,
    intervalSeconds: 5,
    jitterPercent: 0,
    faultsPerDeviceDay: 0,
  };
  return new Fleet({ ...defaults, ...options }, startTime);
}

/** All readings up to and at `until`, each taken when it is due. */
export function run(fleet: Fleet, until: number): Reading[] {
  const readings: Reading[] = [];
  while (fleet.nextDue() <= until) readings.push(...fleet.tick(fleet.nextDue()));
  return readings;
}

/** The readings of each device. */
export function byDevice(readings: Reading[]): Map<string, Reading[]> {
  const groups = new Map<string, Reading[]>();
  for (const reading of readings) {
    const group = groups.get(reading.deviceId);
    if (group === undefined) groups.set(reading.deviceId, [reading]);
    else group.push(reading);
  }
  return groups;
}

/** The values of one metric of one device. */
export function series(readings: Reading[], metric: string, deviceId = "R1"): number[] {
  return readings.filter((reading) => reading.deviceId === deviceId).map((reading) => metricOf(reading, metric));
}

export function metricOf(reading: Reading | undefined, metric: string): number {
  return reading?.metrics[metric] ?? Number.NaN;
}

/** Correlation of one series with another that is read `lag` values later, up to 20. */
export function correlationAt(lag: number, first: number[], second: number[]): number {
  return sampleCorrelation(first.slice(20, -20), second.slice(20 + lag, second.length - 20 + lag));
}

/** Changes over `lag` values. */
export const differences = (values: number[], lag: number) =>
  values.slice(lag).map((value, i) => value - (values[i] ?? NaN));

/** Means of groups of values, which take out the sensor's noise. */
export function means(values: number[], size: number): number[] {
  return Array.from({ length: Math.floor(values.length / size) }, (_, i) =>
    mean(values.slice(i * size, (i + 1) * size)),
  );
}
