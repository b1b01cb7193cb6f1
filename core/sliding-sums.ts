/** The sums of a sliding window, from which any number of values may leave at a time. */

import { ANCHOR, ANCHOR_TIME, addToSums, mergeSums, type SumPlan } from "./sums.ts";

/** What a sliding window keeps. One plan serves any number of windows. */
export interface WindowPlan {
  readonly sums: SumPlan;
  readonly keepsTimes: boolean;
  /** How many values the window holds at most. */
  readonly limit: number;
}

/** Slot of the newer sums, behind the anchor. */
const NEWER = 2;

/** Values that a window has room for at least, unless its limit is lower. */
const INITIAL_CAPACITY = 8;

/**
 * A queue of values, the oldest first, and the sums of all of them.
 *
 * Nothing is ever subtracted from a sum, so no error builds up and an outlier leaves no trace: the window is split into
 * newer values, summed up as they come, and older ones, for which the sums of every suffix are worked out in advance
 * (two-stack queue: Tangwongsan, Hirzel, Schneider 2017, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant
 * Time"). When the older values have left, the newer ones take their place. Of n suffixes some 2√n are kept: every
 * √n-th, and those that are needed next, up to √n of them.
 *
 * The anchor is the newest of the older values, or the first value as long as none has left: always one in the window.
 *
 * Cost: O(1) amortised a value, which is summed up three times; O(count) at a split. 8 bytes a value, 16 with its time.
 */
export class SlidingSums<Plan extends WindowPlan> {
  protected readonly plan: Plan;
  /** All in one array: anchor, newer sums, the ring of values, that of their times, the sums of suffixes. */
  #slots: number[];
  #capacity: number;
  /** Place of the oldest value in the ring. */
  #start = 0;
  #count = 0;
  /** How many of the values are the older ones. */
  #older = 0;
  /** Length of a suffix of whole blocks. All longer ones are kept, by their length from the first slot on. */
  #base = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#capacity = Math.min(INITIAL_CAPACITY, plan.limit);
    this.#slots = this.#room();
  }

  get count(): number {
    return this.#count;
  }

  /** How many of the values are the older ones. */
  get older(): number {
    return this.#older;
  }

  /** What is to be added to a mean of differences. */
  get anchor(): number {
    return this.#slots[ANCHOR] as number;
  }

  /** The value at `position`, 0 being the oldest. */
  at(position: number): number {
    return this.#slots[this.#slot(position)] as number;
  }

  /** The time of the value at `position`. */
  timeAt(position: number): number {
    return this.#slots[this.#slot(position) + this.#capacity] as number;
  }

  /** All values, the oldest first. */
  values(): number[] {
    return Array.from({ length: this.#count }, (_, position) => this.at(position));
  }

  /** The times of all values; none if the plan keeps none. */
  times(): number[] {
    return Array.from({ length: this.plan.keepsTimes ? this.#count : 0 }, (_, position) => this.timeAt(position));
  }

  /** Takes in a value. There must be fewer than the plan's `limit`. */
  add(value: number, time: number): void {
    if (this.#count === this.#capacity) this.#resize(Math.min(2 * this.#capacity, this.plan.limit));
    const slot = this.#slot(this.#count++);
    this.#put(slot, value, time);
    if (this.#count === 1) this.#setAnchor(slot);
    this.#sumUpNewer(slot, this.#count - 1 - this.#older);
  }

  /** Lets the `leaving` oldest values go, at least one and at most all of them. */
  drop(leaving: number): void {
    this.#count -= leaving;
    this.#start += leaving;
    if (this.#start >= this.#capacity) this.#start -= this.#capacity;
    const isSplit = leaving >= this.#older;
    this.#older = isSplit ? this.#count : this.#older - leaving;
    if (this.#count < this.#capacity >> 2 && this.#capacity > INITIAL_CAPACITY) this.#resize(this.#capacity >> 1);
    else if (isSplit) this.#split(this.#older);
    else if (this.#older <= this.#base) this.#sumUpBlock();
  }

  /** Takes on these values, so that it goes on bit for bit as the window that had them, `older` of them the older ones. */
  restore(values: readonly number[], times: readonly number[], older: number): void {
    this.#load(Math.max(this.#capacity, values.length), values, times, older);
  }

  /** Writes the sums of all values into `result`. The newest value must have been added since the last drop. */
  sums(result: number[]): void {
    const newer = this.#count - this.#older;
    const suffix = this.#suffixes() + (this.#older - this.#base - 1) * this.plan.sums.width;
    mergeSums(this.plan.sums, this.#slots, suffix, this.#older, NEWER, newer, result);
  }

  /** √ of the capacity: of so many suffixes, one is kept until the next split. Not kept, for the memory of a metric. */
  get #block(): number {
    return Math.ceil(Math.sqrt(this.#capacity));
  }

  #slot(position: number): number {
    const place = this.#start + position;
    return NEWER + this.plan.sums.width + (place < this.#capacity ? place : place - this.#capacity);
  }

  /** The first slot behind the rings. */
  #suffixes(): number {
    const { sums, keepsTimes } = this.plan;
    return NEWER + sums.width + (keepsTimes ? 2 * this.#capacity : this.#capacity);
  }

  /** Slot of the suffix of so many whole blocks, behind those that are longer than the base. */
  #blockSlot(blocks: number): number {
    return this.#suffixes() + (this.#block + blocks - 1) * this.plan.sums.width;
  }

  /** An array with a slot for everything, in which the engine keeps plain doubles; a typed one takes 150 bytes more. */
  #room(): number[] {
    const blocks = Math.ceil(this.#capacity / this.#block);
    return new Array<number>(this.#blockSlot(blocks)).fill(Number.NaN);
  }

  #put(slot: number, value: number, time: number): void {
    this.#slots[slot] = value;
    if (this.plan.keepsTimes) this.#slots[slot + this.#capacity] = time;
  }

  #setAnchor(slot: number): void {
    this.#slots[ANCHOR] = this.#slots[slot] as number;
    if (this.plan.keepsTimes) this.#slots[ANCHOR_TIME] = this.#slots[slot + this.#capacity] as number;
  }

  #resize(capacity: number): void {
    this.#load(capacity, this.values(), this.times(), this.#older);
  }

  #load(capacity: number, values: readonly number[], times: readonly number[], older: number): void {
    this.#capacity = capacity;
    this.#slots = this.#room();
    this.#start = 0;
    this.#count = values.length;
    for (const [position, value] of values.entries()) this.#put(this.#slot(position), value, times[position] ?? 0);
    this.#split(older);
  }

  /** Makes the `older` oldest values the older ones. */
  #split(older: number): void {
    this.#older = older;
    if (this.#count === 0) return;
    this.#setAnchor(this.#slot(Math.max(0, older - 1)));
    this.#sumUpSuffixes(NEWER, 0, older - 1 - ((older - 1) % this.#block), this.#blockSlot(1), this.#block);
    this.#sumUpBlock();
    for (let position = older; position < this.#count; position++) {
      this.#sumUpNewer(this.#slot(position), position - older);
    }
  }

  /** Works out the sums of the longest suffixes, from the next shorter one that is kept. */
  #sumUpBlock(): void {
    this.#base = this.#older - 1 - ((this.#older - 1) % this.#block);
    const from = this.#blockSlot(this.#base / this.#block);
    this.#sumUpSuffixes(from, this.#base, this.#older, this.#suffixes(), 1);
  }

  /**
   * Works out the sums of the suffixes of `length + 1` to `end` values, from those of `length` values at slot `from`, and
   * keeps every `every`-th from slot `to` on.
   */
  #sumUpSuffixes(from: number, length: number, end: number, to: number, every: number): void {
    const { sums } = this.plan;
    const slots = this.#slots;
    const capacity = this.#capacity;
    const ring = NEWER + sums.width;
    let slot = this.#slot(this.#older - 1 - length);
    for (let due = every; length < end; length++) {
      addToSums(sums, slots, from, to, length, slot, slot + capacity);
      from = to;
      slot = slot > ring ? slot - 1 : slot + capacity - 1;
      if (--due > 0) continue;
      due = every;
      to += sums.width;
    }
  }

  /** Adds the value at `slot` to the sums of the `count` newer ones before it. */
  #sumUpNewer(slot: number, count: number): void {
    addToSums(this.plan.sums, this.#slots, NEWER, NEWER, count, slot, slot + this.#capacity);
  }
}
