/** The plain JSON shapes that everything exchanges. Parsing foreign payloads lives in reading.ts. */

/** How far a value can be trusted; absent means good. Bad readings are stored and shown, but teach and alarm nothing. */
export type Quality = "good" | "stale" | "bad";

/** Text attributes of a device, such as its location. */
export type Tags = Record<string, string>;

/** Finite numbers by metric name. */
export type Metrics = Record<string, number>;

/** Finite numbers by metric and name of the feature. */
export type Features = Record<string, Record<string, number>>;

/** One device at one instant. Analytic nodes add properties to it and take nothing away. */
export interface Reading {
  deviceId: string;
  /** Time of measurement, ms since 1970. */
  timestamp: number;
  metrics: Metrics;
  /** Unit by metric name, e.g. `{ temperature: "°C" }`. */
  units?: Record<string, string>;
  tags?: Tags;
  quality?: Quality;
  /** Numbers that sum up the latest values, by metric and name of the feature; under `time` the time of day. */
  features?: Features;
  /** What detectors say, by the detector's name. */
  verdicts?: Record<string, Verdict>;
  health?: Health;
  /** What is really wrong with the device; only simulated readings know. */
  truth?: Truth;
}

/** What one detector says of one metric. */
export interface MetricVerdict {
  value: number;
  /** What the baseline would have predicted. */
  expected: number;
  /** Limits of normal; absent on a side that is not watched. */
  lower?: number;
  upper?: number;
  /** Signed: below the expected value is negative. At most 10⁶ in size. */
  score: number;
  isAnomaly: boolean;
}

/** What one detector says of one reading. */
export interface Verdict {
  detector: string;
  isAnomaly: boolean;
  /** The largest absolute score of the metrics. */
  score: number;
  threshold: number;
  metrics: Record<string, MetricVerdict>;
}

/** How well a device is, by the rules of health-score. */
export interface Health {
  /** 100 for a device without flags, 0 at worst. */
  score: number;
  status: "healthy" | "warning" | "critical";
  /** Names of what is wrong, the worst first. */
  flags: string[];
  /** What took how many points off, in the order of the flags. */
  contributors: HealthContributor[];
}

export interface HealthContributor {
  flag: string;
  /** Points that it took off the score. */
  penalty: number;
  /** What broke the limit: the value, or by how much it fell. */
  value: number;
  limit: number;
}

/** Whether a device is heard of. The device `*` stands for the connection to all of them. */
export interface StatusEvent {
  deviceId: string;
  status: "online" | "offline" | "unknown";
  /** When it was last heard of, ms since 1970; absent if it never was. */
  lastSeen?: number;
  silentSeconds?: number;
  /** When the status was found, ms since 1970. */
  timestamp: number;
}

/** One condition of one device, through its whole life; the states are those of ISA-18.2. */
export interface Alarm {
  /** `<device>/<condition>`: one alarm per device and condition. */
  alarmId: string;
  deviceId: string;
  condition: string;
  severity: "info" | "warning" | "critical";
  state: "normal" | "unacknowledged" | "acknowledged" | "returned-unacknowledged" | "latched";
  /** Set while an operator or a rule keeps it from annunciating; evaluation goes on. */
  shelved?: unknown;
  suppressed?: unknown;
  outOfService?: unknown;
  /** When it was last raised, ms since 1970. */
  raisedAt?: number;
}

/** Ground truth of a simulated device. */
export interface Truth {
  /** Name of the fault that is present, or null. */
  fault: string | null;
  /** When it began, ms since 1970, or null. */
  since: number | null;
  /** Seconds until it ends (or, for wear, until the device breaks); null when unknown or none. */
  remainingSeconds: number | null;
}
