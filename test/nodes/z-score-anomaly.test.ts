import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { mean, median, medianAbsoluteDeviation, sampleStandardDeviation } from "simple-statistics";
import { isReading } from "../../core/reading.ts";
import type { Verdict } from "../../core/types.ts";
import zScoreAnomaly from "../../nodes/z-score-anomaly/z-score-anomaly.ts";
import { oddInputs } from "../support/bad-input.ts";
import { payloads } from "../support/payloads.ts";
import { type Received, readingsOf, startNode, type TestNode } from "../support/test-flow.ts";

const TIME = Date.UTC(2024, 1, 29, 12);

/** Values around 50 that look random and are the same each time. */
const usual = (count: number) => Array.from({ length: count }, (_, i) => 50 + 3 * Math.sin(i * i));

const reading = (deviceId: string, temperature: number, i = 0, more: object = {}) => ({
  deviceId,
  timestamp: TIME + i * 1000,
  metrics: { temperature },
  ...more,
});

const series = (deviceId: string, values: number[]) => values.map((value, i) => reading(deviceId, value, i));

function verdictOf(message: Received | undefined, name = "z-score-anomaly"): Verdict | undefined {
  return readingsOf(message).at(-1)?.verdicts?.[name];
}

function assertClose(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= 1e-9 * Math.abs(expected),
    `${actual} ≠ ${expected}`,
  );
}

describe("z-score-anomaly", () => {
  let node: TestNode | undefined;
  afterEach(async () => {
    await node?.stop();
    node = undefined;
  });

  async function start(settings: object = {}): Promise<TestNode> {
    node = await startNode(zScoreAnomaly, { type: "z-score-anomaly", stateStore: "memory", ...settings });
    return node;
  }

  /** The verdict of a node of these settings on the last of some values. */
  async function judged(settings: object, values: number[]): Promise<Verdict | undefined> {
    const { send, output } = await start(settings);
    send({ payload: series("R1", values) });
    await node?.stop();
    return verdictOf(output(1)[0]);
  }

  const temperature = async (settings: object, values: number[]) => {
    const verdict = await judged(settings, values);
    assert.ok(verdict?.metrics.temperature, inspect(verdict));
    return verdict.metrics.temperature;
  };

  it("adds its verdict to each reading and takes nothing away", async () => {
    const { send, output } = await start();
    const before = usual(20);
    send({ payload: series("R1", before) });
    const other = { detector: "range", isAnomaly: false };
    send({ payload: reading("R1", 70, 20, { tags: { hall: "3" }, verdicts: { range: other } }), topic: "t" });
    const [{ verdicts, ...rest } = {}] = readingsOf(output(1)[1]);
    assert.deepEqual(rest, { ...reading("R1", 70, 20), tags: { hall: "3" } });
    assert.equal(output(1)[1]?.topic, "t");
    const deviation = sampleStandardDeviation(before);
    const { range, "z-score-anomaly": verdict } = verdicts ?? {};
    assert.deepEqual(range, other);
    assert.deepEqual(Object.keys(verdict ?? {}), ["detector", "isAnomaly", "score", "threshold", "metrics"]);
    assert.equal(verdict?.detector, "z-score-anomaly");
    assert.equal(verdict?.isAnomaly, true);
    assert.equal(verdict?.threshold, 2);
    const metric = verdict?.metrics.temperature;
    assert.deepEqual(Object.keys(metric ?? {}), ["value", "expected", "lower", "upper", "score", "isAnomaly"]);
    assert.equal(metric?.value, 70);
    assertClose(metric?.expected, mean(before));
    assertClose(metric?.lower, mean(before) - 2 * deviation);
    assertClose(metric?.upper, mean(before) + 2 * deviation);
    assertClose(metric?.score, (70 - mean(before)) / deviation);
    assert.equal(metric?.isAnomaly, true);
    assert.equal(verdict?.score, metric?.score);
  });

  it("sends every reading to output 1 and only the anomalous to output 2", async () => {
    const { send, output, completed } = await start();
    for (const { ...payload } of series("R1", usual(20))) send({ payload });
    send({ payload: reading("R1", 90) });
    send({ payload: [reading("R1", 50), reading("R1", 10)] });
    assert.deepEqual(
      output(1).map((message) => readingsOf(message).length),
      [...new Array(21).fill(1), 2],
    );
    assert.deepEqual(
      output(2)
        .flatMap(readingsOf)
        .map(({ metrics }) => metrics.temperature),
      [90, 10],
    );
    assert.ok(Array.isArray(output(2)[1]?.payload));
    assert.equal(completed().length, 22);
  });

  it("judges each device by its own readings", async () => {
    const { send, output } = await start();
    send({
      payload: [
        ...series("R1", usual(20)),
        ...series(
          "R2",
          usual(20).map((value) => value + 1000),
        ),
      ],
    });
    send({ payload: [reading("R1", 50), reading("R2", 1050), reading("R1", 1050), reading("R2", 50)] });
    const isAnomaly = readingsOf(output(1)[1]).map(({ verdicts }) => verdicts?.["z-score-anomaly"]?.isAnomaly);
    assert.deepEqual(isAnomaly, [false, false, true, true]);
  });

  it("neither judges nor learns readings of bad quality", async () => {
    const values = usual(20);
    const { send, output } = await start();
    send({ payload: series("R1", values) });
    send({ payload: reading("R1", 1e6, 20, { quality: "bad" }) });
    assert.equal(readingsOf(output(1)[1])[0]?.verdicts, undefined);
    send({ payload: reading("R1", 70) });
    assertClose(verdictOf(output(1)[2])?.metrics.temperature?.expected, mean(values));
    assert.deepEqual(output(2).length, 1);
  });

  describe("its option", () => {
    it("name files its verdicts under that name", async () => {
      const { send, output } = await start({ name: "temperature check" });
      send({ payload: series("R1", usual(20)) });
      assert.equal(verdictOf(output(1)[0], "temperature check")?.detector, "temperature check");
    });

    it("metrics limits it to some metrics, * being any characters", async () => {
      const { send, output } = await start({ metrics: "vib*, speed" });
      const metrics = (i: number) => ({ temperature: i, vibration: i, vib_x: i, speed: i, speeds: i });
      send({ payload: usual(20).map((value, i) => ({ ...reading("R1", 0, i), metrics: metrics(value) })) });
      assert.deepEqual(Object.keys(verdictOf(output(1)[0])?.metrics ?? {}), ["vibration", "vib_x", "speed"]);
    });

    it("method chooses between mean, median and weighted mean", async () => {
      const values = [...usual(20), 70];
      const before = values.slice(0, -1);
      const standard = await temperature({ method: "standard" }, values);
      assertClose(standard.expected, mean(before));
      assertClose(standard.score, (70 - mean(before)) / sampleStandardDeviation(before));
      const robust = await temperature({ method: "robust" }, values);
      assertClose(robust.expected, median(before));
      assertClose(robust.score, (70 - median(before)) / (1.4826 * medianAbsoluteDeviation(before)));
      const ewma = await temperature({ method: "ewma" }, values);
      const weights = before.map((_, i) => (1 - 2 / 21) ** (before.length - 1 - i));
      const weighted = before.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
      assertClose(ewma.expected, weighted / weights.reduce((sum, weight) => sum + weight));
    });

    it("windowSize and threshold say how many readings count and what is too far", async () => {
      const values = [...usual(20), 56];
      const { expected, score, isAnomaly } = await temperature({ windowSize: "12", threshold: "4.5" }, values);
      const window = values.slice(-13, -1);
      assertClose(expected, mean(window));
      assertClose(score, (56 - mean(window)) / sampleStandardDeviation(window));
      assert.equal(isAnomaly, false);
      assert.equal((await temperature({ windowSize: 12, threshold: 2 }, values)).isAnomaly, true);
    });

    it("baseline may include the reading itself", async () => {
      const values = [...usual(20), 70];
      const { expected } = await temperature({ baseline: "including" }, values);
      assertClose(expected, mean(values.slice(-20)));
    });

    it("minimumSamples says when verdicts begin", async () => {
      assert.equal(await judged({}, usual(10)), undefined);
      assert.ok(await judged({}, usual(11)));
      assert.equal(await judged({ minimumSamples: 15 }, usual(15)), undefined);
      assert.ok(await judged({ minimumSamples: 15 }, usual(16)));
    });

    it("direction watches one side only", async () => {
      for (const [direction, value, expected] of [
        ["both", 90, true],
        ["both", 10, true],
        ["above", 90, true],
        ["above", 10, false],
        ["below", 90, false],
        ["below", 10, true],
      ] as const) {
        const metric = await temperature({ direction }, [...usual(20), value]);
        assert.equal(metric.isAnomaly, expected, `${direction} ${value}`);
        assert.equal(metric.score > 0, value > 50, "the score is signed");
        assert.equal("lower" in metric, direction !== "above");
        assert.equal("upper" in metric, direction !== "below");
      }
    });

    it("learning may leave anomalies out, until relearnAfter of them show a new level", async () => {
      const settings = { learning: "normal-only", relearnAfter: "5" };
      const four = await temperature(settings, [...usual(20), 90, 91, 90, 91, 92]);
      assertClose(four.expected, mean(usual(20)));
      const { send, output } = await start({ ...settings, minimumSamples: 2 });
      send({ payload: series("R1", [...usual(20), 90, 91, 90, 91, 92, 91]) });
      const relearnt = verdictOf(output(1)[0])?.metrics.temperature;
      assertClose(relearnt?.expected, mean([90, 91, 90, 91, 92]));
      assert.equal(relearnt?.isAnomaly, false);
      await node?.stop();
      const all = await temperature({ learning: "all" }, [...usual(20), 90, 91]);
      assertClose(all.expected, mean([...usual(20).slice(1), 90]));
    });

    it("minimumDeviation keeps a flat signal's first wiggle from being an anomaly", async () => {
      const flat = new Array(20).fill(50);
      assert.equal((await temperature({}, [...flat, 50.1])).score, 1e6);
      assert.equal((await temperature({}, [...flat, 50])).score, 0);
      const { score, isAnomaly, upper } = await temperature({ minimumDeviation: "0.2" }, [...flat, 50.1]);
      assertClose(score, 0.1 / 0.2);
      assertClose(upper, 50.4);
      assert.equal(isAnomaly, false);
    });

    it("maxDevices refuses the device too many, and the others keep their windows", async () => {
      const { send, output, caught, reasons } = await start({ maxDevices: 50 });
      const values = usual(20);
      for (const value of values) {
        send({ payload: Array.from({ length: 51 }, (_, i) => reading(`R${i + 1}`, value + i)) });
        assert.equal(readingsOf(output(1).at(-1)).length, 50);
        assert.deepEqual(
          readingsOf(caught().at(-1)).map(({ deviceId }) => deviceId),
          ["R51"],
        );
        assert.match(reasons().at(-1) ?? "", /R51 is refused: there are 50 devices already/);
      }
      send({ payload: Array.from({ length: 50 }, (_, i) => reading(`R${i + 1}`, 100 + i)) });
      for (const [i, { verdicts }] of readingsOf(output(1).at(-1)).entries()) {
        assertClose(verdicts?.["z-score-anomaly"]?.metrics.temperature?.expected, mean(values) + i);
      }
    });

    for (const [setting, text] of [
      [{ windowSize: 1 }, "windowSize: must be a whole number from 2 to 100000"],
      [{ windowSize: "2.5" }, "windowSize: must be a whole number from 2 to 100000"],
      [{ threshold: -1 }, "threshold: must be a number from 0 to 1000000"],
      [{ method: "magic" }, "method: must be one of standard, robust, ewma"],
      [{ direction: "up" }, "direction: must be one of both, above, below"],
      [{ baseline: "" }, "baseline: must be one of previous, including"],
      [{ learning: "none" }, "learning: must be one of all, normal-only"],
      [{ minimumSamples: 0 }, "minimumSamples: must be a whole number from 2 to 100000"],
      [{ relearnAfter: "x" }, "relearnAfter: must be a whole number from 2 to 1000"],
      [{ minimumDeviation: -0.1 }, "minimumDeviation: must be a number from 0 to 1000000000000"],
      [{ stateStore: "tape" }, "stateStore: must be one of file, memory, default"],
    ] as const) {
      it(`${Object.keys(setting)[0]} cannot be ${inspect(Object.values(setting)[0])}`, async () => {
        const { statuses, logged } = await start(setting);
        assert.deepEqual(statuses(), [{ fill: "red", shape: "ring", text }]);
        assert.deepEqual(logged(), [text]);
      });
    }
  });

  describe("its command score", () => {
    it("gives the verdicts that readings would get, without learning or changing anything", async () => {
      const { send, output, completed } = await start();
      send({ payload: series("R1", usual(20)) });
      for (let i = 0; i < 100; i++) send({ command: "score", payload: reading("R1", 70, i), topic: "t" });
      send({ command: "score", payload: [reading("R1", 50), reading("R1", 71)] });
      const scored = output(1).slice(1);
      assert.equal(verdictOf(scored[0])?.isAnomaly, true);
      assert.equal(scored[0]?.topic, "t");
      assert.deepEqual(verdictOf(scored[99]), verdictOf(scored[0]));
      assert.equal(readingsOf(scored[100]).length, 2);
      assert.deepEqual(output(2), []);
      send({ payload: reading("R1", 70) });
      assert.deepEqual(verdictOf(output(1).at(-1)), verdictOf(scored[0]));
      assert.equal(completed().length, 103);
    });

    it("has no verdict on a device that it does not know, and does not take it in", async () => {
      const { send, output, caught } = await start({ maxDevices: 1 });
      send({ payload: series("R1", usual(20)) });
      send({ command: "score", payload: reading("R2", 70) });
      assert.equal(readingsOf(output(1)[1])[0]?.verdicts, undefined);
      assert.deepEqual(caught(), []);
      send({ payload: reading("R2", 70) });
      assert.equal(caught().length, 1, "there is no room for it");
    });

    it("refuses what it cannot score", async () => {
      const { send, output, caught, reasons } = await start();
      for (const payload of [null, "hello", [], { x: 1 }, [reading("R1", 1), reading("R1", Number.NaN)]]) {
        send({ command: "score", payload });
      }
      assert.deepEqual(output(1), []);
      assert.equal(caught().length, 5);
      assert.match(reasons()[4] ?? "", /temperature: NaN is not a finite number/);
    });
  });

  it("forgets a device's baseline at the command reset", async () => {
    const { send, output } = await start();
    send({ payload: [...series("R1", usual(20)), ...series("R2", usual(20))] });
    send({ command: "reset", payload: { deviceId: "R1" } });
    send({ payload: [reading("R1", 70), reading("R2", 70)] });
    const verdicts = readingsOf(output(1).at(-1)).map(({ verdicts }) => verdicts?.["z-score-anomaly"]?.isAnomaly);
    assert.deepEqual(verdicts, [undefined, true]);
  });

  describe("given", () => {
    for (const { what, topic, payload, passed, refused, reason } of oddInputs()) {
      it(`${what}, ${passed.length > 0 ? "lets the good go on" : "refuses it"} and judges the rest as ever`, async () => {
        const { send, output, caught, reasons, completed } = await start();
        send({ payload: series("watched", usual(20)) });
        send({ topic, payload });
        const readings = output(1).slice(1).flatMap(readingsOf);
        assert.ok(readings.every(isReading));
        assert.deepEqual(
          readings.map(({ deviceId }) => deviceId),
          passed,
        );
        const whole = Array.isArray(payload) && passed.length > 0 ? refused : refused[0];
        assert.deepEqual(
          caught().map((message) => message.payload),
          refused.length > 0 ? [whole] : [],
        );
        if (reason) assert.match(reasons()[0] ?? "", reason);
        assert.equal(completed().length, passed.length > 0 ? 2 : 1);
        send({ payload: reading("watched", 70) });
        assertClose(verdictOf(output(1).at(-1))?.metrics.temperature?.expected, mean(usual(20)));
      });
    }

    it("the year 3000, takes it, for the time is nothing to it", async () => {
      const { send, output } = await start();
      send({ payload: reading("R1", 50, 0, { timestamp: Date.UTC(3000, 0) }) });
      assert.equal(readingsOf(output(1)[0])[0]?.timestamp, Date.UTC(3000, 0));
    });

    it("more metrics of a device than it can keep, refuses them and keeps those it has", async () => {
      const { send, output, caught } = await start();
      const metrics = (prefix: string, count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, i]));
      send({ payload: series("R1", usual(20)) });
      send({ payload: { ...reading("R1", 0), metrics: metrics("a", 999) } });
      send({ payload: { ...reading("R1", 0), metrics: metrics("b", 1) } });
      assert.equal(output(1).length, 2);
      assert.equal(caught().length, 1);
      send({ payload: reading("R1", 70) });
      assertClose(verdictOf(output(1).at(-1))?.metrics.temperature?.expected, mean(usual(20)));
    });
  });

  it("passes on or refuses each of 10,000 arbitrary payloads, and then judges as a fresh node does", async () => {
    const known = () => ({ payload: series("known device", [...usual(30), 90, 50, 10]) });
    const fresh = await start();
    fresh.send(known());
    await fresh.stop();

    const { send, output, caught, completed } = await start({ maxDevices: 1_000_000 });
    const command = fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant("score") },
    );
    fc.assert(
      fc.property(payloads, fc.constantFrom(undefined, "R1"), command, (payload, topic, command) => {
        const before = [output(1).length, caught().length, completed().length] as const;
        send({ topic, payload, command });
        const [passed, refused, ended] = [output(1).slice(before[0]), caught().slice(before[1]), completed().length];
        assert.ok(passed.length + refused.length > 0);
        assert.equal(ended - before[2], passed.length, "it is completed once if anything goes on");
        const readings = passed.flatMap(readingsOf);
        assert.ok(readings.every(isReading));
        const rest = Array.isArray(refused[0]?.payload) ? refused[0].payload.length : refused.length;
        if (Array.isArray(payload)) assert.ok(readings.length + rest >= payload.length);
      }),
      { numRuns: 10_000, seed: 1 },
    );
    send(known());
    assert.deepEqual(output(1).at(-1)?.payload, fresh.output(1)[0]?.payload);
  });
});
