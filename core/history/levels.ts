/**
 * Levels of what is kept of readings and anomalies: as written, and rolled up. Which one answers a question, and how long
 * each is kept.
 */
import type { AggregateFunction, AggregateQuery, Measurement } from "./types.ts";

/** What was written, with no roll-up. */
export const RAW = 0;
/** Lengths of the buckets that readings are rolled up to, ms. Buckets are aligned to 1970. */
export const FIVE_MINUTES = 300_000;
export const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Length of a level's buckets, ms; RAW for what was written. */
export type Level = typeof RAW | typeof FIVE_MINUTES | typeof HOUR;

/** Levels of roll-up, the coarsest first. */
const ROLL_UPS = [HOUR, FIVE_MINUTES] as const;

/** What a roll-up keeps: count, sum, least and greatest value, and so the mean. */
const ROLLED_UP: ReadonlySet<AggregateFunction> = new Set(["count", "mean", "min", "max", "sum"]);

/** Measurements of which something is rolled up. */
export const ROLLED_UP_MEASUREMENTS = ["readings", "verdicts"] as const satisfies Measurement[];

/** Of verdicts, what pages count over weeks. */
const ROLLED_UP_VERDICT = "isAnomaly";

/** True if the numbers of a field are rolled up: all of readings, and of verdicts whether they call an anomaly. */
export function isRolledUp(measurement: Measurement, field: string): boolean {
  return measurement === "readings" || (measurement === "verdicts" && field === ROLLED_UP_VERDICT);
}

/**
 * The coarsest level that gives the exact answer. A question that reaches before `rawSince` is answered from a roll-up
 * whatever it asks: `stdev`, `first` and `last` are `null` then, and a bucket counts for the interval of its beginning.
 *
 * Only numbers are rolled up: texts come from what was written at any level.
 *
 * @param rawSince since when everything is kept as it was written, ms since 1970
 */
export function levelFor(query: AggregateQuery, rawSince: number): Level {
  const { measurement, fields, from, to, every = 0 } = query;
  if (measurement !== "readings" && !fields?.every((field) => isRolledUp(measurement, field))) return RAW;
  const aligned = ROLL_UPS.find((level) => from % level === 0 && to % level === 0 && every % level === 0);
  if (aligned && query.functions.every((name) => ROLLED_UP.has(name))) return aligned;
  return from < rawSince ? (aligned ?? FIVE_MINUTES) : RAW;
}

/** Since when something that is kept for `days` is there, ms since 1970; 0 days are for ever. */
export function keptSince(days: number, now: number): number {
  return days > 0 ? now - days * DAY : -Infinity;
}

/** Since when roll-ups are there, ms since 1970: at least as long as what they were made from, so that they are complete. */
export function archiveSince(retentionDays: number, archiveDays: number, now: number): number {
  return Math.min(keptSince(retentionDays, now), keptSince(archiveDays, now));
}
