import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Reading } from "../../core/types.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { connectClient, type Received, type TestClient } from "../support/mqtt.ts";

/** What comes on the flows' topics: readings, and what came of commands. */
type Payload = Reading & { ok?: boolean; error?: string; command?: string; commandId?: string; by?: string };

/** A recording of devices P0, P1 and P2 in turn, a record a second, numbered. */
function recording(count: number): string {
  const path = join(newFolder(), "recording.csv");
  const rows = Array.from({ length: count }, (_, n) => `${1_700_000_000 + n},P${n % 3},${n}`);
  writeFileSync(path, `timestamp,device,n\n${rows.join("\n")}\n`);
  return path;
}

describe("the running flows", function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let client: TestClient<Payload>;

  before(async () => {
    broker = await startMosquitto();
    client = await connectClient(broker.url);
    await client.subscribe("plant/#");
  });

  beforeEach(() => {
    client.received = [];
  });

  after(async () => {
    await client[Symbol.asyncDispose]();
    await broker.stop();
  });

  const under = (start: string) => client.received.filter(({ topic }) => topic.startsWith(start));

  /** Waits for the first message on a topic that is as asked for. */
  async function first(topic: string, isRight: (payload: Payload) => boolean = () => true): Promise<Payload> {
    for (let count = 1; ; count++) {
      const payload = (await client.messages(topic, count)).at(-1)?.payload;
      if (payload && isRight(payload)) return payload;
    }
  }

  describe("with simulated devices", () => {
    let application: Application;

    before(async () => {
      application = await startApplication({ env: { MQTT_URL: broker.url } });
      await application.waitFor(/Connected to broker: plant-analytics@/);
    });

    after(async () => {
      await application.stop();
    });

    it("publish the readings of four devices, and analyse each", async () => {
      for (const device of ["R1", "R2", "R3", "R4"]) {
        const sent = await first(`plant/telemetry/${device}`);
        assert.deepEqual(Object.keys(sent.metrics), ["temperature", "vibration", "speed", "battery"]);
        await first(`plant/analysis/${device}`, ({ timestamp }) => timestamp === sent.timestamp);
      }
    });

    it("hand on each reading of an array on the topic of its device, whatever the device is called", async () => {
      const names = ["a/b+c#", "__proto__", "two words", "Öl"];
      const readings = names.map((deviceId, index) => ({ deviceId, metrics: { level: index } }));
      await client.publish("plant/telemetry/gateway", readings);
      for (const { deviceId, metrics } of readings) {
        const payload = await first(`plant/analysis/${encodeURIComponent(deviceId)}`);
        assert.equal(payload.deviceId, deviceId);
        assert.deepEqual(payload.metrics, metrics);
      }
    });

    it("go on after a message that nobody understands", async () => {
      for (const nonsense of ["", "{", "[]", "null", '"text"', '{"deviceId":"x"}', '[1,{"a":"b"}]']) {
        await client.publish("plant/telemetry/x", nonsense);
      }
      await client.publish("plant/telemetry/y", { deviceId: "after nonsense", metrics: { level: 1 } });
      await first("plant/analysis/after%20nonsense");
      assert.deepEqual(under("plant/analysis/x"), []);
    });

    it("never retain an analysis, not even that of a retained reading", async () => {
      await client.publish("plant/telemetry/z", { deviceId: "z", metrics: { level: 1 } }, true);
      await first("plant/analysis/z");
      await using late = await connectClient<Payload>(broker.url);
      await late.subscribe("plant/analysis/z");
      await late.subscribe("plant/telemetry/z");
      await late.messages("plant/telemetry/z");
      assert.equal(late.received.length, 1);
      await client.publish("plant/telemetry/z", "", true);
    });

    it("publish what is malformed on the topic of its device, where it is refused", async () => {
      await client.publish("plant/command/R3", { command: "fault", fault: "malformed", seconds: 8 });
      await first("plant/answer/R3");
      client.received = [];
      await client.messages("plant/telemetry/R3");
      client.received = [];
      await client.messages("plant/telemetry/R3", 2);
      const topics = new Set(under("plant/telemetry/").map(({ topic }) => topic));
      assert.deepEqual(
        [...topics].sort(),
        ["R1", "R2", "R3", "R4"].map((device) => `plant/telemetry/${device}`),
      );
      assert.deepEqual(under("plant/analysis/R3"), []);
      await first("plant/analysis/R3");
    });

    it("obey commands to a device, and answer", async () => {
      await client.publish("plant/command/R2", { command: "fault", fault: "overheating", seconds: 60 });
      const answer = await first("plant/answer/R2");
      assert.deepEqual([answer.command, answer.ok], ["fault", true]);
      await first("plant/telemetry/R2", ({ truth }) => truth?.fault === "overheating");
    });

    it("answer with the id of the command and who gave it, done or not", async () => {
      const commands = [
        { command: "set", parameter: "load", value: 0.5 },
        { command: "restart" },
        { command: "set", parameter: "colour", value: 3 },
      ];
      for (const [index, command] of commands.entries()) {
        await client.publish("plant/command/R4", { ...command, commandId: `c${index}`, by: "Anna" });
        const answer = await first("plant/answer/R4", ({ commandId }) => commandId === `c${index}`);
        assert.deepEqual([answer.command, answer.by, answer.ok], [command.command, "Anna", index < 2]);
      }
    });

    it("answer what cannot be done with the reason", async () => {
      await client.publish("plant/command/R9", { command: "restart" });
      const answer = await first("plant/answer/R9");
      assert.equal(answer.ok, false);
      assert.match(answer.error ?? "", /R9/);
    });

    it("stop and start the whole fleet", async () => {
      await client.publish("plant/command/*", { command: "stop" });
      await first("plant/answer/*");
      client.received = [];
      await delay(3000);
      assert.deepEqual(under("plant/telemetry/"), []);
      await client.publish("plant/command/*", { command: "start" });
      await first("plant/telemetry/R1");
    });
  });

  describe("with a recording", () => {
    const numbers = (messages: Received<Payload>[]) =>
      messages.map(({ payload }) => payload.metrics.n ?? -1).sort((a, b) => a - b);

    it("publish and analyse every record once, as fast as it is taken", async () => {
      const count = 2000;
      const args = ["--replay", recording(count), "--speed", "0"];
      await using application = await startApplication({ env: { MQTT_URL: broker.url }, args });
      while (under("plant/analysis/").length < count) await delay(50);
      assert.equal(await application.stop(), 0);
      const expected = Array.from({ length: count }, (_, n) => n);
      assert.deepEqual(numbers(under("plant/telemetry/")), expected);
      assert.deepEqual(numbers(under("plant/analysis/")), expected);
    });

    it("keep to the recorded times, divided by the speed", async () => {
      const args = ["--replay", recording(2000), "--speed", "100"];
      await using application = await startApplication({ env: { MQTT_URL: broker.url }, args });
      const times = (await client.messages("plant/analysis/P0", 50)).map(({ payload }) => payload.timestamp);
      // Three seconds of the recording from one reading of P0 to the next.
      const distances = times.slice(1).map((time, index) => time - (times[index] ?? 0));
      assert.ok(
        distances.every((distance) => Math.abs(distance - 30) <= 1),
        distances.join(" "),
      );
      assert.equal(await application.stop(), 0);
    });

    it("pause while the broker is away, and go on with the recording when it is back", async () => {
      const before = await startMosquitto();
      // It is back before the application is, which waits longer between two attempts.
      await using observer = await connectClient<Payload>(before.url, { reconnectPeriod: 20 });
      await observer.subscribe("plant/telemetry/P0");
      const args = ["--replay", recording(200_000), "--speed", "500"];
      await using application = await startApplication({ env: { MQTT_URL: before.url }, args });
      await observer.messages("plant/telemetry/P0", 100);
      await before.stop();
      await application.waitFor(/Disconnected from broker: plant-simulator@/);
      await delay(4000);
      const last = Math.max(...numbers(observer.received));
      observer.received = [];
      await using _after = await startMosquitto({ port: before.port });
      const next = Math.min(...numbers(await observer.messages("plant/telemetry/P0", 100)));
      assert.ok(next > last && next < last + 1000, `stopped at ${last} and went on at ${next}`);
    });
  });
});
