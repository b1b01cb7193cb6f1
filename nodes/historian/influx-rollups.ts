/** Which hours of readings and verdicts in an InfluxDB are to be rolled up, and how that is done by the server itself. */
import { FIVE_MINUTES, HOUR, type Level, ROLLED_UP_MEASUREMENTS } from "../../core/history/levels.ts";
import { type Measurement, TAGS } from "../../core/history/types.ts";
import { type InfluxConnection, ROLL_UP_TIME } from "./influx-connection.ts";
import { ARCHIVE_POLICY, RAW_POLICY } from "./influx-policies.ts";
import { identifier, within } from "./influxql.ts";

/** How long an hour is left alone after a write, ms: longer than a write takes that has been given up here. */
const SETTLED = 15_000;

/** Pieces of a range that are asked one by one. */
const MAX_PIECES = 32;

/** Hours that are rolled up at a time. */
const MAX_RUN = 24;

/** Levels of roll-up. */
export const ROLL_UPS = [FIVE_MINUTES, HOUR] as const;

/** What is rolled up of a measurement, as InfluxQL selects fields, and the tags that it keeps. */
const SOURCES = {
  readings: { fields: "*::field", tags: ["device", "location"] },
  // The expression passes over a text of this name.
  verdicts: { fields: "/^isAnomaly$/", tags: TAGS },
} as const;

type RolledUpMeasurement = keyof typeof SOURCES;

/** The field of a mark that tells up to which stamp a measurement is rolled up. */
const DONE = { readings: "done", verdicts: "done_verdicts" } as const satisfies Record<RolledUpMeasurement, string>;

const NAMES = ROLLED_UP_MEASUREMENTS.map((name) => Buffer.from(name));
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

/** An hour that has been written to. `stamp` is different for each write to it, and close to the time of the write. */
interface MarkedHour {
  hour: number;
  stamp: number;
  /** The stamps up to which it is rolled up. */
  done: Partial<Record<Measurement, unknown>>;
}

/** The measurement of a level of roll-up. Its fields are those of the other with `count_`, `sum_` and so on before them. */
export function rollUpMeasurement(measurement: Measurement, level: Level): string {
  return `${measurement}_${level === HOUR ? "1h" : "5m"}`;
}

/**
 * Lines that mark the hours of the readings and verdicts among these lines as due, to be written with them. Cost: O(lines).
 *
 * A mark is a point of `rollup_due` at the last ms of its hour, so that it outlives its readings and lies in their shard.
 * A write sets its field `due` to a new stamp; whoever has rolled the hour up sets `done` (and for verdicts,
 * `done_verdicts`) to the stamp that was there before. So a write in between leaves the two different, and the hour due.
 */
export function marksOf(lines: Uint8Array, now: number): Uint8Array {
  const hours = new Set<number>();
  const stamp = now + Math.random();
  const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
  let last = Number.NaN;
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed < 0 ? bytes.length : feed;
    if (NAMES.some((name) => isOf(name, bytes, start))) {
      const hour = Math.floor(timestampBefore(bytes, end) / HOUR);
      if (hour !== last) hours.add(hour);
      last = hour;
    }
    start = end + 1;
  }
  return Buffer.from([...hours].map((hour) => markLine(`due=${stamp}`, hour * HOUR)).join(""));
}

/** True if a line that begins here is of the measurement with this name. Of so few bytes, `compare` takes longer. */
function isOf(name: Buffer, bytes: Buffer, start: number): boolean {
  for (let place = 0; place < name.length; place++) if (bytes[start + place] !== name[place]) return false;
  const next = bytes[start + name.length];
  return next === COMMA || next === SPACE;
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

function markLine(fields: string, hour: number): string {
  return `rollup_due ${fields} ${hour + HOUR - 1}\n`;
}

/** Rolls up the readings and verdicts of one database. */
export class InfluxRollUps {
  readonly #connection: InfluxConnection;
  readonly #database: string;
  /** Since when everything is kept as it was written, ms since 1970. Earlier hours are never rolled up again. */
  since = -Infinity;

  constructor(connection: InfluxConnection, database: string) {
    this.#connection = connection;
    this.#database = database;
  }

  /** Rolls up what is due of each measurement, the oldest first, save for hours that are still being written. */
  async rollUp(now: number): Promise<void> {
    const marks = await this.#marks(-Infinity, now - HOUR - SETTLED);
    for (const measurement of ROLLED_UP_MEASUREMENTS) {
      const due = marks.filter(({ stamp, done }) => stamp <= now - SETTLED && done[measurement] !== stamp);
      for (const run of runsOf(due)) {
        const [from, to] = [run[0]?.hour ?? 0, (run.at(-1)?.hour ?? 0) + HOUR];
        const statements = ROLL_UPS.map((level) => this.#statement(measurement, from, to, level));
        for await (const _ of this.#connection.query(statements, undefined, ROLL_UP_TIME));
        const done = run.map(({ hour, stamp }) => markLine(`${DONE[measurement]}=${stamp}`, hour));
        await this.#connection.write([Buffer.from(done.join(""))], RAW_POLICY);
      }
    }
  }

  /** A range of a measurement as pieces that are rolled up and pieces that are not. */
  async pieces(measurement: Measurement, from: number, to: number, signal?: AbortSignal): Promise<Piece[]> {
    const pieces: Piece[] = [];
    let place = from;
    for (const { hour, stamp, done } of await this.#marks(from, to, signal)) {
      if (done[measurement] === stamp) continue;
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

  /** Hours that have been written to and begin in a range, or into which it reaches, ascending. */
  async #marks(from: number, to: number, signal?: AbortSignal): Promise<MarkedHour[]> {
    const source = [this.#database, RAW_POLICY, "rollup_due"].map(identifier).join(".");
    const range = within(Math.max(from, this.since), to + HOUR - 1);
    const marks: MarkedHour[] = [];
    const fields = ["due", ...ROLLED_UP_MEASUREMENTS.map((measurement) => DONE[measurement])];
    const statement = `SELECT ${fields.map((name) => `${identifier(name)}::field`)} FROM ${source} WHERE ${range}`;
    for await (const { values } of this.#connection.query([statement], signal)) {
      for (const [time, stamp, readings, verdicts] of values) {
        if (stamp === null) continue;
        marks.push({ hour: Number(time) + 1 - HOUR, stamp: Number(stamp), done: { readings, verdicts } });
      }
    }
    return marks;
  }

  #statement(measurement: RolledUpMeasurement, from: number, to: number, level: Level): string {
    const { fields, tags } = SOURCES[measurement];
    const functions = ["count", "sum", "min", "max", "mean"].map((name) => `${name}(${fields})`);
    const target = [this.#database, ARCHIVE_POLICY, rollUpMeasurement(measurement, level)].map(identifier).join(".");
    const source = [this.#database, RAW_POLICY, measurement].map(identifier).join(".");
    const groups = [`time(${level}ms)`, ...tags.map((tag) => `${identifier(tag)}::tag`)];
    return `SELECT ${functions} INTO ${target} FROM ${source} WHERE ${within(from, to)} GROUP BY ${groups} fill(none)`;
  }
}

/** Hours as runs of such as follow each other, each of at most MAX_RUN: one statement costs the server less than many. */
function runsOf(hours: readonly MarkedHour[]): MarkedHour[][] {
  const runs: MarkedHour[][] = [];
  for (const each of hours) {
    const last = runs.at(-1);
    if (last && last.length < MAX_RUN && last.at(-1)?.hour === each.hour - HOUR) last.push(each);
    else runs.push([each]);
  }
  return runs;
}

/** Few pieces, of which the middle one is all that is between hours that are due: that is still there as it was written. */
function merged(pieces: Piece[]): Piece[] {
  const isDue = ({ isRolledUp }: Piece) => !isRolledUp;
  const first = pieces.findIndex(isDue);
  const last = pieces.findLastIndex(isDue);
  const middle = { from: pieces[first]?.from ?? 0, to: pieces[last]?.to ?? 0, isRolledUp: false };
  return [...pieces.slice(0, first), middle, ...pieces.slice(last + 1)];
}
