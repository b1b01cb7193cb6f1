import assert from "node:assert/strict";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CommandLine, CommandToDevice } from "../../core/device-commands.ts";
import type { DeviceRecord } from "../../core/types.ts";
import deviceCommand from "../../nodes/device-command/device-command.ts";
import locale from "../../nodes/device-command/locale.json" with { type: "json" };
import { sentence } from "../../nodes/device-command/sentence.ts";
import { configNode } from "../../nodes/lib/config-node.ts";
import { fill } from "../../nodes/lib/options.ts";
import type { Registry } from "../../nodes/lib/registry.ts";
import { newFolder } from "../support/folders.ts";
import { type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;

const RESTART = { deviceId: "R1", command: "restart", by: "Anna" };
const SET = { deviceId: "R2", command: "set", by: "Ben", parameter: "load", value: 0.5 };

describe("device-command", () => {
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
    node = await startNode(deviceCommand, { type: "device-command", stateStore: "memory", ...settings }, options);
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(folder = userDir): Promise<void> {
    await start({ stateStore: "file" }, { settings: { userDir: folder } });
    send({ deviceId: "R9", command: "restart" });
    await node.arrival(1);
  }

  const send = (payload: unknown) => node.send({ payload });
  const pass = (seconds: number) => {
    for (let step = 0; step < 4 * seconds; step++) mock.timers.tick(SECOND / 4);
  };
  const commands = () => node.output(1).map(({ payload }) => payload as CommandToDevice);
  const journal = () => node.output(2).map(({ payload }) => payload as CommandLine & { text: string });
  const outcomes = () => journal().map(({ deviceId, outcome }) => `${deviceId} ${outcome}`);
  /** What the device answers that got the latest command, or the one with a number. */
  const answer = (more: object = { ok: true }, index = -1) => ({ ...commands().at(index), ...more });

  it("sends a command to its device, and journals who gave it", async () => {
    await start();
    send(SET);
    const [{ commandId } = { commandId: "" }] = commands();
    assert.match(commandId, /^[\da-f-]{36}$/);
    assert.deepEqual(commands(), [{ command: "set", commandId, by: "Ben", parameter: "load", value: 0.5 }]);
    const { text, ...line } = journal()[0] ?? { text: "" };
    assert.ok(text.length > 0);
    assert.deepEqual(line, {
      deviceId: "R2",
      command: "set",
      commandId,
      by: "Ben",
      arguments: { parameter: "load", value: 0.5 },
      outcome: "sent",
      sentAt: START,
      timestamp: START,
    });
    assert.deepEqual([node.output(1)[0]?.topic, node.output(2)[0]?.topic], ["R2", "R2"]);
    assert.equal(node.completed().length, 1);
  });

  it("journals what the device answers, with how long it took", async () => {
    await start();
    send(RESTART);
    pass(1);
    send(answer());
    send(SET);
    send(answer({ ok: false, error: "no such parameter" }));
    assert.deepEqual(outcomes(), ["R1 sent", "R1 done", "R2 sent", "R2 failed"]);
    assert.deepEqual([journal()[1]?.seconds, journal()[1]?.by], [1, "Anna"]);
    assert.equal(journal()[3]?.error, "no such parameter");
    pass(20);
    assert.equal(journal().length, 4);
    assert.equal(commands().length, 2, "an answer is not sent on");
  });

  it("journals that a device has not answered in time, and that it has after all", async () => {
    await start({ timeoutSeconds: "5" });
    send([RESTART, SET]);
    pass(4.75);
    assert.equal(journal().length, 2);
    pass(0.25);
    send(answer({ ok: false, error: "too hot" }));
    assert.deepEqual(outcomes().slice(2), ["R1 timeout", "R2 timeout", "R2 answered-late"]);
    assert.equal(journal()[4]?.error, "too hot");
  });

  it("gives every command an id of its own", async () => {
    await start();
    send(Array.from({ length: 100 }, () => RESTART));
    assert.equal(new Set(commands().map(({ commandId }) => commandId)).size, 100);
  });

  it("passes over answers to commands of others, and counts them in its status", async () => {
    await start();
    send([
      { ...RESTART, commandId: "of somebody else", ok: true },
      { ...RESTART, ok: false },
    ]);
    assert.deepEqual([journal(), commands(), node.reasons()], [[], [], []]);
    pass(2);
    assert.match(node.statuses().at(-1)?.text ?? "", /status\.foreign/);
  });

  it("refuses what is not allowed, and takes the rest of an array", async () => {
    await start({ commands: "restart, set" });
    send([{ ...RESTART, command: "explode" }, RESTART]);
    assert.deepEqual(outcomes(), ["R1 sent"]);
    assert.match(node.reasons()[0] ?? "", /the command "explode" is not allowed, only restart, set/);
    assert.deepEqual(node.caught()[0]?.payload, [{ ...RESTART, command: "explode" }]);
  });

  it("tells where the word belongs when it comes as a command to the node itself", async () => {
    await start();
    node.send({ command: "restart", payload: { deviceId: "R1" } });
    assert.match(node.reasons()[0] ?? "", /stands in the payload, as \{ deviceId, command \}/);
    assert.equal(commands().length, 0);
  });

  it("refuses a device that a strict device registry does not list, but not the one that means all", async () => {
    const registry: Partial<Registry> = {
      isStrict: true,
      get: (deviceId): DeviceRecord | undefined => (deviceId === "R1" ? { deviceId } : undefined),
    };
    await start(
      { registry: "list" },
      {
        configs: [{ id: "list", type: "device-registry" }],
        definitions: [configNode("device-registry", {}, () => ({ value: registry }))],
      },
    );
    send([RESTART, SET, { ...RESTART, deviceId: "*" }]);
    assert.deepEqual(outcomes(), ["R1 sent", "* sent"]);
    assert.match(node.reasons()[0] ?? "", /there is no device "R2"/);
  });

  it("forgets what waits by the command reset", async () => {
    await start();
    send(RESTART);
    node.send({ command: "reset" });
    send(answer());
    pass(20);
    assert.deepEqual(outcomes(), ["R1 sent"]);
  });

  describe("after a restart of Node-RED", () => {
    it("journals the answers that come, and those that do not", async () => {
      await startOnFiles();
      send([RESTART, SET]);
      const late = answer();
      pass(3);
      await node.stop();
      await startOnFiles();
      send(late);
      assert.deepEqual(outcomes(), ["R9 sent", "R2 done"]);
      pass(7);
      assert.deepEqual(outcomes().slice(2), ["R9 timeout", "R1 timeout"]);
      assert.deepEqual(node.logged(), []);
    });

    it("recognises a late answer", async () => {
      await startOnFiles();
      send(RESTART);
      const late = answer();
      pass(11);
      await node.stop();
      await startOnFiles();
      send(late);
      assert.deepEqual(outcomes(), ["R9 sent", "R1 answered-late"]);
    });

    it("knows what was sent half a second before it was killed", async () => {
      await startOnFiles();
      send(RESTART);
      const late = answer();
      pass(0.5);
      const files = () => globSync("device-analytics/**/*.jsonl", { cwd: userDir });
      while (!files().some((file) => readFileSync(join(userDir, file), "utf8").includes(late.commandId ?? ""))) {
        await nextTurn();
      }
      const copy = mkdtempSync(join(tmpdir(), "device-analytics-"));
      cpSync(userDir, copy, { recursive: true });
      await node.stop();
      await startOnFiles(copy);
      send(late);
      assert.deepEqual(outcomes(), ["R9 sent", "R1 done"]);
      rmSync(copy, { recursive: true });
    });
  });

  it("sends nothing any more once it is closed", async () => {
    await start();
    send(RESTART);
    await node.stop();
    pass(20);
    assert.equal(journal().length, 1);
  });
});

describe("the sentence about a command", () => {
  const texts = new Map(Object.entries(locale.outcomes).map(([key, text]) => [`outcomes.${key}`, text]));
  const LINE: CommandLine = {
    deviceId: "R2",
    command: "restart",
    commandId: "c1",
    arguments: {},
    outcome: "sent",
    sentAt: START,
    timestamp: START,
  };
  const say = (more: Partial<CommandLine>) =>
    sentence({ ...LINE, ...more }, (key, values = {}) => fill(texts.get(key) ?? key, values));

  it("says who asked which device for what, and what came of it", () => {
    const set = { command: "set", arguments: { parameter: "load", value: 0.5 }, by: "Ben" };
    assert.equal(say(set), "R2 was sent set (parameter load, value 0.5) by Ben.");
    const restart = { by: "Ben", seconds: 12.34 };
    assert.equal(say({ ...restart, outcome: "done" }), "R2 has done restart for Ben, after 12.3 s.");
    assert.equal(say({ ...restart, outcome: "timeout" }), "R2 has not answered restart of Ben within 12.3 s.");
    assert.equal(
      say({ ...restart, outcome: "answered-late" }),
      "R2 has done restart for Ben, but answered only after 12.3 s.",
    );
    const error = "it is locked";
    assert.equal(say({ ...restart, outcome: "failed", error }), "R2 could not do restart for Ben: it is locked.");
    assert.equal(
      say({ ...restart, outcome: "answered-late", error }),
      "R2 could not do restart for Ben, and answered only after 12.3 s: it is locked.",
    );
  });

  it("is in order without a name, and with long arguments", () => {
    assert.equal(say({}), "R2 was sent restart by somebody.");
    assert.match(
      say({ arguments: { text: "x".repeat(1000) } }),
      /^R2 was sent restart \(text x{195}…\) by somebody\.$/,
    );
  });
});
