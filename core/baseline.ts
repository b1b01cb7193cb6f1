/** What a detector asks of the values that it has learnt, whichever way they are summarised. */

/** Statistics count values beyond ±10¹⁴⁰ as ±10¹⁴⁰, so that sums of squares stay finite. */
export const MAX_MAGNITUDE = 1e140;

/** How a value compares with a baseline. Written into by `Baseline.compare`, so that no reading allocates one. */
export interface Comparison {
  /** How many values the baseline rests on. */
  count: number;
  /** Centre of the baseline. */
  expected: number;
  /** Value minus centre. More exact than `value - expected`, whose parts are rounded to the size of the value. */
  difference: number;
  /** Spread of the baseline, in the unit of the value; 0 while it rests on fewer than two values. */
  deviation: number;
}

/** A baseline as plain JSON: values kept, oldest first, or the sums that stand for them. */
export type BaselineState = WindowState | ExponentialState;

export interface WindowState {
  values: number[];
  /** How many of the newest values a full window has taken in since it last split in two (see WindowMoments). */
  newer?: number;
}

export interface ExponentialState {
  count: number;
  /** The mean as a sum of two doubles. */
  mean: [number, number];
  weight: number;
  pairs: number;
  squares: number;
}

/** Learnt values of one metric. Values are finite and within ±MAX_MAGNITUDE. */
export interface Baseline {
  /**
   * Compares `value` with the learnt values, or with what they would be after `push(value)` when `including`.
   * Changes nothing but `result`.
   */
  compare(value: number, including: boolean, result: Comparison): void;
  /** Learns a value. */
  push(value: number): void;
  toJSON(): BaselineState;
}
