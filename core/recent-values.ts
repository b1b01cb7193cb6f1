/** The newest values of one metric in a ring. What is derived from them lives in the classes that extend it. */

/** Ring of the newest `capacity` values, oldest first. */
export class RecentValues<Slots extends number[] | Float64Array> {
  readonly capacity: number;
  /** One array, sized once: the ring, and behind it what a subclass keeps. */
  protected readonly slots: Slots;
  /** Slot of the oldest value. */
  #oldest = 0;
  #count = 0;

  /** @throws RangeError unless `capacity` is an integer of at least 2, as a deviation needs two values. */
  constructor(capacity: number, slots: Slots) {
    if (!Number.isInteger(capacity) || capacity < 2) throw new RangeError("a window holds an integer of at least 2");
    this.capacity = capacity;
    this.slots = slots;
  }

  /** How many values the window holds now. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.capacity;
  }

  /** The value at `position`, 0 being the oldest. O(1). */
  at(position: number): number {
    const slot = this.#oldest + position;
    return this.slots[slot < this.capacity ? slot : slot - this.capacity] as number;
  }

  /** Takes in a value; the oldest one makes room for it when the window is full. O(1). */
  push(value: number): void {
    if (this.#count < this.capacity) {
      this.slots[this.#count++] = value;
      return;
    }
    this.slots[this.#oldest++] = value;
    if (this.#oldest === this.capacity) this.#oldest = 0;
  }

  /** The values, oldest first. O(capacity). */
  values(): number[] {
    return Array.from({ length: this.#count }, (_, position) => this.at(position));
  }
}
