import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import type { DeviceDetail, DeviceRow } from "../../core/device-status.ts";
import type { DaDevices } from "../../elements/da-devices.ts";
import type { DeviceLimits, DevicesNews } from "../../elements/devices-data.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import {
  dispatched,
  give,
  itComplainsOfNothing,
  itFits,
  openPage,
  picture,
  showElement,
  withDevices,
  withWayIn,
} from "./pages.ts";

/** Rows of the table as text, in the order in which they stand. */
async function rowsOf(page: Locator): Promise<string[]> {
  const rows = await page.locator(".rows > [role=row]").evaluateAll((rows) =>
    rows.map((row) => ({
      place: Number(row.getAttribute("aria-rowindex")),
      text: [...row.children].map((cell) => cell.textContent).join(" | "),
    })),
  );
  return rows.sort((a, b) => a.place - b.place).map(({ text }) => text);
}
const rowOf = async (page: Locator, device: string) =>
  (await rowsOf(page)).find((text) => text.startsWith(device)) ?? "";
const open = (page: Locator, device: string) =>
  page
    .locator(".rows > [role=row]")
    .filter({ has: page.page().locator(`b[title="${device}"]`) })
    .click();
const detail = (page: Locator) => page.locator(".detail");

describe("the page Devices", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  before(async () => {
    application = await startApplication({ userDir });
    const { flows } = await application.flow();
    const devices = [
      { deviceId: "R1", name: "Robot one", location: "hall 1" },
      { deviceId: "R2" },
      { deviceId: "R3" },
      { deviceId: "R4" },
      { deviceId: "spare", name: "Spare robot", location: "store" },
    ];
    await application.deploy(withWayIn(withDevices(flows, devices), "dashboard-devices"));
    client = await connectAsync(application.mqttUrl);
    room = await ControlRoom.open();
    operator = await room.operator();
    page = await openPage(operator, application.url, "Devices", "da-devices");
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const publish = (topic: string, payload: object, retain = false) =>
    client.publishAsync(topic, JSON.stringify(payload), { qos: 1, retain });
  const measure = (deviceId: string, metrics: object, more: object = {}) =>
    publish(`plant/telemetry/${encodeURIComponent(deviceId)}`, { deviceId, timestamp: Date.now(), metrics, ...more });
  const button = (name: string) => detail(page).getByRole("button", { name });
  const confirm = (name: string) => page.locator("dialog").getByRole("button", { name }).click();
  const answer = (pattern: RegExp) =>
    until(String(pattern), async () => pattern.test((await page.locator(".answer").textContent()) ?? ""));

  it("shows all devices with their status in words, health, metrics with units, and the age of what is known", async () => {
    await until("four healthy ones", async () => /healthy/.test(await rowOf(page, "R4")));
    const row = await rowOf(page, "Robot one");
    for (const value of [/^Robot oneR1 · hall 1 /, / °C /, / g /, / % /, / m\/s /, / \d+ s ago /])
      assert.match(row, value);
    const signs = await page.locator(".rows .icon").count();
    assert.ok(signs >= 5);
  });

  it("follows what arrives", async () => {
    const before = await rowOf(page, "R2");
    await until(
      "other values",
      async () => (await rowOf(page, "R2")).replace(/\d+ s ago/, "") !== before.replace(/\d+ s ago/, ""),
    );
  });

  it("tells apart what was never heard of, what is not listed, what is bad and what is offline", async () => {
    const device = "a/b+c <i>#1</i>";
    await measure(device, { "öl druck": 3 }, { units: { "öl druck": "bar" } });
    await measure("sick", { temperature: 50 }, { units: { temperature: "°C" } });
    await measure("sick", { temperature: -999 }, { quality: "bad" });
    await publish("plant/status/gone", {
      deviceId: "gone",
      status: "offline",
      lastSeen: Date.now() - 7_200_000,
      timestamp: Date.now(),
    });
    await until("never heard of", async () => /unknownnever heard of .* never/.test(await rowOf(page, "Spare robot")));
    await until("not listed", async () => /not listed/.test(await rowOf(page, device)));
    await until("bad", async () => /bad values/.test(await rowOf(page, "sick")));
    assert.match(await rowOf(page, "sick"), /50\.0+ °C/);
    await until("offline", async () => /offline .* 2 h ago/.test(await rowOf(page, "gone")));
  });

  it("filters by status, searches and orders", async () => {
    await page.getByRole("button", { name: "offline" }).click();
    await until("the silent one alone", async () => (await rowsOf(page)).length === 1);
    assert.equal(await page.locator(".count").textContent(), "1 of 8 devices");
    await page.getByRole("button", { name: "offline" }).click();
    await page.getByLabel("Search").fill("HALL");
    await until("the one in the hall", async () => (await rowsOf(page)).length === 1);
    await page.getByLabel("Search").fill("nowhere");
    await page.getByText("No device is like that").waitFor();
    await page.getByLabel("Search").fill("");
    const titles = async () => (await rowsOf(page)).map((text) => text.slice(0, 2));
    await page.getByRole("button", { name: "Order by Device" }).click();
    await until("by name", async () => (await titles()).join().startsWith("a/,go,Ro,R2,R3,R4"));
    await page.getByRole("button", { name: "Order by Device" }).click();
    await until("the other way", async () => (await titles()).join().startsWith("Sp,si,R4"));
    await page.getByRole("button", { name: "Order by temperature" }).click();
    await until("the hottest first, those without last", async () =>
      /\| – \| – \|/.test((await rowsOf(page)).at(-1) ?? ""),
    );
    await page.getByRole("button", { name: "Order by Status" }).click();
  });

  it("opens a device with its metrics, features, history and flags, alarms and journal", async () => {
    const metrics = { temperature: 91, vibration: 1.8, battery: 64 };
    for (let n = 0; n < 3; n++)
      await measure("hot", metrics, { units: { temperature: "°C", vibration: "g" }, timestamp: Date.now() + n });
    await until("the newcomer", async () => (await rowOf(page, "hot")) !== "");
    await open(page, "hot");
    const text = async () => (await detail(page).textContent()) ?? "";
    await until("its flags", async () => /overheating91 °C75 °C−30/.test(await text()));
    await until("its alarms", async () => /overheating91 °C, limit 75 °Cunacknowledged/.test(await text()));
    await until("its journal", async () => /critical overheating raised at 91 °C, limit 75 °C/.test(await text()));
    assert.match(await text(), /Metric.*Value.*Normal.*mean.*stdev/);
    assert.match(await text(), /vibration1.8 g/);
    await until("points of its history", async () => (await operator.points("metric temperature")).length >= 3);
  });

  it("restarts a device once that is confirmed, and shows what the device answers", async () => {
    await open(page, "R1");
    await button("Restart").click();
    await page.locator("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal(await page.locator(".answer").textContent(), "");
    await button("Restart").click();
    await confirm("Restart");
    await answer(/Robot one \(R1\) has done restart for \w+/);
  });

  it("changes limits of a device once that is confirmed, draws them in its charts, and takes them back", async () => {
    const drawn = async (limit: number) =>
      (await operator.points("metric temperature")).some(
        ({ series, value }) => series === "overheating" && value === limit,
      );
    await open(page, "R3");
    await until("its limit in the chart", () => drawn(75));
    await until("its limits are known", async () => {
      await button("Change limits").click();
      const count = await page.locator("dialog input").count();
      if (count === 0) await confirm("Cancel");
      return count > 0;
    });
    const field = page.locator("dialog").getByLabel("overheating");
    assert.equal(await field.inputValue(), "75");
    await field.fill("20");
    await confirm("Change limits");
    await answer(/Limits changed by \w+/);
    await until("the other limit in the chart", () => drawn(20));
    await until("a lower health", async () => /(warning|critical) \| 70/.test(await rowOf(page, "R3")));
    await button("Change limits").click();
    await field.fill("");
    await confirm("Change limits");
    await until("as before", async () => / 100 /.test(` ${(await rowOf(page, "R3")).split("|")[2]?.trim()} `));
  });

  it("puts a device into maintenance and ends it", async () => {
    await open(page, "R4");
    await button("Maintenance").click();
    await page.locator("dialog").getByLabel("Why").fill("new bearing");
    await confirm("Begin maintenance");
    await until("in maintenance", async () => /maintenance/.test(await rowOf(page, "R4")));
    await until("why", async () =>
      /In maintenance until .*: new bearing/.test((await detail(page).textContent()) ?? ""),
    );
    await button("End maintenance").click();
    await until("over", async () => !/maintenance/.test(await rowOf(page, "R4")));
  });

  it("keeps what one operator chose from the others, and across a reload", async () => {
    const other = await room.operator();
    const theirs = await openPage(other, application.url, "Devices", "da-devices");
    await open(theirs, "R2");
    await until("R2", async () => /R2/.test((await detail(theirs).locator("h3").textContent()) ?? ""));
    assert.match((await detail(page).locator("h3").textContent()) ?? "", /R4/);
    await other.page.reload();
    await until("R2 again", async () => /heard of/.test((await detail(theirs).textContent()) ?? ""));
    assert.match((await detail(theirs).locator("h3").textContent()) ?? "", /R2/);
    await until("its history", async () => (await other.points("metric temperature")).length > 1);
    await other.page.close();
  });

  it("takes no command of a viewer, whatever comes from his browser", async () => {
    const asked: object[] = [];
    await client.subscribeAsync("plant/request/+", { qos: 1 });
    client.on("message", (_topic, payload) => asked.push(JSON.parse(String(payload))));
    const restart = { command: "restart", payload: { deviceId: "R2" } };
    await publish("try/dashboard-devices", { ...restart, role: "viewer" });
    await publish("try/dashboard-devices", { ...restart, command: "erase", role: "admin" });
    await publish("try/dashboard-devices", { ...restart, role: "operator", by: "Kim" });
    await until("one that may be given", async () => asked.length > 0);
    await button("Restart").click();
    await confirm("Restart");
    await answer(/R4 has done restart/);
    assert.deepEqual(asked[0], { command: "restart", by: "Kim" });
    assert.equal(asked.length, 2);
  });

  itFits("devices", () => ({ operator, element: page }), ".bar > *, .head > *, .rows > * > *, .detail > *, da-chart");

  it("draws a bounded number of rows of 1,000 devices, follows them all, and finds any", async () => {
    await operator.page.setViewportSize({ width: 1920, height: 1080 });
    const readings = (value: number) =>
      Array.from({ length: 1000 }, (_, n) => ({
        deviceId: `unit ${n + 1}`,
        timestamp: Date.now(),
        metrics: { temperature: value + n / 1000, vibration: 0.5 },
        units: { temperature: "°C", vibration: "g" },
      }));
    await client.publishAsync("plant/telemetry/units", JSON.stringify(readings(40)), { qos: 1 });
    await until("all of them", async () => /^10\d\d devices$/.test((await page.locator(".count").textContent()) ?? ""));
    assert.ok((await page.locator(".rows > [role=row]").count()) < 60);
    await page.getByRole("button", { name: "Order by Device" }).click();
    await page.locator(".scroll").evaluate((scroll) => {
      scroll.scrollTop = scroll.scrollHeight;
    });
    await until("the last one", async () => /41\.00 °C/.test(await rowOf(page, "unit 1000")));
    await client.publishAsync("plant/telemetry/units", JSON.stringify(readings(50)), { qos: 1 });
    await until("its new value", async () => /51\.00 °C/.test(await rowOf(page, "unit 1000")));
    await page.getByLabel("Search").fill("unit 77");
    await until("eleven", async () => (await rowsOf(page)).length === 11);
    await page.getByLabel("Search").fill("");
    await picture(operator, "devices-1000");
    await page.getByRole("button", { name: "Order by Status" }).click();
  });

  itComplainsOfNothing(() => ({ operator, room }));

  it("says that it is cut off, and goes on by itself, with the same choice, when the connection is back", async () => {
    await page.getByLabel("Search").fill("R2");
    await open(page, "R2");
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    await page.getByText("the connection is interrupted").waitFor({ timeout: 20_000 });
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    await until("fresh values", async () => /\| [0-3] s ago/.test(await rowOf(page, "R2")));
    assert.match((await detail(page).locator("h3").textContent()) ?? "", /R2/);
    await until("connected", async () => (await page.locator(".cut-off").textContent()) === "");
  });
});

describe("<da-devices> on a page of its own", function () {
  this.timeout(30_000);
  let room: ControlRoom;
  let operator: Operator;
  let element: Locator;

  before(async () => {
    room = await ControlRoom.open();
    operator = await room.operator();
  });
  beforeEach(async () => {
    element = await showElement(operator, "da-devices");
  });
  afterEach(() => assert.deepEqual(operator.complaints, []));
  after(() => room.close());

  const now = Date.now();
  const row = (deviceId: string, more: Partial<DeviceRow> = {}): DeviceRow => ({
    deviceId,
    status: "healthy",
    metrics: { level: 2 },
    units: { level: "m" },
    openAlarms: 0,
    lastSeen: now,
    health: 100,
    ...more,
  });
  const inFull = (deviceId: string, more: Partial<DeviceDetail> = {}): DeviceDetail => ({
    deviceId,
    isKnown: true,
    status: "healthy",
    metrics: [{ name: "level", value: 2, unit: "m", timestamp: now }],
    openAlarms: 0,
    alarms: [],
    lines: [],
    lastSeen: now,
    ...more,
  });
  const news = (devices: DeviceRow[], more: Partial<DevicesNews> = {}): DevicesNews => ({
    timestamp: Date.now(),
    isWhole: true,
    devices,
    ...more,
  });
  const limits: DeviceLimits = {
    deviceId: "P1",
    limits: [
      { flag: "full", metric: "level", comparison: ">", limit: 5, penalty: 30, isSet: true, isSettable: true },
      { flag: "levels", metric: "level", comparison: ">", limit: 7, penalty: 30, isSet: false, isSettable: false },
    ],
  };
  const rows = () => rowsOf(element);

  it("waits, is empty, and fills", async () => {
    await element.getByText("Waiting for the devices").waitFor();
    await give(element, news([]));
    await element.getByText("No device has been heard of yet").waitFor();
    await give(element, news([row("P1")]));
    await until("a row", async () => (await rows()).length === 1);
  });

  it("changes the devices that a message names, and replaces all by a whole one", async () => {
    await give(element, news([row("P1"), row("P2")]));
    await give(element, news([row("P2", { metrics: { level: 9 } })], { isWhole: false }));
    await until("9 m", async () => /9 m/.test(await rowOf(element, "P2")));
    assert.equal((await rows()).length, 2);
    await give(element, news([row("P3")]));
    await until("one", async () => (await rows()).join().startsWith("P3"));
  });

  it("shows names as what they are, never as markup", async () => {
    await give(element, news([row("<img src=x onerror=alert(1)>", { metrics: { __proto__x: 1, "<b>": 2 } })]));
    await until("the name", async () => (await rows())[0]?.startsWith("<img src=x onerror=alert(1)>") ?? false);
    assert.equal(await element.locator("img").count(), 0);
  });

  it("goes from row to row by keys, opens one and closes it, with the focus to be seen", async () => {
    await give(element, news(Array.from({ length: 300 }, (_, n) => row(`P${n + 1}`))));
    await element.locator(".rows > [role=row]").first().focus();
    await operator.page.keyboard.press("End");
    const focused = () =>
      element.evaluate((element) => (element.shadowRoot?.activeElement as HTMLElement | null)?.dataset.of);
    await until("the last", async () => (await focused()) === "P300");
    await operator.page.keyboard.press("ArrowUp");
    await until("the one before", async () => (await focused()) === "P299");
    const outline = await element.evaluate(
      (element) => getComputedStyle(element.shadowRoot?.activeElement as Element).outlineWidth,
    );
    assert.equal(outline, "3px");
    await operator.page.keyboard.press("Enter");
    await until("chosen", async () =>
      (await dispatched(operator, "choice")).some((choice) => "deviceId" in choice && choice.deviceId === "P299"),
    );
    await element.getByRole("button", { name: "Close" }).click();
    await until("back", async () => (await focused()) === "P299");
  });

  it("lets the Tab key pass all rows at once, and come back to where it was", async () => {
    await give(element, news(Array.from({ length: 300 }, (_, n) => row(`P${n + 1}`))));
    await element.evaluate((element) => Object.assign(element, { choice: { deviceId: "P2" } }));
    const focused = () =>
      element.evaluate((element) => {
        const focus = element.shadowRoot?.activeElement as HTMLElement | null;
        return focus?.dataset.of ?? focus?.ariaLabel;
      });
    await element.getByRole("button", { name: "Order by Alarms" }).focus();
    await operator.page.keyboard.press("Tab");
    await until("the one that is open", async () => (await focused()) === "P2");
    await operator.page.keyboard.press("ArrowDown");
    await until("the next", async () => (await focused()) === "P3");
    await operator.page.keyboard.press("Tab");
    await until("beside the rows", async () => (await focused()) === "Close");
    await operator.page.keyboard.press("Shift+Tab");
    await until("where it was", async () => (await focused()) === "P3");
  });

  it("shows a viewer no buttons that do something", async () => {
    await element.evaluate((element) => Object.assign(element, { choice: { deviceId: "P1" } }));
    await give(element, news([row("P1")], { device: inFull("P1"), role: "operator" }));
    await element.getByRole("button", { name: "Restart" }).waitFor();
    await give(element, news([row("P1")], { device: inFull("P1"), role: "viewer" }));
    await element.getByRole("button", { name: "Restart" }).waitFor({ state: "detached" });
    assert.deepEqual(await element.locator(".about button").allTextContents(), ["✕"]);
  });

  it("asks for the limits of the chosen device, and gives only those that were changed", async () => {
    await element.evaluate((element) => Object.assign(element, { choice: { deviceId: "P1" } }));
    await give(element, news([row("P1")], { device: inFull("P1") }));
    assert.deepEqual(await dispatched(operator, "command"), [{ command: "limits", payload: { deviceId: "P1" } }]);
    await give(element, limits);
    await element.getByRole("button", { name: "Change limits" }).click();
    assert.deepEqual(await element.locator("dialog label").allTextContents(), ["full: level above 5 m (set)m"]);
    await element.getByLabel("full").fill("6.5");
    await element.locator("dialog").getByRole("button", { name: "Change limits" }).click();
    await until("the command", async () => (await dispatched(operator, "command")).length === 2);
    assert.deepEqual((await dispatched(operator, "command"))[1], {
      command: "set",
      payload: { deviceId: "P1", flag: "full", limit: 6.5 },
    });
  });

  it("says what it was asked, what became of it, and when nobody answers", async () => {
    await element.evaluate((element) => Object.assign(element, { choice: { deviceId: "P1" } }));
    await give(element, news([row("P1")], { device: inFull("P1") }));
    await element.getByRole("button", { name: "Restart" }).click();
    await element.locator("dialog").getByRole("button", { name: "Restart" }).click();
    await element.getByText("Restart asked for").waitFor();
    await element.getByText("nobody has answered yet").waitFor({ timeout: 15_000 });
    const line = {
      deviceId: "P1",
      command: "restart",
      commandId: "1",
      arguments: {},
      outcome: "failed" as const,
      sentAt: now,
      timestamp: Date.now(),
    };
    await give(
      element,
      news([row("P1")], {
        device: inFull("P1", { lines: [{ ...line, text: "P1 could not restart: no power." } as typeof line] }),
      }),
    );
    await element.locator(".answer").getByText("no power").waitFor();
  });

  it("says of a device that is open what is not as it should be", async () => {
    await element.evaluate((element) => Object.assign(element, { choice: { deviceId: "P1" } }));
    await give(
      element,
      news([row("P1")], {
        device: inFull("P1", {
          quality: "stale",
          status: "offline",
          maintenance: { since: now, until: now + 60_000, by: "Kim" },
        }),
      }),
    );
    await element.getByText("The latest reading is stale").waitFor();
    await element.getByText("all values are those before").waitFor();
    await element.getByText(/In maintenance until .*, by Kim/).waitFor();
    await give(element, news([], { device: inFull("P1", { isKnown: false }) }));
    await element.getByText("Nothing was ever heard of this device").waitFor();
  });

  it("is dark on a light page's text, and light on a dark one's", async () => {
    await give(element, news([row("P1", { status: "critical" })]));
    const surface = (element: Locator) =>
      element.evaluate((element) => getComputedStyle(element).getPropertyValue("--surface").trim());
    assert.equal(await surface(element), "#18222d");
    const light = await showElement(operator, "da-devices", "color: #222; background: #fff");
    const rows = ["critical", "warning", "anomaly", "offline", "unknown", "maintenance", "healthy"].map((status) =>
      row(`P ${status}`, { status: status as DeviceRow["status"] }),
    );
    await give(light, news(rows));
    await until("light", async () => (await surface(light)) === "#ffffff" || (await surface(light)) === "#fff");
    await picture(operator, "devices-light");
  });

  it("takes what was set before the element was there, and leaves nothing running when it is gone", async () => {
    const count = await element.evaluate(
      async (element, message) => {
        const late = document.createElement("da-late") as unknown as DaDevices;
        late.data = message;
        document.body.append(late);
        const Devices = customElements.get("da-devices") as typeof DaDevices;
        customElements.define("da-late", class extends Devices {});
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        const count = late.shadowRoot?.querySelectorAll(".rows > div").length;
        late.remove();
        element.remove();
        return count;
      },
      news([row("P1")]),
    );
    assert.equal(count, 1);
  });
});
