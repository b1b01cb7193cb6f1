/** What the values of one metric in a window add up to. */
import { MAX_MAGNITUDE } from "../baseline.ts";
import { ANCHOR, ANCHOR_TIME, addToSums, mergeSums, planSums, type SumPlan } from "../sums.ts";

/**
 * Functions of a metric's values, in its unit unless said otherwise. One that is not defined is left out.
 *
 * - `mean`, `min`, `max`, `range` (max − min), `sum`
 * - `stdev`: sample standard deviation (n − 1), from 2 values on
 * - `median`, `p05`, `p95`, `p99`: quantiles with linear interpolation (type 7 of Hyndman and Fan 1996)
 * - `first`, `last`: the values with the earliest and the latest time; of several, the first and the last that came
 * - `slopePerSecond`: slope of the straight line through the values over their times, by least squares; needs two times
 */
export type MetricFunction =
  | "mean"
  | "min"
  | "max"
  | "range"
  | "sum"
  | "stdev"
  | "median"
  | "p05"
  | "p95"
  | "p99"
  | "first"
  | "last"
  | "slopePerSecond";

/** What is kept of a metric's values. One plan serves any number of summaries. */
export interface SummaryPlan {
  readonly functions: readonly MetricFunction[];
  readonly sums: SumPlan;
  /** The slot of the first time, value, last time, value; 0 without. */
  readonly ends: number;
  readonly keepsValues: boolean;
}

/** A summary as plain JSON: how many values there are, the slots, and the values with how many each one stands for. */
export type MetricSummaryState = [count: number, slots: number[], values?: number[], stride?: number];

/**
 * Values that are kept of a metric for the quantiles of a window. Of more, every second one is, then every fourth, and so
 * on: then the quantiles are those of a regular sample of at least half as many.
 */
export const MAX_WINDOW_VALUES = 100_000;

const QUANTILES: ReadonlyMap<MetricFunction, number> = new Map([
  ["median", 0.5],
  ["p05", 0.05],
  ["p95", 0.95],
  ["p99", 0.99],
]);

/** Slots behind the anchor: the value at hand and its time, and the sums. */
const VALUE = 2;
const TIME = 3;
const SUMS = 4;

/** Where sums are merged: one place for all, as it is used at once. */
const both: number[] = new Array<number>(20).fill(Number.NaN);
const merged: number[] = new Array<number>(10).fill(Number.NaN);

/** Plans what these functions need. */
export function planSummary(functions: readonly MetricFunction[]): SummaryPlan {
  const has = (...names: MetricFunction[]) => names.some((name) => functions.includes(name));
  const sums = planSums(has("stdev") ? 2 : 1, has("min", "max", "range"), has("slopePerSecond"));
  return {
    functions,
    sums,
    ends: has("first", "last") ? SUMS + sums.width : 0,
    keepsValues: functions.some((name) => QUANTILES.has(name)),
  };
}

/**
 * Sums up values of one metric in any order.
 *
 * All sums are of differences to the first value that came, so that 10⁹ ± 0.1 is as exact as 0 ± 0.1. Values beyond
 * ±MAX_MAGNITUDE count as ±MAX_MAGNITUDE.
 *
 * Cost: push O(1); merge O(1), and O(values) with quantiles; result O(1), and O(n log n) with quantiles. Memory: some 200
 * bytes, and 8 to 16 a value with quantiles.
 */
export class MetricSummary {
  readonly #plan: SummaryPlan;
  readonly #slots: number[];
  #count = 0;
  #values: Float64Array | undefined;
  /** How many values are kept. */
  #kept = 0;
  /** 1 if every value is kept, 2 if every second one is, and so on. */
  #stride = 1;

  constructor(plan: SummaryPlan) {
    this.#plan = plan;
    this.#slots = new Array<number>(slotsOf(plan)).fill(Number.NaN);
    if (plan.keepsValues) this.#values = new Float64Array(8);
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives with this plan
   */
  static from(plan: SummaryPlan, state: unknown): MetricSummary {
    const [count, slots, values = [], stride = 1]: unknown[] = Array.isArray(state) ? state : [];
    const isWhole =
      isCount(count) &&
      isNumbers(slots) &&
      slots.length === slotsOf(plan) &&
      isNumbers(values) &&
      values.length <= MAX_WINDOW_VALUES &&
      isCount(stride);
    if (!isWhole) throw new TypeError("the state of a window has a metric that can't be read");
    const summary = new MetricSummary(plan);
    summary.#count = count;
    for (const [slot, number] of slots.entries()) summary.#slots[slot] = number;
    if (plan.keepsValues) {
      summary.#values = Float64Array.from(values);
      summary.#kept = values.length;
      summary.#stride = stride;
    }
    return summary;
  }

  /** Takes in a value. */
  push(value: number, time: number): void {
    const slots = this.#slots;
    const { sums, ends, keepsValues } = this.#plan;
    // Adding 0 turns -0, which JSON does not know, into 0.
    const taken = Math.max(-MAX_MAGNITUDE, Math.min(MAX_MAGNITUDE, value)) + 0;
    slots[VALUE] = taken;
    slots[TIME] = time;
    if (this.#count === 0) {
      slots[ANCHOR] = taken;
      slots[ANCHOR_TIME] = time;
    }
    addToSums(sums, slots, SUMS, SUMS, this.#count, VALUE, TIME);
    if (ends > 0) this.#pushEnds(ends, taken, time, taken, time);
    if (keepsValues && this.#count % this.#stride === 0) this.#keep(taken);
    this.#count++;
  }

  /** Takes in all values of another summary of the same plan, which stays as it is. */
  merge(other: MetricSummary): void {
    const { sums, ends } = this.#plan;
    const from = other.#slots;
    if (this.#count === 0) for (let slot = 0; slot < from.length; slot++) this.#slots[slot] = from[slot] as number;
    else {
      this.#mergeSums(sums, other);
      if (ends > 0) {
        const [firstTime = 0, first = 0, lastTime = 0, last = 0] = from.slice(ends, ends + 4);
        this.#pushEnds(ends, first, firstTime, last, lastTime);
      }
    }
    while (this.#stride < other.#stride) this.#thin();
    const step = this.#stride / other.#stride;
    for (let place = 0; place < other.#kept; place += step) this.#keep(other.#values?.[place] as number);
    this.#count += other.#count;
  }

  /** The functions of all values, of which there must be some. */
  result(): Record<string, number> {
    const { functions } = this.#plan;
    const sorted = this.#values?.slice(0, this.#kept).sort();
    const result: Record<string, number> = {};
    for (const name of functions) {
      const value = this.#valueOf(name, sorted);
      if (value !== undefined && Number.isFinite(value)) result[name] = value;
    }
    return result;
  }

  toJSON(): MetricSummaryState {
    if (!this.#values) return [this.#count, this.#slots.slice()];
    return [this.#count, this.#slots.slice(), Array.from(this.#values.subarray(0, this.#kept)), this.#stride];
  }

  #valueOf(name: MetricFunction, sorted: Float64Array | undefined): number | undefined {
    const { sums, ends } = this.#plan;
    const count = this.#count;
    const at = (slot: number) => this.#slots[slot] as number;
    switch (name) {
      case "mean":
        return at(ANCHOR) + at(SUMS) / count;
      case "sum":
        return at(ANCHOR) * count + at(SUMS);
      case "stdev":
        return count > 1 ? Math.sqrt(at(SUMS + 1) / (count - 1)) : undefined;
      case "min":
        return at(SUMS + sums.extremes);
      case "max":
        return at(SUMS + sums.extremes + 1);
      case "range":
        return at(SUMS + sums.extremes + 1) - at(SUMS + sums.extremes);
      case "first":
        return at(ends + 1);
      case "last":
        return at(ends + 3);
      case "slopePerSecond":
        return (1000 * at(SUMS + sums.trend + 2)) / at(SUMS + sums.trend + 1);
      default:
        return sorted && quantile(sorted, QUANTILES.get(name) ?? 0);
    }
  }

  #pushEnds(ends: number, first: number, firstTime: number, last: number, lastTime: number): void {
    const slots = this.#slots;
    if (this.#count === 0 || firstTime < (slots[ends] as number)) {
      slots[ends] = firstTime;
      slots[ends + 1] = first;
    }
    if (this.#count === 0 || lastTime >= (slots[ends + 2] as number)) {
      slots[ends + 2] = lastTime;
      slots[ends + 3] = last;
    }
  }

  #mergeSums(sums: SumPlan, other: MetricSummary): void {
    const { width, trend } = sums;
    const slots = this.#slots;
    const from = other.#slots;
    for (let place = 0; place < width; place++) {
      both[place] = slots[SUMS + place] as number;
      both[width + place] = from[SUMS + place] as number;
    }
    // The other's sums, which are of differences to its own anchor, as if they were of those to this one's.
    const shift = (from[ANCHOR] as number) - (slots[ANCHOR] as number);
    both[width] = (both[width] as number) + other.#count * shift;
    if (trend > 0) {
      const elapsed = (from[ANCHOR_TIME] as number) - (slots[ANCHOR_TIME] as number);
      both[width + trend] = (both[width + trend] as number) + other.#count * elapsed;
    }
    mergeSums(sums, both, 0, this.#count, width, other.#count, merged);
    for (let place = 0; place < width; place++) slots[SUMS + place] = merged[place] as number;
  }

  #keep(value: number): void {
    if (!this.#values) return;
    if (this.#kept === MAX_WINDOW_VALUES) this.#thin();
    if (this.#kept === this.#values.length) {
      const values = new Float64Array(Math.max(8, Math.min(2 * this.#kept, MAX_WINDOW_VALUES)));
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[this.#kept++] = value;
  }

  /** Keeps every second value of those that are kept. */
  #thin(): void {
    const values = this.#values;
    if (!values) return;
    let kept = 0;
    for (let place = 0; place < this.#kept; place += 2) values[kept++] = values[place] as number;
    this.#kept = kept;
    this.#stride *= 2;
  }
}

function slotsOf({ sums, ends }: SummaryPlan): number {
  return SUMS + sums.width + (ends > 0 ? 4 : 0);
}

function quantile(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share;
  const place = Math.floor(position);
  const lower = sorted[place] as number;
  const upper = sorted[Math.min(place + 1, sorted.length - 1)] as number;
  return lower + (upper - lower) * (position - place);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function isNumbers(values: unknown): values is number[] {
  return Array.isArray(values) && values.every((each) => Number.isFinite(each));
}
