/** Two-pass computations of rolling features with simple-statistics, which the one-pass ones are held against. */
import assert from "node:assert/strict";
import {
  linearRegression,
  max,
  mean,
  median,
  min,
  rootMeanSquare,
  sampleKurtosis,
  sampleSkewness,
  sampleStandardDeviation,
  sum,
  weightedMean,
} from "simple-statistics";
import type { Feature } from "../../core/metric-features.ts";
import { assertClose } from "./oracle.ts";

export const ALL_FEATURES: Feature[] = [
  "mean",
  "stdev",
  "min",
  "max",
  "range",
  "median",
  "sum",
  "delta",
  "ratePerSecond",
  "slopePerSecond",
  "ewma",
  "rms",
  "crestFactor",
  "skewness",
  "kurtosis",
];

/** Values of a metric and their times in ms, in the order in which they arrive. */
export interface Series {
  values: number[];
  times: number[];
}

export interface Window {
  window: "count" | "time";
  size: number;
}

/** What the window holds after the last of the values; late ones are none of this oracle's business. */
export function newestOf({ values, times }: Series, { window, size }: Window): Series {
  const end = times.at(-1) ?? 0;
  const first = window === "count" ? Math.max(0, values.length - size) : times.findIndex((t) => t > end - 1000 * size);
  return { values: values.slice(first), times: times.slice(first) };
}

/**
 * Holds features against the two-pass computation on values minus `origin`, which must be exact: at 10⁹ the two-pass
 * result itself would be wrong by 10⁻⁷.
 *
 * @param series all values so far; of an exponential mean, the ones that still weigh something
 */
export function assertFeatures(
  actual: Record<string, number>,
  series: Series,
  window: Window,
  features: readonly Feature[] = ALL_FEATURES,
  origin = 0,
): void {
  const inWindow = newestOf(series, window);
  const values = inWindow.values.map((value) => value - origin);
  const count = values.length;
  const centre = mean(values);
  const deviation = count > 1 ? sampleStandardDeviation(values) : 0;
  const expected: Partial<Record<Feature, number>> = {
    mean: origin + centre,
    min: origin + min(values),
    max: origin + max(values),
    range: max(values) - min(values),
    median: origin + median(values),
    sum: origin * count + sum(values),
    ewma: origin + exponentialMean(series, window, origin),
    rms: rootMeanSquare(inWindow.values),
  };
  if (expected.rms) expected.crestFactor = max(inWindow.values.map(Math.abs)) / expected.rms;
  if (count > 1) expected.stdev = deviation;
  const flat = deviation === 0;
  if (count > 2 && !flat) expected.skewness = sampleSkewness(values);
  if (count > 3 && !flat) expected.kurtosis = sampleKurtosis(values);
  const [before = 0, last = 0] = series.values.slice(-2);
  const [beforeTime = 0, lastTime = 0] = series.times.slice(-2);
  if (series.values.length > 1) {
    expected.delta = last - before;
    if (lastTime > beforeTime) expected.ratePerSecond = ((last - before) * 1000) / (lastTime - beforeTime);
  }
  const start = mean(inWindow.times);
  const points = values.map((value, index) => [((inWindow.times[index] as number) - start) / 1000, value - centre]);
  const seconds = Math.max(...points.map(([elapsed = 0]) => Math.abs(elapsed)));
  if (seconds > 0) expected.slopePerSecond = linearRegression(points).m;

  const names = features.filter((name) => expected[name] !== undefined);
  assert.deepEqual(Object.keys(actual).sort(), [...names].sort());
  // What is left of the difference of two equal numbers.
  const floors: Partial<Record<Feature, number>> = {
    skewness: 1e-10,
    kurtosis: 1e-10,
    slopePerSecond: 1e-11 * (deviation / seconds),
    mean: 1e-12 * deviation,
    median: 1e-12 * deviation,
    // Values that have left the window still count, and round the mean to their size.
    ewma: 1e-14 * max(series.values.map((value) => Math.abs(value - origin))),
    sum: 1e-12 * deviation * count,
  };
  for (const name of names) {
    const floor = floors[name] ?? 0;
    const isShifted = ["mean", "median", "min", "max", "ewma"].includes(name);
    const shift = isShifted ? origin : name === "sum" ? origin * count : 0;
    const rounding = 1e-15 * (name === "ewma" ? window.size : 1) * Math.abs(shift);
    try {
      assertClose((actual[name] as number) - shift, (expected[name] as number) - shift, floor + rounding);
    } catch (error) {
      throw new Error(`${name} of ${count} values: ${(error as Error).message}`);
    }
  }
}

/** The mean minus the origin, the weights being those of pandas. */
function exponentialMean({ values, times }: Series, { window, size }: Window, origin: number): number {
  const end = times.at(-1) ?? 0;
  const weights = values.map((_, index) =>
    window === "count"
      ? (1 - 2 / (size + 1)) ** (values.length - 1 - index)
      : Math.exp(((times[index] as number) - end) / (1000 * size)),
  );
  return weightedMean(
    values.map((value) => value - origin),
    weights,
  );
}
