/** All pages, fed with a real recording: nothing in them is tied to the names of the simulator. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { mean } from "simple-statistics";
import type { Reading } from "../../core/types.ts";
import { Recording } from "../../nodes/lib/recording.ts";
import { type Application, startApplication } from "../support/application.ts";
import { startChild } from "../support/child.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { itComplainsOfNothing, makesSense, openPage, picture, stopSimulator } from "./pages.ts";

const root = join(import.meta.dirname, "..", "..");
const RECORDING = join(root, "../shared/data/iot_telemetry/iot_telemetry_24h.csv.gz");

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const DEVICE = "0e:9c:00:4c:1c:51";
const METRICS = ["co", "humidity", "light", "lpg", "motion", "smoke", "temp"];

describe("the dashboard on a real recording", function () {
  this.timeout(120_000);
  const userDir = newFolder();
  /** The recording, moved so that it ended just now. */
  let readings: Reading[] = [];
  let end = 0;
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;

  before(async function () {
    if (!existsSync(RECORDING)) this.skip();
    const recording = await Recording.open(RECORDING);
    for await (const reading of recording.readings(() => assert.fail())) readings.push(reading);
    end = Date.now();
    const shift = end - (readings.at(-1)?.timestamp ?? 0);
    readings = readings.map((reading) => ({ ...reading, timestamp: Math.floor(reading.timestamp + shift) }));
    // The past is imported, with its own times; the last hour comes as devices send it.
    const past = readings.filter(({ timestamp }) => timestamp < end - HOUR);
    writeFileSync(join(userDir, "past.jsonl"), past.map((reading) => JSON.stringify(reading)).join("\n"));
    const args = [join(root, "app", "import.ts"), join(userDir, "past.jsonl"), "--user-dir", userDir];
    const importing = await startChild(process.execPath, args, { env: { INFLUX_URL: "" } });
    assert.equal(await importing.ended(), 0, importing.output());
    application = await startApplication({ userDir, args: ["--replay", RECORDING] });
    client = await connectAsync(application.mqttUrl);
    // The replay goes on when the past is there, for charts and windows run forward. What it has sent before is forgotten:
    // what keeps it is started anew, and the replay is not, for it would begin again.
    await stopSimulator(client);
    const { flows } = await application.flow();
    const forgetful = flows.map((node) => {
      if (node.type === "window-aggregate") return { ...node, stateStore: "memory" };
      return node.type === "live-series" ? { ...node, points: String(Number(node.points) + 1) } : node;
    });
    await application.deploy(forgetful, "nodes");
    const recent = readings.filter(({ timestamp }) => timestamp >= end - HOUR);
    for (let n = 0; n < recent.length; n += 200) {
      await client.publishAsync("plant/telemetry/gateway", JSON.stringify(recent.slice(n, n + 200)), { qos: 1 });
    }
    room = await ControlRoom.open();
    operator = await room.operator();
    await operator.open(application.url);
    const taken = async () => Number((await operator.figure("Readings in all")).replaceAll(",", ""));
    await until("the last hour", async () => (await taken()) >= recent.length);
    await client.publishAsync("plant/request/*", JSON.stringify({ command: "start" }), { qos: 1 });
  });

  after(async () => {
    await room?.close();
    await client?.endAsync(true);
    await application?.stop();
  });

  const open = async (name: string): Promise<Locator> => {
    const page = await openPage(operator, application.url, name, `da-${name.toLowerCase()}`);
    await choose(page);
    return page;
  };
  const choose = (of: Locator | Operator["page"]) =>
    of.getByLabel("Device", { exact: true }).selectOption({ label: DEVICE });
  const press = (of: Locator | Operator["page"], metric: string) =>
    of.getByRole("group", { name: "Metrics" }).getByRole("button", { name: metric, exact: true }).click();
  const drawn = async (chart: string, series: string) =>
    (await operator.points(chart)).filter((point) => point.series === series);
  /** What was recorded of a metric of the device in a time. */
  const recorded = (metric: string, from: number, to: number) =>
    readings
      .filter(({ deviceId, timestamp }) => deviceId === DEVICE && timestamp >= from && timestamp < to)
      .map(({ timestamp, metrics }) => ({ timestamp, value: metrics[metric] as number }));

  it("draws on Live every metric that was recorded, whatever it is called, and goes on", async () => {
    await operator.open(application.url);
    const { page } = operator;
    await until("the device", async () => (await page.locator(`.da-live option[label="${DEVICE}"]`).count()) > 0);
    await choose(page);
    await until("a chart", async () => (await operator.points("metric temp")).length > 100);
    for (const metric of METRICS) {
      const isShown = (await operator.charts()).some(({ id }) => id === `metric ${metric}`);
      if (!isShown) await press(page, metric);
      const shown = async () => (await drawn(`metric ${metric}`, metric)).filter(({ time }) => time < end);
      await until(`all of ${metric}`, async () => (await shown()).length > 250);
      const values = new Map(recorded(metric, end - HOUR, end + 1).map(({ timestamp, value }) => [timestamp, value]));
      for (const { time, value } of await shown()) {
        const exact = values.get(time) ?? Number.NaN;
        // It is kept in single precision.
        assert.ok(Math.abs(value - exact) <= 1e-6 * Math.abs(exact), `${metric}: ${value} for ${exact}`);
      }
    }
    const count = (await drawn("metric temp", "temp")).filter(({ time }) => time > end).length;
    await until(
      "a new value",
      async () => (await drawn("metric temp", "temp")).filter(({ time }) => time > end).length > count,
    );
    assert.match(await operator.figure("Average co"), /^0\.00\d+$/);
    assert.equal(await operator.figure("Active devices"), "3");
    await makesSense(operator, page.locator(".da-live"));
    await picture(operator, "recording-live");
  });

  it("lists on Devices the metrics that are there, and opens a device with all of them", async () => {
    const page = await openPage(operator, application.url, "Devices", "da-devices");
    await until("three", async () => (await page.locator(".rows > [role=row]").count()) === 3);
    const heads = await page.locator(".head").innerText();
    for (const metric of METRICS.slice(0, 6)) assert.ok(heads.includes(metric), metric);
    await page.locator(".rows > [role=row]").first().click();
    await until("all metrics", async () => {
      const names = await page.locator(".now tbody tr td:first-child").allInnerTexts();
      return METRICS.every((metric) => names.some((name) => name.trim() === metric));
    });
    await until("charts", async () => (await operator.points("metric temp")).length > 100);
    await makesSense(operator, page);
    await picture(operator, "recording-devices");
  });

  it("draws on Trends the mean between minimum and maximum of a day as simple-statistics finds them", async () => {
    const page = await open("Trends");
    await page.getByLabel("Range").selectOption("last 24 hours");
    await press(page, "temp");
    await until("a day", async () => (await drawn("metric temp", "temp")).length > 280);
    for (const metric of ["co", "temp", "light"]) {
      const series = await Promise.all([metric, "min", "max"].map((name) => drawn(`metric ${metric}`, name)));
      const [means = [], least = [], most = []] = series;
      const times = means.map(({ time }) => time);
      const every = Math.min(...times.slice(1).map((time, place) => time - (times[place] ?? 0)));
      const whole = means.filter(({ time }) => time > end - 23 * HOUR && time + every < end);
      assert.ok(whole.length > 270);
      for (const { time, value } of whole) {
        const values = recorded(metric, time, time + every).map((each) => each.value);
        assert.ok(Math.abs(value - mean(values)) < 1e-9, `${metric} at ${time}`);
        assert.equal(least.find((point) => point.time === time)?.value, Math.min(...values));
        assert.equal(most.find((point) => point.time === time)?.value, Math.max(...values));
      }
    }
    await makesSense(operator, page);
    await picture(operator, "recording-trends");
  });

  it("draws on Windows the mean of each minute, of every metric that was recorded", async () => {
    const page = await open("Windows");
    await until("all metrics", async () => {
      const names = await page.getByRole("group", { name: "Metrics" }).getByRole("button").allTextContents();
      return names.join() === METRICS.join();
    });
    await press(page, "temp");
    await until("an hour", async () => (await drawn("metric temp", "mean")).length > 50);
    const means = (await drawn("metric temp", "mean")).filter(({ time }) => time > end - HOUR && time + MINUTE < end);
    assert.ok(means.length > 40);
    for (const { time, value } of means) {
      const values = recorded("temp", time, time + MINUTE).map((each) => each.value);
      assert.ok(Math.abs(value - mean(values)) < 1e-9, `${time}`);
    }
    await makesSense(operator, page);
    await picture(operator, "recording-windows");
  });

  it("shows on Analytics how the metrics are distributed and go together, and their statistics", async () => {
    const page = await open("Analytics");
    await page.getByLabel("Range").selectOption("last 7 days");
    await page.getByLabel("Of", { exact: true }).selectOption("humidity");
    const count = recorded("humidity", 0, end + 1).length;
    const counted = async () => {
      const counts = await page
        .locator("da-histogram rect.bar")
        .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute("data-count"))));
      return counts.reduce((sum, each) => sum + each, 0);
    };
    await until("all values", async () => (await counted()) >= count);
    // The replay adds one each few seconds.
    assert.ok((await counted()) < count + 100);
    const heads = await page.locator("da-heatmap thead th").allTextContents();
    assert.deepEqual(heads, METRICS.slice(0, 4));
    const rows = page.getByRole("region", { name: "Statistics by device" }).locator("tbody tr");
    await until("three devices", async () => (await rows.count()) === 3);
    await makesSense(operator, page);
    await picture(operator, "recording-analytics");
  });

  it("shows on Alarms what is unusual, and on Streaming how far the replay is", async () => {
    const alarms = await openPage(operator, application.url, "Alarms", "da-alarms");
    // The recording ends at another time of day than it began.
    await alarms.getByText(`${DEVICE} anomaly`).first().waitFor();
    await makesSense(operator, alarms);
    await picture(operator, "recording-alarms");
    const replay = await openPage(operator, application.url, "Streaming", ".da-replay");
    await until("its progress", async () => /% of iot_telemetry_24h\.csv\.gz/.test(await replay.innerText()));
  });

  itComplainsOfNothing(() => ({ operator, room }));
});
