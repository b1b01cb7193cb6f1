/** What nodes remember across a redeploy, a stop and a crash, of many devices, and of damaged files. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mock } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { mean } from "simple-statistics";
import type { Reading } from "../../core/types.ts";
import { stateFolder } from "../../nodes/lib/state-folders.ts";
import zScoreAnomaly from "../../nodes/z-score-anomaly/z-score-anomaly.ts";
import { newFolder } from "../support/folders.ts";
import { LoopProbe } from "../support/loop-probe.ts";
import { type NodeRedProcess, startNodeRedProcess } from "../support/node-red-process.ts";
import { type FlowNode, type NodeOptions, readingsOf, startNode, type TestNode } from "../support/test-flow.ts";

const TIME = Date.UTC(2024, 1, 29, 12);
const TYPE = "z-score-anomaly";

const value = (i: number) => 50 + 3 * Math.sin(i * i);
const reading = (deviceId: string, i: number): Reading => ({
  deviceId,
  timestamp: TIME + i * 1000,
  metrics: { temperature: i % 37 > 33 ? 90 + value(i) : value(i), pressure: 1e9 + 0.1 * value(i + 7) },
});

/** The expected temperature of the newest reading, which is the mean of the window before it. */
const expectedOf = (readings: Reading[], detector = TYPE) =>
  readings.at(-1)?.verdicts?.[detector]?.metrics.temperature?.expected;

const windowMean = (readings: Reading[]) => mean(readings.slice(-20).map(({ metrics }) => metrics.temperature ?? 0));

/** The lines of all files in a node's folder, without the headers. */
function records(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return files.flatMap((name) => readFileSync(join(folder, name), "utf8").trim().split("\n").slice(1));
}

function assertClose(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual} ≠ ${expected}`);
}

/** Waits so many milliseconds, mocked timers or not. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const interval = setInterval(() => {
      clearInterval(interval);
      resolve();
    }, milliseconds);
  });
}

describe("what nodes remember", () => {
  let userDir: string;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(() => rmSync(userDir, { recursive: true }));

  describe("in a new process on the same user directory", function () {
    this.timeout(60_000);

    const running = new Set<NodeRedProcess>();
    afterEach(async () => {
      for (const red of running) await red.stop("SIGKILL");
      running.clear();
    });

    async function startProcess(flow: FlowNode[], settings: object = {}, folder = userDir): Promise<NodeRedProcess> {
      const red = await startNodeRedProcess(folder, [TYPE], flow, settings);
      running.add(red);
      return red;
    }

    /** A flow in which every reading goes through all of the given nodes, each with an output to the test. */
    const flowOf = (nodes: { id: string; [option: string]: unknown }[]): FlowNode[] => [
      { id: "in", type: "from-test", wires: [nodes.map(({ id }) => id)] },
      ...nodes.map((node): FlowNode => ({ type: TYPE, ...node, wires: [[`${node.id} out`], []] })),
      ...nodes.map(({ id }): FlowNode => ({ id: `${id} out`, type: "to-test", wires: [] })),
    ];

    it("goes on after a clean stop as if there had been none, bit by bit", async () => {
      const flow = flowOf([
        { id: "standard" },
        { id: "robust", method: "robust", windowSize: 15 },
        { id: "ewma", method: "ewma", baseline: "including" },
        { id: "normal", learning: "normal-only", relearnAfter: 6, threshold: 3 },
      ]);
      const messages = Array.from({ length: 90 }, (_, i) => ({
        payload: ["R1", "a/b+c#", "__proto__"].map((device) => reading(device, i)),
      }));
      const outputs = async (red: NodeRedProcess, count: number) => {
        const ids = flow.filter(({ type }) => type === "to-test").map(({ id }) => id);
        return Promise.all(ids.map(async (id) => (await red.received(id, count)).map(({ payload }) => payload)));
      };

      const whole = await startProcess(flow, {}, join(userDir, "whole"));
      whole.send(messages);
      const expected = await outputs(whole, 90);
      await whole.stop();

      // The stop falls into a row of anomalies, which one of the nodes keeps apart.
      const first = await startProcess(flow);
      first.send(messages.slice(0, 36));
      const before = await outputs(first, 36);
      await first.stop();
      const second = await startProcess(flow);
      second.send(messages.slice(36));
      const after = await outputs(second, 54);
      await second.stop();

      assert.deepEqual(
        before.map((payloads, node) => [...payloads, ...(after[node] ?? [])]),
        expected,
      );
      assert.equal(expectedOf(after[0]?.[0] as Reading[]) === undefined, false, "there is a verdict at once");
      assert.doesNotMatch(second.log(), /\[(warn|error)\] \[z-score/);
    });

    it("goes on after a crash, with at most the last few seconds forgotten", async () => {
      const flow = flowOf([{ id: "z" }]);
      const first = await startProcess(flow);
      const readings = Array.from({ length: 60 }, (_, i) => reading("R1", i));
      first.send(readings.slice(0, 40).map((payload) => ({ payload })));
      await first.received("z out", 40);
      const saved = Date.now();
      while (!records(stateFolder(userDir, "z")).join().includes(String(readings[39]?.metrics.temperature)))
        await pause(20);
      assert.ok(Date.now() - saved < 10_000);
      first.send(readings.slice(40, 50).map((payload) => ({ payload })));
      await first.received("z out", 50);
      await first.stop("SIGKILL");

      const second = await startProcess(flow);
      second.send([{ payload: readings[50] }]);
      const [message] = await second.received("z out", 1);
      const expected = expectedOf(readingsOf(message)) ?? Number.NaN;
      const possible = Array.from({ length: 11 }, (_, i) => windowMean(readings.slice(0, 40 + i)));
      assert.ok(
        possible.some((mean) => Math.abs(mean - expected) < 1e-9),
        `${expected} is the mean of no window that was ever there`,
      );
      assert.doesNotMatch(second.log(), /\[(warn|error)\] \[z-score/);
    });

    it("finds the state in a context store as well", async () => {
      const contextStorage = { ram: { module: "memory" }, disk: { module: "localfilesystem" } };
      const flow = flowOf([
        { id: "kept", stateStore: "disk" },
        { id: "lost", stateStore: "ram" },
      ]);
      const readings = Array.from({ length: 31 }, (_, i) => reading("a/b+c#", i));
      const first = await startProcess(flow, { contextStorage });
      first.send(readings.slice(0, 30).map((payload) => ({ payload })));
      await Promise.all([first.received("kept out", 30), first.received("lost out", 30)]);
      await first.stop();
      const second = await startProcess(flow, { contextStorage });
      second.send([{ payload: readings[30] }]);
      const [kept] = await second.received("kept out", 1);
      assertClose(expectedOf(readingsOf(kept)), windowMean(readings.slice(0, 30)));
      const [lost] = await second.received("lost out", 1);
      assert.equal(readingsOf(lost)[0]?.verdicts, undefined);
      assert.ok(!existsSync(join(userDir, "device-analytics")));
    });

    it("keeps apart what the instances of a subflow remember, and removes what nodes left that are long gone", async () => {
      const flow: FlowNode[] = [
        {
          id: "sub",
          type: "subflow",
          in: [{ wires: [{ id: "inner" }] }],
          out: [{ wires: [{ id: "inner", port: 0 }] }],
        },
        { id: "inner", type: TYPE, z: "sub", wires: [[], []] },
        { id: "in", type: "from-test", wires: [["one"]] },
        { id: "one", type: "subflow:sub", wires: [["two"]] },
        { id: "two", type: "subflow:sub", wires: [["out"]] },
        { id: "out", type: "to-test", wires: [] },
        { id: "disabled", type: TYPE, d: true, wires: [[], []] },
        { id: "off", type: "subflow:sub", d: true, wires: [[]] },
      ];
      const old = new Date(Date.now() - 91 * 24 * 3_600_000);
      const ids = ["gone", "one-inner", "two-inner", "disabled", "off-inner"];
      for (const id of ids) {
        const folder = stateFolder(userDir, id);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, "00.jsonl"), `{"kind":"${TYPE}","version":1}\n`);
        utimesSync(folder, old, old);
      }
      const red = await startProcess(flow);
      red.send([{ payload: reading("R1", 0) }]);
      await red.received("out", 1);
      while (existsSync(stateFolder(userDir, "gone"))) await pause(20);
      await red.stop();
      assert.deepEqual(readdirSync(join(stateFolder(userDir, "gone"), "..")).sort(), ids.slice(1).sort());
      for (const id of ["one-inner", "two-inner"]) assert.equal(records(stateFolder(userDir, id)).length, 1);
    });
  });

  describe("in the same process", () => {
    let node: TestNode | undefined;
    afterEach(async () => {
      await node?.stop();
      node = undefined;
    });

    async function start(settings: object = {}, options: NodeOptions = {}): Promise<TestNode> {
      node = await startNode(zScoreAnomaly, { type: TYPE, ...settings }, { settings: { userDir }, ...options });
      return node;
    }

    const folder = () => stateFolder(userDir, "node");
    const fleet = (count: number, i: number) => Array.from({ length: count }, (_, device) => reading(`R${device}`, i));

    /** Lets a node learn a window of some devices, and stops it. */
    async function taught(count: number): Promise<void> {
      const { send, arrival, stop } = await start();
      for (let i = 0; i < 20; i++) send({ payload: fleet(count, i) });
      await arrival(20);
      await stop();
    }

    it("is there again after each redeploy", async () => {
      await taught(3);
      for (let i = 20; i < 25; i++) {
        const { send, arrival, logged, stop } = await start();
        send({ payload: reading("R2", i) });
        const [message] = await arrival(1);
        const before = Array.from({ length: i }, (_, i) => reading("R2", i));
        assertClose(expectedOf(readingsOf(message)), windowMean(before));
        assert.deepEqual(logged(), []);
        await stop();
      }
    });

    it("counts for messages that come while it is being restored, and they keep their order", async () => {
      await taught(3000);
      const { send, arrival, output } = await start();
      for (let i = 20; i < 40; i++) send({ payload: reading(`R${i}`, i), number: i });
      assert.equal(output(1).length, 0, "they wait");
      const messages = await arrival(20);
      assert.deepEqual(
        messages.map(({ number }) => number),
        Array.from({ length: 20 }, (_, i) => 20 + i),
      );
      for (const message of messages) assert.notEqual(expectedOf(readingsOf(message)), undefined);
    });

    it("stays whole when the node is stopped while it is being restored", async () => {
      await taught(3000);
      const before = records(folder()).sort();
      mock.timers.enable({ apis: ["setTimeout"] });
      try {
        for (let round = 0; round < 3; round++) {
          const { send, stop, logged, output } = await start();
          send({ payload: reading("R1", 20) });
          send({ payload: reading("new", 20) });
          await stop();
          assert.deepEqual(logged(), ["2 messages were lost: they came while the state was being restored"]);
          assert.deepEqual(output(1), []);
        }
        // Time enough to restore it all and to save it, for a node that has not taken notice.
        for (let i = 0; i < 10; i++) {
          await pause(30);
          mock.timers.tick(3000);
        }
        assert.deepEqual(records(folder()).sort(), before);
      } finally {
        mock.timers.reset();
      }
    });

    it("holds what came just before the stop", async () => {
      const { send, arrival, stop } = await start();
      send({ payload: reading("first", 0) });
      await arrival(1);
      setImmediate(() => send({ payload: reading("last", 0) }));
      await stop();
      assert.match(records(folder()).join(), /"first".*"last"|"last".*"first"/);
    });

    it("loses what is damaged alone, with an error in the log", async () => {
      await taught(200);
      const [torn = "", foreign = "", later = "", unreadable = ""] = readdirSync(folder());
      const path = (name: string) => join(folder(), name);
      const devicesIn = (name: string) => readFileSync(path(name), "utf8").trim().split("\n").length - 1;
      const lost = 1 + [foreign, later, unreadable].map(devicesIn).reduce((sum, count) => sum + count);
      writeFileSync(path(torn), readFileSync(path(torn), "utf8").slice(0, -20));
      writeFileSync(path(foreign), readFileSync(path(foreign), "utf8").replace(TYPE, "range-anomaly"));
      writeFileSync(path(later), readFileSync(path(later), "utf8").replace('"version":1', '"version":2'));
      rmSync(path(unreadable));
      mkdirSync(path(unreadable));

      const { send, arrival, logged } = await start();
      send({ payload: fleet(200, 20) });
      const [message] = await arrival(1);
      const judged = readingsOf(message).filter(({ verdicts }) => verdicts !== undefined);
      assert.equal(judged.length, 200 - lost);
      assert.equal(logged().length, 1);
      assert.match(logged()[0] ?? "", /^4 parts of the saved state cannot be used, its devices start afresh: /);
      rmSync(path(unreadable), { recursive: true });
    });

    it("takes up a window of another size as far as it goes", async () => {
      await taught(1);
      const { send, arrival } = await start({ windowSize: 12 });
      send({ payload: reading("R0", 20) });
      const [message] = await arrival(1);
      const before = Array.from({ length: 12 }, (_, i) => reading("R0", 8 + i));
      assertClose(expectedOf(readingsOf(message)), windowMean(before));
    });

    it("makes room for new devices by forgetting those that have been silent for long, for good", async () => {
      await taught(3);
      for (const name of readdirSync(folder())) {
        const file = join(folder(), name);
        const text = readFileSync(file, "utf8");
        const dayAgo = Date.now() - 25 * 3_600_000;
        writeFileSync(
          file,
          text.replace(/^\["(R[01])",\d+/gm, (_whole, device) => `["${device}",${dayAgo}`),
        );
      }
      const { send, arrival, caught, stop } = await start({ maxDevices: 3 });
      send({ payload: [reading("new", 0), reading("newer", 0)] });
      await arrival(1);
      send({ payload: reading("newest", 0) });
      assert.equal(caught().length, 1, "R2 and the two new ones are active");
      await stop();
      const left = records(folder()).map((line) => JSON.parse(line)[0]);
      assert.deepEqual(left.sort(), ["R2", "new", "newer"]);
    });

    it("is gone for good after a reset", async () => {
      await taught(5);
      const { send, arrival, stop } = await start();
      send({ command: "reset", payload: { deviceId: "R3" } });
      send({ payload: reading("R1", 20) });
      await arrival(1);
      await stop();
      assert.deepEqual(
        records(folder())
          .map((line) => JSON.parse(line)[0])
          .sort(),
        ["R0", "R1", "R2", "R4"],
      );
      const second = await start();
      second.send({ command: "reset" });
      second.send({ payload: reading("new", 20) });
      await second.arrival(1);
      await second.stop();
      assert.equal(records(folder()).length, 1);
    });

    it("shows and logs once when it cannot be saved, and is saved once it can be", async () => {
      mock.timers.enable({ apis: ["setTimeout"] });
      try {
        const { send, arrival, statuses, logged } = await start();
        send({ payload: reading("R1", 0) });
        await arrival(1);
        const obstacle = join(userDir, "device-analytics");
        writeFileSync(obstacle, "");
        /** Lets the time of some saves pass, and waits until something is so. */
        const until = async (isSo: () => boolean) => {
          while (!isSo()) {
            mock.timers.tick(1000);
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        await until(() => statuses().at(-1)?.text === "state not saved");
        assert.deepEqual(statuses().at(-1), { fill: "yellow", shape: "ring", text: "state not saved" });
        for (let i = 0; i < 100; i++) await until(() => true);
        assert.equal(logged().length, 1);
        assert.match(logged()[0] ?? "", /^the state cannot be saved: /);
        rmSync(obstacle);
        await until(() => statuses().at(-1)?.text === "1 device");
        assert.equal(records(folder()).length, 1);
        assert.equal(logged().length, 1);
      } finally {
        mock.timers.reset();
      }
    });

    it("of 10,000 devices is saved and restored without holding up the event loop for more than 20 ms", async () => {
      setFlagsFromString("--expose-gc");
      const collectGarbage = runInNewContext("gc") as () => void;
      const first = await start({}, { outputs: 0 });
      for (let i = 0; i < 20; i++) first.send({ payload: fleet(10_000, i) });
      // Messages wait until the files are found to be missing.
      await pause(50);
      collectGarbage();
      const saving = new LoopProbe();
      await first.stop();
      const longestSave = saving.stop();
      assert.equal(records(folder()).length, 10_000);

      const second = await start();
      collectGarbage();
      const restoring = new LoopProbe();
      second.send({ payload: reading("R9999", 20) });
      const [message] = await second.arrival(1);
      const longestRestore = restoring.stop();
      assert.notEqual(expectedOf(readingsOf(message)), undefined);
      assert.ok(longestSave <= 20, `saving: ${longestSave} ms`);
      assert.ok(longestRestore <= 20, `restoring: ${longestRestore} ms`);
    });
  });
});
