import assert from "node:assert/strict";
import { type Conversion, converter } from "../../core/conversion.ts";
import type { Reading } from "../../core/types.ts";

const row = (given: Partial<Conversion>): Conversion => ({
  property: "",
  metric: "",
  factor: 1,
  offset: 0,
  unit: "",
  ...given,
});

function converted(rows: Partial<Conversion>[], reading: Pick<Reading, "metrics" | "units">): Reading {
  const result = { deviceId: "R1", timestamp: 0, ...reading };
  converter(rows.map(row))(result);
  return result;
}

describe("converter", () => {
  it("leaves a reading alone when there is nothing to convert", () => {
    const metrics = { temperature: 20 };
    assert.equal(converted([], { metrics }).metrics, metrics);
  });

  it("renames, scales and shifts a metric and says its unit, and leaves the others as they are", () => {
    const { metrics, units } = converted(
      [{ property: "t", metric: "temperature", factor: 0.1, offset: -40, unit: "°C" }],
      {
        metrics: { t: 625, vibration: 0.4 },
        units: { vibration: "g" },
      },
    );
    assert.deepEqual(metrics, { temperature: 22.5, vibration: 0.4 });
    assert.deepEqual(units, { temperature: "°C", vibration: "g" });
  });

  it("keeps name and unit where the table says none", () => {
    const { metrics, units } = converted([{ property: "speed", factor: 2 }], {
      metrics: { speed: 3 },
      units: { speed: "m/s" },
    });
    assert.deepEqual(metrics, { speed: 6 });
    assert.deepEqual(units, { speed: "m/s" });
    assert.equal(converted([{ property: "speed", factor: 2 }], { metrics: { speed: 3 } }).units, undefined);
  });

  it("does nothing about a property that a reading lacks", () => {
    assert.deepEqual(converted([{ property: "speed", metric: "v" }], { metrics: { t: 1 } }).metrics, { t: 1 });
  });

  it("leaves what was received as it was", () => {
    const received = Object.freeze({ metrics: Object.freeze({ t: 1 }), units: Object.freeze({ t: "K" }) });
    assert.deepEqual(converted([{ property: "t", offset: -273.15, unit: "°C" }], received).metrics, { t: -272.15 });
    assert.deepEqual(received, { metrics: { t: 1 }, units: { t: "K" } });
  });

  it("refuses a result that is not finite, with nothing changed", () => {
    const metrics = { ok: 1, t: 1e300 };
    const reading: Reading = { deviceId: "R1", timestamp: 0, metrics };
    assert.throws(
      () => converter([row({ property: "ok", factor: 2 }), row({ property: "t", factor: 1e300 })])(reading),
      {
        message: "t: 1e+300 × 1e+300 + 0 is not finite",
      },
    );
    assert.equal(reading.metrics, metrics);
    assert.deepEqual(metrics, { ok: 1, t: 1e300 });
  });

  it("knows no unit of a metric that is named like a member of every object", () => {
    const { units } = converted([{ property: "t", unit: "°C" }], { metrics: { t: 1, constructor: 2 }, units: {} });
    assert.deepEqual(units, { t: "°C" });
  });
});
