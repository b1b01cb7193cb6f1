/** Median and median absolute deviation of a sliding window. */

import type { Baseline, Comparison, WindowState } from "./baseline.ts";
import { RecentValues } from "./recent-values.ts";
import { rankOf } from "./sorted-values.ts";

/** Makes the median absolute deviation of Gaussian data equal their standard deviation. */
const GAUSSIAN_CONSISTENCY = 1.4826;

/**
 * Median and 1.4826 × median absolute deviation of the newest `capacity` values, which it also keeps sorted. With an
 * even number of values, a median lies halfway between the middle two.
 *
 * Cost: push O(log capacity) comparisons and one memmove within the sorted values; compare O(log capacity);
 * 16 × capacity bytes.
 */
export class SortedWindow extends RecentValues<Float64Array> implements Baseline {
  /** @throws RangeError unless `capacity` is an integer of at least 2. */
  constructor(capacity: number) {
    super(capacity, new Float64Array(2 * capacity));
  }

  override push(value: number): void {
    const first = this.capacity;
    const gap = first + (this.isFull ? this.#rank(this.at(0)) : this.count);
    let place = first + this.#rank(value);
    if (place <= gap) {
      this.slots.copyWithin(place + 1, place, gap);
    } else {
      place--;
      this.slots.copyWithin(gap, gap + 1, place + 1);
    }
    this.slots[place] = value;
    super.push(value);
  }

  compare(value: number, including: boolean, result: Comparison): void {
    let count = this.count;
    let removed = count;
    let inserted = count;
    if (including) {
      inserted = this.#rank(value);
      if (this.isFull) {
        removed = this.#rank(this.at(0));
        if (removed < inserted) inserted--;
      } else {
        count++;
      }
    }
    const sorted = (rank: number) => this.#sorted(rank, removed, inserted, value);

    // The median is middle + half, and distances are taken from both parts: their sum would be rounded to its own size.
    const below = (count - 1) >> 1;
    const isEven = count % 2 === 0;
    const middle = sorted(below);
    const half = isEven ? (sorted(below + 1) - middle) / 2 : 0;
    const difference = (rank: number) => sorted(rank) - middle - half;

    // The values nearest to the median stand side by side: find where the nearest `below + 1` of them start.
    let start = 0;
    let end = count - 1 - below;
    while (start < end) {
      const candidate = (start + end) >> 1;
      if (-difference(candidate) > difference(candidate + below + 1)) start = candidate + 1;
      else end = candidate;
    }
    let spread = Math.max(Math.abs(difference(start)), Math.abs(difference(start + below)));
    if (isEven) {
      const before = start > 0 ? Math.abs(difference(start - 1)) : Infinity;
      const after = start + below + 1 < count ? Math.abs(difference(start + below + 1)) : Infinity;
      spread += (Math.min(before, after) - spread) / 2;
    }

    result.count = count;
    result.expected = middle + half;
    result.difference = value - middle - half;
    result.deviation = GAUSSIAN_CONSISTENCY * spread;
  }

  toJSON(): WindowState {
    return { values: this.values() };
  }

  /** How many of the sorted values are less than `value`. */
  #rank(value: number): number {
    return rankOf(this.slots, this.capacity, this.count, value);
  }

  /** The sorted value at `rank`, as if the one at rank `removed` were gone and `value` stood at rank `inserted`. */
  #sorted(rank: number, removed: number, inserted: number, value: number): number {
    if (rank === inserted) return value;
    const kept = rank < inserted ? rank : rank - 1;
    return this.slots[this.capacity + (kept < removed ? kept : kept + 1)] as number;
  }
}
