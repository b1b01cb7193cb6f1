import assert from "node:assert/strict";
import type { Comparison } from "../../core/baseline.ts";
import { WindowMoments } from "../../core/window-moments.ts";
import { assertComparisons, random } from "./oracle.ts";

describe("WindowMoments", () => {
  it("gives mean and sample deviation of the newest values, for every size and at every step", () => {
    for (const capacity of [2, 3, 4, 5, 8, 19, 20, 21]) {
      const next = random(capacity);
      const window = new WindowMoments(capacity);
      const values: number[] = [];
      for (let step = 0; step < 5 * capacity; step++) {
        const value = 50 + 20 * next();
        assertComparisons(window, "standard", capacity, values, value);
        window.push(value);
        values.push(value);
      }
    }
  });

  it("forgets an outlier wholly, wherever in its cycle it comes", () => {
    const capacity = 9;
    for (const outlier of [1e15, -1e15, 1e140, -1e140]) {
      for (let arrival = 0; arrival < 3 * capacity; arrival++) {
        const next = random(arrival);
        const window = new WindowMoments(capacity);
        const values: number[] = [];
        for (let step = 0; step <= arrival + 2 * capacity; step++) {
          const value = step === arrival ? outlier : 1e9 + next() / 5;
          if (step > arrival + capacity) assertComparisons(window, "standard", capacity, values, value, 1e9);
          window.push(value);
          values.push(value);
        }
      }
    }
  });

  it("knows an outlier while it is in the window", () => {
    const capacity = 9;
    for (let arrival = 0; arrival < 2 * capacity; arrival++) {
      const next = random(arrival);
      const window = new WindowMoments(capacity);
      const values: number[] = [];
      for (let step = 0; step <= arrival + capacity; step++) {
        const value = step === arrival ? 1e15 : next();
        assertComparisons(window, "standard", capacity, values, value);
        window.push(value);
        values.push(value);
      }
    }
  });

  it("finds no deviation at all in equal values", () => {
    const window = new WindowMoments(4);
    const result: Comparison = { count: 0, expected: 0, difference: 0, deviation: 0 };
    for (let step = 0; step < 20; step++) {
      window.push(0.1);
      window.compare(0.1, true, result);
      assert.deepEqual(result, { count: Math.min(step + 2, 4), expected: 0.1, difference: 0, deviation: 0 });
    }
  });

  it("takes the newest values that fit into another size", () => {
    const next = random(1);
    const values = Array.from({ length: 50 }, next);
    const large = new WindowMoments(20);
    for (const value of values) large.push(value);
    assertComparisons(WindowMoments.from(7, large.toJSON()), "standard", 7, values, 0.5);
    assertComparisons(WindowMoments.from(30, large.toJSON()), "standard", 30, values.slice(-20), 0.5);
  });

  it("refuses a size without deviation", () => {
    for (const capacity of [1, 0, -1, 2.5, Number.NaN]) assert.throws(() => new WindowMoments(capacity), RangeError);
  });
});
