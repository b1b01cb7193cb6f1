import assert from "node:assert/strict";
import { mean, sampleCorrelation } from "simple-statistics";
import type { Reading } from "../../../core/types.ts";
import { fleetOf, HOUR, MIDNIGHT, MINUTE, means, metricOf, run, START, series } from "./helpers.ts";

describe("a simulated building", () => {
  let day: Reading[] = [];
  const between = (metric: string, deviceId: string, from: number, to: number) =>
    mean(means(series(day, metric, deviceId), 60).slice(from * 6, to * 6));

  before(() => {
    day = run(fleetOf({ profile: "building", devices: 6, intervalSeconds: 10 }, MIDNIGHT), MIDNIGHT + 24 * HOUR - 1);
  });

  it("has buildings of three floors", () => {
    const tags = day.slice(0, 6).map(({ tags }) => `${tags?.building} ${tags?.floor}`);
    assert.deepEqual(tags, ["B1 1", "B1 2", "B1 3", "B2 1", "B2 2", "B2 3"]);
  });

  it("is ventilated as its people need, and warm when they are there", () => {
    for (const deviceId of ["R1", "R2", "R3", "R4", "R5", "R6"]) {
      const vibration = between("vibration", deviceId, 9.5, 11.5);
      assert.ok(vibration > between("vibration", deviceId, 0, 6) + 0.4);
      assert.ok(vibration > between("vibration", deviceId, 12, 12.5) + 0.2, "they are at lunch");
      assert.ok(between("temperature", deviceId, 14, 16) > between("temperature", deviceId, 4, 6) + 2);
      assert.ok(between("temperature", deviceId, 7, 8) > 18.5);
      const temperature = means(series(day, "temperature", deviceId), 360);
      assert.ok(sampleCorrelation(temperature, means(series(day, "vibration", deviceId), 360)) > 0.5);
    }
  });

  it("is warmer the higher the floor", () => {
    const warmth = (floor: number) => {
      const readings = run(fleetOf({ profile: "building", devices: 60, intervalSeconds: 600 }), START + 24 * HOUR);
      return mean(
        readings.filter(({ tags }) => tags?.floor === `${floor}`).map((reading) => metricOf(reading, "temperature")),
      );
    };
    assert.ok(warmth(2) > warmth(1) + 0.2 && warmth(3) > warmth(2) + 0.2);
  });

  it("lets the fan follow people within a minute or two, the temperature within hours", () => {
    const fleet = fleetOf({ profile: "building" });
    fleet.set("R1", "occupancy", 0);
    const empty = run(fleet, START + 7 * HOUR);
    fleet.set("R1", "occupancy", 1);
    const full = run(fleet, START + 7 * HOUR + 5 * MINUTE);
    const [quiet, loud] = [mean(series(empty, "vibration").slice(-60)), mean(series(full, "vibration").slice(-12))];
    assert.ok(loud > quiet + 0.45);
    const seconds = 5 * series(full, "vibration").findIndex((value) => value > quiet + 0.632 * (loud - quiet));
    assert.ok(seconds > 50 && seconds < 130, `${seconds}`);
    const warmed = metricOf(full.at(-1), "temperature") - metricOf(empty.at(-1), "temperature");
    assert.ok(Math.abs(warmed) < 0.4, `${warmed} K`);
  });

  it("passes what ISO 10816-1 finds unacceptable before a bearing breaks", () => {
    const fleet = fleetOf({ profile: "building" });
    fleet.startFault("R1", "bearing-wear", 900, START);
    assert.ok(metricOf(run(fleet, START + 15 * MINUTE).at(-1), "vibration") > 4.5);
  });
});
