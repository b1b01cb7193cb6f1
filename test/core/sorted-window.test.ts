import { SortedWindow } from "../../core/sorted-window.ts";
import { assertComparisons, random } from "./oracle.ts";

describe("SortedWindow", () => {
  it("gives median and median absolute deviation of the newest values, for every size and at every step", () => {
    for (const capacity of [2, 3, 4, 5, 8, 19, 20, 21]) {
      const next = random(capacity);
      const window = new SortedWindow(capacity);
      const values: number[] = [];
      for (let step = 0; step < 5 * capacity; step++) {
        const value = 50 + 20 * next();
        assertComparisons(window, "robust", capacity, values, value);
        window.push(value);
        values.push(value);
      }
    }
  });

  it("tells equal values apart by age alone", () => {
    for (const capacity of [4, 7, 10]) {
      const next = random(capacity);
      const window = new SortedWindow(capacity);
      const values: number[] = [];
      for (let step = 0; step < 300; step++) {
        const value = Math.floor(4 * next()) - 2;
        assertComparisons(window, "robust", capacity, values, value);
        window.push(value);
        values.push(value);
      }
    }
  });

  it("takes the middle of two values of 1e9 without rounding it to their size", () => {
    const capacity = 6;
    const next = random(1);
    const window = new SortedWindow(capacity);
    const values: number[] = [];
    for (let step = 0; step < 100; step++) {
      const value = 1e9 + next() / 5;
      assertComparisons(window, "robust", capacity, values, value, 1e9);
      window.push(value);
      values.push(value);
    }
  });
});
