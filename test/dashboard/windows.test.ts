import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { itComplainsOfNothing, itFits, openPage } from "./pages.ts";

const MINUTE = 60_000;

describe("the page Windows", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  /** The begin of a minute, half an hour ago. */
  const start = MINUTE * Math.floor(Date.now() / MINUTE - 30);
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  const windows = (group: string, location: string, base: number) =>
    Array.from({ length: 20 }, (_, n) => ({
      group,
      tags: { location },
      windowStart: start + n * MINUTE,
      windowEnd: start + (n + 1) * MINUTE,
      count: 60,
      anomalyCount: n === 7 ? 3 : 0,
      metrics: { temperature: { mean: base + n, min: base + n - 5, max: base + n + 5, stdev: 2.5 } },
    }));

  before(async () => {
    application = await startApplication({ userDir });
    client = await connectAsync(application.mqttUrl);
    for (const window of [...windows("P7", "hall 3", 50), ...windows("P8", "hall 3", 70)]) {
      await client.publishAsync(`plant/windows/${window.group}`, JSON.stringify(window), { qos: 1 });
    }
    room = await ControlRoom.open();
    operator = await room.operator();
    page = await openPage(operator, application.url, "Windows", "da-windows");
    await until("devices", async () => {
      await page.getByRole("button", { name: "Refresh" }).click();
      return (await page.getByLabel("Device", { exact: true }).locator("option").count()) >= 3;
    });
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const choose = (name: string, of = page) => of.getByLabel("Device", { exact: true }).selectOption({ label: name });
  const drawn = async (series: string, by = operator) =>
    (await by.points("metric temperature")).filter((point) => point.series === series).map(({ value }) => value);

  it("draws mean, minimum, maximum and deviation of each window of a device", async () => {
    await choose("P7");
    const means = Array.from({ length: 20 }, (_, n) => 50 + n);
    await until("twenty means", async () => String(await drawn("mean")) === String(means));
    assert.deepEqual(
      await drawn("min"),
      means.map((mean) => mean - 5),
    );
    assert.deepEqual(
      await drawn("max"),
      means.map((mean) => mean + 5),
    );
    assert.deepEqual(
      await drawn("deviation (right)"),
      means.map(() => 2.5),
    );
  });

  it("draws how many readings and anomalies a window has, and lists the newest first", async () => {
    const bars = async (id: string) => (await operator.points(id)).map(({ value }) => value);
    const anomalies = Array.from({ length: 20 }, (_, n) => (n === 7 ? 3 : 0));
    await until("anomalies", async () => String(await bars("Anomalies per window")) === String(anomalies));
    assert.equal((await bars("Readings per window"))[0], 60);
    const rows = await page.locator("tbody tr").allTextContents();
    assert.equal(rows.length, 20);
    assert.match(rows[0] ?? "", /60069 ± 2\.5( °C)?64 to 74$/);
  });

  it("sums the windows of a location up", async () => {
    await choose("hall 3");
    const means = Array.from({ length: 20 }, (_, n) => 60 + n);
    await until("means of both", async () => String(await drawn("mean")) === String(means));
    assert.equal((await drawn("min"))[0], 45);
    assert.equal((await drawn("max"))[0], 75);
  });

  it("keeps what one operator chose from the others, and across a reload", async () => {
    const other = await room.operator();
    const theirs = await openPage(other, application.url, "Windows", "da-windows");
    await until(
      "devices",
      async () => (await theirs.getByLabel("Device", { exact: true }).locator("option").count()) >= 3,
    );
    await choose("P8", theirs);
    await until("theirs", async () => (await drawn("mean", other))[0] === 70);
    assert.equal((await drawn("mean"))[0], 60);
    await other.page.reload();
    await until("theirs again", async () => (await drawn("mean", other))[0] === 70);
    await other.page.close();
  });

  itFits("windows", () => ({ operator, element: page }), ".bar > *, .metrics > *, da-chart, .list");

  itComplainsOfNothing(() => ({ operator, room }));

  it("asks again by itself when the connection is back", async () => {
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    // The dashboard covers the page while it is cut off.
    await page.getByRole("button", { name: "Refresh" }).dispatchEvent("click");
    await page.getByText("the connection is interrupted").waitFor({ timeout: 20_000 });
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    await until("an answer", async () => (await page.locator(".problem").textContent()) === "");
    await until("the same", async () => (await drawn("mean"))[0] === 60);
  });
});
