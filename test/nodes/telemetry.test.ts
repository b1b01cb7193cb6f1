import assert from "node:assert/strict";
import fc from "fast-check";
import { isReading } from "../../core/reading.ts";
import telemetry from "../../nodes/telemetry/telemetry.ts";
import { oddInputs } from "../support/bad-input.ts";
import { payloads } from "../support/payloads.ts";
import { readingsOf, startNode, type TestNode } from "../support/test-flow.ts";

const TIME = Date.UTC(2024, 1, 29, 12);

describe("telemetry", () => {
  let node: TestNode | undefined;
  afterEach(async () => {
    await node?.stop();
    node = undefined;
  });

  async function start(settings: object = {}, outputs = 2): Promise<TestNode> {
    node = await startNode(telemetry, { type: "telemetry", ...settings }, { outputs });
    return node;
  }

  /** The Reading that a payload becomes. */
  async function reading(settings: object, payload: unknown, topic?: unknown) {
    const { send, output } = await start(settings);
    send({ payload, topic });
    assert.deepEqual(output(2), []);
    return output(1)[0]?.payload;
  }

  /** Why a payload is refused. */
  async function refusal(settings: object, payload: unknown, topic?: unknown): Promise<string> {
    const { send, output } = await start(settings);
    send({ payload, topic });
    assert.deepEqual(output(1), []);
    const letter = output(2)[0]?.payload as { reason: string; payload: unknown };
    assert.deepEqual(letter.payload, payload);
    return letter.reason;
  }

  it("keeps what another telemetry node says of maintenance, and nothing else of that name", async () => {
    const { send, output } = await start();
    const maintenance = { since: TIME, until: TIME + 1000, by: "Ada" };
    for (const [given, kept] of [
      [maintenance, maintenance],
      [true, undefined],
      [null, undefined],
      [{ since: "now", until: "later" }, undefined],
    ]) {
      send({ payload: { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 }, maintenance: given } });
      assert.deepEqual(readingsOf(output(1).at(-1))[0]?.maintenance, kept);
    }
  });

  it("makes Readings of whatever devices send", async () => {
    const { send, output, completed } = await start();
    const expected = { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 } };
    const flat = { device_id: "R1", timestamp: TIME / 1000, temperature: 62.5 };
    const narrow = { sensor_id: "R1", sensor_type: "temperature", value: 62.5, timestamp: "2024-02-29T12:00:00Z" };
    for (const payload of [expected, flat, narrow, JSON.stringify(flat), Buffer.from(JSON.stringify(narrow))]) {
      send({ payload });
      assert.deepEqual(output(1).at(-1)?.payload, expected);
    }
    send({ payload: [flat, narrow] });
    assert.deepEqual(output(1).at(-1)?.payload, [expected, expected]);
    assert.equal(completed().length, 6);
  });

  it("passes a Reading through as it is, and its message too", async () => {
    const { send, output } = await start({}, 1);
    const payload = { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 }, truth: { fault: null } };
    const message = { topic: "t", payload, qos: 1 };
    send(message);
    assert.equal(output(1)[0], message);
    assert.equal(output(1)[0]?.payload, payload);
  });

  it("takes now for the time of what has none", async () => {
    const before = Date.now();
    const { timestamp } = (await reading({}, { id: "R1", x: 1 })) as { timestamp: number };
    assert.ok(timestamp >= before && timestamp <= Date.now());
  });

  describe("deviceFromTopic", () => {
    it("takes the device from the topic, decoded, whatever the payload says", async () => {
      const payload = { deviceId: "other", timestamp: TIME, metrics: { x: 1 } };
      const result = await reading({ deviceFromTopic: "plant/+/telemetry" }, payload, "plant/a%2Fb%2Bc%23/telemetry");
      assert.deepEqual(result, { ...payload, deviceId: "a/b+c#" });
    });

    it("makes readings of bare numbers", async () => {
      const { metrics, deviceId } = (await reading(
        { deviceFromTopic: "+/temperature" },
        21.5,
        "R1/temperature",
      )) as never;
      assert.deepEqual([deviceId, metrics], ["R1", { value: 21.5 }]);
    });

    for (const topic of ["plant/R1/status", "plant//telemetry", "", undefined, 7]) {
      it(`refuses a message whose topic is ${JSON.stringify(topic)}`, async () => {
        const payload = { deviceId: "R1", timestamp: TIME, metrics: { x: 1 } };
        const reason = await refusal({ deviceFromTopic: "plant/+/telemetry" }, payload, topic);
        assert.equal(reason, `msg.topic does not fit plant/+/telemetry: ${topic}`);
      });
    }

    it("must say where the device stands", async () => {
      const { statuses } = await start({ deviceFromTopic: "plant/telemetry" });
      assert.deepEqual(statuses(), [
        { fill: "red", shape: "ring", text: 'deviceFromTopic: must hold a level "+", which is the device' },
      ]);
    });
  });

  it("finds device and time where deviceProperty and timestampProperty say", async () => {
    const payload = { meta: { asset: "R1" }, header: { at: TIME }, temperature: 20 };
    const settings = { deviceProperty: "meta.asset", timestampProperty: "header.at" };
    assert.deepEqual(await reading(settings, payload), {
      deviceId: "R1",
      timestamp: TIME,
      metrics: { temperature: 20 },
    });
  });

  it("refuses a payload without the deviceProperty", async () => {
    assert.match(await refusal({ deviceProperty: "asset" }, { id: "R1", x: 1 }), /neither a property "asset"/);
  });

  describe("timestampUnit", () => {
    const units: [string, unknown, number | undefined][] = [
      ["auto", TIME, TIME],
      ["auto", TIME / 1000, TIME],
      ["auto", "2024-02-29T12:00:00Z", TIME],
      ["s", TIME / 1000, TIME],
      ["s", "2024-02-29T12:00:00Z", undefined],
      ["ms", TIME, TIME],
      ["ms", 5_000_000, 5_000_000],
      ["iso", "2024-02-29T12:00:00Z", TIME],
      ["iso", TIME, undefined],
    ];
    for (const [timestampUnit, timestamp, expected] of units) {
      it(`${timestampUnit} takes ${JSON.stringify(timestamp)} for ${expected ?? "no time"}`, async () => {
        const payload = { id: "R1", timestamp, x: 1 };
        if (expected === undefined) assert.match(await refusal({ timestampUnit }, payload), /is not a time in/);
        else
          assert.deepEqual(((await reading({ timestampUnit }, payload)) as { timestamp: number }).timestamp, expected);
      });
    }
  });

  it("keeps tagProperties as tags", async () => {
    const payload = { id: "R1", timestamp: TIME, x: 1, firmware: "1.2", slot: 4, location: "hall 3" };
    const { tags, metrics } = (await reading({ tagProperties: "firmware, slot" }, payload)) as never;
    assert.deepEqual(tags, { firmware: "1.2", slot: "4", location: "hall 3" });
    assert.deepEqual(metrics, { x: 1 });
  });

  describe("maxFutureSeconds", () => {
    it("refuses a time that is a minute ahead, and the year 3000", async () => {
      for (const timestamp of [Date.now() + 90_000, Date.UTC(3000, 0), "3000-01-01"]) {
        assert.match(
          await refusal({}, { id: "R1", timestamp, x: 1 }),
          /^its time is \d+ s ahead, at most 60 s are taken$/,
        );
        await node?.stop();
        assert.match(await refusal({}, { deviceId: "R1", timestamp, metrics: { x: 1 } }), /s ahead/);
        await node?.stop();
      }
    });

    it("takes a clock that is a little fast", async () => {
      const timestamp = Date.now() + 30_000;
      assert.deepEqual(await reading({}, { id: "R1", timestamp, x: 1 }), {
        deviceId: "R1",
        timestamp,
        metrics: { x: 1 },
      });
    });

    it("may be raised", async () => {
      const timestamp = Date.now() + 3_000_000;
      assert.ok(await reading({ maxFutureSeconds: "3600" }, { id: "R1", timestamp, x: 1 }));
    });
  });

  describe("conversions", () => {
    const conversions = [{ property: "t", metric: "temperature", factor: "0.1", offset: -40, unit: "°C" }];

    it("renames, scales and shifts metrics and says their unit", async () => {
      const payload = { id: "R1", timestamp: TIME, t: 625, vibration: 0.4 };
      assert.deepEqual(await reading({ conversions }, payload), {
        deviceId: "R1",
        timestamp: TIME,
        metrics: { temperature: 22.5, vibration: 0.4 },
        units: { temperature: "°C" },
      });
    });

    it("refuse a reading that they cannot convert, untouched, and let the others go on", async () => {
      const { send, output } = await start({ conversions: [{ property: "t", factor: 1e300 }] });
      const bad = { id: "R1", timestamp: TIME, t: 1e300 };
      send({ payload: [bad, { id: "R2", timestamp: TIME, t: 2 }] });
      assert.deepEqual(output(1)[0]?.payload, [{ deviceId: "R2", timestamp: TIME, metrics: { t: 2e300 } }]);
      assert.deepEqual(output(2)[0]?.payload, { reason: "t: 1e+300 × 1e+300 + 0 is not finite", payload: bad });
    });
  });

  describe("given", () => {
    for (const { what, topic, payload, passed, refused, reason } of oddInputs()) {
      it(`${what}, ${passed.length > 0 ? "lets the good go on" : "refuses it"}`, async () => {
        const { send, output, caught, completed } = await start();
        send({ topic, payload });
        const readings = output(1).flatMap(readingsOf);
        assert.ok(readings.every(isReading));
        assert.deepEqual(
          readings.map(({ deviceId }) => deviceId),
          passed,
        );
        const letters = output(2).map((message) => message.payload as { reason: string; payload: unknown });
        assert.deepEqual(
          letters.map((letter) => letter.payload),
          refused,
        );
        if (reason) assert.match(letters[0]?.reason ?? "", reason);
        assert.deepEqual(caught(), []);
        assert.equal(completed().length, 1);
      });
    }
  });

  it("passes on or refuses each of 10,000 arbitrary payloads, and works on", async () => {
    const { send, output, caught, completed } = await start({ deviceFromTopic: "", maxFutureSeconds: 1e15 });
    const counts = () => [output(1).length, output(2).length, caught().length, completed().length] as const;
    fc.assert(
      fc.property(payloads, fc.constantFrom(undefined, "R1"), (payload, topic) => {
        const [passed, letters, , ended] = counts();
        send({ topic, payload });
        const readings = output(1).slice(passed).flatMap(readingsOf);
        assert.ok(readings.every(isReading));
        const accounted = readings.length + output(2).length - letters;
        assert.ok(accounted >= (Array.isArray(payload) ? Math.max(1, payload.length) : 1));
        assert.equal(completed().length, ended + 1);
      }),
      { numRuns: 10_000, seed: 1 },
    );
    assert.deepEqual(caught(), []);
    const good = { deviceId: "R1", timestamp: TIME, metrics: { temperature: 62.5 } };
    send({ payload: { ...good } });
    assert.deepEqual(output(1).at(-1)?.payload, good);
  });
});
