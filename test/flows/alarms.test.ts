import assert from "node:assert/strict";
import type { Alarm } from "../../core/types.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { connectClient, type TestClient } from "../support/mqtt.ts";

/** What comes on the topics: alarms and their journal, and what people are told. */
type Payload = Alarm & { to: string; title: string; text: string; figures?: object };

const ALARM = "plant/alarms/P7/overheating";
const JOURNAL = "plant/journal/P7";

describe("the flow Analytics, when a device is too hot", function () {
  this.timeout(60_000);
  const userDir = newFolder();
  let broker: Mosquitto;
  let application: Application;
  let client: TestClient<Payload>;

  before(async () => {
    broker = await startMosquitto();
    client = await connectClient(broker.url);
    await client.subscribe("plant/#");
    await start();
  });

  beforeEach(() => {
    client.received = [];
  });

  after(async () => {
    await client[Symbol.asyncDispose]();
    await application.stop();
    await broker.stop();
  });

  async function start(): Promise<void> {
    application = await startApplication({ userDir, env: { MQTT_URL: broker.url } });
    // Then it hears of readings, too.
    await client.messages("plant/analysis/R1");
    client.received = [];
  }

  const measure = (temperature: number) =>
    client.publish("plant/telemetry/P7", { deviceId: "P7", timestamp: Date.now(), metrics: { temperature } });
  const operate = (command: string, args: object) =>
    client.publish("plant/operator/alarms", { command, by: "Kim", ...args });
  const on = async (topic: string, count = 1) => (await client.messages(topic, count)).map(({ payload }) => payload);
  /** Waits until all commands so far have been carried out: they are in turn, and the last one is answered. */
  async function obeyed(): Promise<void> {
    const answers = client.received.filter(({ topic }) => topic === "plant/open-alarms").length;
    await operate("list", {});
    await client.messages("plant/open-alarms", answers + 1);
  }
  /** What is retained on a topic. */
  async function retained(topic: string): Promise<string[]> {
    await using late = await connectClient<Payload>(broker.url);
    await late.subscribe(topic);
    await late.subscribe("plant/fleet");
    await late.messages("plant/fleet");
    return late.received.filter((message) => message.topic === topic).map(({ payload }) => payload.state);
  }

  it("raises one alarm, retained, and tells whom it may concern", async () => {
    await measure(90);
    await measure(91);
    const [alarm] = await on(ALARM);
    assert.deepEqual([alarm?.alarmId, alarm?.state, alarm?.severity], ["P7/overheating", "unacknowledged", "critical"]);
    const [line] = await on(JOURNAL);
    assert.deepEqual([line?.change, line?.isAnnunciated], ["raised", true]);
    const [told] = await on("plant/notifications/on%20call");
    assert.match(String(told?.title), /P7/);
    assert.match(String(told?.text), /90[\s\S]*75/);
    await client.messages("plant/analysis/P7", 2);
    assert.equal((await on(JOURNAL)).length, 1);
    assert.deepEqual(await retained(ALARM), ["unacknowledged"]);
  });

  it("takes an operator's acknowledgement, and journals who gave it", async () => {
    await operate("ack", { alarmId: "P7/overheating" });
    const [line] = await on(JOURNAL);
    assert.deepEqual([line?.change, line?.state, line?.by], ["acknowledged", "acknowledged", "Kim"]);
  });

  it("knows the alarm after a restart, and tells nobody again", async () => {
    await application.stop();
    client.received = [];
    application = await startApplication({ userDir, env: { MQTT_URL: broker.url } });
    const [open] = await on("plant/open-alarms");
    assert.deepEqual(
      (open as unknown as Alarm[]).map(({ alarmId, state }) => [alarmId, state]),
      [["P7/overheating", "acknowledged"]],
    );
    await client.messages("plant/analysis/R1");
    await measure(92);
    await client.messages("plant/analysis/P7");
    assert.deepEqual(
      client.received.map(({ topic }) => topic).filter((topic) => /journal|notifications/.test(topic)),
      [],
    );
  });

  it("says when it is over, to whom it was told, and clears the topic", async () => {
    await measure(40);
    const [line] = await on(JOURNAL);
    assert.deepEqual([line?.change, line?.state], ["returned", "normal"]);
    const [told] = await on("plant/notifications/on%20call");
    assert.match(String(told?.title), /P7/);
    assert.deepEqual(await retained(ALARM), []);
  });

  it("alarms nobody about a device in maintenance", async () => {
    await operate("maintenance", { deviceId: "P7", seconds: 600 });
    await obeyed();
    await measure(95);
    await client.messages("plant/analysis/P7");
    await obeyed();
    assert.deepEqual(
      client.received.filter(({ topic }) => topic.startsWith("plant/notifications/")).map(({ topic }) => topic),
      [],
    );
    await operate("maintenance", { deviceId: "P7", seconds: 0 });
    await obeyed();
    await measure(95);
    await on("plant/notifications/on%20call");
  });
});
