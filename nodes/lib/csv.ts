/** What the columns of a CSV file mean: known from their headings, or said by a map. */
import { toReadings } from "../../core/reading.ts";
import type { TimestampUnit } from "../../core/timestamp.ts";
import type { Reading } from "../../core/types.ts";

/** Says what columns mean, by their headings; what it does not say is found out. */
export interface ColumnMap {
  /** The column with the device. */
  device?: string;
  /** The column with the time. */
  timestamp?: string;
  timestampUnit?: TimestampUnit;
  /** Names of metrics by heading: these columns alone then are metrics. `*`: all that are nothing else. */
  metrics?: "*" | ReadonlyMap<string, string>;
  /** Names of tags by heading, such as `location`. */
  tags?: ReadonlyMap<string, string>;
}

const UNITS: readonly string[] = ["auto", "s", "ms", "iso"] satisfies TimestampUnit[];

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The one of the usual delimiters that occurs most often in the header. */
export function delimiterOf(beginning: string): string {
  const [header = ""] = beginning.trimStart().split("\n", 1);
  const count = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

/**
 * Reads a map as people write it, an object such as
 * `{ device: "machine", timestamp: "when", timestampUnit: "s", metrics: { temp: "temperature" }, tags: { hall: "location" } }`.
 *
 * @throws Error that says what is wrong
 */
export function parseColumnMap(value: unknown): ColumnMap {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("the column map must be an object");
  }
  const { device, timestamp, timestampUnit, metrics, tags, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new Error(`the column map has device, timestamp, metrics and tags, not ${unknown}`);
  if (timestampUnit !== undefined && !UNITS.includes(timestampUnit as string)) {
    throw new Error(`timestampUnit must be one of ${UNITS.join(", ")}`);
  }
  return {
    ...(device !== undefined && { device: headingOf("device", device) }),
    ...(timestamp !== undefined && { timestamp: headingOf("timestamp", timestamp) }),
    ...(timestampUnit !== undefined && { timestampUnit: timestampUnit as TimestampUnit }),
    ...(metrics !== undefined && { metrics: metrics === "*" ? "*" : namesOf("metrics", metrics) }),
    ...(tags !== undefined && { tags: namesOf("tags", tags) }),
  };
}

function headingOf(what: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${what} must be the heading of a column`);
}

function namesOf(what: string, value: unknown): ReadonlyMap<string, string> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (entries.length > 0 && entries.every(([, name]) => typeof name === "string" && name !== ""))
    return new Map(entries);
  throw new Error(`${what} must be an object of names by the headings of columns`);
}

interface Column {
  /** Empty if it means nothing. */
  name: string;
  /** `other` is left to core/reading.ts. */
  kind: "device" | "metric" | "tag" | "other";
  /** Holds names, and a name that looks like a number stays as it is. */
  isText: boolean;
}

/** Turns rows into payloads that core/reading.ts understands. */
export class Columns {
  readonly #columns: Column[];
  readonly #base: object;
  readonly #hasMetrics: boolean;

  /**
   * @param fileName the device, where no column names it
   * @throws Error when there is no column of a heading in the map
   */
  constructor(headings: readonly string[], map: ColumnMap, fileName: string) {
    const present = headings.map((heading) => heading.trim());
    const metrics = map.metrics === "*" ? undefined : map.metrics;
    const wanted = [map.device, map.timestamp, ...(metrics?.keys() ?? []), ...(map.tags?.keys() ?? [])];
    const missing = wanted.find((heading) => heading !== undefined && !present.includes(heading));
    if (missing !== undefined) throw new Error(`there is no column ${JSON.stringify(missing)}`);
    this.#columns = present.map((heading) => toColumn(heading, map, metrics));
    this.#base = this.#columns.some(({ kind }) => kind === "device") ? {} : { deviceId: fileName };
    this.#hasMetrics = metrics !== undefined;
  }

  /** A row as an object, or an Error if it can't be one. */
  payload(cells: readonly string[]): Record<string, unknown> | Error {
    const columns = this.#columns;
    if (cells.length !== columns.length) {
      return new Error(`it has ${cells.length} cells, and the header names ${columns.length}`);
    }
    const payload: Record<string, unknown> = { ...this.#base };
    const metrics: Record<string, unknown> = this.#hasMetrics ? {} : payload;
    let tags: Record<string, unknown> | undefined;
    for (let index = 0; index < columns.length; index++) {
      const { name, kind, isText } = columns[index] as Column;
      const cell = (cells[index] as string).trim();
      if (cell === "" || name === "") continue;
      const value = isText ? cell : toValue(cell);
      if (kind === "metric") metrics[name] = value;
      else if (kind === "tag") {
        tags ??= {};
        tags[name] = value;
      } else payload[name] = value;
    }
    if (metrics !== payload) payload.metrics = metrics;
    if (tags) payload.tags = tags;
    return payload;
  }
}

function toColumn(heading: string, map: ColumnMap, metrics: ReadonlyMap<string, string> | undefined): Column {
  if (heading === map.device) return { name: "deviceId", kind: "device", isText: true };
  if (heading === map.timestamp) return { name: "timestamp", kind: "other", isText: true };
  const tag = map.tags?.get(heading);
  if (tag !== undefined) return { name: usable(tag), kind: "tag", isText: true };
  const metric = metrics?.get(heading);
  if (metric !== undefined) return { name: usable(metric), kind: "metric", isText: false };
  // A column without a heading, such as the row numbers that data frames are saved with, holds no metric.
  const column = usualColumn(usable(heading));
  return metrics && column.isMetric ? { ...column, name: "" } : column;
}

/** Which names mean a device, a time or a tag is known to core/reading.ts alone, so it is asked by examples. */
function usualColumn(name: string): Column & { isMetric: boolean } {
  const ask = (value: unknown) => {
    const example = { [name]: value, example: 1 };
    return toReadings(example, { topic: "-", now: 0 }, () => undefined) as Reading | undefined;
  };
  const told = ask("good");
  const isDevice = told?.deviceId === "good";
  const isTag = Object.hasOwn(told?.tags ?? {}, name);
  const isMetric = told?.quality === undefined && Object.hasOwn(ask(1)?.metrics ?? {}, name);
  return { name, kind: isDevice ? "device" : isTag ? "tag" : "other", isText: isDevice || isTag, isMetric };
}

// An assignment to it would be none.
function usable(name: string): string {
  return name === "__proto__" ? "" : name;
}

function toValue(cell: string): unknown {
  if (NUMBER.test(cell)) return Number(cell);
  if (/^(true|false)$/i.test(cell)) return cell.length === 4;
  return cell;
}
