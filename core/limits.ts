/** Bounds on foreign input, so that it can't fill the memory. */
import type { MetricFilter } from "./names.ts";
import type { Metrics } from "./types.ts";

/** Metrics of one device: more than any device has. */
export const MAX_METRICS = 1000;

/** Characters in the name of a device or a metric. */
export const MAX_NAME_LENGTH = 256;

/**
 * Makes sure that a device keeps at most MAX_METRICS metrics when those of a reading join the `known` ones.
 *
 * @throws RangeError when there would be more
 */
export function requireRoom(known: ReadonlyMap<string, unknown>, metrics: Metrics, accepts?: MetricFilter): void {
  let most = known.size;
  for (const _ in metrics) most++;
  if (most <= MAX_METRICS) return;
  let count = known.size;
  for (const name in metrics) if (!known.has(name) && (!accepts || accepts(name))) count++;
  if (count > MAX_METRICS) {
    throw new RangeError(`the device would have ${count} metrics, at most ${MAX_METRICS} are kept`);
  }
}
