import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import type { Reading } from "../../core/types.ts";
import { type Application, newFolder, startApplication } from "../support/application.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";

/** What came on a topic: a reading, or what came of a command. */
class Received {
  readonly topic: string;
  readonly #text: string;

  constructor(topic: string, payload: Buffer) {
    this.topic = topic;
    this.#text = String(payload);
  }

  get payload(): Reading & { ok?: boolean; error?: string; command?: string } {
    return JSON.parse(this.#text);
  }
}

describe("the running flows", function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let client: MqttClient;
  let application: Application;
  let received: Received[];

  before(async () => {
    broker = await startMosquitto();
    client = await connectAsync(broker.url);
    client.on("message", (topic, payload) => received.push(new Received(topic, payload)));
    await client.subscribeAsync("plant/#", { qos: 1 });
  });

  beforeEach(() => {
    received = [];
  });

  after(async () => {
    await client.endAsync(true);
    await broker.stop();
  });

  const on = (topic: string) => received.filter((message) => message.topic === topic);
  const under = (start: string) => received.filter(({ topic }) => topic.startsWith(start));

  /** Waits until there are so many messages on a topic, and gives them. */
  async function messages(topic: string, count = 1): Promise<Received[]> {
    while (on(topic).length < count) await delay(20);
    return on(topic);
  }

  const publish = (topic: string, payload: unknown) =>
    client.publishAsync(topic, typeof payload === "string" ? payload : JSON.stringify(payload), { qos: 1 });

  describe("with simulated devices", () => {
    before(async () => {
      application = await startApplication({ env: { MQTT_URL: broker.url } });
      await application.waitFor(/Connected to broker: plant-analytics@/);
    });

    after(async () => {
      await application.stop();
    });

    it("publish the readings of four devices, and analyse each", async () => {
      for (const device of ["R1", "R2", "R3", "R4"]) {
        const [sent] = await messages(`plant/telemetry/${device}`);
        const [analysed] = await messages(`plant/analysis/${device}`);
        assert.deepEqual(Object.keys(sent?.payload.metrics ?? {}), ["temperature", "vibration", "speed", "battery"]);
        assert.equal(analysed?.payload.timestamp, sent?.payload.timestamp);
      }
    });

    it("hand on each reading of an array on the topic of its device, whatever the device is called", async () => {
      const names = ["a/b+c#", "__proto__", "two words", "Öl"];
      await publish(
        "plant/telemetry/gateway",
        names.map((deviceId, index) => ({ deviceId, metrics: { level: index } })),
      );
      for (const [index, name] of names.entries()) {
        const [message] = await messages(`plant/analysis/${encodeURIComponent(name)}`);
        assert.equal(message?.payload.deviceId, name);
        assert.deepEqual(message?.payload.metrics, { level: index });
      }
    });

    it("go on after a message that nobody understands", async () => {
      for (const nonsense of ["", "{", "[]", "null", '"text"', '{"deviceId":"x"}', '[1,{"a":"b"}]']) {
        await publish("plant/telemetry/x", nonsense);
      }
      await publish("plant/telemetry/y", { deviceId: "after nonsense", metrics: { level: 1 } });
      await messages("plant/analysis/after%20nonsense");
      assert.deepEqual(on("plant/analysis/x"), []);
    });

    it("never retain an analysis, not even that of a retained reading", async () => {
      await client.publishAsync("plant/telemetry/z", JSON.stringify({ deviceId: "z", metrics: { level: 1 } }), {
        qos: 1,
        retain: true,
      });
      await messages("plant/analysis/z");
      const late = await connectAsync(broker.url);
      const retained: string[] = [];
      late.on("message", (topic) => retained.push(topic));
      await late.subscribeAsync(["plant/analysis/#", "plant/telemetry/z"], { qos: 1 });
      while (!retained.includes("plant/telemetry/z")) await delay(20);
      assert.ok(!retained.includes("plant/analysis/z"));
      await late.endAsync(true);
      await client.publishAsync("plant/telemetry/z", "", { qos: 1, retain: true });
    });

    it("obey commands to a device, and answer", async () => {
      await publish("plant/command/R2", { command: "fault", fault: "overheating", seconds: 60 });
      const [answer] = await messages("plant/answer/R2");
      assert.equal(answer?.payload.ok, true);
      assert.equal(answer?.payload.command, "fault");
      while (!on("plant/telemetry/R2").some(({ payload }) => payload.truth?.fault === "overheating")) await delay(20);
    });

    it("answer what cannot be done with the reason", async () => {
      await publish("plant/command/R9", { command: "restart" });
      const [answer] = await messages("plant/answer/R9");
      assert.equal(answer?.payload.ok, false);
      assert.match(String(answer?.payload.error), /R9/);
    });

    it("stop and start the whole fleet", async () => {
      await publish("plant/command/*", { command: "stop" });
      await messages("plant/answer/*");
      received = [];
      await delay(3000);
      assert.deepEqual(under("plant/telemetry/"), []);
      await publish("plant/command/*", { command: "start" });
      await messages("plant/telemetry/R1");
    });
  });

  describe("with a recording", () => {
    const folder = newFolder();
    const file = join(folder, "recording.csv");
    const count = 2000;

    before(() => {
      const rows = Array.from({ length: count }, (_, n) => `${1_700_000_000 + n},P${n % 3},${n}`);
      writeFileSync(file, `timestamp,device,n\n${rows.join("\n")}\n`);
    });

    after(() => rmSync(folder, { recursive: true }));

    afterEach(async () => {
      await application.stop();
    });

    const numbers = (messages: Received[]) =>
      messages.map(({ payload }) => payload.metrics.n ?? -1).sort((a, b) => a - b);

    it("publish and analyse every record once, as fast as it is taken", async () => {
      application = await startApplication({ env: { MQTT_URL: broker.url }, args: ["--replay", file, "--speed", "0"] });
      while (under("plant/analysis/").length < count) await delay(50);
      const expected = Array.from({ length: count }, (_, n) => n);
      assert.deepEqual(numbers(under("plant/telemetry/")), expected);
      assert.deepEqual(numbers(under("plant/analysis/")), expected);
    });

    it("keep to the recorded times, divided by the speed", async () => {
      application = await startApplication({
        env: { MQTT_URL: broker.url },
        args: ["--replay", file, "--speed", "100"],
      });
      await messages("plant/analysis/P0");
      await delay(2000);
      const sent = under("plant/telemetry/").length;
      assert.ok(sent > 100 && sent < 400, `${sent} in two seconds`);
    });
  });

  it("pause a recording while the broker is away, and go on with it after", async () => {
    const folder = newFolder();
    const file = join(folder, "recording.csv");
    writeFileSync(file, `timestamp,device,n\n${Array.from({ length: 200_000 }, (_, n) => `${n},P,${n}`).join("\n")}\n`);
    const first = await startMosquitto();
    application = await startApplication({ env: { MQTT_URL: first.url }, args: ["--replay", file, "--speed", "0"] });
    await application.waitFor(/Connected to broker: plant-simulator@/);
    await delay(500);
    await first.stop();
    await application.waitFor(/Disconnected from broker: plant-simulator@/);
    await delay(3000);
    const second = await startMosquitto({ port: first.port });
    const observer = await connectAsync(second.url);
    const seen: number[] = [];
    observer.on("message", (_topic, payload) => seen.push(JSON.parse(String(payload)).metrics.n));
    await observer.subscribeAsync("plant/telemetry/P", { qos: 1 });
    while (seen.length < 1000) await delay(50);
    const from = Math.min(...seen);
    assert.ok(from > 0 && from < 20_000, `went on at ${from}`);
    await observer.endAsync(true);
    await application.stop();
    await second.stop();
    rmSync(folder, { recursive: true });
  });
});
