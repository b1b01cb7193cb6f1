/** Values in order of size. */

/** How many of the `count` sorted values from slot `first` on are less than `value`. O(log count). */
export function rankOf(sorted: Float64Array, first: number, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[first + middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Any number of values, kept sorted.
 *
 * Cost: add and remove O(log count) comparisons and one memmove; 8 to 16 bytes a value.
 */
export class SortedValues {
  #values = new Float64Array(8);
  #count = 0;

  /** With an even number of values it lies halfway between the middle two. There must be one. */
  get median(): number {
    const lower = this.#values[(this.#count - 1) >> 1] as number;
    const upper = this.#values[this.#count >> 1] as number;
    return lower + (upper - lower) / 2;
  }

  add(value: number): void {
    if (this.#count === this.#values.length) this.#resize(2 * this.#count);
    const place = rankOf(this.#values, 0, this.#count, value);
    this.#values.copyWithin(place + 1, place, this.#count++);
    this.#values[place] = value;
  }

  /** Removes one of the values that are equal to `value`, of which there must be one. */
  remove(value: number): void {
    const place = rankOf(this.#values, 0, this.#count, value);
    this.#values.copyWithin(place, place + 1, this.#count--);
    if (this.#count < this.#values.length >> 2) this.#resize(this.#values.length >> 1);
  }

  #resize(capacity: number): void {
    const values = new Float64Array(capacity);
    values.set(this.#values.subarray(0, this.#count));
    this.#values = values;
  }
}
