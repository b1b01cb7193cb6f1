import assert from "node:assert/strict";
import { ExponentialMean } from "../../core/exponential-mean.ts";

const MINUTE = 60_000;

describe("ExponentialMean", () => {
  it("gives the means of the example in pandas' documentation of ewm", () => {
    const mean = new ExponentialMean(2, false);
    const means = [0, 1, 2, 4].map((value) => {
      mean.push(value, 0);
      return mean.mean.toFixed(6);
    });
    assert.deepEqual(means, ["0.000000", "0.750000", "1.615385", "3.225000"]);
  });

  it("lets a weight fall to a half in span × ln 2, by time", () => {
    const mean = new ExponentialMean(MINUTE / Math.LN2, true);
    for (const [value, minutes] of [
      [8, 0],
      [4, 1],
      [2, 3],
    ] as const)
      mean.push(value, 1e12 + minutes * MINUTE);
    // 8 weighs 1/8, 4 weighs 1/4, 2 weighs 1.
    assert.ok(Math.abs(mean.mean - (1 + 1 + 2) / (1 / 8 + 1 / 4 + 1)) < 1e-12);
  });

  it("weighs values of one instant alike, by time", () => {
    const mean = new ExponentialMean(MINUTE, true);
    for (const value of [1, 2, 6]) mean.push(value, 1e12);
    assert.equal(mean.mean, 3);
  });

  it("is the value itself after a first one, and after a pause that lets all else fade", () => {
    const mean = new ExponentialMean(MINUTE, true);
    mean.push(5.1, 1e12);
    assert.equal(mean.mean, 5.1);
    mean.push(7.3, 2e12);
    assert.equal(mean.mean, 7.3);
  });
});
