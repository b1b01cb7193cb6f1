/** The last readings of each device, for nodes that are to know the past when they start. */
import { readingFields, readingsOf } from "../../core/history/readings.ts";
import type { Reading } from "../../core/types.ts";
import type { Historian } from "../lib/historian.ts";
import type { HistoryQuery } from "./query.ts";
import { selectionOf } from "./selection.ts";

/** Readings in one message. */
const BATCH = 1000;

/**
 * The last readings of each device within the range, device after device, each in the order of time; in batches, of which
 * each is in the order of time.
 *
 * Memory: one batch, and the readings of one device.
 */
export async function* lastReadings(
  historian: Historian,
  query: HistoryQuery,
  signal: AbortSignal,
): AsyncGenerator<Reading[]> {
  const { readingsPerDevice: count } = query;
  const selection = await selectionOf(historian, query);
  if (!selection) return;
  let own: Reading[] = [];
  let batch: Reading[] = [];
  const fields = readingFields(selection.fields);
  const options = { newestFirst: true, limitPerSeries: count, signal };
  for await (const chunk of historian.rows({ ...selection, fields }, options)) {
    const readings = readingsOf(chunk);
    // A device that was moved is in several chunks, one for each location.
    if (own[0] && own[0].deviceId !== chunk.tags.device) {
      batch.push(...newest(own, count));
      own = [];
    }
    own = newest([...own, ...readings], count);
    while (batch.length >= BATCH) yield inOrder(batch.splice(0, BATCH));
  }
  batch = [...batch, ...own];
  while (batch.length > 0) yield inOrder(batch.splice(0, BATCH));
}

/** The newest of some readings of one device, the oldest first. */
function newest(readings: Reading[], count: number): Reading[] {
  return inOrder(readings).slice(-count);
}

function inOrder(readings: Reading[]): Reading[] {
  return readings.sort((a, b) => a.timestamp - b.timestamp);
}
