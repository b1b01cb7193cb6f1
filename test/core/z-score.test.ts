import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_METRICS } from "../../core/limits.ts";
import type { Metrics, Reading, Verdict } from "../../core/types.ts";
import { MAX_SCORE, ZScoreDetector, type ZScoreOptions } from "../../core/z-score.ts";
import { assertClose, expectedComparison, random } from "./oracle.ts";

const DEFAULTS: ZScoreOptions = {
  method: "standard",
  windowSize: 20,
  threshold: 2,
  baseline: "previous",
  minimumSamples: 10,
  direction: "both",
  learning: "all",
  relearnAfter: 20,
  minimumDeviation: 0,
};
const METHODS = ["standard", "robust", "ewma"] as const;
const BASELINES = ["previous", "including"] as const;
const DIRECTIONS = ["both", "above", "below"] as const;
const LEARNINGS = ["all", "normal-only"] as const;

function reading(metrics: Metrics): Reading {
  return { deviceId: "R1", timestamp: 0, metrics };
}

function detector(options: Partial<ZScoreOptions> = {}, values: readonly number[] = []): ZScoreDetector {
  const made = new ZScoreDetector("z-score-anomaly", { ...DEFAULTS, ...options });
  for (const value of values) made.push(reading({ value }));
  return made;
}

function stopAndGoOn(stopped: ZScoreDetector, options: ZScoreOptions): ZScoreDetector {
  return ZScoreDetector.from(stopped.name, options, JSON.parse(JSON.stringify(stopped)));
}

/** The verdict on a lone metric `value`. */
function judge(by: ZScoreDetector, value: number) {
  return by.score(reading({ value }))?.metrics.value;
}

/** Holds a verdict against the two-pass computation; `values` are all that the metric had before. */
function assertVerdict(
  verdict: Verdict | undefined,
  metric: string,
  values: readonly number[],
  value: number,
  options: ZScoreOptions,
  origin = 0,
): void {
  const learnt = options.baseline === "including" ? [...values, value] : values;
  const actual = verdict?.metrics[metric];
  const isFull = options.method !== "ewma" && learnt.length >= options.windowSize;
  if (learnt.length < 2 || (learnt.length < options.minimumSamples && !isFull)) {
    assert.equal(actual, undefined);
    return;
  }
  assert.ok(actual && verdict);
  const { expected, difference, deviation } = expectedComparison(
    options.method,
    options.windowSize,
    learnt,
    value,
    origin,
  );
  const { threshold, direction } = options;
  const raw = deviation === 0 ? Math.sign(difference) * MAX_SCORE : difference / deviation;
  const score = Math.max(-MAX_SCORE, Math.min(MAX_SCORE, difference === 0 ? 0 : raw));
  const rounding = 1e-15 * Math.abs(expected) + 1e-12 * deviation;
  assertClose(actual.score, score, 1e-12);
  assertClose(actual.expected - origin, expected - origin, rounding);
  assert.equal(actual.value, value);
  assert.equal("lower" in actual, direction !== "above");
  assert.equal("upper" in actual, direction !== "below");
  const margin = threshold * deviation;
  if (actual.lower !== undefined) assertClose(actual.lower - origin, expected - origin - margin, 2 * rounding);
  if (actual.upper !== undefined) assertClose(actual.upper - origin, expected - origin + margin, 2 * rounding);
  const isAbove = direction !== "below" && score > threshold;
  const isBelow = direction !== "above" && score < -threshold;
  assert.equal(actual.isAnomaly, isAbove || isBelow);
}

describe("ZScoreDetector against a two-pass computation", () => {
  const series: [name: string, origin: number, value: (next: () => number, step: number) => number | undefined][] = [
    ["random values", 0, (next) => 40 + 20 * next() + 20 * next()],
    ["values of 1e9 ± 0.1", 1e9, (next) => 1e9 + (next() - 0.5) / 5],
    ["tiny values", 0, (next) => 1e-12 * next()],
    ["a level that steps and drifts", 0, (next, step) => Math.floor(step / 70) * 1000 + step / 8 + next()],
    ["values with gaps", 0, (next) => (next() < 0.3 ? undefined : next())],
    ["few distinct values", 0, (next) => Math.floor(3 * next())],
    ["equal values", 0.1, () => 0.1],
    ["one value", 0, (_, step) => (step === 100 ? 7 : undefined)],
  ];
  for (const [index, [name, origin, valueAt]] of series.entries()) {
    it(`is equal to 1e-9 for ${name}: every method, baseline and direction`, () => {
      for (const method of METHODS) {
        for (const baseline of BASELINES) {
          for (const direction of DIRECTIONS) {
            for (const windowSize of [2, 7, 20]) {
              const options = { ...DEFAULTS, method, baseline, direction, windowSize };
              const next = random(index + 1);
              const tested = detector(options);
              const seen: number[] = [];
              for (let step = 0; step < 200; step++) {
                const value = valueAt(next, step);
                const verdict = tested.push(reading({ other: step, ...(value !== undefined && { value }) }));
                if (value === undefined) {
                  assert.equal(verdict?.metrics.value, undefined);
                } else {
                  assertVerdict(verdict, "value", seen, value, options, origin);
                  seen.push(value);
                }
              }
            }
          }
        }
      }
    });
  }

  for (const method of METHODS) {
    it(`is equal to 1e-9 after 1e7 updates with 1e9 ± 0.1, method ${method}`, () => {
      const next = random(7);
      const options = { ...DEFAULTS, method };
      const tested = detector(options);
      const seen: number[] = [];
      const message = reading({ value: 0 });
      const updates = 1e7;
      for (let step = 0; step < updates; step++) {
        const value = 1e9 + (next() - 0.5) / 5;
        message.metrics.value = value;
        const verdict = tested.push(message);
        // The oracle sees the last 600 values of each of ten checkpoints: what is older weighs less than 1e-24 in ewma.
        if (step % (updates / 10) < updates / 10 - 600) continue;
        if (seen.length === 600) seen.length = 0;
        if (seen.length >= 560) assertVerdict(verdict, "value", seen, value, options, 1e9);
        seen.push(value);
      }
    });
  }
});

describe("ZScoreDetector", () => {
  it("scores a reading without learning from it, exactly as push then judges it", () => {
    for (const method of METHODS) {
      for (const baseline of BASELINES) {
        for (const learning of LEARNINGS) {
          const next = random(3);
          const tested = detector({ method, baseline, learning, windowSize: 7, relearnAfter: 5 });
          for (let step = 0; step < 100; step++) {
            const given = reading({ a: next() + (step > 50 ? 9 : 0), b: next() ** 9 });
            const state = JSON.stringify(tested);
            const score = tested.score(given);
            assert.equal(JSON.stringify(tested), state);
            assert.deepEqual(score, tested.push(given));
          }
        }
      }
    }
  });

  it("sums up its metrics: the largest absolute score, and an anomaly when any is", () => {
    const tested = detector({ threshold: 3 });
    for (let step = 0; step < 20; step++) tested.push(reading({ a: step % 2, b: step % 2 }));
    const verdict = tested.push(reading({ a: 1, b: -5 }));
    assert.ok(verdict);
    assert.equal(verdict.detector, "z-score-anomaly");
    assert.equal(verdict.threshold, 3);
    assert.equal(verdict.isAnomaly, true);
    assert.equal(verdict.metrics.a?.isAnomaly, false);
    assert.equal(verdict.score, -(verdict.metrics.b?.score ?? 0));
  });

  it("gives no verdict before minimumSamples, and counts this reading only when including it", () => {
    const values = [1, 2, 3, 4];
    assert.equal(judge(detector({ minimumSamples: 5 }, values), 5), undefined);
    assert.ok(judge(detector({ minimumSamples: 5, baseline: "including" }, values), 5));
    assert.ok(judge(detector({ minimumSamples: 4 }, values), 5));
  });

  it("is content with a full window, and never with fewer than two values", () => {
    assert.ok(judge(detector({ windowSize: 2, minimumSamples: 10 }, [1, 2]), 3));
    assert.equal(judge(detector({ method: "ewma", windowSize: 2, minimumSamples: 10 }, [1, 2]), 3), undefined);
    for (const method of METHODS) {
      assert.equal(judge(detector({ method, minimumSamples: 0 }, [1]), 3), undefined);
      assert.ok(judge(detector({ method, minimumSamples: 0 }, [1, 2]), 3));
    }
  });

  it("scores 0 for a value equal to a flat baseline, and ±1e6 for any other", () => {
    for (const method of METHODS) {
      const flat = detector({ method }, Array(30).fill(20.1));
      assert.deepEqual(judge(flat, 20.1), {
        value: 20.1,
        expected: 20.1,
        lower: 20.1,
        upper: 20.1,
        score: 0,
        isAnomaly: false,
      });
      assert.equal(judge(flat, 20.2)?.score, MAX_SCORE);
      assert.equal(judge(flat, -1e300)?.score, -MAX_SCORE);
    }
  });

  it("takes no deviation for smaller than minimumDeviation", () => {
    const verdict = judge(detector({ minimumDeviation: 0.5 }, Array(20).fill(20)), 20.75);
    assert.deepEqual(verdict, { value: 20.75, expected: 20, lower: 19, upper: 21, score: 1.5, isAnomaly: false });
  });

  it("finds anomalies only on the side it watches", () => {
    const flags = DIRECTIONS.map((direction) =>
      [-9, 0.5, 9].map((value) => judge(detector({ direction }, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]), value)?.isAnomaly),
    );
    assert.deepEqual(flags, [
      [true, false, true],
      [false, false, true],
      [true, false, false],
    ]);
  });

  it("neither judges nor learns readings of a device in maintenance", () => {
    const tested = detector({ minimumSamples: 2 }, [1, 2, 1, 2]);
    const before = JSON.stringify(tested);
    const serviced: Reading = { ...reading({ value: 100 }), maintenance: { since: 0, until: 1 } };
    assert.equal(tested.push(serviced), undefined);
    assert.equal(tested.score(serviced), undefined);
    assert.equal(JSON.stringify(tested), before);
  });

  it("neither judges nor learns readings of bad quality, but those of stale quality", () => {
    const tested = detector({}, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    const state = JSON.stringify(tested);
    const bad: Reading = { ...reading({ value: 100 }), quality: "bad" };
    assert.equal(tested.score(bad), undefined);
    assert.equal(tested.push(bad), undefined);
    assert.equal(JSON.stringify(tested), state);
    assert.ok(tested.push({ ...bad, quality: "stale" })?.isAnomaly);
  });

  it("passes over metrics that the filter doesn't accept", () => {
    const tested = detector();
    for (let step = 0; step < 20; step++) tested.push(reading({ a: step, b: step }), (metric) => metric === "a");
    assert.deepEqual(
      tested.toJSON().metrics.map(([metric]) => metric),
      ["a"],
    );
    assert.deepEqual(Object.keys(tested.score(reading({ a: 1, b: 1 }))?.metrics ?? {}), ["a"]);
    assert.equal(
      tested.score(reading({ a: 1 }), () => false),
      undefined,
    );
  });

  it("takes any name for a metric, and comes to no harm by __proto__", () => {
    const tested = detector();
    const metrics = JSON.parse('{ "constructor": 1, "toString": 2, "": 3, "__proto__": 4 }');
    for (let step = 0; step < 20; step++) tested.push(reading(metrics));
    const verdict = stopAndGoOn(tested, DEFAULTS).push(reading(metrics));
    assert.deepEqual(Object.keys(verdict?.metrics ?? {}), ["constructor", "toString", ""]);
    assert.equal(Object.getPrototypeOf(verdict?.metrics), Object.prototype);
  });

  it("refuses a metric beyond the limit before it learns anything", () => {
    const tested = detector();
    const names = Array.from({ length: MAX_METRICS }, (_, index) => `m${index}`);
    const all = Object.fromEntries(names.map((name) => [name, 1]));
    tested.push(reading(all));
    tested.push(reading(all));
    const state = JSON.stringify(tested);
    const tooMany = reading({ m0: 5, another: 1 });
    assert.throws(() => tested.push(tooMany), { name: "RangeError", message: /would have 1001 metrics, at most 1000/ });
    assert.throws(() => tested.score(tooMany), RangeError);
    assert.equal(JSON.stringify(tested), state);
    tested.push(tooMany, (metric) => metric === "m0");
    assert.notEqual(JSON.stringify(tested), state);
  });

  it("refuses options out of their range", () => {
    const wrong: Partial<ZScoreOptions>[] = [
      { windowSize: 1 },
      { windowSize: 2.5 },
      { threshold: -1 },
      { threshold: Number.NaN },
      { threshold: 2 * MAX_SCORE },
      { minimumSamples: -1 },
      { relearnAfter: 0 },
      { minimumDeviation: Number.POSITIVE_INFINITY },
    ];
    for (const options of wrong) {
      const [name] = Object.keys(options);
      assert.throws(() => detector(options), { name: "RangeError", message: new RegExp(`^${name} must be`) });
    }
  });

  it("stays right while outliers of 1e15 and 1e300 come and go", () => {
    for (const method of ["standard", "robust"] as const) {
      for (const baseline of BASELINES) {
        for (const outlier of [1e15, -1e15, 1e300, -1e300, Number.MAX_VALUE]) {
          const options = { ...DEFAULTS, method, baseline, windowSize: 7, minimumSamples: 7 };
          for (let arrival = 0; arrival < 21; arrival++) {
            const next = random(arrival);
            const tested = detector(options);
            const seen: number[] = [];
            for (let step = 0; step < arrival + 21; step++) {
              const value = step === arrival ? outlier : 1e9 + next() / 5;
              const verdict = tested.push(reading({ value }));
              assertFinite(verdict);
              if (step > arrival + 7) assertVerdict(verdict, "value", seen, value, options, 1e9);
              seen.push(value);
            }
          }
        }
      }
    }
  });

  it("knows an outlier of 1e300 by its score, also in a baseline that includes it", () => {
    const normal = Array.from({ length: 20 }, random(1));
    assert.equal(judge(detector({}, normal), 1e300)?.score, MAX_SCORE);
    assertClose(judge(detector({ baseline: "including" }, normal), 1e300)?.score ?? 0, 19 / Math.sqrt(20), 0);
  });

  it("never gives NaN or infinity, whatever finite values and options it meets", () => {
    const anyOptions = fc.record({
      method: fc.constantFrom(...METHODS),
      baseline: fc.constantFrom(...BASELINES),
      direction: fc.constantFrom(...DIRECTIONS),
      learning: fc.constantFrom(...LEARNINGS),
      windowSize: fc.integer({ min: 2, max: 9 }),
      minimumSamples: fc.integer({ min: 0, max: 9 }),
      relearnAfter: fc.integer({ min: 1, max: 9 }),
      threshold: fc.double({ min: 0, max: MAX_SCORE, noNaN: true }),
      minimumDeviation: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e140, noNaN: true })),
    });
    const extremes = [0, -0, 5e-324, 1e-160, 1e15, 1e140, -1e155, 1e300, -Number.MAX_VALUE, Number.MAX_VALUE];
    const anyValue = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: -100, max: 100, noNaN: true }),
      fc.constantFrom(...extremes),
    );
    const property = fc.property(anyOptions, fc.array(anyValue, { maxLength: 60 }), (options, values) => {
      let tested = detector(options);
      for (const value of values) {
        const other = stopAndGoOn(tested, options);
        const verdict = tested.push(reading({ value }));
        assertFinite(verdict);
        assert.deepEqual(other.push(reading({ value })), verdict);
        tested = other;
      }
    });
    fc.assert(property, { numRuns: 2000, seed: 1 });
  });
});

function assertFinite(verdict: Verdict | undefined): void {
  if (!verdict) return;
  assert.ok(verdict.score >= 0 && verdict.score <= MAX_SCORE);
  for (const metric of Object.values(verdict.metrics)) {
    for (const number of [metric.expected, metric.lower, metric.upper, metric.score]) {
      assert.ok(number === undefined || Number.isFinite(number), JSON.stringify(metric));
    }
    assert.ok(Math.abs(metric.score) <= MAX_SCORE);
  }
}

describe("ZScoreDetector that learns only from normal values", () => {
  const noise = Array.from({ length: 20 }, random(5));

  it("keeps anomalies out of the baseline", () => {
    for (const method of METHODS) {
      for (const baseline of BASELINES) {
        const options = { method, baseline, learning: "normal-only", threshold: 2.5 } as const;
        const disturbed = detector(options, noise);
        for (const value of [50, -50, 1e300]) assert.equal(disturbed.push(reading({ value }))?.isAnomaly, true);
        assert.deepEqual(judge(disturbed, 0.5), judge(detector(options, noise), 0.5));
      }
    }
  });

  it("learns everything until it gives verdicts", () => {
    const values = [0, 1000, 0, 1, 0, 1, 0, 1, 0];
    assert.deepEqual(
      judge(detector({ learning: "normal-only" }, [...values, 1]), 5),
      judge(detector({ learning: "all" }, [...values, 1]), 5),
    );
  });

  it("starts anew from the anomalies once relearnAfter of them come in a row", () => {
    for (const method of METHODS) {
      for (const baseline of BASELINES) {
        const options = { method, baseline, learning: "normal-only", threshold: 2, relearnAfter: 10 } as const;
        const tested = detector(options, noise);
        const level = noise.slice(0, 10).map((value) => value + 100);
        for (const value of level) assert.equal(tested.push(reading({ value }))?.isAnomaly, true);
        assert.equal(judge(tested, 100.5)?.isAnomaly, false);
        assert.deepEqual(judge(tested, 103), judge(detector(options, level), 103));
        for (let times = 1; times < 10; times++) assert.equal(tested.push(reading({ value: -100 }))?.isAnomaly, true);
        assert.equal(judge(tested, -100)?.isAnomaly, true);
      }
    }
  });

  it("counts the row anew after a normal value, each metric by itself", () => {
    const tested = detector({ learning: "normal-only", threshold: 3, relearnAfter: 3 });
    for (const value of noise) tested.push(reading({ a: value, b: value }));
    for (const a of [100, 100, 0.5, 100, 100]) tested.push(reading({ a, b: 0.5 }));
    assert.equal(tested.score(reading({ a: 100 }))?.isAnomaly, true);
    tested.push(reading({ b: 100 }));
    tested.push(reading({ a: 100 }));
    assert.equal(tested.score(reading({ a: 100 }))?.isAnomaly, undefined);
    assert.equal(tested.score(reading({ b: 100 }))?.isAnomaly, true);
  });
});

describe("The state of a ZScoreDetector", () => {
  it("goes on bit for bit as without the stop, wherever it stops", () => {
    for (const method of METHODS) {
      for (const baseline of BASELINES) {
        for (const learning of LEARNINGS) {
          for (const windowSize of [2, 3, 7, 8]) {
            const options = { ...DEFAULTS, method, baseline, learning, windowSize, minimumSamples: 3, relearnAfter: 4 };
            const next = random(windowSize);
            const readings = Array.from({ length: 60 }, (_, step) =>
              reading({ a: 1e9 + next() + (step % 30 > 25 ? 50 : 0), ...(step % 3 > 0 && { b: next() ** 20 - 0.1 }) }),
            );
            const steady = detector(options);
            const verdicts = readings.map((each) => steady.push(each));
            for (let stop = 0; stop < 40; stop++) {
              const stopped = detector(options);
              for (const each of readings.slice(0, stop)) stopped.push(each);
              const restored = stopAndGoOn(stopped, options);
              assert.deepEqual(
                readings.slice(stop).map((each) => restored.push(each)),
                verdicts.slice(stop),
              );
            }
          }
        }
      }
    }
  });

  it("gives the newest values that fit to another window size or method", () => {
    const values = Array.from({ length: 50 }, random(9));
    const changes: [from: Partial<ZScoreOptions>, to: Partial<ZScoreOptions>, kept: number][] = [
      [{}, { windowSize: 12 }, 12],
      [{}, { windowSize: 30 }, 20],
      [{}, { method: "robust" }, 20],
      [{ method: "robust" }, {}, 20],
      [{ method: "robust" }, { method: "ewma", windowSize: 10 }, 20],
    ];
    for (const [from, to, kept] of changes) {
      const restored = stopAndGoOn(detector(from, values), { ...DEFAULTS, ...to });
      assertVerdict(restored.score(reading({ value: 2 })), "value", values.slice(-kept), 2, { ...DEFAULTS, ...to });
    }
  });

  it("keeps an exponential mean when the span changes, and starts anew for a method that needs values", () => {
    const values = Array.from({ length: 50 }, random(9));
    const stopped = detector({ method: "ewma" }, values);
    const wider = stopAndGoOn(stopped, { ...DEFAULTS, method: "ewma", windowSize: 40 });
    assert.deepEqual(judge(wider, 2), judge(stopped, 2));
    assert.deepEqual(stopAndGoOn(stopped, DEFAULTS).toJSON(), { metrics: [] });
  });

  it("is refused with a reason when it is not one", () => {
    const window = { values: [1, 2, 3] };
    const sums = { count: 3, mean: [1, 0], weight: 2, pairs: 1, squares: 1 };
    const garbage: unknown[] = [
      undefined,
      null,
      7,
      "state",
      [],
      {},
      { metrics: {} },
      { metrics: [null] },
      { metrics: [[1, window]] },
      { metrics: [["a"]] },
      { metrics: [["a", { values: "1, 2" }]] },
      { metrics: [["a", { values: [1, null] }]] },
      { metrics: [["a", { values: [1, Number.NaN] }]] },
      { metrics: [["a", { values: [1, 1e300] }]] },
      { metrics: [["a", { ...window, newer: 2 }]] },
      { metrics: [["a", { ...window, newer: -1 }]] },
      { metrics: [["a", { ...window, newer: "1" }]] },
      { metrics: [["a", window, [null]]] },
      { metrics: [["a", { ...sums, mean: [1] }]] },
      { metrics: [["a", { ...sums, count: "3" }]] },
      { metrics: [["a", { ...sums, weight: 0 }]] },
      { metrics: [["a", { ...sums, pairs: 0 }]] },
      { metrics: [["a", { ...sums, squares: Number.NaN }]] },
      { metrics: Array.from({ length: MAX_METRICS + 1 }, (_, index) => [`m${index}`, window]) },
    ];
    for (const state of garbage) {
      assert.throws(() => ZScoreDetector.from("z", DEFAULTS, state), { name: "TypeError", message: /state/ });
    }
    for (const state of [window, sums]) ZScoreDetector.from("z", DEFAULTS, { metrics: [["a", state]] });
  });
});
