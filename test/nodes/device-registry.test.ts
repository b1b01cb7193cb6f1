import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mock } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { DeviceSummary } from "../../core/device-status.ts";
import type { FleetFigures } from "../../core/fleet-status.ts";
import deviceRegistry from "../../nodes/device-registry/device-registry.ts";
import fleetStatus from "../../nodes/fleet-status/fleet-status.ts";
import healthScore from "../../nodes/health-score/health-score.ts";
import rollingFeatures from "../../nodes/rolling-features/rolling-features.ts";
import telemetry from "../../nodes/telemetry/telemetry.ts";
import zScoreAnomaly from "../../nodes/z-score-anomaly/z-score-anomaly.ts";
import { newFolder } from "../support/folders.ts";
import {
  type FlowNode,
  type NodeOptions,
  readingsOf,
  startFlow,
  startNode,
  type TestNode,
} from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const DEFINITIONS = { telemetry, "health-score": healthScore, "fleet-status": fleetStatus };

const pump = {
  deviceId: "P7",
  name: "Pump 7",
  location: "hall 3",
  tags: "line=A, model=X 200",
  limits: "overheating=80",
  parent: "G1",
};

const reading = (deviceId = "P7", more: object = {}) => ({
  ...{ deviceId, timestamp: Date.now(), metrics: { temperature: 60 } },
  ...more,
});

/** Waits until something is the case, on the real clock. */
async function until(isTrue: () => boolean): Promise<void> {
  for (const end = performance.now() + 8000; !isTrue(); ) {
    assert.ok(performance.now() < end, `not within 8 s: ${isTrue}`);
    await wait(10);
  }
}

describe("device-registry", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(() => node.stop());

  /** Starts a node that uses a registry of these settings. */
  async function start(
    settings: object,
    type: keyof typeof DEFINITIONS = "telemetry",
    options: NodeOptions & { own?: object } = {},
  ): Promise<void> {
    node = await startNode(
      DEFINITIONS[type],
      { type, registry: "registry", stateStore: "memory", ...options.own },
      {
        definitions: [deviceRegistry],
        configs: [{ id: "registry", type: "device-registry", ...settings }],
        settings: { userDir },
        ...options,
      },
    );
  }

  const send = (payload: unknown, more: object = {}) => node.send({ payload, ...more });
  const maintain = (args: object) => node.send({ command: "maintenance", payload: { deviceId: "P7", ...args } });
  /** What the node makes of a reading. */
  const sentOn = (payload: object) => {
    send(payload);
    return readingsOf(node.output(1).at(-1))[0];
  };

  describe("with a table", () => {
    it("gives telemetry the location and the tags that readings lack", async () => {
      await start({ devices: [pump, { deviceId: "P8", location: "hall 4" }] });
      assert.deepEqual(sentOn(reading())?.tags, { line: "A", model: "X 200", location: "hall 3" });
      assert.deepEqual(sentOn(reading("P8"))?.tags, { location: "hall 4" });
      const own = { line: "B", location: "the yard", shift: "night" };
      assert.deepEqual(sentOn(reading("P7", { tags: own }))?.tags, { ...own, model: "X 200" });
    });

    it("welcomes devices that it does not list", async () => {
      await start({ devices: [pump] });
      assert.deepEqual(sentOn(reading("P9", { timestamp: 5e12 })), undefined);
      assert.deepEqual(Object.keys(sentOn(reading("P9")) ?? {}), ["deviceId", "timestamp", "metrics"]);
    });

    it("refuses them if it is strict, untouched on the output for that", async () => {
      await start({ devices: [pump], strict: true });
      const wrong = reading("__proto__", { maintenance: 5 });
      const before = structuredClone(wrong);
      send([wrong, reading()]);
      assert.equal(readingsOf(node.output(1)[0]).length, 1);
      assert.deepEqual(node.output(2)[0]?.payload, {
        reason: 'the device "__proto__" is not in the device registry',
        payload: before,
      });
    });

    it("refuses them with an error where nothing takes what is refused", async () => {
      await start({ devices: [pump], strict: true }, "telemetry", { outputs: 1 });
      send(reading("P9"));
      assert.deepEqual(node.reasons(), ['the device "P9" is not in the device registry']);
    });

    for (const [what, settings, reason] of [
      ["a device twice", { devices: [pump, pump] }, 'devices: the device "P7" is listed twice'],
      [
        "parents in a loop",
        { devices: [pump, { deviceId: "G1", parent: "P7" }] },
        'devices: the parents of the device "P7" lead back to it',
      ],
      [
        "tags that are none",
        { devices: [{ ...pump, tags: "A" }] },
        "devices: row 1: tags: must be pairs such as line=A, model=X 200",
      ],
      [
        "limits that are none",
        { devices: [{ ...pump, limits: "overheating=hot" }] },
        "devices: row 1: limits: must be names with numbers, such as overheating=80",
      ],
      [
        "both a table and a file",
        { devices: [pump], file: "devices.csv" },
        "file: the table lists devices too, use only one of both",
      ],
    ] satisfies [string, object, string][]) {
      it(`does not take ${what}, which its users show`, async () => {
        await start(settings);
        assert.deepEqual(node.statuses(), [{ fill: "red", shape: "ring", text: `registry: ${reason}` }]);
      });
    }
  });

  describe("with maintenances", () => {
    beforeEach(() => mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START }));
    afterEach(() => mock.timers.reset());

    const maintenance = { since: START, until: START + 60_000, by: "Ada", reason: "new bearing" };
    const file = () => join(userDir, "device-analytics", "state", "registry", "maintenance.json");
    /** Waits until what was told to be saved is. */
    const saved = async (text: string) => {
      await until(() => existsSync(file()) && readFileSync(file(), "utf8").includes(text));
    };

    it("marks the readings of a device in maintenance until it is over", async () => {
      await start({});
      assert.equal(sentOn(reading())?.maintenance, undefined);
      maintain({ seconds: 60, by: "Ada", reason: "new bearing" });
      assert.deepEqual(sentOn(reading())?.maintenance, maintenance);
      assert.equal(sentOn(reading("P8"))?.maintenance, undefined);
      mock.timers.tick(60_000);
      assert.equal(sentOn(reading())?.maintenance, undefined);
      assert.equal(node.completed().length, 5);
    });

    it("marks those of devices that hang on it too", async () => {
      await start({ devices: [pump] });
      maintain({ deviceId: "G1", seconds: 60 });
      assert.ok(sentOn(reading())?.maintenance);
      maintain({ deviceId: "G1", seconds: 0 });
      assert.equal(sentOn(reading())?.maintenance, undefined);
    });

    it("decides on them, not the device", async () => {
      await start({});
      assert.ok(!("maintenance" in (sentOn(reading("P7", { maintenance })) ?? {})));
      maintain({ seconds: 60 });
      assert.deepEqual(sentOn(reading("P7", { maintenance }))?.maintenance, { since: START, until: START + 60_000 });
    });

    it("gives readings a copy, which may be changed", async () => {
      await start({});
      maintain({ seconds: 60 });
      Object.assign(sentOn(reading())?.maintenance ?? {}, { until: 0 });
      assert.ok(sentOn(reading())?.maintenance);
    });

    it("refuses a command that makes no sense", async () => {
      await start({});
      maintain({ seconds: "long" });
      maintain({ seconds: 0 });
      assert.deepEqual(node.reasons(), [
        'seconds is "long", it must be a number from 0, which ends it, to 31622400',
        '"P7" itself is not in maintenance',
      ]);
    });

    it("still has them after a restart, from the first reading on", async () => {
      await start({});
      maintain({ seconds: 60, by: "Ada", reason: "new bearing" });
      await node.stop();
      await start({});
      assert.deepEqual(sentOn(reading())?.maintenance, maintenance);
      await node.stop();
      mock.timers.setTime(START + 60_000);
      await start({});
      assert.equal(sentOn(reading())?.maintenance, undefined);
    });

    it("has them on disk within a second, and their end too, should the machine fail", async () => {
      await start({});
      maintain({ seconds: 60, by: "Ada" });
      mock.timers.tick(999);
      await saved("Ada");
      maintain({ seconds: 0 });
      mock.timers.tick(999);
      await saved('"maintenances":[]');
    });

    it("starts afresh when they can't be read, and says so", async () => {
      mkdirSync(join(file(), ".."), { recursive: true });
      writeFileSync(file(), '{"version":1,"maintenances":[["P7",{}]]}');
      await start({});
      assert.deepEqual(node.logged(), [
        "who is in maintenance cannot be read, nobody is now: these are not the maintenances of devices",
      ]);
      assert.equal(sentOn(reading())?.maintenance, undefined);
    });

    it("shows on its users when they can't be saved, and when they can be again", async () => {
      const folder = join(userDir, "device-analytics");
      await start({});
      writeFileSync(folder, "a file, where a folder should be");
      maintain({ seconds: 60, by: "Ada" });
      mock.timers.tick(500);
      await until(() => node.logged().length > 0);
      mock.timers.tick(1000);
      assert.match(String(node.statuses().at(-1)?.text), /^maintenances cannot be saved: /);
      rmSync(folder);
      mock.timers.tick(500);
      await saved("Ada");
      await wait(5);
      mock.timers.tick(1000);
      assert.deepEqual(node.statuses().at(-1), {});
      assert.equal(node.logged().length, 1);
    });

    it("keep detectors from learning and judging, while features go on", async () => {
      const wired = (id: string, type: string, to: string, more: object = {}): FlowNode => ({
        ...{ id, type, stateStore: "memory", wires: [[to]] },
        ...more,
      });
      const flow = await startFlow(
        [telemetry, rollingFeatures, zScoreAnomaly, deviceRegistry],
        [
          { id: "registry", type: "device-registry" },
          wired("telemetry", "telemetry", "features", { registry: "registry" }),
          wired("features", "rolling-features", "z-score"),
          wired("z-score", "z-score-anomaly", "out", { minimumSamples: 2 }),
          { id: "out", type: "helper", wires: [] },
        ],
        { settings: { userDir } },
      );
      const outcome = (temperature: number) => {
        flow.send("telemetry", { payload: reading("P7", { metrics: { temperature } }) });
        return readingsOf(flow.received("out").at(-1))[0];
      };
      for (const temperature of [60, 61, 60, 61]) outcome(temperature);
      flow.send("telemetry", { command: "maintenance", payload: { deviceId: "P7", seconds: 60 } });
      for (let count = 0; count < 20; count++) assert.equal(outcome(0)?.verdicts, undefined);
      assert.equal(outcome(0)?.features?.temperature?.mean, 0);
      flow.send("telemetry", { command: "maintenance", payload: { deviceId: "P7", seconds: 0 } });
      assert.equal(outcome(60.5)?.verdicts?.["z-score-anomaly"]?.isAnomaly, false);
      await flow.stop();
      await start({});
    });
  });

  describe("with limits", () => {
    const rules = [{ flag: "overheating", metric: "temperature", comparison: ">", limit: 75, penalty: 30 }];
    const limitOf = (deviceId: string) =>
      sentOn(reading(deviceId, { metrics: { temperature: 1000 } }))?.health?.contributors[0]?.limit;
    const set = (payload: object) => node.send({ command: "set", payload: { flag: "overheating", ...payload } });

    it("gives health-score a device's own, before those of its rules and after those set by command", async () => {
      await start({ devices: [pump] }, "health-score", { own: { rules } });
      assert.deepEqual([limitOf("P7"), limitOf("P8")], [80, 75]);
      set({ limit: 90 });
      assert.deepEqual([limitOf("P7"), limitOf("P8")], [90, 90]);
      set({ limit: null });
      set({ deviceId: "P7", limit: 95 });
      assert.deepEqual([limitOf("P7"), limitOf("P8")], [95, 75]);
      set({ deviceId: "P7", limit: null });
      assert.deepEqual([limitOf("P7"), limitOf("P8")], [80, 75]);
    });
  });

  describe("on a fleet", () => {
    beforeEach(() => mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START }));
    afterEach(() => mock.timers.reset());

    const last = () => node.output(1).at(-1)?.payload as { devices: DeviceSummary[]; figures: FleetFigures };
    const statuses = () => last().devices.map(({ deviceId, status }) => [deviceId, status]);

    it("shows devices that were never heard of, with what is known of them", async () => {
      await start({ devices: [pump, { deviceId: "P8" }] }, "fleet-status", { outputs: 1 });
      mock.timers.tick(1000);
      assert.deepEqual(last().devices, [
        {
          ...{ deviceId: "P7", name: "Pump 7", location: "hall 3", tags: { line: "A", model: "X 200" } },
          ...{ status: "unknown", metrics: {}, openAlarms: 0 },
        },
        { deviceId: "P8", status: "unknown", metrics: {}, openAlarms: 0 },
      ]);
      send(reading("P8"));
      mock.timers.tick(1000);
      assert.deepEqual(statuses(), [
        ["P8", "unknown"],
        ["P7", "unknown"],
      ]);
      assert.equal(last().figures.activeDevices, 1);
    });

    it("shows who is in maintenance, whatever else is true, and leaves them out of the figures", async () => {
      await start({}, "fleet-status", { outputs: 1 });
      send([{ deviceId: "P7", status: "offline" }, reading("P8")]);
      mock.timers.tick(1000);
      assert.deepEqual([last().figures.offlineDevices, last().figures.average], [1, { temperature: 60 }]);
      maintain({ seconds: 60, by: "Ada" });
      maintain({ deviceId: "P8", seconds: 120 });
      mock.timers.tick(1000);
      assert.deepEqual(statuses(), [
        ["P7", "maintenance"],
        ["P8", "maintenance"],
      ]);
      assert.equal(last().devices[0]?.maintenance?.by, "Ada");
      assert.deepEqual([last().figures.offlineDevices, last().figures.average], [0, {}]);
      mock.timers.tick(1000);
      assert.match(String(node.statuses().at(-1)?.text), /^2 devices, status.maintenance$/);
    });

    it("shows that a maintenance is over when nothing else happens", async () => {
      await start({}, "fleet-status", { outputs: 1 });
      send(reading("P7", { health: { score: 90, status: "healthy", flags: [], contributors: [] } }));
      maintain({ seconds: 60 });
      for (let second = 0; second < 59; second++) mock.timers.tick(1000);
      assert.deepEqual(statuses(), [["P7", "maintenance"]]);
      const { length } = node.output(1);
      for (let second = 0; second < 3; second++) mock.timers.tick(1000);
      assert.deepEqual(statuses(), [["P7", "healthy"]]);
      assert.ok(node.output(1).length > length);
    });
  });

  describe("with a file", () => {
    let file: string;
    beforeEach(() => {
      file = join(userDir, "devices.csv");
    });

    const HEADER = "deviceId,name,location,tags,intervalSeconds,limits,parent,advice";
    const locationOf = (deviceId: string) => sentOn(reading(deviceId))?.tags?.location;
    /** Waits until a device has this location. */
    const located = (deviceId: string, location: string) => until(() => locationOf(deviceId) === location);

    it("reads it, with the columns in any order and some of them missing", async () => {
      writeFileSync(file, '\ufefflocation,deviceId,tags\r\nhall 3,P7,"line=A, model=X 200"\r\n\r\n hall 4 , P8 ,\r\n');
      await start({ file });
      assert.deepEqual(sentOn(reading())?.tags, { location: "hall 3", line: "A", model: "X 200" });
      assert.deepEqual(sentOn(reading("P8"))?.tags, { location: "hall 4" });
    });

    it("takes semicolons and tabs between the columns", async () => {
      writeFileSync(file, "deviceId;location;tags\nP7;hall 3;line=A, model=X 200\n");
      await start({ file });
      assert.deepEqual(sentOn(reading())?.tags, { location: "hall 3", line: "A", model: "X 200" });
    });

    it("reads all columns", async () => {
      writeFileSync(file, `${HEADER}\nP7,Pump 7,hall 3,,5,"overheating=80, low-battery=25",G1,Call 112\n`);
      await start({ file }, "health-score");
      const health = sentOn(reading("P7", { metrics: { temperature: 81, battery: 26 } }))?.health;
      assert.deepEqual(health?.contributors, [{ flag: "overheating", penalty: 30, value: 81, limit: 80 }]);
    });

    it("reads it again when it changes, also when another is put in its place", async () => {
      writeFileSync(file, "deviceId,location\nP7,hall 3\n");
      await start({ file });
      assert.equal(locationOf("P7"), "hall 3");
      writeFileSync(file, "deviceId,location\nP7,hall 4\n");
      await located("P7", "hall 4");
      for (const hall of ["hall 5", "hall 6"]) {
        writeFileSync(`${file}.new`, `deviceId,location\nP8,${hall}\n`);
        renameSync(`${file}.new`, file);
        await located("P8", hall);
      }
      assert.equal(locationOf("P7"), undefined);
    }).timeout(10_000);

    it("tells its users of the new list", async () => {
      writeFileSync(file, "deviceId\nP7\n");
      await start({ file }, "fleet-status", { outputs: 1, own: { intervalSeconds: 0.1 } });
      await node.arrival(1);
      writeFileSync(file, "deviceId\nP7\nP8\n");
      const [, message] = await node.arrival(2);
      const devices = (message?.payload as { devices: DeviceSummary[] } | undefined)?.devices;
      assert.deepEqual(
        devices?.map(({ deviceId }) => deviceId),
        ["P7", "P8"],
      );
    }).timeout(10_000);

    it("keeps the last good list while the file is bad or gone, and its users show why", async () => {
      writeFileSync(file, "deviceId,location\nP7,hall 3\n");
      await start({ file, strict: true });
      const shows = async (reason: RegExp) => {
        await until(() => reason.test(node.statuses().at(-1)?.text ?? ""));
        assert.equal(locationOf("P7"), "hall 3");
      };
      writeFileSync(file, "deviceId,location\nP7,hall 4\nP7,hall 5\n");
      await shows(/the device "P7" is listed twice/);
      rmSync(file);
      await shows(/devices\.csv: there is no such file/);
      writeFileSync(file, "deviceId,location\nP7,hall 6\n");
      await located("P7", "hall 6");
      await until(() => !node.statuses().at(-1)?.text);
      assert.equal(node.logged().length, 2);
    }).timeout(15_000);

    for (const [what, content, reason] of [
      ["without a column for the device", "name\nPump 7\n", "there is no column deviceId"],
      [
        "with a column that nobody knows",
        "deviceId,intervallSeconds\nP7,5\n",
        `there is a column "intervallSeconds", known are ${HEADER.replaceAll(",", ", ")}`,
      ],
      [
        "with a wrong number",
        "deviceId,intervalSeconds\nP7,5\nP8,x\n",
        "row 2: intervalSeconds: must be a number from 0.001 up",
      ],
      ["with a row that is too short", "deviceId,name,location\nP7\n", "Invalid Record Length: "],
      ["that is no text", Buffer.from([0x64, 0xff, 0xfe]), "The encoded data was not valid for encoding utf-8"],
      ["that is empty", "", "it is empty"],
    ] satisfies [string, string | Buffer, string][]) {
      it(`starts with no devices on a file ${what}, and its users show why`, async () => {
        writeFileSync(file, content);
        await start({ file });
        const { fill, text = "" } = node.statuses().at(-1) ?? {};
        assert.equal(fill, "red");
        assert.ok((node.logged()[0] ?? "").startsWith(`${file}: ${reason}`), node.logged()[0]);
        assert.equal(text, node.logged()[0]?.slice(0, text.length));
        assert.deepEqual(sentOn(reading())?.tags, undefined);
      });
    }

    it("reads a file that comes later than the start", async () => {
      await start({ file });
      writeFileSync(file, "deviceId,location\nP7,hall 3\n");
      await located("P7", "hall 3");
    }).timeout(10_000);
  });
});
