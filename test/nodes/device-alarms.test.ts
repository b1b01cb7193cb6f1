import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Alarm, DeviceRecord, Maintenance } from "../../core/types.ts";
import deviceAlarms from "../../nodes/device-alarms/device-alarms.ts";
import { configNode } from "../../nodes/lib/config-node.ts";
import { text } from "../../nodes/lib/options.ts";
import type { Registry } from "../../nodes/lib/registry.ts";
import { newFolder } from "../support/folders.ts";
import { LoopProbe } from "../support/loop-probe.ts";
import { type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;

const row = (more: object) => ({
  name: "hot",
  source: "metric",
  match: "temperature",
  comparison: ">",
  limit: "75",
  resetLimit: "70",
  severity: "critical",
  ...more,
});
const LEVELS = [
  row({ severity: "info", limit: 60, resetLimit: 50 }),
  row({ severity: "warning", limit: 70, resetLimit: 60 }),
  row({ severity: "critical", limit: 80, resetLimit: 70 }),
];
const OFFLINE = row({ name: "offline", source: "offline", match: "" });

const at = (temperature: number, deviceId = "R1", more: object = {}) => ({
  deviceId,
  timestamp: Date.now(),
  metrics: { temperature },
  ...more,
});
const flagged = (flag: string, deviceId = "R1") => ({
  ...at(20, deviceId),
  health: { score: 70, status: "warning", flags: [flag], contributors: [{ flag, penalty: 30, value: 78, limit: 75 }] },
});
const event = (status: string, deviceId = "R1") => ({ deviceId, status, timestamp: Date.now() });

describe("device-alarms", () => {
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
      deviceAlarms,
      { type: "device-alarms", stateStore: "memory", ...settings },
      { outputs: 3, ...options },
    );
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(settings: object = {}): Promise<void> {
    await start({ stateStore: "file", ...settings }, { settings: { userDir } });
    node.send({ command: "list" });
    while (node.output(3).length === 0) await nextTurn();
  }

  const send = (payload: unknown) => node.send({ payload });
  const command = (command: string, payload?: unknown) => node.send({ command, payload });
  const pass = (seconds = 1) => {
    for (let second = 0; second < seconds; second++) mock.timers.tick(SECOND);
  };
  const linesOf = (output: number) => node.output(output).map(({ payload }) => payload as Alarm);
  const journal = () => linesOf(1).map(({ alarmId, change, state }) => [alarmId, change, state].join(" "));
  const told = () => linesOf(2).map(({ alarmId, change, severity }) => [alarmId, change, severity].join(" "));
  const open = () => {
    command("list");
    return node.output(3).at(-1)?.payload as Alarm[];
  };

  it("journals each change once, and tells people of a raise, of more severity and of the end", async () => {
    await start({ conditions: LEVELS, severityMayFall: true });
    for (const temperature of [61, 73, 64, 85, 62, 56, 47])
      send(at(temperature, "R1", { units: { temperature: "°C" } }));
    assert.deepEqual(
      linesOf(1).map(({ change, severity, value, limit }) => [change, severity, value, limit]),
      [
        ["raised", "info", 61, 60],
        ["severity", "warning", 73, 70],
        ["severity", "critical", 85, 80],
        ["severity", "info", 62, 60],
        ["returned", "info", 62, 60],
      ],
    );
    assert.deepEqual(told(), [
      "R1/hot raised info",
      "R1/hot severity warning",
      "R1/hot severity critical",
      "R1/hot returned info",
    ]);
    assert.deepEqual(linesOf(1)[0], {
      alarmId: "R1/hot",
      deviceId: "R1",
      condition: "hot",
      severity: "info",
      value: 61,
      limit: 60,
      metric: "temperature",
      unit: "°C",
      state: "unacknowledged",
      count: 1,
      raisedAt: START,
      change: "raised",
      timestamp: START,
      isAnnunciated: true,
    });
    assert.equal(linesOf(1)[3]?.isAnnunciated, false);
    assert.equal(node.completed().length, 7);
  });

  it("files alarms under topics in which a device's name is one level", async () => {
    await start();
    send(["a/b+c#", "__proto__"].map((device) => flagged("overheating", device)));
    assert.deepEqual(
      node.output(1).map(({ topic, payload }) => [topic, (payload as Alarm).deviceId]),
      [
        ["a%2Fb%2Bc%23/overheating", "a/b+c#"],
        ["__proto__/overheating", "__proto__"],
      ],
    );
    command("ack", { alarmId: "a/b+c#/overheating" });
    command("ack", { alarmId: "a%2Fb%2Bc%23/overheating" });
    assert.deepEqual(journal().slice(2), ["a%2Fb%2Bc%23/overheating acknowledged acknowledged"]);
  });

  it("has conditions for the flags of health-score, anomalies and silent devices, with advice for each", async () => {
    await start();
    const verdicts = { z: { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: {} } };
    for (const flag of ["overheating", "high-vibration", "low-battery", "battery-drop"]) send(flagged(flag));
    for (let i = 0; i < 3; i++) send(at(20, "R2", { timestamp: START + i, verdicts }));
    send(event("offline", "R3"));
    assert.deepEqual(
      told().filter((line) => line.includes("raised")),
      [
        "R1/overheating raised critical",
        "R1/high-vibration raised warning",
        "R1/low-battery raised warning",
        "R1/battery-drop raised warning",
        "R2/anomaly raised warning",
        "R3/offline raised critical",
      ],
    );
    for (const { advice = "" } of linesOf(2)) assert.match(advice, /^[A-Z].{40,}\.$/);
  });

  it("takes status events, results of windows and readings, in one array too, and refuses the rest", async () => {
    await start({ conditions: [row({ match: "temperature.mean" }), OFFLINE] });
    const window = {
      group: "hall 3",
      windowStart: START - 60_000,
      windowEnd: START,
      count: 12,
      anomalyCount: 0,
      isUpdate: false,
      metrics: { temperature: { mean: 78, max: 90 } },
    };
    send([
      window,
      event("offline"),
      at(90),
      "hello",
      { ...window, isUpdate: true, windowEnd: START - 60_000, metrics: {} },
    ]);
    assert.deepEqual(journal(), ["hall%203/hot raised unacknowledged", "R1/offline raised unacknowledged"]);
    assert.match(node.reasons()[0] ?? "", /^refused 1 of 5 readings: string is not a reading$/);
  });

  it("waits for its delays, one timer for all devices", async () => {
    await start({ conditions: [row({ onDelaySeconds: "5", offDelaySeconds: "3" })] });
    send([at(80), at(80, "R2")]);
    pass(3);
    send(at(60, "R2"));
    pass(1);
    assert.deepEqual(journal(), []);
    pass(1);
    assert.deepEqual(journal(), ["R1/hot raised unacknowledged"]);
    send(at(60));
    pass(2);
    assert.equal(journal().length, 1);
    pass(1);
    assert.deepEqual(journal().slice(1), ["R1/hot returned returned-unacknowledged"]);
  });

  it("sends its figures once a minute, and soon after an alarm has changed", async () => {
    await start();
    const sent = () =>
      node.output(3).map(({ topic, payload }) => {
        const { alarms, open } = payload as { alarms: { last10Minutes: number }; open: { count: number } };
        return [topic, alarms.last10Minutes, open.count];
      });
    pass(59);
    assert.deepEqual(sent(), []);
    pass(1);
    assert.deepEqual(sent(), [["figures", 0, 0]]);
    send(flagged("overheating"));
    send(flagged("overheating", "R2"));
    pass(4);
    assert.equal(sent().length, 1);
    pass(1);
    assert.deepEqual(sent().slice(1), [["figures", 2, 2]]);
    pass(59);
    assert.equal(sent().length, 2);
    pass(1);
    assert.equal(sent().length, 3);
  });

  describe("with commands", () => {
    it("acknowledges, shelves and takes out of service, and tells again what still stands afterwards", async () => {
      await start({ conditions: [row({})] });
      send(at(80));
      command("ack", { alarmId: "R1/hot", by: "Ada" });
      command("ack", { alarmId: "R1/hot", by: "Bob" });
      command("shelve", { alarmId: "R1/hot", seconds: 60, reason: "known", by: "Ada" });
      pass(59);
      assert.equal(told().length, 1);
      pass(1);
      assert.deepEqual(journal(), [
        "R1/hot raised unacknowledged",
        "R1/hot acknowledged acknowledged",
        "R1/hot shelved acknowledged",
        "R1/hot unshelved unacknowledged",
      ]);
      assert.deepEqual(
        linesOf(1).map(({ by }) => by),
        [undefined, "Ada", "Ada", undefined],
      );
      assert.deepEqual(linesOf(1)[2]?.shelved, {
        since: START,
        until: START + 60 * SECOND,
        by: "Ada",
        reason: "known",
      });
      assert.deepEqual(told(), ["R1/hot raised critical", "R1/hot unshelved critical"]);
      for (const [name, alarms] of [
        ["out-of-service", ["R1/hot"]],
        ["suppress", [{ alarmId: "R1/hot" }]],
      ] as const)
        command(name, alarms);
      send([at(60), at(80)]);
      command("in-service", "R1/hot");
      assert.equal(told().length, 2);
      command("unsuppress", { deviceId: "R1" });
      assert.deepEqual(told().slice(2), ["R1/hot unsuppressed critical"]);
      assert.deepEqual(node.caught(), []);
    });

    it("lists what is not normal or silenced, in the message that asks", async () => {
      await start({ conditions: [row({})] });
      send([at(80), at(80, "R2"), at(80, "R3"), at(20)]);
      command("ack", { deviceId: "R1" });
      command("out-of-service", { alarmId: "R1/hot" });
      node.send({ command: "list", socketid: "abc" });
      const [answer] = node.output(3);
      assert.deepEqual([answer?.socketid, answer?.command], ["abc", "list"]);
      assert.deepEqual(
        (answer as { payload: Alarm[] }).payload.map(({ alarmId, state }) => `${alarmId} ${state}`),
        ["R1/hot normal", "R2/hot unacknowledged", "R3/hot unacknowledged"],
      );
      command("ack", { all: true });
      assert.deepEqual(
        open().map(({ state }) => state),
        ["normal", "acknowledged", "acknowledged"],
      );
      command("figures");
      const figures = node.output(3).at(-1)?.payload as { open: { count: number } };
      assert.equal(figures.open.count, 3);
    });

    it("resets a latched alarm by its name, and by a device or nothing forgets what it knows", async () => {
      await start({ conditions: [row({ latch: true })] });
      send([at(80), at(80, "R2"), at(80, "R3"), at(20)]);
      assert.deepEqual(journal().slice(3), ["R1/hot returned latched"]);
      assert.equal(told().length, 3);
      command("reset", { alarmId: "R1/hot", by: "Ada" });
      assert.deepEqual(told().slice(3), ["R1/hot reset critical"]);
      command("reset", { alarmId: ["R1/hot", "R2/hot"] });
      assert.match(node.reasons()[0] ?? "", /^R2\/hot can't be reset, for its condition still holds/);
      command("reset", { deviceId: "R2", by: "Ada" });
      assert.deepEqual([journal().at(-1), linesOf(1).at(-1)?.by], ["R2/hot reset normal", "Ada"]);
      assert.deepEqual(
        open().map(({ alarmId }) => alarmId),
        ["R3/hot"],
      );
      command("reset", { device: "R3" });
      assert.match(node.reasons()[1] ?? "", /^reset takes { deviceId }/);
      command("reset");
      assert.deepEqual([journal().at(-1), open()], ["R3/hot reset normal", []]);
    });

    it("sets limits for one device or for all", async () => {
      await start({ conditions: [row({})] });
      send([at(20), at(20, "R2")]);
      command("set", { deviceId: "R1", condition: "hot", limit: 90 });
      command("set", { condition: "hot", limit: 30 });
      send([at(80), at(40, "R2")]);
      command("set", { deviceId: "R1", condition: "hot", limit: null });
      send([at(29), at(31)]);
      assert.deepEqual(journal(), ["R2/hot raised unacknowledged", "R1/hot raised unacknowledged"]);
      command("set", { deviceId: "R9", condition: "hot", limit: 1 });
      command("set", { condition: "cold", limit: 1 });
      command("set", { condition: "hot", limit: "1" });
      command("set", { condition: "hot", severity: "info", limit: 1 });
      assert.deepEqual(node.reasons(), [
        'there is no device "R9"',
        'there is no condition "cold": limits have hot',
        "limit must be a number, or null for the table's own",
        "hot has no level info",
      ]);
    });

    it("refuses what makes no sense, with nothing done", async () => {
      await start({ conditions: [row({})], maximumShelveSeconds: 60 });
      send(at(80));
      command("ack");
      command("ack", { alarmId: ["R1/hot", "R1/cold"] });
      command("shelve", { alarmId: "R1/hot" });
      command("shelve", { alarmId: "R1/hot", seconds: 61 });
      command("ack", { alarmId: "R1/hot", by: 7 });
      command("suppress", { deviceId: "R7" });
      command("ack", { severity: "loud" });
      command("dance");
      assert.deepEqual(node.reasons(), [
        "it needs { alarmId }, or a filter of deviceId, condition and severity, or { all: true }",
        'there is no alarm "R1/cold"',
        "shelve needs seconds, or oneShot: true",
        "seconds must be a number above 0, up to 60",
        "by must be a text",
        'there is no device "R7"',
        "severity must be info, warning, critical",
        "unknown command 'dance': this node takes ack, shelve, unshelve, suppress, unsuppress, out-of-service, in-service, reset, set, list, figures",
      ]);
      assert.equal(journal().length, 1);
    });
  });

  describe("with a device-registry", () => {
    const maintained = new Map<string, Maintenance>();
    const listeners = new Set<() => void>();
    const records = new Map<string, DeviceRecord>([
      ["G1", { deviceId: "G1" }],
      ["R1", { deviceId: "R1", parent: "G1", name: "Pump 1", location: "hall 3", advice: "Call 112." }],
      ["R2", { deviceId: "R2", limits: { hot: 90 } }],
    ]);
    const registry: Registry = {
      isStrict: false,
      get: (deviceId) => records.get(deviceId),
      records: () => records.values(),
      maintenance: (deviceId, now) => {
        const maintenance = maintained.get(deviceId);
        return maintenance && maintenance.until > now ? maintenance : undefined;
      },
      maintain: (args, now) => {
        const { deviceId, seconds } = args as { deviceId: string; seconds: number };
        maintained.set(deviceId, { since: now, until: now + seconds * SECOND, by: "Ada" });
        for (const listener of listeners) listener();
      },
      watch: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const registryNode = configNode("device-registry", { name: text("") }, () => ({ value: registry }));

    beforeEach(async () => {
      maintained.clear();
      await start(
        { conditions: [row({}), OFFLINE], registry: "registry" },
        { definitions: [registryNode], configs: [{ id: "registry", type: "device-registry" }] },
      );
    });

    it("knows the device's name, location, advice and limits", () => {
      send([at(80), at(80, "R2"), at(91, "R2")]);
      const [first, second] = linesOf(1);
      assert.deepEqual([first?.name, first?.location, first?.advice], ["Pump 1", "hall 3", "Call 112."]);
      assert.deepEqual([second?.deviceId, second?.limit], ["R2", 90]);
    });

    it("tells nobody of a device in maintenance, and after it only what its next reading still says", () => {
      send([at(80), at(91, "R2")]);
      for (const deviceId of ["R1", "R2"]) command("maintenance", { deviceId, seconds: 60 });
      pass(1);
      assert.deepEqual(journal().slice(2), ["R1/hot suppressed unacknowledged", "R2/hot suppressed unacknowledged"]);
      assert.deepEqual(linesOf(1)[2]?.suppressed, {
        since: START + SECOND,
        until: START + 60 * SECOND,
        by: "Ada",
        reason: "maintenance",
      });
      send([at(60), at(80)]);
      assert.deepEqual(journal().slice(4), ["R1/hot returned returned-unacknowledged", "R1/hot raised unacknowledged"]);
      pass(60);
      assert.equal(told().length, 2);
      send([at(80), at(20, "R2")]);
      assert.deepEqual(told().slice(2), ["R1/hot unsuppressed critical", "R2/hot unsuppressed critical"]);
      assert.deepEqual(
        linesOf(2)
          .slice(2)
          .map(({ state }) => state),
        ["unacknowledged", "returned-unacknowledged"],
      );
    });

    it("holds the alarms of devices that hang on one that is out of reach", () => {
      send([at(80), event("offline"), event("offline", "G1")]);
      pass(5);
      assert.deepEqual(told(), ["R1/hot raised critical", "G1/offline raised critical"]);
      assert.deepEqual(linesOf(1).at(-1)?.suppressed?.reason, "G1, on which it hangs, is offline");
      send([event("online", "G1")]);
      pass(29);
      assert.deepEqual(told().slice(2), ["G1/offline returned critical"]);
      pass(5);
      assert.deepEqual(told().slice(3), ["R1/offline unsuppressed critical"]);
      send([event("online"), at(80)]);
      assert.deepEqual(told().slice(4), ["R1/offline returned critical", "R1/hot unsuppressed critical"]);
    });
  });

  describe("after a restart", () => {
    const settings = { conditions: [row({}), row({ name: "shaking", match: "vibration", limit: 2, resetLimit: "" })] };

    it("repeats nothing, knows every state, and tells what is over then", async () => {
      await startOnFiles(settings);
      send(["R1", "R2", "R3", "R4"].map((device) => at(80, device)));
      command("ack", { alarmId: "R2/hot", by: "Ada" });
      command("shelve", { alarmId: "R3/hot", seconds: 60 });
      send(at(20, "R4"));
      command("set", { deviceId: "R1", condition: "shaking", limit: 3 });
      const before = open();
      await node.stop();

      await startOnFiles(settings);
      const byId = (alarms: Alarm[]) => alarms.sort((a, b) => (a.alarmId < b.alarmId ? -1 : 1));
      assert.deepEqual(byId(open()), byId(before));
      send(["R1", "R2", "R3"].map((device) => at(80, device)));
      pass(1);
      assert.deepEqual([journal(), told()], [[], []]);
      send(["R1", "R2", "R3"].map((device) => at(20, device)));
      assert.deepEqual(told(), ["R1/hot returned critical", "R2/hot returned critical"]);
      send({ ...at(20), metrics: { vibration: 2.5 } });
      assert.equal(journal().length, 3, "the limit that was set counts");
      assert.deepEqual(node.logged(), []);
    });

    it("closes alarms whose condition is no more", async () => {
      await startOnFiles(settings);
      send(at(80));
      await node.stop();
      await startOnFiles({ conditions: [settings.conditions[1]] });
      assert.deepEqual([journal(), told()], [["R1/hot reset normal"], ["R1/hot reset critical"]]);
      assert.deepEqual(open(), []);
    });
  });

  describe("shows", () => {
    const last = () => node.statuses().at(-1);

    it("how many alarms stand by severity, red while a critical one is unacknowledged", async () => {
      await startOnFiles({
        conditions: [row({}), row({ name: "warm", limit: 50, resetLimit: "", severity: "warning" })],
      });
      assert.deepEqual(last(), { fill: "green", shape: "dot", text: "status.quiet" });
      send(at(80));
      pass(1);
      assert.deepEqual(last(), { fill: "red", shape: "dot", text: "status.critical, status.warning" });
      command("ack", { all: true });
      pass(1);
      assert.deepEqual(last(), { fill: "yellow", shape: "dot", text: "status.critical, status.warning" });
    });

    it("in yellow that it forgets", async () => {
      await start();
      assert.deepEqual(last(), { fill: "yellow", shape: "dot", text: "status.quiet, status.forgets" });
    });

    for (const [conditions, reason] of [
      [[row({ match: "" })], "conditions: row 1: match must name the metric"],
      [[row({ resetLimit: 80 })], "conditions: row 1: resetLimit must lie on the good side of limit"],
      [[row({ occurrences: 2 })], "conditions: row 1: occurrences must not be above withinReadings"],
      [[row({}), row({})], "conditions: row 2: hot has a level critical already"],
      [
        [row({}), row({ severity: "info", match: "x" })],
        "conditions: row 2: the levels of hot must have the same source, match and comparison",
      ],
    ] as const) {
      it(`in red: ${reason}`, async () => {
        await start({ conditions });
        assert.deepEqual(last(), { fill: "red", shape: "ring", text: reason });
      });
    }
  });

  it("never forgets a device with an open alarm to make room for another", async () => {
    await start({ conditions: [OFFLINE], maxDevices: 2, forgetAfterHours: 0.1 });
    send([event("offline"), event("online", "R2")]);
    pass(400);
    send([event("online", "R3"), event("online", "R4")]);
    assert.deepEqual(
      open().map(({ alarmId }) => alarmId),
      ["R1/offline"],
    );
    assert.match(node.reasons()[0] ?? "", /R4 is refused: there are 2 devices already/);
  });

  it("does not hold up the event loop for 50 ms when 10,000 devices raise an alarm at once", async () => {
    mock.timers.reset();
    await start({ conditions: [row({})] }, { settings: { runtimeSyncDelivery: false } });
    const probe = new LoopProbe();
    for (let first = 0; first < 10_000; first += 500) {
      send(Array.from({ length: 500 }, (_, index) => at(80, `R${first + index}`)));
      await nextTurn();
    }
    await node.arrival(10_000);
    const longest = probe.stop();
    await nextTurn();
    assert.equal(new Set(linesOf(2).map(({ alarmId }) => alarmId)).size, 10_000);
    assert.ok(longest < 50, `${longest} ms`);
  });

  it("keeps what a storm has left unsent over a restart", async () => {
    await startOnFiles({ conditions: [row({})] });
    send(Array.from({ length: 1000 }, (_, device) => at(80, `R${device}`)));
    const before = journal();
    assert.ok(before.length < 1000);
    await node.stop();
    await startOnFiles({ conditions: [row({})] });
    await node.arrival(1000 - before.length);
    assert.equal(new Set([...before, ...journal()]).size, 1000);
  });
});
