/** Stored points as readings again, for nodes that are to learn from the past. */
import type { Quality, Reading } from "../types.ts";
import type { Chunk, FieldValue } from "./types.ts";

/** The text field that tells a reading's quality, where that is not good. */
export const QUALITY = "_quality";

const QUALITIES: readonly Quality[] = ["good", "stale", "bad"];

/** The readings of a chunk of the measurement `readings`, in its order; instants without a number are none. */
export function readingsOf({ tags, times, fields, values }: Chunk): Reading[] {
  const { device: deviceId = "", location } = tags;
  return times.flatMap((timestamp, row): Reading[] => {
    const cells = fields.map((field, place): [string, FieldValue | null] => [field, values[place]?.[row] ?? null]);
    const metrics = cells.filter((cell): cell is [string, number] => typeof cell[1] === "number");
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
