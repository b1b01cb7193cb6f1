/** How values are distributed: a histogram, a smooth density, and how many lie beyond limits. */
import { kernelDensityEstimation, quantileSorted, sampleStandardDeviation } from "simple-statistics";
import type { Statistics } from "./types.ts";

/** A limit: a value, or the quantile that has this share of the values below it. */
export type Limit = { value: number } | { quantile: number };

/** The limits in question; one that is missing is none. */
export interface Limits {
  lower?: Limit | undefined;
  upper?: Limit | undefined;
}

/** Values of one group. */
export interface DistributionResult {
  count: number;
  min: number;
  max: number;
  /** Bounds of the bins, one more than these: `edges[i] ≤ value < edges[i + 1]`; the last one holds the maximum. */
  edges: number[];
  counts: number[];
  /** Densities at values, which over all values add up to 1; null where all values are the same. */
  density: { values: number[]; densities: number[] } | null;
  /** The limits as values, and how many values lie beyond them, in numbers and as shares from 0 to 1. */
  limits: { lower?: number; upper?: number; below: number; above: number; belowShare: number; aboveShare: number };
}

const MAX_BINS = 100;
/** Values that a density is made of, and values at which it is told. */
const DENSITY_SAMPLE = 500;
const DENSITY_POINTS = 100;

/**
 * Reads a limit: a number, or `p5` or `p97.5` for a quantile in percent.
 *
 * @returns undefined for empty text
 * @throws RangeError when it is none of these
 */
export function parseLimit(text: string): Limit | undefined {
  if (text === "") return undefined;
  const [, percent] = /^p(\d{1,2}(?:\.\d+)?|100)$/.exec(text) ?? [];
  if (percent !== undefined) return { quantile: Number(percent) / 100 };
  const value = Number(text);
  if (Number.isFinite(value)) return { value };
  throw new RangeError("must be a number, or a quantile such as p95");
}

/**
 * Counts values in the bins and beyond the limits that a sample of them suggests.
 *
 * The bins are as wide as Freedman and Diaconis 1981 say, 2 × interquartile range ÷ ∛count, or where that is 0 as many as
 * Sturges 1926 says, at most 100. Quantiles are of type 7. The density is Gaussian, its bandwidth after Scott 1992, over at
 * most 500 of the values, evenly spaced in their order.
 *
 * Cost: made in O(sample × log sample), then O(1) a value.
 */
export class Distribution {
  readonly #statistics: Statistics;
  readonly #sorted: number[];
  readonly #edges: number[];
  readonly #counts: number[];
  readonly #lower: number | undefined;
  readonly #upper: number | undefined;
  #below = 0;
  #above = 0;

  constructor(statistics: Statistics, { lower, upper }: Limits) {
    this.#statistics = statistics;
    this.#sorted = Array.from(statistics.sample);
    const bins = binCount(this.#sorted, statistics);
    const { min, max } = statistics;
    this.#edges = Array.from({ length: bins + 1 }, (_, index) =>
      index === bins ? max : min + (max / bins - min / bins) * index,
    );
    this.#counts = new Array<number>(bins).fill(0);
    this.#lower = lower && limitValue(lower, this.#sorted);
    this.#upper = upper && limitValue(upper, this.#sorted);
  }

  /** True if the sample is all values; then `pushSample` counts them. */
  get isWhole(): boolean {
    return this.#sorted.length === this.#statistics.count;
  }

  pushSample(): void {
    for (const value of this.#sorted) this.push(value);
  }

  push(value: number): void {
    if (this.#lower !== undefined && value < this.#lower) this.#below++;
    if (this.#upper !== undefined && value > this.#upper) this.#above++;
    const place = this.#binOf(value);
    this.#counts[place] = (this.#counts[place] as number) + 1;
  }

  result(): DistributionResult {
    const { count, min, max } = this.#statistics;
    return {
      count,
      min,
      max,
      edges: this.#edges,
      counts: this.#counts,
      density: densityOf(this.#sorted),
      limits: {
        ...(this.#lower !== undefined && { lower: this.#lower }),
        ...(this.#upper !== undefined && { upper: this.#upper }),
        below: this.#below,
        above: this.#above,
        belowShare: this.#below / count,
        aboveShare: this.#above / count,
      },
    };
  }

  /** The bin whose edges hold a value, whatever the division has rounded. */
  #binOf(value: number): number {
    const { min, max } = this.#statistics;
    const bins = this.#counts.length;
    const guess = Math.floor(((value / 2 - min / 2) / (max / 2 - min / 2)) * bins);
    let place = Math.max(0, Math.min(bins - 1, Number.isFinite(guess) ? guess : 0));
    while (place > 0 && value < (this.#edges[place] as number)) place--;
    while (place < bins - 1 && value >= (this.#edges[place + 1] as number)) place++;
    return place;
  }
}

/** Halves, so that no difference of two of them is infinite. */
function binCount(sorted: number[], { count, min, max }: Statistics): number {
  if (min === max) return 1;
  const spread = quantileSorted(sorted, 0.75) / 2 - quantileSorted(sorted, 0.25) / 2;
  const width = (2 * spread) / Math.cbrt(count);
  const bins = width > 0 ? Math.ceil((max / 2 - min / 2) / width) : Math.ceil(Math.log2(count)) + 1;
  return Math.max(1, Math.min(MAX_BINS, bins));
}

function limitValue(limit: Limit, sorted: number[]): number {
  return "value" in limit ? limit.value : quantileSorted(sorted, limit.quantile);
}

function densityOf(sorted: number[]): DistributionResult["density"] {
  const size = Math.min(sorted.length, DENSITY_SAMPLE);
  const sample = Array.from({ length: size }, (_, index) => {
    return sorted[Math.floor(((index + 0.5) * sorted.length) / size)] as number;
  });
  const deviation = size > 1 ? sampleStandardDeviation(sample) : 0;
  if (!(deviation > 0 && deviation < Infinity)) return null;
  const spread = (quantileSorted(sample, 0.75) - quantileSorted(sample, 0.25)) / 1.34;
  const bandwidth = 1.06 * (spread > 0 ? Math.min(spread, deviation) : deviation) * size ** -0.2;
  const estimate = kernelDensityEstimation(sample, "gaussian", bandwidth);
  const [least = 0, greatest = 0] = [sorted[0], sorted.at(-1)];
  const [from, to] = [least - 3 * bandwidth, greatest + 3 * bandwidth];
  const values = Array.from({ length: DENSITY_POINTS }, (_, i) => from + ((to - from) * i) / (DENSITY_POINTS - 1));
  return { values, densities: values.map(estimate) };
}
