import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { stateOptions, text } from "../../../nodes/lib/options.ts";
import { define } from "../../../nodes/lib/runtime.ts";
import { startNode, type TestNode } from "../../support/test-flow.ts";

/** A node that takes readings and rings, which are no readings, and tells how many of each there were in all. */
const tally = define<ReturnType<typeof optionsOf>, { rings: number }>("tally", optionsOf(), (host) => {
  let total = 0;
  return {
    isSink: true,
    state: {
      version: 1,
      create: () => ({ rings: 0 }),
      save: ({ rings }) => rings,
      restore: (saved) => ({ rings: Number(saved) }),
    },
    common: {
      save: () => ({ total }),
      restore(saved) {
        const { total: restored } = saved as { total: unknown };
        if (typeof restored !== "number") throw new Error("the total is no number");
        total = restored;
      },
      reset() {
        total = 0;
      },
    },
    analyse({ metrics }) {
      if ((metrics.x ?? 0) < 0) throw new Error("x is negative");
      total++;
      host.touch();
      return true;
    },
    takeEvent(payload) {
      if (typeof payload !== "object" || payload === null || !("ring" in payload)) return false;
      if (typeof payload.ring !== "string") throw new Error("nobody rings");
      host.device(payload.ring).state.rings++;
      return true;
    },
    commands: {
      tell(_args, _message, send) {
        const rings = Array.from(host.devices.values(), ({ deviceId, state }) => [deviceId, state.rings]);
        send({ payload: { total, rings: Object.fromEntries(rings) } });
      },
      count() {
        total++;
        host.touch();
      },
    },
  };
});

function optionsOf() {
  return { name: text(""), ...stateOptions };
}

const reading = (deviceId: string, x = 1) => ({ deviceId, timestamp: 5, metrics: { x } });

describe("a node in which readings end", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    userDir = mkdtempSync(join(tmpdir(), "device-analytics-"));
  });
  afterEach(async () => {
    await node.stop();
    rmSync(userDir, { recursive: true });
  });

  const stateFolder = () => join(userDir, "device-analytics", "state", "node");

  async function start(settings: object = {}): Promise<void> {
    node = await startNode(tally, { type: "tally", ...settings }, { settings: { userDir } });
  }

  /** What the node tells when asked. */
  async function told(): Promise<unknown> {
    const { length } = node.output(1);
    node.send({ command: "tell" });
    return (await node.arrival(length + 1))[length]?.payload;
  }

  it("sends nothing on, and completes each message once", async () => {
    await start();
    node.send({ payload: [reading("R1"), { ring: "R2" }, { ring: "R2" }] });
    node.send({ payload: reading("R1") });
    node.send({ payload: { ring: "R1" } });
    assert.deepEqual(await told(), { total: 2, rings: { R1: 1, R2: 2 } });
    assert.deepEqual([node.output(1).length, node.output(2).length], [1, 0]);
    assert.equal(node.completed().length, 4);
  });

  it("gives a Catch node what it refuses, and all of a message in which nothing is good", async () => {
    await start({ stateStore: "memory" });
    const wrong = [{ ring: 5 }, reading("R1", -1), [reading("R1")], "x"];
    node.send({ payload: [{ ring: "R1" }, ...wrong], extra: 1 });
    assert.deepEqual([node.caught()[0]?.payload, node.caught()[0]?.extra], [wrong, 1]);
    assert.equal(
      node.reasons()[0],
      "refused 4 of 5 readings: nobody rings; x is negative; an array inside an array is not a reading; …",
    );
    assert.equal(node.completed().length, 1);
    for (const payload of [wrong, [], { ring: 5 }, '{"ring":5}']) {
      node.send({ payload });
      assert.deepEqual(node.caught().at(-1)?.payload, payload);
    }
    assert.deepEqual(node.reasons().slice(2), ["an empty array holds no reading", "nobody rings", "nobody rings"]);
    assert.equal(node.completed().length, 1);
  });

  it("makes room for a device of which it learns from an event, as long as there is any", async () => {
    await start({ stateStore: "memory", maxDevices: 2 });
    node.send({ payload: [{ ring: "R1" }, { ring: "R2" }, { ring: "R3" }, { ring: "R1" }] });
    assert.match(node.reasons()[0] ?? "", /R3 is refused: there are 2 devices already/);
    assert.deepEqual(await told(), { total: 0, rings: { R1: 2, R2: 1 } });
  });

  describe("and are accepted later", () => {
    let accept: (() => void) | undefined;
    let refuse: ((error: Error) => void) | undefined;
    let calls = 0;

    const vault = define("vault", { name: text("") }, () => ({
      isSink: true,
      analyse: () => false,
      accepted() {
        calls++;
        return new Promise<void>((resolve, reject) => {
          accept = resolve;
          refuse = reject;
        });
      },
    }));

    beforeEach(async () => {
      calls = 0;
      node = await startNode(vault, { type: "vault" });
    });

    const settled = () => wait(0);

    it("completes a message, and reports what it refuses of it, once the rest is accepted", async () => {
      node.send({ payload: [reading("R1"), "x"] });
      await settled();
      assert.deepEqual([node.completed().length, node.caught().length], [0, 0]);
      accept?.();
      await settled();
      assert.deepEqual([node.completed().length, node.caught()[0]?.payload], [1, ["x"]]);
      assert.equal(calls, 1);
    });

    it("completes a message with one reading once that is accepted", async () => {
      node.send({ payload: reading("R1") });
      await settled();
      assert.deepEqual([node.completed().length, calls], [0, 1]);
      accept?.();
      await settled();
      assert.equal(node.completed().length, 1);
    });

    it("gives a Catch node the whole message that is not accepted", async () => {
      const payload = [reading("R1"), "x"];
      node.send({ payload });
      refuse?.(new Error("the vault is full"));
      await settled();
      assert.deepEqual(node.reasons(), ["the vault is full"]);
      assert.deepEqual([node.completed().length, node.caught()[0]?.payload], [0, payload]);
    });

    it("is not asked to accept a message in which nothing is good", async () => {
      node.send({ payload: "x" });
      await settled();
      assert.deepEqual([calls, node.reasons().length], [0, 1]);
    });
  });

  describe("and state beside that of its devices", () => {
    it("has it back after a restart, with the devices", async () => {
      await start();
      node.send({ payload: [reading("R1"), { ring: "R2" }] });
      await told();
      await node.stop();
      await start();
      assert.deepEqual(await told(), { total: 1, rings: { R1: 0, R2: 1 } });
    });

    it("resets it with all devices, and not with one", async () => {
      await start();
      node.send({ payload: [reading("R1"), reading("R2")] });
      await told();
      node.send({ command: "reset", payload: { deviceId: "R1" } });
      assert.deepEqual(await told(), { total: 2, rings: { R2: 0 } });
      node.send({ command: "reset" });
      await node.stop();
      await start();
      assert.deepEqual(await told(), { total: 0, rings: {} });
    });

    it("starts it afresh, and says so, when what was saved is of no use", async () => {
      await start();
      node.send({ payload: reading("R1") });
      await told();
      await node.stop();
      for (const name of readdirSync(stateFolder())) {
        const file = join(stateFolder(), name);
        writeFileSync(file, readFileSync(file, "utf8").replace('{"total":1}', '{"total":"one"}'));
      }
      await start();
      assert.deepEqual(await told(), { total: 0, rings: { R1: 0 } });
      assert.match(node.logged()[0] ?? "", /saved state cannot be used.*the total is no number/);
    });

    it("saves it soon after a command, even if commands never cease", async () => {
      await start();
      await told();
      const begin = performance.now();
      while (!existsSync(stateFolder())) {
        node.send({ command: "count" });
        await wait(20);
      }
      assert.ok(performance.now() - begin < 1000);
    });
  });
});
