import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_TIMESTAMP, parseTimestamp } from "../../core/timestamp.ts";

const noon = Date.UTC(2024, 1, 29, 12, 30, 15);

describe("parseTimestamp", () => {
  it("tells seconds, milliseconds, microseconds and nanoseconds by their magnitude", () => {
    assert.equal(parseTimestamp(noon / 1000), noon);
    assert.equal(parseTimestamp(noon), noon);
    assert.equal(parseTimestamp(noon * 1e3 + 999), noon);
    assert.equal(parseTimestamp(noon * 1e6), noon);
  });

  it("keeps the milliseconds of fractional seconds", () => {
    assert.equal(parseTimestamp(noon / 1000 + 0.125), noon + 125);
    assert.equal(parseTimestamp("1709209815.125"), noon + 125);
  });

  it("takes a number for what the unit says, whatever its magnitude", () => {
    assert.equal(parseTimestamp(5_000_000, "ms"), 5_000_000);
    assert.equal(parseTimestamp(5_000_000, "s"), 5_000_000_000);
    assert.equal(parseTimestamp(2e11, "s"), 2e14);
    assert.equal(parseTimestamp("5000000", "ms"), 5_000_000);
    assert.equal(parseTimestamp(noon, "iso"), undefined);
    assert.equal(parseTimestamp(String(noon), "iso"), undefined);
  });

  it("reads ISO text, which is UTC without a zone", () => {
    for (const text of [
      "2024-02-29T12:30:15Z",
      "2024-02-29T12:30:15z",
      "2024-02-29T12:30:15",
      "2024-02-29 12:30:15",
      "2024-02-29 12:30:15 Z",
      " 2024-02-29T12:30:15.000Z ",
      "2024-02-29T14:30:15+02:00",
      "2024-02-29T14:30:15+02",
      "2024-02-29T14:30:15+0200",
      "2024-02-29T09:00:15-03:30",
      "2024-03-01T00:30:15+12:00",
    ]) {
      assert.equal(parseTimestamp(text), noon, text);
      assert.equal(parseTimestamp(text, "iso"), noon, text);
    }
    assert.equal(parseTimestamp("2024-02-29"), Date.UTC(2024, 1, 29));
    assert.equal(parseTimestamp("2024-02-29T12:30"), noon - 15_000);
    assert.equal(parseTimestamp("2024-02-28T24:00Z"), Date.UTC(2024, 1, 29));
    assert.equal(parseTimestamp("2016-12-31T23:59:60Z"), Date.UTC(2017, 0, 1));
  });

  it("keeps milliseconds of ISO text, to whichever precision it is written", () => {
    for (let ms = 0; ms < 1000; ms++) {
      const fraction = String(ms).padStart(3, "0");
      assert.equal(parseTimestamp(`2024-02-29T12:30:15.${fraction}Z`), noon + ms);
      assert.equal(parseTimestamp(`2024-02-29T12:30:15,${fraction}999999`), noon + ms);
    }
    assert.equal(parseTimestamp("2024-02-29T12:30:15.5Z"), noon + 500);
  });

  it("takes a Date", () => {
    assert.equal(parseTimestamp(new Date(noon)), noon);
    assert.equal(parseTimestamp(new Date(Number.NaN)), undefined);
  });

  it("refuses what is no time", () => {
    for (const value of [
      ...["", " ", "yesterday", "12:30", "NaN", "-5", "1e9", "0x10", "Thu, 29 Feb 2024 12:30:15 GMT", "2024-2-29"],
      ...["2023-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "2024-02-29T25:00"],
      ...["2024-02-29T24:01", "2024-02-29T12:60", "2024-02-29T12:30:61", "2024-02-29T12:30:15.", "2024-02-29T"],
      ...[Number.NaN, Infinity, -Infinity, -1, null, undefined, true, {}, [], 5n, Symbol("now"), () => 5],
    ]) {
      assert.equal(parseTimestamp(value), undefined, String(value));
    }
  });

  it("refuses times before 1970 and beyond JavaScript's calendar", () => {
    assert.equal(parseTimestamp("1969-12-31T23:59:59Z"), undefined);
    assert.equal(parseTimestamp("0080-01-01T00:00:00Z"), undefined);
    assert.equal(parseTimestamp(MAX_TIMESTAMP, "ms"), MAX_TIMESTAMP);
    assert.equal(parseTimestamp(MAX_TIMESTAMP + 2, "ms"), undefined);
    assert.equal(parseTimestamp(1e15, "s"), undefined);
    assert.equal(parseTimestamp(Number.MAX_VALUE), undefined);
  });

  it("reads back whatever Date writes", () => {
    const times = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
    fc.assert(
      fc.property(times, (date) => parseTimestamp(date.toISOString()) === date.getTime()),
      { seed: 1 },
    );
  });

  it("gives a time or nothing, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.string(), fc.double()),
        fc.constantFrom("auto", "s", "ms", "iso"),
        (value, unit) => {
          const time = parseTimestamp(value, unit);
          return time === undefined || (time >= 0 && time <= MAX_TIMESTAMP);
        },
      ),
      { seed: 1 },
    );
  });
});
