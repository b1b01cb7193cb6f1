/** What is known of one device at present, from its readings, status events and alarms. */
import { isAlarm } from "./events.ts";
import type { JournalLine } from "./journal.ts";
import { MAX_METRICS } from "./limits.ts";
import { ownOf } from "./names.ts";
import type {
  Alarm,
  DeviceRecord,
  Health,
  Maintenance,
  Metrics,
  MetricVerdict,
  Quality,
  Reading,
  StatusEvent,
  Tags,
} from "./types.ts";
import { mainVerdict, metricVerdict } from "./verdicts.ts";

/** Alarms of one device that may be open at once: more than anyone defines. */
export const MAX_OPEN_ALARMS = 1000;

/** For so long, ms, readings older than the newest one are passed over; then the device's clock must have been set back. */
const OVERTAKEN = 60_000;

/** A reading with what later stages of the analysis add. */
export type AnalysedReading = Reading & { remainingUsefulLife?: unknown; cluster?: unknown };

/** What readings, status events and alarms say of a device. */
export type PresentStatus = "healthy" | "anomaly" | "warning" | "critical" | "offline" | "unknown";

/** A device as others see it. What is not known is absent. */
export interface DeviceSummary {
  deviceId: string;
  /** What people call it, and where it is. */
  name?: string;
  location?: string;
  /** `unknown`: out of reach, or nothing has judged it yet. `maintenance`: it is being worked on, whatever else is true. */
  status: PresentStatus | "maintenance";
  /** As long as it is in maintenance. */
  maintenance?: Maintenance;
  /** When it was last heard of, ms since 1970. */
  lastSeen?: number;
  health?: Health;
  /** The latest value of each metric. */
  metrics: Metrics;
  /** Unit by metric. */
  units?: Record<string, string>;
  /** Of the latest reading, unless it is good. */
  quality?: Quality;
  /** Time of its latest anomaly, ms since 1970. */
  lastAnomaly?: number;
  /** How many of its alarms are not back to normal. */
  openAlarms: number;
  remainingUsefulLife?: object;
  cluster?: number | string;
  tags?: Tags;
}

/** A device in a list of all. */
export interface DeviceRow extends Omit<DeviceSummary, "health" | "tags"> {
  /** The score, 0 to 100. */
  health?: number;
  /** It is listed, but was never heard of. */
  isUnheard?: true;
  /** It is heard of, but missing from the list that there is. */
  isUnlisted?: true;
}

/** A device in full. */
export interface DeviceDetail extends Omit<DeviceSummary, "metrics"> {
  /** False if it is neither heard of nor listed. */
  isKnown: boolean;
  /** What to do when something is wrong with it. */
  advice?: string;
  metrics: MetricDetail[];
  /** Those that are not back to normal. */
  alarms: Alarm[];
  /** Lines of the journal about it, in the order of their arrival. */
  lines: JournalLine[];
}

/** What is known of one metric beside its value. */
export interface MetricDetail {
  name: string;
  value: number;
  unit?: string;
  /** Time of measurement, ms since 1970; absent until it has come again after a restart, as what follows. */
  timestamp?: number;
  features?: Readonly<Record<string, unknown>>;
  verdict?: MetricVerdict;
}

/** What is known of a device, as plain JSON. */
export interface DeviceStatusState {
  metrics: Metrics;
  units: Record<string, string> | undefined;
  quality: Quality | undefined;
  alarms: [condition: string, alarm: Alarm][];
  lastSeen: number | undefined;
  lastAnomaly: number | undefined;
  /** Time of the newest reading, and of its arrival, ms since 1970. */
  newest: { timestamp: number; receivedAt: number } | undefined;
  /** The latest verdict. */
  judged: { timestamp: number; isAnomaly: boolean } | undefined;
  /** Why the device is out of reach, as long as it is. */
  outOfReach: "offline" | "unknown" | undefined;
  health: Health | undefined;
  remainingUsefulLife: object | undefined;
  cluster: number | string | undefined;
  tags: Tags | undefined;
}

type Known = Omit<DeviceStatusState, "alarms">;

const NOTHING: Omit<Known, "metrics"> = {
  units: undefined,
  quality: undefined,
  lastSeen: undefined,
  lastAnomaly: undefined,
  newest: undefined,
  judged: undefined,
  outOfReach: undefined,
  health: undefined,
  remainingUsefulLife: undefined,
  cluster: undefined,
  tags: undefined,
};

/**
 * The present status of a device. A reading replaces the values that it holds and leaves the others, so that devices may
 * send each metric in a reading of its own; for the same reason readings with one timestamp share their verdicts. A
 * reading of bad quality only shows that the device is there, and so does one that a newer one has overtaken.
 *
 * The status is the first of these that is true: the device is out of reach; its health or one of its active alarms is
 * critical; one of them is a warning; its latest verdict is an anomaly; there is a health or a verdict.
 *
 * Cost of a reading: O(its metrics). Memory: O(metrics + open alarms), both bounded.
 */
export class DeviceStatus {
  readonly #known: Known = { metrics: {}, ...NOTHING };
  readonly #alarms = new Map<string, Alarm>();
  /** The reading that each metric came with last. */
  readonly #sources = new Map<string, AnalysedReading>();
  /** Number of its latest change, and of the latest of its alarms; given by who keeps the device, to tell what is new. */
  revision = 0;
  alarmRevision = 0;

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(state: unknown): DeviceStatus {
    requireState(state);
    const device = new DeviceStatus();
    const { alarms, ...known } = state;
    Object.assign(device.#known, known);
    for (const [condition, alarm] of alarms) if (isAlarm(alarm)) device.#alarms.set(condition, alarm);
    return device;
  }

  get lastSeen(): number | undefined {
    return this.#known.lastSeen;
  }

  get health(): Health | undefined {
    return this.#known.health;
  }

  /** Units of the metrics that have one. */
  get units(): Readonly<Record<string, string>> {
    return this.#known.units ?? {};
  }

  /** The latest value of each metric; not to be changed. */
  get metrics(): Readonly<Metrics> {
    return this.#known.metrics;
  }

  get status(): PresentStatus {
    const { outOfReach, health, judged } = this.#known;
    if (outOfReach) return outOfReach;
    let isWarning = health?.status === "warning";
    if (health?.status === "critical") return "critical";
    for (const alarm of this.#alarms.values()) {
      if (alarm.severity === "critical" && isActive(alarm)) return "critical";
      if (alarm.severity === "warning" && isActive(alarm)) isWarning = true;
    }
    if (isWarning) return "warning";
    if (judged?.isAnomaly) return "anomaly";
    return health || judged ? "healthy" : "unknown";
  }

  /**
   * Takes a reading that arrives at `now`, ms since 1970.
   *
   * @param accepts tells which metrics count; without it, all do
   * @returns true if the reading is anomalous
   * @throws RangeError when the device would have more than MAX_METRICS metrics; nothing is changed then
   */
  push(reading: AnalysedReading, now: number, accepts?: (metric: string) => boolean): boolean {
    const known = this.#known;
    const { timestamp, metrics } = reading;
    const isGood = reading.quality !== "bad";
    if (isGood) this.#requireRoom(metrics, accepts);
    known.lastSeen = now;
    known.outOfReach = undefined;
    known.quality = reading.quality === "good" ? undefined : reading.quality;
    if (!isGood) return false;
    const verdict = mainVerdict(reading);
    const isAnomaly = verdict?.isAnomaly === true;
    if (isAnomaly) known.lastAnomaly = Math.max(timestamp, known.lastAnomaly ?? 0);
    if (this.#isOvertaken(timestamp, now)) return isAnomaly;
    known.newest = { timestamp, receivedAt: now };
    for (const name in metrics) {
      if (accepts && !accepts(name)) continue;
      known.metrics[name] = metrics[name] as number;
      this.#sources.set(name, reading);
      const unit = ownOf(reading.units, name);
      if (unit !== undefined && ownOf(known.units, name) !== unit) known.units = { ...known.units, [name]: unit };
    }
    if (verdict && (isAnomaly || known.judged?.timestamp !== timestamp)) known.judged = { timestamp, isAnomaly };
    const { health, remainingUsefulLife, cluster, tags } = reading;
    if (isHealth(health)) known.health = health;
    if (isRecord(remainingUsefulLife)) known.remainingUsefulLife = remainingUsefulLife;
    if (typeof cluster === "number" || typeof cluster === "string") known.cluster = cluster;
    if (tags) known.tags = tags;
    return isAnomaly;
  }

  /** Takes a status event. The next reading outweighs it. */
  pushStatus({ status, lastSeen }: StatusEvent): void {
    const known = this.#known;
    known.outOfReach = status === "online" ? undefined : status;
    if (Number.isFinite(lastSeen)) known.lastSeen = Math.max(Number(lastSeen), known.lastSeen ?? 0);
  }

  /**
   * Takes an alarm.
   *
   * @returns true if it was raised since it was last heard of
   * @throws RangeError when more than MAX_OPEN_ALARMS would be open
   */
  pushAlarm(alarm: Alarm): boolean {
    const { condition, state, raisedAt } = alarm;
    const known = this.#alarms.get(condition);
    if (state === "normal") {
      this.clearAlarm(condition);
      return false;
    }
    if (known === undefined && this.#alarms.size >= MAX_OPEN_ALARMS) {
      throw new RangeError(`the device has ${MAX_OPEN_ALARMS} open alarms already`);
    }
    this.#alarms.set(condition, alarm);
    return known === undefined || known.raisedAt !== raisedAt;
  }

  /** The alarm of a condition is back to normal. */
  clearAlarm(condition: string): void {
    this.#alarms.delete(condition);
  }

  /**
   * A copy of what is known, for others to use as they like.
   *
   * @param record what a device-registry knows of the device
   * @param maintenance the maintenance that the device is in
   */
  summary(deviceId: string, record?: DeviceRecord, maintenance?: Maintenance): DeviceSummary {
    const { metrics, units, quality, lastSeen, lastAnomaly, health, remainingUsefulLife, cluster } = this.#known;
    const { tags = record?.tags } = this.#known;
    const summary: DeviceSummary = {
      deviceId,
      ...(record?.name !== undefined && { name: record.name }),
      ...(record?.location !== undefined && { location: record.location }),
      status: maintenance ? "maintenance" : this.status,
      ...(maintenance && { maintenance: { ...maintenance } }),
      metrics: { ...metrics },
      openAlarms: this.#alarms.size,
    };
    if (units) summary.units = { ...units };
    if (quality) summary.quality = quality;
    if (lastSeen !== undefined) summary.lastSeen = lastSeen;
    if (lastAnomaly !== undefined) summary.lastAnomaly = lastAnomaly;
    if (health) summary.health = copyOf(health);
    if (remainingUsefulLife) summary.remainingUsefulLife = { ...remainingUsefulLife };
    if (cluster !== undefined) summary.cluster = cluster;
    if (tags) summary.tags = { ...tags };
    return summary;
  }

  /** The alarms that are not back to normal; not to be changed. */
  get alarms(): Iterable<Alarm> {
    return this.#alarms.values();
  }

  get openAlarms(): number {
    return this.#alarms.size;
  }

  /** Its metrics, with what the reading that they came with last says of them. */
  metricDetails(): MetricDetail[] {
    const { metrics, units } = this.#known;
    return Object.entries(metrics).map(([name, value]) => {
      const detail: MetricDetail = { name, value };
      const unit = ownOf(units, name);
      if (unit !== undefined) detail.unit = unit;
      const source = this.#sources.get(name);
      if (source === undefined) return detail;
      detail.timestamp = source.timestamp;
      const features: unknown = ownOf(source.features, name);
      if (isRecord(features)) detail.features = features;
      const verdict = metricVerdict(source.verdicts, name);
      if (verdict) detail.verdict = verdict;
      return detail;
    });
  }

  toJSON(): DeviceStatusState {
    return { ...this.#known, metrics: { ...this.#known.metrics }, alarms: [...this.#alarms] };
  }

  #isOvertaken(timestamp: number, now: number): boolean {
    const { newest } = this.#known;
    return newest !== undefined && timestamp < newest.timestamp && Math.abs(now - newest.receivedAt) < OVERTAKEN;
  }

  #requireRoom(metrics: Metrics, accepts: ((metric: string) => boolean) | undefined): void {
    let added = 0;
    for (const name in metrics) {
      if (!Object.hasOwn(this.#known.metrics, name) && (!accepts || accepts(name))) added++;
    }
    if (added === 0) return;
    const count = Object.keys(this.#known.metrics).length + added;
    if (count > MAX_METRICS) {
      throw new RangeError(`the device would have ${count} metrics, at most ${MAX_METRICS} are kept`);
    }
  }
}

/** True while an alarm counts: its condition holds, and nothing keeps it from being told. */
function isActive({ state, shelved, suppressed, outOfService }: Alarm): boolean {
  return state !== "returned-unacknowledged" && !shelved && !suppressed && !outOfService;
}

function copyOf({ score, status, flags, contributors }: Health): Health {
  return { score, status, flags: [...flags], contributors: contributors.map((contributor) => ({ ...contributor })) };
}

/** Nobody has checked what stands in a reading beside its metrics. */
function isHealth(value: unknown): value is Health {
  if (!isRecord(value)) return false;
  const { score, status, flags, contributors } = value;
  const isStatus = status === "healthy" || status === "warning" || status === "critical";
  return isStatus && Number.isFinite(score) && Array.isArray(flags) && Array.isArray(contributors);
}

function requireState(state: unknown): asserts state is DeviceStatusState {
  if (!isRecord(state) || !isState(state)) throw new TypeError("it is not the status of a device");
}

function isState({
  metrics,
  units,
  alarms,
  health,
  newest,
  judged,
  lastSeen,
  lastAnomaly,
}: Record<string, unknown>): boolean {
  const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value);
  const isOpen = (entry: unknown) => Array.isArray(entry) && typeof entry[0] === "string" && isRecord(entry[1]);
  return (
    isRecord(metrics) &&
    Object.values(metrics).every(Number.isFinite) &&
    Array.isArray(alarms) &&
    alarms.every(isOpen) &&
    isOptional(health, isHealth) &&
    isOptional(units, isRecord) &&
    [newest, judged].every((value) => isOptional(value, isRecord)) &&
    [lastSeen, lastAnomaly].every((value) => isOptional(value, Number.isFinite))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
