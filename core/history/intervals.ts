/** When a question of history begins and ends, and how its time is cut into intervals. Times in ms since 1970. */
import { parseTimestamp } from "../timestamp.ts";
import { calendarOf } from "../windows/calendar.ts";
import { FIVE_MINUTES, HOUR } from "./levels.ts";
import type { Aggregate, AggregateFunction } from "./types.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

const UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", SECOND],
  ["m", MINUTE],
  ["h", HOUR],
  ["d", DAY],
  ["w", WEEK],
]);

/** Lengths that people count in, which divide the next longer ones that a roll-up may have. */
const USUAL = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  DAY,
];

/** Intervals of a time zone that one question is cut into at most. */
const MAX_CALENDAR_INTERVALS = 20_000;

/** A while; `from` is included, `to` is not. */
export interface Range {
  from: number;
  to: number;
}

/**
 * Reads a length: a number with `ms`, `s`, `m`, `h`, `d` or `w` behind it, such as `5m` or `1.5h`; without, it is ms.
 *
 * @returns ms, at least 1, or undefined if it is none
 */
export function parseLength(text: string): number | undefined {
  const [, number, unit = "ms"] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?$/.exec(text.trim()) ?? [];
  const length = Math.round(Number(number) * (UNITS.get(unit) ?? 1));
  return length >= 1 && Number.isSafeInteger(length) ? length : undefined;
}

/** Reads an instant: `now`, ISO text, which is UTC without a zone, or ms; undefined if it is none. */
export function parseInstant(value: unknown, now: number): number | undefined {
  return value === "now" ? now : parseTimestamp(value, typeof value === "number" ? "ms" : "auto");
}

/**
 * Reads a range: a length such as `24h`, which ends now; or, after ISO 8601, begin and end with `/` between them, one of
 * which may be a length: `2026-03-01/2026-03-08`, `2026-03-01T06:00Z/8h`, `7d/now`.
 *
 * @throws RangeError when it is none, or ends before it begins
 */
export function parseRange(text: string, now: number): Range {
  const parts = text.split("/").map((part) => part.trim());
  const [first = "", second = "now"] = parts;
  const end = parseInstant(second, now);
  const begin = parseInstant(/^\d+$/.test(first) && parts.length === 1 ? undefined : first, now);
  const from = begin ?? (end === undefined ? undefined : end - (parseLength(first) ?? Number.NaN));
  const to = end ?? (begin === undefined ? undefined : begin + (parseLength(second) ?? Number.NaN));
  if (parts.length > 2 || from === undefined || to === undefined || Number.isNaN(from + to)) {
    throw new RangeError(`range: must be a length such as 24h, or two times such as 2026-03-01/2026-03-08T12:00Z`);
  }
  return checkedRange(Math.max(0, from), to);
}

/** @throws RangeError when it ends before it begins */
export function checkedRange(from: number, to: number): Range {
  if (from < to) return { from, to };
  throw new RangeError(`range: ends at ${isoOf(to)}, which is not after its begin at ${isoOf(from)}`);
}

/** The shortest usual interval of which at most `maxPoints` make up a length, ms. */
export function usualInterval(length: number, maxPoints: number): number {
  const least = length / maxPoints;
  return USUAL.find((interval) => interval >= least) ?? WEEK * Math.ceil(least / WEEK);
}

/** How the time of a question is cut. */
export interface IntervalPlan extends Range {
  /** Length of the intervals that a store is to be asked for, which are aligned to 1970. */
  every: number;
  /** Where the intervals of the answer begin, and last where the last one ends, if they are others than the store's. */
  starts?: number[];
}

/**
 * Plans intervals of a length in ms that hold a range, which grows to whole ones. Those of whole days or weeks begin at
 * midnight of the time zone, so that a day has 23 or 25 hours when its clocks are changed, weeks on a Monday; shorter
 * ones as in calendar.ts.
 *
 * @throws RangeError when there is no such time zone, or when there are too many days
 */
export function planIntervals({ from, to }: Range, length: number, timeZone: string): IntervalPlan {
  const calendar = calendarOf(length, timeZone);
  const first = calendar.indexOf(from);
  const last = calendar.indexOf(to - 1);
  const begin = calendar.startOf(first);
  const end = calendar.startOf(last + 1);
  const isAligned = (time: number) => time % length === 0;
  // Only days may be of different length; UTC has none such.
  if (isAligned(begin) && isAligned(end) && (length % DAY !== 0 || timeZone === "UTC")) {
    return { from: begin, to: end, every: length };
  }
  if (last - first >= MAX_CALENDAR_INTERVALS) {
    throw new RangeError(`every: gives more than ${MAX_CALENDAR_INTERVALS} intervals: choose a longer one`);
  }
  const starts = Array.from({ length: last - first + 2 }, (_, index) => calendar.startOf(first + index));
  const every = starts.reduce(greatestDivisor, length % DAY === 0 ? HOUR : length);
  return { from: begin, to: end, every, starts };
}

/**
 * A range as one interval, which grows to whole 5 minutes, and from a day on to whole hours: so roll-ups hold all of it.
 */
export function wholeRange({ from, to }: Range): Range {
  const grain = to - from < DAY ? FIVE_MINUTES : HOUR;
  return { from: Math.floor(from / grain) * grain, to: Math.ceil(to / grain) * grain };
}

function greatestDivisor(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/** The functions that are needed of shorter intervals, to have these of longer ones. */
export function neededFunctions(functions: readonly AggregateFunction[]): AggregateFunction[] {
  const needed = new Set(functions);
  if (needed.has("stdev")) needed.add("mean");
  if (needed.has("mean")) needed.add("count");
  return [...needed];
}

/**
 * Puts intervals together to longer ones, which begin and end at `starts`. Exact, deviations too (Chan,
 * Golub, LeVeque 1983). Cost: linear in the number of intervals.
 *
 * @param aggregates of neededFunctions(functions), none outside of `starts`
 */
export function combineIntervals(
  aggregates: readonly Aggregate[],
  starts: readonly number[],
  functions: readonly AggregateFunction[],
): Aggregate[] {
  return aggregates.map((aggregate) => combineOne(aggregate, starts, functions));
}

function combineOne(
  { tags, field, times, columns }: Aggregate,
  starts: readonly number[],
  functions: readonly AggregateFunction[],
): Aggregate {
  const result: Aggregate = { tags, field, times: [], columns: {} };
  const into = functions.map((name) => ({ name, column: [] as (number | null)[] }));
  for (const { name, column } of into) result.columns[name] = column;
  let place = 0;
  for (let first = 0; first < times.length; ) {
    while ((times[first] as number) >= (starts[place + 1] as number)) place++;
    let end = first + 1;
    while (end < times.length && (times[end] as number) < (starts[place + 1] as number)) end++;
    result.times.push(starts[place] as number);
    for (const { name, column } of into) column.push(combined(name, columns, first, end));
    first = end;
  }
  return result;
}

function combined(name: AggregateFunction, columns: Aggregate["columns"], first: number, end: number): number | null {
  const own = columns[name]?.slice(first, end) ?? [];
  const numbers = own.filter((each) => each !== null);
  if (name === "mean" || name === "stdev") return meanOrDeviation(name, columns, first, end);
  if (numbers.length === 0) return null;
  if (name === "min") return numbers.reduce((a, b) => Math.min(a, b));
  if (name === "max") return numbers.reduce((a, b) => Math.max(a, b));
  if (name === "first") return numbers[0] ?? null;
  if (name === "last") return numbers.at(-1) ?? null;
  return numbers.reduce((a, b) => a + b);
}

function meanOrDeviation(
  name: "mean" | "stdev",
  columns: Aggregate["columns"],
  first: number,
  end: number,
): number | null {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (let place = first; place < end; place++) {
    const added = columns.count?.[place] ?? 0;
    const centre = columns.mean?.[place];
    if (added === 0 || centre === null || centre === undefined) continue;
    const gap = centre - mean;
    const total = count + added;
    if (name === "stdev") {
      // Of one value there is no deviation; of several it is missing where they were rolled up.
      const deviation = added === 1 ? 0 : (columns.stdev?.[place] ?? Number.NaN);
      squares += deviation * deviation * (added - 1) + (gap * gap * count * added) / total;
    }
    mean += (gap * added) / total;
    count = total;
  }
  const value = name === "mean" ? mean : Math.sqrt(squares / (count - 1));
  return count > (name === "mean" ? 0 : 1) && Number.isFinite(value) ? value : null;
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}
