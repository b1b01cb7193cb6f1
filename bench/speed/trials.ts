/** What is measured: the settings and messages of every node, the chain of them, and the packages beside them. */
import type { Alarm } from "../../core/types.ts";
import { reading, readings } from "./readings.ts";

/** A node without its place in a flow. */
export interface Setup {
  type: string;
  [option: string]: unknown;
}

/** The `index`-th message of some, about so many devices that take turns. */
export type MessageOf = (index: number, devices: number) => object;

/** How a node is measured. */
export interface Trial {
  settings?: object;
  /** One reading a message when absent. */
  message?: MessageOf;
  /** True if there is not one message out for each message in: then counts what it has taken in. */
  isSink?: boolean;
  /** True if it is there to keep more of a device than a window: the memory for that has no target. */
  isStore?: boolean;
  /** True if it keeps nothing of a device. */
  isStateless?: boolean;
}

export const single: MessageOf = (index, devices) => ({ payload: reading(index, devices) });
export const batch: MessageOf = (index, devices) => ({ payload: readings(index, devices) });

/** One value a message, as nodes take it that know no readings. It rises and falls by more than 1 each time. */
export const value: MessageOf = (index, devices) => ({
  topic: `R${index % devices}`,
  payload: 60 + (Math.floor(index / devices) % 2 === 0 ? 5 : -5) + (index % 7) / 10,
});

/** A new alarm each time. */
const alarm: MessageOf = (index, devices) => {
  const deviceId = `R${index % devices}`;
  const payload: Alarm = {
    alarmId: `${deviceId}/overheating`,
    deviceId,
    condition: "overheating",
    severity: "warning",
    state: "unacknowledged",
    change: "raised",
    timestamp: reading(index, devices).timestamp,
    isAnnunciated: true,
    value: 80,
    limit: 75,
    raisedAt: reading(index, devices).timestamp,
  };
  return { payload };
};

/** By type of node, or why there is nothing to measure. Every node in the registry of package.json stands here. */
export const TRIALS: Record<string, Trial | string> = {
  simulator: "takes no readings",
  telemetry: { isStateless: true },
  "rolling-features": { settings: { window: "count", size: 20, features: "mean,stdev,min,max" } },
  "z-score-anomaly": { settings: { windowSize: 20, threshold: 3, learning: "normal-only" } },
  "health-score": {},
  "fleet-status": { isSink: true },
  "live-series": { isSink: true, isStore: true },
  "window-aggregate": { isSink: true },
  "offline-watchdog": { isSink: true },
  "device-alarms": { isSink: true },
  "alert-router": { isSink: true, message: alarm },
  "device-command": "takes no more than people say",
  delivery: "sends no faster than its receiver takes",
  "device-registry": "is a configuration node",
  "historian-query": "answers questions",
  historian: "is a configuration node",
  "historian-write": "is measured in bench/historian",
};

/** The nodes that every reading of the shipped flow passes. */
export const CHAIN = ["telemetry", "rolling-features", "z-score-anomaly", "health-score"];

/** Some work, done by a node of ours and by one of another package, or of Node-RED itself. */
export interface Comparison {
  name: string;
  /** The npm package; Node-RED's own when absent. */
  peer?: string;
  ours: Setup;
  /** One node, or as many in a row as the work takes. */
  theirs: Setup[];
  isSink?: boolean;
  /** True for work that is alike and no more: then being as fast is no target. */
  isAlike?: boolean;
}

const rolling = (features: string): Setup => ({ type: "rolling-features", window: "count", size: 20, features });

const aggregator: Setup = {
  type: "aggregator",
  intervalCount: 60,
  intervalUnits: "s",
  aggregationType: "mean",
  submitPerTopic: true,
};

const smooth = (action: string): Setup => ({
  type: "smooth",
  property: "payload",
  action,
  count: "20",
  round: "",
  mult: "multi",
  reduce: false,
});

/**
 * One value a message. A line whose node is not in the registry waits for it. node-red-contrib-aggregator only appends it
 * to a list while it is measured, and has all the work before it when its interval ends; ours are done by then.
 */
export const COMPARISONS: Comparison[] = [
  {
    name: "rolling-features mean and stdev / smooth mean, smooth sd",
    peer: "node-red-node-smooth",
    ours: rolling("mean,stdev"),
    theirs: [smooth("mean"), smooth("sd")],
  },
  {
    name: "rolling-features mean / smooth mean",
    peer: "node-red-node-smooth",
    ours: rolling("mean"),
    theirs: [smooth("mean")],
  },
  {
    name: "rolling-features stdev / smooth sd",
    peer: "node-red-node-smooth",
    ours: rolling("stdev"),
    theirs: [smooth("sd")],
  },
  {
    name: "rolling-features mean / aggregator mean, only collecting",
    peer: "node-red-contrib-aggregator",
    ours: rolling("mean"),
    theirs: [aggregator],
    isSink: true,
    isAlike: true,
  },
  {
    name: "window-aggregate mean / aggregator mean, only collecting",
    peer: "node-red-contrib-aggregator",
    ours: { type: "window-aggregate", functions: "mean" },
    theirs: [aggregator],
    isSink: true,
    isAlike: true,
  },
  {
    name: "offline-watchdog / trigger by topic, extended",
    ours: { type: "offline-watchdog" },
    theirs: [
      {
        type: "trigger",
        op1type: "nul",
        op2: "offline",
        op2type: "str",
        duration: "15",
        units: "s",
        extend: "true",
        bytopic: "topic",
        topic: "topic",
      },
    ],
    isSink: true,
  },
  {
    name: "health-score with one rule / filter deadband",
    ours: {
      type: "health-score",
      rules: [{ flag: "jump", metric: "value", comparison: "drop", limit: 1, penalty: 10 }],
    },
    theirs: [
      {
        type: "rbe",
        func: "deadband",
        gap: "1",
        inout: "out",
        septopics: true,
        property: "payload",
        topi: "topic",
      },
    ],
    isAlike: true,
  },
];
