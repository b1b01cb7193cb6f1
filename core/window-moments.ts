/** Mean and deviation of a sliding window. */

import type { Baseline, Comparison, WindowState } from "./baseline.ts";
import { RecentValues } from "./recent-values.ts";

/**
 * Mean and sample deviation (n − 1) of the newest `capacity` values.
 *
 * Nothing is ever subtracted from a sum, so no error builds up and an outlier leaves no trace: the window is split into
 * newer values, summed up as they come, and older ones, for which the moments of every suffix are worked out in advance
 * (two-stack queue: Tangwongsan, Hirzel, Schneider 2017, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant
 * Time"). Both are merged after Chan, Golub, LeVeque 1983. When the older values run out, the newer ones take their place.
 *
 * All sums are of differences to an anchor, the newest value at the split, which is always in the window, with and
 * without the next value: so 10⁹ ± 0.1 is as exact as 0 ± 0.1.
 *
 * Cost: push O(1) amortised (1.5 steps), O(capacity) at a split; compare O(1); 16 × capacity bytes.
 */
export class WindowMoments extends RecentValues<number[]> implements Baseline {
  /** How many of the values are newer than the anchor, or all of them before the window is full. */
  #newer = 0;
  #anchor = 0;
  /** Mean of the newer values minus the anchor. */
  #mean = 0;
  /** Sum of their squared differences to their mean. */
  #squares = 0;

  /** @throws RangeError unless `capacity` is an integer of at least 2. */
  constructor(capacity: number) {
    // In such an array the engine keeps plain doubles; a typed one takes 200 bytes more.
    super(capacity, new Array<number>(capacity + 2 * (half(capacity) + 1)).fill(Number.NaN));
  }

  /**
   * Restores what `toJSON` gave. Goes on bit for bit as the original would when the capacity is the same; takes the
   * newest values that fit when it is not.
   */
  static from(capacity: number, { values, newer }: WindowState): WindowMoments {
    const window = new WindowMoments(capacity);
    for (const value of values.slice(-capacity)) window.push(value);
    if (newer !== undefined && values.length === capacity) window.#split(newer);
    return window;
  }

  override push(value: number): void {
    if (this.count === 0) this.#anchor = value;
    super.push(value);
    this.#add(value);
    if (!this.isFull) return;
    if (this.#newer >= this.capacity - 1) this.#split(0);
    else if (this.#newer === half(this.capacity)) this.#sumSuffixes();
  }

  compare(value: number, including: boolean, result: Comparison): void {
    const difference = value - this.#anchor;
    let newer = this.#newer;
    let older = this.count - newer;
    let mean = this.#mean;
    let squares = this.#squares;
    if (including) {
      if (older > 0) older--;
      newer++;
      const step = difference - mean;
      mean += step / newer;
      squares += step * (difference - mean);
    }
    const count = older + newer;
    if (older > 0) {
      const slot = this.#suffixSlot(older);
      const gap = (this.slots[slot] as number) - mean;
      mean += (gap * older) / count;
      squares += (this.slots[slot + 1] as number) + gap * gap * ((older * newer) / count);
    }
    result.count = count;
    result.expected = this.#anchor + mean;
    result.difference = difference - mean;
    result.deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : 0;
  }

  toJSON(): WindowState {
    return this.isFull ? { values: this.values(), newer: this.#newer } : { values: this.values() };
  }

  #add(value: number): void {
    const step = value - this.#anchor - this.#mean;
    this.#mean += step / ++this.#newer;
    this.#squares += step * (value - this.#anchor - this.#mean);
  }

  /** Splits the full window anew, `newer` of its values being the newer ones. */
  #split(newer: number): void {
    const older = this.capacity - newer;
    this.#anchor = this.at(older - 1);
    this.#newer = 0;
    this.#mean = 0;
    this.#squares = 0;
    for (let position = older; position < this.capacity; position++) this.#add(this.at(position));
    this.#sumSuffixes();
  }

  /**
   * Works out mean and squares of the 1, 2, 3… newest of the older values. Only half of these suffixes have slots: the
   * long ones are needed until half of the older values have left, the short ones from then on.
   */
  #sumSuffixes(): void {
    const older = this.capacity - this.#newer;
    let mean = 0;
    let squares = 0;
    for (let count = 1; count <= older; count++) {
      const difference = this.at(older - count) - this.#anchor;
      const step = difference - mean;
      mean += step / count;
      squares += step * (difference - mean);
      const slot = this.#suffixSlot(count);
      this.slots[slot] = mean;
      this.slots[slot + 1] = squares;
    }
  }

  /** Slot of the mean of the `count` newest of the older values, before that of their squares. */
  #suffixSlot(count: number): number {
    const suffixes = half(this.capacity) + 1;
    return this.capacity + 2 * (count < suffixes ? count : count - suffixes);
  }
}

function half(capacity: number): number {
  return capacity >> 1;
}
