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
  /** Present while the device is being worked on. */
  maintenance?: Maintenance;
  /** Of a reading that no window took: how far it is behind the watermark, or, below 0, ahead of the clock. */
  late?: { bySeconds: number };
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
  /** Of both, if the reading says it. */
  unit?: string;
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

/** A device that is being worked on: it alarms nobody and teaches no baseline. Times in ms since 1970. */
export interface Maintenance {
  since: number;
  until: number;
  by?: string;
  reason?: string;
}

/** What a device-registry knows of one device. */
export interface DeviceRecord {
  deviceId: string;
  /** What people call it. */
  name?: string;
  location?: string;
  tags?: Tags;
  /** How often it usually sends. */
  intervalSeconds?: number;
  /** Limits of its own, by flag of health-score or condition of device-alarms. */
  limits?: Record<string, number>;
  /** The device that it hangs on, such as a gateway: when that is out of reach, so is this. */
  parent?: string;
  /** What to do when something is wrong with it. */
  advice?: string;
}

/** What a window found of one group; `metrics` by metric and name of the function. Times in ms since 1970. */
export interface WindowResult {
  /** The device, or the values of the tags that are grouped by. */
  group: string;
  /** The tags that are grouped by. */
  tags?: Tags;
  /** Included. */
  windowStart: number;
  /** Excluded. */
  windowEnd: number;
  /** Readings. */
  count: number;
  anomalyCount: number;
  /** True for a correction of a result that was sent before. */
  isUpdate: boolean;
  metrics: Record<string, Record<string, number>>;
}

export type Severity = "info" | "warning" | "critical";

/** The states of ISA-18.2 that follow from whether the condition holds, and whether somebody has acknowledged it. */
export type AlarmState = "normal" | "unacknowledged" | "acknowledged" | "returned-unacknowledged" | "latched";

/** Why an alarm does not annunciate, though it is evaluated and journaled. */
export interface Silence {
  /** ms since 1970. */
  since: number;
  /** When it ends by itself, ms since 1970; absent if it does not. */
  until?: number;
  /** Of shelving: ends when the alarm is back to normal. */
  isOneShot?: boolean;
  by?: string;
  reason?: string;
}

/** What happened to an alarm. */
export type AlarmChange =
  | "raised"
  | "severity"
  | "returned"
  | "acknowledged"
  | "reset"
  | "shelved"
  | "unshelved"
  | "suppressed"
  | "unsuppressed"
  | "out-of-service"
  | "in-service";

/** One condition of one device, through its whole life. Times in ms since 1970. */
export interface Alarm {
  /** `<device>/<condition>`: one alarm per device and condition. */
  alarmId: string;
  deviceId: string;
  condition: string;
  severity: Severity;
  state: AlarmState;
  /** What happened, and when; only in a journal and in what is annunciated. */
  change?: AlarmChange;
  timestamp?: number;
  /** True if the change is to be told to people now. */
  isAnnunciated?: boolean;
  /** By an operator, for a while. */
  shelved?: Silence;
  /** By a rule, by another system, or because the device or its parent is offline or in maintenance. */
  suppressed?: Silence;
  /** By an operator, until further notice. */
  outOfService?: Silence;
  /** What broke the limit. */
  value?: number;
  limit?: number;
  unit?: string;
  metric?: string;
  /** What to do. */
  advice?: string;
  /** What people call the device, and where it is. */
  name?: string;
  location?: string;
  raisedAt?: number;
  acknowledgedAt?: number;
  clearedAt?: number;
  /** Who made the change. */
  by?: string;
  /** How often it was raised. */
  count?: number;
}

/** What somebody did or tried: an entry of the audit trail, or of device-command's journal, which says `command`. */
export interface AuditEntry {
  /** ms since 1970. */
  timestamp: number;
  /** What was done, such as `login`; the command, where it was one to a device. */
  action?: string;
  command?: string;
  /** What came of it. */
  outcome: string;
  /** Who, and from where. */
  by?: string;
  role?: string;
  from?: string;
  deviceId?: string;
  /** On what else, and how. */
  target?: string;
  detail?: string;
  arguments?: Record<string, unknown>;
  commandId?: string;
  /** Why it was not done. */
  reason?: string;
  error?: string;
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
