/** What all detectors have in common: a verdict for each reading, the anomalous ones apart, and scoring without learning. */
import type { NodeAPI } from "node-red";
import { nameFilter } from "../../core/names.ts";
import { toReadings } from "../../core/reading.ts";
import type { Reading, Verdict } from "../../core/types.ts";
import type { metricOptions, Options, Settings, stateOptions, text } from "./options.ts";
import { define } from "./runtime.ts";

type Accepts = (metric: string) => boolean;

/** A detector of one device. */
export interface Detector {
  /** The verdict on a reading, without learning from it. Undefined while there is none yet. */
  score(reading: Reading, accepts?: Accepts): Verdict | undefined;
  /** The verdict on a reading, then learns from it. Throws with nothing changed if it can't. */
  push(reading: Reading, accepts?: Accepts): Verdict | undefined;
  toJSON(): unknown;
}

/** How a kind of detector is made. `name` is what its verdicts are filed under. */
export interface DetectorKind<O extends Options> {
  readonly version: number;
  create(name: string, settings: Settings<O>): Detector;
  restore(name: string, settings: Settings<O>, saved: unknown): Detector;
}

export type DetectorOptions = Options & typeof metricOptions & typeof stateOptions & { name: ReturnType<typeof text> };

interface State {
  detector: Detector;
  isAnomalous: boolean;
}

/** Declares a detector node: output 1 has every reading with its verdict, output 2 only the anomalous ones. */
export function defineDetector<O extends DetectorOptions>(
  type: string,
  options: O,
  kind: DetectorKind<O>,
): (RED: NodeAPI) => void {
  return define<O, State>(type, options, (host) => {
    const { devices } = host;
    const { name: givenName, metrics } = host.settings as Settings<DetectorOptions>;
    const name = givenName || type;
    const accepts = nameFilter(metrics);

    return {
      state: {
        version: kind.version,
        create: () => ({ detector: kind.create(name, host.settings), isAnomalous: false }),
        save: ({ detector, isAnomalous }) => ({ detector: detector.toJSON(), isAnomalous }),
        restore: (saved) => {
          const { detector, isAnomalous } = saved as { detector: unknown; isAnomalous: unknown };
          return { detector: kind.restore(name, host.settings, detector), isAnomalous: isAnomalous === true };
        },
      },

      analyse(reading, state) {
        const verdict = state.detector.push(reading, accepts);
        if (verdict === undefined) return false;
        addVerdict(reading, verdict);
        if (verdict.isAnomaly !== state.isAnomalous) {
          state.isAnomalous = verdict.isAnomaly;
          host.changed();
        }
        return verdict.isAnomaly;
      },

      commands: {
        score(args, message, send) {
          const source = { topic: message.topic, now: Date.now() };
          const readings = toReadings(args, source, (reason) => {
            throw new Error(reason);
          });
          for (const reading of Array.isArray(readings) ? readings : readings ? [readings] : []) {
            const verdict = devices.get(reading.deviceId)?.state.detector.score(reading, accepts);
            if (verdict) addVerdict(reading, verdict);
          }
          send({ ...message, payload: readings });
        },
      },

      status() {
        let anomalous = 0;
        for (const { state } of devices.values()) if (state.isAnomalous) anomalous++;
        const text = host.translate("status.devices", { count: devices.size });
        if (anomalous === 0) return { fill: devices.size > 0 ? "green" : "grey", shape: "dot", text };
        return {
          fill: "yellow",
          shape: "dot",
          text: `${text}, ${host.translate("status.anomalous", { count: anomalous })}`,
        };
      },
    };
  });
}

function addVerdict(reading: Reading, verdict: Verdict): void {
  if (typeof reading.verdicts !== "object" || reading.verdicts === null) reading.verdicts = {};
  reading.verdicts[verdict.detector] = verdict;
}
