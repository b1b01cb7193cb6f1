import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import type { Reading } from "../../../core/types.ts";
import { flag, integer, number, SettingError, secret, stateOptions, table, text } from "../../../nodes/lib/options.ts";
import { type Behaviour, define } from "../../../nodes/lib/runtime.ts";
import { type NodeOptions, readingsOf, startNode, type TestNode } from "../../support/test-flow.ts";

const counterOptions = { name: text(""), step: integer(1, { min: 1, max: 100 }), ...stateOptions };

/** A node that counts each device's readings, selects every second one, and dislikes negative ones. */
const counter = define<typeof counterOptions, { count: number }>("counter", counterOptions, (host) => ({
  state: {
    version: 1,
    create: () => ({ count: 0 }),
    save: ({ count }) => count,
    restore: (saved) => ({ count: Number(saved) }),
  },
  analyse(reading: Reading & { count?: number }, state) {
    if ((reading.metrics.x ?? 0) < 0) throw new Error("x is negative");
    state.count += host.settings.step;
    reading.count = state.count;
    return state.count % 2 === 0;
  },
  commands: {
    double(args, message, send) {
      send({ ...message, payload: Number(args) * 2 });
    },
    async wait(args) {
      await Promise.resolve();
      if (args === "fail") throw new Error("waited in vain");
    },
  },
}));

/** A node that passes readings on and has an output for what is refused. */
const checker = define("checker", { name: text("") }, () => ({
  hasDeadLetters: true,
  analyse({ metrics }) {
    if ((metrics.x ?? 0) < 0) throw new Error("x is negative");
    return false;
  },
}));

const reading = (deviceId: string, x = 1) => ({ deviceId, timestamp: 1_700_000_000_000, metrics: { x } });

describe("a node", () => {
  let node: TestNode | undefined;
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(async () => {
    await node?.stop();
    node = undefined;
    mock.timers.reset();
  });

  async function startCounter(settings: object = {}, options: NodeOptions = {}): Promise<TestNode> {
    node = await startNode(counter, { type: "counter", stateStore: "memory", ...settings }, options);
    return node;
  }

  async function startChecker(outputs: number): Promise<TestNode> {
    node = await startNode(checker, { type: "checker" }, { outputs });
    return node;
  }

  /** Starts a node of these options that does nothing but answer a message with its settings. */
  async function startEcho(options: Parameters<typeof define>[1], settings: object, nodeOptions: NodeOptions = {}) {
    const echo = define("echo", options, (host) => ({
      receive: (_message, send) => send({ payload: host.settings }),
    }));
    node = await startNode(echo, { type: "echo", ...settings }, nodeOptions);
    return node;
  }

  describe("with its settings", () => {
    it("gets them in their proper types", async () => {
      const options = { size: integer(1), isOn: flag(false), rows: table({ limit: number(0) }) };
      const echo = await startEcho(options, { size: "5", isOn: "true", rows: [{ limit: "2.5" }] });
      echo.send({});
      assert.deepEqual(echo.output(1)[0]?.payload, { size: 5, isOn: true, rows: [{ limit: 2.5 }] });
    });

    it("takes defaults for what an older flow lacks", async () => {
      const { send, output } = await startCounter();
      send({ payload: reading("R1") });
      assert.equal(readingsOf(output(1)[0])[0]?.count, 1);
    });

    it("shows a red ring, logs the reason and takes no messages when one is wrong", async () => {
      const { send, output, caught, completed, statuses, logged } = await startCounter({ step: "many" });
      const reason = "step: must be a whole number from 1 to 100";
      assert.deepEqual(statuses(), [{ fill: "red", shape: "ring", text: reason }]);
      assert.deepEqual(logged(), [reason]);
      send({ payload: reading("R1") });
      assert.deepEqual([output(1), caught(), completed()], [[], [], []]);
    });

    it("does the same when they contradict each other", async () => {
      const picky = define("picky", { low: number(0), high: number(0) }, ({ settings }): Behaviour<undefined> => {
        if (settings.low > settings.high) throw new SettingError("low: must not be above high");
        return {};
      });
      node = await startNode(picky, { type: "picky", low: 2, high: 1 });
      assert.deepEqual(node.statuses(), [{ fill: "red", shape: "ring", text: "low: must not be above high" }]);
      assert.deepEqual(node.logged(), ["low: must not be above high"]);
    });

    it("takes environment variables, in tables too, and says which is not set", async () => {
      const variable = (name: string) => `\${${name}}`;
      const options = { size: integer(1), rows: table({ limit: number(0) }) };
      process.env.DEVICE_ANALYTICS_TEST = "7";
      try {
        const set = variable("DEVICE_ANALYTICS_TEST");
        const echo = await startEcho(options, { size: set, rows: [{ limit: set }] });
        echo.send({});
        assert.deepEqual(echo.output(1)[0]?.payload, { size: 7, rows: [{ limit: 7 }] });
        await echo.stop();
      } finally {
        delete process.env.DEVICE_ANALYTICS_TEST;
      }
      const echo = await startEcho(options, { size: variable("DEVICE_ANALYTICS_UNSET") });
      assert.deepEqual(echo.logged(), ["size: the environment variable DEVICE_ANALYTICS_UNSET is not set"]);
    });

    it("gets its secrets from Node-RED's credentials rather than from the flow", async () => {
      const options = { user: text(""), password: secret() };
      const credentials = { node: { password: "open sesame" } };
      const echo = await startEcho(options, { user: "ann", password: "from the flow" }, { credentials });
      echo.send({});
      assert.deepEqual(echo.output(1)[0]?.payload, { user: "ann", password: "open sesame" });
    });
  });

  describe("with messages", () => {
    it("sends the very message on, with its other properties", async () => {
      const { send, output, completed } = await startCounter({}, { outputs: 1 });
      const message = { topic: "t", payload: reading("R1"), req: { headers: {} }, extra: [1] };
      send(message);
      assert.equal(output(1)[0], message);
      assert.deepEqual(message.extra, [1]);
      assert.equal(completed().length, 1);
    });

    it("sends a Reading on as the very object that came", async () => {
      const { send, output } = await startCounter({}, { outputs: 1 });
      const payload = reading("R1");
      send({ payload });
      assert.equal(output(1)[0]?.payload, payload);
    });

    it("sends what it selects to output 2 as well, of an array only that", async () => {
      const { send, output } = await startCounter();
      send({ payload: reading("R1"), extra: 1 });
      assert.deepEqual(output(2), []);
      send({ payload: reading("R1"), extra: 2 });
      assert.equal(readingsOf(output(2)[0])[0]?.count, 2);
      assert.equal(output(2)[0]?.extra, 2);
      send({ payload: [reading("R2"), reading("R2"), reading("R3")], extra: 3 });
      assert.deepEqual(
        [output(1)[2], output(2)[1]].map((message) =>
          readingsOf(message).map(({ deviceId, count }) => [deviceId, count]),
        ),
        [
          [
            ["R2", 1],
            ["R2", 2],
            ["R3", 1],
          ],
          [["R2", 2]],
        ],
      );
      assert.equal(output(2)[1]?.extra, 3);
    });

    it("gives a Catch node a bad one, as it came, and completes it not", async () => {
      const { send, output, caught, completed, logged, reasons } = await startCounter();
      const payload = { deviceId: "R1", x: -5 };
      send({ payload, extra: 1 });
      assert.deepEqual(output(1), []);
      assert.equal(caught().length, 1);
      assert.deepEqual(reasons(), ["x is negative"]);
      assert.deepEqual(caught()[0]?.payload, payload);
      assert.equal(caught()[0]?.extra, 1);
      assert.deepEqual(completed(), []);
      assert.deepEqual(logged(), []);
    });

    it("sends a reading on without its bad metrics, gives a Catch node what came, and completes it once", async () => {
      const { send, output, caught, completed, reasons } = await startCounter();
      const payload = { deviceId: "R1", timestamp: 5, metrics: { x: 1, y: Number.NaN } };
      send({ payload, extra: 1 });
      assert.deepEqual(output(1)[0]?.payload, { ...payload, metrics: { x: 1 }, count: 1 });
      assert.deepEqual(reasons(), ["refused in part: y: NaN is not a finite number"]);
      assert.deepEqual(caught()[0]?.payload, payload);
      assert.equal(caught()[0]?.extra, 1);
      assert.equal(completed().length, 1);
    });

    it("sends the good ones of an array on, gives a Catch node exactly the others, and completes it once", async () => {
      const { send, output, caught, completed, reasons } = await startCounter();
      const bad = [null, reading("R2", -1), reading("R3", -1), { deviceId: "R4", x: -1 }];
      const halfBad = { deviceId: "R5", timestamp: 5, metrics: { x: 1, y: "?" } };
      send({ payload: [reading("R1"), ...bad, halfBad], extra: 1 });
      assert.deepEqual(
        readingsOf(output(1)[0]).map(({ deviceId }) => deviceId),
        ["R1", "R5"],
      );
      assert.equal(caught().length, 1);
      assert.deepEqual(caught()[0]?.payload, [...bad, halfBad]);
      assert.equal(
        reasons()[0],
        "refused 4 of 6 readings, and 1 in part: " +
          'null is not a reading; x is negative (3 times); y: "?" is not a finite number',
      );
      assert.equal(caught()[0]?.extra, 1);
      assert.equal(completed().length, 1);
    });

    it("counts a reading once that is refused for several reasons", async () => {
      const { send, caught, reasons } = await startCounter();
      const bad = { deviceId: "R2", x: -1, y: "?" };
      send({ payload: [reading("R1"), bad] });
      assert.deepEqual(caught()[0]?.payload, [bad]);
      assert.equal(reasons()[0], 'refused 1 of 2 readings: y: "?" is not a finite number; x is negative');
    });

    it("gives a Catch node the whole array when nothing in it is good", async () => {
      const { send, output, caught, completed, reasons } = await startCounter();
      send({ payload: [null, reading("R1", -1)] });
      send({ payload: [null] });
      send({ payload: [] });
      assert.deepEqual(output(1), []);
      assert.deepEqual(
        caught().map(({ payload }, index) => [reasons()[index], payload]),
        [
          ["refused 2 of 2 readings: null is not a reading; x is negative", [null, reading("R1", -1)]],
          ["null is not a reading", [null]],
          ["an empty array holds no reading", []],
        ],
      );
      assert.deepEqual(completed(), []);
    });

    it("says the first reasons of many", async () => {
      const { send, reasons } = await startCounter();
      send({ payload: ["a", "b", "c", "d", "e"].map((x) => ({ deviceId: x, y: x })) });
      assert.match(reasons()[0] ?? "", /^refused 5 of 5 readings: y: "a".*; y: "b".*; y: "c".*; …$/);
    });

    it("keeps its state as it was when it refuses a reading", async () => {
      const { send, output, statuses } = await startCounter();
      send({ payload: reading("R2", -1) });
      send({ payload: [reading("R1"), reading("R1", -1), reading("R1")] });
      assert.equal(readingsOf(output(1)[0])[1]?.count, 2);
      mock.timers.tick(1000);
      assert.equal(statuses().at(-1)?.text, "1 device", "R2, whose only reading was refused, is not known");
    });

    it("survives one that is nested so deep that Node-RED cannot copy it for a Catch node", async () => {
      const { send, output, logged, completed } = await startCounter();
      let deep: unknown = 1;
      for (let i = 0; i < 100_000; i++) deep = [deep];
      send({ payload: deep });
      send({ payload: { deviceId: "R1", deep } });
      send({ payload: { ...reading("R1"), deep } });
      send({ payload: "x", command: "wait", deep });
      send({ payload: "fail", command: "wait", deep });
      await new Promise(setImmediate);
      assert.ok(logged().some((text) => /call stack/i.test(text)));
      send({ payload: reading("R2") });
      assert.deepEqual(output(1).at(-1)?.payload, { ...reading("R2"), count: 1 });
      assert.equal(completed().length, 1);
    });
  });

  describe("with dead letters", () => {
    it("sends what it refuses to output 2, untouched and with the reason, and reports no error", async () => {
      const { send, output, caught, completed, statuses } = await startChecker(2);
      const bad = { deviceId: "R2", timestamp: 5, x: -1 };
      const halfBad = { deviceId: "R3", timestamp: 5, metrics: { x: 1, y: "?" } };
      send({ payload: [reading("R1"), bad, halfBad], topic: "t" });
      assert.deepEqual(output(1)[0]?.payload, [reading("R1"), { ...halfBad, metrics: { x: 1 } }]);
      assert.deepEqual(
        output(2).map(({ topic, payload }) => [topic, payload]),
        [
          ["t", { reason: "x is negative", payload: bad }],
          ["t", { reason: 'y: "?" is not a finite number', payload: halfBad }],
        ],
      );
      send({ payload: "hello" });
      assert.equal(output(1).length, 1);
      assert.deepEqual(output(2)[2]?.payload, { reason: '"hello" is text that is not JSON', payload: "hello" });
      assert.deepEqual(caught(), []);
      assert.equal(completed().length, 2);
      mock.timers.tick(1000);
      assert.deepEqual(statuses().at(-1), { fill: "yellow", shape: "ring", text: "3 refused" });
    });

    it("makes errors of them where nothing is wired to output 2", async () => {
      const { send, output, caught } = await startChecker(1);
      send({ payload: [reading("R1"), reading("R2", -1)] });
      send({ payload: "hello" });
      assert.deepEqual(output(1)[0]?.payload, [reading("R1")]);
      assert.deepEqual(caught()[0]?.payload, [reading("R2", -1)]);
      assert.equal(caught()[1]?.payload, "hello");
    });
  });

  describe("with commands", () => {
    it("runs them, and completes the message when they are done", async () => {
      const { send, output, completed } = await startCounter();
      send({ command: "double", payload: 21 });
      assert.equal(output(1)[0]?.payload, 42);
      assert.equal(completed().length, 1);
      send({ command: "wait" });
      assert.equal(completed().length, 1);
      await new Promise(setImmediate);
      assert.equal(completed().length, 2);
    });

    it("gives a Catch node those that fail", async () => {
      const { send, completed, reasons } = await startCounter();
      send({ command: "wait", payload: "fail" });
      await new Promise(setImmediate);
      assert.equal(reasons()[0], "waited in vain");
      assert.deepEqual(completed(), []);
    });

    it("refuses unknown ones and says which there are", async () => {
      const { send, output, reasons } = await startCounter();
      for (const command of ["jump", "constructor", "", null, 5, { a: 1n }]) {
        send({ command, payload: reading("R1") });
        assert.match(reasons().at(-1) ?? "", /^unknown command .+: this node takes double, wait, reset$/);
      }
      assert.deepEqual(output(1), []);
      await node?.stop();
      const other = await startChecker(2);
      other.send({ command: "reset" });
      assert.equal(other.reasons()[0], "unknown command 'reset': this node takes none");
    });

    it("says so when a node takes nothing but commands", async () => {
      node = await startNode(
        define("deaf", { name: text("") }, () => ({ commands: { go() {} } })),
        { type: "deaf" },
      );
      node.send({ payload: 1 });
      assert.equal(node.reasons()[0], "this node takes only commands: go");
    });
  });

  describe("with reset", () => {
    const counts = ({ output }: TestNode) => readingsOf(output(1).at(-1)).map(({ count }) => count);
    const all = ["R1", "__proto__", "R3"].map((name) => reading(name));

    it("forgets one device", async () => {
      const counter = await startCounter();
      counter.send({ payload: all });
      counter.send({ command: "reset", payload: { deviceId: "__proto__" } });
      counter.send({ payload: structuredClone(all) });
      assert.deepEqual(counts(counter), [2, 1, 2]);
      assert.equal(counter.completed().length, 3);
    });

    it("forgets all", async () => {
      const counter = await startCounter();
      counter.send({ payload: all });
      counter.send({ command: "reset", payload: "" });
      counter.send({ payload: structuredClone(all) });
      assert.deepEqual(counts(counter), [1, 1, 1]);
    });

    it("refuses a device that it does not know", async () => {
      const { send, caught, reasons } = await startCounter();
      send({ payload: reading("R1") });
      for (const deviceId of ["R2", null, 5, {}]) send({ command: "reset", payload: { deviceId } });
      assert.equal(caught().length, 4);
      assert.equal(reasons()[0], "there is no device 'R2' to reset");
    });

    it("refuses arguments that name no device, and forgets none", async () => {
      const counter = await startCounter();
      counter.send({ payload: all });
      counter.send({ command: "reset", payload: { device: "R1" } });
      counter.send({ payload: structuredClone(all) });
      assert.deepEqual(counter.reasons(), ["reset takes { deviceId }, or nothing for all devices"]);
      assert.deepEqual(counts(counter), [2, 2, 2]);
    });
  });

  describe("with many devices", () => {
    it("refuses the one too many with an error, and goes on counting the others", async () => {
      const { send, output, caught, reasons } = await startCounter({ maxDevices: 50 });
      const fleet = () => Array.from({ length: 51 }, (_, i) => reading(`R${i + 1}`));
      for (let round = 1; round <= 3; round++) {
        send({ payload: fleet() });
        const counts = readingsOf(output(1).at(-1)).map(({ count }) => count);
        assert.deepEqual(counts, new Array(50).fill(round));
        assert.deepEqual(caught().at(-1)?.payload, [reading("R51")]);
        assert.match(reasons().at(-1) ?? "", /^refused 1 of 51 readings: R51 is refused: there are 50 /);
      }
    });
  });

  describe("with a state store", () => {
    it("shows a red ring that names those there are when there is no such store", async () => {
      const contextStorage = { disk: { module: "localfilesystem" }, ram: { module: "memory" } };
      const { statuses } = await startCounter({ stateStore: "tape" }, { settings: { contextStorage } });
      assert.equal(statuses()[0]?.fill, "red");
      assert.equal(statuses()[0]?.text, "stateStore: must be one of file, memory, disk, ram");
    });

    it("warns when there is no user directory for its files", async () => {
      const { logged, send, output } = await startCounter({ stateStore: "file" }, { settings: { userDir: undefined } });
      assert.match(logged()[0] ?? "", /no user directory: the state is kept in memory only/);
      send({ payload: reading("R1") });
      assert.equal(output(1).length, 1);
    });

    it("keeps nothing in files when it is told to keep it in memory", async () => {
      const userDir = mkdtempSync(join(tmpdir(), "device-analytics-"));
      const { send } = await startCounter({}, { settings: { userDir } });
      send({ payload: reading("R1") });
      await node?.stop();
      assert.ok(!existsSync(join(userDir, "device-analytics")));
      rmSync(userDir, { recursive: true });
    });
  });

  it("shows how many devices it knows, and changes that once a second at most", async () => {
    const { send, statuses } = await startCounter();
    assert.deepEqual(statuses(), [{ fill: "grey", shape: "dot", text: "0 devices" }]);
    for (let i = 0; i < 100; i++) send({ payload: reading(`R${i}`) });
    assert.equal(statuses().length, 1);
    mock.timers.tick(1000);
    assert.deepEqual(statuses().slice(1), [{ fill: "green", shape: "dot", text: "100 devices" }]);
  });

  it("closes what it has opened", async () => {
    let closed = 0;
    const opener = define("opener", { name: text("") }, () => ({
      async close() {
        await Promise.resolve();
        closed++;
      },
    }));
    node = await startNode(opener, { type: "opener" });
    await node.stop();
    assert.equal(closed, 1);
    node = undefined;
  });
});
