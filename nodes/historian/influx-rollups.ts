/** Which hours of readings in an InfluxDB are to be rolled up, and how that is done by the server itself. */
import { FIVE_MINUTES, HOUR, type Level } from "../../core/history/levels.ts";
import { type InfluxConnection, ROLL_UP_TIME } from "./influx-connection.ts";
import { ARCHIVE_POLICY, RAW_POLICY } from "./influx-policies.ts";
import { identifier, within } from "./influxql.ts";

/** How long an hour is left alone after a write, ms: longer than a write takes that has been given up here. */
const SETTLED = 15_000;

/** Pieces of a range that are asked one by one. */
const MAX_PIECES = 32;

/** Levels of roll-up. */
export const ROLL_UPS = [FIVE_MINUTES, HOUR] as const;

const READINGS = Buffer.from("readings");
const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO = 0x30;

/** A part of a range: rolled up, or to be read from what was written. */
export interface Piece {
  from: number;
  to: number;
  isRolledUp: boolean;
}

/** An hour that is to be rolled up. `stamp` is different for each write to it, and close to the time of the write. */
interface DueHour {
  hour: number;
  stamp: number;
}

/** The measurement of a level of roll-up. Its fields are those of `readings` with `count_`, `sum_` and so on before them. */
export function rollUpMeasurement(level: Level): string {
  return level === HOUR ? "readings_1h" : "readings_5m";
}

/**
 * Lines that mark the hours of the readings among these lines as due, to be written with them. Cost: O(lines).
 *
 * A mark is a point of `rollup_due` at the last ms of its hour, so that it outlives its readings and lies in their shard.
 * A write sets its field `due` to a new stamp; whoever has rolled the hour up sets `done` to the stamp that was there
 * before. So a write in between leaves the two different, and the hour due.
 */
export function marksOf(lines: Uint8Array, now: number): Uint8Array {
  const hours = new Set<number>();
  const stamp = now + Math.random();
  const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
  let last = Number.NaN;
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.length : feed;
    const next = bytes[start + READINGS.length];
    if (
      (next === COMMA || next === SPACE) &&
      bytes.compare(READINGS, 0, READINGS.length, start, start + READINGS.length) === 0
    ) {
      const hour = Math.floor(timestampBefore(bytes, end) / HOUR);
      if (hour !== last) hours.add(hour);
      last = hour;
    }
    start = end + 1;
  }
  return Buffer.from([...hours].map((hour) => markLine("due", hour * HOUR, stamp)).join(""));
}

/** The whole number at the end of a line. */
function timestampBefore(bytes: Uint8Array, end: number): number {
  let timestamp = 0;
  let power = 1;
  for (let place = end - 1; place >= 0; place--) {
    const byte = bytes[place] as number;
    if (byte === MINUS) return -timestamp;
    if (byte === SPACE) break;
    timestamp += (byte - ZERO) * power;
    power *= 10;
  }
  return timestamp;
}

function markLine(field: "due" | "done", hour: number, stamp: number): string {
  return `rollup_due ${field}=${stamp} ${hour + HOUR - 1}\n`;
}

/** Rolls up the readings of one database. */
export class InfluxRollUps {
  readonly #connection: InfluxConnection;
  readonly #database: string;
  /** Since when everything is kept as it was written, ms since 1970. Earlier hours are never rolled up again. */
  since = -Infinity;

  constructor(connection: InfluxConnection, database: string) {
    this.#connection = connection;
    this.#database = database;
  }

  /** Rolls up what is due, the oldest first, save for hours that are still being written. */
  async rollUp(now: number): Promise<void> {
    for (const { hour, stamp } of await this.#due(-Infinity, now - HOUR - SETTLED)) {
      if (stamp > now - SETTLED) continue;
      const statements = ROLL_UPS.map((level) => this.#statement(hour, level));
      for await (const _ of this.#connection.query(statements, undefined, ROLL_UP_TIME));
      await this.#connection.write([Buffer.from(markLine("done", hour, stamp))], RAW_POLICY);
    }
  }

  /** A range as pieces that are rolled up and pieces that are not. */
  async pieces(from: number, to: number, signal?: AbortSignal): Promise<Piece[]> {
    const pieces: Piece[] = [];
    let place = from;
    for (const { hour } of await this.#due(from, to, signal)) {
      const start = Math.max(hour, from);
      const end = Math.min(hour + HOUR, to);
      const last = pieces.at(-1);
      if (start > place) pieces.push({ from: place, to: start, isRolledUp: true });
      if (last && !last.isRolledUp && start === place) last.to = end;
      else pieces.push({ from: start, to: end, isRolledUp: false });
      place = end;
    }
    if (place < to) pieces.push({ from: place, to, isRolledUp: true });
    return pieces.length > MAX_PIECES ? merged(pieces) : pieces;
  }

  /** Hours that are due and begin in a range, or into which it reaches, ascending. */
  async #due(from: number, to: number, signal?: AbortSignal): Promise<DueHour[]> {
    const source = [this.#database, RAW_POLICY, "rollup_due"].map(identifier).join(".");
    const range = within(Math.max(from, this.since), to + HOUR - 1);
    const due: DueHour[] = [];
    const statement = `SELECT "due"::field, "done"::field FROM ${source} WHERE ${range}`;
    for await (const { values } of this.#connection.query([statement], signal)) {
      for (const [time, stamp, done] of values) {
        if (stamp !== null && stamp !== done) due.push({ hour: Number(time) + 1 - HOUR, stamp: Number(stamp) });
      }
    }
    return due;
  }

  #statement(hour: number, level: Level): string {
    const functions = "count(*::field), sum(*::field), min(*::field), max(*::field), mean(*::field)";
    const target = [this.#database, ARCHIVE_POLICY, rollUpMeasurement(level)].map(identifier).join(".");
    const source = [this.#database, RAW_POLICY, "readings"].map(identifier).join(".");
    const groups = `time(${level}ms), "device"::tag, "location"::tag`;
    return `SELECT ${functions} INTO ${target} FROM ${source} WHERE ${within(hour, hour + HOUR)} GROUP BY ${groups} fill(none)`;
  }
}

/** Few pieces, of which the middle one is all that is between hours that are due: that is still there as it was written. */
function merged(pieces: Piece[]): Piece[] {
  const isDue = ({ isRolledUp }: Piece) => !isRolledUp;
  const first = pieces.findIndex(isDue);
  const last = pieces.findLastIndex(isDue);
  const middle = { from: pieces[first]?.from ?? 0, to: pieces[last]?.to ?? 0, isRolledUp: false };
  return [...pieces.slice(0, first), middle, ...pieces.slice(last + 1)];
}
