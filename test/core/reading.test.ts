import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { MAX_METRICS, MAX_NAME_LENGTH } from "../../core/limits.ts";
import { type Format, isReading, type Take, toReadings } from "../../core/reading.ts";
import { payloads } from "../support/payloads.ts";

const NOW = Date.UTC(2024, 1, 29, 12);

interface Refusal {
  reason: string;
  payload: unknown;
  isPartial: boolean;
}

interface Given {
  topic?: unknown;
  format?: Format;
  take?: Take;
}

/** What comes of a payload, and what is refused of it. */
function read(payload: unknown, { topic, format, take }: Given = {}) {
  const refused: Refusal[] = [];
  const refuse = (reason: string, payload: unknown, isPartial: boolean) => refused.push({ reason, payload, isPartial });
  return { result: toReadings(payload, { topic, now: NOW }, refuse, format, take), refused };
}

/** The reading that a payload becomes with nothing refused. */
function whole(payload: unknown, given?: Given) {
  const { result, refused } = read(payload, given);
  assert.deepEqual(refused, []);
  assert.ok(isReading(result), inspect(result));
  return result;
}

/** The reading that a payload becomes when some of its metrics are refused, and the reason. */
function partial(payload: unknown, given?: Given) {
  const { result, refused } = read(payload, given);
  assert.ok(isReading(result), inspect(result));
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.payload, payload);
  assert.equal(refused[0]?.isPartial, true);
  return { reading: result, reason: refused[0]?.reason };
}

/** Why a payload is refused as a whole. */
function refusal(payload: unknown, given?: Given): string {
  const { result, refused } = read(payload, given);
  assert.equal(result, undefined);
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.payload, payload);
  assert.equal(refused[0]?.isPartial, false);
  return refused[0]?.reason ?? "";
}

const full = {
  deviceId: "R1",
  timestamp: NOW - 1000,
  metrics: { temperature: 62.5, vibration: 0.4 },
  units: { temperature: "°C" },
  tags: { location: "hall 3" },
  quality: "good",
  verdicts: { "z-score-anomaly": { isAnomaly: false } },
};

describe("toReadings", () => {
  describe("with a Reading", () => {
    it("gives it back as it is", () => {
      assert.equal(whole(full), full);
      const least = { deviceId: "R1", timestamp: 0, metrics: { x: 0 } };
      assert.equal(whole(least), least);
    });

    it("gives it back as it is within an array", () => {
      const { result } = read([full, full]);
      assert.ok(Array.isArray(result));
      assert.equal(result[0], full);
      assert.equal(result[1], full);
    });

    it("keeps every other property when it has to convert some", () => {
      const given = { ...full, timestamp: "2024-02-29T11:59:59Z", truth: { fault: null } };
      assert.deepEqual(whole(given), { ...given, timestamp: NOW - 1000 });
      assert.equal(given.timestamp, "2024-02-29T11:59:59Z", "what was received stays");
    });

    it("takes its numbers for milliseconds, whatever their size", () => {
      const reading = { deviceId: "R1", timestamp: 1_700_000_000, metrics: { x: 1 } };
      assert.equal(whole(reading).timestamp, 1_700_000_000);
      assert.equal(whole({ ...reading, metrics: { x: true } }).timestamp, 1_700_000_000);
    });

    it("leaves out tags and units that are not texts", () => {
      const { tags, units } = whole({ ...full, tags: { floor: 3, hall: "B", x: {} }, units: { temperature: null } });
      assert.deepEqual(tags, { floor: "3", hall: "B" });
      assert.deepEqual(units, {});
      assert.ok(!("tags" in whole({ ...full, tags: null })));
      assert.equal(refusal({ ...full, units: "°C" }), "units must be an object");
    });
  });

  describe("with a flat object", () => {
    it("takes numbers for metrics, names and places for tags", () => {
      assert.deepEqual(
        whole({ device_id: "R1", timestamp: NOW, temperature: 62.5, vibration: 0.4, location: "hall 3", floor: 2 }),
        {
          deviceId: "R1",
          timestamp: NOW,
          metrics: { temperature: 62.5, vibration: 0.4 },
          tags: { location: "hall 3", floor: "2" },
        },
      );
    });

    it("knows the usual names of a device and of a time", () => {
      for (const name of ["deviceId", "device_id", "deviceID", "sensorId", "sensor_id", "device", "sensor", "id"]) {
        assert.equal(whole({ [name]: "R1", x: 1 }).deviceId, "R1");
      }
      for (const name of ["timestamp", "ts", "time", "datetime", "timeStamp", "date"]) {
        assert.equal(whole({ id: "R1", [name]: NOW - 5, x: 1 }).timestamp, NOW - 5);
      }
    });

    it("takes the first of several names for the device and keeps the others as tags", () => {
      const { deviceId, tags } = whole({ sensor: "S7", device_id: "R1", x: 1 });
      assert.equal(deviceId, "R1");
      assert.deepEqual(tags, { sensor: "S7" });
    });

    it("takes a number for a device's name", () => {
      assert.equal(whole({ id: 17, x: 1 }).deviceId, "17");
    });

    it("takes its units, tags and quality", () => {
      assert.deepEqual(whole({ id: "R1", x: 1, units: { x: "mm" }, tags: { line: "A" }, quality: "Bad" }), {
        deviceId: "R1",
        timestamp: NOW,
        metrics: { x: 1 },
        units: { x: "mm" },
        tags: { line: "A" },
        quality: "bad",
      });
    });
  });

  it("reads the narrow form, one metric a message", () => {
    const given = { sensor_id: "S1", sensor_type: "temperature", value: 21.5, unit: "°C", timestamp: NOW };
    const reading = { deviceId: "S1", timestamp: NOW, metrics: { temperature: 21.5 }, units: { temperature: "°C" } };
    assert.deepEqual(whole(given), reading);
    for (const name of ["sensorType", "metric", "measurement"]) {
      const { sensor_type, ...rest } = given;
      assert.deepEqual(whole({ ...rest, [name]: sensor_type }), reading);
    }
    assert.deepEqual(whole({ id: "S1", value: 21.5, unit: "°C", ts: NOW }), {
      ...reading,
      metrics: { value: 21.5 },
      units: { value: "°C" },
    });
  });

  it("reads a bare number, whose device is the topic and whose time is now", () => {
    const reading = { deviceId: "hall/3", timestamp: NOW, metrics: { value: 21.5 } };
    assert.deepEqual(whole(21.5, { topic: "hall/3" }), reading);
    assert.deepEqual(whole("21.5", { topic: "hall/3" }), reading);
    assert.deepEqual(whole(true, { topic: "hall/3" }).metrics, { value: 1 });
    assert.match(refusal(21.5), /msg\.topic/);
  });

  it("reads JSON, as text and as bytes", () => {
    const json = JSON.stringify(full);
    assert.deepEqual(whole(json), full);
    assert.deepEqual(whole(Buffer.from(json)), full);
    assert.deepEqual(read(JSON.stringify([full, full])).result, [full, full]);
  });

  it("takes the device from the topic and the time from now when the payload names none", () => {
    assert.deepEqual(whole({ temperature: 20 }, { topic: "R1" }), {
      deviceId: "R1",
      timestamp: NOW,
      metrics: { temperature: 20 },
    });
    for (const nothing of [null, "", undefined]) {
      const { deviceId, timestamp } = whole({ deviceId: nothing, timestamp: nothing, x: 1 }, { topic: "R1" });
      assert.deepEqual([deviceId, timestamp], ["R1", NOW]);
    }
  });

  describe("with metrics that are none", () => {
    it("passes over those that are missing", () => {
      const values = { x: 1, gap: null, none: undefined };
      assert.deepEqual(whole({ id: "R1", ...values }).metrics, { x: 1 });
      assert.deepEqual(whole({ deviceId: "R1", timestamp: NOW, metrics: values }).metrics, { x: 1 });
    });

    it("takes booleans for 0 and 1", () => {
      assert.deepEqual(whole({ id: "R1", on: true, off: false }).metrics, { on: 1, off: 0 });
    });

    it("refuses NaN, infinity, text and whatever else, and lets the rest go on", () => {
      const bad = [
        Number.NaN,
        Infinity,
        -Infinity,
        "warm",
        "21.5",
        "",
        {},
        [],
        [1],
        { a: { b: 1 } },
        5n,
        new Date(NOW),
      ];
      for (const value of bad) {
        const flat = partial({ id: "R1", x: 1, temperature: value });
        assert.deepEqual(flat.reading.metrics, { x: 1 });
        assert.match(flat.reason ?? "", /^temperature: .+ is not a finite number$/);
        const nested = partial({ deviceId: "R1", timestamp: NOW, metrics: { x: 1, temperature: value } });
        assert.deepEqual(nested.reading.metrics, { x: 1 });
        assert.match(refusal({ id: "R1", temperature: value }), /not a finite number; it holds no usable metric$/);
      }
    });

    it("says the first reasons of many", () => {
      const bad = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`m${i}`, "x".repeat(1000)]));
      const { reason = "" } = partial({ id: "R1", x: 1, ...bad });
      assert.match(reason, /^m0: "x+… is not a finite number; m1: .*; m2: .*; and 897 more$/);
      assert.ok(reason.length < 400);
    });

    it("refuses a reading without any", () => {
      for (const payload of [{ id: "R1" }, { id: "R1", x: null }, { deviceId: "R1", timestamp: NOW, metrics: {} }]) {
        assert.equal(refusal(payload), "it holds no metric");
      }
    });

    it("refuses 10,000 of them", () => {
      const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`m${i}`, i]));
      const reason = `10000 metrics in one reading, at most ${MAX_METRICS} are taken`;
      assert.equal(refusal({ id: "R1", ...many }), reason);
      assert.equal(refusal({ deviceId: "R1", timestamp: NOW, metrics: many }), reason);
      const enough = Object.fromEntries(Object.entries(many).slice(0, MAX_METRICS));
      assert.equal(Object.keys(whole({ deviceId: "R1", timestamp: NOW, metrics: enough }).metrics).length, MAX_METRICS);
    });

    it("refuses names that are none", () => {
      for (const name of ["", "x".repeat(MAX_NAME_LENGTH + 1), "__proto__"]) {
        const metrics = JSON.parse(`{"x":1,${JSON.stringify(name)}:2}`);
        const flat = partial({ id: "R1", ...metrics });
        assert.deepEqual(flat.reading.metrics, { x: 1 });
        assert.match(flat.reason ?? "", /^a metric cannot be named/);
        assert.deepEqual(partial({ deviceId: "R1", timestamp: NOW, metrics }).reading.metrics, { x: 1 });
        assert.match(
          refusal({ id: "R1", sensor_type: name || " ".repeat(300), value: 1 }),
          /^a metric cannot be named/,
        );
      }
      assert.deepEqual(Object.entries(whole({ id: "R1", constructor: 1, toString: 2 }).metrics), [
        ["constructor", 1],
        ["toString", 2],
      ]);
    });
  });

  describe("with times", () => {
    const timed = (timestamp: unknown, format?: Format) =>
      whole({ id: "R1", timestamp, x: 1 }, { ...(format && { format }) }).timestamp;

    it("reads seconds, milliseconds, ISO text and dates", () => {
      for (const time of [
        NOW / 1000,
        NOW,
        NOW * 1000,
        "2024-02-29T12:00:00Z",
        "2024-02-29T12:00",
        `${NOW}`,
        new Date(NOW),
      ]) {
        assert.equal(timed(time), NOW);
      }
    });

    it("takes them for what the format says", () => {
      assert.equal(timed(5_000_000, { timestampUnit: "ms" }), 5_000_000);
      assert.equal(timed(5_000_000, { timestampUnit: "s" }), 5_000_000_000);
      assert.match(
        refusal({ id: "R1", timestamp: NOW, x: 1 }, { format: { timestampUnit: "iso" } }),
        /not a time in iso/,
      );
    });

    it("tells seconds from milliseconds in a Reading only where devices may send anything", () => {
      const reading = { deviceId: "R1", timestamp: NOW / 1000, metrics: { x: 1 } };
      assert.equal(whole(reading, { format: { timestampUnit: "auto" } }).timestamp, NOW);
      assert.equal(whole(reading, { format: { timestampUnit: "s" } }).timestamp, NOW);
      assert.equal(whole(reading, { format: { timestampUnit: "ms" } }), reading);
      assert.equal(whole(reading), reading);
      const early = { ...reading, timestamp: 5000 };
      assert.equal(whole(early, { format: { timestampUnit: "auto" } }), early);
    });

    it("refuses nonsense", () => {
      for (const time of ["yesterday", -1, Number.NaN, Infinity, {}, [NOW], true, 1e300, new Date(Number.NaN)]) {
        assert.match(refusal({ id: "R1", timestamp: time, x: 1 }), /is not a time$/);
        assert.match(refusal({ deviceId: "R1", timestamp: time, metrics: { x: 1 } }), /is not a time$/);
      }
    });

    it("takes the year 3000, unless the format says how far ahead a time may be", () => {
      const year3000 = Date.UTC(3000, 0);
      const payloads = [
        { id: "R1", timestamp: "3000-01-01", x: 1 },
        { deviceId: "R1", timestamp: year3000, metrics: { x: 1 } },
      ];
      for (const payload of payloads) {
        assert.equal(whole(payload).timestamp, year3000);
        const reason = refusal(payload, { format: { maxFutureSeconds: 60 } });
        assert.equal(reason, `its time is ${(year3000 - NOW) / 1000} s ahead, at most 60 s are taken`);
      }
      assert.equal(timed(NOW + 60_000, { maxFutureSeconds: 60 }), NOW + 60_000);
      assert.match(refusal({ id: "R1", ts: NOW + 60_001, x: 1 }, { format: { maxFutureSeconds: 60 } }), /60 s ahead/);
    });
  });

  describe("with qualities", () => {
    it("understands good, stale, bad and OPC's uncertain", () => {
      const quality = (quality: unknown) =>
        whole({ deviceId: "R1", timestamp: NOW, metrics: { x: 1 }, quality }).quality;
      assert.equal(quality("good"), "good");
      assert.equal(quality("STALE"), "stale");
      assert.equal(quality("Uncertain"), "stale");
      assert.equal(quality("bad"), "bad");
      assert.equal(quality(null), undefined);
    });

    it("refuses a reading of a quality that it does not know, for it may be bad", () => {
      for (const quality of ["so-so", "", "constructor", 192, {}]) {
        assert.match(
          refusal({ deviceId: "R1", timestamp: NOW, metrics: { x: 1 }, quality }),
          /must be good, stale or bad/,
        );
      }
      assert.match(refusal({ id: "R1", x: 1, quality: "so-so" }), /^quality is "so-so"/);
    });
  });

  describe("with devices", () => {
    it("takes any name, however odd", () => {
      for (const name of ["__proto__", "constructor", "a/b+c#", " ", "\u0000", "泵 7", "\ud83d"]) {
        assert.equal(whole({ id: name, x: 1 }).deviceId, name);
        assert.equal(whole({ deviceId: name, timestamp: NOW, metrics: { x: 1 } }).deviceId, name);
        assert.equal(whole(JSON.parse(`{"deviceId":${JSON.stringify(name)},"x":1}`)).deviceId, name);
      }
    });

    it("refuses what names none", () => {
      assert.equal(refusal({ x: 1 }), 'no device: there is neither a property "deviceId" nor a msg.topic');
      for (const name of ["x".repeat(MAX_NAME_LENGTH + 1), {}, ["R1"], true, Number.NaN]) {
        assert.match(refusal({ deviceId: name, x: 1 }), /^the device .+ is not a name/);
        assert.match(refusal({ deviceId: name, timestamp: NOW, metrics: { x: 1 } }), /^the device .+ is not a name/);
      }
      assert.equal(whole({ x: 1 }, { topic: "x".repeat(MAX_NAME_LENGTH) }).deviceId.length, MAX_NAME_LENGTH);
      assert.match(refusal({ x: 1 }, { topic: "x".repeat(MAX_NAME_LENGTH + 1) }), /^no device/);
    });
  });

  describe("with a format", () => {
    it("finds device and time where it says, dots reaching into objects", () => {
      const payload = { meta: { name: "R1", at: { s: NOW / 1000 } }, id: "other", temperature: 20 };
      const format = { deviceProperty: "meta.name", timestampProperty: "meta.at.s" };
      assert.deepEqual(whole(payload, { format }), {
        deviceId: "R1",
        timestamp: NOW,
        metrics: { temperature: 20 },
        tags: { id: "other" },
      });
    });

    it("prefers a property that has dots in its name", () => {
      const payload = { "meta.name": "R1", meta: { name: "R2" }, x: 1 };
      const { reading } = partial(payload, { format: { deviceProperty: "meta.name" } });
      assert.equal(reading.deviceId, "R1");
    });

    it("goes by it in a Reading too", () => {
      const reading = { deviceId: "R1", asset: "A7", timestamp: NOW, at: NOW - 5, metrics: { x: 1 } };
      const { deviceId, timestamp } = whole(reading, { format: { deviceProperty: "asset", timestampProperty: "at" } });
      assert.deepEqual([deviceId, timestamp], ["A7", NOW - 5]);
      assert.equal(whole(reading, { format: { deviceId: "B8" } }).deviceId, "B8");
      assert.equal(whole(reading, { format: { deviceId: "R1" } }), reading);
    });

    it("refuses a payload without the property, unless the topic names the device", () => {
      const format = { deviceProperty: "meta.name" };
      assert.match(refusal({ id: "R1", x: 1 }, { format }), /neither a property "meta.name" nor a msg.topic/);
      assert.equal(whole({ x: 1 }, { topic: "R1", format }).deviceId, "R1");
      assert.match(refusal({ x: 1, constructor: 1 }, { format: { deviceProperty: "toString.name" } }), /^no device/);
    });

    it("takes further properties for tags", () => {
      const { metrics, tags } = whole(
        { id: "R1", x: 1, firmware: "1.2", slot: 4 },
        { format: { tagProperties: ["firmware", "slot"] } },
      );
      assert.deepEqual(metrics, { x: 1 });
      assert.deepEqual(tags, { firmware: "1.2", slot: "4" });
    });
  });

  it("refuses what is no reading at all", () => {
    assert.equal(refusal(null), "null is not a reading");
    assert.equal(refusal(undefined), "undefined is not a reading");
    assert.equal(refusal("hello"), '"hello" is text that is not JSON');
    assert.equal(refusal(""), '"" is text that is not JSON');
    assert.equal(refusal("NaN"), '"NaN" is text that is not JSON');
    assert.equal(refusal("null"), "null is not a reading");
    assert.equal(refusal('"text"'), "string is not a reading");
    assert.equal(refusal(Buffer.from([0xff, 0xfe])), '"\ufffd\ufffd" is text that is not JSON');
    assert.equal(refusal([]), "an empty array holds no reading");
    assert.equal(refusal("[]"), "an empty array holds no reading");
    assert.equal(
      refusal(() => 5),
      "function is not a reading",
    );
    assert.match(refusal(Number.NaN, { topic: "R1" }), /^value: NaN is not a finite number/);
    assert.match(refusal(new Map([["x", 1]]), { topic: "R1" }), /holds no metric/);
  });

  it("lets the good ones of a mixed array go on, and refuses each bad one on its own", () => {
    const bad = [null, "hello", { x: 1 }, [full], { ...full, timestamp: "nonsense" }];
    const halfBad = { id: "R2", x: 1, y: "warm" };
    const { result, refused } = read([full, ...bad, halfBad]);
    assert.deepEqual(result, [full, { deviceId: "R2", timestamp: NOW, metrics: { x: 1 } }]);
    assert.deepEqual(
      refused.map(({ payload }) => payload),
      [...bad, halfBad],
    );
    assert.deepEqual(
      refused.map(({ isPartial }) => isPartial),
      [false, false, false, false, false, true],
    );
    assert.equal(read(bad).result, undefined);
  });

  it("goes through objects that are nested however deep", () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = { deep };
    assert.deepEqual(partial({ id: "R1", x: 1, deep }).reading.metrics, { x: 1 });
    assert.match(refusal("[".repeat(100_000)), /not JSON/);
    assert.equal(read("[".repeat(100_000) + "]".repeat(100_000)).refused.length, 1);
  });

  describe("with a taker", () => {
    it("refuses what it refuses, as it arrived and with all reasons", () => {
      const bad = { id: "R2", x: 1, y: "warm" };
      const taken: string[] = [];
      const { result, refused } = read([full, bad], {
        take({ deviceId }) {
          taken.push(deviceId);
          if (deviceId === "R2") throw new Error("no room");
        },
      });
      assert.deepEqual(taken, ["R1", "R2"]);
      assert.deepEqual(result, [full]);
      assert.deepEqual(refused, [
        { reason: 'y: "warm" is not a finite number; no room', payload: bad, isPartial: false },
      ]);
    });
  });

  it("lets through what refuse throws", () => {
    const refuse = () => {
      throw new Error("stop");
    };
    assert.throws(() => toReadings({ id: "R1", x: 1, y: "warm" }, { now: NOW }, refuse), { message: "stop" });
    assert.throws(() => toReadings(null, { now: NOW }, refuse), { message: "stop" });
  });

  it("gives readings or reasons for anything, and gives back what it has given", () => {
    fc.assert(
      fc.property(payloads, fc.constantFrom(undefined, "R1", "", 7), (payload, topic) => {
        const { result, refused } = read(payload, { topic });
        const readings = Array.isArray(result) ? result : result ? [result] : [];
        const whole = refused.filter(({ isPartial }) => !isPartial).length;
        assert.ok(readings.every(isReading));
        assert.ok(refused.every(({ reason }) => reason !== "" && reason.length < 2000));
        if (Array.isArray(payload) && payload.length > 0) assert.equal(readings.length + whole, payload.length);
        else assert.ok(readings.length + whole > 0);
        for (const reading of readings) assert.equal(read(reading, { topic }).result, reading);
      }),
      { numRuns: 5000, seed: 1 },
    );
  });
});
