import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_METRICS } from "../../core/limits.ts";
import { type FeatureOptions, planFeatures, RollingFeatures } from "../../core/rolling-features.ts";
import type { Features, Metrics, Reading } from "../../core/types.ts";
import { ALL_FEATURES } from "./feature-oracle.ts";

const START = Date.UTC(2024, 1, 29);

const DEFAULTS: FeatureOptions = {
  window: "count",
  size: 5,
  features: ["sum"],
  timeOfDay: false,
  missing: "skip",
};

/** A reading of a time in seconds after the start. */
function reading(metrics: Metrics, second = 0, more: Partial<Reading> = {}): Reading {
  return { deviceId: "R1", timestamp: START + 1000 * second, metrics, ...more };
}

const made = (options: Partial<FeatureOptions> = {}) => new RollingFeatures(planFeatures({ ...DEFAULTS, ...options }));

function stopAndGoOn(stopped: RollingFeatures, options: Partial<FeatureOptions> = {}): RollingFeatures {
  return RollingFeatures.from(planFeatures({ ...DEFAULTS, ...options }), JSON.parse(JSON.stringify(stopped)));
}

/** The features that a reading gets. */
function push(to: RollingFeatures, metrics: Metrics, second = 0): Features | undefined {
  const given = reading(metrics, second);
  to.push(given);
  return given.features;
}

/** The sums that readings with the one metric `a`, each of them its value and second, get. */
const sums = (to: RollingFeatures, readings: [value: number, second: number][]) =>
  readings.map(([a, second]) => push(to, { a }, second)?.a?.sum);

describe("RollingFeatures", () => {
  it("adds the features of each metric to a reading and leaves the rest as it was", () => {
    const features = made({ features: ["mean", "sum"] });
    features.push(reading({ a: 1, b: 10 }));
    const given = reading({ a: 2, b: 20 }, 1, { tags: { hall: "3" } });
    features.push(given);
    assert.deepEqual(given, {
      ...reading({ a: 2, b: 20 }, 1, { tags: { hall: "3" } }),
      features: { a: { mean: 1.5, sum: 3 }, b: { mean: 15, sum: 30 } },
    });
  });

  it("keeps the features that are there already, but for those of the same name", () => {
    const given = reading({ a: 1, b: 2 }, 0, { features: { a: { sum: 7, mean: 7 }, c: { sum: 7 } } });
    made().push(given);
    assert.deepEqual(given.features, { a: { sum: 1, mean: 7 }, b: { sum: 2 }, c: { sum: 7 } });
  });

  it("takes the place of features that are none", () => {
    for (const features of [null, 5, "text"] as unknown as Features[]) {
      const given = reading({ a: 1 }, 0, { features });
      made().push(given);
      assert.deepEqual(given.features, { a: { sum: 1 } });
    }
  });

  it("counts, in a window of readings, those that have the metric", () => {
    const features = made({ size: 2 });
    push(features, { a: 1, b: 1 });
    push(features, { a: 2 });
    push(features, { a: 4 });
    assert.deepEqual(push(features, { a: 8, b: 2 }), { a: { sum: 12 }, b: { sum: 3 } });
  });

  it("takes readings in the order in which they arrive, in a window of readings", () => {
    assert.deepEqual(
      sums(made({ size: 2 }), [
        [1, 10],
        [2, 5],
        [4, 100],
        [8, -100],
      ]),
      [1, 3, 6, 12],
    );
  });

  it("counts what is younger than the window, in one of time", () => {
    const readings: [number, number][] = [
      [1, 0],
      [2, 5],
      [4, 9.999],
      [8, 10],
      [16, 15],
      [32, 100],
    ];
    assert.deepEqual(sums(made({ window: "time", size: 10 }), readings), [1, 3, 7, 14, 28, 32]);
  });

  it("goes by the device's newest time, whichever metric brought it", () => {
    const features = made({ window: "time", size: 10 });
    push(features, { a: 1 }, 0);
    push(features, { b: 1 }, 12);
    assert.deepEqual(push(features, { a: 2 }, 5), { a: { sum: 2 } });
  });

  it("passes over a reading that is too late for a window of time", () => {
    const features = made({ window: "time", size: 10 });
    push(features, { a: 1 }, 20);
    assert.equal(push(features, { a: 2 }, 10), undefined);
    assert.deepEqual(push(features, { a: 4 }, 11), { a: { sum: 5 } });
  });

  it("starts anew when three readings in a row are too late, for then the clock was set back", () => {
    const features = made({ window: "time", size: 10 });
    const readings: [number, number][] = [
      [1, 1000],
      [2, 0],
      [4, 1],
      [8, 1001],
      [16, 2],
      [32, 3],
      [64, 4],
      [128, 5],
    ];
    assert.deepEqual(sums(features, readings), [1, undefined, undefined, 9, undefined, undefined, 64, 192]);
  });

  it("gives a reading of bad quality no features and learns nothing from it, but from one of stale quality", () => {
    const features = made({ timeOfDay: true, missing: "forward-fill" });
    push(features, { a: 1, b: 1 });
    const state = JSON.stringify(features);
    const bad = reading({ a: 2 }, 1, { quality: "bad" });
    features.push(bad);
    assert.deepEqual(bad, reading({ a: 2 }, 1, { quality: "bad" }));
    assert.equal(JSON.stringify(features), state);
    const stale = reading({ a: 4 }, 2, { quality: "stale" });
    features.push(stale);
    assert.equal(stale.features?.a?.sum, 5);
  });

  it("adds the time of day, beside the features of a metric of that name", () => {
    const features = made({ timeOfDay: true });
    const given = reading({ time: 3 }, 6 * 3600);
    features.push(given);
    const { sum, hourSin, hourCos, ...week } = given.features?.time ?? {};
    assert.deepEqual([sum, hourSin, Math.round(hourCos ?? 1)], [3, 1, 0]);
    assert.deepEqual(Object.keys(week), ["weekSin", "weekCos"]);
  });

  it("passes over metrics that the filter doesn't accept", () => {
    const features = made({ missing: "forward-fill" });
    const given = reading({ a: 1, b: 2 });
    features.push(given, (metric) => metric === "a");
    assert.deepEqual(given.features, { a: { sum: 1 } });
    const none = reading({ b: 2 });
    features.push(none, (metric) => metric === "b");
    assert.deepEqual(none.features, { b: { sum: 2 } });
    const empty = reading({ c: 2 });
    made().push(empty, () => false);
    assert.deepEqual(empty, reading({ c: 2 }));
  });

  it("takes any name for a metric, and comes to no harm by __proto__", () => {
    const metrics = JSON.parse('{ "constructor": 1, "toString": 2, "": 3, "__proto__": 4 }');
    const given = reading(metrics, 0, { features: {} });
    const fresh = reading(metrics);
    const features = made();
    features.push(given);
    stopAndGoOn(features).push(fresh);
    assert.deepEqual(given.features, { constructor: { sum: 1 }, toString: { sum: 2 }, "": { sum: 3 } });
    assert.deepEqual(fresh.features, { constructor: { sum: 2 }, toString: { sum: 4 }, "": { sum: 6 } });
    assert.equal(Object.getPrototypeOf(fresh.features), Object.prototype);
  });

  it("refuses a metric beyond the limit before it changes anything", () => {
    const features = made({ window: "time", timeOfDay: true, missing: "forward-fill" });
    push(features, Object.fromEntries(Array.from({ length: MAX_METRICS }, (_, index) => [`m${index}`, 1])));
    const state = JSON.stringify(features);
    const tooMany = reading({ m0: 5, another: 1 }, 1);
    assert.throws(() => features.push(tooMany), {
      name: "RangeError",
      message: /would have 1001 metrics, at most 1000/,
    });
    assert.deepEqual(tooMany, reading({ m0: 5, another: 1 }, 1));
    assert.equal(JSON.stringify(features), state);
    features.push(tooMany, (metric) => metric === "m0");
    assert.equal(tooMany.features?.m0?.sum, 6);
  });

  it("refuses a window of an impossible size", () => {
    assert.throws(() => planFeatures({ ...DEFAULTS, size: 2.5 }), RangeError);
  });
});

describe("RollingFeatures that fill gaps", () => {
  const filling = (options: Partial<FeatureOptions> = {}) => made({ missing: "forward-fill", ...options });

  /** Pushes an array of readings, as a node does. */
  function pushAll(to: RollingFeatures, readings: Reading[]): (Features | undefined)[] {
    const batch: Reading[] = [];
    for (const each of readings) to.push(each, undefined, batch);
    return readings.map(({ features }) => features);
  }

  it("counts a missing metric with its latest value, in the features alone", () => {
    const features = filling();
    push(features, { a: 1, b: 10 });
    const gap = reading({ a: 2 }, 1);
    features.push(gap);
    assert.deepEqual(gap, { ...reading({ a: 2 }, 1), features: { a: { sum: 3 }, b: { sum: 20 } } });
    assert.deepEqual(push(features, { a: 3, b: 5 }, 2)?.b, { sum: 25 });
  });

  it("leaves a gap where it is told to skip", () => {
    const features = made();
    push(features, { a: 1, b: 10 });
    assert.deepEqual(push(features, { a: 2 }), { a: { sum: 3 } });
  });

  it("fills eight readings in a row and no more", () => {
    const features = filling({ size: 2 });
    push(features, { a: 1, b: 1 });
    const isFilled = (metrics: Metrics) => push(features, metrics)?.b !== undefined;
    const gaps = Array.from({ length: 12 }, () => isFilled({ a: 1 }));
    assert.deepEqual(gaps, [...new Array(8).fill(true), ...new Array(4).fill(false)]);
  });

  it("fills again once the metric was in eight of the last sixteen readings", () => {
    for (const times of [7, 8]) {
      const features = filling();
      push(features, { a: 1, b: 1 });
      for (let gap = 0; gap < 12; gap++) push(features, { a: 1 });
      for (let time = 0; time < times; time++) push(features, { a: 1, b: 1 });
      assert.equal(push(features, { a: 1 })?.b !== undefined, times === 8);
    }
  });

  it("does not fill a metric that comes with every third reading", () => {
    const features = filling();
    for (let step = 0; step < 60; step++) {
      const isSent = step % 3 === 0;
      const found = push(features, { a: 1, ...(isSent && { b: 1 }) })?.b;
      if (step > 20) assert.equal(found !== undefined, isSent);
    }
  });

  it("fills in a window of time at the time of the reading", () => {
    const features = filling({ window: "time", size: 10, features: ["sum", "slopePerSecond"] });
    push(features, { a: 1, b: 1 }, 0);
    assert.deepEqual(push(features, { a: 1 }, 5)?.b, { sum: 2, slopePerSecond: 0 });
    assert.deepEqual(push(features, { a: 1 }, 14)?.b, { sum: 2, slopePerSecond: 0 });
  });

  it("fills the leading gap of an array with the first value", () => {
    const found = pushAll(filling({ features: ["sum", "mean"] }), [
      reading({ a: 1 }, 0),
      reading({ a: 1 }, 1),
      reading({ a: 1, b: 6 }, 2),
      reading({ a: 1 }, 3),
    ]);
    assert.deepEqual(
      found.map((features) => features?.b),
      [
        { sum: 6, mean: 6 },
        { sum: 12, mean: 6 },
        { sum: 18, mean: 6 },
        { sum: 24, mean: 6 },
      ],
    );
    assert.deepEqual(
      found.map((features) => features?.a?.sum),
      [1, 2, 3, 4],
    );
  });

  it("fills the leading gap of an array in a window of time as well", () => {
    const readings = [0, 4, 8].map((second) => reading({ a: 1 }, second));
    const found = pushAll(filling({ window: "time", size: 10 }), [...readings, reading({ a: 1, b: 6 }, 12)]);
    assert.deepEqual(
      found.map((features) => features?.b?.sum),
      [6, 12, 18, 18],
    );
  });

  it("fills at most eight readings before a first value, and none of bad quality or too late", () => {
    const readings = Array.from({ length: 12 }, (_, second) => reading({ a: 1 }, second));
    const found = pushAll(filling(), [...readings, reading({ b: 1 }, 12)]);
    assert.deepEqual(
      found.map((features) => features?.b !== undefined),
      [...new Array(4).fill(false), ...new Array(9).fill(true)],
    );
    const mixed = [reading({ a: 1 }, 50), reading({ a: 1 }, 51, { quality: "bad" }), reading({ a: 1 }, 10)];
    const filled = pushAll(filling({ window: "time", size: 10 }), [...mixed, reading({ b: 1 }, 52)]);
    assert.deepEqual(
      filled.map((features) => features?.b?.sum),
      [1, undefined, undefined, 2],
    );
  });

  it("does not fill backwards what was known before the array, nor across a clock that was set back", () => {
    const features = filling();
    push(features, { a: 1, b: 10 });
    assert.deepEqual(
      pushAll(features, [reading({ a: 1 }), reading({ a: 1, b: 1 })]).map((found) => found?.b?.sum),
      [20, 21],
    );
    const back = [100, 101, 0, 1, 2].map((second) => reading({ a: 1 }, second));
    const found = pushAll(filling({ window: "time", size: 10 }), [...back, reading({ b: 1 }, 3)]);
    assert.deepEqual(
      found.map((each) => each?.b?.sum),
      [undefined, undefined, undefined, undefined, 1, 2],
    );
  });
});

describe("the state of RollingFeatures", () => {
  const anyOptions = fc.record({
    window: fc.constantFrom("count" as const, "time" as const),
    size: fc.integer({ min: 2, max: 9 }),
    features: fc.constantFrom(ALL_FEATURES, ["mean" as const]),
    timeOfDay: fc.boolean(),
    missing: fc.constantFrom("skip" as const, "forward-fill" as const),
  });
  const anyMetrics = fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    {
      minKeys: 1,
      noNullPrototype: true,
    },
  );
  const anyReading = fc.record({
    deviceId: fc.constant("R1"),
    timestamp: fc.integer({ min: START, max: START + 20_000 }),
    metrics: anyMetrics,
  });

  it("goes on bit for bit as without the stop, whatever comes, and never gives NaN or infinity", () => {
    const property = fc.property(anyOptions, fc.array(anyReading, { maxLength: 40 }), (options, readings) => {
      let features = made(options);
      for (const each of readings) {
        const other = stopAndGoOn(features, options);
        const [first, second] = [structuredClone(each), structuredClone(each)] as [Reading, Reading];
        features.push(first);
        other.push(second);
        assert.deepEqual(second, first);
        assert.deepEqual(other.toJSON(), features.toJSON());
        for (const found of Object.values(first.features ?? {})) {
          assert.ok(Object.values(found).every(Number.isFinite), JSON.stringify(found));
        }
        features = other;
      }
    });
    fc.assert(property, { numRuns: 1000, seed: 1 });
  });

  it("gives what it can to other options", () => {
    const stopped = made({ size: 4 });
    for (const a of [1, 2, 4, 8, 16]) push(stopped, { a });
    assert.deepEqual(push(stopAndGoOn(stopped, { size: 3 }), { a: 32 }), { a: { sum: 56 } });
    assert.deepEqual(push(stopAndGoOn(stopped, { size: 9, features: ["min"] }), { a: 32 }), { a: { min: 2 } });
    assert.deepEqual(push(stopAndGoOn(stopped, { missing: "forward-fill" }), { b: 1 })?.a, { sum: 46 });
    assert.deepEqual(push(stopAndGoOn(stopped, { window: "time" }), { a: 32 }), { a: { sum: 32 } });
  });

  it("is taken over from a window of readings with times into one of time", () => {
    const stopped = made({ features: ["ratePerSecond"] });
    for (let second = 0; second < 5; second++) push(stopped, { a: 2 ** second }, second);
    const restored = stopAndGoOn(stopped, { window: "time", size: 3 });
    assert.deepEqual(push(restored, { a: 32 }, 5), { a: { sum: 56 } });
  });

  it("is refused with a reason when it is not one", () => {
    const metric = { values: [1, 2], older: 0 };
    const garbage: unknown[] = [
      undefined,
      null,
      7,
      "state",
      [],
      {},
      { metrics: {} },
      { metrics: [null] },
      { metrics: [[1, metric]] },
      { metrics: [["a"]] },
      { metrics: [["a", { ...metric, older: 2 }]] },
      { metrics: [["a", metric, "1"]] },
      { metrics: [["a", metric, 2 ** 20]] },
      { metrics: [], newest: "1" },
      { metrics: [], newest: 1e300 },
      { metrics: [], late: 9 },
      { metrics: Array.from({ length: MAX_METRICS + 1 }, (_, index) => [`m${index}`, metric]) },
    ];
    for (const state of garbage) {
      assert.throws(() => RollingFeatures.from(planFeatures(DEFAULTS), state), { name: "TypeError", message: /state/ });
    }
    RollingFeatures.from(planFeatures(DEFAULTS), { metrics: [["a", metric, 3]], newest: 5, late: 1 });
  });
});
