/** What flows on the wires as points of the historian: which measurement, tags and fields each shape becomes. */
import { isAlarm, isAuditEntry, isStatusEvent, isWindowResult } from "../events.ts";
import { MAX_NAME_LENGTH } from "../limits.ts";
import type { Alarm, AuditEntry, Reading, Silence, StatusEvent, WindowResult } from "../types.ts";
import { verdictOf } from "../verdicts.ts";
import { fieldKey, type LineWriter, lineHead } from "./lines.ts";
import { BAD, isBadField, QUALITY } from "./readings.ts";
import type { Measurement, PointTags } from "./types.ts";

/** Heads of lines and names of fields that are kept encoded, above which it starts anew: some 10 MB. */
const MAX_KNOWN = 50_000;

/** Detectors of one device that are kept encoded. */
const MAX_DETECTORS = 100;

/** Characters of a text; the rest is cut. InfluxDB takes 64 kB. */
const MAX_TEXT_LENGTH = 10_000;

/** What is told apart from readings by its shape. */
export type HistoryEvent = StatusEvent | WindowResult | Alarm | AuditEntry;

/** What of a reading is written, each to the measurement of that name. */
export type ReadingPart = "readings" | "features" | "verdicts" | "health";

const READING_PARTS: readonly ReadingPart[] = ["readings", "features", "verdicts", "health"];

/** Beginnings of the lines of a device where it is now. */
interface DeviceHeads {
  tags: PointTags;
  readings: Uint8Array;
  features?: Uint8Array;
  health?: Uint8Array;
  /** By detector. */
  verdicts: Map<string, Uint8Array>;
}

const QUALITY_KEY = fieldKey(QUALITY);
const SCORE = fieldKey("score");
const IS_ANOMALY = fieldKey("isAnomaly");
const THRESHOLD = fieldKey("threshold");

const VERDICT_PARTS = ["score", "lower", "upper"];
const ALARM_TEXTS = ["alarmId", "severity", "state", "unit", "metric", "advice", "name", "by"] as const;
const AUDIT_TEXTS = ["by", "role", "from", "target", "detail", "commandId"] as const;
const ALARM_NUMBERS = ["value", "limit", "count", "raisedAt", "acknowledgedAt", "clearedAt"] as const;

/** The text fields of each measurement; all others are numbers. */
export const TEXT_FIELDS: Readonly<Partial<Record<Measurement, readonly string[]>>> = {
  readings: [QUALITY],
  health: ["status", "flags"],
  alarms: [...ALARM_TEXTS, "reason"],
  status: ["status"],
  audit: [...AUDIT_TEXTS, "reason"],
};

/** True for what is no reading, and is stored with `PointWriter.event`. */
export function isHistoryEvent(value: unknown): value is HistoryEvent {
  return isStatusEvent(value) || isAlarm(value) || isWindowResult(value) || isAuditEntry(value);
}

/**
 * Writes what flows on the wires as lines. What can't be stored as a whole is not stored at all: then a method throws a
 * RangeError with the reason, and the lines are as before. Cost: O(fields); it allocates for new names and texts only.
 *
 * | measurement | tags | fields |
 * |---|---|---|
 * | `readings` | device, location | each metric, of a bad reading as `_bad.<metric>`; text `_quality` unless good |
 * | `features` | device, location | `<metric>.<feature>` |
 * | `verdicts` | device, location, detector | `isAnomaly` (0 or 1), `score`, `threshold`; `<metric>.score`, `.lower`, `.upper` |
 * | `health` | device, location | `score`; texts `status`, `flags` (separated by commas) |
 * | `windows` | device (the group), location (where it is grouped by) | `count`, `anomalyCount`, `windowEnd`; `<metric>.<function>` |
 * | `alarms` | device, location, condition, change | texts `alarmId`, `severity`, `state`, `unit`, `metric`, `advice`, `name`, `by`, `reason`; `value`, `limit`, `count`, `isAnnunciated` (0 or 1), `raisedAt`, `acknowledgedAt`, `clearedAt` |
 * | `status` | device | text `status`; `lastSeen`, `silentSeconds` |
 * | `audit` | device, condition (what was done), change (what came of it) | texts `by`, `role`, `from`, `target`, `detail`, `commandId`, `reason` |
 *
 * The time is the timestamp, of windows the start. Fields that are not there are left out.
 */
export class PointWriter {
  readonly #lines: LineWriter;
  readonly #writes: ReadonlySet<ReadingPart>;
  readonly #devices = new Map<string, DeviceHeads>();
  /** Names of fields by metric and part of it, "" for the metric itself. */
  readonly #keys = new Map<string, Map<string, Uint8Array>>();
  #knownKeys = 0;

  /** `parts`: what of readings is written; all unless it is given. */
  constructor(lines: LineWriter, parts = READING_PARTS) {
    this.#lines = lines;
    this.#writes = new Set(parts);
  }

  /** Writes a reading, and what analytic nodes have added to it. */
  reading(reading: Reading): void {
    const { byteLength, count } = this.#lines;
    try {
      this.#reading(reading);
    } catch (error) {
      this.#lines.truncate(byteLength, count);
      throw error;
    }
  }

  /**
   * Writes a status, the result of a window, or an entry of the alarm journal or the audit trail; `now` is the time of one
   * without.
   */
  event(event: HistoryEvent, now: number): void {
    if (isStatusEvent(event)) this.#status(event, now);
    else if (isAlarm(event)) this.#alarm(event, now);
    else if (isWindowResult(event)) this.#window(event);
    else this.#audit(event);
  }

  #reading(reading: Reading): void {
    const { metrics, quality, features, verdicts, health } = reading;
    const lines = this.#lines;
    const writes = this.#writes;
    const heads = this.#headsOf(reading);
    const timestamp = Math.floor(reading.timestamp);
    if (writes.has("readings")) {
      lines.open(heads.readings);
      const isBad = quality === "bad";
      for (const name in metrics) {
        // A name that is refused is refused of bad values, too.
        const key = this.#key(name);
        lines.number(isBad ? this.#key(BAD, name) : key, metrics[name] as number);
      }
      if (quality !== undefined && quality !== "good") lines.text(QUALITY_KEY, quality);
      lines.close(timestamp);
    }
    if (features && writes.has("features")) {
      heads.features ??= lineHead("features", heads.tags);
      lines.open(heads.features);
      if (this.#parts(features) > 0) lines.close(timestamp);
    }
    for (const detector in writes.has("verdicts") ? verdicts : undefined) {
      const verdict = verdictOf(reading, detector);
      if (!verdict) continue;
      lines.open(this.#verdictHead(heads, detector));
      lines.number(IS_ANOMALY, Number(verdict.isAnomaly));
      lines.number(SCORE, verdict.score);
      lines.number(THRESHOLD, verdict.threshold);
      this.#parts(verdict.metrics, VERDICT_PARTS);
      lines.close(timestamp);
    }
    if (health && writes.has("health") && Number.isFinite(health.score)) {
      heads.health ??= lineHead("health", heads.tags);
      lines.open(heads.health);
      lines.number(SCORE, health.score);
      this.#text("status", health.status);
      if (Array.isArray(health.flags)) this.#text("flags", health.flags.join());
      lines.close(timestamp);
    }
  }

  #status({ deviceId, status, timestamp, lastSeen, silentSeconds }: StatusEvent, now: number): void {
    this.#lines.open(lineHead("status", { device: deviceId }));
    this.#text("status", status);
    this.#number("lastSeen", lastSeen);
    this.#number("silentSeconds", silentSeconds);
    this.#lines.close(Math.floor(timestamp ?? now));
  }

  #window({ group, tags, windowStart, windowEnd, count, anomalyCount, metrics }: WindowResult): void {
    const location = tags?.location;
    const isPlace = location !== undefined && location === group;
    this.#lines.open(lineHead("windows", named(isPlace ? { location } : { device: group, location })));
    this.#number("count", count);
    this.#number("anomalyCount", anomalyCount);
    this.#number("windowEnd", windowEnd);
    this.#parts(metrics);
    this.#lines.close(Math.floor(windowStart));
  }

  #alarm(alarm: Alarm, now: number): void {
    const { deviceId: device, condition, location, change, timestamp } = alarm;
    if (change === undefined) throw new RangeError("an alarm without a change is no entry of a journal");
    this.#lines.open(lineHead("alarms", named({ device, location, condition, change })));
    for (const name of ALARM_TEXTS) this.#text(name, alarm[name]);
    for (const name of ALARM_NUMBERS) this.#number(name, alarm[name]);
    this.#number("isAnnunciated", Number(alarm.isAnnunciated ?? false));
    this.#text("reason", silenceOf(alarm)?.reason);
    this.#lines.close(Math.floor(timestamp ?? now));
  }

  #audit(entry: AuditEntry): void {
    const { deviceId: device, action, command, outcome, timestamp, arguments: given, detail, reason, error } = entry;
    this.#lines.open(lineHead("audit", named({ device, condition: action ?? command, change: outcome })));
    for (const name of AUDIT_TEXTS) this.#text(name, entry[name]);
    if (detail === undefined && given !== undefined) this.#text("detail", JSON.stringify(given));
    this.#text("reason", reason ?? error ?? "");
    this.#lines.close(Math.floor(timestamp));
  }

  /** Adds what stands by metric and part, and tells how many these are. What is no finite number is passed over. */
  #parts(metrics: unknown, only?: readonly string[]): number {
    if (!isRecord(metrics)) return 0;
    let count = 0;
    for (const metric in metrics) {
      const parts = metrics[metric];
      if (!isRecord(parts)) continue;
      for (const part in parts) {
        const value = parts[part];
        if (typeof value !== "number" || !Number.isFinite(value) || only?.includes(part) === false) continue;
        this.#lines.number(this.#key(metric, part), value);
        count++;
      }
    }
    return count;
  }

  #number(name: string, value: unknown): void {
    if (typeof value === "number" && Number.isFinite(value)) this.#lines.number(this.#key(name), value);
  }

  #text(name: string, value: unknown): void {
    if (typeof value === "string") this.#lines.text(this.#key(name), value.slice(0, MAX_TEXT_LENGTH));
  }

  #key(metric: string, part = ""): Uint8Array {
    let keys = this.#keys.get(metric);
    let key = keys?.get(part);
    if (key) return key;
    if (metric === QUALITY) throw new RangeError(`a metric can't be named ${QUALITY}, which is its quality`);
    if (isBadField(metric)) throw new RangeError(`a metric's name can't begin with ${BAD}., as bad values do`);
    requireName(metric);
    requireName(part);
    if (this.#knownKeys === MAX_KNOWN) {
      this.#keys.clear();
      this.#knownKeys = 0;
      keys = undefined;
    }
    if (!keys) {
      keys = new Map();
      this.#keys.set(metric, keys);
    }
    key = fieldKey(part === "" ? metric : `${metric}.${part}`);
    keys.set(part, key);
    this.#knownKeys++;
    return key;
  }

  #headsOf({ deviceId, tags }: Reading): DeviceHeads {
    const location = tags?.location;
    let heads = this.#devices.get(deviceId);
    if (heads && heads.tags.location === location) return heads;
    if (this.#devices.size === MAX_KNOWN) this.#devices.clear();
    const own = named({ device: deviceId, location });
    heads = { tags: own, readings: lineHead("readings", own), verdicts: new Map() };
    this.#devices.set(deviceId, heads);
    return heads;
  }

  #verdictHead({ tags, verdicts }: DeviceHeads, detector: string): Uint8Array {
    let head = verdicts.get(detector);
    if (!head) {
      head = lineHead("verdicts", named({ ...tags, detector }));
      if (verdicts.size === MAX_DETECTORS) verdicts.clear();
      verdicts.set(detector, head);
    }
    return head;
  }
}

/** The tags that have a value, which must be names. */
function named(tags: { [tag in keyof PointTags]: string | undefined }): PointTags {
  const known: PointTags = {};
  for (const [tag, value] of Object.entries(tags)) {
    if (value === undefined) continue;
    requireName(value);
    known[tag as keyof PointTags] = value;
  }
  return known;
}

function requireName(name: string): void {
  if (typeof name !== "string" || name.length > MAX_NAME_LENGTH) {
    throw new RangeError(`a name must be text of at most ${MAX_NAME_LENGTH} characters`);
  }
}

function silenceOf({ change, shelved, suppressed, outOfService }: Alarm): Silence | undefined {
  if (change === "shelved") return shelved;
  return change === "suppressed" ? suppressed : change === "out-of-service" ? outOfService : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
