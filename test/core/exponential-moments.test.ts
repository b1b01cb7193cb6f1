import assert from "node:assert/strict";
import type { Comparison } from "../../core/baseline.ts";
import { ExponentialMoments } from "../../core/exponential-moments.ts";
import { assertClose, assertComparisons, random } from "./oracle.ts";

describe("ExponentialMoments", () => {
  it("gives the weighted mean and deviation of all values, at every step", () => {
    for (const span of [2, 3, 20]) {
      const next = random(span);
      const moments = new ExponentialMoments(span);
      const values: number[] = [];
      for (let step = 0; step < 200; step++) {
        const value = 50 + 20 * next();
        assertComparisons(moments, "ewma", span, values, value);
        moments.push(value);
        values.push(value);
      }
    }
  });

  it("gives the means of the example in pandas' documentation of ewm", () => {
    const moments = new ExponentialMoments(2);
    const result: Comparison = { count: 0, expected: 0, difference: 0, deviation: 0 };
    const means = [0, 1, 2, 4].map((value) => {
      moments.push(value);
      moments.compare(value, false, result);
      return result.expected.toFixed(6);
    });
    assert.deepEqual(means, ["0.000000", "0.750000", "1.615385", "3.225000"]);
  });

  it("gives the plain sample deviation of two values", () => {
    const moments = new ExponentialMoments(20);
    const result: Comparison = { count: 0, expected: 0, difference: 0, deviation: 0 };
    moments.push(3);
    moments.push(5);
    moments.compare(5, false, result);
    assertClose(result.deviation, Math.SQRT2, 0);
  });

  it("lets an outlier fade without a trace", () => {
    for (const outlier of [1e15, 1e140]) {
      const next = random(1);
      const moments = new ExponentialMoments(20);
      moments.push(outlier);
      const values: number[] = [];
      for (let step = 0; step < 8000; step++) {
        const value = 1e9 + next() / 5;
        moments.push(value);
        values.push(value);
      }
      assertComparisons(moments, "ewma", 20, values.slice(-1000), 1e9, 1e9);
    }
  });

  it("refuses a span without deviation", () => {
    for (const span of [1, 0, Number.NaN]) assert.throws(() => new ExponentialMoments(span), RangeError);
  });
});
