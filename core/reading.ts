/** The only place that understands foreign payloads: whatever a device sends becomes a Reading, or is refused with a reason. */
import { MAX_METRICS, MAX_NAME_LENGTH } from "./limits.ts";
import { MAX_TIMESTAMP, parseTimestamp, type TimestampUnit } from "./timestamp.ts";
import type { Metrics, Quality, Reading } from "./types.ts";

/** Where a payload came from, for what it doesn't say itself. */
export interface Source {
  /** The message's topic: the device of a payload that names none. */
  topic?: unknown;
  /** Present time, ms since 1970: the time of a payload that carries none. */
  now: number;
}

/** What is known of the devices' own format beyond the usual names. */
export interface Format {
  /** The device of every payload, whatever it says itself. */
  deviceId?: string | undefined;
  /** Property that names the device; dots reach into objects. Empty: the usual names. */
  deviceProperty?: string;
  /** Property that holds the time; dots reach into objects. Empty: the usual names. */
  timestampProperty?: string;
  timestampUnit?: TimestampUnit;
  /** Properties that are tags rather than metrics, beyond the usual names. */
  tagProperties?: readonly string[];
  /** How far ahead of the present a time may be; without it, any. */
  maxFutureSeconds?: number;
}

/**
 * Told of everything that is refused: the reason, and the payload (of an array: the element) as it arrived.
 * `isPartial` means that only some metrics were refused and the rest of the reading goes on.
 */
export type Refuse = (reason: string, payload: unknown, isPartial: boolean) => void;

/** Uses a reading. What it throws refuses the reading, as a whole and as it arrived. */
export type Take = (reading: Reading) => void;

type Fields = Record<string, unknown>;

const DEVICE_NAMES = ["deviceId", "device_id", "deviceID", "sensorId", "sensor_id", "device", "sensor", "id"];
const TIME_NAMES = ["timestamp", "ts", "time", "datetime", "timeStamp", "date"];
const TAG_NAMES = [
  "location",
  "building",
  "floor",
  "room",
  "hall",
  "site",
  "area",
  "line",
  "zone",
  "type",
  "model",
  "name",
];
const METRIC_NAMES = ["sensor_type", "sensorType", "metric", "measurement"];
const QUALITIES: Record<string, Quality> = { good: "good", stale: "stale", uncertain: "stale", bad: "bad" };

/**
 * Turns a payload into a Reading, or an array into an array of Readings.
 *
 * Understood: a Reading (returned as it is, at no cost but the check); an object with `metrics`; a flat object
 * (`device_id`, `temperature`, …, `timestamp`); the narrow form (`sensor_id`, `sensor_type`, `value`, `unit`); a bare
 * number; JSON text or bytes of these; arrays of these. `null` is a missing metric, booleans become 0 and 1.
 *
 * Never throws by itself, whatever it is given: only what `refuse` throws goes through.
 *
 * @returns what is usable, or undefined if nothing is; everything else has been given to `refuse`
 */
export function toReadings(
  payload: unknown,
  source: Source,
  refuse: Refuse,
  format: Format = {},
  take?: Take,
): Reading | Reading[] | undefined {
  const input = payload instanceof Uint8Array ? new TextDecoder().decode(payload) : payload;
  const content = typeof input === "string" ? parseJson(input) : input;
  if (content === undefined && typeof input === "string") {
    refuse(`${quote(input)} is text that is not JSON`, payload, false);
    return undefined;
  }
  if (!Array.isArray(content)) return toReading(content, payload, source, refuse, format, take);
  if (content.length === 0) {
    refuse("an empty array holds no reading", payload, false);
    return undefined;
  }
  const readings: Reading[] = [];
  for (const element of content) {
    const reading = toReading(element, element, source, refuse, format, take);
    if (reading) readings.push(reading);
  }
  return readings.length > 0 ? readings : undefined;
}

/**
 * The Reading in a payload that can be taken as it is: a Reading, or a finite number of the device that `topic` names.
 * Undefined for anything else, which may still be one for `toReadings`.
 */
export function plainReading(payload: unknown, { topic, now }: Source): Reading | undefined {
  if (typeof payload !== "number") return isReading(payload) ? payload : undefined;
  const deviceId = deviceName(topic);
  if (deviceId === undefined || !Number.isFinite(payload)) return undefined;
  return { deviceId, timestamp: now, metrics: { value: payload } };
}

function toReading(
  content: unknown,
  payload: unknown,
  source: Source,
  refuse: Refuse,
  format: Format,
  take: Take | undefined,
): Reading | undefined {
  let problems: string[] | undefined;
  let reading: Reading | undefined;
  try {
    if (isReading(content) && isInOwnTerms(content, source, format)) {
      reading = content;
    } else {
      problems = [];
      reading = convert(content, source, format, problems);
    }
    take?.(reading);
  } catch (error) {
    problems = [...(problems ?? []), error instanceof Error ? error.message : String(error)];
    reading = undefined;
  }
  if (problems && problems.length > 0) refuse(summary(problems), payload, reading !== undefined);
  return reading;
}

/** The first few problems: a reading may have a thousand. */
function summary(problems: string[]): string {
  const more = problems.length - 3;
  return more > 0 ? `${problems.slice(0, 3).join("; ")}; and ${more} more` : problems.join("; ");
}

/** True for a Reading in which nothing needs converting or refusing. */
export function isReading(value: unknown): value is Reading {
  if (!isRecord(value) || !isRecord(value.metrics)) return false;
  const { deviceId, timestamp, quality, metrics } = value;
  if (typeof deviceId !== "string" || deviceId.length === 0 || deviceId.length > MAX_NAME_LENGTH) return false;
  if (typeof timestamp !== "number" || !(timestamp >= 0 && timestamp <= MAX_TIMESTAMP)) return false;
  if (quality !== undefined && (typeof quality !== "string" || QUALITIES[quality] !== quality)) return false;
  if (!(areTexts(value.tags) && areTexts(value.units))) return false;
  let count = 0;
  for (const name in metrics) {
    const metric = metrics[name];
    if (typeof metric !== "number" || !Number.isFinite(metric) || !isName(name)) return false;
    count++;
  }
  return count > 0 && count <= MAX_METRICS;
}

function areTexts(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isRecord(value)) return false;
  for (const name in value) if (typeof value[name] !== "string" || name === "__proto__") return false;
  return true;
}

/** False where the format says that another property, unit or device counts, or that the time is too far ahead. */
function isInOwnTerms({ deviceId, timestamp }: Reading, source: Source, format: Format): boolean {
  if (format.deviceProperty || format.timestampProperty) return false;
  if (format.deviceId !== undefined && format.deviceId !== deviceId) return false;
  return isMilliseconds(timestamp, format.timestampUnit) && timestamp <= latestOf(source, format);
}

function latestOf({ now }: Source, { maxFutureSeconds = Infinity }: Format): number {
  return now + maxFutureSeconds * 1000;
}

/**
 * The numbers of our own shape are milliseconds, and nobody guesses about them. Only where devices may send anything
 * (`auto`), what can only be seconds of the years 2001 to 2096 is taken for that: 35 days of 1970 are lost by it.
 */
function isMilliseconds(timestamp: number, unit: TimestampUnit | undefined): boolean {
  return unit === undefined || unit === "ms" || (unit === "auto" && !(timestamp >= 1e9 && timestamp < 4e9));
}

/** Builds a Reading; the reasons of refused metrics go to `problems`, and that of a refused reading is thrown. */
function convert(content: unknown, source: Source, format: Format, problems: string[]): Reading {
  if (typeof content === "number" || typeof content === "boolean") {
    const deviceId = deviceName(format.deviceId ?? source.topic);
    if (deviceId === undefined) throw new Error("a bare number needs the name of its device in msg.topic");
    const value = Number(content);
    const metrics = Number.isFinite(value) ? { value } : collect([["value", content]], problems);
    return { deviceId, timestamp: source.now, metrics };
  }
  if (!isRecord(content)) throw new Error(describe(content));
  const device = find(content, format.deviceProperty, DEVICE_NAMES);
  const deviceId = deviceName(format.deviceId ?? device.value ?? source.topic);
  if (deviceId === undefined) throw new Error(missingDevice(format.deviceId ?? device.value, format));
  const time = find(content, format.timestampProperty, TIME_NAMES);
  const nested = isRecord(content.metrics);
  const base = { deviceId, timestamp: timestampOf(time.value, source, format, nested) };
  return nested
    ? fromNested(content, base, problems)
    : fromFlat(content, base, [device.name, time.name], format, problems);
}

type Base = Pick<Reading, "deviceId" | "timestamp">;

/** An object with `metrics`: a Reading that needs some conversion. All other properties stay. */
function fromNested(content: Fields, base: Base, problems: string[]): Reading {
  const metrics = collect(Object.entries(content.metrics as Fields), problems);
  const reading: Reading = { ...content, ...base, metrics };
  for (const name of ["tags", "units"] as const) {
    const texts = content[name];
    if (texts === undefined || texts === null) delete reading[name];
    else if (isRecord(texts)) reading[name] = toTexts(texts);
    else throw new Error(`${name} must be an object`);
  }
  if (content.quality === undefined || content.quality === null) delete reading.quality;
  else reading.quality = qualityOf(content.quality);
  return reading;
}

/** A flat object, or the narrow form of one metric a message. */
function fromFlat(
  content: Fields,
  base: Base,
  used: readonly (string | undefined)[],
  format: Format,
  problems: string[],
): Reading {
  const metricName = METRIC_NAMES.find((name) => typeof content[name] === "string" && content[name] !== "");
  const isNarrow = "value" in content && (metricName !== undefined || "unit" in content);
  const raw: [string, unknown][] = [];
  const tags: Fields = {};
  const reading: Reading = { ...base, metrics: {} };
  for (const [name, value] of Object.entries(content)) {
    if (used.includes(name) || (isNarrow && (name === "value" || name === "unit" || name === metricName))) continue;
    if (value === "" && (DEVICE_NAMES.includes(name) || TIME_NAMES.includes(name))) continue;
    if (name === "quality" && typeof value === "string") reading.quality = qualityOf(value);
    else if (name === "tags" && isRecord(value)) Object.assign(tags, value);
    else if (name === "units" && isRecord(value)) reading.units = toTexts(value);
    else if (isTag(name, value, format)) tags[name] = value;
    else raw.push([name, value]);
  }
  if (isNarrow) {
    const name = metricName === undefined ? "value" : String(content[metricName]);
    raw.push([name, content.value]);
    if (typeof content.unit === "string") reading.units = toTexts({ ...reading.units, [name]: content.unit });
  }
  reading.metrics = collect(raw, problems);
  if (Object.keys(tags).length > 0) reading.tags = toTexts(tags);
  return reading;
}

function isTag(name: string, value: unknown, format: Format): boolean {
  if (format.tagProperties?.includes(name) || TAG_NAMES.includes(name)) return true;
  // A device that sends several names has one of them for its id; the others tell more about it.
  return DEVICE_NAMES.includes(name) && typeof value === "string";
}

/** Text, numbers and booleans as texts, without the rest. */
function toTexts(values: Fields): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (name !== "__proto__" && ["string", "number", "boolean"].includes(typeof value)) texts[name] = String(value);
  }
  return texts;
}

/** Takes the usable metrics, of which there must be some. */
function collect(entries: [name: string, value: unknown][], problems: string[]): Metrics {
  if (entries.length > MAX_METRICS) {
    throw new Error(`${entries.length} metrics in one reading, at most ${MAX_METRICS} are taken`);
  }
  const metrics: Metrics = {};
  for (const [name, value] of entries) {
    if (value === null || value === undefined) continue;
    const number = typeof value === "boolean" ? Number(value) : value;
    if (!isName(name)) problems.push(`a metric cannot be named ${quote(name)}`);
    else if (typeof number === "number" && Number.isFinite(number)) metrics[name] = number;
    else problems.push(`${name}: ${quote(value)} is not a finite number`);
  }
  if (Object.keys(metrics).length === 0) throw new Error(`it holds no ${problems.length > 0 ? "usable " : ""}metric`);
  return metrics;
}

function timestampOf(value: unknown, source: Source, format: Format, isOwn: boolean): number {
  if (value === undefined || value === null || value === "") return source.now;
  const unit = format.timestampUnit ?? "auto";
  const isMs = isOwn && typeof value === "number" && isMilliseconds(value, format.timestampUnit);
  const timestamp = parseTimestamp(value, isMs ? "ms" : unit);
  if (timestamp === undefined) throw new Error(`${quote(value)} is not a time${unit === "auto" ? "" : ` in ${unit}`}`);
  if (timestamp > latestOf(source, format)) {
    const seconds = Math.round((timestamp - source.now) / 1000);
    throw new Error(`its time is ${seconds} s ahead, at most ${format.maxFutureSeconds} s are taken`);
  }
  return timestamp;
}

function qualityOf(value: unknown): Quality {
  const word = typeof value === "string" ? value.toLowerCase() : "";
  const quality = Object.hasOwn(QUALITIES, word) ? QUALITIES[word] : undefined;
  if (quality === undefined) throw new Error(`quality is ${quote(value)}, it must be good, stale or bad`);
  return quality;
}

/** The value under the configured property, or else under the first of the usual names that is there. */
function find(content: Fields, property: string | undefined, names: string[]): { name?: string; value?: unknown } {
  if (property) {
    if (Object.hasOwn(content, property)) return { name: property, value: content[property] };
    const [first = "", ...path] = property.split(".");
    let value = Object.hasOwn(content, first) ? content[first] : undefined;
    for (const step of path) value = isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined;
    return { name: first, value };
  }
  const name = names.find((name) => Object.hasOwn(content, name) && content[name] !== null && content[name] !== "");
  return name === undefined ? {} : { name, value: content[name] };
}

function deviceName(value: unknown): string | undefined {
  const name = typeof value === "number" && Number.isFinite(value) ? String(value) : value;
  return typeof name === "string" && name.length > 0 && name.length <= MAX_NAME_LENGTH ? name : undefined;
}

function missingDevice(value: unknown, format: Format): string {
  if (value !== undefined) {
    return `the device ${quote(value)} is not a name: it must be text of 1 to ${MAX_NAME_LENGTH} characters`;
  }
  const wanted = format.deviceProperty || "deviceId";
  return `no device: there is neither a property ${quote(wanted)} nor a msg.topic`;
}

function describe(content: unknown): string {
  if (Array.isArray(content)) return "an array inside an array is not a reading";
  return `${content === null ? "null" : typeof content} is not a reading`;
}

/** What a payload holds: JSON text and bytes of it are parsed, anything else is the content itself. */
export function contentOf(payload: unknown): unknown {
  const input = payload instanceof Uint8Array ? new TextDecoder().decode(payload) : payload;
  const content = typeof input === "string" ? parseJson(input) : undefined;
  return content === undefined ? input : content;
}

/** What JSON text holds, or undefined if it is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Assigning to __proto__ would change an object's prototype instead of adding a property.
function isName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_NAME_LENGTH && name !== "__proto__";
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as it may stand in a message, whatever its size. */
function quote(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 60))
      : typeof value === "object"
        ? "an object"
        : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
