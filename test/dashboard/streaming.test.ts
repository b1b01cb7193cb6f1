import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { itComplainsOfNothing, itFits, openPage } from "./pages.ts";

const PAGE = ".masonry-container:has(.da-half)";

describe("the page Streaming", function () {
  this.timeout(120_000);
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  before(async () => {
    application = await startApplication();
    client = await connectAsync(application.mqttUrl);
    room = await ControlRoom.open();
    operator = await room.operator();
    page = await openPage(operator, application.url, "Streaming", PAGE);
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  const rate = async (label: string) => Number.parseFloat(await operator.figure(label));
  const text = async (selector: string) => (await page.locator(selector).textContent()) ?? "";
  const shows = (what: RegExp, selector: string) => until(String(what), async () => what.test(await text(selector)));
  const form = (title: string) => page.locator("form").filter({ hasText: title });

  it("says how many readings come in each second and from where, and how broker and store are", async () => {
    await until("about two a second", async () => Math.abs((await rate("All readings")) - 2) < 0.8);
    await until("from the simulator", async () => Math.abs((await rate("From the simulator")) - 2) < 0.8);
    assert.equal(await rate("From other devices"), 0);
    await until("stored", async () => (await rate("Points stored")) > 2);
    assert.equal(await operator.figure("Broker mqtt://127.0.0.1"), "connected");
    assert.equal(await operator.figure("Store of readings"), "storing");
    assert.equal(await operator.figure("Store of verdicts"), "storing");
    assert.equal(await operator.figure("Refused, dropped"), "0");
  });

  it("stops, starts and restarts the simulator, and says who asked for it", async () => {
    await shows(/running: 4 devices of the profile machine, a reading every 2 s/, ".da-controls");
    await operator.press("Stop");
    await shows(/stopped/, ".da-controls");
    await shows(/The simulator has done stop .*for admin/, ".da-lines");
    await openAgain("Live", ".da-live");
    page = await openAgain("Streaming", PAGE);
    await shows(/has done stop/, ".da-lines");
    await form("Inject").waitFor();
    await operator.press("Start");
    await shows(/running/, ".da-controls");
    await operator.press("Restart");
    await shows(/has done restart .*for admin/, ".da-lines");
  });

  it("asks for the devices no oftener where a second simulator answers, too", async () => {
    const asked: number[] = [];
    let answered = 0;
    const second = await connectAsync(application.mqttUrl);
    const state = { state: "running", profile: "server", devices: 1, intervalSeconds: 1, sent: 0 };
    second.on("message", async (_topic, payload) => {
      asked.push(performance.now());
      // Later than the first one, whose answer it replaces.
      await delay(200);
      const answer = { ...JSON.parse(String(payload)), ok: true, devices: [{ deviceId: "S1" }], state };
      await second.publishAsync("plant/answer/*", JSON.stringify(answer), { qos: 1 });
      answered++;
    });
    await second.subscribeAsync("plant/command/*", { qos: 1 });
    const profile = () => form("Another fleet").getByLabel("Profile").locator("option:checked").textContent();
    try {
      await until("three answers", async () => answered >= 3);
      await until("what the second one says", async () => (await profile()) === "server");
    } finally {
      await second.endAsync(true);
    }
    // One every five seconds, and one when the page was opened.
    const [first = 0, , third = 0] = asked;
    assert.ok(third - first > 4000, `three within ${third - first} ms`);
    await until("the first one alone", async () => (await profile()) === "machine");
  });

  it("changes devices, interval and profile of the simulator", async () => {
    const fleet = form("Another fleet");
    await fleet.getByLabel("Profile").selectOption({ label: "server" });
    await fleet.getByLabel("Devices").fill("6");
    await fleet.getByLabel("A reading every").fill("0.5");
    await fleet.getByRole("button", { name: "Set" }).click();
    await shows(/running: 6 devices of the profile server, a reading every 0.5 s/, ".da-controls");
    await until("six to choose from", async () => (await form("Inject").locator("option[label=R6]").count()) === 1);
    await until("more readings", async () => (await rate("From the simulator")) > 3);
  });

  it("keeps what one operator is about to choose from the others", async () => {
    const other = await room.operator();
    const others = await openPage(other, application.url, "Streaming", PAGE);
    await others.getByLabel("Fault", { exact: true }).selectOption({ label: "noise" });
    await others.getByLabel("Devices", { exact: true }).first().fill("9");
    await until("a message later", async () => (await rate("All readings")) > 0);
    const chosen = page.getByLabel("Fault", { exact: true }).locator("option:checked");
    assert.equal(await chosen.textContent(), "overheating");
    assert.equal(await form("Another fleet").getByLabel("Devices").inputValue(), "6");
    await other.page.close();
  });

  it("injects a fault, which becomes an anomaly, an alarm and a lower health", async () => {
    const fleet = form("Another fleet");
    await fleet.getByLabel("Profile").selectOption({ label: "machine" });
    await fleet.getByLabel("A reading every").fill("0.1");
    await fleet.getByRole("button", { name: "Set" }).click();
    await shows(/profile machine, a reading every 0.1 s/, ".da-controls");
    const seen = { health: 100, isAnomaly: false, alarms: [] as string[] };
    let count = 0;
    client.on("message", (topic, payload) => {
      if (topic.startsWith("plant/alarms/")) {
        if (payload.length > 0) seen.alarms.push(topic);
        return;
      }
      const { health, verdicts } = JSON.parse(payload.toString());
      count++;
      seen.health = Math.min(seen.health, health?.score ?? 100);
      seen.isAnomaly ||= Object.values(verdicts ?? {}).some((verdict) => (verdict as { isAnomaly: boolean }).isAnomaly);
    });
    await client.subscribeAsync(["plant/analysis/R6", "plant/alarms/R6/+"]);
    await until("what is usual is known", async () => count > 150);
    Object.assign(seen, { health: 100, isAnomaly: false, alarms: [] });
    const fault = form("Inject a fault");
    await fault.getByLabel("Device").selectOption({ label: "R6" });
    await fault.getByLabel("Fault").selectOption({ label: "battery-drop" });
    await fault.getByLabel("For").fill("60");
    await fault.getByRole("button", { name: "Inject" }).click();
    await shows(/R6 battery-drop, \d+ s left/, ".da-faults");
    await shows(/R6 has done fault .*battery-drop.* for admin/, ".da-lines");
    await until("an anomaly", async () => seen.isAnomaly);
    await until("a lower health", async () => seen.health < 100);
    await until("an alarm", async () => seen.alarms.length > 0);
    await client.unsubscribeAsync(["plant/analysis/R6", "plant/alarms/R6/+"]);
    const alarms = await openAgain("Alarms", "da-alarms");
    await until("it stands among the alarms", async () => (await alarms.getByText("R6").count()) > 0);
    page = await openAgain("Streaming", PAGE);
  });

  it("exports as CSV exactly what is stored, and says how far that is", async () => {
    const begin = Date.now() - 60_000;
    for (let n = 0; n < 50; n++) {
      const reading = { deviceId: "scale 1", timestamp: begin + n, metrics: { weight: n / 8 } };
      await client.publishAsync("plant/telemetry/scale%201", JSON.stringify(reading), { qos: 1 });
    }
    await page.getByLabel("Devices (names").fill("scale 1");
    const download = async () => {
      const [found] = await Promise.all([
        operator.page.waitForEvent("download"),
        page.getByRole("link", { name: "Download CSV" }).click(),
      ]);
      return readFileSync(await found.path(), "utf8")
        .trim()
        .split("\r\n");
    };
    let lines: string[] = [];
    await until("all is stored", async () => {
      lines = await download();
      return lines.length === 51;
    });
    const [header = [], ...rows] = lines.map((line) => line.split(","));
    const place = header.indexOf("weight");
    assert.deepEqual(
      rows.map((row) => [Date.parse(row[0] ?? ""), row[1], row[place]]),
      Array.from({ length: 50 }, (_, n) => [begin + n, "scale 1", String(n / 8)]),
    );
    await shows(/readings finished, 50 rows/, ".da-exports");
    assert.equal(await page.locator(".da-exports progress").first().getAttribute("value"), "1");
    await openAgain("Live", ".da-live");
    page = await openAgain("Streaming", PAGE);
    await shows(/readings finished, 50 rows/, ".da-exports");
  });

  it("exports a range from one time to another, of whatever is stored, and refuses one without length", async () => {
    const link = page.getByRole("link", { name: "Download CSV" });
    await page.getByLabel("What").selectOption({ label: "alarms" });
    await page.getByLabel("Range").selectOption({ label: "from – to" });
    await page.getByLabel("From", { exact: true }).fill("2026-03-01T06:00:00");
    await page.getByLabel("To", { exact: true }).fill("2026-03-02T06:00:00");
    const address = new URL((await link.getAttribute("href")) ?? "", application.url);
    assert.equal(address.searchParams.get("measurement"), "alarms");
    const [from, to] = ["from", "to"].map((name) => Date.parse(address.searchParams.get(name) ?? ""));
    assert.equal(Number(to) - Number(from), 86_400_000);
    await page.getByLabel("To", { exact: true }).fill("2026-02-01T06:00:00");
    await page.getByText("The range needs a begin before its end").waitFor();
    assert.equal(await page.locator("a[download]").getAttribute("aria-disabled"), "true");
    await page.getByLabel("Range").selectOption({ label: "last hour" });
  });

  it("shows a viewer no buttons, and takes nothing from him that changes something", async () => {
    const kim = { name: "Kim", password: "a viewer's password" };
    const admin = await application.admin();
    await admin.post("/ui/users", { action: "add", role: "viewer", ...kim });
    const viewer = await room.operator();
    await viewer.open(application.url, kim);
    await viewer.page.goto(operator.page.url());
    const seen = viewer.page.locator(PAGE);
    await seen.getByText(/running: \d devices/).waitFor();
    await until("no buttons", async () => (await seen.locator(".da-operator:visible").count()) === 0);
    assert.deepEqual(await seen.locator("a:visible, button:visible").allTextContents(), ["Download CSV"]);
    // He presses one all the same.
    await seen.locator(".da-operator button").first().dispatchEvent("click");
    await viewer.page.getByText("This needs the role operator; you are viewer.").waitFor();
    assert.match(await text(".da-controls"), /running/);
    await viewer.page.close();
  });

  itFits(
    "streaming",
    () => ({ operator, element: operator.page.locator("body") }),
    ".da-page, .da-page md-card, .da-form > *",
  );

  itComplainsOfNothing(() => ({ operator, room }));

  it("goes on by itself, with the same choice, when the connection was gone", async () => {
    await page.getByLabel("Fault", { exact: true }).selectOption({ label: "drift" });
    const port = new URL(application.url).port;
    const { userDir } = application;
    await client.endAsync(true);
    await application.stop();
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    // What was set by command lasts until a restart.
    await shows(/running: 4 devices of the profile machine, a reading every 2 s/, ".da-controls");
    await until("four to choose from", async () => (await form("Inject").locator("option[label=R5]").count()) === 0);
    await until("figures that go on", async () => (await rate("From the simulator")) > 0);
    const chosen = page.getByLabel("Fault", { exact: true }).locator("option:checked");
    assert.equal(await chosen.textContent(), "drift");
  });

  /** Goes to a page by the menu. */
  async function openAgain(name: string, element: string): Promise<Locator> {
    await operator.page.locator("md-toolbar button").first().click();
    await operator.page.locator("md-sidenav").getByRole("button", { name, exact: true }).click();
    const found = operator.page.locator(element);
    await found.waitFor();
    await operator.page.locator("md-sidenav").waitFor({ state: "hidden" });
    return found;
  }
});

describe("the page Streaming, with a replay", function () {
  this.timeout(90_000);

  it("shows how far the replay has come, and pauses it", async () => {
    const file = join(newFolder(), "recorded.csv");
    const rows = Array.from({ length: 2000 }, (_, n) => `${1_772_359_200_000 + n * 100},P1,${20 + (n % 7)}`);
    writeFileSync(file, ["timestamp,device_id,temperature", ...rows].join("\n"));
    await using application = await startApplication({ args: ["--replay", file, "--speed", "5"] });
    const room = await ControlRoom.open();
    const operator = await room.operator();
    const page = await openPage(operator, application.url, "Streaming", PAGE);
    const progress = page.locator(".da-replay progress");
    const share = async () => Number(await progress.getAttribute("value"));
    await until("some of it", async () => (await share()) > 1);
    const before = await share();
    await until("more of it", async () => (await share()) > before);
    await page.getByText(/% of recorded.csv, \d+ readings/).waitFor();
    await operator.press("Stop");
    await page.getByText("stopped").waitFor();
    assert.equal(await page.getByText("Inject a fault").count(), 0);
    await room.close();
  });
});
