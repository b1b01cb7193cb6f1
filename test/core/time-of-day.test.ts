import assert from "node:assert/strict";
import { timeOfDay } from "../../core/time-of-day.ts";

const rounded = (timestamp: number) => {
  const { hourSin, hourCos, weekSin, weekCos } = timeOfDay(timestamp);
  return [hourSin, hourCos, weekSin, weekCos].map((each) => Math.round(1e12 * each) / 1e12 + 0);
};

describe("timeOfDay", () => {
  it("starts both circles on a Monday at 0:00 UTC", () => {
    assert.deepEqual(rounded(Date.UTC(2024, 0, 1)), [0, 1, 0, 1]);
    assert.deepEqual(rounded(Date.UTC(1970, 0, 5)), [0, 1, 0, 1]);
  });

  it("goes round once a day, and once a week", () => {
    assert.deepEqual(rounded(Date.UTC(2024, 0, 1, 6)).slice(0, 2), [1, 0]);
    assert.deepEqual(rounded(Date.UTC(2024, 0, 3, 12)).slice(0, 2), [0, -1]);
    assert.deepEqual(rounded(Date.UTC(2024, 0, 4, 12)).slice(2), [0, -1]);
    assert.deepEqual(rounded(Date.UTC(2024, 0, 2, 18)).slice(2), [1, 0]);
  });

  it("knows the weekday of the first day of 1970, a Thursday", () => {
    assert.deepEqual(rounded(0).slice(2), rounded(Date.UTC(2024, 0, 4)).slice(2));
  });
});
