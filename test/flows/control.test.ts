import assert from "node:assert/strict";
import { type Application, startApplication } from "../support/application.ts";
import { connectClient, type TestClient } from "../support/mqtt.ts";

interface Line {
  commandId: string;
  command: string;
  by?: string;
  outcome: string;
  error?: string;
  text: string;
}

describe("the flow Device control", function () {
  this.timeout(60_000);
  let application: Application;
  let client: TestClient<Line>;

  before(async () => {
    application = await startApplication();
    await application.waitFor(/Connected to broker: plant-control@/);
    await application.waitFor(/Connected to broker: plant-simulator@/);
    client = await connectClient(application.mqttUrl);
    await client.subscribe("plant/#");
  });

  beforeEach(() => {
    client.received = [];
  });

  after(async () => {
    await client[Symbol.asyncDispose]();
    await application.stop();
  });

  const journal = async (device: string, count: number) =>
    (await client.messages(`plant/journal/${device}`, count)).map(({ payload }) => payload);

  it("passes a command on, and journals who asked for it and what the device answered", async () => {
    await client.publish("plant/request/R1", { command: "restart", by: "Kim" });
    const [sent, done] = await journal("R1", 2);
    assert.deepEqual([sent?.outcome, done?.outcome], ["sent", "done"]);
    for (const line of [sent, done]) assert.deepEqual([line?.command, line?.by], ["restart", "Kim"]);
    const [command] = await client.messages("plant/command/R1");
    const [answer] = await client.messages("plant/answer/R1");
    assert.equal(command?.payload.commandId, sent?.commandId);
    assert.equal(answer?.payload.commandId, sent?.commandId);
  });

  it("journals why a device could not do it", async () => {
    await client.publish("plant/request/R2", { command: "set", parameter: "colour", value: 3, by: "Kim" });
    const [, failed] = await journal("R2", 2);
    assert.equal(failed?.outcome, "failed");
    assert.match(String(failed?.error), /colour/);
  });

  it("says so when a device does not answer in time", async () => {
    const { flows } = await application.flow();
    const quick = (type: string) => (type === "device-command" ? { timeoutSeconds: "2" } : {});
    const isSilent = (id: string) => (id === "simulator" ? { disabled: true } : {});
    await application.deploy(flows.map((node) => ({ ...node, ...quick(node.type), ...isSilent(node.id) })));
    await client.publish("plant/request/R3", { command: "restart", by: "Kim" });
    const [, late] = await journal("R3", 2);
    assert.equal(late?.outcome, "timeout");
    assert.match(String(late?.text), /R3.*not.*answer/i);
  });
});
