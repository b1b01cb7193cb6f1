import assert from "node:assert/strict";
import type { Fleet } from "../../../core/simulator/fleet.ts";
import { byDevice, fleetOf, HOUR, MINUTE, metricOf, run, SECOND, START } from "./helpers.ts";

const DAY = 24 * HOUR;

describe("Fleet", () => {
  it("gives complete readings of every device", () => {
    const [first, ...others] = fleetOf({ devices: 4 }).tick(START);
    assert.deepEqual(
      others.map(({ deviceId }) => deviceId),
      ["R2", "R3", "R4"],
    );
    assert.equal(first?.deviceId, "R1");
    assert.equal(first?.timestamp, START);
    assert.deepEqual(Object.keys(first?.metrics ?? {}), ["temperature", "vibration", "speed", "battery"]);
    assert.deepEqual(first?.units, { temperature: "°C", vibration: "g", speed: "m/s", battery: "%" });
    assert.deepEqual(first?.truth, { fault: null, since: null, remainingSeconds: null });
    assert.equal("tags" in first, false);
  });

  it("refuses options that make no sense", () => {
    assert.throws(() => fleetOf({ profile: "rocket" }), /unknown profile "rocket": known are machine/);
    assert.throws(() => fleetOf({ devices: 0 }), /devices must be a number from 1 to 1000000, not 0/);
    assert.throws(() => fleetOf({ intervalSeconds: 0 }), /intervalSeconds/);
    assert.throws(() => fleetOf({ jitterPercent: 101 }), /jitterPercent/);
    assert.throws(() => fleetOf({ faultsPerDeviceDay: Number.NaN }), /faultsPerDeviceDay/);
    assert.throws(() => fleetOf({ seed: 0.5 }), /seed/);
  });

  describe("sameness", () => {
    const options = { devices: 5, jitterPercent: 20, faultsPerDeviceDay: 50 };

    it("gives the same data for the same seed and calls", () => {
      const course = () => {
        const fleet = fleetOf(options);
        const first = run(fleet, START + HOUR);
        fleet.startFault("R2", "bearing-wear", undefined, START + HOUR);
        fleet.set("R3", "load", 0.9);
        fleet.restart("R4", START + HOUR);
        return [...first, ...run(fleet, START + 2 * HOUR)];
      };
      assert.deepEqual(course(), course());
    });

    it("gives other data for another seed", () => {
      const other = fleetOf({ ...options, seed: 2 }).tick(START);
      assert.equal(other.length, 5);
      for (const [i, { metrics }] of fleetOf(options).tick(START).entries()) {
        assert.notDeepEqual(metrics, other[i]?.metrics);
      }
    });

    it("gives each device data of its own", () => {
      const temperatures = fleetOf({ devices: 20 })
        .tick(START)
        .map((reading) => metricOf(reading, "temperature"));
      assert.ok(new Set(temperatures).size > 10);
    });

    it("keeps a device's data when devices are added, or another one is disturbed", () => {
      const of = (fleet: Fleet) => run(fleet, START + HOUR).filter(({ deviceId }) => deviceId === "R1");
      const alone = of(fleetOf({ ...options, devices: 1 }));
      assert.deepEqual(of(fleetOf(options)), alone);
      const disturbed = fleetOf(options);
      disturbed.startFault("R2", "spike", undefined, START);
      disturbed.set("R3", "battery", 40);
      disturbed.restart("R4", START);
      assert.deepEqual(of(disturbed), alone);
    });

    it("does not depend on how late it is called", () => {
      const punctual = run(fleetOf({ devices: 3 }), START + HOUR);
      const late = fleetOf({ devices: 3 });
      const readings = [];
      for (let k = 0; k <= 720; k++) readings.push(...late.tick(START + k * 5 * SECOND + ((k * 977) % 5000)));
      assert.deepEqual(readings, punctual);
    });
  });

  describe("time", () => {
    it("reads all devices at once, at the interval", () => {
      const fleet = fleetOf({ devices: 3 });
      assert.equal(fleet.nextDue(), START);
      assert.equal(fleet.tick(START).length, 3);
      assert.equal(fleet.nextDue(), START + 5 * SECOND);
      assert.deepEqual(fleet.tick(START + 4999), []);
      assert.equal(fleet.nextDue(), START + 5 * SECOND);
      assert.equal(fleet.tick(START + 5003).length, 3);
      assert.equal(fleet.nextDue(), START + 10 * SECOND);
    });

    it("varies each device's spacing by the jitter, and no more", () => {
      const readings = run(fleetOf({ devices: 10, jitterPercent: 20 }), START + HOUR);
      const spacings: number[] = [];
      for (const own of byDevice(readings).values()) {
        for (let i = 1; i < own.length; i++) spacings.push((own[i]?.timestamp ?? 0) - (own[i - 1]?.timestamp ?? 0));
      }
      assert.ok(Math.min(...spacings) >= 3999 && Math.max(...spacings) <= 6001);
      assert.ok(Math.min(...spacings) < 4050 && Math.max(...spacings) > 5950);
      assert.ok(Math.abs(spacings.reduce((a, b) => a + b) / spacings.length - 5000) < 30);
    });

    it("never repeats a timestamp, even with full jitter", () => {
      const timestamps = run(fleetOf({ jitterPercent: 100 }), START + HOUR).map(({ timestamp }) => timestamp);
      assert.ok(timestamps.every((time, i) => i === 0 || time > (timestamps[i - 1] ?? time)));
    });

    for (const [name, gap] of [
      ["a minute", MINUTE],
      ["an hour", HOUR],
      ["a day", DAY],
      ["a year", 365 * DAY],
    ] as const) {
      it(`gives one healthy reading after a gap of ${name}, and goes on`, () => {
        const fleet = fleetOf({ devices: 20 });
        run(fleet, START + MINUTE);
        const readings = fleet.tick(START + MINUTE + gap + 1234);
        assert.equal(readings.length, 20);
        for (const reading of readings) {
          assert.equal(reading.timestamp, START + MINUTE + gap);
          assert.ok(metricOf(reading, "temperature") > 30 && metricOf(reading, "temperature") < 75);
          assert.ok(metricOf(reading, "vibration") > 0.2 && metricOf(reading, "vibration") < 1.5);
          assert.ok(metricOf(reading, "battery") > 30 && metricOf(reading, "battery") <= 100);
        }
        assert.equal(fleet.nextDue(), START + MINUTE + gap + 5 * SECOND);
      });
    }

    it("ends in a gap what would have ended, and breaks what would have broken", () => {
      const fleet = fleetOf({ devices: 2 });
      fleet.tick(START);
      fleet.startFault("R1", "overheating", 60, START);
      fleet.startFault("R2", "bearing-wear", 60, START);
      const readings = fleet.tick(START + HOUR);
      assert.deepEqual(
        readings.map(({ deviceId, truth }) => [deviceId, truth?.fault]),
        [["R1", null]],
      );
      assert.ok(metricOf(readings[0], "temperature") < 75);
      assert.equal(fleet.status(START + HOUR)[1]?.state, "broken");
    });

    it("goes on when the clock is set back", () => {
      const fleet = fleetOf();
      fleet.startFault("R1", "stuck", HOUR / SECOND, START);
      run(fleet, START + MINUTE);
      const [reading] = fleet.tick(START - DAY);
      assert.equal(reading?.timestamp, START - DAY);
      assert.equal(reading?.truth?.fault, "stuck");
      assert.equal(reading?.truth?.remainingSeconds, 3600 - 65);
      assert.equal(fleet.nextDue(), START - DAY + 5 * SECOND);
    });
  });

  describe("restart", () => {
    it("silences a device for ten seconds, or two intervals, and clears its fault", () => {
      for (const [intervalSeconds, silence] of [
        [1, 10],
        [5, 10],
        [30, 60],
      ] as const) {
        const fleet = fleetOf({ devices: 2, intervalSeconds });
        fleet.startFault("R1", "stuck", undefined, START);
        run(fleet, START + 10 * MINUTE);
        fleet.restart("R1", START + 10 * MINUTE);
        assert.equal(fleet.status(START + 10 * MINUTE)[0]?.state, "silent");
        const readings = run(fleet, START + 20 * MINUTE);
        const [back] = readings.filter(({ deviceId }) => deviceId === "R1");
        assert.equal(back?.timestamp, START + 10 * MINUTE + silence * SECOND);
        assert.equal(back?.truth?.fault, null);
        assert.equal(readings[0]?.deviceId, "R2", "the others go on");
        assert.equal(fleet.status(START + 20 * MINUTE)[0]?.state, "running");
      }
    });

    it("brings a broken device back as good as new, and nothing else does", () => {
      const fleet = fleetOf();
      fleet.startFault("R1", "bearing-wear", 300, START);
      const worn = run(fleet, START + 5 * MINUTE);
      assert.ok(metricOf(worn.at(-1), "vibration") > 1.5);
      assert.deepEqual(run(fleet, START + DAY), []);
      const [broken] = fleet.status(START + DAY);
      assert.equal(broken?.state, "broken");
      assert.equal(broken?.fault, "bearing-wear");
      assert.equal(broken?.remainingSeconds, 0);
      assert.throws(() => fleet.startFault("R1", "stuck", 60, START + DAY), /device "R1" is broken: restart it first/);
      fleet.restart("R1", START + DAY);
      const [back] = run(fleet, START + DAY + MINUTE);
      assert.ok(metricOf(back, "vibration") < 1);
      assert.equal(back?.truth?.fault, null);
      assert.ok((fleet.status(START + DAY + MINUTE)[0]?.parameters.wear ?? 1) < 0.001);
    });

    it("restarts all devices when none is named", () => {
      const fleet = fleetOf({ devices: 3 });
      for (const deviceId of ["R1", "R3"]) fleet.startFault(deviceId, "dropout", undefined, START);
      fleet.restart(undefined, START);
      assert.ok(fleet.status(START).every(({ state, fault }) => state === "silent" && fault === null));
      assert.equal(run(fleet, START + 10 * SECOND).length, 3);
    });
  });

  describe("commands", () => {
    it("tells in its status how each device is, as plain JSON", () => {
      const fleet = fleetOf({ devices: 2 });
      fleet.tick(START);
      fleet.startFault("R2", "drift", 60, START);
      fleet.set("R2", "wear", 0.5);
      const status = fleet.status(START + 20 * SECOND);
      assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
      const [healthy, faulty] = status;
      assert.deepEqual(Object.keys(healthy?.parameters ?? {}), ["load", "ambient", "wear", "battery"]);
      assert.deepEqual(
        { ...healthy, parameters: {} },
        {
          deviceId: "R1",
          state: "running",
          fault: null,
          since: null,
          remainingSeconds: null,
          parameters: {},
        },
      );
      assert.equal(faulty?.fault, "drift");
      assert.equal(faulty?.since, START);
      assert.equal(faulty?.remainingSeconds, 40);
      assert.equal(faulty?.parameters.wear, 0.5);
    });

    it("refuses unknown devices, naming those that it has", () => {
      const unknown = /unknown device "X": this fleet has R1 to R12/;
      const fleet = fleetOf({ devices: 12 });
      assert.throws(() => fleet.restart("X", START), unknown);
      assert.throws(() => fleet.set("X", "load", 1), unknown);
      assert.throws(() => fleet.startFault("X", "stuck", 1, START), unknown);
      assert.throws(() => fleetOf().restart("__proto__", START), /this fleet has R1$/);
    });

    it("refuses unknown parameters and values out of range, naming what is allowed", () => {
      const fleet = fleetOf();
      for (const parameter of ["x", "__proto__", "toString"]) {
        assert.throws(
          () => fleet.set("R1", parameter, 1),
          /unknown parameter ".*": known are load, ambient, wear, battery/,
        );
      }
      assert.throws(
        () => fleet.set("R1", "load", 1.1),
        /load must be a number from 0 to 1 or null \(automatic\), not 1.1/,
      );
      assert.throws(() => fleet.set("R1", "load", Number.NaN), /load must be a number/);
      assert.throws(() => fleet.set("R1", "wear", 1), /wear must be a number from 0 to 0.95, not 1/);
      assert.throws(() => fleet.set("R1", "battery", null), /battery must be a number from 0 to 100, not null/);
      assert.throws(() => fleet.set("R1", "ambient", "20" as unknown as number), /ambient must be a number/);
    });

    it("refuses unknown faults and durations that are none, naming what it knows", () => {
      const fleet = fleetOf();
      assert.throws(
        () => fleet.startFault("R1", "rust", 1, START),
        /unknown fault "rust": known are overheating, bearing-wear, battery-drop, stuck, drift, spike, noise, dropout/,
      );
      for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5" as unknown as number]) {
        assert.throws(() => fleet.startFault("R1", "stuck", seconds, START), /seconds must be a positive number/);
      }
      assert.equal(fleet.status(START)[0]?.fault, null);
    });
  });
});
