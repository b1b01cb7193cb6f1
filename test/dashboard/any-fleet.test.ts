/** All pages with a fleet whose devices and metrics are called as badly as can be, and whose devices are in every state. */
import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { mean } from "simple-statistics";
import { type Application, startApplication } from "../support/application.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { itComplainsOfNothing, makesSense, openPage, picture, stopSimulator, withDevices } from "./pages.ts";

const MINUTE = 60_000;

const LONG = "pressure of the hydraulic circuit ".repeat(6).slice(0, 200);
const METRICS = ["a/b+c#", "\"quoted\" 'both'", "🌡 Öl", LONG, "line\nbreak", "constructor", "{{7*7}}", "<b>bold</b>"];
const DEVICES = ["a/b+c#", "__proto__", "🚀 \"x\" 'y'", `device ${LONG}`.slice(0, 200), "line\nbreak", "{{7*7}} <b>"];

/** As a picker shows a name. */
const shown = (name: string) => name.replace(/\s+/g, " ").trim();

describe("the dashboard with any fleet", function () {
  this.timeout(120_000);
  /** Each device has measured every 10 s for 40 minutes. */
  const begin = MINUTE * Math.floor(Date.now() / MINUTE - 40);
  const count = 240;
  const valueAt = (n: number, place: number) => 10 ** (2 * place - 6) * (5 + Math.sin(n / 5 + place));
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;

  const publish = (payload: object, topic = "plant/telemetry/gateway") =>
    client.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
  const measure = (deviceId: string, more: object = {}) =>
    publish({
      deviceId,
      timestamp: Date.now(),
      metrics: { level: 7, "door open": true },
      units: { level: "m" },
      ...more,
    });

  const maintain = (deviceId: string) =>
    publish(
      { command: "maintenance", deviceId, seconds: 3600, by: "Kim", reason: "new bearing" },
      "plant/operator/alarms",
    );

  before(async () => {
    application = await startApplication();
    client = await connectAsync(application.mqttUrl);
    await stopSimulator(client);
    const { flows } = await application.flow();
    const list = [
      { deviceId: "1e:c0", name: "Kiln", location: "hall <9>" },
      { deviceId: "2f:c0", name: "Kiln", location: "hall 8" },
      { deviceId: "idle", name: "Press" },
      { deviceId: "spare", name: "Spare kiln", location: "store" },
    ];
    await application.deploy(withDevices(flows, list));
    for (const deviceId of DEVICES) {
      const readings = Array.from({ length: count }, (_, n) => ({
        deviceId,
        timestamp: begin + n * 10_000,
        metrics: Object.fromEntries(METRICS.map((name, place) => [name, valueAt(n, place)])),
        units: { "a/b+c#": "m³/h" },
      }));
      await publish(readings);
    }
    for (const device of ["1e:c0", "2f:c0", "idle", "sick", "worn"]) await measure(device);
    room = await ControlRoom.open();
    operator = await room.operator();
    await operator.open(application.url);
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const picker = (of: Locator | Operator["page"]) => of.getByLabel("Device", { exact: true });
  /** The devices to choose, as they are called there. */
  const offered = async (of: Locator | Operator["page"]) =>
    (await picker(of).locator("option").allTextContents()).map(shown);
  const choose = async (of: Locator | Operator["page"], name: string) => {
    await until(`${name} to choose`, async () => (await offered(of)).includes(shown(name)));
    const place = (await offered(of)).indexOf(shown(name));
    await picker(of).selectOption({ index: place });
  };
  const drawn = async (chart: string, series: string) =>
    (await operator.points(chart)).filter((point) => point.series === series);
  /** Shows a metric, whether or not it is shown. */
  const show = async (of: Locator | Operator["page"], metric: string) => {
    if ((await operator.charts()).some(({ id }) => id === `metric ${metric}`)) return;
    await of
      .getByRole("group", { name: "Metrics" })
      .getByRole("button", { name: shown(metric), exact: true })
      .click();
    await until(`a chart of ${metric}`, async () => (await operator.points(`metric ${metric}`)).length > 0);
  };
  const live = () => operator.page.locator(".da-live");
  const remarks = async () => (await live().locator(".da-remarks").innerText()).replace(/\s+/g, " ");

  it("draws on Live every metric of every device point by point", async () => {
    for (const device of DEVICES) {
      await choose(live(), device);
      await until("four metrics", async () => (await drawn(`metric ${METRICS[0]}`, "a/b+c#")).length === count);
      for (const [place, metric] of METRICS.entries()) {
        await show(live(), metric);
        const points = await drawn(`metric ${metric}`, metric);
        assert.equal(points.length, count, metric);
        for (const [n, { time, value }] of points.entries()) {
          assert.equal(time, begin + n * 10_000);
          const exact = valueAt(n, place);
          assert.ok(Math.abs(value - exact) <= 1e-6 * exact, `${metric}: ${value} for ${exact}`);
        }
        if (device !== DEVICES[0]) break;
      }
    }
    await makesSense(operator, live());
    await picture(operator, "any-live");
  });

  it("lists on Devices each with its own values, and opens any", async () => {
    const page = await openPage(operator, application.url, "Devices", "da-devices");
    const rows = page.locator(".rows > [role=row]");
    const row = rows.filter({ has: operator.page.locator("b", { hasText: /^__proto__$/ }) });
    const tiny = `${Number(valueAt(count - 1, 0).toPrecision(4)).toExponential()} m³/h`;
    await until("its values", async () => ((await row.textContent()) ?? "").includes(tiny));
    await row.click();
    const names = () => page.locator(".now tbody tr td:first-child").allTextContents();
    await until("all metrics", async () => {
      const listed = await names();
      return METRICS.every((metric) => listed.includes(metric));
    });
    await until("charts", async () => (await operator.points(`metric ${METRICS[0]}`)).length > 0);
    await makesSense(operator, page);
    await picture(operator, "any-devices");
  });

  it("draws on Trends each value, and on Windows the mean of each minute", async () => {
    const trends = await openPage(operator, application.url, "Trends", "da-trends");
    for (const device of DEVICES) {
      await choose(trends, device);
      await show(trends, "a/b+c#");
      const values = Array.from({ length: count }, (_, n) => valueAt(n, 0));
      await until(`${device}`, async () => {
        const points = await drawn("metric a/b+c#", "a/b+c#");
        return points.length === count && points.every(({ value }, n) => value === values[n]);
      });
    }
    for (const metric of METRICS) await show(trends, metric);
    await makesSense(operator, trends);
    await picture(operator, "any-trends");
    const windows = await openPage(operator, application.url, "Windows", "da-windows");
    await choose(windows, "line\nbreak");
    for (const [place, metric] of METRICS.entries()) {
      await show(windows, metric);
      const means = (await drawn(`metric ${metric}`, "mean")).slice(0, 20);
      assert.equal(means.length, 20);
      for (const { time, value } of means) {
        const first = (time - begin) / 10_000;
        const exact = mean(Array.from({ length: 6 }, (_, n) => valueAt(first + n, place)));
        assert.ok(Math.abs(value - exact) <= 1e-9 * exact, `${metric} at ${time}`);
      }
    }
    await makesSense(operator, windows);
    await picture(operator, "any-windows");
  });

  it("shows on Analytics the distribution of each metric, and all of them in the statistics", async () => {
    const page = await openPage(operator, application.url, "Analytics", "da-analytics");
    await choose(page, "🚀 \"x\" 'y'");
    for (const metric of ["🌡 Öl", "{{7*7}}"]) {
      await page.getByLabel("Of", { exact: true }).selectOption(metric);
      await until(metric, async () =>
        ((await page.locator("da-histogram .head").textContent()) ?? "").startsWith(`${metric} ${count} values`),
      );
    }
    const rows = page.getByRole("region", { name: "Statistics by device" }).locator("tbody tr td:first-child");
    await until("all devices", async () => (await rows.count()) === DEVICES.length);
    assert.deepEqual((await rows.allTextContents()).sort(), [...DEVICES].sort());
    await makesSense(operator, page);
    await picture(operator, "any-analytics");
  });

  it("calls devices by their names, with the ids, in all pickers, of which two may be alike", async () => {
    for (const [name, element] of [
      ["Live", ".da-live"],
      ["Trends", "da-trends"],
      ["Analytics", "da-analytics"],
    ] as const) {
      const page = await openPage(operator, application.url, name, element);
      await until(`both on ${name}`, async () => {
        const devices = await offered(page);
        return ["Kiln (1e:c0)", "Kiln (2f:c0)", "sick"].every((label) => devices.includes(label));
      });
    }
    await measure("new");
    const trends = await openPage(operator, application.url, "Trends", "da-trends");
    await until("one more", async () => (await offered(trends)).includes("new"));
    await measure("newer");
    // By itself.
    await until("and another", async () => (await offered(trends)).includes("newer"));
  });

  it("says on Live what a device is: in maintenance, unknown, never heard of, with bad or stale values", async () => {
    const page = await openPage(operator, application.url, "Live", ".da-live");
    await choose(page, "Kiln (1e:c0)");
    await until("where it is", async () => (await remarks()) === "At hall <9>.");
    await choose(page, "sick");
    await until("unknown", async () => (await remarks()) === "Not in the list of devices.");
    await until("its value", async () => (await drawn("metric level", "level")).length === 1);
    await measure("sick", { quality: "stale", metrics: { level: 8 } });
    await until("stale", async () => /The latest reading is stale/.test(await remarks()));
    await until("drawn", async () => (await drawn("metric level", "level")).length === 2);
    await measure("sick", { quality: "bad", metrics: { level: -999 } });
    await until("bad", async () => /The latest reading is bad: it is not drawn/.test(await remarks()));
    assert.deepEqual(
      (await drawn("metric level", "level")).map(({ value }) => value),
      [7, 8],
    );
    await measure("sick", { metrics: { level: 9 } });
    await until("good again", async () => (await remarks()) === "Not in the list of devices.");
    await choose(page, "Spare kiln (spare)");
    await page.getByText("Nothing was heard of Spare kiln (spare) yet.").waitFor();
    await maintain("idle");
    await choose(page, "Press (idle)");
    await until("maintenance", async () => /In maintenance until .*, by Kim: new bearing/.test(await remarks()));
    await makesSense(operator, page);
    await picture(operator, "any-live-maintenance");
  });

  it("counts on Trends what was bad or stale", async () => {
    await measure("worn", { quality: "stale", timestamp: Date.now() - 1000 });
    await measure("worn", { quality: "bad", metrics: { level: -999 } });
    const page = await openPage(operator, application.url, "Trends", "da-trends");
    const bars = async () => (await drawn("bad or stale", "readings")).reduce((sum, { value }) => sum + value, 0);
    await choose(page, "worn");
    await until("two readings", async () => (await bars()) === 2);
    const metrics = await page.getByRole("group", { name: "Metrics" }).getByRole("button").allTextContents();
    assert.deepEqual(metrics, ["door open", "level"]);
    assert.deepEqual(
      (await drawn("metric level", "level")).map(({ value }) => value),
      [7, 7],
    );
    await choose(page, "Kiln (1e:c0)");
    await until("no such chart", async () => (await page.locator('[data-chart="bad or stale"]').count()) === 0);
  });

  it("says so on Devices and Alarms, too", async () => {
    const devices = await openPage(operator, application.url, "Devices", "da-devices");
    const row = (name: string) =>
      devices
        .locator(".rows > [role=row]")
        .filter({ has: operator.page.locator("b").getByText(name, { exact: true }) });
    await until("never heard of", async () =>
      /offlinenever heard of/.test((await row("Spare kiln").textContent()) ?? ""),
    );
    await row("Spare kiln").click();
    await devices.getByText("It was never heard of.").waitFor();
    assert.equal(await devices.locator(".detail h3").innerText(), "Spare kiln spare");
    assert.match((await row("Press").textContent()) ?? "", /maintenance/);
    assert.match((await row("sick").textContent()) ?? "", /not listed/);
    const alarms = await openPage(operator, application.url, "Alarms", "da-alarms");
    const alarm = (name: string) => alarms.locator(".alarm").filter({ hasText: name });
    // It was silent: its first reading only ends that.
    await until("hot", async () => {
      await measure("2f:c0", { metrics: { temperature: 99 }, units: { temperature: "°C" } });
      return (await alarm("Kiln overheating").count()) === 1;
    });
    await maintain("2f:c0");
    await until("why nobody is told", async () =>
      /suppressed.*by Kim: maintenance: new bearing/.test((await alarm("Kiln overheating").textContent()) ?? ""),
    );
    assert.match((await alarm("Spare kiln offline").textContent()) ?? "", /spare · store.*after \d+ s/);
    assert.match(
      await alarms.locator(".journal").innerText(),
      /Spare kiln spare critical offline raised after \d+ s$/m,
    );
    await alarms.getByRole("button", { name: "Shelve Spare kiln (spare) offline" }).click();
    await alarms.getByText("Shelve Spare kiln (spare) offline?").waitFor();
    await alarms.locator("dialog").getByRole("button", { name: "Cancel" }).click();
    await makesSense(operator, alarms);
    await picture(operator, "any-alarms");
  });

  itComplainsOfNothing(() => ({ operator, room }));
});
