import assert from "node:assert/strict";
import fc from "fast-check";
import { linearRegression, max, mean, median, min, sampleStandardDeviation, sum } from "simple-statistics";
import { MAX_METRICS } from "../../../core/limits.ts";
import type { Metrics, Reading } from "../../../core/types.ts";
import { MAX_WINDOW_VALUES, type MetricFunction } from "../../../core/windows/metric-summary.ts";
import { planWindows, type WindowOptions } from "../../../core/windows/plan.ts";
import { WindowGroup } from "../../../core/windows/window-group.ts";
import type { ClosedWindow } from "../../../core/windows/window-summary.ts";
import { assertClose } from "../oracle.ts";

const START = Date.UTC(2026, 2, 1, 12);
const DEFAULTS: WindowOptions = {
  window: "tumbling",
  sizeSeconds: 10,
  hopSeconds: 5,
  gapSeconds: 5,
  countSize: 3,
  timeZone: "UTC",
  groupBy: ["deviceId"],
  functions: ["sum"],
  maxOutOfOrderSeconds: 0,
  allowedLatenessSeconds: 0,
  idleSeconds: 0,
};
const ALL: MetricFunction[] = [
  "mean",
  "min",
  "max",
  "range",
  "sum",
  "stdev",
  "median",
  "p05",
  "p95",
  "p99",
  "first",
  "last",
  "slopePerSecond",
];

/** Windows with all times in seconds after the start. */
class Trial {
  readonly closed: ClosedWindow[] = [];
  readonly late: [second: number, bySeconds: number][] = [];
  options: WindowOptions;
  group: WindowGroup;

  constructor(options: Partial<WindowOptions> = {}) {
    this.options = { ...DEFAULTS, ...options };
    this.group = new WindowGroup(planWindows(this.options));
  }

  /** Takes a reading that arrives by default on time. Returns false if it is too late. */
  push(second: number, metrics: Metrics = { a: 1 }, more: Partial<Reading> = {}, now = second): boolean {
    const reading = { deviceId: "R1", timestamp: START + 1000 * second, metrics, ...more };
    const bySeconds = this.group.push(reading, START + 1000 * now, undefined, this.closed);
    if (bySeconds !== undefined) this.late.push([second, bySeconds]);
    return bySeconds === undefined;
  }

  pushAll(...seconds: number[]): this {
    for (const second of seconds) this.push(second);
    return this;
  }

  tick(seconds = 1): this {
    for (let second = 0; second < seconds; second++) this.group.tick(1000, this.closed);
    return this;
  }

  flush(): this {
    this.group.flush(this.closed);
    return this;
  }

  restart(options: Partial<WindowOptions> = {}): this {
    this.options = { ...this.options, ...options };
    this.group = WindowGroup.from(planWindows(this.options), JSON.parse(JSON.stringify(this.group)));
    return this;
  }

  /** Bounds and counts of the results so far; a correction has a `*`. */
  results(): string[] {
    const second = (time: number) => (time - START) / 1000;
    return this.closed.map(
      ({ windowStart, windowEnd, count, isUpdate }) =>
        `${second(windowStart)}-${second(windowEnd)}: ${count}${isUpdate ? "*" : ""}`,
    );
  }
}

describe("tumbling windows", () => {
  it("close when a reading is at or behind their end, which is not in them", () => {
    const trial = new Trial().pushAll(0, 5, 9.999);
    assert.deepEqual(trial.results(), []);
    assert.deepEqual(trial.pushAll(10).results(), ["0-10: 3"]);
    assert.deepEqual(trial.pushAll(35).results(), ["0-10: 3", "10-20: 1"]);
  });

  it("tell all that is asked of the group's readings", () => {
    const anomaly = { verdicts: { z: { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: {} } } };
    const trial = new Trial({ functions: ["mean", "last", "count"] });
    trial.push(1, { a: 1, b: 7 }, anomaly);
    trial.push(2, { a: 3 });
    trial.push(10);
    assert.deepEqual(trial.closed, [
      {
        windowStart: START,
        windowEnd: START + 10_000,
        count: 2,
        anomalyCount: 1,
        isUpdate: false,
        metrics: { a: { mean: 2, last: 3 }, b: { mean: 7, last: 7 } },
      },
    ]);
  });

  it("count readings when nothing else is asked for", () => {
    const trial = new Trial({ functions: ["count", "anomalyCount"] }).pushAll(1, 2, 10);
    assert.deepEqual([trial.results(), trial.closed[0]?.metrics], [["0-10: 2"], {}]);
  });

  it("wait for readings out of order", () => {
    const trial = new Trial({ maxOutOfOrderSeconds: 3 }).pushAll(9, 12.999, 8, 9);
    assert.deepEqual(trial.results(), []);
    assert.deepEqual(trial.pushAll(13).results(), ["0-10: 3"]);
  });

  it("refuse readings that are too late, and tell by how much", () => {
    const trial = new Trial({ maxOutOfOrderSeconds: 2 }).pushAll(5, 15, 9, 10.5);
    assert.deepEqual(trial.results(), ["0-10: 1"]);
    assert.deepEqual(trial.late, [[9, 4]]);
  });

  it("are corrected as long as lateness is allowed", () => {
    const trial = new Trial({ allowedLatenessSeconds: 5 }).pushAll(5, 12, 6, 14.999, 7, 15, 8);
    assert.deepEqual(trial.results(), ["0-10: 1", "0-10: 2*", "0-10: 3*"]);
    assert.deepEqual(trial.late, [[8, 7]]);
  });

  it("send a first result when a late reading is all that there is", () => {
    const trial = new Trial({ allowedLatenessSeconds: 5 }).pushAll(12, 6, 7);
    assert.deepEqual(trial.results(), ["0-10: 1", "0-10: 2*"]);
  });

  it("take no reading from the future, nor move the watermark by it", () => {
    const trial = new Trial().pushAll(5);
    assert.equal(trial.push(70, { a: 1 }, {}, 10), true, "60 s ahead");
    assert.deepEqual(trial.results(), ["0-10: 1"]);
    assert.equal(trial.push(80, { a: 1 }, {}, 19), false, "61 s ahead");
    assert.deepEqual(trial.late, [[80, -61]]);
    assert.deepEqual(trial.results(), ["0-10: 1"]);
  });

  it("count neither readings of bad quality nor those without the metrics that count", () => {
    const trial = new Trial().pushAll(5);
    trial.push(20, { a: 1 }, { quality: "bad" });
    const accepts = (metric: string) => metric === "a";
    const reading = { deviceId: "R1", timestamp: START + 20_000, metrics: { b: 1 } };
    assert.equal(trial.group.push(reading, START, accepts, trial.closed), undefined);
    trial.push(6, { a: 1 }, { quality: "stale", maintenance: { since: START, until: START } });
    assert.deepEqual([trial.late, trial.flush().results()], [[], ["0-10: 2"]]);
  });

  it("of a day last 23 and 25 hours in Berlin when the clocks are changed", () => {
    for (const [day, hours] of [
      ["2026-03-29", 23],
      ["2026-10-25", 25],
      ["2026-07-01", 24],
    ] as const) {
      const trial = new Trial({ sizeSeconds: 86_400, timeZone: "Europe/Berlin" });
      const noon = (Date.parse(`${day}T12:00:00Z`) - START) / 1000;
      for (let hour = -36; hour < 36; hour++) trial.push(noon + 3600 * hour);
      const window = trial.closed.find(({ windowEnd }) => windowEnd > START + 1000 * noon);
      assert.deepEqual(
        [window?.count, ((window?.windowEnd ?? 0) - (window?.windowStart ?? 0)) / 3.6e6],
        [hours, hours],
      );
    }
  });

  it("refuse a metric beyond the limit before anything is changed", () => {
    const trial = new Trial();
    trial.push(1, Object.fromEntries(Array.from({ length: MAX_METRICS }, (_, index) => [`m${index}`, 1])));
    const state = JSON.stringify(trial.group);
    assert.throws(() => trial.push(2, { m0: 1, another: 1 }), RangeError);
    assert.equal(JSON.stringify(trial.group), state);
    assert.ok(trial.push(10, { another: 1 }));
  });

  it("take any name for a metric", () => {
    const trial = new Trial();
    trial.push(1, JSON.parse('{ "__proto__": 1, "constructor": 2 }'));
    const [window] = trial.flush().closed;
    assert.deepEqual(Object.entries(window?.metrics ?? {}), [
      ["__proto__", { sum: 1 }],
      ["constructor", { sum: 2 }],
    ]);
  });
});

describe("hopping windows", () => {
  it("hold each reading as often as they overlap", () => {
    const trial = new Trial({ window: "hopping" }).pushAll(1, 7, 12, 40);
    assert.deepEqual(trial.results(), ["-5-5: 1", "0-10: 2", "5-15: 2", "10-20: 1"]);
  });

  it("are corrected while they may be, and a reading is late only for all of them", () => {
    const trial = new Trial({ window: "hopping", allowedLatenessSeconds: 2 }).pushAll(1, 7, 11.5);
    trial.closed.length = 0;
    assert.deepEqual(trial.pushAll(6, 3).results(), ["0-10: 3*", "0-10: 4*"]);
    trial.pushAll(12, 6.5, 4);
    assert.deepEqual([trial.results().slice(2), trial.late], [[], [[4, 8]]]);
    assert.deepEqual(trial.flush().results().slice(2), ["5-15: 5", "10-20: 2"]);
  });
});

describe("session windows", () => {
  const sessions = (options: Partial<WindowOptions> = {}) => new Trial({ window: "session", ...options });

  it("reach from the first reading to the gap behind the last", () => {
    const trial = sessions().pushAll(0, 4, 8, 13, 30);
    assert.deepEqual(trial.results(), ["0-13: 3", "13-18: 1"]);
  });

  it("become one when a reading comes between them", () => {
    const trial = sessions({ maxOutOfOrderSeconds: 20 }).pushAll(0, 8, 4, 40);
    assert.deepEqual(trial.results(), ["0-13: 3"]);
  });

  it("are corrected, also when they become one with another", () => {
    const trial = sessions({ allowedLatenessSeconds: 20 }).pushAll(0, 8, 4);
    assert.deepEqual(trial.results(), ["0-5: 1"]);
    assert.deepEqual(trial.pushAll(14).results().slice(1), ["0-13: 3*"]);
    assert.deepEqual(trial.pushAll(2).results().slice(2), ["0-13: 4*"]);
    assert.deepEqual(trial.pushAll(60, 1).results().slice(3), ["14-19: 1"]);
    assert.deepEqual(trial.late, [[1, 59]]);
  });
});

describe("windows of a number of readings", () => {
  it("are full after so many, in the order in which they come", () => {
    const trial = new Trial({ window: "count" }).pushAll(10, 5, 0, 7);
    assert.deepEqual(trial.results(), ["0-10.001: 3"]);
    assert.deepEqual(trial.pushAll(100, -50).results(), ["0-10.001: 3", "-50-100.001: 3"]);
    assert.deepEqual(trial.late, []);
  });

  it("stay open in silence unless a time is set", () => {
    const trial = new Trial({ window: "count" }).pushAll(1).tick(100_000);
    assert.deepEqual(trial.results(), []);
    const timed = new Trial({ window: "count", idleSeconds: 5 }).pushAll(1).tick(5);
    assert.deepEqual(timed.results(), []);
    assert.deepEqual(timed.tick(1).results(), ["1-1.001: 1"]);
    assert.deepEqual(timed.tick(10).pushAll(0, 1, 2).results(), ["1-1.001: 1", "0-2.001: 3"]);
  });
});

describe("silence", () => {
  it("closes windows by the wall clock, never before they are over", () => {
    const trial = new Trial().pushAll(4).tick(10);
    assert.deepEqual(trial.results(), []);
    assert.deepEqual(trial.tick(1).results(), ["0-10: 1"]);
    const soon = new Trial({ idleSeconds: 2 }).pushAll(4).tick(6);
    assert.deepEqual(soon.results(), []);
    assert.deepEqual(soon.tick(1).results(), ["0-10: 1"]);
    assert.deepEqual(new Trial({ window: "session" }).pushAll(4).tick(6).results(), ["4-9: 1"]);
  });

  it("waits for readings out of order", () => {
    const trial = new Trial({ idleSeconds: 2, maxOutOfOrderSeconds: 3 }).pushAll(4).tick(9);
    assert.deepEqual(trial.results(), []);
    assert.deepEqual(trial.tick(1).results(), ["0-10: 1"]);
  });

  it("is over with the next reading", () => {
    const trial = new Trial({ sizeSeconds: 20 }).pushAll(4).tick(15).pushAll(5).tick(20);
    assert.deepEqual(trial.results(), []);
    assert.deepEqual(trial.tick(1).results(), ["0-20: 2"]);
  });

  it("does not make readings late that were held up, but for those of the windows that it closed", () => {
    const trial = new Trial().pushAll(4).tick(1000).pushAll(11, 21, 31, 9);
    assert.deepEqual(trial.results(), ["0-10: 1", "10-20: 1", "20-30: 1"]);
    assert.deepEqual(trial.late, [[9, 22]]);
  });

  it("of a group without open windows does nothing", () => {
    const trial = new Trial().tick(100).pushAll(4).tick(100).tick(100).flush().flush();
    assert.deepEqual(trial.results(), ["0-10: 1"]);
    assert.deepEqual(new Trial().flush().results(), []);
  });
});

describe("flush", () => {
  it("closes all windows of each kind, after which their readings are late", () => {
    const open = (options: Partial<WindowOptions>) => new Trial(options).pushAll(1, 2).flush();
    assert.deepEqual(open({}).results(), ["0-10: 2"]);
    assert.deepEqual(open({ window: "hopping" }).results(), ["-5-5: 2", "0-10: 2"]);
    assert.deepEqual(open({ window: "session" }).results(), ["1-7: 2"]);
    assert.deepEqual(open({ window: "count" }).results(), ["1-2.001: 2"]);
    assert.deepEqual(open({}).pushAll(3).late, [[3, 7]]);
    assert.deepEqual(open({ allowedLatenessSeconds: 5 }).pushAll(3).results(), ["0-10: 2", "0-10: 3*"]);
  });
});

describe("windows and a batch computation", () => {
  const anyWindow = fc.constantFrom("tumbling" as const, "hopping" as const, "session" as const);
  const anyValue = fc.double({ min: -100, max: 100, noNaN: true });
  const anyStream = fc.array(fc.record({ second: fc.integer({ min: 0, max: 120 }), value: anyValue }), {
    minLength: 1,
    maxLength: 60,
  });

  /** The windows of a whole set of readings, naively. */
  function batch(readings: { second: number; value: number }[], { window }: WindowOptions): string[] {
    const sorted = readings.map(({ second }) => second).sort((a, b) => a - b);
    if (window === "session") {
      const found: number[][] = [];
      for (const second of sorted) {
        if (second - (found.at(-1)?.at(-1) ?? -Infinity) < 5) found.at(-1)?.push(second);
        else found.push([second]);
      }
      return found.map((all) => `${all[0]}-${(all.at(-1) ?? 0) + 5}: ${all.length}`);
    }
    const found: string[] = [];
    for (let start = -20; start <= 120; start += window === "hopping" ? 5 : 10) {
      const count = sorted.filter((second) => second >= start && second < start + 10).length;
      if (count > 0) found.push(`${start}-${start + 10}: ${count}`);
    }
    return found;
  }

  it("find the same as long as readings are not later than the watermark waits", () => {
    const property = fc.property(anyWindow, anyStream, fc.integer({ min: 0, max: 40 }), (window, stream, delay) => {
      const trial = new Trial({ window, maxOutOfOrderSeconds: delay, functions: ALL });
      let newest = -Infinity;
      const inTime = stream.filter(({ second }) => {
        newest = Math.max(newest, second);
        return second >= newest - delay;
      });
      for (const [index, { second, value }] of inTime.entries()) {
        if (index % 7 === 3) trial.restart();
        trial.push(second, { a: value });
      }
      assert.deepEqual(trial.flush().results(), batch(inTime, trial.options));
      assert.deepEqual(trial.late, []);
      for (const { windowStart, windowEnd, metrics } of trial.closed) {
        const isInside = ({ second }: { second: number }) =>
          START + 1000 * second >= windowStart && START + 1000 * second < windowEnd;
        assertFunctions(metrics.a ?? {}, inTime.filter(isInside));
      }
    });
    fc.assert(property, { numRuns: 500, seed: 1 });
  });

  /** Of several readings with the same time, which is the first or the last depends on the order of arrival. */
  function assertFunctions(found: Record<string, number>, readings: { second: number; value: number }[]): void {
    const values = readings.map(({ value }) => value);
    const sorted = values.toSorted((a, b) => a - b);
    const type7 = (share: number) => {
      const position = (sorted.length - 1) * share;
      const [lower = 0, upper = lower] = sorted.slice(Math.floor(position));
      return lower + (upper - lower) * (position % 1);
    };
    const seconds = readings.map(({ second }) => second);
    const earliest = readings.find(({ second }) => second === min(seconds))?.value ?? 0;
    const latest = readings.findLast(({ second }) => second === max(seconds))?.value ?? 0;
    const expected: Record<string, number> = {
      mean: mean(values),
      min: min(values),
      max: max(values),
      range: max(values) - min(values),
      sum: sum(values),
      median: median(values),
      p05: type7(0.05),
      p95: type7(0.95),
      p99: type7(0.99),
      first: earliest,
      last: latest,
    };
    if (values.length > 1) expected.stdev = sampleStandardDeviation(values);
    if (max(seconds) > min(seconds)) {
      expected.slopePerSecond = linearRegression(readings.map(({ second, value }) => [second, value])).m;
    }
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
    for (const name of Object.keys(expected)) assertClose(found[name] as number, expected[name] as number, 1e-9);
  }

  it("have each reading either in a result or late, never in both, whatever comes", () => {
    const anyKind = fc.constantFrom("tumbling" as const, "hopping" as const, "session" as const, "count" as const);
    const anyStep = fc.oneof(
      { weight: 12, arbitrary: fc.record({ second: fc.integer({ min: 0, max: 90 }) }) },
      { weight: 1, arbitrary: fc.record({ ahead: fc.integer({ min: 61, max: 200 }) }) },
      { weight: 2, arbitrary: fc.record({ ticks: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 1, arbitrary: fc.constant({ window: undefined }) },
      { weight: 1, arbitrary: fc.record({ window: anyKind }) },
      { weight: 1, arbitrary: fc.constant({ flush: true }) },
    );
    const property = fc.property(
      anyKind,
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      fc.array(anyStep, { maxLength: 45 }),
      (window, maxOutOfOrderSeconds, allowedLatenessSeconds, steps) => {
        const trial = new Trial({ window, maxOutOfOrderSeconds, allowedLatenessSeconds, functions: ["sum"] });
        // The sum of powers of 2 tells which readings are in a window.
        let pushed = 0;
        let late = 0n;
        let overlaps = window === "hopping";
        const push = (second: number, now: number) => {
          if (!trial.push(second, { a: 2 ** pushed }, {}, now)) late |= 1n << BigInt(pushed);
          pushed++;
        };
        for (const step of steps) {
          if ("second" in step) push(step.second, 90);
          else if ("ahead" in step) push(90 + step.ahead, 90);
          else if ("ticks" in step) trial.tick(step.ticks);
          else if ("window" in step) trial.restart(step.window && { window: step.window });
          else trial.flush();
          overlaps ||= trial.options.window === "hopping";
        }
        trial.tick().flush();
        const sets = trial.closed.map(({ metrics }) => BigInt(metrics.a?.sum ?? 0));
        // A correction holds all that it takes the place of.
        const final = sets.filter((set, index) => !sets.slice(index + 1).some((later) => (set & later) === set));
        const inResults = final.reduce((all, set) => all | set, 0n);
        assert.equal(inResults & late, 0n, "in both");
        assert.equal(inResults | late, (1n << BigInt(pushed)) - 1n, "in neither");
        if (overlaps) return;
        assert.equal(
          final.reduce((all, set) => all + set, 0n),
          inResults,
          "in two results",
        );
      },
    );
    fc.assert(property, { numRuns: 3000, seed: 1 });
  });

  it("call a reading late exactly when its window can no longer be corrected", () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 0, max: 15 }),
      anyStream,
      (delay, lateness, stream) => {
        const trial = new Trial({ maxOutOfOrderSeconds: delay, allowedLatenessSeconds: lateness });
        let newest = -Infinity;
        for (const { second } of stream) {
          const end = 10 * Math.floor(second / 10) + 10;
          assert.equal(trial.push(second), end + lateness > newest - delay);
          newest = Math.max(newest, second);
        }
      },
    );
    fc.assert(property, { seed: 1 });
  });
});

describe("the numbers of a window", () => {
  it("are exact for values like 10⁹ ± 0.1", () => {
    for (const window of ["tumbling", "hopping"] as const) {
      const trial = new Trial({ window, sizeSeconds: 21_600, hopSeconds: 5400, functions: ["mean", "stdev"] });
      const values = Array.from({ length: 20_000 }, (_, index) => (index % 3) / 10);
      for (const [second, value] of values.entries()) trial.push(second, { a: 1e9 + value });
      const found = trial.flush().closed.find(({ count }) => count === 20_000)?.metrics.a ?? {};
      assertClose((found.mean ?? 0) - 1e9, mean(values), 2e-7);
      assertClose(found.stdev ?? 0, sampleStandardDeviation(values), 1e-7);
    }
  });

  it("are finite for the largest values, and do not know -0", () => {
    const trial = new Trial({ functions: ALL });
    trial.push(1, { a: Number.MAX_VALUE, b: -0 });
    trial.push(2, { a: -Number.MAX_VALUE, b: -0 });
    const { a = {}, b = {} } = trial.flush().closed[0]?.metrics ?? {};
    assert.ok(Object.values(a).every(Number.isFinite));
    assert.ok(Object.values(b).every((value) => Object.is(value, 0)));
  });

  it("leave out what one reading does not tell", () => {
    const trial = new Trial({ functions: ["stdev", "slopePerSecond", "p99"] });
    trial.push(1, { a: 5 });
    assert.deepEqual(trial.flush().closed[0]?.metrics, { a: { p99: 5 } });
  });

  it("have quantiles of a regular sample beyond the limit of values", () => {
    const trial = new Trial({ sizeSeconds: 3600, functions: ["median", "p05", "max"] });
    const count = 2 * MAX_WINDOW_VALUES + 10;
    for (let index = 0; index < count; index++) trial.push(1, { a: index });
    const { median = 0, p05 = 0, max = 0 } = trial.flush().closed[0]?.metrics.a ?? {};
    assert.ok(Math.abs(median - count / 2) < 10 && Math.abs(p05 - count / 20) < 10, `${median} ${p05}`);
    assert.equal(max, count - 1);
  });
});

describe("the options of windows", () => {
  const plan = (options: Partial<WindowOptions>) => () => planWindows({ ...DEFAULTS, ...options });

  it("are refused with the name of the option when they make no sense", () => {
    assert.throws(plan({ functions: [] }), /^RangeError: functions: /);
    assert.throws(plan({ window: "hopping", hopSeconds: 3 }), /^RangeError: hopSeconds: must divide/);
    assert.throws(plan({ window: "hopping", hopSeconds: 20 }), /^RangeError: hopSeconds: must divide/);
    assert.throws(plan({ window: "hopping", hopSeconds: 0.01 }), /^RangeError: hopSeconds: 1000 windows/);
    assert.throws(plan({ maxOutOfOrderSeconds: 10_000 }), /^RangeError: maxOutOfOrderSeconds: 1001 windows/);
    assert.throws(plan({ allowedLatenessSeconds: 10_000 }), /^RangeError: allowedLatenessSeconds: 1001 windows/);
    assert.throws(
      plan({ window: "session", allowedLatenessSeconds: 5000 }),
      /^RangeError: allowedLatenessSeconds: 1000/,
    );
    assert.throws(plan({ timeZone: "Europe/Berln" }), /^RangeError: timeZone: /);
  });

  it("of other kinds of windows do not matter", () => {
    plan({ hopSeconds: 3 })();
    plan({ window: "count", sizeSeconds: 1, allowedLatenessSeconds: 10_000 })();
  });
});

describe("the state of windows", () => {
  it("keeps open windows, corrections and the watermark", () => {
    for (const window of ["tumbling", "hopping", "session"] as const) {
      const options = { window, functions: ALL, allowedLatenessSeconds: 10 };
      const [stopped, going] = [new Trial(options), new Trial(options)];
      for (const second of [1, 3, 12, 4, 2, 25, 13, 9, 1, 60]) {
        assert.equal(stopped.restart().push(second), going.push(second));
      }
      assert.deepEqual(stopped.flush().closed, going.flush().closed);
    }
  });

  it("holds no more than the windows that are open or can be corrected", () => {
    for (const [window, most] of [
      ["tumbling", 5],
      ["hopping", 10],
      ["session", 7],
      ["count", 1],
    ] as const) {
      const trial = new Trial({ window, maxOutOfOrderSeconds: 15, allowedLatenessSeconds: 15 });
      for (let second = 0; second < 10_000; second += 5) {
        trial.push(second);
        const { windows } = trial.group.toJSON();
        assert.ok(!Array.isArray(windows) || windows.length <= most, `${window}: ${JSON.stringify(windows)}`);
      }
    }
  });

  it("goes on when only waiting times have changed, and sends nothing twice", () => {
    const trial = new Trial().pushAll(5, 15).restart({ maxOutOfOrderSeconds: 20 }).pushAll(9, 16, 50);
    assert.deepEqual(trial.results(), ["0-10: 1", "10-20: 2"]);
    assert.deepEqual(trial.late, [[9, 6]]);
  });

  it("corrects no window that is forgotten already, when results can now be corrected for longer", () => {
    for (const window of ["tumbling", "hopping"] as const) {
      const trial = new Trial({ window, allowedLatenessSeconds: 1 }).pushAll(5, 22);
      trial.restart({ allowedLatenessSeconds: 60 }).pushAll(6, 25);
      assert.deepEqual(trial.late, [[6, 16]]);
      trial.closed.length = 0;
      assert.deepEqual(trial.restart().pushAll(3, 23).late.slice(1), [[3, 22]]);
      assert.deepEqual(trial.results(), window === "hopping" ? ["15-25: 2*"] : []);
    }
  });

  it("gives the results of its open windows once there are windows of another kind", () => {
    const trial = new Trial().pushAll(5, 15, 16).restart({ window: "count" }).restart({ window: "count" });
    assert.deepEqual(trial.results(), ["0-10: 1"]);
    assert.deepEqual(trial.tick().results(), ["0-10: 1", "10-20: 2"]);
    assert.deepEqual(trial.tick(100).pushAll(1, 2, 3).results().slice(2), ["1-3.001: 3"]);
  });

  it("keeps the tags of the group, also in what it gives once it is grouped in another way", () => {
    const trial = new Trial({ groupBy: ["hall"] });
    trial.group.tags = { hall: "3" };
    trial.push(5);
    assert.deepEqual(trial.restart().group.tags, { hall: "3" });
    trial.restart({ groupBy: ["deviceId"] }).tick();
    assert.deepEqual([trial.group.tags, trial.closed[0]?.tags], [undefined, { hall: "3" }]);
  });

  it("is refused with a reason when it is not one", () => {
    const saved = JSON.parse(JSON.stringify(new Trial().pushAll(5).group));
    const garbage: unknown[] = [
      undefined,
      null,
      7,
      "state",
      {},
      { ...saved, shape: null },
      { ...saved, shape: { window: "tumbling" } },
      { ...saved, newest: "x" },
      { ...saved, unsent: 1 },
      { ...saved, windows: null },
      { ...saved, windows: [["a", {}]] },
      { ...saved, windows: [[1, null]] },
      { ...saved, windows: [[1, { count: 1, anomalyCount: 0, metrics: [["a", [1, [1]]]] }]] },
    ];
    for (const state of garbage) {
      assert.throws(() => WindowGroup.from(planWindows(DEFAULTS), state), TypeError, JSON.stringify(state));
    }
    for (const window of ["session", "count"] as const) {
      const plan = planWindows({ ...DEFAULTS, window });
      for (const windows of [7, [{}]]) {
        assert.throws(() => WindowGroup.from(plan, { shape: plan.shape, windows }), TypeError);
      }
    }
  });
});
