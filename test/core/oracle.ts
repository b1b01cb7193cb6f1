/** Two-pass computations with simple-statistics, which the one-pass ones are held against, and data for them. */
import assert from "node:assert/strict";
import { mean, median, medianAbsoluteDeviation, sampleStandardDeviation, weightedMean } from "simple-statistics";
import type { Baseline, Comparison } from "../../core/baseline.ts";
import { Random } from "../../core/random.ts";

export type Method = "standard" | "robust" | "ewma";

/** Uniform numbers in [0, 1), the same for the same seed. */
export function random(seed: number): () => number {
  const generator = new Random(seed);
  return () => generator.next();
}

/**
 * What a baseline that has learnt `values` says of `value`. The computation is done on values minus `origin`, which must
 * be exact: at 10⁹ the two-pass result itself would be wrong by 10⁻⁷.
 */
export function expectedComparison(
  method: Method,
  windowSize: number,
  values: readonly number[],
  value: number,
  origin: number,
): Comparison {
  const learnt = (method === "ewma" ? values : values.slice(-windowSize)).map((each) => each - origin);
  const [centre, deviation] = centreAndDeviation(method, windowSize, learnt);
  return { count: learnt.length, expected: origin + centre, difference: value - origin - centre, deviation };
}

function centreAndDeviation(method: Method, windowSize: number, values: number[]): [number, number] {
  if (method === "standard") return [mean(values), values.length > 1 ? sampleStandardDeviation(values) : 0];
  if (method === "robust") return [median(values), 1.4826 * medianAbsoluteDeviation(values)];
  const weights = values.map((_, index) => (1 - 2 / (windowSize + 1)) ** (values.length - 1 - index));
  const centre = weightedMean(values, weights);
  const sum = (term: (weight: number, index: number) => number) =>
    weights.reduce((total, weight, index) => total + term(weight, index), 0);
  const total = sum((weight) => weight);
  const squares = sum((weight, index) => weight * ((values[index] as number) - centre) ** 2);
  // Reliability weights, as pandas has it (bias=False).
  const pairs = total ** 2 - sum((weight) => weight ** 2);
  return [centre, values.length > 1 ? Math.sqrt((squares * total) / pairs) : 0];
}

/** Holds a baseline against the two-pass computation, before and after it would take in `value`. */
export function assertComparisons(
  baseline: Baseline,
  method: Method,
  windowSize: number,
  values: readonly number[],
  value: number,
  origin = 0,
): void {
  const actual: Comparison = { count: 0, expected: 0, difference: 0, deviation: 0 };
  for (const isIncluding of [false, true]) {
    const learnt = isIncluding ? [...values, value] : values;
    if (learnt.length < 1) continue;
    baseline.compare(value, isIncluding, actual);
    const expected = expectedComparison(method, windowSize, learnt, value, origin);
    if (method !== "ewma") assert.equal(actual.count, expected.count);
    assertClose(actual.deviation, expected.deviation, 0);
    assertClose(actual.difference, expected.difference, 1e-12 * expected.deviation);
    assertClose(actual.expected - origin, expected.expected - origin, 1e-15 * Math.abs(expected.expected));
  }
}

/** Equal to 10⁻⁹ relative, or to `floor`: what is left of the difference of two equal numbers. */
export function assertClose(actual: number, expected: number, floor: number): void {
  const isClose = Math.abs(actual - expected) <= 1e-9 * Math.abs(expected) + floor;
  assert.ok(isClose, `${actual} instead of ${expected}`);
}
