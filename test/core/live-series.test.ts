import assert from "node:assert/strict";
import { firstMetrics, type LiveChart, LiveSeries } from "../../core/live-series.ts";
import type { Reading } from "../../core/types.ts";

const reading = (seconds: number, metrics: Record<string, number>, more: object = {}): Reading => ({
  deviceId: "P7",
  timestamp: 1000 * seconds,
  metrics,
  ...more,
});

const verdict = (value: number, isAnomaly: boolean, score = isAnomaly ? -6 : 1) => ({
  verdicts: {
    z: {
      detector: "z",
      isAnomaly,
      score,
      threshold: 4,
      metrics: { level: { value, expected: 10, lower: 8, upper: 12, score, isAnomaly } },
    },
  },
});

const lines = ({ series }: LiveChart) => Object.fromEntries(series.map(({ role, values }) => [role, values]));

describe("live series", () => {
  let series: LiveSeries;

  beforeEach(() => {
    series = new LiveSeries(20);
  });

  const ids = (...metrics: string[]) => series.charts(metrics).map(({ id }) => id);
  const chart = (...metrics: string[]) => series.charts(metrics)[0]?.chart as LiveChart;

  it("draw the limits of a metric across its chart, and only its own", () => {
    series.push(reading(1, { level: 10, flow: 3 }));
    const before = series.offer;
    series.setLimits([{ metric: "level", name: "full", value: 12 }]);
    assert.notEqual(series.offer, before);
    const limit = chart("level").series.at(-1);
    assert.deepEqual([limit?.name, limit?.role, limit?.values], ["full", "limit", [12]]);
    assert.ok(!("limit" in lines(chart("flow"))));
    series.push(reading(2, { level: 11 }));
    assert.deepEqual(series.since("metric level", 1)?.append.append.values.at(-1), [12]);
    series.setLimits([]);
    assert.ok(!("limit" in lines(chart("level"))));
  });

  it("draw the limits of a metric that comes later", () => {
    series.setLimits([{ metric: "level", name: "full", value: 12 }]);
    series.push(reading(1, { level: 10 }));
    assert.deepEqual(lines(chart("level")).limit, [12]);
  });

  it("have a chart for each chosen metric that there is, in the order of the choice", () => {
    series.push(reading(1, { level: 10, flow: 3 }));
    assert.deepEqual(ids("flow", "level", "pressure"), ["metric flow", "metric level"]);
  });

  it("add charts of anomaly score and health as soon as there is anything to show", () => {
    series.push(reading(1, { level: 10 }, verdict(10, false)));
    assert.deepEqual(ids("level"), ["metric level", "anomaly score"]);
    series.push(reading(2, { level: 10 }, { health: { score: 80, status: "warning", flags: [], contributors: [] } }));
    assert.deepEqual(ids("level"), ["metric level", "anomaly score", "health"]);
  });

  it("hold value, rolling mean, limits of normal and anomalies of a metric", () => {
    series.push(reading(1, { level: 10 }, { ...verdict(10, false), features: { level: { mean: 9.5 } } }));
    series.push(reading(2, { level: 30 }, verdict(30, true)));
    assert.deepEqual(lines(chart("level")), {
      value: [10, 30],
      mean: [9.5, null],
      lower: [8, 8],
      upper: [12, 12],
      anomaly: [null, 30],
    });
  });

  it("show the size of the worst score, an anomaly before all others", () => {
    const { z } = verdict(10, true).verdicts;
    const calm = { ...z, detector: "calm", isAnomaly: false, score: 9 };
    series.push(reading(1, { level: 10 }, { verdicts: { calm, z } }));
    assert.deepEqual(lines(chart()), { value: [6], limit: [4], anomaly: [6] });
  });

  it("draw a score that is off the scale at five thresholds", () => {
    series.push(reading(1, { level: 10 }, verdict(10, true, 1e6)));
    assert.deepEqual(lines(chart()).value, [20]);
  });

  it("keep no more values than they may, the newest", () => {
    for (let n = 0; n < 50; n++) series.push(reading(n, { level: n }));
    const { time, series: all } = chart("level");
    assert.deepEqual(
      all[0]?.values,
      Array.from({ length: 20 }, (_, n) => 30 + n),
    );
    assert.deepEqual(
      time,
      Array.from({ length: 20 }, (_, n) => 1000 * (30 + n)),
    );
  });

  it("leave out what is late, and what is bad", () => {
    series.push(reading(5, { level: 5 }));
    series.push(reading(4, { level: 4 }));
    series.push(reading(5, { level: 50 }));
    series.push(reading(6, { level: 6 }, { quality: "bad" }));
    assert.deepEqual(chart("level").time, [5000]);
  });

  it("give what has come since a chart was made, once", () => {
    series.push(reading(1, { level: 1 }));
    const [made] = series.charts(["level"]);
    assert.equal(series.since("metric level", made?.position ?? -1), undefined);
    series.push(reading(2, { level: 2 }));
    series.push(reading(3, { level: 3 }));
    const news = series.since("metric level", made?.position ?? -1);
    assert.deepEqual(news?.append.append.time, [2000, 3000]);
    assert.deepEqual(news?.append.append.values, [
      [2, 3],
      [null, null],
      [null, null],
      [null, null],
      [null, null],
    ]);
    assert.equal(series.since("metric level", news?.position ?? -1), undefined);
  });

  it("give all that is kept when more than that has come since", () => {
    series.push(reading(0, { level: 0 }));
    for (let n = 1; n <= 100; n++) series.push(reading(n, { level: n }));
    assert.equal(series.since("metric level", 1)?.append.append.time.length, 20);
  });

  it("tell by another offer that there is more to choose from, and by none that there are more values", () => {
    series.push(reading(1, { level: 1 }));
    const before = series.offer;
    series.push(reading(2, { level: 2 }));
    assert.equal(series.offer, before);
    series.push(reading(3, { flow: 2 }, { units: { flow: "l/s" } }));
    assert.notEqual(series.offer, before);
    assert.deepEqual(series.metrics, [{ name: "level" }, { name: "flow", unit: "l/s" }]);
  });

  it("call a silence of five usual intervals a gap", () => {
    for (const seconds of [0, 2, 4, 60, 62]) series.push(reading(seconds, { level: 1 }));
    assert.equal(chart("level").gapSeconds, 10);
  });

  it("take any name for a metric", () => {
    series.push(reading(1, JSON.parse('{"__proto__": 1, "constructor": 2, "anomaly score": 3, "health": 4}')));
    assert.deepEqual(ids("__proto__", "health"), ["metric __proto__", "metric health"]);
  });
});

describe("the metrics to begin with", () => {
  it("are the preferred ones in their order, then the others in theirs", () => {
    const names = ["speed", "battery", "temperature2", "load"];
    assert.deepEqual(firstMetrics(names, ["temperature*", "battery"], 3), ["temperature2", "battery", "speed"]);
  });

  it("are those that come first when none is preferred", () => {
    assert.deepEqual(firstMetrics(["b", "a"], [], 5), ["b", "a"]);
    assert.deepEqual(firstMetrics(["b", "a"], ["*"], 1), ["b"]);
  });
});
