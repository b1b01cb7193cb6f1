import assert from "node:assert/strict";
import fc from "fast-check";
import { mean, sampleStandardDeviation } from "simple-statistics";
import {
  combineIntervals,
  neededFunctions,
  parseLength,
  parseRange,
  planIntervals,
  usualInterval,
} from "../../../core/history/intervals.ts";
import { AGGREGATES, type Aggregate, type AggregateFunction } from "../../../core/history/types.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 2, 8, 12);

describe("the length of an interval", () => {
  it("is a number with a unit, or ms without one", () => {
    const texts = ["250", "250ms", "5s", "1.5h", " 30 d ", "2w"];
    assert.deepEqual(texts.map(parseLength), [250, 250, 5000, 1.5 * HOUR, 30 * DAY, 14 * DAY]);
  });

  it("is nothing else, and not nothing", () => {
    for (const text of ["", "h", "5 hours", "-5m", "0s", "0.1ms", "1e3", "5m5s", "Infinity", "9".repeat(30)]) {
      assert.equal(parseLength(text), undefined, text);
    }
  });

  it("is the shortest usual one that makes at most so many points", () => {
    assert.equal(usualInterval(DAY, 300), 5 * MINUTE);
    assert.equal(usualInterval(DAY, 288), 5 * MINUTE);
    assert.equal(usualInterval(DAY, 287), 10 * MINUTE);
    assert.equal(usualInterval(1000, 1000), 1);
    assert.equal(usualInterval(3650 * DAY, 100), 42 * DAY);
  });
});

describe("a range", () => {
  const iso = (text: string) => {
    const { from, to } = parseRange(text, NOW);
    return `${new Date(from).toISOString()} ${new Date(to).toISOString()}`;
  };

  it("is a length that ends now, or begin and end, of which one may be a length", () => {
    assert.equal(iso("24h"), "2026-03-07T12:00:00.000Z 2026-03-08T12:00:00.000Z");
    assert.equal(iso("2026-03-01/2026-03-08"), "2026-03-01T00:00:00.000Z 2026-03-08T00:00:00.000Z");
    assert.equal(iso("2026-03-01T06:00+02:00 / 8h"), "2026-03-01T04:00:00.000Z 2026-03-01T12:00:00.000Z");
    assert.equal(iso("7d/2026-03-08"), "2026-03-01T00:00:00.000Z 2026-03-08T00:00:00.000Z");
    assert.equal(iso("2026-03-01/now"), "2026-03-01T00:00:00.000Z 2026-03-08T12:00:00.000Z");
    assert.equal(iso("2026-03-01"), "2026-03-01T00:00:00.000Z 2026-03-08T12:00:00.000Z");
    assert.equal(iso("now/1h"), "2026-03-08T12:00:00.000Z 2026-03-08T13:00:00.000Z");
    assert.equal(iso("1000/3000"), "1970-01-01T00:16:40.000Z 1970-01-01T00:50:00.000Z");
  });

  it("does not begin before 1970", () => assert.equal(parseRange("5000w", NOW).from, 0));

  it("is refused with a reason when it is none, or ends before it begins", () => {
    for (const text of ["", "/", "yesterday", "8h/8h", "2026-03-01/2026-03-02/2026-03-03", "2026-02-30", "24h/"]) {
      assert.throws(() => parseRange(text, NOW), /^RangeError: range: must be a length such as 24h/, text);
    }
    assert.throws(() => parseRange("2026-03-08/2026-03-01", NOW), /ends at 2026-03-01.*not after.*2026-03-08/);
    assert.throws(() => parseRange("now/now", NOW), /not after/);
  });
});

describe("the plan of intervals", () => {
  it("grows a range to whole intervals", () => {
    const range = { from: 7 * MINUTE, to: 13 * MINUTE };
    assert.deepEqual(planIntervals(range, 5 * MINUTE, "Europe/Berlin"), {
      from: 5 * MINUTE,
      to: 15 * MINUTE,
      every: 5 * MINUTE,
    });
  });

  it("has days of 23 and 25 hours, put together from hours", () => {
    const { from, to, every, starts } = planIntervals(
      { from: Date.UTC(2026, 2, 28, 12), to: Date.UTC(2026, 2, 30, 12) },
      DAY,
      "Europe/Berlin",
    );
    assert.equal(every, HOUR);
    assert.deepEqual(
      starts?.map((start) => new Date(start).toISOString().slice(0, 13)),
      ["2026-03-27T23", "2026-03-28T23", "2026-03-29T22", "2026-03-30T22"],
    );
    assert.deepEqual([from, to], [starts?.[0], starts?.at(-1)]);
  });

  it("has weeks that begin on a Monday, and hours that begin with those of the zone", () => {
    const at = (time: string) => ({ from: Date.parse(time), to: Date.parse(time) + 1 });
    const week = planIntervals(at("2026-03-04T00:00Z"), 7 * DAY, "UTC");
    assert.deepEqual(week.starts, [Date.UTC(2026, 2, 2), Date.UTC(2026, 2, 9)]);
    const hour = planIntervals(at("2026-03-04T00:00Z"), HOUR, "Asia/Kathmandu");
    assert.deepEqual(
      [hour.every, hour.starts],
      [15 * MINUTE, [Date.parse("2026-03-03T23:15Z"), Date.parse("2026-03-04T00:15Z")]],
    );
  });

  it("refuses what is no time zone, and more days than there can be", () => {
    assert.throws(
      () => planIntervals({ from: 0, to: 1 }, HOUR, "Mars/Phobos"),
      /^RangeError: timeZone: there is no zone/,
    );
    const ages = { from: 0, to: 100_000 * DAY };
    assert.throws(() => planIntervals(ages, DAY, "Europe/Berlin"), /every: gives more than 20000 intervals/);
  });
});

describe("intervals that are put together", () => {
  /** Functions of values, each at its minute, over intervals. */
  function aggregateOf(values: readonly number[], minutes: number, functions: readonly AggregateFunction[]): Aggregate {
    const groups = new Map<number, number[]>();
    for (const [minute, value] of values.entries()) {
      const start = Math.floor(minute / minutes) * minutes * MINUTE;
      groups.set(start, [...(groups.get(start) ?? []), value]);
    }
    const compute = (name: AggregateFunction, own: number[]) => {
      if (name === "count") return own.length;
      if (name === "mean") return mean(own);
      if (name === "sum") return own.reduce((a, b) => a + b);
      if (name === "min") return Math.min(...own);
      if (name === "max") return Math.max(...own);
      if (name === "first") return own[0] ?? null;
      if (name === "last") return own.at(-1) ?? null;
      return own.length > 1 ? sampleStandardDeviation(own) : null;
    };
    const columns = functions.map((name) => [name, [...groups.values()].map((own) => compute(name, own))]);
    return { tags: {}, field: "x", times: [...groups.keys()], columns: Object.fromEntries(columns) };
  }

  it("are what they would be of all their values", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 60 }),
        fc.subarray([...AGGREGATES], { minLength: 1 }),
        (values, functions) => {
          const starts = [0, 12, 24, 36, 48, 60].map((minute) => minute * MINUTE);
          const short = aggregateOf(values, 4, neededFunctions(functions));
          const [long] = combineIntervals([short], starts, functions);
          const expected = aggregateOf(values, 12, functions);
          assert.deepEqual(long?.times, expected.times);
          assert.deepEqual(Object.keys(long?.columns ?? {}), functions);
          for (const name of functions) {
            for (const [place, value] of expected.columns[name]?.entries() ?? []) {
              const actual = long?.columns[name]?.[place];
              const isEqual = value === null ? actual === null : Math.abs((actual ?? NaN) - value) < 1e-9;
              assert.ok(isEqual, `${name}: ${actual} for ${value}`);
            }
          }
        },
      ),
    );
  });

  it("have no deviation and no first value where these were rolled up", () => {
    const columns = { count: [5, 5], mean: [1, 2], stdev: [null, null], first: [null, null] };
    const short: Aggregate = { tags: {}, field: "x", times: [0, HOUR], columns };
    const [long] = combineIntervals([short], [0, DAY], ["mean", "stdev", "first"]);
    assert.deepEqual(long?.columns, { mean: [1.5], stdev: [null], first: [null] });
  });
});
