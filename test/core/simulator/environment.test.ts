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
  START,
  series,
} from "./helpers.ts";

const LOCATIONS = ["server room", "office", "warehouse", "laboratory", "manufacturing floor"];
const OFFICE = "R2";

describe("a simulated environment", () => {
  let day: Reading[] = [];
  /** Means of ten minutes of the day. */
  const of = (metric: string, deviceId: string) => means(series(day, metric, deviceId), 60);
  /** Mean over the readings from one hour to another. */
  const between = (metric: string, deviceId: string, from: number, to: number) =>
    mean(of(metric, deviceId).slice(from * 6, to * 6));

  before(() => {
    day = run(
      fleetOf({ profile: "environment", devices: 10, intervalSeconds: 10 }, MIDNIGHT),
      MIDNIGHT + 24 * HOUR - 1,
    );
  });

  it("has five kinds of location, one device after the other", () => {
    const tags = day.slice(0, 10).map((reading) => reading.tags);
    assert.deepEqual(
      tags,
      [...LOCATIONS, ...LOCATIONS].map((location) => ({ location })),
    );
  });

  it("keeps each location as its use asks for", () => {
    for (const { deviceId, tags, metrics } of day) {
      const { temperature = NaN, humidity = NaN, co2 = NaN } = metrics;
      if (tags?.location === "server room") assert.ok(temperature > 18 && temperature < 27, deviceId);
      if (tags?.location === "laboratory") assert.ok(temperature > 19 && temperature < 23, deviceId);
      if (tags?.location === "office") assert.ok(temperature > 19 && temperature < 26 && co2 < 1100, deviceId);
      assert.ok(humidity > 25 && humidity < 60);
    }
    assert.ok(between("airQuality", "R5", 8, 12) > between("airQuality", "R4", 8, 12) + 20);
  });

  it("lets people's CO₂, heat and vapour follow them with the ventilation's lag, up by day and down by night", () => {
    assert.ok(between("co2", OFFICE, 10, 11.5) > between("co2", OFFICE, 0, 6) + 350);
    assert.ok(between("co2", OFFICE, 0, 6) < 440);
    assert.ok(between("temperature", OFFICE, 14, 16) > between("temperature", OFFICE, 4, 6) + 2);

    const fleet = fleetOf({ profile: "environment", devices: 2 });
    fleet.set(OFFICE, "outdoor", 13);
    fleet.set(OFFICE, "activity", 0);
    const empty = run(fleet, START + 12 * HOUR);
    fleet.set(OFFICE, "activity", 1);
    const full = run(fleet, START + 24 * HOUR);
    for (const [metric, shortest, longest] of [
      ["co2", 28, 40],
      ["temperature", 34, 46],
    ] as const) {
      const low = mean(series(empty, metric, OFFICE).slice(-120));
      const values = series(full, metric, OFFICE);
      const high = mean(values.slice(-120));
      const minutes = values.findIndex((value) => value > low + 0.632 * (high - low)) / 12;
      assert.ok(minutes > shortest && minutes < longest, `${metric} ${minutes} min`);
    }
    assert.ok(metricOf(full.at(-1), "humidity") > metricOf(empty.at(-1), "humidity") + 5);
  });

  it("has metrics that belong together, in their levels and in their changes", () => {
    const co2 = of("co2", OFFICE);
    const airQuality = of("airQuality", OFFICE);
    const temperature = of("temperature", OFFICE);
    assert.ok(sampleCorrelation(co2, airQuality) > 0.95);
    assert.ok(sampleCorrelation(co2, temperature) > 0.85);
    assert.ok(sampleCorrelation(differences(co2, 6), differences(airQuality, 6)) > 0.9);
    // The room warms more slowly than its air is replaced.
    assert.ok(correlationAt(1, co2, temperature) > correlationAt(-1, co2, temperature) + 0.02);
  });

  it("dries the air by heating it, for as much vapour is in it as before", () => {
    const fleet = fleetOf({ profile: "environment", devices: 2 });
    const [, before] = run(fleet, START);
    fleet.startFault(OFFICE, "overheating", 600, START);
    const hot = run(fleet, START + 9 * MINUTE).at(-1);
    const rise = metricOf(hot, "temperature") - metricOf(before, "temperature");
    const dried = metricOf(hot, "humidity") / metricOf(before, "humidity");
    assert.ok(rise > 20 && dried < 0.4, `${rise} K, ${dried}`);
    assert.ok(Math.abs(metricOf(hot, "co2") - metricOf(before, "co2")) < 50);
  });

  it("has one weather for all locations, and rooms above and below its pressure", () => {
    const pressure = (deviceId: string) => of("pressure", deviceId);
    for (const [i, office] of pressure(OFFICE).entries()) {
      assert.ok(Math.abs((pressure("R1")[i] ?? NaN) - office - 0.2) < 0.06);
      assert.ok(Math.abs((pressure("R4")[i] ?? NaN) - office + 0.2) < 0.06);
      assert.ok(Math.abs((pressure("R7")[i] ?? NaN) - office) < 0.06);
    }
    for (const change of differences(pressure(OFFICE), 6)) assert.ok(Math.abs(change) < 1.2, "within an hour");
  });

  it("lets the weather into the warehouse, and little of it into the laboratory", () => {
    const warmer = (deviceId: string) => {
      const fleet = fleetOf({ profile: "environment", devices: 5 });
      fleet.set(deviceId, "outdoor", 0);
      const cold = metricOf(
        run(fleet, START + 24 * HOUR).findLast((r) => r.deviceId === deviceId),
        "temperature",
      );
      fleet.set(deviceId, "outdoor", 30);
      return (
        metricOf(
          run(fleet, START + 48 * HOUR).findLast((r) => r.deviceId === deviceId),
          "temperature",
        ) - cold
      );
    };
    assert.ok(warmer("R3") > 9);
    assert.ok(warmer("R4") < 1);
  });
});
