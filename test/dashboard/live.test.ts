import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import type { DrawnPoint } from "../../elements/da-chart.ts";
import { startNodeRed } from "../editor/node-red.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";

const flow = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "flows", "dashboard.json"), "utf8"));

describe("the page Live", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;

  before(async () => {
    application = await startApplication({ userDir });
    client = await connectAsync(application.mqttUrl);
    room = await ControlRoom.open();
    operator = await room.operator();
    await operator.open(application.url);
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  let newest = 0;
  /** A reading of now, and of a ms of its own: charts run forward, so that the second of one instant is left out. */
  const publish = (deviceId: string, metrics: object, units = {}) => {
    newest = Math.max(newest + 1, Date.now());
    return client.publishAsync(
      `plant/telemetry/${encodeURIComponent(deviceId)}`,
      JSON.stringify({ deviceId, timestamp: newest, metrics, units }),
      { qos: 1 },
    );
  };

  it("is where visitors of the application land, with the figures of the fleet", async () => {
    assert.match(operator.page.url(), /\/ui\//);
    await until("four active devices", async () => (await operator.figure("Active devices")) === "4");
    assert.equal(await operator.figure("Offline devices"), "0");
    assert.match(await operator.figure("Average temperature"), /^\d+\.\d °C$/);
    assert.match(await operator.figure("Average health"), /^\d+ of 100$/);
    assert.match(await operator.figure("Newest reading"), /^\d s ago$/);
    assert.match(await operator.figure("Alerts in 5 min"), /^\d+$/);
  });

  it("draws the limits of the health score across the curves, also when they are changed", async () => {
    const limits = async () =>
      new Set(
        (await operator.points("metric temperature"))
          .filter(({ series }) => series === "overheating")
          .map(({ value }) => value),
      );
    await until("the limit", async () => (await limits()).has(75));
    const device = await operator.device();
    const give = (limit: number | null) =>
      client.publishAsync(
        "plant/operator/health",
        JSON.stringify({ command: "set", deviceId: device, flag: "overheating", limit }),
        { qos: 1 },
      );
    await give(81);
    await until("another limit", async () => (await limits()).has(81));
    assert.equal((await limits()).size, 1);
    await give(null);
    await until("the first limit", async () => (await limits()).has(75));
  });

  it("keeps still while it is paused, and then follows with all that has come", async () => {
    await operator.page.getByRole("button", { name: "Pause" }).click();
    await operator.page.getByText("paused at").waitFor();
    const before = Number(await operator.figure("Readings in all"));
    const points = await operator.points("metric temperature");
    await until("more readings", async () => Number(await operator.figure("Readings in all")) > before + 8);
    assert.equal((await operator.points("metric temperature")).length, points.length);
    await operator.page.getByRole("button", { name: "Follow" }).click();
    await until("all of them", async () => (await operator.points("metric temperature")).length > points.length + 1);
  });

  it("gets its charts from the package, and again only when they have changed", async () => {
    const admin = await application.admin();
    const address = "/device-analytics/elements.js";
    const first = await admin.fetch(address);
    assert.equal(first.status, 200);
    assert.match(String(first.headers.get("content-type")), /^text\/javascript/);
    assert.match(await first.text(), /^\/\*! With uPlot[\s\S]+MIT License/);
    const again = await admin.fetch(address, { headers: { "If-None-Match": String(first.headers.get("etag")) } });
    assert.equal(again.status, 304);
    for (const other of ["", "/", "/../package.json", "/device-analytics.js"]) {
      assert.equal((await admin.fetch(`/device-analytics${other}`)).status, 404);
    }
  });

  it("shows what arrives by itself, in the figures and in the charts", async () => {
    const before = Number(await operator.figure("Readings in all"));
    const points = (await operator.points("metric temperature")).length;
    await until("more readings", async () => Number(await operator.figure("Readings in all")) > before);
    await until("more points", async () => (await operator.points("metric temperature")).length > points);
  });

  it("draws every chart, point by point within the plot", async () => {
    await until("two points in each", async () => (await operator.charts()).every(({ points }) => points.length > 1));
    const charts = await operator.charts();
    assert.deepEqual(
      charts.map(({ id }) => id),
      ["metric temperature", "metric vibration", "metric battery", "metric speed", "health"],
    );
    const linesOf = (points: DrawnPoint[]) => [...new Set(points.map(({ series }) => series))];
    assert.deepEqual(linesOf(charts[0]?.points ?? []).slice(0, 2), ["temperature", "mean"]);
    for (const { points } of charts) {
      for (const line of linesOf(points)) {
        const xs = points.filter(({ series }) => series === line).map(({ x }) => x);
        assert.deepEqual(
          xs,
          xs.toSorted((a, b) => a - b),
        );
      }
    }
  });

  it("shows a newcomer with whatever metrics it has, its name and theirs being anything", async () => {
    const device = "a/b+c <i>#1</i>";
    for (let n = 0; n < 3; n++) await publish(device, { "öl druck": 3 + n, "{{7*7}}": n }, { "öl druck": "bar" });
    await until("the device to choose", async () => (await operator.page.getByText("a/b+c").count()) > 0);
    await operator.choose(device);
    const values = async () => {
      const points = await operator.points("metric öl druck");
      return points.filter(({ series }) => series === "öl druck").map(({ value }) => value);
    };
    await until("its chart, whole", async () => (await values()).length === 3);
    await operator.toggle("{{7*7}}");
    await until("one metric less", async () => (await operator.charts()).every(({ id }) => id !== "metric {{7*7}}"));
    assert.deepEqual(await values(), [3, 4, 5]);
  });

  it("marks anomalies on the curve, and in the score", async () => {
    for (let n = 0; n < 70; n++) {
      const metrics = { level: 10 + (n % 3) / 10 };
      const timestamp = Date.now() - 1000 * (80 - n);
      await client.publishAsync("plant/telemetry/tank", JSON.stringify({ deviceId: "tank", timestamp, metrics }), {
        qos: 1,
      });
    }
    await publish("tank", { level: 30 });
    await until("the device to choose", async () => (await operator.page.locator("option[label=tank]").count()) > 0);
    await operator.choose("tank");
    const marks = async (id: string) => (await operator.points(id)).filter(({ series }) => series === "anomalies");
    await until("a mark in the score", async () => (await marks("anomaly score")).length === 1);
    assert.deepEqual(
      (await marks("metric level")).map(({ value }) => value),
      [30],
    );
  });

  it("keeps what one operator chose from the others, and across a reload", async () => {
    const other = await room.operator();
    await other.open(application.url);
    await other.choose("R2");
    await operator.choose("R3");
    await until("R2", async () => (await other.points("metric temperature")).length > 0);
    const points = (await other.points("metric temperature")).length;
    await until("more points", async () => (await other.points("metric temperature")).length > points);
    assert.equal(await other.device(), "R2");
    assert.equal(await operator.device(), "R3");
    await other.page.reload();
    await until(
      "R2 again",
      async () => (await other.page.locator("da-chart").count()) > 0 && (await other.device()) === "R2",
    );
    await other.page.close();
  });

  it("stops and starts the simulator, and says how it is", async () => {
    const state = (word: string) => until(word, async () => (await operator.page.getByText(word).count()) > 0);
    await operator.press("Stop");
    await state("stopped");
    await until("the age grows", async () => Number.parseInt(await operator.figure("Newest reading"), 10) >= 3);
    await operator.press("Start");
    await state("running, 4 devices");
    await until("fresh data", async () => Number.parseInt(await operator.figure("Newest reading"), 10) < 3);
  });

  for (const width of [1920, 1280, 820]) {
    it(`fits a screen of ${width} px`, async () => {
      await operator.page.setViewportSize({ width, height: 1000 });
      await until("charts of the new width", async () => {
        const rights = await operator.page
          .locator("da-chart, .da-page, .da-page md-card, .da-bar > *")
          .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().right));
        return rights.every((right) => right > 0 && right <= width);
      });
      assert.ok((await operator.charts()).every(({ points }) => points.length > 0));
    });
  }

  it("complains of nothing but what the dashboard itself does on a page with nothing on it", async () => {
    const ofDashboard = flow.filter(({ type }: { type: string }) => ["ui_base", "ui_tab", "ui_group"].includes(type));
    const text = {
      id: "text",
      type: "ui_text",
      z: "tab",
      group: "dashboard-fleet-group",
      label: "nothing",
      x: 0,
      y: 0,
      wires: [],
    };
    const nodeRed = await startNodeRed([{ id: "tab", type: "tab" }, ...ofDashboard, text]);
    const visitor = await room.operator();
    await visitor.page.goto(`${nodeRed.url}/ui`);
    await visitor.page.getByText("nothing").waitFor();
    const expected = new Set(visitor.complaints);
    await nodeRed.stop();
    assert.deepEqual(
      operator.complaints.filter((complaint) => !expected.has(complaint)),
      [],
    );
  });

  it("goes on by itself, with the same choice, when the connection was gone", async () => {
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    const since = Date.now();
    await until("points that are new", async () => {
      return (await operator.points("metric temperature")).filter(({ time }) => time > since).length > 1;
    });
    assert.equal(await operator.device(), "R3");
    await until("figures that are fresh", async () => Number.parseInt(await operator.figure("Newest reading"), 10) < 3);
  });
});
