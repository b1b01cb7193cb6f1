import assert from "node:assert/strict";
import fc from "fast-check";
import { toReadings } from "../../../core/reading.ts";
import { type Sent, Transport } from "../../../core/simulator/transport.ts";
import type { Reading } from "../../../core/types.ts";
import { fleetOf, MINUTE, SECOND, START } from "./helpers.ts";

interface Arrival extends Sent {
  time: number;
}

/** What arrives of a fleet up to `until`, each when it is due, and the readings that were given. */
function arrivals(fleet: ReturnType<typeof fleetOf>, transport: Transport, until: number) {
  const given: Reading[] = [];
  const sent: Arrival[] = [];
  for (let time = 0; ; ) {
    time = Math.min(fleet.nextDue(), transport.nextDue());
    if (time > until) return { given, sent };
    const readings = fleet.tick(time);
    given.push(...structuredClone(readings));
    for (const each of transport.send(readings, time)) sent.push({ ...each, time });
  }
}

/** A fault of R1 from START on, for so many seconds, and a minute after it. R2 is well. */
function courseOf(fault: string, seconds: number, { intervalSeconds = 5, seed = 1 } = {}) {
  const fleet = fleetOf({ devices: 2, intervalSeconds, seed });
  fleet.startFault("R1", fault, seconds, START);
  const { given, sent } = arrivals(fleet, new Transport(seed, intervalSeconds), START + (seconds + 60) * SECOND);
  const own = <T extends { deviceId: string }>(items: T[]) => items.filter(({ deviceId }) => deviceId === "R1");
  assert.deepEqual(
    sent.filter(({ deviceId }) => deviceId === "R2").map(({ payload }) => payload),
    given.filter(({ deviceId }) => deviceId === "R2"),
  );
  return { given: own(given), sent: own(sent) };
}

const timestampOf = ({ payload }: Sent) => (payload as Reading).timestamp;
const isIncreasing = (values: number[]) => values.every((value, i) => i === 0 || value > (values[i - 1] ?? value));

/** What `core/reading.ts` makes of a payload, and whether it refused any of it. */
function take(payload: unknown) {
  const refused: string[] = [];
  const readings = toReadings(payload, { topic: "R1", now: START }, (reason) => refused.push(reason));
  return { readings, refused };
}

describe("Transport", () => {
  it("sends what is well as it is, at once, and also faults that are none of the transport's", () => {
    const fleet = fleetOf({ devices: 4 });
    fleet.startFault("R2", "noise", undefined, START);
    fleet.startFault("R3", "stuck", undefined, START);
    const transport = new Transport(1, 5);
    for (let time = START; time < START + 5 * MINUTE; time += 5 * SECOND) {
      const readings = fleet.tick(time);
      const sent = transport.send(readings, time);
      assert.equal(sent.length, 4);
      for (const [i, { deviceId, payload }] of sent.entries()) {
        assert.equal(payload, readings[i]);
        assert.equal(deviceId, readings[i]?.deviceId);
      }
      assert.equal(transport.nextDue(), Number.POSITIVE_INFINITY);
    }
  });

  it("sends readings without truth, such as recorded ones, as they are", () => {
    const reading: Reading = { deviceId: "R1", timestamp: START, metrics: { a: 1 } };
    assert.deepEqual(new Transport(1, 5).send([reading], START), [{ deviceId: "R1", payload: reading }]);
  });

  describe("late", () => {
    const { given, sent } = courseOf("late", 300);

    it("holds readings back for 20 to 60 s and sends them in order, with their own time and truth", () => {
      assert.deepEqual(
        sent.map(({ payload }) => payload),
        given,
      );
      const late = sent.filter(({ payload }) => (payload as Reading).truth?.fault === "late");
      assert.equal(late.length, 60);
      const delays = late.map((each) => each.time - timestampOf(each));
      const [delay = NaN] = delays;
      assert.ok(delay >= 20 * SECOND && delay <= 60 * SECOND);
      const held = delay / (5 * SECOND);
      assert.ok(delays.slice(0, 60 - Math.ceil(held)).every((each) => each === delay));
      assert.ok(delays.every((each) => each <= delay));
    });

    it("sends the rest when the fault ends, before the first reading after it", () => {
      const first = sent.findIndex(({ payload }) => (payload as Reading).truth?.fault === null);
      const rest = sent.filter(({ time }) => time === sent[first]?.time);
      assert.equal(sent[first]?.time, START + 300 * SECOND);
      assert.ok(rest.length >= 4 && rest.at(-1) === sent[first]);
    });

    it("has another delay the next time and on another device", () => {
      const fleet = fleetOf({ devices: 3 });
      const transport = new Transport(1, 5);
      const delays = new Set<number>();
      for (let round = 0; round < 3; round++) {
        const start = START + round * 10 * MINUTE;
        for (const deviceId of ["R1", "R2", "R3"]) fleet.startFault(deviceId, "late", 120, start);
        const { sent } = arrivals(fleet, transport, start + 9 * MINUTE);
        for (const deviceId of ["R1", "R2", "R3"]) {
          const [first] = sent.filter((each) => each.deviceId === deviceId && timestampOf(each) >= start);
          delays.add((first?.time ?? 0) - start);
        }
      }
      assert.equal(delays.size, 9);
    });

    it("holds back 1000 readings of a device at most, and sends the oldest early", () => {
      const { given, sent } = courseOf("late", 60, { intervalSeconds: 0.01 });
      assert.deepEqual(
        sent.map(({ payload }) => payload),
        given,
      );
      const delays = sent.slice(0, 5000).map((each) => each.time - timestampOf(each));
      assert.equal(Math.max(...delays), 10 * SECOND);
    });
  });

  describe("out-of-order", () => {
    for (const intervalSeconds of [1, 5, 3600]) {
      it(`sends groups of four with none in its place, every ${intervalSeconds} s`, () => {
        const { given, sent } = courseOf("out-of-order", 40 * intervalSeconds, { intervalSeconds });
        const times = sent.filter(({ payload }) => (payload as Reading).truth?.fault !== null).map(timestampOf);
        assert.equal(times.length, 40);
        for (let group = 0; group < 40; group += 4) {
          const own = times.slice(group, group + 4);
          const inOrder = given.slice(group, group + 4).map(({ timestamp }) => timestamp);
          assert.deepEqual([...own].sort(), inOrder);
          for (const [i, time] of own.entries()) assert.notEqual(time, inOrder[i]);
        }
        assert.ok(isIncreasing(sent.slice(40).map(timestampOf)));
      });
    }

    it("shuffles in many ways", () => {
      const { given, sent } = courseOf("out-of-order", 2000);
      const orders = new Set<string>();
      for (let group = 0; group < 400; group += 4) {
        const start = given[group]?.timestamp ?? NaN;
        orders.add(`${sent.slice(group, group + 4).map((each) => timestampOf(each) - start)}`);
      }
      assert.equal(orders.size, 6, "all cycles of four");
    });

    it("sends what is left of a group when the fault ends", () => {
      const { given, sent } = courseOf("out-of-order", 30);
      assert.equal(given.length, 19);
      assert.deepEqual(
        sent.map(timestampOf).sort(),
        given.map(({ timestamp }) => timestamp),
      );
      const [fifth, sixth] = sent.slice(4, 6);
      assert.ok(fifth && sixth && timestampOf(fifth) > timestampOf(sixth));
      assert.equal(sixth.time, START + 30 * SECOND);
    });
  });

  describe("duplicate", () => {
    it("sends every reading twice, the second one a copy of its own", () => {
      const { given, sent } = courseOf("duplicate", 60);
      assert.equal(sent.length, given.length + 12);
      for (const [i, reading] of given.slice(0, 12).entries()) {
        const [first, second] = sent.slice(2 * i, 2 * i + 2).map(({ payload }) => payload as Reading);
        assert.deepEqual(first, reading);
        assert.deepEqual(second, reading);
        assert.notEqual(second, first);
        assert.notEqual(second?.metrics, first?.metrics);
      }
      assert.deepEqual(
        sent.slice(24).map(({ payload }) => payload),
        given.slice(12),
      );
    });
  });

  describe("malformed", () => {
    const { given, sent } = courseOf("malformed", 3000);
    const broken = sent.slice(0, 600).map(({ payload }) => payload);

    it("breaks every reading so that nothing of it can be taken, and sends it at once", () => {
      assert.equal(sent.length, given.length);
      for (const [i, { time, payload }] of sent.slice(0, 600).entries()) {
        assert.equal(time, given[i]?.timestamp);
        const { readings, refused } = take(payload);
        assert.equal(readings, undefined);
        assert.equal(refused.length, 1, JSON.stringify(payload));
        // Whatever carries it: MQTT makes text of objects.
        if (typeof payload !== "string") assert.equal(take(JSON.stringify(payload)).readings, undefined);
      }
      assert.deepEqual(
        sent.slice(600).map(({ payload }) => payload),
        given.slice(600),
      );
    });

    it("does so in six ways, about as often each", () => {
      const kinds = {
        cut: (payload: unknown) => typeof payload === "string" && !payload.includes("NaN"),
        notANumber: (payload: unknown) => typeof payload === "string" && payload.includes('"temperature":NaN'),
        text: ({ metrics }: Reading) => /^\d+(\.\d+)? °C$/.test(`${metrics?.temperature}`),
        noDevice: ({ deviceId }: Reading) => typeof deviceId === "object",
        list: ({ metrics }: Reading) => Array.isArray(metrics),
        time: ({ timestamp }: Reading) => /^\w{3}, \d\d Jan 2026 \d\d:\d\d:\d\d GMT$/.test(`${timestamp}`),
      };
      let all = 0;
      for (const [kind, matches] of Object.entries(kinds)) {
        const count = broken.filter((payload) => matches(payload as Reading & string)).length;
        assert.ok(count > 60 && count < 140, `${kind}: ${count}`);
        all += count;
      }
      assert.equal(all, 600);
    });

    it("keeps the truth in what is still an object", () => {
      const objects = broken.filter((payload) => typeof payload === "object") as Reading[];
      assert.ok(objects.length > 300);
      for (const { truth } of objects) assert.equal(truth?.fault, "malformed");
    });

    it("leaves the readings themselves untouched", () => {
      const fleet = fleetOf();
      fleet.startFault("R1", "malformed", undefined, START);
      const transport = new Transport(1, 5);
      for (let time = START; time < START + 10 * MINUTE; time += 5 * SECOND) {
        const readings = fleet.tick(time);
        const before = structuredClone(readings);
        transport.send(readings, time);
        assert.deepEqual(readings, before);
      }
    });
  });

  it("loses nothing of a device that falls silent, is restarted or breaks", () => {
    for (const fault of ["late", "out-of-order"]) {
      for (const silence of ["dropout", "bearing-wear", "restart"]) {
        const fleet = fleetOf();
        const transport = new Transport(1, 5);
        fleet.startFault("R1", fault, undefined, START);
        const first = arrivals(fleet, transport, START + 9 * SECOND);
        assert.deepEqual([first.given.length, first.sent.length], [2, 0]);
        if (silence === "restart") fleet.restart("R1", START + 9 * SECOND);
        else fleet.startFault("R1", silence, silence === "dropout" ? undefined : 0.1, START + 9 * SECOND);
        const rest = arrivals(fleet, transport, START + 70 * SECOND);
        const times = [...first.given, ...rest.given].map(({ timestamp }) => timestamp);
        assert.deepEqual(rest.sent.map(timestampOf).sort(), times);
        assert.equal(transport.nextDue(), Number.POSITIVE_INFINITY);
      }
    }
  });

  it("holds nothing back for longer when the clock is set back", () => {
    const fleet = fleetOf();
    const transport = new Transport(1, 5);
    fleet.startFault("R1", "late", undefined, START);
    for (const time of [START, START + 5 * SECOND]) assert.deepEqual(transport.send(fleet.tick(time), time), []);
    assert.equal(transport.send([], START - MINUTE).length, 2);
  });

  it("sends in the same way for the same seed, whatever else the fleet does, and in another for another", () => {
    const faults = ["late", "out-of-order", "duplicate", "malformed"];
    const course = (seed: number, devices: number) => {
      const fleet = fleetOf({ devices, seed: 1 });
      const transport = new Transport(seed, 5);
      const sent: Arrival[] = [];
      for (const [round, fault] of faults.entries()) {
        for (const { deviceId } of fleet.status(START)) {
          fleet.startFault(deviceId, deviceId === "R1" ? fault : "late", 200, START + round * 5 * MINUTE);
        }
        sent.push(...arrivals(fleet, transport, START + (round + 1) * 5 * MINUTE - 1).sent);
      }
      return sent.filter(({ deviceId }) => deviceId === "R1");
    };
    assert.deepEqual(course(1, 1), course(1, 1));
    assert.deepEqual(course(1, 5), course(1, 1));
    assert.notDeepEqual(course(2, 1), course(1, 1));
  });

  it("sends every reading exactly once, but for duplicates and broken ones, whatever happens", () => {
    const fault = fc.record({
      device: fc.integer({ min: 1, max: 3 }),
      name: fc.constantFrom("late", "out-of-order", "duplicate", "malformed", "stuck", "dropout", "restart"),
      seconds: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
      pause: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(fault, { maxLength: 12 }), fc.integer({ min: 0, max: 99 }), (faults, seed) => {
        const fleet = fleetOf({ devices: 3, jitterPercent: 30, seed });
        const transport = new Transport(seed, 5);
        const given: Reading[] = [];
        const sent: Arrival[] = [];
        let time = START;
        const goOn = (until: number) => {
          const course = arrivals(fleet, transport, until);
          given.push(...course.given);
          sent.push(...course.sent);
          time = until;
        };
        for (const { device, name, seconds, pause } of faults) {
          goOn(time + pause * SECOND);
          if (name === "restart") fleet.restart(`R${device}`, time);
          else fleet.startFault(`R${device}`, name, seconds, time);
        }
        fleet.restart(undefined, time);
        goOn(time + 2 * MINUTE);
        assert.equal(transport.nextDue(), Number.POSITIVE_INFINITY);

        const keyOf = ({ deviceId, timestamp }: Reading) => `${deviceId} ${timestamp}`;
        const expected = new Map(given.map((reading) => [keyOf(reading), reading]));
        const copies = new Map<string, number>();
        let broken = 0;
        for (const { payload, time, deviceId } of sent) {
          const { readings, refused } = take(payload);
          if (refused.length > 0) {
            broken++;
            continue;
          }
          const reading = readings as Reading;
          assert.deepEqual(reading, expected.get(keyOf(reading)));
          assert.equal(deviceId, reading.deviceId);
          assert.ok(time >= reading.timestamp - 1 && time <= reading.timestamp + 60 * SECOND + 1);
          copies.set(keyOf(reading), (copies.get(keyOf(reading)) ?? 0) + 1);
        }
        for (const reading of given) {
          const told = reading.truth?.fault;
          const count = told === "malformed" ? 0 : told === "duplicate" ? 2 : 1;
          assert.equal(copies.get(keyOf(reading)) ?? 0, count, `${told}`);
        }
        assert.equal(broken, given.filter(({ truth }) => truth?.fault === "malformed").length);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("meets faults that start by themselves", () => {
    const fleet = fleetOf({ devices: 20, faultsPerDeviceDay: 200 });
    const { given, sent } = arrivals(fleet, new Transport(1, 5), START + 120 * MINUTE);
    const met = new Set(given.map(({ truth }) => truth?.fault));
    for (const fault of ["late", "out-of-order", "duplicate", "malformed"]) assert.ok(met.has(fault), fault);
    assert.ok(sent.length > given.length, "with the duplicates");
  });
});
