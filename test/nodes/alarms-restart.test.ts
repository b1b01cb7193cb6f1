/** Alarms in every state, in a new Node-RED process on the same user directory. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Alarm } from "../../core/types.ts";
import { stateFolder } from "../../nodes/lib/state-folders.ts";
import { newFolder } from "../support/folders.ts";
import { type NodeRedProcess, startNodeRedProcess } from "../support/node-red-process.ts";
import type { FlowNode } from "../support/test-flow.ts";

const condition = (name: string, more: object = {}) => ({
  name,
  source: "metric",
  match: name,
  comparison: ">",
  limit: 75,
  severity: "critical",
  ...more,
});
const FLOW: FlowNode[] = [
  { id: "in", type: "from-test", wires: [["alarms"]] },
  {
    id: "alarms",
    type: "device-alarms",
    conditions: [
      condition("temperature"),
      condition("pressure", { latch: true }),
      condition("offline", { source: "offline", match: "" }),
    ],
    wires: [["journal"], ["told"], ["answers"]],
  },
  ...["journal", "told", "answers"].map((id): FlowNode => ({ id, type: "to-test", wires: [] })),
];

const reading = (deviceId: string, temperature: number, pressure = 0) => ({
  payload: { deviceId, timestamp: Date.now(), metrics: { temperature, pressure } },
});
const command = (name: string, deviceId: string, more: object = {}) => ({
  command: name,
  payload: { deviceId, by: "Ada", ...more },
});
const event = (deviceId: string, status: string) => ({ payload: { deviceId, status, timestamp: Date.now() } });
const LIST = { command: "list" };

/** A device in each state, and how it gets there. */
const DEVICES: Record<string, object[]> = {
  normal: [reading("normal", 80), command("ack", "normal"), reading("normal", 20)],
  unacknowledged: [reading("unacknowledged", 80)],
  acknowledged: [reading("acknowledged", 80), command("ack", "acknowledged")],
  returned: [reading("returned", 80), reading("returned", 20)],
  latched: [reading("latched", 20, 80), reading("latched", 20)],
  shelved: [reading("shelved", 80), command("shelve", "shelved", { seconds: 3600 })],
  oneShot: [reading("oneShot", 80), command("shelve", "oneShot", { oneShot: true })],
  suppressed: [reading("suppressed", 80), command("suppress", "suppressed")],
  outOfService: [reading("outOfService", 80), command("out-of-service", "outOfService")],
  silent: [reading("silent", 80), event("silent", "offline")],
  "a/b+c#": [reading("a/b+c#", 80)],
};

describe("alarms in a new process on the same user directory", function () {
  this.timeout(60_000);

  let userDir: string;
  let red: NodeRedProcess | undefined;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(async () => {
    await red?.stop("SIGKILL");
  });

  async function start(): Promise<NodeRedProcess> {
    red = await startNodeRedProcess(userDir, ["device-alarms"], FLOW);
    return red;
  }

  const alarmsOf = async (output: string, count: number) =>
    (await red?.received(output, count))?.map(({ payload }) => payload as Alarm) ?? [];

  /** The `nth` answer to `list`, by device and condition. */
  async function list(process: NodeRedProcess, nth: number): Promise<Alarm[]> {
    process.send([LIST]);
    const answers = await process.received("answers", nth);
    const alarms = answers[nth - 1]?.payload as Alarm[];
    return alarms.sort((a, b) => (a.alarmId < b.alarmId ? -1 : 1));
  }

  function saved(): string {
    const folder = stateFolder(userDir, "alarms");
    if (!existsSync(folder)) return "";
    const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
    return files.map((name) => readFileSync(join(folder, name), "utf8")).join("");
  }

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`are what they were, repeat nothing and still end, after ${signal}`, async () => {
      const first = await start();
      first.send(Object.values(DEVICES).flat());
      const before = await list(first, 1);
      assert.deepEqual(
        new Set(before.map(({ state }) => state)),
        new Set(["unacknowledged", "acknowledged", "returned-unacknowledged", "latched"]),
      );
      if (signal === "SIGKILL") {
        const since = Date.now();
        while (!Object.keys(DEVICES).every((device) => saved().includes(`[${JSON.stringify(device)},`))) await wait(20);
        assert.ok(Date.now() - since < 1500, "they are saved within a second");
      }
      await first.stop(signal);

      const second = await start();
      assert.deepEqual(await list(second, 1), before);
      // What stands goes on, and then is over.
      const names = Object.keys(DEVICES).filter((name) => !["normal", "returned", "latched", "silent"].includes(name));
      second.send(names.map((name) => reading(name, 80)));
      const after = await list(second, 2);
      assert.deepEqual(after, before);
      second.send([event("silent", "online"), ...[...names, "silent"].map((name) => reading(name, 20))]);
      second.send([command("reset", "latched", { deviceId: undefined, alarmId: "latched/pressure" })]);
      const told = await alarmsOf("told", 7);
      await list(second, 3);
      const { length } = await alarmsOf("told", 0);
      assert.deepEqual(
        told.map(({ alarmId, change }) => `${alarmId} ${change}`).sort(),
        [
          "a%2Fb%2Bc%23/temperature returned",
          "acknowledged/temperature returned",
          "latched/pressure reset",
          "oneShot/temperature unshelved",
          "silent/offline returned",
          "silent/temperature unsuppressed",
          "unacknowledged/temperature returned",
        ].sort(),
      );
      assert.equal(length, told.length);
      assert.doesNotMatch(second.log(), /\[(warn|error)\] \[device-alarms/);
    });
  }
});
