/** The rolling features of one metric: numbers that sum up its latest values. */

import { MAX_MAGNITUDE } from "./baseline.ts";
import { ExponentialMean, type ExponentialMeanState } from "./exponential-mean.ts";
import { SlidingSums, type WindowPlan } from "./sliding-sums.ts";
import { SortedValues } from "./sorted-values.ts";
import { planSums } from "./sums.ts";
import { MAX_TIMESTAMP } from "./timestamp.ts";

/**
 * Numbers that sum up the values in a window, and beside these three that look at a metric's readings one after another:
 * `delta`, `ratePerSecond` and `ewma`. A feature is left out while it is not defined. In the unit of the metric, unless
 * said otherwise:
 *
 * - `mean`, `min`, `max`, `range` (max − min), `sum`; `median`, halfway between the middle two of an even number
 * - `stdev`: sample standard deviation (n − 1), from 2 values on
 * - `rms`: root of the mean square; `crestFactor`: largest absolute value ÷ rms, without unit, unless all are 0
 * - `slopePerSecond`: slope of the straight line through the values over their times, by least squares; needs two times
 * - `skewness`: adjusted Fisher-Pearson G1, from 3 values on; `kurtosis`: excess kurtosis G2, from 4 on (Joanes and Gill
 *   1998, "Comparing measures of sample skewness and kurtosis"; the same as in pandas). Without unit; not for equal values
 * - `delta`: difference to the reading before; `ratePerSecond`: the same ÷ the seconds between, if these are more than 0
 * - `ewma`: exponentially weighted mean (see ExponentialMean), its span being the length of the window
 */
export type Feature =
  | "mean"
  | "stdev"
  | "min"
  | "max"
  | "range"
  | "median"
  | "sum"
  | "delta"
  | "ratePerSecond"
  | "slopePerSecond"
  | "ewma"
  | "rms"
  | "crestFactor"
  | "skewness"
  | "kurtosis";

/** Values that a window holds at most. Of a window of time with more, the newest ones count. */
export const MAX_VALUES = 100_000;

/** What is worked out of a metric, and what is kept for it. One plan serves any number of metrics and devices. */
export interface MetricPlan extends WindowPlan {
  /** True for a window of time, false for one of a number of readings. */
  readonly isTimed: boolean;
  /** Length of the window: ms or readings. */
  readonly span: number;
  readonly has: Readonly<Record<Feature, boolean>>;
}

/** What is known of a metric, as plain JSON. */
export interface MetricState {
  /** The values in the window, the oldest first. */
  values: number[];
  /** Their times, where these matter. */
  times?: number[];
  /** How many of them are the older ones (see SlidingSums). */
  older: number;
  ewma?: ExponentialMeanState;
}

/** Sums of squared differences below this are too small for their own square to be exact. */
const MIN_SQUARES = 1e-140;

/** Where the sums of a window are written to: one for all, as they are used at once. */
const sums = new Array<number>(9).fill(Number.NaN);

/** @throws RangeError when there is no window of that size: readings from 2 to MAX_VALUES, or seconds above 0 */
export function planMetric(window: "count" | "time", size: number, features: readonly Feature[]): MetricPlan {
  const isTimed = window === "time";
  if (isTimed && !(size > 0 && size < Infinity)) throw new RangeError("size must be a number of seconds above 0");
  if (!isTimed && !(Number.isInteger(size) && size >= 2 && size <= MAX_VALUES)) {
    throw new RangeError(`size must be a whole number of readings from 2 to ${MAX_VALUES}`);
  }
  const has = (...names: Feature[]) => names.some((name) => features.includes(name));
  const order = has("kurtosis") ? 4 : has("skewness") ? 3 : has("stdev", "rms", "crestFactor") ? 2 : 1;
  const hasExtremes = has("min", "max", "range", "crestFactor");
  return {
    isTimed,
    span: isTimed ? 1000 * size : size,
    has: {
      mean: has("mean"),
      stdev: has("stdev"),
      min: has("min"),
      max: has("max"),
      range: has("range"),
      median: has("median"),
      sum: has("sum"),
      delta: has("delta"),
      ratePerSecond: has("ratePerSecond"),
      slopePerSecond: has("slopePerSecond"),
      ewma: has("ewma"),
      rms: has("rms"),
      crestFactor: has("crestFactor"),
      skewness: has("skewness"),
      kurtosis: has("kurtosis"),
    },
    sums: planSums(order, hasExtremes, has("slopePerSecond")),
    keepsTimes: isTimed || has("ratePerSecond", "slopePerSecond"),
    limit: isTimed ? MAX_VALUES : size,
  };
}

/**
 * Features of the latest values of one metric, in the order in which they arrive.
 *
 * Cost of a value: O(1) amortised, with `median` O(log n) and a memmove. Memory: 8 bytes a value in the window, 16 with
 * its time, 8 to 16 more for `median`, and O(√n).
 */
export class MetricFeatures extends SlidingSums<MetricPlan> {
  readonly #sorted: SortedValues | undefined;
  #ewma: ExponentialMean | undefined;

  constructor(plan: MetricPlan) {
    super(plan);
    this.#sorted = plan.has.median ? new SortedValues() : undefined;
    this.#ewma = plan.has.ewma ? new ExponentialMean(plan.span, plan.isTimed) : undefined;
  }

  /**
   * Restores what `toJSON` gave, so that it goes on bit for bit. With another plan, of a larger window the newest values
   * that fit are taken, and an exponential mean that there was not, or of the other kind, is made of the window.
   *
   * @returns undefined when the plan needs times and the state has none
   */
  static from(plan: MetricPlan, state: MetricState): MetricFeatures | undefined {
    const { keepsTimes, limit } = plan;
    if (keepsTimes && !state.times) return undefined;
    const surplus = Math.max(0, state.values.length - limit);
    const values = state.values.slice(surplus);
    const times = state.times?.slice(surplus) ?? [];
    const restored = new MetricFeatures(plan);
    restored.restore(values, times, Math.max(0, state.older - surplus));
    for (const value of values) restored.#sorted?.add(value);
    if (state.ewma?.length === (plan.isTimed ? 3 : 2)) {
      if (plan.has.ewma) restored.#ewma = ExponentialMean.from(plan.span, plan.isTimed, state.ewma);
    } else {
      for (const [position, value] of values.entries()) restored.#ewma?.push(value, times[position] ?? 0);
    }
    return restored;
  }

  /** The latest value. There must be one. */
  get latest(): number {
    return this.at(this.count - 1);
  }

  /**
   * Takes in a value and tells the features.
   *
   * A window of time then holds what came after `horizon`: a value leaves when its own time and those of all that came
   * before it are up. Values beyond ±MAX_MAGNITUDE count as ±MAX_MAGNITUDE.
   *
   * @param time ms since 1970
   */
  push(value: number, time: number, horizon: number): Record<string, number> {
    const { isTimed, has, limit } = this.plan;
    const { extremes, trend } = this.plan.sums;
    const before = this.count;
    // Adding 0 turns -0, which JSON does not know, into 0.
    const taken = Math.max(-MAX_MAGNITUDE, Math.min(MAX_MAGNITUDE, value)) + 0;
    const delta = has.delta || has.ratePerSecond ? taken - this.at(before - 1) : 0;
    const seconds = has.ratePerSecond ? (time - this.timeAt(before - 1)) / 1000 : 0;

    let leaving = 0;
    if (isTimed) while (leaving < before && this.timeAt(leaving) <= horizon) leaving++;
    if (leaving === 0 && before === limit) leaving = 1;
    if (this.#sorted) {
      for (let position = 0; position < leaving; position++) this.#sorted.remove(this.at(position));
      this.#sorted.add(taken);
    }
    if (leaving > 0) this.drop(leaving);
    this.add(taken, time);
    this.sums(sums);
    this.#ewma?.push(taken, time);

    const features: Record<string, number> = {};
    const { count, anchor } = this;
    const sum = sums[0] as number;
    const squares = sums[1] as number;
    const mean = anchor + sum / count;
    if (has.mean) features.mean = mean;
    if (has.stdev && count > 1) features.stdev = Math.sqrt(squares / (count - 1));
    if (extremes > 0) {
      const least = sums[extremes] as number;
      const greatest = sums[extremes + 1] as number;
      if (has.min) features.min = least;
      if (has.max) features.max = greatest;
      if (has.range) features.range = greatest - least;
    }
    if (this.#sorted) features.median = this.#sorted.median;
    if (has.sum) features.sum = anchor * count + sum;
    if (has.delta && before > 0) features.delta = delta;
    if (has.ratePerSecond && before > 0 && seconds > 0) addFinite(features, "ratePerSecond", delta / seconds);
    if (trend > 0) {
      const timeSquares = sums[trend + 1] as number;
      const products = sums[trend + 2] as number;
      if (timeSquares > 0) addFinite(features, "slopePerSecond", (1000 * products) / timeSquares);
    }
    if (this.#ewma) features.ewma = this.#ewma.mean;
    if (has.rms || has.crestFactor) {
      const rms = Math.sqrt(mean * mean + squares / count);
      if (has.rms) features.rms = rms;
      if (has.crestFactor && rms > 0) {
        features.crestFactor = Math.max(-(sums[extremes] as number), sums[extremes + 1] as number) / rms;
      }
    }
    if (squares > MIN_SQUARES) {
      if (has.skewness && count > 2) addFinite(features, "skewness", skewness(count, squares, sums[2] as number));
      if (has.kurtosis && count > 3) addFinite(features, "kurtosis", kurtosis(count, squares, sums[3] as number));
    }
    return features;
  }

  toJSON(): MetricState {
    const state: MetricState = { values: this.values(), older: this.older };
    if (this.plan.keepsTimes) state.times = this.times();
    if (this.#ewma) state.ewma = this.#ewma.toJSON();
    return state;
  }
}

/** True for what `toJSON` gives. */
export function isMetricState(state: unknown): state is MetricState {
  if (typeof state !== "object" || state === null) return false;
  const { values, times, older, ewma } = state as Record<keyof MetricState, unknown>;
  if (!isNumbers(values, MAX_MAGNITUDE) || values.length === 0) return false;
  if (times !== undefined && !(isNumbers(times, MAX_TIMESTAMP) && times.length === values.length)) return false;
  if (!Number.isInteger(older) || Number(older) < 0 || Number(older) >= values.length) return false;
  return ewma === undefined || isExponentialMeanState(ewma);
}

function isExponentialMeanState(state: unknown): state is ExponentialMeanState {
  // Rounding may have led the mean a little beyond.
  if (!isNumbers(state, 2 * MAX_MAGNITUDE)) return false;
  const [, weight = 0] = state;
  return (state.length === 2 || state.length === 3) && weight > 0;
}

function isNumbers(numbers: unknown, largest: number): numbers is number[] {
  return Array.isArray(numbers) && numbers.every((each) => typeof each === "number" && Math.abs(each) <= largest);
}

function addFinite(features: Record<string, number>, name: Feature, value: number): void {
  if (Number.isFinite(value)) features[name] = value;
}

function skewness(count: number, squares: number, cubes: number): number {
  return (((count * Math.sqrt(count - 1)) / (count - 2)) * (cubes / squares)) / Math.sqrt(squares);
}

function kurtosis(count: number, squares: number, fourths: number): number {
  const scale = (count - 1) / ((count - 2) * (count - 3));
  return scale * (count * (count + 1) * (fourths / squares / squares) - 3 * (count - 1));
}
