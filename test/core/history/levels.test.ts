import { deepEqual, equal } from "node:assert/strict";
import { archiveSince, FIVE_MINUTES, HOUR, keptSince, levelFor, RAW } from "../../../core/history/levels.ts";
import type { AggregateQuery } from "../../../core/history/types.ts";

const DAY = 24 * HOUR;
const NOON = Date.UTC(2024, 1, 29, 12);

function query(more: Partial<AggregateQuery> = {}): AggregateQuery {
  return { measurement: "readings", from: NOON - DAY, to: NOON, groupBy: [], functions: ["mean"], ...more };
}

describe("levels of history", () => {
  it("answers from the coarsest level whose buckets fit the intervals", () => {
    const lengths = [2 * HOUR, HOUR, HOUR / 2, 3 * FIVE_MINUTES, FIVE_MINUTES, FIVE_MINUTES - 1, 60_000];
    const levels = lengths.map((every) => levelFor(query({ every }), -Infinity));
    deepEqual(levels, [HOUR, HOUR, FIVE_MINUTES, FIVE_MINUTES, FIVE_MINUTES, RAW, RAW]);
  });

  it("answers a whole range from the coarsest level whose buckets fit its ends", () => {
    equal(levelFor(query(), -Infinity), HOUR);
    equal(levelFor(query({ from: NOON - FIVE_MINUTES }), -Infinity), FIVE_MINUTES);
    equal(levelFor(query({ to: NOON + 1 }), -Infinity), RAW);
    equal(levelFor(query({ every: HOUR, from: NOON - DAY + 1 }), -Infinity), RAW);
  });

  it("answers what roll-ups do not keep from what was written", () => {
    for (const name of ["stdev", "first", "last"] as const) {
      equal(levelFor(query({ every: HOUR, functions: ["mean", name] }), -Infinity), RAW);
    }
    equal(levelFor(query({ measurement: "health", every: HOUR }), -Infinity), RAW);
    equal(levelFor(query({ measurement: "health" }), NOON), RAW);
  });

  it("answers from roll-ups where what was written is no longer there", () => {
    equal(levelFor(query({ every: HOUR, functions: ["stdev"] }), NOON), HOUR);
    equal(levelFor(query({ every: 60_000 }), NOON), FIVE_MINUTES);
    equal(levelFor(query({ every: 60_000 }), NOON - DAY), RAW);
  });

  it("keeps roll-ups at least as long as what they were made from, and 0 days for ever", () => {
    equal(keptSince(0, NOON), -Infinity);
    equal(keptSince(2, NOON), NOON - 2 * DAY);
    equal(archiveSince(2, 30, NOON), NOON - 30 * DAY);
    equal(archiveSince(30, 2, NOON), NOON - 30 * DAY);
    equal(archiveSince(0, 2, NOON), -Infinity);
    equal(archiveSince(2, 0, NOON), -Infinity);
  });
});
