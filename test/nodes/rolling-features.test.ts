import assert from "node:assert/strict";
import fc from "fast-check";
import { isReading } from "../../core/reading.ts";
import type { Metrics } from "../../core/types.ts";
import rollingFeatures from "../../nodes/rolling-features/rolling-features.ts";
import { oddInputs } from "../support/bad-input.ts";
import { newFolder } from "../support/folders.ts";
import { payloads } from "../support/payloads.ts";
import { type NodeOptions, readingsOf, startNode, type TestNode } from "../support/test-flow.ts";

const TIME = Date.UTC(2024, 1, 29, 12);

/** A reading of a time in seconds. */
const reading = (metrics: Metrics, second = 0, more: object = {}) => ({
  deviceId: "R1",
  timestamp: TIME + 1000 * second,
  metrics,
  ...more,
});

describe("rolling-features", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(async () => {
    await node.stop();
  });

  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(rollingFeatures, { type: "rolling-features", stateStore: "memory", ...settings }, options);
  }

  const startOnFiles = (settings: object = {}) => start({ stateStore: "file", ...settings }, { settings: { userDir } });

  const send = (payload: unknown) => node.send({ payload });
  const featuresOf = () =>
    node
      .output(1)
      .flatMap(readingsOf)
      .map(({ features }) => features);
  /** A feature of the metric `a` of all readings so far. */
  const valuesOf = (feature: string) => featuresOf().map((features) => features?.a?.[feature]);

  it("adds the mean of the last 5 readings of each metric, and takes nothing away", async () => {
    await start();
    for (const a of [1, 2, 3, 4, 5]) send(reading({ a, b: 10 * a }, a));
    node.send({ payload: reading({ a: 6, b: 60 }, 6, { tags: { hall: "3" } }), topic: "t" });
    const message = node.output(1).at(-1);
    assert.deepEqual(message?.payload, {
      ...reading({ a: 6, b: 60 }, 6, { tags: { hall: "3" } }),
      features: { a: { mean: 4 }, b: { mean: 40 } },
    });
    assert.equal(message?.topic, "t");
    assert.equal(node.completed().length, 6);
  });

  it("sums up the readings of an array one by one, each device's apart", async () => {
    await start({ features: "sum" });
    send([reading({ a: 1 }), reading({ a: 10 }, 0, { deviceId: "R2" }), reading({ a: 2 }), reading({ a: 4 })]);
    assert.equal(node.output(1).length, 1);
    assert.deepEqual(valuesOf("sum"), [1, 10, 3, 7]);
  });

  it("takes whatever devices send", async () => {
    await start();
    node.send({ topic: "R1", payload: 5 });
    node.send({ payload: '{ "device_id": "R1", "value": 7 }' });
    assert.deepEqual(
      featuresOf().map((features) => features?.value?.mean),
      [5, 6],
    );
  });

  it("keeps what another one has added", async () => {
    await start({ features: "min, max" });
    send(reading({ a: 1 }, 0, { features: { a: { mean: 7, min: 7 }, model: { mean: 7 } } }));
    assert.deepEqual(featuresOf(), [{ a: { mean: 7, min: 1, max: 1 }, model: { mean: 7 } }]);
  });

  it("passes readings of bad quality without features", async () => {
    await start({ timeOfDay: true });
    send(reading({ a: 9 }, 0, { quality: "bad" }));
    send(reading({ a: 1 }, 1));
    assert.equal(featuresOf()[0], undefined);
    assert.equal(valuesOf("mean")[1], 1);
  });

  describe("its option", () => {
    it("metrics chooses the metrics", async () => {
      await start({ metrics: "a, temp*" });
      send(reading({ a: 1, b: 2, temperature: 3 }));
      assert.deepEqual(featuresOf(), [{ a: { mean: 1 }, temperature: { mean: 3 } }]);
    });

    it("window and size say how far to look back", async () => {
      await start({ window: "time", size: "10", features: "sum" });
      for (const second of [0, 5, 10, 30]) send(reading({ a: 1 }, second));
      assert.deepEqual(valuesOf("sum"), [1, 2, 2, 1]);
    });

    it("features chooses the features", async () => {
      await start({ features: "stdev,min,max,slopePerSecond,median" });
      for (const [second, a] of [2, 4, 6].entries()) send(reading({ a }, second));
      assert.deepEqual(featuresOf().at(-1), { a: { stdev: 2, min: 2, max: 6, median: 4, slopePerSecond: 2 } });
    });

    it("timeOfDay adds the hour and the weekday", async () => {
      await start({ timeOfDay: true });
      send(reading({ a: 1 }));
      const { hourSin, hourCos, weekSin, weekCos } = featuresOf()[0]?.time ?? {};
      const rounded = [hourSin, hourCos, weekSin, weekCos].map((each = 9) => Math.round(1000 * each) / 1000 + 0);
      assert.deepEqual(rounded, [0, -1, 0, -1], "noon of a Thursday");
    });

    it("missing fills gaps with the last value, and leading ones of an array with the first", async () => {
      await start({ missing: "forward-fill", features: "sum" });
      send([reading({ b: 1 }, 0), reading({ b: 1 }, 1), reading({ a: 5, b: 1 }, 2), reading({ b: 1 }, 3)]);
      assert.deepEqual(valuesOf("sum"), [5, 10, 15, 20]);
      assert.deepEqual(readingsOf(node.output(1)[0])[0]?.metrics, { b: 1 });
    });

    it("missing does not fill backwards from one message to another", async () => {
      await start({ missing: "forward-fill", features: "sum" });
      const first = [reading({ b: 1 }, 0)];
      send(first);
      send([reading({ a: 5, b: 1 }, 1)]);
      assert.deepEqual(valuesOf("sum"), [undefined, 5]);
    });

    it("that is wrong is said in the status, and nothing is sent", async () => {
      for (const [settings, text] of [
        [{ size: 2.5 }, "size must be a whole number of readings from 2 to 100000"],
        [{ size: 1 }, "size must be a whole number of readings from 2 to 100000"],
        [{ window: "time", size: 0 }, "size: must be a number from 0.001 to 31536000"],
        [{ features: "" }, "features: must name at least one"],
        [{ features: "mean,average" }, /^features: may hold only mean, stdev, /],
        [{ missing: "guess" }, "missing: must be one of skip, forward-fill"],
      ] as const) {
        await start(settings);
        const [{ fill, shape, text: shown = "" } = {}] = node.statuses();
        assert.deepEqual([fill, shape], ["red", "ring"]);
        assert.match(shown, text instanceof RegExp ? text : new RegExp(`^${text}$`));
        send(reading({ a: 1 }));
        assert.deepEqual(node.output(1), []);
        await node.stop();
      }
      await start({ features: "", timeOfDay: true });
      send(reading({ a: 1 }));
      assert.deepEqual(Object.keys(featuresOf()[0] ?? {}), ["a", "time"]);
    });
  });

  it("refuses the reading that brings too many metrics, as it came, and goes on", async () => {
    await start({ features: "sum" });
    send(reading(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`m${i}`, 1]))));
    const tooMany = reading({ m0: 1, another: 1 });
    send([tooMany, reading({ m0: 5 })]);
    assert.deepEqual(node.caught()[0]?.payload, [reading({ m0: 1, another: 1 })]);
    assert.match(node.reasons()[0] ?? "", /would have 1001 metrics, at most 1000 are kept/);
    assert.equal(featuresOf().at(-1)?.m0?.sum, 6);
  });

  for (const { what, topic, payload, passed, refused, reason } of oddInputs()) {
    it(`deals with ${what}`, async () => {
      await start();
      node.send({ ...(topic !== undefined && { topic }), payload });
      const devices = node
        .output(1)
        .flatMap(readingsOf)
        .map(({ deviceId }) => deviceId);
      assert.deepEqual(devices, passed);
      assert.equal(node.caught().length, refused.length > 0 ? 1 : 0);
      if (reason) assert.match(node.reasons()[0] ?? "", reason);
    });
  }

  it("sends only readings with finite features, whatever comes", async () => {
    await start({ window: "time", missing: "forward-fill", timeOfDay: true, features: "mean,stdev,kurtosis,ewma" });
    const property = fc.property(payloads, (payload) => {
      const before = node.output(1).length;
      send(payload);
      for (const each of node.output(1).slice(before).flatMap(readingsOf)) {
        assert.ok(isReading(each));
        for (const found of Object.values(each.features ?? {})) {
          if (typeof found === "object" && found !== null) {
            for (const name of ["mean", "stdev", "kurtosis", "ewma", "hourSin"]) {
              assert.ok(found[name] === undefined || Number.isFinite(found[name]), `${name} ${found[name]}`);
            }
          }
        }
      }
    });
    fc.assert(property, { numRuns: 300, seed: 1 });
  });

  it("goes on after a restart as if there had been none", async () => {
    const settings = { size: 7, features: "mean,stdev,median,ewma,slopePerSecond,kurtosis", missing: "forward-fill" };
    const readings = Array.from({ length: 40 }, (_, i) =>
      reading({ a: 1e9 + Math.sin(i * i), ...(i % 4 > 0 && { b: i }) }, i),
    );
    await start(settings);
    send(structuredClone(readings));
    const expected = featuresOf();
    await node.stop();

    await startOnFiles(settings);
    send(structuredClone(readings.slice(0, 17)));
    await node.arrival(1);
    assert.deepEqual(featuresOf(), expected.slice(0, 17));
    await node.stop();
    await startOnFiles(settings);
    send(structuredClone(readings.slice(17)));
    await node.arrival(1);
    assert.deepEqual(featuresOf(), expected.slice(17));
    assert.deepEqual(node.logged(), []);
  });

  it("forgets a device that is reset, and shows how many it knows", async () => {
    await start({ features: "sum" });
    send([reading({ a: 1 }), reading({ a: 1 }, 0, { deviceId: "R2" })]);
    node.send({ command: "reset", payload: { deviceId: "R1" } });
    send([reading({ a: 1 }), reading({ a: 1 }, 0, { deviceId: "R2" })]);
    assert.deepEqual(valuesOf("sum"), [1, 1, 1, 2]);
    assert.deepEqual(node.statuses()[0], { fill: "grey", shape: "dot", text: "0 devices" });
  });
});
