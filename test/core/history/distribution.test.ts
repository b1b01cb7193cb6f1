import assert from "node:assert/strict";
import { kernelDensityEstimation, quantileSorted } from "simple-statistics";
import { Distribution, parseLimit } from "../../../core/history/distribution.ts";
import type { Statistics } from "../../../core/history/types.ts";
import { type ValueSample, ValueSamples } from "../../../core/history/value-sample.ts";
import { Random } from "../../../core/random.ts";

function sampleOf(values: readonly number[]): ValueSample {
  const samples = new ValueSamples();
  samples.push("x", values);
  return samples.get("x") as ValueSample;
}

/** As a historian tells them. */
function statisticsOf(values: readonly number[]): Statistics {
  const sample = sampleOf(values);
  const { count, mean, stdev, min, max } = sample;
  return { tags: {}, field: "x", count, mean, stdev, min, max, sample: sample.sorted() };
}

function distributionOf(values: readonly number[], lower = "", upper = "") {
  const distribution = new Distribution(statisticsOf(values), { lower: parseLimit(lower), upper: parseLimit(upper) });
  for (const value of values) distribution.push(value);
  return distribution.result();
}

const gaussian = (count: number, seed = 1) => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => 60 + 5 * random.gaussian());
};

describe("a sample of values", () => {
  it("is all of them, sorted, as long as they are not too many", () => {
    const values = gaussian(100_000);
    const sample = sampleOf(values);
    assert.deepEqual(sample.sorted(), Float64Array.from(values).sort());
    assert.equal(sample.count, 100_000);
  });

  it("is every second, fourth, … of more, with the exact extremes", () => {
    const values = Array.from({ length: 1_000_001 }, (_, index) => index);
    const sample = sampleOf(values);
    assert.deepEqual([sample.count, sample.min, sample.max], [1_000_001, 0, 1_000_000]);
    const sorted = sample.sorted();
    assert.ok(sorted.length > 50_000 && sorted.length <= 100_000);
    const stride = (sorted[1] as number) - (sorted[0] as number);
    assert.deepEqual(
      Array.from(sorted),
      values.filter((value) => value % stride === 0),
    );
    assert.ok(Math.abs(quantileSorted(Array.from(sorted), 0.95) - 950_000) < 2 * stride);
  });

  it("knows mean and deviation of all values, however far they are from 0", () => {
    const values = gaussian(150_000).map((value) => value + 1e9);
    const { mean, stdev } = sampleOf(values);
    const exact = values.reduce((sum, value) => sum + (value - 1e9), 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - 1e9 - exact) ** 2, 0);
    assert.ok(Math.abs(mean - 1e9 - exact) < 1e-4);
    assert.ok(Math.abs((stdev ?? 0) - Math.sqrt(squares / (values.length - 1))) < 1e-6);
    assert.equal(sampleOf([1]).stdev, null);
  });

  it("stays bounded over all groups, and passes over what is no number", () => {
    const samples = new ValueSamples();
    const values = [...gaussian(30_000), null, "text", undefined];
    for (let group = 0; group < 100; group++) samples.push(`group ${group}`, values);
    samples.push("empty", [null, "text"]);
    assert.equal(samples.size, 100);
    const kept = Array.from({ length: 100 }, (_, group) => samples.get(`group ${group}`)?.kept ?? 0);
    const total = kept.reduce((a, b) => a + b);
    assert.ok(total > 1_000_000 && total <= 2_000_000, `${total}`);
    assert.equal(samples.get("group 99")?.count, 30_000);
  });
});

describe("a distribution", () => {
  it("counts every value in the bin whose edges hold it", () => {
    for (const values of [gaussian(1000), [0.1, 0.2, 0.3, 0.7], [1e9, 1e9 + 0.1, 1e9 + 0.2], [-1e308, 0, 1e308]]) {
      const { edges, counts, min, max } = distributionOf(values);
      assert.equal(edges.length, counts.length + 1);
      assert.deepEqual([edges[0], edges.at(-1)], [min, max]);
      const naive = counts.map((_, bin) => {
        const [from = 0, to = 0] = edges.slice(bin, bin + 2);
        const isLast = bin === counts.length - 1;
        return values.filter((value) => value >= from && (isLast ? value <= to : value < to)).length;
      });
      assert.deepEqual(counts, naive);
    }
  });

  it("has bins as wide as Freedman and Diaconis say, at most 100 of them", () => {
    const values = gaussian(1000);
    const sorted = [...values].sort((a, b) => a - b);
    const width = (2 * (quantileSorted(sorted, 0.75) - quantileSorted(sorted, 0.25))) / 10;
    const bins = Math.ceil(((sorted.at(-1) as number) - (sorted[0] as number)) / width);
    assert.equal(distributionOf(values).counts.length, bins);
    assert.equal(distributionOf([...values, 1e6]).counts.length, 100);
  });

  it("has some bins where most values are the same, and one where all are", () => {
    assert.ok(distributionOf([...new Array<number>(99).fill(5), 6]).counts.length > 1);
    const { counts, density } = distributionOf([5, 5, 5]);
    assert.deepEqual([counts, density], [[3], null]);
    assert.equal(distributionOf([5]).count, 1);
  });

  it("has the density that simple-statistics estimates of all values, when they are few", () => {
    const values = gaussian(400);
    const { density } = distributionOf(values);
    const oracle = kernelDensityEstimation(values);
    for (const [place, value] of density?.values.entries() ?? []) {
      const expected = oracle(value);
      assert.ok(Math.abs((density?.densities[place] ?? NaN) - expected) < 1e-3, `${value}`);
    }
  });

  it("has a density that adds up to 1, also of many values", () => {
    const { density } = distributionOf(gaussian(20_000));
    const { values = [], densities = [] } = density ?? {};
    const step = (values[1] as number) - (values[0] as number);
    assert.ok(Math.abs(densities.reduce((a, b) => a + b) * step - 1) < 0.01);
  });

  it("tells how many values lie beyond values and quantiles", () => {
    const values = Array.from({ length: 101 }, (_, index) => index);
    const byValue = distributionOf(values, "10", "-5").limits;
    assert.deepEqual(byValue, { lower: 10, upper: -5, below: 10, above: 101, belowShare: 10 / 101, aboveShare: 1 });
    const byQuantile = distributionOf(values, "p5", "p97.5").limits;
    assert.deepEqual([byQuantile.lower, byQuantile.upper], [5, 97.5]);
    assert.deepEqual([byQuantile.below, byQuantile.above], [5, 3]);
  });

  it("takes numbers and quantiles in percent for limits, and nothing else", () => {
    assert.deepEqual(["", "-2.5", "p95", "p0", "p100"].map(parseLimit), [
      undefined,
      { value: -2.5 },
      { quantile: 0.95 },
      { quantile: 0 },
      { quantile: 1 },
    ]);
    for (const text of ["p101", "p", "95%", "high", "Infinity"])
      assert.throws(() => parseLimit(text), RangeError, text);
  });
});
