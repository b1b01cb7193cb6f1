import assert from "node:assert/strict";
import { linearRegression, mean, sampleCorrelation, sampleStandardDeviation } from "simple-statistics";
import type { Reading } from "../../../core/types.ts";
import { differences, fleetOf, HOUR, MIDNIGHT, MINUTE, means, metricOf, run, START, series } from "./helpers.ts";

const DEVICES = Array.from({ length: 10 }, (_, index) => `R${index + 1}`);

describe("a simulated electrical feeder", () => {
  let day: Reading[] = [];

  before(() => {
    day = run(fleetOf({ profile: "electrical", devices: DEVICES.length }, MIDNIGHT), MIDNIGHT + 24 * HOUR - 1);
  });

  it("keeps the ten-minute means of the voltage well within EN 50160", () => {
    for (const deviceId of DEVICES) {
      for (const voltage of means(series(day, "voltage", deviceId), 120)) {
        assert.ok(voltage > 0.95 * 230 && voltage < 1.05 * 230, `${voltage}`);
      }
    }
  });

  it("lets current sag the voltage at once, by the impedance of the line", () => {
    for (const deviceId of DEVICES) {
      const voltage = differences(series(day, "voltage", deviceId), 1);
      const current = differences(series(day, "current", deviceId), 1);
      assert.ok(sampleCorrelation(current, voltage) < -0.7);
      const { m: slope } = linearRegression(current.map((value, i) => [value, voltage[i] ?? NaN]));
      assert.ok(-slope > 0.15 && -slope < 0.26, `${-slope} Ω`);
      // The next change of the voltage knows nothing of this one's current.
      assert.ok(Math.abs(sampleCorrelation(current.slice(0, -4), voltage.slice(4))) < 0.2);
    }
  });

  it("draws what the shifts need", () => {
    const hourly = (hour: number) =>
      mean(
        day.filter(({ timestamp }) => new Date(timestamp).getUTCHours() === hour).map((r) => metricOf(r, "current")),
      );
    assert.ok(hourly(8) > hourly(20) + 3 && hourly(20) > hourly(4) + 6);
  });

  it("answers a switched load within seconds: 42 A, and eight volts less", () => {
    const fleet = fleetOf({ profile: "electrical", intervalSeconds: 1 });
    fleet.set("R1", "load", 0);
    const off = run(fleet, START + MINUTE).at(-1);
    fleet.set("R1", "load", 1);
    const on = run(fleet, START + MINUTE + 15_000).at(-1);
    assert.ok(Math.abs(metricOf(on, "current") - metricOf(off, "current") - 42) < 1);
    const sag = metricOf(off, "voltage") - metricOf(on, "voltage");
    assert.ok(sag > 7 && sag < 11, `${sag}`);
  });

  it("has a grid behind it that changes slowly, whatever the load", () => {
    const fleet = fleetOf({ profile: "electrical", intervalSeconds: 60 }, MIDNIGHT);
    fleet.set("R1", "load", 0.5);
    const voltage = series(run(fleet, MIDNIGHT + 96 * HOUR - 1).slice(1), "voltage");
    const deviation = sampleStandardDeviation(voltage);
    assert.ok(deviation > 0.8 && deviation < 2.2, `${deviation}`);
    assert.ok(sampleStandardDeviation(differences(voltage, 1)) < 0.5);
    const at = (hour: number) => mean(voltage.filter((_, i) => Math.floor(i / 60) % 24 === hour));
    assert.ok(at(7) > at(19) + 1);
  });
});
