import assert from "node:assert/strict";
import { mean, sampleCorrelation, sampleStandardDeviation, sampleVariance } from "simple-statistics";
import { machine } from "../../../core/simulator/machine.ts";
import type { Reading } from "../../../core/types.ts";
import {
  byDevice,
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

const DEVICES = Array.from({ length: 20 }, (_, index) => `R${index + 1}`);

describe("a simulated machine", () => {
  let day: Reading[] = [];
  let perDevice = new Map<string, Reading[]>();
  const daySeries = (metric: string, deviceId: string) => series(perDevice.get(deviceId) ?? [], metric, deviceId);

  before(() => {
    day = run(fleetOf({ devices: DEVICES.length }, MIDNIGHT), MIDNIGHT + 24 * HOUR - 1);
    perDevice = byDevice(day);
  });

  it("stays within its ranges for a day, clear of every limit of the health score", () => {
    assert.equal(day.length, (DEVICES.length * 24 * 3600) / 5);
    const last = new Map<string, number>();
    for (const reading of day) {
      for (const { name, healthy } of machine.sensors) {
        const value = metricOf(reading, name);
        assert.ok(value >= healthy[0] && value <= healthy[1], `${name} ${value}`);
      }
      const battery = metricOf(reading, "battery");
      assert.ok(metricOf(reading, "temperature") < 75 && metricOf(reading, "vibration") < 1.5 && battery > 30);
      assert.ok((last.get(reading.deviceId) ?? battery) - battery < 10);
      last.set(reading.deviceId, battery);
      assert.equal(reading.truth?.fault, null);
    }
  });

  it("lets temperature follow speed with a lag of minutes", () => {
    for (const deviceId of DEVICES) {
      const speed = means(daySeries("speed", deviceId), 4);
      const temperature = means(daySeries("temperature", deviceId), 4);
      let best = 0;
      for (let lag = -20; lag <= 20; lag++) {
        if (correlationAt(lag, speed, temperature) > correlationAt(best, speed, temperature)) best = lag;
      }
      // A lag of 180–300 s behind a load that fluctuates over 600 s peaks at ln(2b / (a + b)) / (b − a): 118–166 s.
      assert.ok(best * 20 > 80 && best * 20 < 240, `${deviceId}: ${best * 20} s`);
      assert.ok(correlationAt(best, speed, temperature) > 0.9);
      assert.ok(correlationAt(best, speed, temperature) > correlationAt(0, speed, temperature) + 0.01);
      assert.ok(correlationAt(0, speed, temperature) > correlationAt(-best, speed, temperature) + 0.02);
    }
  });

  it("answers a step of the load: speed within seconds, temperature by 63 % in three to five minutes", () => {
    const fleet = fleetOf({ devices: 10, intervalSeconds: 1 });
    for (const { deviceId } of fleet.status(START)) {
      fleet.set(deviceId, "ambient", 20);
      fleet.set(deviceId, "battery", 100);
      fleet.set(deviceId, "load", 0);
    }
    const settled = run(fleet, START + HOUR);
    for (const { deviceId } of fleet.status(START)) fleet.set(deviceId, "load", 1);
    const answer = run(fleet, START + 2 * HOUR);
    for (const { deviceId } of fleet.status(START)) {
      const risen = (metric: string) => {
        const low = mean(series(settled, metric, deviceId).slice(-300));
        const values = series(answer, metric, deviceId);
        const high = mean(values.slice(-300));
        return values.findIndex((value) => value > low + 0.632 * (high - low));
      };
      assert.ok(risen("speed") >= 15 && risen("speed") <= 35, `${risen("speed")}`);
      assert.ok(risen("temperature") >= 170 && risen("temperature") <= 340, `${risen("temperature")}`);
    }
  });

  it("has signals that belong together, in their levels and in their changes", () => {
    for (const deviceId of DEVICES) {
      const speed = means(daySeries("speed", deviceId), 60);
      const vibration = means(daySeries("vibration", deviceId), 60);
      const temperature = means(daySeries("temperature", deviceId), 60);
      assert.ok(sampleCorrelation(speed, vibration) > 0.95);
      assert.ok(sampleCorrelation(speed, temperature) > 0.9);
      // Independent random walks may have related levels by chance, but never related changes.
      assert.ok(sampleCorrelation(differences(speed, 1), differences(vibration, 1)) > 0.9);
      assert.ok(sampleCorrelation(differences(speed, 1), differences(temperature, 1)) > 0.5);
    }
  });

  it("returns to its mean: changes do not grow with time as those of a random walk", () => {
    const week = run(fleetOf({ intervalSeconds: 60 }, MIDNIGHT), MIDNIGHT + 7 * 24 * HOUR);
    for (const metric of ["temperature", "vibration", "speed"]) {
      const values = series(week, metric);
      const ratio = sampleVariance(differences(values, 24 * 60)) / sampleVariance(differences(values, 60));
      assert.ok(ratio < 3, `${metric}: ${ratio}, a random walk has 24`);
    }
  });

  it("has a daily cycle of work and of the hall's temperature", () => {
    const hourly = (metric: string, hour: number) =>
      mean(day.filter(({ timestamp }) => new Date(timestamp).getUTCHours() === hour).map((r) => metricOf(r, metric)));
    assert.ok(hourly("speed", 8) > hourly("speed", 20) + 0.3);
    assert.ok(hourly("speed", 20) > hourly("speed", 4) + 0.5);
    assert.ok(hourly("temperature", 8) > hourly("temperature", 4) + 8);

    const idle = fleetOf({ intervalSeconds: 60 }, MIDNIGHT);
    idle.set("R1", "load", 0);
    const temperature = means(series(run(idle, MIDNIGHT + 24 * HOUR - 1), "temperature"), 60);
    const [low, high] = [Math.min(...temperature), Math.max(...temperature)];
    assert.ok([2, 3].includes(temperature.indexOf(low)) && [14, 15].includes(temperature.indexOf(high)));
    assert.ok(high - low > 5 && high - low < 6.5, `${high - low}`);
  });

  it("charges a low battery standing still, and drains it faster with more load", () => {
    for (const deviceId of DEVICES) {
      const speed = means(daySeries("speed", deviceId), 60);
      const change = differences(means(daySeries("battery", deviceId), 60), 1);
      const charging = speed.slice(1).filter((_, i) => (change[i] ?? 0) > 7);
      const working = speed.slice(1).filter((_, i) => (change[i] ?? 0) < 0);
      assert.ok(charging.length >= 6, "charged at least once, half an hour or more");
      assert.ok(mean(charging) < 0.8 && mean(working) > 2);
    }
    const drained = (load: number) => {
      const fleet = fleetOf();
      fleet.set("R1", "battery", 100);
      fleet.set("R1", "load", load);
      return 100 - metricOf(run(fleet, START + HOUR).at(-1), "battery");
    };
    assert.ok(drained(1) > 2 * drained(0.2));
  });

  it("shows noise and steps as sensors do", () => {
    const fleet = fleetOf({ intervalSeconds: 1 });
    fleet.set("R1", "load", 0.5);
    run(fleet, START + HOUR);
    const readings = run(fleet, START + HOUR + 5 * MINUTE);
    for (const { name, noise, stepsPerUnit } of machine.sensors) {
      const values = series(readings, name);
      const deviation = sampleStandardDeviation(differences(values, 1)) / Math.SQRT2;
      assert.ok(deviation > 0.8 * noise && deviation < 1.5 * noise, `${name}: ${deviation}`);
      for (const value of values) assert.equal(value, Math.round(value * stepsPerUnit) / stepsPerUnit);
    }
  });

  it("obeys the operator's load, ambient temperature and battery, and takes the load over again", () => {
    const fleet = fleetOf();
    fleet.set("R1", "load", 1);
    fleet.set("R1", "ambient", 40);
    fleet.set("R1", "battery", 80);
    const fixed = run(fleet, START + HOUR);
    assert.ok(Math.abs(metricOf(fixed.at(-1), "speed") - 4.8) < 0.1);
    assert.ok(metricOf(fixed.at(-1), "temperature") > 76);
    assert.ok(Math.abs(metricOf(fixed[0], "battery") - 80) < 0.5);
    fleet.set("R1", "load", null);
    fleet.set("R1", "ambient", null);
    const automatic = run(fleet, START + 2 * HOUR - 10 * SECOND);
    assert.ok(metricOf(automatic.at(-1), "temperature") < 70);
    assert.ok(sampleStandardDeviation(series(automatic, "speed")) > 0.1);
  });
});
