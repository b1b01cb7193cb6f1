import { strict as assert } from "node:assert";
import { mock } from "node:test";
import { isReading } from "../../core/reading.ts";
import { FAULTS } from "../../core/simulator/faults.ts";
import type { Reading } from "../../core/types.ts";
import { PROFILES } from "../../nodes/simulator/options.ts";
import type { Outcome } from "../../nodes/simulator/simulation.ts";
import { delivered, hooks, MESSAGE_HOOKS, Simulated } from "./simulated.ts";

const START = Date.UTC(2026, 2, 1, 12);
const TRANSPORT_FAULTS = ["late", "out-of-order", "duplicate", "malformed"];
const FLEET = { devices: 2, intervalSeconds: 5 };
/** Metrics and tags. */
const PROPERTIES: Record<(typeof PROFILES)[number], string> = {
  machine: "temperature vibration speed battery",
  environment: "temperature humidity airQuality pressure co2 location",
  electrical: "voltage current",
  building: "temperature vibration building floor",
  server: "temperature cpu pressure vibration networkTraffic",
};

describe("simulator", () => {
  let simulated: Simulated | undefined;

  const start = async (options: object) => {
    simulated = await Simulated.start(options);
    return simulated;
  };

  /** Lets time go by in small steps, each with all that it brings. */
  const pass = async (seconds: number) => {
    await delivered();
    for (let step = 0; step < seconds * 4; step++) {
      mock.timers.tick(250);
      await delivered();
    }
  };

  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START }));

  afterEach(async () => {
    mock.timers.reset();
    await simulated?.stop();
    simulated = undefined;
  });

  const readings = () => (simulated?.readings ?? []).map(({ payload }) => payload as Reading);
  const devicesOf = ({ devices }: Outcome) => devices ?? [];

  it("starts by itself and sends each reading in a message with the device as topic", async () => {
    const flow = await start(FLEET);
    await pass(11);
    assert.deepEqual(
      flow.readings.map(({ topic, payload }) => [topic, (payload as Reading).deviceId, (payload as Reading).timestamp]),
      [0, 5000, 10_000].flatMap((ms) => ["R1", "R2"].map((device) => [device, device, START + ms])),
    );
  });

  it("tells its state at the start, and once a second while it sends", async () => {
    const flow = await start(FLEET);
    await pass(6.5);
    const state = { state: "running", profile: "machine", devices: 2, intervalSeconds: 5 };
    assert.deepEqual(
      flow.reports,
      [0, 2, 4].map((sent) => ({ state: { ...state, sent } })),
    );
  });

  for (const profile of PROFILES) {
    it(`simulates devices of the kind ${profile}, which can be set and have faults`, async () => {
      const flow = await start({ ...FLEET, profile });
      await pass(6);
      const kinds = new Set(readings().map(({ metrics, tags = {} }) => Object.keys({ ...metrics, ...tags }).join(" ")));
      assert.deepEqual([...kinds], [PROPERTIES[profile]]);
      assert.equal(readings().length, 4);
      const [status] = devicesOf(await flow.command("status", { deviceId: "R1" }));
      const [parameter, value] = Object.entries(status?.parameters ?? {})[0] ?? [];
      assert.equal((await flow.command("set", { deviceId: "R1", parameter, value })).ok, true);
      assert.equal((await flow.command("fault", { deviceId: "R1", fault: "drift" })).ok, true);
      await pass(5);
      assert.equal(readings().at(-2)?.truth?.fault, "drift");
      assert.equal(flow.reports.at(-1)?.state.profile, profile);
    });
  }

  it("sends a batch a tick", async () => {
    const flow = await start({ ...FLEET, emit: "batch" });
    await pass(6);
    assert.deepEqual(
      flow.readings.map(({ payload }) => (payload as Reading[]).map(({ deviceId }) => deviceId)),
      [
        ["R1", "R2"],
        ["R1", "R2"],
      ],
    );
  });

  it("waits for the command start without autoStart", async () => {
    const flow = await start({ ...FLEET, autoStart: false });
    await pass(20);
    assert.deepEqual([flow.readings, flow.reports], [[], []]);
    await flow.command("start");
    await pass(1);
    assert.equal(flow.readings.length, 2);
  });

  it("takes numbers as the editor keeps them, as text", async () => {
    await start({ devices: "3", intervalSeconds: "1", devicePrefix: "Press-" });
    await pass(0.5);
    assert.deepEqual(
      readings().map(({ deviceId }) => deviceId),
      ["Press-1", "Press-2", "Press-3"],
    );
  });

  it("gives the same data for the same seed", async () => {
    const series = async (seed: number) => {
      await start({ ...FLEET, seed });
      await pass(30);
      const values = readings().map(({ metrics }) => metrics);
      await simulated?.stop();
      mock.timers.setTime(START);
      return values;
    };
    const first = await series(7);
    assert.deepEqual(await series(7), first);
    assert.notDeepEqual(await series(8), first);
  });

  it("stops and goes on by command, and says so each time", async () => {
    const flow = await start(FLEET);
    await pass(1);
    const stopped = await flow.command("stop");
    assert.deepEqual(stopped, {
      command: "stop",
      ok: true,
      state: { state: "stopped", profile: "machine", devices: 2, intervalSeconds: 5, sent: 2 },
    });
    await pass(60);
    assert.equal(flow.readings.length, 2);
    assert.equal((await flow.command("start")).state.state, "running");
    await pass(1);
    assert.deepEqual(
      readings().map(({ timestamp }) => (timestamp - START) / 1000),
      [0, 0, 60, 60],
    );
  });

  it("sends no burst of old readings after the machine has slept", async () => {
    const flow = await start(FLEET);
    await pass(1);
    mock.timers.setTime(START + 3_600_000);
    await delivered();
    await pass(6);
    assert.deepEqual(
      readings().map(({ timestamp }) => (timestamp - START) / 1000),
      [0, 0, 3600, 3600, 3605, 3605],
    );
    assert.equal(flow.errors.length, 0);
  });

  it("restarts one device: silent for ten seconds, then back without its fault", async () => {
    const flow = await start({ devices: 2, intervalSeconds: 1 });
    await flow.command("fault", { deviceId: "R2", fault: "overheating" });
    await pass(3);
    const outcome = await flow.command("restart", { deviceId: "R2" });
    assert.deepEqual([outcome.ok, outcome.deviceId], [true, "R2"]);
    assert.deepEqual(
      devicesOf(await flow.command("status")).map(({ state }) => state),
      ["running", "silent"],
    );
    await pass(20);
    const of = (device: string) => readings().filter(({ deviceId }) => deviceId === device);
    const times = of("R2").map(({ timestamp }) => (timestamp - START) / 1000);
    assert.deepEqual(times, [0, 1, 2, 3, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    assert.equal(of("R2").at(2)?.truth?.fault, "overheating");
    assert.equal(of("R2").at(-1)?.truth?.fault, null);
  });

  for (const payload of [undefined, 1_772_366_400_000, "", { deviceId: "*" }]) {
    it(`restarts all devices with the arguments ${JSON.stringify(payload)}`, async () => {
      const flow = await start({ devices: 2, intervalSeconds: 1 });
      await pass(2);
      await flow.command("restart", payload);
      assert.deepEqual(
        devicesOf(await flow.command("status")).map(({ state }) => state),
        ["silent", "silent"],
      );
    });
  }

  it("sets a parameter, and the signals follow", async () => {
    const flow = await start({ devices: 1, intervalSeconds: 1 });
    await flow.command("set", { deviceId: "R1", parameter: "load", value: 1 });
    await pass(120);
    const [status] = devicesOf(await flow.command("status", { deviceId: "R1" }));
    assert.ok((status?.parameters.load ?? 0) > 0.95);
    assert.ok((readings().at(-1)?.metrics.speed ?? 0) > 4);
    assert.equal((await flow.command("set", { deviceId: "R1", parameter: "load", value: null })).ok, true);
  });

  for (const fault of Object.keys(FAULTS).filter((fault) => !TRANSPORT_FAULTS.includes(fault))) {
    it(`starts the fault ${fault}, which its readings or its silence tell until it ends`, async () => {
      const flow = await start({ devices: 2, intervalSeconds: 1 });
      await pass(2);
      const before = readings().length;
      assert.equal((await flow.command("fault", { deviceId: "R1", fault, seconds: 30 })).ok, true);
      await pass(20);
      const during = readings().slice(before);
      const faulty = during.filter(({ deviceId }) => deviceId === "R1");
      assert.ok(during.filter(({ deviceId }) => deviceId === "R2").every(({ truth }) => truth?.fault === null));
      if (fault === "dropout") assert.deepEqual(faulty, []);
      else assert.ok(faulty.length > 15 && faulty.every(({ truth }) => truth?.fault === fault));
      await pass(20);
      const [status] = devicesOf(await flow.command("status", { deviceId: "R1" }));
      assert.equal(status?.state, fault === "bearing-wear" ? "broken" : "running");
      assert.equal(status?.fault, fault === "bearing-wear" ? fault : null);
    });
  }

  /** What arrives of R1 while it has a fault; the first reading is measured a second after the fault began. */
  const arrivals = async (fault: string, seconds: number) => {
    const flow = await start({ devices: 1, intervalSeconds: 1 });
    await pass(2);
    await flow.command("fault", { deviceId: "R1", fault, seconds });
    const before = flow.readings.length;
    await pass(seconds - 0.5);
    return flow.readings.slice(before).map(({ topic, payload }) => {
      assert.equal(topic, "R1");
      return payload;
    });
  };
  const secondsOf = (payloads: unknown[]) => payloads.map((payload) => ((payload as Reading).timestamp - START) / 1000);
  const ascending = (numbers: number[]) => numbers.toSorted((a, b) => a - b);

  it("starts the fault late: readings come up to a minute after they were measured", async () => {
    const seconds = secondsOf(await arrivals("late", 90));
    assert.deepEqual(seconds, ascending(seconds));
    const delay = 91.5 - (seconds.at(-1) ?? 0);
    assert.ok(delay >= 20 && delay <= 60.5, `the last one is ${delay} s late`);
  });

  it("starts the fault out-of-order: all readings come, in another order", async () => {
    const seconds = secondsOf(await arrivals("out-of-order", 40));
    assert.notDeepEqual(seconds, ascending(seconds));
    assert.deepEqual(
      ascending(seconds),
      seconds.map((_, index) => index + 3),
    );
  });

  it("starts the fault duplicate: readings come twice", async () => {
    const seconds = secondsOf(await arrivals("duplicate", 20));
    assert.equal(seconds.length, 38);
    assert.equal(new Set(seconds).size, 19);
  });

  it("starts the fault malformed: nothing that comes is a Reading", async () => {
    const payloads = await arrivals("malformed", 20);
    assert.equal(payloads.length, 19);
    assert.ok(!payloads.some(isReading));
  });

  it("goes on with another fleet when its profile, devices or interval are set", async () => {
    const flow = await start(FLEET);
    await pass(1);
    for (const [parameter, value] of Object.entries({ profile: "server", devices: 3, intervalSeconds: 1 })) {
      const { ok, state } = await flow.command("set", { deviceId: "*", parameter, value });
      assert.equal(ok, true);
      assert.equal(state[parameter as "devices"], value);
    }
    await delivered();
    const before = flow.readings.length;
    await pass(2);
    const since = readings().slice(before);
    assert.deepEqual([...new Set(since.map(({ deviceId }) => deviceId))].sort(), ["R1", "R2", "R3"]);
    assert.ok(since.length >= 6 && since.every(({ metrics }) => "cpu" in metrics));
  });

  it("answers a command with its arguments and the other properties of its message", async () => {
    const flow = await start({ ...FLEET, autoStart: false });
    const args = { deviceId: "R2", fault: "stuck", seconds: 60, askedBy: "operator 7" };
    await flow.command("fault", args, { topic: "plant/command/R2", correlationData: "c-1" });
    const { topic, payload, correlationData, ...rest } = flow.reportMessages[0] ?? {};
    assert.deepEqual([topic, correlationData, "command" in rest], ["R2", "c-1", false]);
    assert.deepEqual(payload, {
      ...args,
      command: "fault",
      ok: true,
      state: { state: "stopped", profile: "machine", devices: 2, intervalSeconds: 5, sent: 0 },
    });
  });

  it("does not answer on the topic of a command for all devices", async () => {
    const flow = await start({ ...FLEET, autoStart: false });
    await flow.command("stop", undefined, { topic: "plant/command/R2" });
    assert.equal(flow.reportMessages[0]?.topic, undefined);
  });

  const wrong: [string, unknown, RegExp][] = [
    ["start", { deviceId: "R1" }, /start is for all devices/],
    ["stop", { deviceId: "R1" }, /stop is for all devices/],
    ["restart", { deviceId: "R3" }, /unknown device "R3": this fleet has R1 to R2/],
    ["restart", { deviceId: 1 }, /deviceId must be the name of a device/],
    ["restart", "R1", /the arguments of restart must be an object/],
    ["restart", ["R1"], /the arguments of restart must be an object/],
    ["set", undefined, /parameter must be text/],
    ["set", { deviceId: 1, parameter: "load", value: 1 }, /deviceId must be the name of a device/],
    ["set", { deviceId: "R1", parameter: "load" }, /value must be a number or null/],
    ["set", { parameter: "load", value: 1 }, /without a deviceId, set takes profile, devices, intervalSeconds/],
    ["set", { parameter: "__proto__", value: 1 }, /without a deviceId, set takes/],
    ["set", { deviceId: "*", parameter: "profile", value: "replay" }, /profile must be one of machine, environment/],
    ["set", { parameter: "devices", value: 0 }, /devices must be/],
    ["set", { parameter: "devices", value: null }, /devices needs a value/],
    ["set", { parameter: "intervalSeconds", value: "soon" }, /intervalSeconds must be/],
    ["set", { deviceId: "R1", value: 1 }, /parameter must be text/],
    ["set", { deviceId: "R1", parameter: "colour", value: 1 }, /unknown parameter "colour"/],
    ["set", { deviceId: "R1", parameter: "__proto__", value: 1 }, /unknown parameter/],
    ["set", { deviceId: "R1", parameter: "load", value: "1" }, /value must be a number/],
    ["set", { deviceId: "R1", parameter: "load", value: 2 }, /load must be a number from 0 to 1/],
    ["set", { deviceId: "R1", parameter: "load", value: Number.NaN }, /load must be a number from 0 to 1/],
    ["fault", {}, /deviceId must be the name of a device/],
    ["fault", { deviceId: "R1" }, /fault must be text/],
    ["fault", { deviceId: "R1", fault: "rust" }, /unknown fault "rust"/],
    ["fault", { deviceId: "R1", fault: "stuck", seconds: -1 }, /seconds must be a positive number/],
    ["fault", { deviceId: "R1", fault: "stuck", seconds: "9" }, /seconds must be a number/],
    ["status", { deviceId: "R9" }, /unknown device "R9"/],
    ["explode", { deviceId: "R1" }, /unknown command "explode": there are start, stop/],
  ];
  for (const [command, payload, reason] of wrong) {
    it(`refuses ${command} ${JSON.stringify(payload)}, changes nothing, and tells a Catch node and output 2`, async () => {
      const flow = await start({ ...FLEET, autoStart: false });
      const { devices } = await flow.command("status");
      const { ok, error, state } = await flow.command(command, payload);
      assert.equal(ok, false);
      assert.match(error ?? "", reason);
      assert.equal(state.state, "stopped");
      await flow.until(() => flow.errors.length > 0);
      assert.deepEqual(flow.errors, [error]);
      assert.deepEqual((await flow.command("status")).devices, devices);
    });
  }

  it("shows how many devices run, or that they are stopped", async () => {
    const flow = await start(FLEET);
    await pass(2);
    await flow.command("stop");
    await pass(2);
    assert.deepEqual(flow.statuses, ["green dot status.devices 2", "grey ring status.stopped"]);
  });

  it("leaves no timer and no hook behind", async () => {
    const flow = await start(FLEET);
    await pass(6);
    await flow.stop();
    const { length } = flow.readings;
    await pass(60);
    assert.equal(flow.readings.length, length);
    assert.deepEqual(
      MESSAGE_HOOKS.filter((name) => hooks.has(name)),
      [],
    );
  });
});
