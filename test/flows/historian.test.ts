import assert from "node:assert/strict";
import { type Application, startApplication } from "../support/application.ts";
import { ADMIN, type Influxd, startInfluxd } from "../support/influxd.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { connectClient, type TestClient } from "../support/mqtt.ts";

/** What comes on the topics of the historian. */
interface Figures {
  added: number;
  written: number;
  refused: number;
  spooled: number;
}

const MINUTE = 60_000;

describe("the flow Historian", function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let client: TestClient<Figures>;
  let application: Application;

  before(async () => {
    broker = await startMosquitto();
    client = await connectClient(broker.url);
    await client.subscribe("plant/historian/+");
  });

  after(async () => {
    await client[Symbol.asyncDispose]();
    await broker.stop();
  });

  async function start(env: NodeJS.ProcessEnv): Promise<void> {
    // The simulator is elsewhere, so that what comes can be counted.
    application = await startApplication({ env: { MQTT_URL: broker.url, ...env } });
    await application.waitFor(/Connected to broker: plant-historian@/);
    await client.messages("plant/historian/readings");
    client.received = [];
  }

  async function stop(): Promise<void> {
    await application.stop();
  }

  /** The newest figures for which something holds. */
  async function figures(of: "readings" | "results", isRight: (figures: Figures) => boolean): Promise<Figures> {
    const topic = `plant/historian/${of}`;
    for (let count = 1; ; count++) {
      const found = (await client.messages(topic, count)).at(-1)?.payload;
      if (found && isRight(found)) return found;
    }
  }

  const publish = (deviceId: string, timestamp: number, temperature: number) =>
    client.publish(`plant/telemetry/${encodeURIComponent(deviceId)}`, {
      deviceId,
      timestamp,
      metrics: { temperature },
    });

  const ask = async (query: string) => (await application.admin()).fetch(`/history.csv?${query}`);

  /** The rows of a CSV by the names of its columns. */
  async function history(query: string): Promise<Record<string, string>[]> {
    const response = await ask(query);
    assert.equal(response.status, 200, await response.clone().text());
    const [header = "", ...lines] = (await response.text()).trim().split("\r\n");
    const names = header.split(",");
    return lines.map((line) => Object.fromEntries(line.split(",").map((cell, place) => [names[place], cell])));
  }

  /** Waits until the store has something. */
  async function stored(query: string, count: number): Promise<Record<string, string>[]> {
    const end = Date.now() + 15_000;
    for (;;) {
      const rows = await history(query);
      if (rows.length >= count) return rows;
      if (Date.now() > end) throw new Error(`${rows.length} of ${count} rows of ${query} within 15 s`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function storesAll(): void {
    it("stores readings with their own times, and gives them out as CSV", async () => {
      const now = Date.now();
      for (let n = 0; n < 10; n++) await publish("P 7/a", now - 10 * MINUTE + n * 1000, 60 + n);
      const rows = await stored("range=1h&devices=P+7/a", 10);
      assert.deepEqual(
        rows.map(({ time = "", temperature }) => [Date.parse(time), Number(temperature)]),
        Array.from({ length: 10 }, (_, n) => [now - 10 * MINUTE + n * 1000, 60 + n]),
      );
    });

    it("stores what the analysis makes of them, alarms and commands", async () => {
      const now = Date.now();
      for (const n of [2, 1]) await publish("P8", now - n * 1000, 95);
      const [health] = await stored("measurement=health&range=1h&devices=P8", 2);
      assert.deepEqual([health?.score, health?.flags], ["70", "overheating"]);
      const [alarm] = await stored("measurement=alarms&range=1h&devices=P8", 1);
      assert.deepEqual([alarm?.alarmId, alarm?.change, alarm?.severity], ["P8/overheating", "raised", "critical"]);
      await client.publish("plant/request/R1", { command: "restart", by: "Kim" });
      const audit = await stored("measurement=audit&range=1h&devices=R1", 2);
      assert.deepEqual(audit.map(({ condition, change, by }) => [condition, change, by]).sort(), [
        ["restart", "done", "Kim"],
        ["restart", "sent", "Kim"],
      ]);
    });

    it("says what is wrong with a question", async () => {
      const response = await ask("range=yesterday");
      assert.equal(response.status, 400);
      assert.match(await response.text(), /range: must be a length such as 24h/);
    });
  }

  describe("with a file", () => {
    before(() => start({}));
    after(stop);

    storesAll();
  });

  describe("with an InfluxDB that asks for a password", () => {
    let influxd: Influxd;

    before(async () => {
      influxd = await startInfluxd({ auth: true });
      await start({ INFLUX_URL: influxd.url, INFLUX_USER: ADMIN.username, INFLUX_PASSWORD: ADMIN.password });
    });

    after(async () => {
      await stop();
      await influxd[Symbol.asyncDispose]();
    });

    storesAll();

    it("keeps what comes while the store is away, and stores it when that is back", async () => {
      await influxd.stop("SIGKILL");
      const now = Date.now();
      for (let n = 0; n < 50; n++) await publish("P9", now - n * 1000, 60 + n);
      await figures("readings", ({ spooled }) => spooled >= 50);
      client.received = [];
      await influxd.start();
      await figures("readings", ({ spooled }) => spooled < 50);
      const rows = await stored("range=1h&devices=P9", 50);
      assert.deepEqual(new Set(rows.map(({ temperature }) => Number(temperature))).size, 50);
      assert.equal(rows.length, 50);
    });
  });
});
