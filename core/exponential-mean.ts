/** Mean in which newer values weigh more. */

/** The mean and the sum of the weights; if these fade by time, also the time as of which they count, ms since 1970. */
export type ExponentialMeanState = [mean: number, weight: number, time?: number];

/**
 * Mean in which a value's weight fades: with each value after it, or with the time since it was measured.
 *
 * By values, each weight falls by the factor `1 - 2 / (span + 1)`: pandas `ewm(span=span, adjust=True).mean()`. By time,
 * it falls by e in `span` ms: pandas `ewm(halflife=span × ln 2, times=…).mean()`; a value that comes late weighs what it
 * would weigh by now. Rounding errors fade with the values.
 *
 * Cost: O(1).
 */
export class ExponentialMean {
  readonly #span: number;
  readonly #isTimed: boolean;
  #mean = 0;
  #weight = 0;
  #time = 0;

  constructor(span: number, isTimed: boolean) {
    this.#span = span;
    this.#isTimed = isTimed;
  }

  /** Restores what `toJSON` gave, of the same kind; with another span, the new one holds from now on. */
  static from(span: number, isTimed: boolean, [mean, weight, time = 0]: ExponentialMeanState): ExponentialMean {
    const restored = new ExponentialMean(span, isTimed);
    restored.#mean = mean;
    restored.#weight = weight;
    restored.#time = time;
    return restored;
  }

  /** The mean of all values; 0 without any. */
  get mean(): number {
    return this.#mean;
  }

  /** @param time ms since 1970 */
  push(value: number, time: number): void {
    let weight = 1;
    if (!this.#isTimed) {
      this.#weight *= 1 - 2 / (this.#span + 1);
    } else if (time >= this.#time) {
      this.#weight *= Math.exp((this.#time - time) / this.#span);
      this.#time = time;
    } else {
      weight = Math.exp((time - this.#time) / this.#span);
    }
    this.#weight += weight;
    this.#mean += (value - this.#mean) * (weight / this.#weight);
  }

  toJSON(): ExponentialMeanState {
    return this.#isTimed ? [this.#mean, this.#weight, this.#time] : [this.#mean, this.#weight];
  }
}
