import assert from "node:assert/strict";
import { mean, sampleCorrelation } from "simple-statistics";
import {
  airPressure,
  dailyCycle,
  officeOccupancy,
  outdoorDewPoint,
  outdoorTemperature,
  shiftDemand,
} from "../../../core/simulator/surroundings.ts";
import { HOUR, MIDNIGHT } from "./helpers.ts";

const at = (hour: number) => MIDNIGHT + hour * HOUR;
const hours = Array.from({ length: 24 * 365 }, (_, hour) => at(hour));

describe("the surroundings of simulated devices", () => {
  it("have a daily cycle with its peak at the hour that is asked for, also before 1970", () => {
    assert.equal(dailyCycle(at(15), 15), 1);
    assert.ok(Math.abs(dailyCycle(at(3), 15) + 1) < 1e-12);
    assert.ok(Math.abs(dailyCycle(-9 * HOUR, 15) - 1) < 1e-12);
  });

  it("have shifts with breaks, and an office that people come to and leave", () => {
    assert.deepEqual([8, 10.25, 17, 3].map(at).map(shiftDemand), [0.75, 0.1, 0.6, 0.35]);
    assert.deepEqual([3, 8, 10, 12.5, 15, 20].map(at).map(officeOccupancy), [0, 0.5, 1, 0.5, 1, 0]);
  });

  it("have weather: slow pressure with the tide of the air, warm afternoons, drier air in a high", () => {
    const pressure = hours.map(airPressure);
    const temperature = hours.map(outdoorTemperature);
    const dewPoint = hours.map(outdoorDewPoint);
    for (const [i, value] of pressure.entries()) {
      assert.ok(value > 1001 && value < 1025);
      assert.ok(Math.abs(value - (pressure[i - 1] ?? value)) < 1.2, "in an hour");
      assert.ok((temperature[i] ?? NaN) >= 5 && (temperature[i] ?? NaN) <= 21);
      assert.ok((dewPoint[i] ?? NaN) < (temperature[i] ?? NaN));
    }
    assert.ok(sampleCorrelation(pressure, dewPoint) < -0.7);
    const byHour = (values: number[], hour: number) => values.filter((_, i) => i % 24 === hour);
    for (const [high, low] of [
      [10, 4],
      [22, 16],
    ] as const) {
      const tide = mean(byHour(pressure, high)) - mean(byHour(pressure, low));
      assert.ok(tide > 0.6 && tide < 1, `${tide}`);
    }
    const nights = byHour(temperature, 3);
    for (const [i, afternoon] of byHour(temperature, 15).entries()) assert.ok(afternoon > (nights[i] ?? NaN) + 5);
  });
});
