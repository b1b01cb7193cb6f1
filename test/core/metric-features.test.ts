import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_MAGNITUDE } from "../../core/baseline.ts";
import { type Feature, isMetricState, MAX_VALUES, MetricFeatures, planMetric } from "../../core/metric-features.ts";
import { ALL_FEATURES, assertFeatures, newestOf, type Series, type Window } from "./feature-oracle.ts";
import { random } from "./oracle.ts";

const START = Date.UTC(2024, 1, 29);

const planOf = ({ window, size }: Window, features: readonly Feature[] = ALL_FEATURES) =>
  planMetric(window, size, features);

/** Features of a metric by a window of its own, value by value. */
function follow(window: Window, features: readonly Feature[] = ALL_FEATURES, metric?: MetricFeatures) {
  const plan = planOf(window, features);
  const followed = metric ?? new MetricFeatures(plan);
  return Object.assign((value: number, time: number) => followed.push(value, time, time - plan.span), {
    metric: followed,
  });
}

/** The features after the last of some values, a second apart. */
function featuresOf(values: number[], window: Window = { window: "count", size: 100 }, features = ALL_FEATURES) {
  const push = follow(window, features);
  return values.map((value, index) => push(value, START + 1000 * index)).at(-1);
}

const COUNTS: Window[] = [2, 3, 5, 20, 21, 40].map((size) => ({ window: "count", size }));
const TIMES: Window[] = [0.5, 1, 4.5, 20, 37].map((size) => ({ window: "time", size }));

describe("rolling features against a two-pass computation", () => {
  const series: [name: string, origin: number, value: (next: () => number, step: number) => number][] = [
    ["random values", 0, (next) => 40 + 20 * next() + 20 * next()],
    ["values around 0", 0, (next) => next() - 0.5],
    ["values of 1e9 ± 0.1", 1e9, (next) => 1e9 + (next() - 0.5) / 5],
    ["tiny values", 0, (next) => 1e-12 * next()],
    ["a level that steps and drifts", 0, (next, step) => Math.floor(step / 70) * 1000 + step / 8 + next()],
    ["few distinct values", 0, (next) => Math.floor(3 * next())],
    ["equal values", 0.1, () => 0.1],
    ["nothing but 0", 0, () => 0],
    ["rare spikes", 0, (next) => (next() < 0.05 ? 1000 : next())],
  ];
  const clocks: [name: string, elapsed: (next: () => number) => number][] = [
    ["a second apart", () => 1000],
    ["at odd times with gaps, some at once", (next) => Math.floor(3000 * next() ** 3) + (next() < 0.02 ? 60_000 : 0)],
  ];
  for (const [index, [name, origin, valueAt]] of series.entries()) {
    for (const [clock, elapsed] of clocks) {
      it(`are equal to 1e-9 for ${name}, ${clock}, in every window`, () => {
        for (const window of [...COUNTS, ...TIMES]) {
          const next = random(index + 1);
          const push = follow(window);
          const seen: Series = { values: [], times: [] };
          let time = START;
          for (let step = 0; step < 250; step++) {
            const value = valueAt(next, step);
            time += elapsed(next);
            seen.values.push(value);
            seen.times.push(time);
            assertFeatures(push(value, time), seen, window, ALL_FEATURES, origin);
          }
        }
      });
    }
  }

  it("are equal to 1e-9 in a window that has to grow, and shrinks again", () => {
    const next = random(1);
    const window: Window = { window: "time", size: 100 };
    const push = follow(window);
    const seen: Series = { values: [], times: [] };
    let time = START;
    for (let step = 0; step < 3000; step++) {
      const value = 1e9 + next();
      time += step % 1500 < 700 ? 100 : 20_000 * next();
      seen.values.push(value);
      seen.times.push(time);
      const features = push(value, time);
      if (step % 7 === 0) assertFeatures(features, seen, window, ALL_FEATURES, 1e9);
    }
  });

  /** Holds the features of 1e7 values against the oracle at ten checkpoints. */
  function assertLongRun(window: Window, features: Feature[]): void {
    const next = random(7);
    const push = follow(window, features);
    const seen: Series = { values: [], times: [] };
    const updates = 1e7;
    for (let step = 0; step < updates; step++) {
      const value = 1e9 + (next() - 0.5) / 5;
      const time = START + 1000 * step;
      const found = push(value, time);
      // Of an exponential mean, what is older than the 900 last values weighs less than 1e-19.
      if (step % (updates / 10) < updates / 10 - 950) continue;
      if (seen.values.length === 950) seen.values.length = seen.times.length = 0;
      seen.values.push(value);
      seen.times.push(time);
      if (seen.values.length > 900) assertFeatures(found, seen, window, features, 1e9);
    }
  }

  it("are equal to 1e-9 after 1e7 updates with 1e9 ± 0.1, in a window of readings", () => {
    assertLongRun(
      { window: "count", size: 20 },
      ALL_FEATURES.filter((name) => name !== "median"),
    );
  });

  it("are equal to 1e-9 after 1e7 updates with 1e9 ± 0.1, in a window of time", () => {
    assertLongRun({ window: "time", size: 20 }, ["mean", "stdev", "min", "max", "slopePerSecond", "ewma"]);
  });

  it("forget an outlier wholly, wherever in the window's cycle it comes", () => {
    const features = ALL_FEATURES.filter((name) => name !== "ewma");
    for (const window of [
      { window: "count", size: 9 },
      { window: "time", size: 9 },
    ] as Window[]) {
      for (const outlier of [1e15, -1e15, 1e140, -1e300]) {
        for (let arrival = 0; arrival < 27; arrival++) {
          const next = random(arrival);
          const push = follow(window, features);
          const seen: Series = { values: [], times: [] };
          for (let step = 0; step < arrival + 20; step++) {
            const value = step === arrival ? outlier : 1e9 + next() / 5;
            const time = START + 1000 * step;
            const found = push(value, time);
            seen.values.push(value);
            seen.times.push(time);
            if (step > arrival + 9) assertFeatures(found, seen, window, features, 1e9);
          }
        }
      }
    }
  });
});

describe("rolling features", () => {
  it("are those that are chosen, whichever are", () => {
    const values = Array.from({ length: 30 }, random(1));
    const all = featuresOf(values, { window: "count", size: 20 }) ?? {};
    for (const first of ALL_FEATURES) {
      for (const second of ALL_FEATURES) {
        const found = featuresOf(values, { window: "count", size: 20 }, [first, second]);
        assert.deepEqual(found, { [first]: all[first], [second]: all[second] });
      }
    }
    assert.deepEqual(featuresOf(values, undefined, []), {});
  });

  it("have values that can be worked out by hand", () => {
    assert.deepEqual(featuresOf([2, 4, 4, 4, 5, 5, 7, 9], undefined, ["mean", "median", "sum", "range", "delta"]), {
      mean: 5,
      median: 4.5,
      sum: 40,
      range: 7,
      delta: 2,
    });
    const { ewma, ...others } = featuresOf([1, 2, 3]) ?? {};
    assert.ok(ewma);
    assert.deepEqual(others, {
      mean: 2,
      stdev: 1,
      min: 1,
      max: 3,
      range: 2,
      median: 2,
      sum: 6,
      delta: 1,
      ratePerSecond: 1,
      slopePerSecond: 1,
      rms: Math.sqrt(14 / 3),
      crestFactor: 3 / Math.sqrt(14 / 3),
      skewness: 0,
    });
    assert.deepEqual(featuresOf([3, -4], undefined, ["rms", "crestFactor"]), {
      rms: Math.sqrt(12.5),
      crestFactor: 4 / Math.sqrt(12.5),
    });
  });

  it("are only those that a first value defines", () => {
    assert.deepEqual(featuresOf([7]), {
      mean: 7,
      min: 7,
      max: 7,
      range: 0,
      median: 7,
      sum: 7,
      ewma: 7,
      rms: 7,
      crestFactor: 1,
    });
  });

  it("lack skewness and kurtosis for equal values, and the crest factor for zeros", () => {
    const { skewness, kurtosis, crestFactor, stdev, slopePerSecond } = featuresOf(new Array(30).fill(0)) ?? {};
    assert.deepEqual([skewness, kurtosis, crestFactor], [undefined, undefined, undefined]);
    assert.deepEqual([stdev, slopePerSecond], [0, 0]);
  });

  it("lack rate and slope for values of one instant", () => {
    const push = follow({ window: "time", size: 5 });
    push(1, START);
    const { delta, ratePerSecond, slopePerSecond } = push(3, START);
    assert.deepEqual([delta, ratePerSecond, slopePerSecond], [2, undefined, undefined]);
  });

  it("tell the change since the reading before, even if that has left the window", () => {
    const push = follow({ window: "time", size: 5 }, ["mean", "delta", "ratePerSecond"]);
    push(1, START);
    assert.deepEqual(push(3, START + 20_000), { mean: 3, delta: 2, ratePerSecond: 0.1 });
  });

  it("count a value that comes late in a window of time until the one before it leaves", () => {
    const push = follow({ window: "time", size: 10 }, ["sum", "delta", "ratePerSecond", "slopePerSecond"]);
    const plan = planMetric("time", 10, ["sum"]);
    const { metric } = follow({ window: "time", size: 10 }, ["sum"]);
    metric.push(1, START, START - plan.span);
    metric.push(2, START + 8000, START + 8000 - plan.span);
    assert.deepEqual(metric.push(4, START + 3000, START + 8000 - plan.span), { sum: 7 });
    assert.deepEqual(metric.push(8, START + 17_999, START + 17_999 - plan.span), { sum: 14 });
    assert.deepEqual(metric.push(16, START + 18_000, START + 18_000 - plan.span), { sum: 24 });
    push(1, START);
    assert.deepEqual(push(2, START - 1000), { sum: 3, delta: 1, slopePerSecond: -1 });
  });

  it("weigh a value that comes late by its age, in a window of time", () => {
    const ordered = follow({ window: "time", size: 10 }, ["ewma"]);
    for (const [value, second] of [
      [1, 0],
      [2, 3],
      [4, 8],
    ] as const)
      ordered(value, START + 1000 * second);
    const late = follow({ window: "time", size: 10 }, ["ewma"]);
    for (const [value, second] of [
      [1, 0],
      [4, 8],
      [2, 3],
    ] as const)
      late(value, START + 1000 * second);
    const after = [ordered, late].map((push) => push(8, START + 9000).ewma);
    assert.ok(Math.abs((after[0] as number) - (after[1] as number)) < 1e-14, `${after}`);
  });

  it(`count the newest ${MAX_VALUES} values of a window of time that has more`, () => {
    const push = follow({ window: "time", size: 1e6 }, ["sum", "min"]);
    let found = {};
    for (let step = 0; step < MAX_VALUES + 10; step++) found = push(step, START + step);
    assert.deepEqual(found, { sum: ((MAX_VALUES + 19) * MAX_VALUES) / 2, min: 10 });
  });

  it("have no window of an impossible size", () => {
    for (const size of [1, 0, -1, 2.5, MAX_VALUES + 1, Number.NaN, Infinity]) {
      assert.throws(() => planMetric("count", size, ["mean"]), {
        name: "RangeError",
        message: /^size must be a whole/,
      });
    }
    for (const size of [0, -1, Number.NaN, Infinity]) {
      assert.throws(() => planMetric("time", size, ["mean"]), {
        name: "RangeError",
        message: /^size must be a number/,
      });
    }
  });

  const anyWindow: fc.Arbitrary<Window> = fc.oneof(
    fc.record({ window: fc.constant("count" as const), size: fc.integer({ min: 2, max: 9 }) }),
    fc.record({ window: fc.constant("time" as const), size: fc.double({ min: 1e-3, max: 100, noNaN: true }) }),
  );
  const extremes = [0, -0, 5e-324, 1e-160, 1e-80, 1e15, 1e60, 1e100, 1e140, -1e155, 1e300, Number.MAX_VALUE];
  const anyValue = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -100, max: 100, noNaN: true }),
    fc.constantFrom(...extremes),
  );
  const anyTime = fc.oneof(
    fc.double({ min: 0, max: 8.64e15, noNaN: true }),
    fc.integer({ min: START, max: START + 100_000 }),
    fc.constantFrom(0, 5e-324, 8.64e15),
  );
  const anySeries = fc.array(fc.tuple(anyValue, anyTime), { maxLength: 60 });
  const anyFeatures = fc.oneof(fc.constant(ALL_FEATURES), fc.subarray(ALL_FEATURES));

  it("are never NaN or infinite, and go on from their stored state, whatever comes", () => {
    const property = fc.property(anyWindow, anyFeatures, anySeries, (window, features, series) => {
      const plan = planOf(window, features);
      let metric = new MetricFeatures(plan);
      let newest = 0;
      for (const [value, time] of series) {
        newest = Math.max(newest, time);
        const state = JSON.parse(JSON.stringify(metric));
        const restored = state.values.length > 0 ? MetricFeatures.from(plan, state) : new MetricFeatures(plan);
        const found = metric.push(value, time, newest - plan.span);
        for (const [name, feature] of Object.entries(found)) assert.ok(Number.isFinite(feature), `${name} ${feature}`);
        assert.deepEqual(restored?.push(value, time, newest - plan.span), found);
        assert.ok(isMetricState(JSON.parse(JSON.stringify(metric))));
        metric = restored as MetricFeatures;
      }
    });
    fc.assert(property, { numRuns: 2000, seed: 1 });
  });
});

describe("the state of rolling features", () => {
  const stopAndGoOn = (stopped: MetricFeatures, window: Window, features = ALL_FEATURES) =>
    MetricFeatures.from(planOf(window, features), JSON.parse(JSON.stringify(stopped)));

  it("goes on bit for bit as without the stop, wherever it stops", () => {
    for (const window of [...COUNTS, ...TIMES, { window: "time", size: 300 } as const]) {
      const next = random(3);
      const values = Array.from({ length: 200 }, () => 1e9 + next());
      const times = values.map((_, index) => START + 1000 * index - (index % 7 === 0 ? 2500 : 0));
      const steady = follow(window);
      const expected = values.map((value, index) => steady(value, times[index] as number));
      for (let stop = 1; stop < 100; stop++) {
        const stopped = follow(window);
        for (let index = 0; index < stop; index++) stopped(values[index] as number, times[index] as number);
        const restored = follow(window, ALL_FEATURES, stopAndGoOn(stopped.metric, window));
        for (let index = stop; index < values.length; index++) {
          assert.deepEqual(restored(values[index] as number, times[index] as number), expected[index]);
        }
      }
    }
  });

  it("gives what fits to another window, and its values to an exponential mean of another kind", () => {
    const changes: [from: Window, to: Window][] = [
      [COUNTS[4] as Window, COUNTS[1] as Window],
      [COUNTS[4] as Window, COUNTS[5] as Window],
      [
        { window: "count", size: 30 },
        { window: "time", size: 10 },
      ],
      [
        { window: "time", size: 30 },
        { window: "count", size: 10 },
      ],
      [
        { window: "time", size: 30 },
        { window: "time", size: 10 },
      ],
    ];
    for (const [from, to] of changes) {
      const next = random(9);
      const seen: Series = { values: [], times: [] };
      const push = follow(from);
      for (let step = 0; step < 50; step++) {
        seen.values.push(next());
        seen.times.push(START + 1000 * step);
        push(seen.values[step] as number, seen.times[step] as number);
      }
      const kept = newestOf(seen, from);
      kept.values.push(0.5);
      kept.times.push(START + 50_000);
      const { ewma, ...found } = follow(to, ALL_FEATURES, stopAndGoOn(push.metric, to))(0.5, START + 50_000);
      const features = ALL_FEATURES.filter((name) => name !== "ewma");
      assertFeatures(found, kept, to, features);
      if (from.window !== to.window) {
        const limited =
          to.window === "count"
            ? newestOf({ values: kept.values, times: kept.times }, { ...to, size: to.size + 1 })
            : kept;
        assertFeatures({ ewma: ewma as number }, limited, to, ["ewma"]);
      }
    }
  });

  it("starts an exponential mean from the window where there was none, and keeps one when the span changes", () => {
    const window: Window = { window: "count", size: 10 };
    const without = follow(window, ["mean"]);
    const withMean = follow(window, ["ewma"]);
    for (let step = 0; step < 10; step++) {
      without(step, START);
      withMean(step, START);
    }
    const added = stopAndGoOn(without.metric, window, ["ewma"]);
    assert.deepEqual(added?.push(10, START, 0), withMean(10, START));
    const wider = stopAndGoOn(withMean.metric, { window: "count", size: 1000 }, ["ewma"]);
    const { ewma = 0 } = wider?.push(1000, START, 0) ?? {};
    assert.ok(ewma > 100 && ewma < 300, `${ewma}`);
  });

  it("is of no use without times where these are needed", () => {
    const { metric, ...push } = follow({ window: "count", size: 5 }, ["mean"]);
    assert.ok(push);
    metric.push(1, START, 0);
    assert.equal(stopAndGoOn(metric, { window: "time", size: 5 }, ["mean"]), undefined);
    assert.equal(stopAndGoOn(metric, { window: "count", size: 5 }, ["ratePerSecond"]), undefined);
    assert.ok(stopAndGoOn(metric, { window: "count", size: 5 }, ["median"]));
  });

  it("is told from what is none", () => {
    const state = { values: [1, 2], older: 0 };
    assert.ok(isMetricState(state));
    assert.ok(isMetricState({ ...state, times: [1, 2], older: 1, ewma: [1, 1] }));
    const garbage: unknown[] = [
      undefined,
      null,
      7,
      [],
      {},
      { ...state, values: [] },
      { ...state, values: "1, 2" },
      { ...state, values: [1, null] },
      { ...state, values: [1, 2 * MAX_MAGNITUDE] },
      { ...state, older: -1 },
      { ...state, older: 2 },
      { ...state, older: 0.5 },
      { values: [1, 2] },
      { ...state, times: [1] },
      { ...state, times: [1, "2"] },
      { ...state, times: [1, 1e300] },
      { ...state, ewma: [1] },
      { ...state, ewma: [1, 0] },
      { ...state, ewma: [1, 1, null] },
      { ...state, ewma: [1, 1, 1, 1] },
    ];
    for (const each of garbage) assert.ok(!isMetricState(each), JSON.stringify(each));
  });
});
