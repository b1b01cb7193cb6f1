import assert from "node:assert/strict";
import { mean, sampleCorrelation } from "simple-statistics";
import type { Reading } from "../../../core/types.ts";
import {
  correlationAt,
  differences,
  fleetOf,
  HOUR,
  MIDNIGHT,
  MINUTE,
  means,
  metricOf,
  run,
  SECOND,
  START,
  series,
} from "./helpers.ts";

const DEVICES = Array.from({ length: 6 }, (_, index) => `R${index + 1}`);

describe("a simulated server", () => {
  let day: Reading[] = [];

  before(() => {
    day = run(fleetOf({ profile: "server", devices: DEVICES.length }, MIDNIGHT), MIDNIGHT + 24 * HOUR - 1);
  });

  it("works as its traffic asks, and gets warm by its work, with lags", () => {
    for (const deviceId of DEVICES) {
      const traffic = series(day, "networkTraffic", deviceId);
      const cpu = series(day, "cpu", deviceId);
      const temperature = series(day, "temperature", deviceId);
      const pressure = series(day, "pressure", deviceId);
      assert.ok(correlationAt(2, traffic, cpu) > 0.97);
      assert.ok(correlationAt(2, traffic, cpu) > correlationAt(-2, traffic, cpu) + 0.01);
      assert.ok(correlationAt(3, cpu, temperature) > 0.95);
      assert.ok(correlationAt(3, cpu, temperature) > correlationAt(-3, cpu, temperature) + 0.005);
      // The coolant, and with it the pressure, comes minutes after.
      assert.ok(correlationAt(20, cpu, pressure) > correlationAt(0, cpu, pressure) + 0.01);
    }
  });

  it("has pressure, temperature and vibration that move together", () => {
    for (const deviceId of DEVICES) {
      const [temperature, pressure, vibration] = ["temperature", "pressure", "vibration"].map((metric) =>
        means(series(day, metric, deviceId), 60),
      ) as [number[], number[], number[]];
      assert.ok(sampleCorrelation(temperature, pressure) > 0.95);
      assert.ok(sampleCorrelation(pressure, vibration) > 0.95);
      assert.ok(sampleCorrelation(differences(temperature, 1), differences(pressure, 1)) > 0.6);
      assert.ok(sampleCorrelation(differences(pressure, 1), differences(vibration, 1)) > 0.9);
    }
  });

  it("is busiest in the afternoon and quiet at night", () => {
    const hourly = (hour: number) =>
      mean(
        day
          .filter(({ timestamp }) => new Date(timestamp).getUTCHours() === hour)
          .map((reading) => metricOf(reading, "networkTraffic")),
      );
    assert.ok(hourly(15) > hourly(3) + 350);
  });

  it("answers a step of the traffic: CPU in seconds, the coolant's pressure in minutes", () => {
    const fleet = fleetOf({ profile: "server", intervalSeconds: 1 });
    fleet.set("R1", "traffic", 0.1);
    const calm = run(fleet, START + HOUR);
    fleet.set("R1", "traffic", 0.9);
    const busy = run(fleet, START + 2 * HOUR);
    const risen = (metric: string) => {
      const [low, high] = [calm, busy].map((readings) => mean(series(readings, metric).slice(-600))) as [
        number,
        number,
      ];
      return series(busy, metric).findIndex((value) => value > low + 0.632 * (high - low));
    };
    assert.ok(risen("networkTraffic") <= 1);
    assert.ok(risen("cpu") >= 10 && risen("cpu") <= 22, `${risen("cpu")}`);
    assert.ok(risen("temperature") > risen("cpu"));
    assert.ok(risen("pressure") > 180 && risen("pressure") < 330, `${risen("pressure")}`);
  });

  it("overheats as a whole: the coolant's pressure rises and the fan runs at full speed", () => {
    const fleet = fleetOf({ profile: "server" }, START - HOUR);
    const before = run(fleet, START - 1).at(-1);
    fleet.startFault("R1", "overheating", 300, START);
    const hot = run(fleet, START + 299 * SECOND).at(-1);
    assert.ok(metricOf(hot, "temperature") > 85);
    assert.ok(metricOf(hot, "pressure") > metricOf(before, "pressure") + 0.5);
    assert.ok(metricOf(hot, "vibration") > metricOf(before, "vibration") + 0.2);
    assert.ok(Math.abs(metricOf(hot, "cpu") - metricOf(before, "cpu")) < 30);
    const after = run(fleet, START + 35 * MINUTE).at(-1);
    assert.ok(metricOf(after, "temperature") < 65 && metricOf(after, "pressure") < 1.5);
  });
});
