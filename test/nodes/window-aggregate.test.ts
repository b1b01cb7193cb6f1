import assert from "node:assert/strict";
import { mock } from "node:test";
import type { WindowResult } from "../../core/types.ts";
import windowAggregate from "../../nodes/window-aggregate/window-aggregate.ts";
import { newFolder } from "../support/folders.ts";
import { type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);

const reading = (second: number, deviceId = "R1", more: object = {}) => ({
  deviceId,
  timestamp: START + 1000 * second,
  metrics: { x: second },
  ...more,
});

describe("window-aggregate", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START });
    userDir = newFolder();
  });
  afterEach(async () => {
    await node.stop();
    mock.timers.reset();
  });

  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(
      windowAggregate,
      { type: "window-aggregate", stateStore: "memory", sizeSeconds: "10", ...settings },
      options,
    );
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(settings: object = {}): Promise<void> {
    await start({ stateStore: "file", ...settings }, { settings: { userDir } });
    const tags = { hall: "-", type: "-" };
    node.send({ payload: reading(0, "probe", { timestamp: START + 1e9, tags }) });
    while (node.output(2).length === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  const send = (payload: unknown) => node.send({ payload });
  const pass = (seconds: number) => {
    for (let second = 0; second < seconds; second++) mock.timers.tick(1000);
  };
  const results = () => node.output(1).map(({ payload }) => payload as WindowResult);
  const counts = () => results().map(({ group, windowStart, count }) => [group, (windowStart - START) / 1000, count]);

  it("sends the result of each window with its group for the topic", async () => {
    await start({ functions: "mean,p95" });
    const anomaly = { verdicts: { z: { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: {} } } };
    send([reading(1, "a/b+c#"), reading(3, "a/b+c#", anomaly), reading(10, "a/b+c#")]);
    assert.equal(node.output(1).length, 1);
    assert.equal(node.output(1)[0]?.topic, "a/b+c#");
    assert.deepEqual(results(), [
      {
        group: "a/b+c#",
        windowStart: START,
        windowEnd: START + 10_000,
        count: 2,
        anomalyCount: 1,
        isUpdate: false,
        metrics: { x: { mean: 2, p95: 2.9 } },
      },
    ]);
    assert.equal(node.completed().length, 1);
  });

  it("tells by default count, mean, extremes and deviation of a minute of each device", async () => {
    await start({ sizeSeconds: undefined });
    send([reading(0), reading(8), reading(7, "__proto__"), reading(60), reading(60, "__proto__")]);
    assert.deepEqual(
      results().map(({ group, count, metrics }) => [group, count, metrics]),
      [
        ["R1", 2, { x: { mean: 4, min: 0, max: 8, stdev: Math.sqrt(32) } }],
        ["__proto__", 1, { x: { mean: 7, min: 7, max: 7 } }],
      ],
    );
  });

  it("groups by tags, and refuses readings that lack one", async () => {
    await start({ groupBy: "hall, type" });
    const tags = { hall: "a/b", type: "pump" };
    const wrong = reading(3, "R3", { tags: { hall: "a/b" } });
    send([reading(1, "R1", { tags }), reading(2, "R2", { tags }), wrong]);
    assert.deepEqual(node.reasons(), ['refused 1 of 3 readings: the reading of R3 has no tag "type" to be grouped by']);
    assert.deepEqual(node.caught()[0]?.payload, [wrong]);
    node.send({ command: "flush" });
    assert.deepEqual(
      results().map(({ group, tags, count }) => [group, tags, count]),
      [["a%2Fb/pump", tags, 2]],
    );
  });

  it("sends what is too late to output 2, as it came, and what is from the future", async () => {
    await start();
    send([reading(5), reading(15), reading(9, "R1", { units: { x: "°C" } })]);
    send(reading(61));
    assert.deepEqual(
      node.output(2).map(({ payload, topic }) => [topic, payload]),
      [
        ["R1", { ...reading(9, "R1", { units: { x: "°C" } }), late: { bySeconds: 6 } }],
        ["R1", { ...reading(61), late: { bySeconds: -61 } }],
      ],
    );
    assert.deepEqual(counts(), [["R1", 0, 1]]);
    assert.deepEqual(node.caught(), []);
    pass(1);
    assert.deepEqual(node.statuses().at(-1), { fill: "yellow", shape: "dot", text: "status.groups, status.late" });
  });

  it("corrects a result that it has sent", async () => {
    await start({ allowedLatenessSeconds: "5" });
    send([reading(5), reading(11), reading(6)]);
    assert.deepEqual(
      results().map(({ count, isUpdate }) => [count, isUpdate]),
      [
        [1, false],
        [2, true],
      ],
    );
  });

  it("closes the windows of a silent group by the clock", async () => {
    await start();
    send([reading(5), reading(5, "R2")]);
    pass(10);
    assert.deepEqual(counts(), []);
    send(reading(9));
    pass(1);
    assert.deepEqual(counts(), [["R2", 0, 1]]);
    pass(10);
    assert.deepEqual(counts(), [
      ["R2", 0, 1],
      ["R1", 0, 2],
    ]);
  });

  it("sends nothing on when it is closed", async () => {
    await start();
    send(reading(5));
    await node.stop();
    pass(100);
    assert.deepEqual([node.output(1), node.output(2)], [[], []]);
  });

  it("refuses settings that contradict each other", async () => {
    for (const [settings, reason] of [
      [{ window: "hopping", hopSeconds: "3" }, "hopSeconds: must divide the length of the window without a rest"],
      [{ functions: "" }, "functions: must name at least one"],
      [{ groupBy: "" }, "groupBy: must be deviceId, or name at least one tag"],
      [{ timeZone: "Berlin" }, 'timeZone: there is no zone "Berlin"; give one such as Europe/Berlin or UTC'],
    ] as const) {
      await start(settings);
      assert.deepEqual(node.statuses().at(-1), { fill: "red", shape: "ring", text: reason });
      await node.stop();
    }
  });

  it("refuses the group too many and takes the rest", async () => {
    await start({ maxDevices: "1" });
    send([reading(1), reading(1, "R2"), reading(2)]);
    assert.match(node.reasons()[0] ?? "", /^refused 1 of 3 readings: R2 is refused/);
    node.send({ command: "flush" });
    assert.deepEqual(counts(), [["R1", 0, 2]]);
  });

  describe("with commands", () => {
    it("closes all windows", async () => {
      await start();
      send([reading(1), reading(2, "R2")]);
      node.send({ command: "flush" });
      node.send({ command: "flush" });
      assert.deepEqual(counts(), [
        ["R1", 0, 1],
        ["R2", 0, 1],
      ]);
      assert.equal(node.completed().length, 3);
    });

    it("forgets one group or all, and sends nothing of them", async () => {
      await start();
      send([reading(1), reading(2, "R2"), reading(3, "R3")]);
      node.send({ command: "reset", payload: { deviceId: "R2" } });
      node.send({ command: "flush" });
      send([reading(21), reading(22, "R3")]);
      node.send({ command: "reset" });
      node.send({ command: "flush" });
      assert.deepEqual(counts(), [
        ["R1", 0, 1],
        ["R3", 0, 1],
      ]);
    });

    it("refuses others", async () => {
      await start();
      node.send({ command: "close" });
      assert.deepEqual(node.reasons(), ["unknown command 'close': this node takes flush, reset"]);
    });
  });

  describe("after a restart", () => {
    it("goes on with the open windows and the watermark", async () => {
      await startOnFiles();
      send([reading(5), reading(12), reading(13)]);
      await node.stop();
      await startOnFiles();
      send([reading(14), reading(9), reading(20)]);
      assert.deepEqual(counts(), [["R1", 10, 3]]);
      assert.equal(node.output(2).length, 2);
      assert.deepEqual(node.logged(), []);
    });

    it("closes the windows of a group that has died meanwhile", async () => {
      await startOnFiles();
      send(reading(5));
      await node.stop();
      await startOnFiles();
      pass(11);
      assert.deepEqual(counts(), [["R1", 0, 1]]);
    });

    it("gives the results of open windows once there are other windows", async () => {
      await startOnFiles();
      send([reading(5), reading(6)]);
      await node.stop();
      await startOnFiles({ sizeSeconds: "60", functions: "median" });
      send(reading(7));
      pass(1);
      assert.deepEqual(counts(), [["R1", 0, 2]]);
      send(reading(60));
      assert.deepEqual(counts(), [
        ["R1", 0, 2],
        ["R1", 0, 1],
      ]);
    });

    it("gives the results of the groups that there were, once readings are grouped in another way", async () => {
      await startOnFiles();
      send(reading(5, "50%"));
      await node.stop();
      await startOnFiles({ groupBy: "hall, type" });
      pass(1);
      assert.deepEqual(counts(), [["50%", 0, 1]]);
      assert.equal(results()[0]?.tags, undefined);
    });

    it("has forgotten what was reset", async () => {
      await startOnFiles();
      send(reading(5));
      node.send({ command: "reset" });
      await node.stop();
      await startOnFiles();
      node.send({ command: "flush" });
      assert.deepEqual(counts(), []);
    });
  });
});
