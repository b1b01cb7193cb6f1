/** Stored points as readings again, for nodes that are to learn from the past. */
import type { Quality, Reading } from "../types.ts";
import type { Chunk, FieldValue } from "./types.ts";

/** The text field that tells a reading's quality, where that is not good. */
export const QUALITY = "_quality";

/** What the fields of a bad reading begin with: no mean, minimum or statistic of a metric is to hold its values. */
export const BAD = "_bad";

/** Whether a field holds bad values of a metric. */
export function isBadField(field: string): boolean {
  return field.startsWith(`${BAD}.`);
}

/** All fields that tell of the values of metrics, good or not. */
export function readingFields(metrics: readonly string[]): string[] {
  return [...metrics, ...metrics.map((metric) => `${BAD}.${metric}`), QUALITY];
}

const QUALITIES: readonly Quality[] = ["good", "stale", "bad"];

/** The readings of a chunk of the measurement `readings`, in its order; instants without a number are none. */
export function readingsOf({ tags, times, fields, values }: Chunk): Reading[] {
  const { device: deviceId = "", location } = tags;
  return times.flatMap((timestamp, row): Reading[] => {
    const cells = fields.map((field, place): [string, FieldValue | null] => [field, values[place]?.[row] ?? null]);
    const metrics = cells.flatMap(([field, value]): [string, number][] => {
      if (typeof value !== "number") return [];
      return [[isBadField(field) ? field.slice(BAD.length + 1) : field, value]];
    });
    const stored = cells.find(([field]) => field === QUALITY)?.[1];
    const quality = QUALITIES.find((each) => each === stored);
    if (metrics.length === 0) return [];
    return [
      {
        deviceId,
        timestamp,
        metrics: Object.fromEntries(metrics),
        ...(location && { tags: { location } }),
        ...(quality && { quality }),
      },
    ];
  });
}
