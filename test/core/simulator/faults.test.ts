import assert from "node:assert/strict";
import { sampleStandardDeviation } from "simple-statistics";
import { FAULTS } from "../../../core/simulator/faults.ts";
import type { Reading } from "../../../core/types.ts";
import { fleetOf, HOUR, MINUTE, metricOf, run, SECOND, START, series } from "./helpers.ts";

const FAULT_START = START + 10 * MINUTE;

interface Course {
  before: Reading[];
  during: Reading[];
  after: Reading[];
  /** The same, of a twin without the fault. */
  healthy: { before: Reading[]; during: Reading[]; after: Reading[] };
}

/** Ten minutes of health, a fault for so long, and an hour of health, beside a twin without the fault. */
function courseOf(fault: string, seconds: number): Course {
  const end = FAULT_START + seconds * SECOND;
  const parts = (fleet: ReturnType<typeof fleetOf>, start: () => void) => {
    const before = run(fleet, FAULT_START - 1);
    start();
    return { before, during: run(fleet, end - 1), after: run(fleet, end + HOUR) };
  };
  const faulty = fleetOf();
  const healthy = fleetOf();
  // Far from being charged, which would outlast the fault.
  for (const fleet of [faulty, healthy]) fleet.set("R1", "battery", 90);
  return {
    ...parts(faulty, () => faulty.startFault("R1", fault, seconds, FAULT_START)),
    healthy: parts(healthy, () => undefined),
  };
}

const without = (readings: Reading[], metric: string) =>
  readings.map(({ metrics }) => ({ ...metrics, [metric]: undefined }));
const excess = ({ during, healthy }: Course, metric: string) =>
  during.map((reading, i) => metricOf(reading, metric) - metricOf(healthy.during[i], metric));

describe("a simulated fault", () => {
  for (const fault of Object.keys(FAULTS)) {
    it(`${fault} is in the truth from its start to its end, and nothing before and after`, () => {
      const { before, during, after, healthy } = courseOf(fault, 300);
      assert.deepEqual(before, healthy.before);
      const none = { fault: null, since: null, remainingSeconds: null };
      for (const { truth } of [...before, ...after]) assert.deepEqual(truth, none);
      for (const { timestamp, truth } of during) {
        const remainingSeconds = (FAULT_START - timestamp) / SECOND + 300;
        assert.deepEqual(truth, { fault, since: FAULT_START, remainingSeconds });
      }
      assert.equal(during.length, fault === "dropout" ? 0 : 60);
      assert.equal(after.length, fault === "bearing-wear" ? 0 : healthy.after.length);
    });
  }

  for (const fault of ["stuck", "drift", "spike", "noise", "dropout"]) {
    it(`${fault} of a sensor leaves the machine itself as it was`, () => {
      const { after, healthy } = courseOf(fault, 300);
      assert.deepEqual(after, healthy.after);
    });
  }

  it("overheating passes 75 °C within two minutes, ends near 90, and cools down after", () => {
    const course = courseOf("overheating", 600);
    const temperature = series(course.during, "temperature");
    const crossed = temperature.findIndex((value) => value > 75);
    assert.ok(crossed > 0 && crossed * 5 < 120, `${crossed * 5} s`);
    assert.ok(temperature.slice(crossed + 2).every((value) => value > 75));
    const last = temperature.at(-1) ?? 0;
    assert.ok(last > 87 && last <= 90);
    assert.deepEqual(without(course.during, "temperature"), without(course.healthy.during, "temperature"));
    const cooled = series(course.after, "temperature").slice(-60);
    const usual = series(course.healthy.after, "temperature").slice(-60);
    for (const [i, value] of cooled.entries()) assert.ok(Math.abs(value - (usual[i] ?? NaN)) < 0.2);
  });

  it("overheating is seen even when the machine stands still in the cold", () => {
    const fleet = fleetOf();
    fleet.set("R1", "load", 0);
    fleet.set("R1", "ambient", 10);
    run(fleet, START + HOUR);
    fleet.startFault("R1", "overheating", undefined, START + HOUR);
    const heated = run(fleet, START + HOUR + 2 * MINUTE);
    assert.ok(metricOf(heated.at(-1), "temperature") > 75);
  });

  it("bearing wear takes vibration beyond 1.5 g, ever faster, until the device breaks and is silent", () => {
    const course = courseOf("bearing-wear", 900);
    const growth = excess(course, "vibration");
    const at = (share: number) => growth[Math.floor(share * (growth.length - 1))] ?? NaN;
    assert.ok(at(0.25) > 0.05 && at(0.5) > at(0.25) && at(0.75) > at(0.5));
    assert.ok(at(1) - at(0.75) > 1.5 * (at(0.5) - at(0.25)));
    assert.ok(series(course.during, "vibration").some((value) => value > 1.5));
    assert.ok(at(1) > 1);
    assert.deepEqual(without(course.during, "vibration"), without(course.healthy.during, "vibration"));
    assert.equal(course.during.at(-1)?.truth?.remainingSeconds, 5);
    assert.deepEqual(course.after, []);
  });

  it("battery drop takes more than 10 points at once and gives them back", () => {
    const course = courseOf("battery-drop", 300);
    const { before, during, after, healthy } = course;
    assert.ok(metricOf(before.at(-1), "battery") - metricOf(during[0], "battery") > 10);
    for (const missing of excess(course, "battery")) assert.ok(missing < -10);
    assert.ok(Math.abs(metricOf(after[0], "battery") - metricOf(healthy.after[0], "battery")) < 0.2);
  });

  it("stuck freezes every value exactly, at a value that was real", () => {
    const { during, healthy } = courseOf("stuck", 300);
    assert.deepEqual(during[0]?.metrics, healthy.during[0]?.metrics);
    for (const { metrics } of during) assert.deepEqual(metrics, during[0]?.metrics);
  });

  it("drift adds a slowly growing error to one metric", () => {
    const course = courseOf("drift", 900);
    const error = excess(course, "temperature");
    for (const [i, value] of error.entries()) assert.ok(Math.abs(value - (0.6 * i * 5) / 60) < 0.11);
    assert.deepEqual(without(course.during, "temperature"), without(course.healthy.during, "temperature"));
  });

  it("spike throws single readings of one metric far off", () => {
    const course = courseOf("spike", 1200);
    const error = excess(course, "vibration").map(Math.abs);
    const spikes = error.flatMap((value, i) => (value > 0 ? [i] : []));
    assert.equal(spikes[0], 0);
    assert.ok(spikes.length > 15 && spikes.length < 80, `${spikes.length}`);
    for (const [i, spike] of spikes.entries()) {
      assert.ok((error[spike] ?? 0) > 0.8);
      assert.ok(i === 0 || spike - (spikes[i - 1] ?? spike) > 2, "isolated");
    }
    assert.deepEqual(without(course.during, "vibration"), without(course.healthy.during, "vibration"));
  });

  it("noise makes one sensor many times noisier", () => {
    const course = courseOf("noise", 1800);
    const deviation = sampleStandardDeviation(excess(course, "speed"));
    assert.ok(deviation > 10 * 0.015 && deviation < 20 * 0.015, `${deviation}`);
    assert.deepEqual(without(course.during, "speed"), without(course.healthy.during, "speed"));
  });

  it("dropout is silence, shown in the status", () => {
    const fleet = fleetOf();
    fleet.startFault("R1", "dropout", 60, START);
    assert.deepEqual(run(fleet, START + 59 * SECOND), []);
    const [status] = fleet.status(START + 59 * SECOND);
    assert.equal(status?.state, "silent");
    assert.equal(status?.fault, "dropout");
    assert.equal(run(fleet, START + 60 * SECOND).length, 1);
    assert.equal(fleet.status(START + 60 * SECOND)[0]?.state, "running");
  });

  it("without a duration stays until a restart, its remaining time unknown", () => {
    for (const fault of Object.keys(FAULTS).filter((name) => name !== "bearing-wear")) {
      const fleet = fleetOf();
      fleet.startFault("R1", fault, undefined, START);
      run(fleet, START + 24 * HOUR);
      const [status] = fleet.status(START + 24 * HOUR);
      assert.equal(status?.fault, fault);
      assert.equal(status?.remainingSeconds, null);
      fleet.restart("R1", START + 24 * HOUR);
      assert.equal(run(fleet, START + 25 * HOUR).at(-1)?.truth?.fault, null);
    }
  });

  it("never drives a value out of what the sensor can show, however long it lasts", () => {
    const fleet = fleetOf({ intervalSeconds: 60 });
    fleet.startFault("R1", "drift", undefined, START);
    assert.equal(metricOf(run(fleet, START + 48 * HOUR).at(-1), "temperature"), 150);
    const empty = fleetOf();
    empty.set("R1", "battery", 5);
    empty.startFault("R1", "battery-drop", undefined, START);
    assert.ok(metricOf(run(empty, START)[0], "battery") < 0.3);
  });

  it("starts in place of the one before", () => {
    const fleet = fleetOf();
    fleet.startFault("R1", "stuck", undefined, START);
    run(fleet, START + MINUTE);
    fleet.startFault("R1", "noise", 60, START + MINUTE + SECOND);
    const readings = run(fleet, START + 3 * MINUTE);
    assert.equal(readings[0]?.truth?.fault, "noise");
    assert.equal(readings[0]?.truth?.since, START + MINUTE + SECOND);
    assert.equal(readings.at(-1)?.truth?.fault, null);
  });

  it("is not in a reading that was due before it began", () => {
    const fleet = fleetOf();
    fleet.tick(START);
    fleet.startFault("R1", "stuck", 60, START + 7 * SECOND);
    const [due] = fleet.tick(START + 7 * SECOND);
    assert.equal(due?.timestamp, START + 5 * SECOND);
    assert.equal(due?.truth?.fault, null);
    assert.equal(fleet.tick(START + 10 * SECOND)[0]?.truth?.fault, "stuck");
  });
});

describe("faults that start by themselves", () => {
  it("come as often as asked, of every kind, for as long as their kind lasts", () => {
    const days = 2;
    const devices = 200;
    const fleet = fleetOf({ devices, intervalSeconds: 30, faultsPerDeviceDay: 2 });
    const seen = new Map<string, number>();
    const kinds = new Set<string>();
    for (let time = START; time <= START + days * 24 * HOUR; time += 30 * SECOND) {
      fleet.tick(time);
      for (const { deviceId, fault, since, remainingSeconds, state } of fleet.status(time)) {
        if (fault === null || since === null || remainingSeconds === null || state === "broken") continue;
        kinds.add(fault);
        seen.set(`${deviceId} ${since}`, remainingSeconds + (time - since) / SECOND);
        const [shortest, longest] = FAULTS[fault as keyof typeof FAULTS].seconds;
        const lasts = remainingSeconds + (time - since) / SECOND;
        assert.ok(lasts >= shortest && lasts <= longest, `${fault} ${lasts} s`);
      }
    }
    assert.deepEqual([...kinds].sort(), Object.keys(FAULTS).sort());
    // A Poisson count of 800, less the few that find the device already faulty: within four deviations.
    assert.ok(seen.size > 680 && seen.size < 913, `${seen.size}`);
  });

  it("break a device for ten minutes only, for nobody may be there to restart it", () => {
    const fleet = fleetOf({ devices: 50, intervalSeconds: 30, faultsPerDeviceDay: 50 });
    const brokenSince = new Map<string, number>();
    let repaired = 0;
    for (let time = START; time <= START + 12 * HOUR; time += 30 * SECOND) {
      fleet.tick(time);
      for (const { deviceId, state } of fleet.status(time)) {
        const since = brokenSince.get(deviceId);
        if (state === "broken") {
          brokenSince.set(deviceId, since ?? time);
        } else if (since !== undefined) {
          assert.ok(Math.abs(time - since - 10 * MINUTE) <= 30 * SECOND);
          assert.equal(state, "silent");
          brokenSince.delete(deviceId);
          repaired++;
        }
      }
    }
    assert.ok(repaired > 20, `${repaired}`);
  });
});
