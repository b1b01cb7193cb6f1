import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import mqtt, { type MqttClient } from "mqtt";
import { type Broker, startBroker } from "../../app/broker.ts";

describe("the embedded broker", function () {
  this.timeout(30_000);
  let broker: Broker;
  let clients: MqttClient[];
  let warnings: string[];

  beforeEach(async () => {
    clients = [];
    warnings = [];
    broker = await startBroker(0, (text) => warnings.push(text));
  });

  afterEach(async () => {
    for (const client of clients) await client.endAsync(true);
    await broker.close();
  });

  /** A client whose session stays; the numbers that it is sent go into `received`. */
  async function connected(clientId: string, received: number[] = []): Promise<MqttClient> {
    const client = mqtt.connect(broker.url, { clientId, clean: false, reconnectPeriod: 0 });
    clients.push(client);
    client.on("message", (_topic, payload) => received.push(Number(payload)));
    await new Promise((resolve, reject) => client.once("connect", resolve).once("error", reject));
    return client;
  }

  async function publish(from: number, to: number): Promise<void> {
    const publisher = await connected("publisher");
    const numbers = Array.from({ length: to - from }, (_, index) => from + index);
    await Promise.all(numbers.map((n) => publisher.publishAsync("numbers", String(n), { qos: 1 })));
    await publisher.endAsync();
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await delay(20);
  }

  it("keeps what is published while a session is away, in order, and sends it when it is back", async () => {
    const received: number[] = [];
    const away = await connected("reader");
    await away.subscribeAsync("numbers", { qos: 1 });
    await away.endAsync();
    await publish(0, 100);
    await connected("reader", received);
    await until(() => received.length === 100);
    assert.deepEqual(received, upTo(100));
  });

  it("keeps no more than 10,000 messages for a session, and says so once", async () => {
    const received: number[] = [];
    const away = await connected("reader");
    await away.subscribeAsync("numbers", { qos: 1 });
    await away.endAsync();
    await publish(0, 10_500);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^MQTT client reader has not taken 10000 messages/);
    await connected("reader", received);
    await until(() => received.length >= 10_000);
    await publish(10_500, 10_501);
    await until(() => received.includes(10_500));
    assert.deepEqual(received, [...upTo(10_000), 10_500]);
  });

  it("sends all to a client that is there and takes it, however much it is", async () => {
    const received: number[] = [];
    const reader = await connected("reader", received);
    await reader.subscribeAsync("numbers", { qos: 1 });
    await publish(0, 15_000);
    await until(() => received.length >= 15_000);
    assert.deepEqual(received, upTo(15_000));
  });

  it("refuses a port that is taken", async () => {
    const port = Number(new URL(broker.url).port);
    await assert.rejects(
      startBroker(port, () => undefined),
      { code: "EADDRINUSE" },
    );
  });

  it("disconnects its clients and frees its port when it is closed", async () => {
    const client = await connected("reader");
    const closed = new Promise<void>((resolve) => client.once("close", resolve));
    await broker.close();
    await closed;
    const server = createServer().listen(Number(new URL(broker.url).port), "127.0.0.1");
    await once(server, "listening");
    server.close();
  });
});
