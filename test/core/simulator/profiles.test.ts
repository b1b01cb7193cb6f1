import assert from "node:assert/strict";
import { max, sampleStandardDeviation, sampleVariance } from "simple-statistics";
import { building } from "../../../core/simulator/building.ts";
import { electrical } from "../../../core/simulator/electrical.ts";
import { environment } from "../../../core/simulator/environment.ts";
import { FAULTS, type FaultName } from "../../../core/simulator/faults.ts";
import { machine } from "../../../core/simulator/machine.ts";
import type { Profile } from "../../../core/simulator/profile.ts";
import { server } from "../../../core/simulator/server.ts";
import type { Reading } from "../../../core/types.ts";
import {
  byDevice,
  differences,
  fleetOf,
  HOUR,
  MIDNIGHT,
  MINUTE,
  metricOf,
  run,
  SECOND,
  START,
  series,
} from "./helpers.ts";

const DAY = 24 * HOUR;
const PROFILES: Record<string, Profile> = { machine, environment, electrical, building, server };

for (const [profile, { sensors, faults, parameters }] of Object.entries(PROFILES)) {
  const sensorOf = (fault: string) => {
    const sensor = sensors.find(({ name }) => name === faults[fault as FaultName]);
    assert.ok(sensor);
    return sensor;
  };

  /** A fault of every device for so long, beside twins without it; an hour of both after it. */
  function courseOf(fault: string, seconds: number) {
    const part = (fleet: ReturnType<typeof fleetOf>, isFaulty: boolean) => {
      run(fleet, START - 1);
      for (const { deviceId } of fleet.status(START)) {
        if (isFaulty) fleet.startFault(deviceId, fault, seconds, START);
      }
      return { during: run(fleet, START + seconds * SECOND - 1), after: run(fleet, START + seconds * SECOND + HOUR) };
    };
    const fleet = () => fleetOf({ profile, devices: 15 }, START - 10 * MINUTE);
    return { faulty: part(fleet(), true), healthy: part(fleet(), false) };
  }

  describe(`the profile ${profile}`, () => {
    let week: Reading[] = [];

    before(() => {
      week = run(fleetOf({ profile, devices: 15, intervalSeconds: 60 }, MIDNIGHT), MIDNIGHT + 7 * DAY - 1);
    });

    it("gives the metrics and units of its sensors", () => {
      const names = sensors.map(({ name }) => name);
      for (const reading of week.slice(0, 15)) {
        assert.deepEqual(Object.keys(reading.metrics), names);
        assert.deepEqual(reading.units, Object.fromEntries(sensors.map(({ name, unit }) => [name, unit])));
        assert.deepEqual(reading.truth, { fault: null, since: null, remainingSeconds: null });
      }
    });

    it("stays within its healthy ranges, day and night", () => {
      assert.equal(week.length, 15 * 7 * 24 * 60);
      for (const reading of week) {
        for (const { name, healthy } of sensors) {
          const value = metricOf(reading, name);
          assert.ok(value >= healthy[0] && value <= healthy[1], `${name} ${value}`);
        }
      }
    });

    // Weather takes more than a day to come back.
    if (profile !== "environment") {
      it("returns to its mean: changes do not grow with time as those of a random walk", () => {
        for (const { name } of sensors) {
          const values = series(week, name);
          const ratio = sampleVariance(differences(values, 24 * 60)) / sampleVariance(differences(values, 60));
          assert.ok(ratio < 3, `${name}: ${ratio}, a random walk has 24`);
        }
      });
    }

    it("gives each device data of its own, and the same for the same seed and calls", () => {
      const course = (seed: number) => {
        const fleet = fleetOf({ profile, devices: 3, seed, jitterPercent: 20, faultsPerDeviceDay: 100 });
        return run(fleet, START + 2 * HOUR);
      };
      assert.deepEqual(course(7), course(7));
      const other = byDevice(course(8));
      for (const [deviceId, readings] of byDevice(course(7))) {
        for (const { name } of sensors) {
          assert.notDeepEqual(series(readings, name, deviceId), series(other.get(deviceId) ?? [], name, deviceId));
        }
      }
      const [first, second] = [...byDevice(week).values()];
      const values = (readings: Reading[] = []) => readings.map(({ metrics }) => metrics);
      assert.notDeepEqual(values(first), values(second));
    });

    it("shows the noise and the steps of its sensors", () => {
      const readings = run(
        fleetOf({ profile, intervalSeconds: 0.1 }, MIDNIGHT + 2 * HOUR),
        MIDNIGHT + 2 * HOUR + MINUTE,
      );
      for (const { name, noise, stepsPerUnit } of sensors) {
        const values = series(readings, name);
        for (const value of values) assert.equal(value, Math.round(value * stepsPerUnit) / stepsPerUnit);
        const expected = Math.hypot(noise, 0.29 / stepsPerUnit);
        const deviation = sampleStandardDeviation(differences(values, 1)) / Math.SQRT2;
        assert.ok(deviation > 0.6 * expected && deviation < 1.6 * expected, `${name}: ${deviation}, ${expected}`);
      }
    });

    it("takes every parameter at its limits and tells them again", () => {
      const fleet = fleetOf({ profile });
      for (const [name, { minimum, maximum, automatic }] of Object.entries(parameters)) {
        for (const value of [minimum, maximum]) {
          fleet.set("R1", name, value);
          const [reading] = fleet.tick(fleet.nextDue());
          assert.ok(Object.values(reading?.metrics ?? {}).every(Number.isFinite));
          fleet.set("R1", name, value);
          if (!automatic) assert.equal(fleet.status(fleet.nextDue())[0]?.parameters[name], value);
        }
        run(fleet, fleet.nextDue() + 10 * MINUTE);
        if (automatic) {
          assert.ok(Math.abs((fleet.status(START)[0]?.parameters[name] ?? NaN) - maximum) < 1e-6, name);
          fleet.set("R1", name, null);
        }
      }
    });

    it("brings healthy values after a gap of a day", () => {
      const fleet = fleetOf({ profile, devices: 10 });
      run(fleet, START + MINUTE);
      for (const reading of fleet.tick(START + DAY)) {
        for (const { name, healthy } of sensors) {
          const value = metricOf(reading, name);
          assert.ok(value >= healthy[0] && value <= healthy[1], `${name} ${value}`);
        }
      }
    });

    for (const fault of Object.keys(FAULTS).filter((name) => FAULTS[name as FaultName].scope === "metric")) {
      if (fault in faults) continue;
      it(`cannot have ${fault}, which none of its metrics would show`, () => {
        assert.throws(() => fleetOf({ profile }).startFault("R1", fault, 1, START), /unknown fault/);
      });
    }

    for (const fault of Object.keys(faults)) {
      const { seconds, end } = FAULTS[fault as FaultName];

      it(`shows even the shortest ${fault} in ${faults[fault as FaultName]}, and tells of it`, () => {
        const { name, healthy, noise } = sensorOf(fault);
        const { during } = courseOf(fault, seconds[0]).faulty;
        const twins = courseOf(fault, seconds[0]).healthy.during;
        assert.equal(during.length, twins.length);
        const largest = new Map<string, number>();
        for (const [i, reading] of during.entries()) {
          assert.equal(reading.truth?.fault, fault);
          const error = Math.abs(metricOf(reading, name) - metricOf(twins[i], name));
          largest.set(reading.deviceId, Math.max(error, largest.get(reading.deviceId) ?? 0));
        }
        const visible = Math.max(10 * noise, 0.02 * (healthy[1] - healthy[0]));
        assert.equal(largest.size, 15);
        for (const error of largest.values()) assert.ok(error > visible, `${error}, ${visible}`);
      });

      // Without a cell the battery is charged, which outlasts the fault.
      if (fault === "battery-drop") continue;
      it(`is as before after ${fault}, or broken`, () => {
        const { faulty, healthy } = courseOf(fault, seconds[0]);
        if (end === "breaks") {
          assert.deepEqual(faulty.after, []);
          return;
        }
        assert.equal(faulty.after.length, healthy.after.length);
        for (const [i, reading] of faulty.after.slice(-15).entries()) {
          const twin = healthy.after.at(i - 15);
          assert.equal(reading.truth?.fault, null);
          for (const { name, healthy: range } of sensors) {
            const error = Math.abs(metricOf(reading, name) - metricOf(twin, name));
            assert.ok(error <= 0.01 * (range[1] - range[0]), `${name} ${error}`);
          }
        }
      });
    }

    for (const fault of ["stuck", "drift", "spike", "noise", "dropout"].filter((name) => name in faults)) {
      it(`shows ${fault} in no other metric`, () => {
        const { faulty, healthy } = courseOf(fault, 300);
        const others = ({ metrics }: Reading) => ({ ...metrics, [sensorOf(fault).name]: undefined });
        assert.deepEqual(faulty.during.map(others), healthy.during.map(others));
        assert.deepEqual(faulty.after, healthy.after);
      });
    }

    if ("overheating" in faults) {
      it("is warmer than any healthy one within three minutes of overheating", () => {
        const { name, healthy } = sensorOf("overheating");
        const limit = profile === "machine" ? 75 : healthy[1];
        const { during } = courseOf("overheating", 180).faulty;
        for (const reading of during.slice(-15)) assert.ok(metricOf(reading, name) > limit);
      });
    }

    if ("bearing-wear" in faults) {
      it("wears out ever faster, beyond all healthy values, and is mended by a restart", () => {
        const { name } = sensorOf("bearing-wear");
        const { faulty, healthy } = courseOf("bearing-wear", 600);
        const highest = max(week.map((reading) => metricOf(reading, name)));
        for (const [deviceId, readings] of byDevice(faulty.during)) {
          const twin = series(healthy.during, name, deviceId);
          const growth = series(readings, name, deviceId).map((value, i) => value - (twin[i] ?? NaN));
          const at = (share: number) => growth[Math.floor(share * (growth.length - 1))] ?? NaN;
          assert.ok(at(0.75) > at(0.4) && at(1) - at(0.75) > 1.5 * (at(0.75) - at(0.4)));
          assert.ok(at(1) > 0.5 * highest, `${at(1)}`);
        }
        const fleet = fleetOf({ profile });
        fleet.startFault("R1", "bearing-wear", 300, START);
        run(fleet, START + 6 * MINUTE);
        assert.equal(fleet.status(START + 6 * MINUTE)[0]?.state, "broken");
        fleet.restart("R1", START + 6 * MINUTE);
        assert.equal(fleet.status(START + 6 * MINUTE)[0]?.parameters.wear, 0);
        assert.ok(metricOf(run(fleet, START + 10 * MINUTE)[0], name) < highest);
      });
    }
  });
}
