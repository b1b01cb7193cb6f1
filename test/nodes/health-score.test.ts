import assert from "node:assert/strict";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Health } from "../../core/types.ts";
import healthScore from "../../nodes/health-score/health-score.ts";
import { newFolder } from "../support/folders.ts";
import { type NodeOptions, readingsOf, startNode, type TestNode } from "../support/test-flow.ts";

const WELL = { deviceId: "R1", temperature: 60, vibration: 0.5, battery: 80 };
const HOT = { ...WELL, temperature: 80 };

describe("health-score", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(async () => {
    await node.stop();
  });

  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(healthScore, { type: "health-score", stateStore: "memory", ...settings }, options);
  }

  /** Starts a node that keeps its state in files, which another run may have written. */
  const startOnFiles = (settings: object = {}, folder = userDir) =>
    start({ stateStore: "file", ...settings }, { settings: { userDir: folder } });

  const send = (payload: unknown) => node.send({ payload });
  const command = (word: string, payload?: object) => node.send({ command: word, payload });
  const healthsOf = (output: number) =>
    node
      .output(output)
      .flatMap(readingsOf)
      .map(({ health }) => health as Health | undefined);
  const scores = () => healthsOf(1).map((health) => health?.score);
  const changes = () => healthsOf(2).map((health) => health?.status);

  it("adds the health to each reading", async () => {
    await start();
    send({ ...HOT, timestamp: "2026-03-01T12:00:00Z" });
    assert.deepEqual(node.output(1)[0]?.payload, {
      deviceId: "R1",
      timestamp: Date.UTC(2026, 2, 1, 12),
      metrics: { temperature: 80, vibration: 0.5, battery: 80 },
      health: {
        score: 70,
        status: "warning",
        flags: ["overheating"],
        contributors: [{ flag: "overheating", penalty: 30, value: 80, limit: 75 }],
      },
    });
    assert.equal(node.completed().length, 1);
  });

  it("takes rules and points from the form, where numbers are text", async () => {
    const rules = [{ flag: "fast", metric: "speed", comparison: ">=", limit: "3", penalty: "60" }];
    await start({ rules, combine: "worst", anomalyPenalty: "20", warningBelow: "90", criticalBelow: "40" });
    const verdicts = { z: { detector: "z", isAnomaly: true, score: 9, threshold: 3, metrics: {} } };
    send({ deviceId: "R1", timestamp: 5, metrics: { speed: 3 }, verdicts });
    assert.deepEqual(
      healthsOf(1).map((health) => [health?.score, health?.status, health?.flags]),
      [[30, "critical", ["fast", "anomaly"]]],
    );
  });

  it("sends to output 2 what changes a device's status, and of an array only that", async () => {
    await start();
    for (const temperature of [60, 80, 81, 60]) send({ ...WELL, temperature });
    assert.deepEqual(changes(), ["warning", "healthy"]);
    send([WELL, { ...WELL, deviceId: "R2" }, { ...HOT, deviceId: "R3", vibration: 2, battery: 5 }, HOT]);
    assert.deepEqual(readingsOf(node.output(1).at(-1)).length, 4);
    assert.deepEqual(
      readingsOf(node.output(2).at(-1)).map(({ deviceId, health }) => [deviceId, (health as Health).status]),
      [
        ["R3", "critical"],
        ["R1", "warning"],
      ],
    );
  });

  it("takes a device that begins with a warning for one that has changed, and a healthy one not", async () => {
    await start();
    send({ ...HOT, deviceId: "R1" });
    send({ ...WELL, deviceId: "R2" });
    assert.deepEqual(changes(), ["warning"]);
  });

  it("passes readings of bad quality, and those that nothing judges, without a health", async () => {
    await start();
    send({ deviceId: "R1", timestamp: 5, metrics: { temperature: 999 }, quality: "bad" });
    send({ deviceId: "R1", speed: 3 });
    assert.deepEqual(healthsOf(1), [undefined, undefined]);
    assert.deepEqual(node.output(2), []);
  });

  it("gives a Catch node what is no reading", async () => {
    await start();
    send([WELL, "hello"]);
    assert.deepEqual(scores(), [100]);
    assert.deepEqual(node.caught()[0]?.payload, ["hello"]);
  });

  it("will not have a critical score above the warning", async () => {
    await start({ warningBelow: 40 });
    assert.equal(node.statuses()[0]?.text, "criticalBelow: must not be above warningBelow");
  });

  it("says which row of the rules is wrong", async () => {
    await start({
      rules: [
        { flag: "a", metric: "x" },
        { flag: "", metric: "x" },
      ],
    });
    assert.equal(node.statuses()[0]?.text, "rules: row 2: flag: must not be empty");
  });

  it("shows the worst status that there is", async () => {
    await start();
    send([WELL, { ...WELL, deviceId: "R2" }]);
    send([HOT, { ...HOT, deviceId: "R2", vibration: 2, battery: 5 }]);
    assert.deepEqual(node.statuses()[0], { fill: "grey", shape: "dot", text: "0 devices" });
    await wait(1100);
    const { fill, text } = node.statuses().at(-1) ?? {};
    assert.equal(fill, "red");
    assert.match(text ?? "", /^2 devices, /);
  });

  describe("with the command set", () => {
    const set = (flag: unknown, limit: unknown, deviceId?: unknown) =>
      command("set", { flag, limit, ...(deviceId !== undefined && { deviceId }) });
    const both = () => send([HOT, { ...HOT, deviceId: "R2" }]);

    it("goes by that limit, of one device before that of all, until it is taken back", async () => {
      await start();
      both();
      set("overheating", 90, "R1");
      both();
      set("overheating", 85);
      both();
      set("overheating", null, "R1");
      set("overheating", null);
      both();
      assert.deepEqual(scores(), [70, 70, 100, 70, 100, 100, 70, 70]);
      assert.equal(node.completed().length, 8);
      assert.deepEqual(node.caught(), []);
    });

    it("sends nothing that could be taken for a reading", async () => {
      await start();
      set("overheating", 90);
      assert.deepEqual([node.output(1), node.output(2), node.completed().length], [[], [], 1]);
    });

    it("refuses what it doesn't know, and says why", async () => {
      await start();
      both();
      set("hot", 90);
      set("overheating", 90, "R9");
      set("overheating", 90, 5);
      set("overheating", "90");
      set("overheating", Number.NaN);
      set("overheating", undefined);
      set(undefined, 90);
      node.send({ command: "set", payload: "overheating" });
      assert.deepEqual(node.reasons(), [
        'no rule raises the flag "hot": the rules raise overheating, high-vibration, low-battery, battery-drop',
        "there is no device 'R9'",
        "there is no device 5",
        "limit is '90', it must be a number, or null for the rule's own",
        "limit is NaN, it must be a number, or null for the rule's own",
        "limit is undefined, it must be a number, or null for the rule's own",
        "flag is undefined, it must be the flag of a rule",
        "flag is undefined, it must be the flag of a rule",
      ]);
      both();
      assert.deepEqual(scores(), [70, 70, 70, 70]);
    });

    it("keeps limits when devices are reset", async () => {
      await start();
      both();
      set("overheating", 90, "R1");
      command("reset");
      both();
      assert.deepEqual(scores(), [70, 70, 100, 70]);
      command("reset");
      set("overheating", null, "R1");
      both();
      assert.deepEqual(scores().slice(4), [70, 70]);
    });

    it("keeps them over a restart", async () => {
      await startOnFiles();
      both();
      await node.arrival(1);
      set("overheating", 90, "R1");
      set("high-vibration", 0.1);
      await node.stop();
      await startOnFiles();
      both();
      await node.arrival(1);
      assert.deepEqual(scores(), [80, 50]);
      assert.deepEqual(node.logged(), []);
    });

    it("has them on disk within a second, so that a crash doesn't lose them", async () => {
      await startOnFiles();
      both();
      await node.arrival(1);
      const before = performance.now();
      set("overheating", 90, "R1");
      const state = join(userDir, "device-analytics", "state", "node");
      while (!existsSync(state)) await wait(10);
      assert.ok(performance.now() - before < 1000);
      await wait(200);
      const copy = join(userDir, "copy");
      cpSync(join(userDir, "device-analytics"), join(copy, "device-analytics"), { recursive: true });
      await node.stop();
      await startOnFiles({}, copy);
      both();
      await node.arrival(1);
      assert.deepEqual(scores(), [100, 70]);
    });
  });

  describe("asked for its limits", () => {
    interface Answer {
      deviceId?: string;
      by?: string;
      limits: { flag: string; limit: number; isSet: boolean; isSettable: boolean }[];
    }
    const answers = () => node.output(3) as unknown as { socketid?: string; payload: Answer }[];
    const overheating = () => answers().map(({ payload }) => payload.limits.find(({ flag }) => flag === "overheating"));

    it("says which are in force for a device, and which were set for it", async () => {
      await start({}, { outputs: 3 });
      send(HOT);
      command("limits", { deviceId: "R1" });
      command("set", { flag: "overheating", limit: 85 });
      command("set", { deviceId: "R1", flag: "overheating", limit: 90, by: "Kim" });
      command("limits");
      assert.deepEqual(
        answers().map(({ payload }) => [payload.deviceId, payload.by]),
        [
          ["R1", undefined],
          [undefined, undefined],
          ["R1", "Kim"],
          [undefined, undefined],
        ],
      );
      assert.deepEqual(
        overheating().map((row) => [row?.limit, row?.isSet]),
        [
          [75, false],
          [85, true],
          [90, true],
          [85, true],
        ],
      );
    });

    it("answers in the message that asks", async () => {
      await start({}, { outputs: 3 });
      node.send({ command: "limits", socketid: "k3V" });
      assert.equal(answers()[0]?.socketid, "k3V");
    });

    it("says of the levels of one flag that they cannot be set", async () => {
      const level = { flag: "fast", metric: "speed", comparison: ">", limit: 3, penalty: 20 };
      await start({ rules: [level, { ...level, limit: 5 }] }, { outputs: 3 });
      command("limits");
      assert.deepEqual(
        answers()[0]?.payload.limits.map(({ isSettable }) => isSettable),
        [false, false],
      );
    });

    it("refuses what is no device", async () => {
      await start({}, { outputs: 3 });
      command("limits", { deviceId: 5 });
      assert.deepEqual(node.reasons(), ["deviceId is 5, it must be the name of a device"]);
    });
  });

  it("goes on after a restart as if there had been none", async () => {
    await startOnFiles();
    send([HOT, { ...WELL, deviceId: "R2", battery: 90 }]);
    await node.arrival(1);
    await node.stop();
    await startOnFiles();
    send([
      { deviceId: "R1", vibration: 0.5 },
      { deviceId: "R2", battery: 50 },
    ]);
    await node.arrival(1);
    assert.deepEqual(scores(), [70, 90]);
    assert.deepEqual(node.output(2), [], "neither status has changed");
  });

  it("forgets a device that is reset", async () => {
    await start();
    send(HOT);
    command("reset", { deviceId: "R1" });
    send({ deviceId: "R1", vibration: 0.5 });
    assert.deepEqual(scores(), [70, 100]);
  });
});
