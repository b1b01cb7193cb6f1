import assert from "node:assert/strict";
import { median } from "simple-statistics";
import { SortedValues } from "../../core/sorted-values.ts";
import { random } from "./oracle.ts";

describe("SortedValues", () => {
  it("knows the median of whatever is added and removed", () => {
    for (const digits of [0, 9]) {
      const next = random(digits);
      const sorted = new SortedValues();
      const values: number[] = [];
      for (let step = 0; step < 3000; step++) {
        const isGrowing = step % 1000 < 600;
        if (values.length > 1 && next() < (isGrowing ? 0.2 : 0.9)) {
          sorted.remove(values.splice(Math.floor(next() * values.length), 1)[0] as number);
        } else {
          const value = Number((10 * next() - 5).toFixed(digits)) + 0;
          sorted.add(value);
          values.push(value);
        }
        assert.ok(Math.abs(sorted.median - median(values)) <= 1e-15 * Math.abs(median(values)));
      }
    }
  });

  it("takes the middle of two values without leaving the range of numbers", () => {
    const sorted = new SortedValues();
    for (const value of [1.5e308, 1.7e308]) sorted.add(value);
    assert.equal(sorted.median, 1.6e308);
  });
});
