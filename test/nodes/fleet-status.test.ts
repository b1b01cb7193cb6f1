import assert from "node:assert/strict";
import { mock } from "node:test";
import type { DeviceSummary } from "../../core/device-status.ts";
import type { FleetFigures } from "../../core/fleet-status.ts";
import fleetStatus from "../../nodes/fleet-status/fleet-status.ts";
import { newFolder } from "../support/folders.ts";
import { type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;

interface Summary {
  devices: DeviceSummary[];
  figures: FleetFigures;
}

const reading = (deviceId: string, more: object = {}) => ({
  deviceId,
  timestamp: Date.now(),
  metrics: { x: 1 },
  ...more,
});
const health = (status: string, score: number) => ({ health: { score, status, flags: [], contributors: [] } });
const anomaly = { verdicts: { z: { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: {} } } };
const offline = (deviceId: string) => ({
  deviceId,
  status: "offline",
  lastSeen: START,
  silentSeconds: 15,
  timestamp: START,
});
const alarm = (deviceId: string, state = "unacknowledged") => ({
  alarmId: `${deviceId}/hot oil`,
  deviceId,
  condition: "hot oil",
  severity: "critical",
  state,
  raisedAt: START,
  value: 81,
  limit: 75,
});

describe("fleet-status", () => {
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
      fleetStatus,
      { type: "fleet-status", stateStore: "memory", ...settings },
      { outputs: 1, ...options },
    );
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(settings: object = {}): Promise<void> {
    await start({ stateStore: "file", ...settings }, { settings: { userDir } });
    node.send({ command: "status" });
    await node.arrival(1);
  }

  const send = (payload: unknown, more: object = {}) => node.send({ payload, ...more });
  const pass = (seconds = 1) => {
    for (let second = 0; second < seconds; second++) mock.timers.tick(SECOND);
  };
  const sent = () => node.output(1).map(({ payload }) => payload as Summary);
  const last = () => sent().at(-1) as Summary;
  const statuses = () => Object.fromEntries(last().devices.map(({ deviceId, status }) => [deviceId, status]));

  it("sends all devices and the figures", async () => {
    await start();
    send([
      reading("R1", health("healthy", 90)),
      reading("R2", { ...health("critical", 40), ...anomaly, tags: { hall: "3" } }),
    ]);
    pass();
    assert.deepEqual(sent(), [
      {
        devices: [
          {
            deviceId: "R1",
            status: "healthy",
            metrics: { x: 1 },
            openAlarms: 0,
            lastSeen: START,
            ...health("healthy", 90),
          },
          {
            deviceId: "R2",
            status: "critical",
            metrics: { x: 1 },
            openAlarms: 0,
            lastSeen: START,
            lastAnomaly: START,
            ...health("critical", 40),
            tags: { hall: "3" },
          },
        ],
        figures: {
          totalReadings: 2,
          activeDevices: 2,
          offlineDevices: 0,
          averageHealth: 65,
          average: { x: 1 },
          alertsRecent: 0,
          anomalyRateRecent: 0.5,
          freshnessSeconds: 1,
        },
      },
    ]);
  });

  it("sends once an interval at most, and only when something has changed", async () => {
    await start({ intervalSeconds: "2" });
    pass(5);
    assert.equal(sent().length, 0);
    for (let i = 0; i < 100; i++) send(reading("R1"));
    assert.equal(sent().length, 0);
    pass(2);
    assert.equal(sent().length, 1);
    pass(20);
    assert.equal(sent().length, 1);
    send(reading("R1"));
    pass(2);
    assert.equal(last().figures.totalReadings, 101);
    assert.equal(sent().length, 2);
  });

  it("sends when a figure changes by time alone", async () => {
    await start({ recentSeconds: 60 });
    send([reading("R1", anomaly), alarm("R1")]);
    pass(59);
    assert.equal(sent().length, 1);
    assert.deepEqual([last().figures.activeDevices, last().figures.alertsRecent], [1, 1]);
    pass(3);
    const { activeDevices, alertsRecent, anomalyRateRecent } = last().figures;
    assert.deepEqual([activeDevices, alertsRecent, anomalyRateRecent], [0, 0, undefined]);
    const { length } = sent();
    pass(100);
    assert.equal(sent().length, length);
  });

  it("takes readings, status events and alarms, in their order in an array too", async () => {
    await start();
    send([
      offline("R1"),
      reading("R1", health("healthy", 90)),
      reading("R2"),
      offline("R2"),
      alarm("R3"),
      { device: "R4", t: 1 },
    ]);
    pass();
    assert.deepEqual(statuses(), { R1: "healthy", R2: "offline", R3: "critical", R4: "unknown" });
    assert.deepEqual([last().figures.offlineDevices, last().figures.alertsRecent], [1, 1]);
    assert.equal(node.completed().length, 1);
    send(reading("R2"));
    send(alarm("R3", "normal"));
    pass();
    assert.deepEqual(statuses(), { R1: "healthy", R2: "unknown", R3: "unknown", R4: "unknown" });
  });

  it("takes them as JSON text and as bytes", async () => {
    await start();
    send(JSON.stringify(offline("R1")));
    send(Buffer.from(JSON.stringify([alarm("R2"), reading("R3", anomaly)])));
    pass();
    assert.deepEqual(statuses(), { R1: "offline", R2: "critical", R3: "anomaly" });
  });

  it("takes an empty payload on the topic of an alarm for its end", async () => {
    await start();
    send([alarm("a/b"), alarm("R2")]);
    send("", { topic: "plant/alarms/a%2Fb/hot%20oil" });
    send(Buffer.alloc(0), { topic: "plant/alarms/R2/hot%20oil" });
    send("", { topic: "plant/alarms/R9/hot%20oil" });
    pass();
    assert.deepEqual(
      last().devices.map(({ deviceId, openAlarms }) => [deviceId, openAlarms]),
      [
        ["a/b", 0],
        ["R2", 0],
      ],
    );
    assert.deepEqual(node.caught(), []);
  });

  it("takes the connection to all devices for no device", async () => {
    await start();
    send([offline("*"), alarm("*")]);
    pass();
    assert.deepEqual(sent(), []);
    assert.deepEqual(node.caught(), []);
  });

  it("gives a Catch node what it doesn't understand, and takes the rest", async () => {
    await start();
    const wrong = [{ ...alarm("R1"), state: "loud", value: null, limit: null, raisedAt: null }, null, [reading("R1")]];
    send([reading("R2"), ...wrong, offline("R3")]);
    assert.deepEqual(node.caught()[0]?.payload, wrong);
    assert.match(node.reasons()[0] ?? "", /^refused 3 of 5 readings: /);
    assert.equal(node.completed().length, 1);
    send("hello");
    send("", { topic: "plant/status/R1" });
    assert.deepEqual(node.reasons().slice(1), ['"hello" is text that is not JSON', '"" is text that is not JSON']);
    pass();
    assert.deepEqual(statuses(), { R2: "unknown", R3: "offline" });
  });

  it("refuses the device too many", async () => {
    await start({ maxDevices: "1" });
    send([reading("R1"), offline("R2"), alarm("R3"), reading("R4")]);
    assert.match(node.reasons()[0] ?? "", /^refused 3 of 4 readings: R2 is refused: there are 1 devices already/);
    pass();
    assert.deepEqual(Object.keys(statuses()), ["R1"]);
    assert.equal(last().figures.totalReadings, 1);
  });

  it("shows only the metrics that it is told to", async () => {
    await start({ metrics: "temp*" });
    send({ deviceId: "R1", temperature: 60, speed: 2 });
    pass();
    assert.deepEqual([last().devices[0]?.metrics, last().figures.average], [{ temperature: 60 }, { temperature: 60 }]);
  });

  it("gives others a summary that they may change", async () => {
    await start();
    send(reading("R1", { ...health("warning", 60), tags: { hall: "3" } }));
    pass();
    const before = structuredClone(last().devices);
    const [device] = last().devices;
    Object.assign(device?.metrics ?? {}, { x: 99 });
    Object.assign(device?.health ?? {}, { score: 0 });
    Object.assign(device?.tags ?? {}, { hall: "none" });
    send(reading("R2"));
    pass();
    assert.deepEqual(last().devices.slice(0, 1), before);
  });

  describe("with commands", () => {
    it("answers status at once, in the message that asks", async () => {
      await start();
      send(reading("R1"));
      node.send({ command: "status", socketid: "abc" });
      assert.equal(node.output(1)[0]?.socketid, "abc");
      assert.deepEqual(statuses(), { R1: "unknown" });
    });

    it("forgets one device, or all and the counts", async () => {
      await start();
      send([reading("R1", anomaly), reading("R2"), alarm("R2")]);
      pass();
      node.send({ command: "reset", payload: { deviceId: "R2" } });
      pass();
      assert.deepEqual([statuses(), last().figures.totalReadings], [{ R1: "anomaly" }, 2]);
      node.send({ command: "reset" });
      pass();
      assert.deepEqual(last(), {
        devices: [],
        figures: { totalReadings: 0, activeDevices: 0, offlineDevices: 0, average: {}, alertsRecent: 0 },
      });
    });

    it("refuses others", async () => {
      await start();
      node.send({ command: "list" });
      assert.equal(
        node.reasons()[0],
        "unknown command 'list': this node takes status, watch, alarms, journal, leave, reset",
      );
    });
  });

  describe("after a restart", () => {
    it("knows devices and counts, and sends them by itself", async () => {
      await startOnFiles();
      send([reading("R1", { ...health("warning", 60), ...anomaly }), alarm("R2"), reading("R3"), offline("R3")]);
      pass();
      const before = last();
      await node.stop();
      await startOnFiles();
      pass();
      assert.equal(sent().length, 2);
      assert.deepEqual(
        { ...last(), devices: last().devices.sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1)) },
        { ...before, figures: { ...before.figures, freshnessSeconds: 2 } },
      );
      send(alarm("R2"));
      pass();
      assert.equal(last().figures.alertsRecent, 1, "the alarm was raised once");
      assert.deepEqual(node.logged(), []);
    });

    it("has forgotten what was reset", async () => {
      await startOnFiles();
      send([reading("R1"), reading("R2")]);
      node.send({ command: "reset" });
      await node.stop();
      await startOnFiles();
      assert.deepEqual([last().devices, last().figures.totalReadings], [[], 0]);
    });
  });

  describe("with pages", () => {
    interface Told {
      timestamp: number;
      isWhole: boolean;
      devices: {
        deviceId: string;
        health?: number;
        metrics: object;
        units?: object;
        isUnlisted?: true;
        isUnheard?: true;
      }[];
      device?: {
        isKnown: boolean;
        metrics: { name: string; unit?: string; features?: object; verdict?: object }[];
        alarms: { alarmId: string }[];
        lines: object[];
      };
      alarms: { deviceId: string; alarms: { alarmId: string; state: string }[] }[];
      lines: { timestamp: number }[];
    }
    const watch = (socketid: string, payload: object = {}) => node.send({ command: "watch", socketid, payload });
    const told = (socketid: string) =>
      node
        .output(2)
        .filter((message) => message.socketid === socketid)
        .map(({ payload }) => payload as Told);
    const last = (socketid: string) => told(socketid).at(-1) as Told;
    const pass = (seconds = 1) => mock.timers.tick(seconds * SECOND);
    const ids = (list: { deviceId: string }[] = []) => list.map(({ deviceId }) => deviceId);

    beforeEach(() => start({}, { outputs: 2 }));

    it("gives one that watches all devices at once, then those that have changed", () => {
      send([reading("P1", { units: { x: "bar" }, ...health("warning", 60) }), reading("P2")]);
      watch("a");
      assert.deepEqual([last("a").isWhole, ids(last("a").devices)], [true, ["P1", "P2"]]);
      const { health: score, units } = last("a").devices[0] ?? {};
      assert.deepEqual([score, units], [60, { x: "bar" }]);
      send(reading("P2"));
      pass();
      assert.deepEqual([last("a").isWhole, ids(last("a").devices)], [false, ["P2"]]);
      pass();
      assert.deepEqual(last("a"), { timestamp: START + 2 * SECOND, isWhole: false, devices: [] });
      assert.equal(told("a").length, 3);
    });

    it("gives each the device that it has chosen in full, when something of it has changed", () => {
      const features = { x: { mean: 2 } };
      const judged = {
        verdicts: {
          z: {
            detector: "z",
            isAnomaly: true,
            score: 4,
            threshold: 3,
            metrics: { x: { value: 1, expected: 0, score: 4, isAnomaly: true } },
          },
        },
      };
      send([reading("P1", { features, ...judged, units: { x: "bar" } }), reading("P2"), alarm("P1")]);
      watch("a", { deviceId: "P1" });
      watch("b", { deviceId: "P2" });
      const { device } = last("a");
      assert.deepEqual(device?.metrics, [
        {
          name: "x",
          value: 1,
          unit: "bar",
          timestamp: START,
          features: { mean: 2 },
          verdict: { value: 1, expected: 0, score: 4, isAnomaly: true },
        },
      ]);
      assert.deepEqual(
        device?.alarms.map(({ alarmId }) => alarmId),
        ["P1/hot oil"],
      );
      assert.deepEqual(last("b").device?.alarms, []);
      send(reading("P2"));
      pass();
      assert.equal(last("a").device, undefined);
      assert.equal(last("b").device?.isKnown, true);
    });

    it("says of a device that nobody knows that it isn't known", () => {
      watch("a", { deviceId: "P9" });
      assert.equal(last("a").device?.isKnown, false);
    });

    it("gives the lines of the journal about the device, each once", () => {
      const line = {
        deviceId: "P1",
        command: "restart",
        commandId: "1",
        outcome: "sent",
        timestamp: START,
        arguments: {},
      };
      watch("a", { deviceId: "P1" });
      send([line, { ...alarm("P1"), change: "raised", timestamp: START }]);
      send([line, { ...line, outcome: "done" }, { ...line, deviceId: "P2", commandId: "2" }]);
      pass();
      assert.equal(last("a").device?.lines.length, 3);
      assert.deepEqual(node.caught(), []);
    });

    it("gives one that watches alarms all that are open, then those of a device on which one has changed", () => {
      send([alarm("P1"), alarm("P2"), reading("P3")]);
      watch("a", { view: "alarms" });
      assert.deepEqual(ids(last("a").alarms), ["P1", "P2"]);
      send([reading("P2"), { ...alarm("P1", "acknowledged"), change: "acknowledged", timestamp: START }]);
      pass();
      assert.deepEqual(
        last("a").alarms.map(({ deviceId, alarms }) => [deviceId, alarms[0]?.state]),
        [["P1", "acknowledged"]],
      );
      assert.equal(last("a").lines.length, 1);
      send(alarm("P1", "normal"));
      pass();
      assert.deepEqual(last("a").alarms, [{ deviceId: "P1", alarms: [] }]);
      assert.deepEqual(last("a").lines, []);
    });

    it("takes the past of the journal before what has come, and raises no alarm by it", () => {
      watch("a", { view: "alarms" });
      send({ ...alarm("P1"), change: "raised", timestamp: START });
      const past = { ...alarm("P2"), change: "raised", timestamp: START - 1000 };
      node.send({ command: "journal", payload: { lines: [past], from: 0, to: START } });
      pass();
      assert.deepEqual(
        last("a").lines.map(({ timestamp }) => timestamp),
        [START - 1000, START],
      );
      assert.deepEqual(ids(last("a").alarms), ["P1"]);
      node.send({ command: "journal", payload: { lines: [{ alarmId: "P1/hot" }] } });
      assert.match(String(node.reasons()), /journal takes { lines }/);
    });

    it("takes a list of alarms for all that are open", () => {
      send([alarm("P1"), alarm("P2")]);
      watch("a", { view: "alarms" });
      node.send({ command: "alarms", payload: [alarm("P2"), alarm("P3")] });
      pass();
      assert.deepEqual(
        last("a").alarms.map(({ deviceId, alarms }) => [deviceId, alarms.length]),
        [
          ["P1", 0],
          ["P2", 1],
          ["P3", 1],
        ],
      );
      node.send({ command: "alarms", payload: [{ alarmId: "P1/hot oil" }] });
      assert.deepEqual(node.reasons(), ["alarms takes the list of all open alarms"]);
    });

    it("shows alarms of the connection to all devices, which is no device", () => {
      send(alarm("*"));
      watch("a", { view: "alarms" });
      watch("b");
      assert.deepEqual(ids(last("a").alarms), ["*"]);
      assert.deepEqual(last("b").devices, []);
      send("", { topic: "plant/alarms/*/hot%20oil" });
      pass();
      assert.deepEqual(last("a").alarms, [{ deviceId: "*", alarms: [] }]);
    });

    it("gives all devices again when one is gone", () => {
      send([reading("P1"), reading("P2")]);
      watch("a");
      node.send({ command: "reset", payload: { deviceId: "P1" } });
      pass();
      assert.deepEqual([last("a").isWhole, ids(last("a").devices)], [true, ["P2"]]);
    });

    it("takes a page for gone that says nothing for half a minute, or that leaves", () => {
      watch("a");
      watch("b");
      pass(20);
      watch("a", { renew: true });
      node.send({ command: "leave", socketid: "b" });
      const before = told("b").length;
      pass(20);
      assert.equal(told("b").length, before);
      const renewed = told("a").length;
      for (let second = 0; second < 20; second++) pass();
      assert.equal(told("a").length - renewed, 10);
    });

    it("refuses a view that there isn't", () => {
      watch("a", { view: "weather" });
      assert.deepEqual(node.reasons(), ["view must be devices or alarms"]);
    });
  });

  it("sends nothing any more once it is closed", async () => {
    await start();
    send(reading("R1"));
    await node.stop();
    pass(3);
    assert.equal(sent().length, 0);
  });
});
