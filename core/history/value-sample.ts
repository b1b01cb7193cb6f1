/** Samples of many groups of values, in bounded memory, for what needs all values at once: quantiles and densities. */

/** Values that are kept of all groups together, in at most 32 MB. */
const MAX_TOTAL = 2_000_000;

/** Values that are kept of one group. */
const MAX_GROUP = 100_000;

/**
 * What is known of the values of one group, and a regular sample of them: all of them, or every second, every fourth, and so
 * on. It follows from the values and their order alone.
 */
export class ValueSample {
  /** How many values there were. */
  count = 0;
  min = Infinity;
  max = -Infinity;
  mean = 0;
  /** Sum of squared differences to the mean (Welford 1962). */
  #squares = 0;
  #values = new Float64Array(8);
  #kept = 0;
  #stride = 1;

  /** The sample deviation; null of less than two values. */
  get stdev(): number | null {
    const deviation = Math.sqrt(this.#squares / (this.count - 1));
    return this.count > 1 && Number.isFinite(deviation) ? deviation : null;
  }

  /** How many of them are kept. */
  get kept(): number {
    return this.#kept;
  }

  /** O(1) amortised. */
  push(value: number): void {
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const step = value - this.mean;
    const isKept = this.count++ % this.#stride === 0;
    this.mean += step / this.count;
    this.#squares += step * (value - this.mean);
    if (!isKept) return;
    if (this.#kept === this.#values.length) {
      const values = new Float64Array(2 * this.#kept);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[this.#kept++] = value;
  }

  /** Keeps every second value of those that are kept, and of those that come. */
  thin(): void {
    const values = this.#values;
    let kept = 0;
    for (let place = 0; place < this.#kept; place += 2) values[kept++] = values[place] as number;
    this.#kept = kept;
    this.#stride *= 2;
    this.#values = values.slice(0, Math.max(8, kept));
  }

  /** The values that are kept, ascending. O(n log n) */
  sorted(): Float64Array {
    return this.#values.slice(0, this.#kept).sort();
  }
}

/** Samples by group. All together never keep more than a bounded number of values: if need be, all groups keep fewer. */
export class ValueSamples {
  readonly #groups = new Map<string, ValueSample>();
  #largest = MAX_GROUP;
  #total = 0;

  get size(): number {
    return this.#groups.size;
  }

  get(group: string): ValueSample | undefined {
    return this.#groups.get(group);
  }

  /** Takes in those of the values from one place to before another that are numbers. A group without any is none. */
  push(group: string, values: ArrayLike<unknown>, begin = 0, end = values.length): void {
    let sample = this.#groups.get(group);
    for (let place = begin; place < end; place++) {
      const value = values[place];
      if (typeof value !== "number" || Number.isNaN(value)) continue;
      if (!sample) {
        sample = new ValueSample();
        this.#groups.set(group, sample);
      }
      const before = sample.kept;
      sample.push(value);
      this.#total += sample.kept - before;
      if (sample.kept > this.#largest) this.#thin(sample);
    }
    while (this.#total > MAX_TOTAL && this.#largest > 1) {
      this.#largest /= 2;
      for (const each of this.#groups.values()) while (each.kept > this.#largest) this.#thin(each);
    }
  }

  #thin(sample: ValueSample): void {
    const before = sample.kept;
    sample.thin();
    this.#total += sample.kept - before;
  }
}
