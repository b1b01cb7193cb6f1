import assert from "node:assert/strict";
import { mean, sampleCorrelation, sampleStandardDeviation } from "simple-statistics";
import { Random } from "../../../core/random.ts";
import { approach, Bearing, Fluctuation } from "../../../core/simulator/dynamics.ts";

describe("approach", () => {
  it("comes 63 % nearer in one time constant, whatever the steps", () => {
    assert.ok(Math.abs(approach(10, 20, 60, 60) - (20 - 10 / Math.E)) < 1e-12);
    let value = 10;
    for (let second = 0; second < 60; second++) value = approach(value, 20, 1, 60);
    assert.ok(Math.abs(value - approach(10, 20, 60, 60)) < 1e-12);
    assert.equal(approach(10, 20, 0, 60), 10);
  });
});

describe("Fluctuation", () => {
  for (const seconds of [1, 5, 60]) {
    it(`keeps its mean, deviation and memory at steps of ${seconds} s`, () => {
      const random = new Random(1);
      const fluctuation = new Fluctuation(2, 60, random);
      const values = Array.from({ length: 400_000 }, () => {
        fluctuation.step(seconds, random);
        return fluctuation.value;
      });
      const lag = 60 / seconds;
      assert.ok(Math.abs(mean(values)) < 0.1, `${mean(values)}`);
      assert.ok(Math.abs(sampleStandardDeviation(values) - 2) < 0.05);
      assert.ok(Math.abs(sampleCorrelation(values.slice(lag), values.slice(0, -lag)) - 1 / Math.E) < 0.02);
    });
  }
});

describe("Bearing", () => {
  const YEAR = 365 * 86_400;

  it("wears slowly, with its load, and never out, in normal use", () => {
    const bearing = new Bearing(new Random(1));
    const idle = new Bearing(new Random(1));
    const fresh = bearing.wear;
    for (let hour = 1; hour <= 24 * 30; hour++) {
      bearing.step(hour * 3_600_000, 3600, 1, null);
      idle.step(hour * 3_600_000, 3600, 0, null);
    }
    assert.equal(idle.wear, fresh);
    assert.ok(bearing.wear > fresh && bearing.wear < 0.2);
    bearing.step(YEAR * 1000, YEAR, 1, null);
    assert.ok(bearing.wear > 0.199 && bearing.wear <= 0.2);
  });

  it("is worn out exactly when the fault's time is over, whatever the steps", () => {
    for (const steps of [1, 10, 1000]) {
      const bearing = new Bearing(new Random(1));
      const fault = { name: "bearing-wear", since: 0, until: 600_000, isInjected: true, sensor: undefined } as const;
      const early = bearing.wear;
      for (let step = 1; step <= steps; step++) bearing.step((step * 300_000) / steps, 300 / steps, 1, fault);
      assert.ok(Math.abs(bearing.wear - (1 - (1 - early) * Math.SQRT1_2)) < 1e-9);
      for (let step = 1; step <= steps; step++) bearing.step(300_000 + (step * 300_000) / steps, 300 / steps, 1, fault);
      assert.equal(bearing.wear, 1);
    }
  });
});
