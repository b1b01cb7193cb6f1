import assert from "node:assert/strict";
import type { Health, Reading } from "../../core/types.ts";
import { condition, Harness } from "./alarm-harness.ts";

const LEVELS = [
  condition({ severity: "info", limit: 60, resetLimit: 50 }),
  condition({ severity: "warning", limit: 70, resetLimit: 60 }),
  condition({ severity: "critical", limit: 80, resetLimit: 70 }),
];
const OFFLINE = condition({ name: "offline", source: "offline", match: "", severity: "critical" });
const VALUES = [61, 73, 64, 85, 62, 56, 47];

/** The severity after each value, or normal. */
function severities(harness: Harness, values: number[]): string[] {
  return values.map((value) => {
    harness.read("R1", value);
    const [alarm] = [...harness.system.open()];
    return alarm?.clearedAt === undefined && alarm ? alarm.severity : "normal";
  });
}

const verdict = (isAnomaly: boolean, detector = "z") => ({
  detector,
  isAnomaly,
  score: isAnomaly ? -5 : 1,
  threshold: 3,
  metrics: {
    a: { value: 1, expected: 1, score: 3.5, isAnomaly },
    b: { value: 1, expected: 9, score: -5, isAnomaly },
    c: { value: 1, expected: 1, score: 9, isAnomaly: false },
  },
});

describe("AlarmSystem", () => {
  it("goes through the levels of one alarm, down as well if it may", () => {
    assert.deepEqual(severities(new Harness(LEVELS, { severityMayFall: true }), VALUES), [
      "info",
      "warning",
      "warning",
      "critical",
      "info",
      "info",
      "normal",
    ]);
    assert.deepEqual(severities(new Harness(LEVELS), VALUES), [
      "info",
      "warning",
      "warning",
      "critical",
      "critical",
      "critical",
      "normal",
    ]);
  });

  it("is to be acknowledged anew when it becomes worse, not when it becomes better", () => {
    const harness = new Harness(LEVELS, { severityMayFall: true });
    const acknowledge = () => harness.system.acknowledge({ alarmId: "R1/hot" }, harness.now);
    harness.read("R1", 61);
    acknowledge();
    harness.read("R1", 85);
    acknowledge();
    for (const value of [62, 40]) harness.read("R1", value);
    assert.deepEqual(harness.lines(), [
      "R1/hot raised info unacknowledged !",
      "R1/hot acknowledged info acknowledged",
      "R1/hot severity critical unacknowledged !",
      "R1/hot acknowledged critical acknowledged",
      "R1/hot severity info acknowledged",
      "R1/hot returned info normal !",
    ]);
  });

  it("counts how often an alarm was raised, and keeps when", () => {
    const harness = new Harness([condition()]);
    for (const value of [80, 60, 80]) {
      harness.read("R1", value);
      harness.pass(1);
    }
    const [alarm] = [...harness.system.open()];
    assert.deepEqual([alarm?.count, alarm?.raisedAt, alarm?.clearedAt], [2, harness.now - 1000, undefined]);
  });

  it("holds a latched alarm until it is reset, which its condition must allow", () => {
    const harness = new Harness([condition({ latch: true })]);
    const reset = () => harness.system.reset({ alarmId: "R1/hot", by: "Ada" }, harness.now);
    harness.read("R1", 80);
    assert.throws(reset, /^Error: R1\/hot can't be reset, for its condition still holds$/);
    harness.read("R1", 60);
    harness.system.acknowledge({ all: true }, harness.now);
    harness.read("R1", 80);
    harness.read("R1", 60);
    reset();
    reset();
    assert.deepEqual(harness.lines(), [
      "R1/hot raised warning unacknowledged !",
      "R1/hot returned warning latched",
      "R1/hot acknowledged warning latched",
      "R1/hot raised warning unacknowledged !",
      "R1/hot returned warning latched",
      "R1/hot reset warning normal !",
    ]);
  });

  it("ends a one-shot shelving when the alarm is back to normal, or by the longest time", () => {
    const harness = new Harness([condition()]);
    for (const deviceId of ["R1", "R2"]) harness.read(deviceId, 80);
    harness.system.shelve({ all: true, oneShot: true, by: "Ada" }, harness.now);
    harness.read("R1", 60);
    harness.read("R1", 80);
    harness.pass(600);
    assert.deepEqual(harness.lines().slice(4), [
      "R1/hot returned warning returned-unacknowledged",
      "R1/hot unshelved warning returned-unacknowledged !",
      "R1/hot raised warning unacknowledged !",
      "R2/hot unshelved warning unacknowledged !",
    ]);
  });

  it("takes health scores, remaining useful life, windows, and values below a limit", () => {
    const harness = new Harness([
      condition({ name: "ill", source: "health", match: "", comparison: "<", limit: 50, resetLimit: 60 }),
      condition({
        name: "worn",
        source: "remainingUsefulLife",
        match: "",
        comparison: "<=",
        limit: 24,
        resetLimit: undefined,
      }),
      condition({
        name: "failing",
        source: "remainingUsefulLife",
        match: "failureProbability",
        limit: 0.5,
        resetLimit: 0.4,
      }),
      condition({ name: "warm hall", match: "temperature.mean", limit: 30, resetLimit: 28 }),
    ]);
    const health = (score: number) =>
      ({ score, status: "warning" as const, flags: [], contributors: [] }) satisfies Health;
    const life = (p50: number, failureProbability: number) => ({ remainingUsefulLife: { p50, failureProbability } });
    harness.read("R1", 20, { health: health(49), ...life(24, 0.6) });
    harness.read("R1", 20, { health: health(55), ...life(25, 0.45) });
    harness.read("R1", 20, { health: health(61), ...life(25, 0.3) });
    harness.window({ group: "hall 3", windowEnd: 60_000, metrics: { temperature: { mean: 31, max: 50 } } });
    harness.window({ group: "hall 3", windowEnd: 30_000, isUpdate: true, metrics: { temperature: { mean: 20 } } });
    harness.window({ group: "hall 3", windowEnd: 120_000, metrics: { temperature: { mean: 27 } } });
    assert.deepEqual(
      harness.journal.map(({ alarmId, change, value, limit, metric }) => [alarmId, change, value, limit, metric]),
      [
        ["R1/ill", "raised", 49, 50, undefined],
        ["R1/worn", "raised", 24, 24, undefined],
        ["R1/failing", "raised", 0.6, 0.5, undefined],
        ["R1/worn", "returned", 24, 24, undefined],
        ["R1/ill", "returned", 49, 50, undefined],
        ["R1/failing", "returned", 0.6, 0.5, undefined],
        ["hall%203/warm%20hall", "raised", 31, 30, "temperature.mean"],
        ["hall%203/warm%20hall", "returned", 31, 30, "temperature.mean"],
      ],
    );
  });

  it("asks for several anomalies, of any detector or of one, and names the metric that is farthest off", () => {
    const harness = new Harness([
      condition({ name: "any", source: "anomaly", match: "", occurrences: 2, withinReadings: 3 }),
      condition({ name: "forest", source: "anomaly", match: "forest" }),
    ]);
    const read = (isAnomaly: boolean, timestamp: number) =>
      harness.read("R1", 20, { timestamp, verdicts: { z: verdict(isAnomaly), forest: verdict(false, "forest") } });
    read(true, 1);
    read(true, 1);
    read(false, 1);
    assert.deepEqual(harness.lines(), []);
    read(false, 2);
    harness.read("R1", 20, { timestamp: 3 });
    read(true, 4);
    for (let i = 5; i < 8; i++) read(false, i);
    assert.deepEqual(harness.lines(), [
      "R1/any raised warning unacknowledged !",
      "R1/any returned warning returned-unacknowledged !",
    ]);
    const [{ metric, value, limit } = { metric: "", value: 0, limit: 0 }] = harness.journal;
    assert.deepEqual([metric, value, limit], ["b", -5, 3]);
  });

  it("passes over what stands in a reading and is not what it should be", () => {
    const harness = new Harness([
      condition({ name: "constructor", match: "constructor" }),
      condition({ name: "flag", source: "flag", match: "hot" }),
      condition({ name: "ill", source: "health", match: "" }),
      condition({ name: "odd", source: "anomaly", match: "" }),
      condition({ name: "worn", source: "remainingUsefulLife", match: "" }),
    ]);
    const foreign = [
      null,
      7,
      "hot",
      [],
      {},
      { flags: ["hot"], score: "99" },
      { flags: "hot", contributors: [null, 7] },
    ];
    for (const value of foreign) {
      const reading = { health: value, verdicts: value, remainingUsefulLife: value, maintenance: undefined };
      harness.read("__proto__", 20, reading as unknown as Partial<Reading>);
    }
    harness.read("R1", 99, { maintenance: true } as unknown as Partial<Reading>);
    assert.deepEqual(harness.lines(), ["__proto__/flag raised warning unacknowledged !"]);
  });

  it("learns nothing from a reading of bad quality, and goes on in maintenance, but tells nobody until it is over", () => {
    const harness = new Harness([condition()]);
    harness.read("R1", 80);
    harness.read("R1", 20, { quality: "bad" });
    const maintenance = { since: harness.now, until: harness.now + 60_000, by: "Ada" };
    harness.read("R1", 20, { maintenance });
    harness.read("R2", 80, { maintenance });
    harness.pass(50);
    assert.deepEqual(harness.lines(), [
      "R1/hot raised warning unacknowledged !",
      "R1/hot suppressed warning unacknowledged",
      "R1/hot returned warning returned-unacknowledged",
      "R2/hot raised warning unacknowledged",
    ]);
    harness.read("R1", 80);
    harness.read("R2", 60);
    assert.deepEqual(harness.lines().slice(4), [
      "R1/hot raised warning unacknowledged",
      "R1/hot unsuppressed warning unacknowledged !",
      "R2/hot returned warning returned-unacknowledged",
      "R2/hot unsuppressed warning returned-unacknowledged",
    ]);
  });

  it("lets the alarms of a silent device wait, and tells only of those that its next reading confirms", () => {
    const harness = new Harness([condition(), condition({ name: "slow", onDelaySeconds: 5 }), OFFLINE]);
    for (const deviceId of ["R1", "R2", "R3"]) harness.read(deviceId, 80);
    for (const deviceId of ["R1", "R2", "R3"]) harness.status(deviceId, "offline");
    harness.pass(60);
    harness.read("R1", 60);
    assert.deepEqual(
      harness.journal.slice(3).map(({ alarmId, change, suppressed }) => [alarmId, change, suppressed?.reason]),
      ["R1", "R2", "R3"].flatMap((device) => [
        [`${device}/hot`, "suppressed", "the device is offline"],
        [`${device}/offline`, "raised", undefined],
      ]),
    );
    const { length } = harness.journal;
    for (const deviceId of ["R1", "R2", "R3"]) harness.status(deviceId, "online");
    harness.read("R1", 60);
    harness.read("R2", 80);
    harness.pass(4);
    assert.deepEqual(harness.lines().slice(length + 3), [
      "R1/hot returned warning returned-unacknowledged",
      "R1/hot unsuppressed warning returned-unacknowledged !",
      "R2/hot unsuppressed warning unacknowledged !",
    ]);
    harness.pass(30);
    assert.deepEqual(harness.lines().slice(length + 6), [
      "R2/slow raised warning unacknowledged !",
      "R3/hot unsuppressed warning unacknowledged !",
    ]);
  });

  it("holds what hangs on a device that is out of reach, whichever is noticed first, and however long the chain", () => {
    const records = [
      { deviceId: "G" },
      { deviceId: "S", parent: "G" },
      { deviceId: "R1", parent: "S" },
      { deviceId: "A", parent: "A" },
    ];
    const harness = new Harness([OFFLINE], { records });
    for (const deviceId of ["R1", "S", "G"]) harness.status(deviceId, "offline");
    harness.pass(10);
    assert.deepEqual(harness.lines(), [
      "G/offline raised critical unacknowledged !",
      "R1/offline raised critical unacknowledged",
      "S/offline raised critical unacknowledged",
    ]);
    for (const deviceId of ["G", "S", "R1"]) harness.status(deviceId, "online");
    harness.pass(60);
    assert.deepEqual(
      harness
        .lines()
        .filter((line) => line.endsWith("!"))
        .slice(1),
      ["G/offline returned critical returned-unacknowledged !"],
    );
    harness.status("A", "offline");
    harness.pass(2);
    assert.ok(harness.lines().includes("A/offline raised critical unacknowledged"), "its own parent holds it");
  });

  it("moves the reset limit along with a limit that is set, which goes before the registry's", () => {
    const harness = new Harness([condition()], { records: [{ deviceId: "R1", limits: { hot: 50 } }] });
    harness.read("R1", 51);
    harness.read("R1", 46);
    harness.read("R1", 44);
    harness.system.setLimit({ condition: "hot", limit: 90 });
    harness.read("R1", 89);
    harness.restart();
    harness.read("R1", 91);
    harness.system.setLimit({ deviceId: "R1", condition: "hot", limit: 20 });
    harness.read("R1", 16);
    harness.read("R1", 14);
    harness.system.setLimit({ deviceId: "R1", condition: "hot", limit: null });
    harness.read("R1", 89);
    assert.deepEqual(
      harness.journal.map(({ change, value, limit }) => [change, value, limit]),
      [
        ["raised", 51, 50],
        ["returned", 51, 50],
        ["raised", 91, 90],
        ["returned", 91, 90],
      ],
    );
    assert.equal(harness.system.limitCount, 1);
  });

  it("sets one of several levels by its severity only", () => {
    const harness = new Harness(LEVELS);
    harness.read("R1", 20);
    assert.throws(
      () => harness.system.setLimit({ condition: "hot", limit: 1 }),
      /severity must be info or warning or critical/,
    );
    harness.system.setLimit({ condition: "hot", severity: "critical", limit: 100 });
    harness.read("R1", 90);
    assert.deepEqual(harness.lines(), ["R1/hot raised warning unacknowledged !"]);
    assert.throws(
      () => new Harness([OFFLINE]).system.setLimit({ condition: "offline", limit: 1 }),
      /has no limit: limits have none/,
    );
  });

  it("closes alarms of conditions that are no more, and goes on with the others under new rules", () => {
    const harness = new Harness([condition(), condition({ name: "old" })]);
    harness.read("R1", 80);
    harness.restart([condition({ limit: 90, resetLimit: 85 })]);
    harness.read("R1", 80);
    assert.deepEqual(harness.lines().slice(2), [
      "R1/old reset warning normal !",
      "R1/hot returned warning returned-unacknowledged !",
    ]);
  });

  it("refuses what is not the state of a device", () => {
    const { system } = new Harness([condition()]);
    const good = JSON.parse(JSON.stringify(system.createDevice()));
    const alarm = {
      finding: { severity: "info" },
      isActive: true,
      isAcknowledged: true,
      isLatched: false,
      isTold: true,
      count: 1,
    };
    assert.ok(system.restoreDevice({ ...good, deviceId: "R1", alarms: [["hot", alarm]] }));
    for (const wrong of [
      null,
      {},
      { ...good, outOfReach: "away" },
      { ...good, alarms: [["hot", {}]] },
      { ...good, alarms: [["hot", { ...alarm, shelved: true }]] },
      { ...good, conditions: [["hot", {}, {}]] },
    ]) {
      assert.throws(() => system.restoreDevice(wrong), TypeError);
    }
    assert.throws(() => system.restore({ all: [["hot", "warning", "high"]], devices: [] }), TypeError);
  });
});
