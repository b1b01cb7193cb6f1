/** Exponentially weighted mean and deviation. */

import type { Baseline, Comparison, ExponentialState } from "./baseline.ts";

/**
 * Mean and deviation in which a value's weight falls by `1 - 2 / (span + 1)` with each value after it. Equal to the
 * mean and the bias-corrected standard deviation of pandas `ewm(span, adjust=True, ignore_na=True)`, one value at a time
 * (West 1979, "Updating mean and variance estimates: an improved method").
 *
 * The mean is held as a sum of two doubles, so that 10⁹ ± 0.1 is as exact as 0 ± 0.1. An outlier fades, but never leaves.
 *
 * Cost: push and compare O(1), no arrays.
 */
export class ExponentialMoments implements Baseline {
  readonly #decay: number;
  #count = 0;
  #meanHigh = 0;
  #meanLow = 0;
  /** Sum of the weights. */
  #weight = 0;
  /** Sum of the products of each weight with each other one: squared sum of weights minus sum of squared weights. */
  #pairs = 0;
  /** Weighted sum of squared differences to the mean. */
  #squares = 0;

  /** @throws RangeError unless `span` is at least 2. */
  constructor(span: number) {
    if (!(span >= 2)) throw new RangeError("a span is at least 2");
    this.#decay = 1 - 2 / (span + 1);
  }

  /** Restores what `toJSON` gave; with another span, the new decay holds from now on. */
  static from(span: number, { count, mean, weight, pairs, squares }: ExponentialState): ExponentialMoments {
    const moments = new ExponentialMoments(span);
    moments.#count = count;
    [moments.#meanHigh, moments.#meanLow] = mean;
    moments.#weight = weight;
    moments.#pairs = pairs;
    moments.#squares = squares;
    return moments;
  }

  push(value: number): void {
    const difference = value - this.#meanHigh - this.#meanLow;
    const older = this.#decay * this.#weight;
    const weight = older + 1;
    this.#pairs = this.#decay * this.#decay * this.#pairs + 2 * older;
    this.#squares = this.#decay * this.#squares + difference * difference * (older / weight);
    this.#weight = weight;
    this.#count++;

    // Two-sum (Knuth): what the addition rounds off stays in the low part.
    const high = this.#meanHigh;
    const low = this.#meanLow + difference / weight;
    const sum = high + low;
    const added = sum - high;
    this.#meanHigh = sum;
    this.#meanLow = high - (sum - added) + (low - added);
  }

  compare(value: number, including: boolean, result: Comparison): void {
    let difference = value - this.#meanHigh - this.#meanLow;
    let count = this.#count;
    let low = this.#meanLow;
    let weight = this.#weight;
    let pairs = this.#pairs;
    let squares = this.#squares;
    if (including) {
      const older = this.#decay * weight;
      weight = older + 1;
      pairs = this.#decay * this.#decay * pairs + 2 * older;
      squares = this.#decay * squares + difference * difference * (older / weight);
      low += difference / weight;
      difference *= older / weight;
      count++;
    }
    result.count = count;
    result.expected = this.#meanHigh + low;
    result.difference = difference;
    result.deviation = count > 1 ? Math.sqrt(squares * (weight / pairs)) : 0;
  }

  toJSON(): ExponentialState {
    return {
      count: this.#count,
      mean: [this.#meanHigh, this.#meanLow],
      weight: this.#weight,
      pairs: this.#pairs,
      squares: this.#squares,
    };
  }
}
