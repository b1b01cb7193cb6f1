/** How regularly a device sends a metric, by its latest 16 readings: a bit each, set if the reading had the metric. */

const BITS = 16;

/** As if all readings had had it: what is assumed of a metric that is new. */
export const ALWAYS_PRESENT = 2 ** BITS - 1;

/** The presence after one more reading. */
export function withReading(presence: number, isPresent: boolean): number {
  return ((presence << 1) | Number(isPresent)) & ALWAYS_PRESENT;
}

/** True if at least half of the readings had the metric. */
export function isUsual(presence: number): boolean {
  let count = 0;
  for (let bits = presence; bits > 0; bits &= bits - 1) count++;
  return count >= BITS / 2;
}
