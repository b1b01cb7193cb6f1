import assert from "node:assert/strict";
import fc from "fast-check";
import { mean } from "simple-statistics";
import { type AnalysedReading, DeviceStatus } from "../../core/device-status.ts";
import { FleetStatus } from "../../core/fleet-status.ts";
import type { Alarm, Health, Verdict } from "../../core/types.ts";
import { assertClose } from "./oracle.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const OPTIONS = { recentSeconds: 300 };

function health(score: number): Health {
  return { score, status: "healthy", flags: [], contributors: [] };
}

function verdicts(isAnomaly: boolean): Record<string, Verdict> {
  return { z: { detector: "z", isAnomaly, score: 1, threshold: 3, metrics: {} } };
}

function alarm(raisedAt: number, state: Alarm["state"] = "unacknowledged"): Alarm {
  return { alarmId: "R1/hot", deviceId: "R1", condition: "hot", severity: "warning", state, raisedAt };
}

describe("the figures of a fleet", () => {
  it("are few as long as nothing is known", () => {
    assert.deepEqual(new FleetStatus(OPTIONS).figures([], NOW), {
      totalReadings: 0,
      activeDevices: 0,
      offlineDevices: 0,
      average: {},
      alertsRecent: 0,
    });
  });

  it("tell the units that the devices agree on", () => {
    const fleet = new FleetStatus(OPTIONS);
    const [a, b] = [new DeviceStatus(), new DeviceStatus()];
    const metrics = { temperature: 60, speed: 2 };
    fleet.push(a, { deviceId: "a", timestamp: NOW, metrics, units: { temperature: "°C", speed: "m/s" } }, NOW);
    fleet.push(b, { deviceId: "b", timestamp: NOW, metrics, units: { temperature: "°F" } }, NOW);
    assert.deepEqual(fleet.figures([a, b], NOW).units, { speed: "m/s" });
  });

  it("sum up the devices that are active, and what has come in lately", () => {
    const fleet = new FleetStatus(OPTIONS);
    const [a, b, c, d] = [new DeviceStatus(), new DeviceStatus(), new DeviceStatus(), new DeviceStatus()];
    const push = (device: DeviceStatus, metrics: AnalysedReading["metrics"], time: number, more = {}) =>
      fleet.push(device, { deviceId: "", timestamp: time - 500, metrics, ...more }, time);
    push(d, { temperature: 999 }, NOW - 301_000, { health: health(1), verdicts: verdicts(true) });
    fleet.pushAlarm(a, alarm(1), NOW - 5000);
    push(a, { temperature: 60, speed: 2 }, NOW - 2000, { health: health(90), verdicts: verdicts(false) });
    push(b, { temperature: 70 }, NOW - 1000, { health: health(70), verdicts: verdicts(true) });
    push(b, { temperature: 80 }, NOW, { verdicts: verdicts(false) });
    push(c, { temperature: 500 }, NOW);
    c.pushStatus({ deviceId: "R3", status: "offline", timestamp: NOW });
    fleet.pushAlarm(a, alarm(1, "acknowledged"), NOW);
    assert.deepEqual(fleet.figures([a, b, c, d], NOW), {
      totalReadings: 5,
      activeDevices: 2,
      offlineDevices: 1,
      averageHealth: 80,
      average: { temperature: 70, speed: 2 },
      alertsRecent: 1,
      anomalyRateRecent: 1 / 4,
      freshnessSeconds: 0.5,
    });
    assert.deepEqual(fleet.figures([a, b, c, d], NOW + 299_500), {
      totalReadings: 5,
      activeDevices: 1,
      offlineDevices: 1,
      averageHealth: 70,
      average: { temperature: 80 },
      alertsRecent: 0,
      anomalyRateRecent: 0,
      freshnessSeconds: 300,
    });
  });

  it("are fresh by the time of measurement, and not fresher than now because a clock is ahead", () => {
    const fleet = new FleetStatus(OPTIONS);
    const push = (timestamp: number) =>
      fleet.push(new DeviceStatus(), { deviceId: "R1", timestamp, metrics: { x: 1 } }, NOW);
    push(NOW - 60_000);
    push(NOW - 90_000);
    assert.equal(fleet.figures([], NOW).freshnessSeconds, 60);
    push(NOW + 3_600_000);
    assert.equal(fleet.figures([], NOW + 10_000).freshnessSeconds, 10);
    assert.equal(fleet.figures([], NOW - 10_000).freshnessSeconds, 0);
  });

  it("stay finite whatever the values", () => {
    const fleet = new FleetStatus(OPTIONS);
    const devices = [1e308, 1e308, -3].map((x) => {
      const device = new DeviceStatus();
      fleet.push(device, { deviceId: "", timestamp: NOW, metrics: { x } }, NOW);
      return device;
    });
    assert.ok(Number.isFinite(fleet.figures(devices, NOW).average.x));
  });

  it("do not count a reading that its device refuses", () => {
    const fleet = new FleetStatus(OPTIONS);
    const metrics = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`x${i}`, i]));
    assert.throws(() => fleet.push(new DeviceStatus(), { deviceId: "", timestamp: NOW, metrics }, NOW), RangeError);
    assert.equal(fleet.figures([], NOW).totalReadings, 0);
  });

  it("are of the metrics that count only", () => {
    const fleet = new FleetStatus({ ...OPTIONS, accepts: (name) => name === "y" });
    const device = new DeviceStatus();
    fleet.push(device, { deviceId: "", timestamp: NOW, metrics: { x: 1, y: 2 } }, NOW);
    assert.deepEqual(fleet.figures([device], NOW).average, { y: 2 });
  });

  it("are what a count of everything that came in gives, after any number of restarts", () => {
    const value = fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { nil: undefined });
    const step = fc.record({
      device: fc.integer({ min: 0, max: 3 }),
      seconds: fc.integer({ min: 0, max: 120 }),
      x: value,
      y: value,
      score: fc.option(fc.integer({ min: 0, max: 100 })),
      isAnomaly: fc.option(fc.boolean()),
      isOffline: fc.boolean(),
      isRestart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        let fleet = new FleetStatus(OPTIONS);
        let devices = Array.from({ length: 4 }, () => new DeviceStatus());
        const past: { device: number; now: number; reading: AnalysedReading }[] = [];
        const offline = new Set<number>();
        let now = NOW;
        for (const { device, seconds, x, y, score, isAnomaly, isOffline, isRestart } of steps) {
          now += seconds * 1000;
          const reading: AnalysedReading = {
            deviceId: `R${device}`,
            timestamp: now,
            metrics: { ...(x !== undefined && { x }), ...(y !== undefined && { y }) },
            ...(score !== null && { health: health(score) }),
            ...(isAnomaly !== null && { verdicts: verdicts(isAnomaly) }),
          };
          past.push({ device, now, reading });
          fleet.push(devices[device] as DeviceStatus, reading, now);
          offline.delete(device);
          if (isOffline) {
            devices[device]?.pushStatus({ deviceId: `R${device}`, status: "offline", timestamp: now });
            offline.add(device);
          }
          if (isRestart) {
            fleet = FleetStatus.from(OPTIONS, JSON.parse(JSON.stringify(fleet)));
            devices = devices.map((each) => DeviceStatus.from(JSON.parse(JSON.stringify(each))));
          }
        }
        const figures = fleet.figures(devices, now);
        const recent = past.filter((each) => Math.floor(each.now / 1000) > Math.floor(now / 1000) - 300);
        const anomalous = recent.filter(({ reading }) => reading.verdicts?.z?.isAnomaly);
        const active = [0, 1, 2, 3]
          .filter((device) => !offline.has(device))
          .map((device) => past.filter((each) => each.device === device))
          .filter((readings) => (readings.at(-1)?.now ?? 0) >= now - 300_000);
        const lastOf = <T>(pick: (reading: AnalysedReading) => T | undefined) =>
          active.flatMap((readings) => readings.flatMap(({ reading }) => pick(reading) ?? []).slice(-1));
        assert.equal(figures.totalReadings, past.length);
        assert.equal(figures.offlineDevices, offline.size);
        assert.equal(figures.activeDevices, active.length);
        assert.equal(figures.anomalyRateRecent, anomalous.length / recent.length);
        assert.equal(figures.freshnessSeconds, 0);
        const averages: [actual: number | undefined, values: number[]][] = [
          [figures.averageHealth, lastOf((reading) => reading.health?.score)],
          [figures.average.x, lastOf((reading) => reading.metrics.x)],
          [figures.average.y, lastOf((reading) => reading.metrics.y)],
        ];
        for (const [actual, values] of averages) {
          if (values.length === 0) assert.equal(actual, undefined);
          else assertClose(actual as number, mean(values), 1e-8);
        }
      }),
    );
  });
});

describe("FleetStatus from a saved state", () => {
  it("keeps the total, and drops recent counts that reach back another time", () => {
    const fleet = new FleetStatus(OPTIONS);
    fleet.push(new DeviceStatus(), { deviceId: "", timestamp: NOW, metrics: { x: 1 }, verdicts: verdicts(true) }, NOW);
    const { totalReadings, anomalyRateRecent, freshnessSeconds } = FleetStatus.from(
      { recentSeconds: 60 },
      JSON.parse(JSON.stringify(fleet)),
    ).figures([], NOW + 1000);
    assert.deepEqual([totalReadings, anomalyRateRecent, freshnessSeconds], [1, undefined, 1]);
  });

  it("refuses anything else", () => {
    for (const state of [
      null,
      {},
      { totalReadings: "1" },
      { totalReadings: 1, newest: "now" },
      { totalReadings: 1, recentSeconds: 300 },
    ]) {
      assert.throws(() => FleetStatus.from(OPTIONS, state), TypeError, JSON.stringify(state));
    }
  });
});
