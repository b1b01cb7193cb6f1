import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import type { HistoryAnswer, Question } from "../../elements/history-data.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import {
  dispatched,
  give,
  itComplainsOfNothing,
  itFits,
  nextFrame,
  openPage,
  picture,
  showElement,
  withWayIn,
} from "./pages.ts";

const MINUTE = 60_000;

describe("the page Trends", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  const now = Date.now();
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  /** Every 10 s for the last 3 h: a saw of 60 steps that jumps to 90 an hour and a half ago. */
  const temperatureAt = (n: number) => (n === 540 ? 90 : 50 + (n % 60) / 10);
  const readings = (deviceId: string, location: string) =>
    Array.from({ length: 1080 }, (_, n) => ({
      deviceId,
      timestamp: now - (1080 - n) * 10_000,
      metrics: { temperature: temperatureAt(n), vibration: 0.5, "öl druck": n },
      units: { temperature: "°C", vibration: "g" },
      tags: { location },
    }));

  before(async () => {
    application = await startApplication({ userDir });
    await application.deploy(withWayIn((await application.flow()).flows, "dashboard-trends"));
    client = await connectAsync(application.mqttUrl);
    for (const [device, hall] of [["P7", "hall 3"] as const, ["P10", "hall 4"] as const]) {
      await client.publishAsync(`plant/telemetry/${device}`, JSON.stringify(readings(device, hall)), { qos: 1 });
    }
    room = await ControlRoom.open();
    operator = await room.operator();
    page = await openPage(operator, application.url, "Trends", "da-trends");
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const choose = async (of: Locator, device: string) => {
    await until(`${device} to choose`, async () => {
      const devices = await of.getByLabel("Device", { exact: true }).locator("option").allTextContents();
      if (devices.includes(device)) return true;
      await of.getByRole("button", { name: "Refresh" }).click();
      return false;
    });
    await of.getByLabel("Device", { exact: true }).selectOption({ label: device });
  };
  const drawn = async (by: Operator, id: string, series: string) =>
    (await by.points(id)).filter((point) => point.series === series);

  it("draws the mean of a device's metric with its minimum and maximum over hours", async () => {
    await choose(page, "P7");
    await page.getByLabel("Range").selectOption("last 6 hours");
    await until("three hours", async () => {
      const points = await drawn(operator, "metric temperature", "temperature");
      return points.length > 100 && (points[0]?.time ?? now) < now - 170 * MINUTE;
    });
    const highest = Math.max(...(await drawn(operator, "metric temperature", "max")).map(({ value }) => value));
    assert.equal(highest, 90);
    const means = (await drawn(operator, "metric temperature", "temperature")).map(({ value }) => value);
    assert.ok(Math.max(...means) < 90);
    assert.ok(means.every((value) => value >= 50));
    const ids = (await operator.charts()).map(({ id }) => id);
    for (const id of ["metric temperature", "metric vibration", "metric öl druck"]) assert.ok(ids.includes(id));
  });

  it("asks anew in finer steps for what is dragged across, down to each value, and goes back", async () => {
    const plot = page.locator('[data-chart="metric temperature"] .u-over');
    const { x = 0, y = 0, width = 0, height = 0 } = (await plot.boundingBox()) ?? {};
    const before = await drawn(operator, "metric temperature", "temperature");
    const jump = (await drawn(operator, "metric temperature", "max")).find(({ value }) => value === 90);
    const { mouse } = operator.page;
    const middle = x + (jump?.x ?? 0);
    await mouse.move(middle - width / 60, y + height / 2);
    await mouse.down();
    await mouse.move(middle + width / 60, y + height / 2, { steps: 5 });
    await mouse.up();
    await until("each value", async () => {
      const points = await drawn(operator, "metric temperature", "temperature");
      return points.some(({ value }) => value === 90) && points.length < 120;
    });
    const [first, second] = await drawn(operator, "metric temperature", "temperature");
    assert.equal((second?.time ?? 0) - (first?.time ?? 0), 10_000);
    assert.ok(before.length > 100);
    await page.getByRole("button", { name: "Zoom out" }).click();
    await until("all again", async () => (await drawn(operator, "metric temperature", "temperature")).length > 120);
  });

  it("shows each value as it was stored, if that is wanted", async () => {
    await page.getByRole("button", { name: "Each value" }).click();
    await until(
      "1080 values",
      async () => (await drawn(operator, "metric temperature", "temperature")).length === 1080,
    );
    const values = (await drawn(operator, "metric temperature", "temperature")).map(({ value }) => value);
    assert.deepEqual(
      values,
      Array.from({ length: 1080 }, (_, n) => temperatureAt(n)),
    );
    await page.getByRole("button", { name: "Each value" }).click();
  });

  it("counts anomalies by hour and day, and shows the share of devices and locations", async () => {
    const bars = (id: string) => drawn(operator, id, "anomalies");
    await until("hours", async () => (await bars("anomalies by hour")).length >= 3);
    const sum = async (id: string) => (await bars(id)).reduce((sum, { value }) => sum + value, 0);
    await until("one at least", async () => (await sum("anomalies by hour")) >= 1);
    const shares = page.getByRole("region", { name: "Share of anomalies by location" });
    // It is not asked for anew by itself.
    await page.getByRole("button", { name: "Refresh" }).click();
    await until("of both halls", async () => /hall 3.*%.*of.*/.test((await shares.textContent()) ?? ""));
    const devices = page.getByRole("region", { name: "Share of anomalies by device" });
    assert.match((await devices.textContent()) ?? "", /P10.*%/);
  });

  it("takes a time from and to", async () => {
    const local = (time: number) =>
      new Date(time - new Date(time).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
    const [from, to] = [now - 100 * MINUTE, now - 80 * MINUTE].map((time) => Math.floor(time / MINUTE) * MINUTE);
    await page.getByLabel("To", { exact: true }).fill(local(to ?? 0));
    await page.getByLabel("From", { exact: true }).fill(local(from ?? 0));
    await page.getByLabel("To", { exact: true }).blur();
    await until("twenty minutes", async () => {
      const times = (await drawn(operator, "metric temperature", "temperature")).map(({ time }) => time);
      return times.length === 120 && times.every((time) => time >= (from ?? 0) && time < (to ?? 0));
    });
    await page.getByLabel("Range").selectOption("last 6 hours");
  });

  it("shows what arrives, by itself and when it is asked to", async () => {
    await page.getByLabel("Range").selectOption("last hour");
    const newest = async () => (await drawn(operator, "metric temperature", "temperature")).at(-1)?.value;
    const measure = (temperature: number) =>
      client.publishAsync(
        "plant/telemetry/P7",
        JSON.stringify({
          deviceId: "P7",
          timestamp: Date.now(),
          metrics: { temperature },
          tags: { location: "hall 3" },
        }),
        { qos: 1 },
      );
    await measure(61);
    await until("61, by itself", async () => (await newest()) === 61);
    await page.getByRole("button", { name: "Automatic" }).click();
    await measure(62);
    await until("62, when asked to", async () => {
      await page.getByRole("button", { name: "Refresh" }).click();
      return (await newest()) === 62;
    });
    await page.getByRole("button", { name: "Automatic" }).click();
  });

  it("keeps what one operator chose from the others, and across a reload", async () => {
    const other = await room.operator();
    const theirs = await openPage(other, application.url, "Trends", "da-trends");
    await choose(theirs, "P10");
    await theirs.getByLabel("Range").selectOption("last 6 hours");
    await theirs.getByRole("button", { name: "vibration", exact: true }).click();
    await until("without vibration", async () => !(await other.charts()).some(({ id }) => id === "metric vibration"));
    assert.equal(await page.getByLabel("Device", { exact: true }).inputValue(), '["device","P7"]');
    assert.ok((await operator.charts()).some(({ id }) => id === "metric vibration"));
    await other.page.reload();
    await until("as before", async () => (await other.points("metric temperature")).length > 100);
    assert.equal(await theirs.getByLabel("Device", { exact: true }).inputValue(), '["device","P10"]');
    assert.ok(!(await other.charts()).some(({ id }) => id === "metric vibration"));
    await other.page.close();
  });

  it("lets no page write a file", async () => {
    const filename = join(newFolder(), "history.csv");
    const message = { command: "query", filename, payload: { id: "1", query: { queryType: "export" } } };
    await client.publishAsync("try/dashboard-trends", JSON.stringify(message), { qos: 1 });
    await page.getByLabel("Range").selectOption("last 6 hours");
    await until("an answer", async () => (await operator.points("metric temperature")).length > 100);
    assert.equal(existsSync(filename), false);
  });

  itFits("trends", () => ({ operator, element: page }), ".bar > *, .metrics > *, da-chart, td");

  itComplainsOfNothing(() => ({ operator, room }));

  it("says that nobody answers, and asks again by itself when the connection is back", async () => {
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    // The dashboard covers the page while it is cut off.
    await page.getByRole("button", { name: "Refresh" }).dispatchEvent("click");
    await page.getByText("the connection is interrupted").waitFor({ timeout: 20_000 });
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    await until("an answer", async () => (await page.locator(".problem").textContent()) === "");
    await until("the curve", async () => (await operator.points("metric temperature")).length > 100);
    assert.equal(await page.getByLabel("Device", { exact: true }).inputValue(), '["device","P7"]');
  });
});

describe("<da-trends> on a page of its own", function () {
  this.timeout(30_000);
  let room: ControlRoom;
  let operator: Operator;
  let element: Locator;

  before(async () => {
    room = await ControlRoom.open();
    operator = await room.operator();
  });
  beforeEach(async () => {
    await show();
  });
  afterEach(() => assert.deepEqual(operator.complaints, []));
  after(() => room.close());

  const to = Date.UTC(2026, 2, 1, 12);
  const span = { from: to - 60 * MINUTE, to };
  const latest = { ...span, latest: [{ device: "P7", location: "hall 3", timestamp: to, values: { level: 3 } }] };

  /** What it asked first may have been before anybody listened. */
  const show = async (style?: string) => {
    element = await showElement(operator, "da-trends", style);
    await give(element, { ask: true });
    await nextFrame(element);
    answered = "";
  };
  let answered = "";
  const asked = async () => (await dispatched(operator, "command")).at(-1) as { payload: Question } | undefined;
  /** Waits for the next question. */
  const question = async (): Promise<Question> => {
    await until("a question", async () => ((await asked())?.payload.id ?? answered) !== answered);
    const { payload } = (await asked()) as { payload: Question };
    answered = payload.id;
    return payload;
  };
  const answer = async (message: { answer: HistoryAnswer; units?: object } | { error: string }) => {
    const { id, query } = await question();
    await give(element, { id, ...message });
    return query;
  };

  it("waits, and says that nothing is stored", async () => {
    await element.getByText("Waiting for the history").waitFor();
    await answer({ answer: { ...span, latest: [] } });
    await element.getByText("Nothing is stored yet").waitFor();
  });

  it("asks one thing at a time, and draws what it is told", async () => {
    assert.equal((await answer({ answer: latest })).queryType, "latest");
    const times = [to - 120_000, to - 60_000];
    const series = [{ device: "P7", field: "level", times, mean: [1, 2], min: [0, 1], max: [2, 3] }];
    const query = await answer({ answer: { ...span, series, every: 60_000 } });
    assert.deepEqual([query.queryType, query.metrics, query.devices], ["series", ["level"], ["P7"]]);
    await until("six points", async () => (await operator.points("metric level")).length === 6);
    assert.match((await element.locator("da-chart .legend").first().textContent()) ?? "", /2.*min to max 1 – 3/);
  });

  it("stays with the device that it began with, also when a newcomer stands before it", async () => {
    await answer({ answer: latest });
    await question();
    assert.deepEqual(await dispatched(operator, "choice"), [{ device: "P7" }]);
    await give(element, { ask: true });
    const newcomer = { device: "P1", timestamp: to, values: { level: 3 } };
    await answer({ answer: { ...span, latest: [newcomer, ...latest.latest] } });
    assert.deepEqual((await question()).query.devices, ["P7"]);
  });

  it("shows why there is no answer, and what it has besides", async () => {
    await answer({ answer: latest });
    await answer({ error: "the answer would hold more than 40000 values" });
    await element.getByText("more than 40000 values").waitFor();
    await answer({
      answer: { ...span, series: [{ field: "isAnomaly", times: [span.from], count: [9], sum: [4] }] },
    });
    await until("a bar", async () => (await operator.points("anomalies by hour"))[0]?.value === 4);
  });

  it("takes no answer to what it no longer asks", async () => {
    await answer({ answer: latest });
    const { id } = await question();
    await element.evaluate((element) => Object.assign(element, { choice: { device: "P7", isRaw: true } }));
    const series = [{ device: "P7", field: "level", times: [to - 1000], mean: [7] }];
    await give(element, { id, answer: { ...span, series, every: 60_000 } });
    assert.equal((await answer({ answer: { ...span, series: [], every: 0 } })).every, "raw");
    assert.deepEqual(await operator.points("metric level"), []);
  });

  it("says how far it is, stops waiting when it is told to, and goes on with the next question", async () => {
    await answer({ answer: latest });
    const { id } = await question();
    await element.getByText(/asking, 2 of 7, for \d+ s/).waitFor();
    await element.getByRole("button", { name: "Stop" }).click();
    const commands = (await dispatched(operator, "command")) as { command: string; payload: object }[];
    assert.deepEqual(
      commands.find(({ command, payload }) => command === "abandon" && "id" in payload && payload.id === id),
      {
        command: "abandon",
        payload: { id },
      },
    );
    await element.getByText("Stopped: choose a shorter range").waitFor();
    const { functions } = await answer({ answer: { ...span, series: [] } });
    assert.deepEqual(functions, ["count", "sum"]);
  });

  it("waits for what it is asking, however often it is to ask anew", async () => {
    await answer({ answer: latest });
    const { id } = await question();
    const before = (await dispatched(operator, "command")).length;
    for (let count = 0; count < 3; count++) await element.getByRole("button", { name: "Refresh" }).click();
    const series = [{ device: "P7", field: "level", times: [to - 1000], mean: [7] }];
    await give(element, { id, answer: { ...span, series, every: 60_000 } });
    await until("the value", async () => (await operator.points("metric level")).length > 0);
    // All else is asked anew after it.
    assert.equal((await question()).query.queryType, "latest");
    assert.equal((await dispatched(operator, "command")).length, before + 1);
  });

  it("shows the worst of a thousand devices at once, and finds any other", async () => {
    const devices = Array.from({ length: 1000 }, (_, n) => `P${n}`);
    const known = devices.map((device) => ({ device, location: "hall 3", timestamp: to, values: { level: 3 } }));
    await answer({ answer: { ...span, latest: known } });
    for (let count = 0; count < 4; count++) await answer({ answer: { ...span, series: [] } });
    const series = devices.map((device, n) => {
      return { device, field: "isAnomaly", times: [span.from], count: [1440], sum: [(n * 7) % 1000] };
    });
    await answer({ answer: { ...span, series } });
    await nextFrame(element);
    const rows = element.getByRole("region", { name: "Share of anomalies by device" }).locator("tbody tr");
    assert.equal(await rows.count(), 8);
    assert.match((await rows.first().textContent()) ?? "", /^P857.*999 of 1,440/);
    await element.getByText("and 992 more").waitFor();
    await element.getByLabel("Find a device").fill("p123");
    await until("one", async () => (await rows.count()) === 1);
    assert.match((await rows.first().textContent()) ?? "", /^P123.*861 of 1,440/);
    await element.getByLabel("Find a device").fill("none such");
    await element.getByText("None has such a name").waitFor();
  });

  it("shows names as what they are, never as markup", async () => {
    const name = "<img src=x onerror=alert(1)>";
    await answer({
      answer: { ...span, latest: [{ device: name, location: name, timestamp: to, values: { [name]: 1 } }] },
    });
    await element.getByRole("button", { name }).waitFor();
    assert.equal(await element.locator("img").count(), 0);
  });

  it("tells values with the units that it is told", async () => {
    await answer({ answer: latest, units: { level: "m" } });
    const series = [{ device: "P7", field: "level", times: [to - 1000], values: [7] }];
    await answer({ answer: { ...span, series, every: 0 } });
    await until("7 m", async () => /7 m/.test((await element.locator("da-chart .legend").first().textContent()) ?? ""));
  });

  it("is light on a light page", async () => {
    await show("color: #222; background: #fff");
    await answer({ answer: latest });
    await until("light", async () => (await element.getAttribute("light")) !== null);
    await picture(operator, "trends-light");
  });
});
