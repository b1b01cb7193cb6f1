import assert from "node:assert/strict";
import fc from "fast-check";
import { calendarOf } from "../../../core/windows/calendar.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The bounds of the slice that holds a time. */
function sliceAt(length: number, timeZone: string, time: string): [start: string, end: string] {
  const calendar = calendarOf(length, timeZone);
  const index = calendar.indexOf(Date.parse(time));
  return [new Date(calendar.startOf(index)).toISOString(), new Date(calendar.startOf(index + 1)).toISOString()];
}

describe("a calendar", () => {
  it("cuts at the natural second, minute and hour", () => {
    const time = "2026-03-01T12:34:56.789Z";
    assert.deepEqual(sliceAt(1000, "UTC", time), ["2026-03-01T12:34:56.000Z", "2026-03-01T12:34:57.000Z"]);
    assert.deepEqual(sliceAt(5 * MINUTE, "UTC", time), ["2026-03-01T12:30:00.000Z", "2026-03-01T12:35:00.000Z"]);
    assert.deepEqual(sliceAt(HOUR, "Europe/Berlin", time), ["2026-03-01T12:00:00.000Z", "2026-03-01T13:00:00.000Z"]);
  });

  it("cuts at the local hour where clocks are half an hour or three quarters off", () => {
    const time = "2026-03-01T12:34:56Z";
    assert.deepEqual(sliceAt(HOUR, "Asia/Kolkata", time), ["2026-03-01T12:30:00.000Z", "2026-03-01T13:30:00.000Z"]);
    assert.deepEqual(sliceAt(HOUR, "Asia/Kathmandu", time), ["2026-03-01T12:15:00.000Z", "2026-03-01T13:15:00.000Z"]);
    assert.deepEqual(sliceAt(HOUR, "America/St_Johns", time), ["2026-03-01T12:30:00.000Z", "2026-03-01T13:30:00.000Z"]);
  });

  it("has days of 23 and 25 hours in Berlin", () => {
    assert.deepEqual(sliceAt(DAY, "Europe/Berlin", "2026-03-29T12:00:00Z"), [
      "2026-03-28T23:00:00.000Z",
      "2026-03-29T22:00:00.000Z",
    ]);
    assert.deepEqual(sliceAt(DAY, "Europe/Berlin", "2026-10-25T12:00:00Z"), [
      "2026-10-24T22:00:00.000Z",
      "2026-10-25T23:00:00.000Z",
    ]);
  });

  it("begins a day where there is no midnight, or where there are two", () => {
    assert.deepEqual(sliceAt(DAY, "America/Sao_Paulo", "2018-11-04T12:00:00Z"), [
      "2018-11-04T03:00:00.000Z",
      "2018-11-05T02:00:00.000Z",
    ]);
    assert.deepEqual(sliceAt(DAY, "America/Havana", "2025-11-02T12:00:00Z"), [
      "2025-11-02T04:00:00.000Z",
      "2025-11-03T05:00:00.000Z",
    ]);
  });

  it("begins a week on Monday", () => {
    assert.deepEqual(sliceAt(7 * DAY, "Europe/Berlin", "2026-04-01T12:00:00Z"), [
      "2026-03-29T22:00:00.000Z",
      "2026-04-05T22:00:00.000Z",
    ]);
  });

  it("puts each time into one slice, the slices following each other without a gap", () => {
    const lengths = fc.constantFrom(1, 7000, HOUR, 8 * HOUR, DAY, 3 * DAY, 7 * DAY);
    const zones = fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia", "Pacific/Kiritimati");
    const times = fc.integer({ min: 0, max: Date.UTC(2040) });
    const property = fc.property(lengths, zones, fc.array(times, { minLength: 1 }), (length, zone, all) => {
      const calendar = calendarOf(length, zone);
      for (const time of all) {
        const index = calendar.indexOf(time);
        assert.ok(calendar.startOf(index) <= time && time < calendar.startOf(index + 1));
        assert.equal(calendar.indexOf(calendar.startOf(index)), index);
      }
    });
    fc.assert(property, { numRuns: 300, seed: 1 });
  });

  it("refuses a time zone that there isn't", () => {
    assert.throws(() => calendarOf(DAY, "Europe/Berln"), RangeError);
  });
});
