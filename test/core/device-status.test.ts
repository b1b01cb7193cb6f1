import assert from "node:assert/strict";
import { type AnalysedReading, DeviceStatus, type DeviceSummary, MAX_OPEN_ALARMS } from "../../core/device-status.ts";
import { MAX_METRICS } from "../../core/limits.ts";
import type { Alarm, Health, Metrics, StatusEvent } from "../../core/types.ts";

const NOW = Date.UTC(2026, 2, 1, 12);

function reading(metrics: Metrics, timestamp = NOW, more: Partial<AnalysedReading> = {}): AnalysedReading {
  return { deviceId: "R1", timestamp, metrics, ...more };
}

function health(status: Health["status"], score = 60): Partial<AnalysedReading> {
  const contributors = [{ flag: "hot", penalty: 100 - score, value: 80, limit: 75 }];
  return { health: { score, status, flags: ["hot"], contributors } };
}

function verdict(isAnomaly: boolean): Partial<AnalysedReading> {
  return { verdicts: { z: { detector: "z", isAnomaly, score: 1, threshold: 3, metrics: {} } } };
}

function event(status: StatusEvent["status"], lastSeen?: number): StatusEvent {
  return { deviceId: "R1", status, timestamp: NOW, ...(lastSeen !== undefined && { lastSeen }) };
}

function alarm(state: Alarm["state"], severity: Alarm["severity"] = "critical", more: Partial<Alarm> = {}): Alarm {
  return { alarmId: "R1/hot", deviceId: "R1", condition: "hot", severity, state, raisedAt: NOW, ...more };
}

/** A device that has taken readings, events and alarms, in this order. */
function device(...taken: (AnalysedReading | StatusEvent | Alarm)[]): DeviceStatus {
  const made = new DeviceStatus();
  for (const each of taken) {
    if ("metrics" in each) made.push(each, NOW);
    else if ("alarmId" in each) made.pushAlarm(each);
    else made.pushStatus(each);
  }
  return made;
}

/** The device as it is after a restart. */
function restarted(before: DeviceStatus): DeviceStatus {
  return DeviceStatus.from(JSON.parse(JSON.stringify(before)));
}

describe("the status of a device", () => {
  const x = { x: 1 };
  const well = reading(x, NOW, { ...health("healthy"), ...verdict(false) });
  const cases: [name: string, expected: DeviceSummary["status"], device: DeviceStatus][] = [
    ["nothing has come", "unknown", device()],
    ["its readings have neither health nor verdict", "unknown", device(reading(x))],
    ["there is only a sign of life", "unknown", device(event("online"))],
    ["it has a good health", "healthy", device(reading(x, NOW, health("healthy")))],
    ["it has a normal verdict", "healthy", device(reading(x, NOW, verdict(false)))],
    ["it has an anomaly", "anomaly", device(reading(x, NOW, verdict(true)))],
    ["it is healthy but anomalous", "anomaly", device(reading(x, NOW, { ...health("healthy"), ...verdict(true) }))],
    ["a warning outweighs the anomaly", "warning", device(reading(x, NOW, { ...health("warning"), ...verdict(true) }))],
    ["its health is critical", "critical", device(reading(x, NOW, health("critical")))],
    ["it is offline, however critical", "offline", device(reading(x, NOW, health("critical")), event("offline"))],
    ["it is out of reach", "unknown", device(well, event("unknown"))],
    ["it is back online", "healthy", device(well, event("offline"), event("online"))],
    ["a reading follows the news that it is offline", "healthy", device(well, event("offline"), well)],
    ["an alarm is critical", "critical", device(well, alarm("unacknowledged"))],
    ["an alarm is acknowledged and still there", "critical", device(well, alarm("acknowledged"))],
    ["an alarm is latched", "warning", device(well, alarm("latched", "warning"))],
    [
      "an alarm is a warning, the health critical",
      "critical",
      device(reading(x, NOW, health("critical")), alarm("latched", "warning")),
    ],
    ["an alarm only informs", "healthy", device(well, alarm("unacknowledged", "info"))],
    ["an alarm's condition has gone", "healthy", device(well, alarm("returned-unacknowledged"))],
    ["an alarm is back to normal", "healthy", device(well, alarm("unacknowledged"), alarm("normal"))],
    [
      "an alarm is shelved",
      "healthy",
      device(well, alarm("unacknowledged", "critical", { shelved: { since: 1, until: 5 } })),
    ],
    [
      "an alarm is suppressed",
      "healthy",
      device(well, alarm("unacknowledged", "critical", { suppressed: { since: 1 } })),
    ],
    [
      "an alarm is out of service",
      "healthy",
      device(well, alarm("latched", "critical", { outOfService: { since: 1 } })),
    ],
    [
      "the worse of two alarms counts",
      "critical",
      device(alarm("latched"), alarm("latched", "warning", { condition: "wet" })),
    ],
    [
      "the verdict is older than the last reading",
      "anomaly",
      device(reading(x, NOW, verdict(true)), reading(x, NOW + 1)),
    ],
    [
      "a later verdict is normal",
      "healthy",
      device(reading(x, NOW, verdict(true)), reading(x, NOW + 1, verdict(false))),
    ],
    [
      "another verdict of the same time is normal",
      "anomaly",
      device(reading(x, NOW, verdict(true)), reading(x, NOW, verdict(false))),
    ],
  ];
  for (const [name, expected, tested] of cases) {
    it(`is ${expected} when ${name}`, () => {
      assert.equal(tested.status, expected);
      assert.equal(restarted(tested).status, expected);
    });
  }
});

describe("DeviceStatus", () => {
  it("sums up what is known, and leaves out what is not", () => {
    assert.deepEqual(device().summary("R1"), { deviceId: "R1", status: "unknown", metrics: {}, openAlarms: 0 });
    const full = device(
      reading({ x: 1 }, NOW - 5, {
        ...health("warning", 60),
        ...verdict(true),
        remainingUsefulLife: { p50: 80, model: "linear" },
        cluster: 2,
        tags: { location: "hall 3" },
      }),
      alarm("acknowledged"),
    );
    const expected = {
      deviceId: "R1",
      status: "critical",
      metrics: { x: 1 },
      openAlarms: 1,
      lastSeen: NOW,
      lastAnomaly: NOW - 5,
      health: {
        score: 60,
        status: "warning",
        flags: ["hot"],
        contributors: [{ flag: "hot", penalty: 40, value: 80, limit: 75 }],
      },
      remainingUsefulLife: { p50: 80, model: "linear" },
      cluster: 2,
      tags: { location: "hall 3" },
    };
    assert.deepEqual(full.summary("R1"), expected);
    assert.deepEqual(restarted(full).summary("R1"), expected);
  });

  it("knows of each metric its unit, and what the reading that it came with says of it", () => {
    const features = { x: { mean: 2 } };
    const judged = { value: 1, expected: 0, score: 4, isAnomaly: true };
    const verdicts = { z: { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: { x: judged } } };
    const tested = device(
      reading({ x: 1 }, NOW - 9, { features, verdicts, units: { x: "bar", other: "m" } }),
      reading({ y: 2 }, NOW),
    );
    assert.deepEqual(tested.metricDetails(), [
      { name: "x", value: 1, unit: "bar", timestamp: NOW - 9, features: { mean: 2 }, verdict: judged },
      { name: "y", value: 2, timestamp: NOW },
    ]);
    assert.deepEqual(restarted(tested).metricDetails(), [
      { name: "x", value: 1, unit: "bar" },
      { name: "y", value: 2 },
    ]);
    assert.deepEqual(tested.summary("R1").units, { x: "bar" });
  });

  it("gives its open alarms as they came, also after a restart", () => {
    const tested = device(alarm("acknowledged"), alarm("latched", "info", { alarmId: "R1/wet", condition: "wet" }));
    for (const each of [tested, restarted(tested)]) {
      assert.deepEqual(
        [...each.alarms].map(({ condition, state }) => [condition, state]),
        [
          ["hot", "acknowledged"],
          ["wet", "latched"],
        ],
      );
      assert.equal(each.openAlarms, 2);
    }
  });

  it("gives copies, which others may change", () => {
    const tested = device(
      reading({ x: 1 }, NOW, { ...health("warning"), remainingUsefulLife: { p50: 80 }, tags: { location: "hall 3" } }),
    );
    const before = JSON.stringify(tested.summary("R1"));
    const given = tested.summary("R1");
    given.metrics.x = 2;
    given.health?.flags.push("wet");
    Object.assign(given.health?.contributors[0] ?? {}, { penalty: 0 });
    Object.assign(given.remainingUsefulLife ?? {}, { p50: 0 });
    Object.assign(given.tags ?? {}, { location: "nowhere" });
    assert.equal(JSON.stringify(tested.summary("R1")), before);
  });

  it("adds what a registry knows, where readings don't say it", () => {
    const record = { deviceId: "R1", name: "Pump 1", location: "hall 3", tags: { line: "A" }, advice: "call" };
    const { name, location, tags } = new DeviceStatus().summary("R1", record);
    assert.deepEqual([name, location, tags], ["Pump 1", "hall 3", { line: "A" }]);
    const tested = device(reading({ x: 1 }, NOW, { tags: { line: "B" } }));
    assert.deepEqual(tested.summary("R1", record).tags, { line: "B" });
    assert.ok(!("name" in tested.summary("R1", { deviceId: "R1" })));
  });

  it("shows maintenance, whatever else is true of the device", () => {
    const tested = device(reading({ x: 1 }, NOW, health("critical")), event("offline"));
    const maintenance = { since: NOW, until: NOW + 1 };
    const summary = tested.summary("R1", undefined, maintenance);
    assert.deepEqual([summary.status, summary.maintenance, tested.status], ["maintenance", maintenance, "offline"]);
    assert.notEqual(summary.maintenance, maintenance);
  });

  it("keeps the latest value of each metric, and what a reading doesn't say", () => {
    const tested = device(
      reading({ x: 1, y: 2 }, NOW, { ...health("warning"), cluster: "a", tags: { location: "hall 3" } }),
      reading({ y: 3 }, NOW + 1),
      reading({ z: 4 }, NOW + 1),
    );
    const { metrics, health: kept, cluster, tags } = tested.summary("R1");
    assert.deepEqual([metrics, kept?.score, cluster, tags], [{ x: 1, y: 3, z: 4 }, 60, "a", { location: "hall 3" }]);
  });

  it("takes only the metrics that count", () => {
    const tested = new DeviceStatus();
    tested.push(reading({ x: 1, y: 2 }), NOW, (name) => name === "y");
    assert.deepEqual(tested.metrics, { y: 2 });
  });

  it("shows of a reading of bad quality only that it came, and that it is bad, until a good one comes", () => {
    const tested = device(reading({ x: 1 }), event("offline"));
    assert.equal(tested.push(reading({ x: -999 }, NOW + 1, { ...verdict(true), quality: "bad" }), NOW + 7), false);
    assert.deepEqual(tested.summary("R1"), {
      deviceId: "R1",
      status: "unknown",
      metrics: { x: 1 },
      openAlarms: 0,
      quality: "bad",
      lastSeen: NOW + 7,
    });
  });

  it("shows nothing of a reading that a newer one has overtaken, but that it came and was anomalous", () => {
    const tested = device(reading({ x: 2 }, NOW, { ...health("healthy"), ...verdict(false) }));
    const late = reading({ x: 1 }, NOW - 1, { ...health("critical"), ...verdict(true) });
    assert.equal(tested.push(late, NOW + 7), true);
    const { status, metrics, lastSeen, lastAnomaly } = tested.summary("R1");
    assert.deepEqual([status, metrics, lastSeen, lastAnomaly], ["healthy", { x: 2 }, NOW + 7, NOW - 1]);
  });

  it("believes older readings after a minute in which nothing newer came: the clock was set back", () => {
    const tested = device(reading({ x: 1 }));
    const hour = 3_600_000;
    const valueAfter = (seconds: number) => {
      tested.push(reading({ x: seconds }, NOW - hour + seconds * 1000), NOW + seconds * 1000);
      return tested.metrics.x;
    };
    assert.deepEqual([valueAfter(30), valueAfter(59), valueAfter(60), valueAfter(61)], [1, 1, 60, 61]);
  });

  it("believes them at once when this machine's clock was set back by more", () => {
    const tested = device(reading({ x: 1 }));
    tested.push(reading({ x: 2 }, NOW - 3_600_000), NOW - 3_600_000);
    assert.equal(tested.metrics.x, 2);
  });

  it("takes the time of a status event when that is the latest", () => {
    assert.equal(device(event("online", NOW - 5)).lastSeen, NOW - 5);
    assert.equal(device(reading({ x: 1 }), event("offline", NOW - 5)).lastSeen, NOW);
    assert.equal(device(event("offline")).lastSeen, undefined);
  });

  it("tells whether an alarm was raised since it was last heard of", () => {
    const tested = device();
    const raised = (state: Alarm["state"], raisedAt: number) => tested.pushAlarm(alarm(state, "warning", { raisedAt }));
    assert.equal(raised("unacknowledged", 1), true);
    assert.equal(raised("acknowledged", 1), false);
    assert.equal(raised("returned-unacknowledged", 1), false);
    assert.equal(raised("unacknowledged", 2), true);
    assert.equal(raised("normal", 2), false);
    assert.equal(raised("unacknowledged", 3), true);
    assert.equal(restarted(tested).pushAlarm(alarm("latched", "warning", { raisedAt: 3 })), false);
  });

  it("counts open alarms, until they are back to normal in one way or the other", () => {
    const tested = device(alarm("unacknowledged"), alarm("returned-unacknowledged", "info", { condition: "wet" }));
    assert.equal(tested.summary("R1").openAlarms, 2);
    tested.clearAlarm("wet");
    tested.pushAlarm(alarm("normal"));
    assert.equal(tested.summary("R1").openAlarms, 0);
  });

  it("keeps a bounded number of metrics and alarms, and is as before when there would be more", () => {
    const tested = device();
    for (let i = 0; i < MAX_METRICS; i++) tested.push(reading({ [`x${i}`]: i }, NOW), NOW);
    for (let i = 0; i < MAX_OPEN_ALARMS; i++) tested.pushAlarm(alarm("latched", "info", { condition: `c${i}` }));
    const before = JSON.stringify(tested);
    assert.throws(() => tested.push(reading({ x1: 9, y: 1 }, NOW + 1), NOW + 1), RangeError);
    assert.throws(() => tested.pushAlarm(alarm("latched")), RangeError);
    assert.equal(JSON.stringify(tested), before);
    tested.push(reading({ x1: 9 }, NOW + 1), NOW + 1);
    tested.pushAlarm(alarm("acknowledged", "info", { condition: "c1" }));
    assert.equal(tested.metrics.x1, 9);
  });

  it("passes over a health, a life or a cluster that is none", () => {
    for (const wrong of [null, 80, "well", [], { score: Number.NaN, status: "healthy", flags: [], contributors: [] }]) {
      const more = { health: wrong, remainingUsefulLife: 5, cluster: {} } as unknown as Partial<AnalysedReading>;
      assert.deepEqual(Object.keys(device(reading({ x: 1 }, NOW, more)).summary("R1")).sort(), [
        "deviceId",
        "lastSeen",
        "metrics",
        "openAlarms",
        "status",
      ]);
    }
  });

  it("refuses to be restored from anything else", () => {
    const good = JSON.parse(JSON.stringify(device(reading({ x: 1 }, NOW, health("warning")))));
    const wrong = [
      null,
      [],
      {},
      { ...good, metrics: { x: "1" } },
      { ...good, metrics: null },
      { ...good, alarms: {} },
      { ...good, alarms: [["hot", null]] },
      { ...good, health: {} },
      { ...good, newest: 5 },
      { ...good, lastSeen: "now" },
    ];
    for (const state of wrong) assert.throws(() => DeviceStatus.from(state), TypeError, JSON.stringify(state));
  });
});
