import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import type { Alarm } from "../../core/types.ts";
import type { AlarmsNews } from "../../elements/alarms-data.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { dispatched, give, itComplainsOfNothing, itFits, openPage, picture, showElement, withWayIn } from "./pages.ts";

const alarmsOf = (page: Locator) => page.locator(".alarm");
const alarmOf = (page: Locator, name: string) => alarmsOf(page).filter({ hasText: name });
const textOf = async (page: Locator, name: string) => (await alarmOf(page, name).allTextContents()).join("\n");
const journalOf = async (page: Locator) => (await page.locator(".lines").textContent()) ?? "";

describe("the page Alarms", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;
  let client: MqttClient;
  let page: Locator;

  before(async () => {
    application = await startApplication({ userDir });
    await application.deploy(withWayIn((await application.flow()).flows, "dashboard-alarms"));
    client = await connectAsync(application.mqttUrl);
    room = await ControlRoom.open();
    operator = await room.operator();
    await operator.page.addInitScript(() => {
      const { start } = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function (when) {
        Object.assign(window, { tones: ((window as { tones?: number }).tones ?? 0) + 1 });
        start.call(this, when);
      };
    });
    page = await openPage(operator, application.url, "Alarms", "da-alarms");
    await page.getByText("No open alarms").waitFor();
    heartbeat = setInterval(() => {
      for (const [deviceId, metrics] of sent) void publish(deviceId, metrics);
    }, 4000);
  });

  after(async () => {
    clearInterval(heartbeat);
    await room.close();
    await client.endAsync(true);
    await application.stop();
  });

  /** What devices send again and again, so that none falls silent while the tests go on. */
  const sent = new Map<string, object>();
  let heartbeat: NodeJS.Timeout;
  const publish = (deviceId: string, metrics: object) =>
    client.publishAsync(
      `plant/telemetry/${encodeURIComponent(deviceId)}`,
      JSON.stringify({
        deviceId,
        timestamp: Date.now(),
        metrics,
        units: { temperature: "°C", vibration: "g", battery: "%" },
        tags: { location: "hall 3" },
      }),
      { qos: 1 },
    );
  const measure = (deviceId: string, metrics: object) => {
    sent.set(deviceId, { ...sent.get(deviceId), ...metrics });
    return publish(deviceId, sent.get(deviceId) ?? {});
  };
  const tones = () => operator.page.evaluate(() => (window as { tones?: number }).tones ?? 0);
  const isTitled = (start: string) =>
    until(`a title with ${start}`, async () => (await operator.page.title()).startsWith(start));
  const confirm = (name: string) => page.locator("dialog").getByRole("button", { name }).click();

  it("shows open alarms, the most urgent first, with value, state, age and advice, and counts them in the title", async () => {
    await measure("P7", { temperature: 91, vibration: 1.8, battery: 20 });
    await until("three", async () => (await alarmsOf(page).count()) === 3);
    const [first = ""] = await alarmsOf(page).allTextContents();
    assert.match(first, /critical.*P7 overheating.*hall 3.*Reduce the load.*91 °C, limit 75 °C.*unacknowledged.*\d+ s/);
    await isTitled("(3) ");
    await until("the journal", async () => /P7 critical overheating raised at 91 °C/.test(await journalOf(page)));
  });

  it("pops a new critical alarm up on other pages too, as text", async () => {
    const other = await room.operator();
    await other.open(application.url);
    await measure("<b>P8</b>", { temperature: 99 });
    await other.page.getByText("<b>P8</b> overheating, 99 °C").waitFor();
    await other.page.close();
    await until("four", async () => (await alarmsOf(page).count()) === 4);
  });

  it("sounds for new critical alarms once that is switched on, and not for others", async () => {
    assert.equal(await tones(), 0);
    await page.getByRole("button", { name: "Sound for critical" }).click();
    await until("it is heard once", async () => (await tones()) === 2);
    await measure("P9", { battery: 10 });
    await until("five", async () => (await alarmsOf(page).count()) === 5);
    assert.equal(await tones(), 2);
    await measure("P9", { temperature: 80 });
    await until("a tone", async () => (await tones()) === 4);
  });

  it("acknowledges one alarm, several, and all that are shown", async () => {
    await alarmOf(page, "P7 overheating").getByRole("button", { name: "Acknowledge" }).click();
    await until("acknowledged", async () => /hall 3.*[^n]acknowledged/.test(await textOf(page, "P7 overheating")));
    await until("by whom", async () => /P7 critical overheating acknowledged by \w+/.test(await journalOf(page)));
    await page.getByLabel("Select P7 high-vibration").check();
    await page.getByLabel("Select P7 low-battery").check();
    await page.getByRole("button", { name: "Acknowledge selected (2)" }).click();
    await until(
      "both",
      async () => !/unacknowledged/.test(`${await textOf(page, "P7 high")}${await textOf(page, "P7 low")}`),
    );
    await page.getByLabel("Search").fill("P9");
    await page.getByRole("button", { name: "Acknowledge all shown (2)" }).click();
    await page.getByLabel("Search").fill("");
    await until("one is left", async () => (await operator.page.title()).startsWith("(1) "));
  });

  it("filters by severity and state", async () => {
    const count = (wanted: number) => until(`${wanted}`, async () => (await alarmsOf(page).count()) === wanted);
    await page.locator(".chips").getByRole("button", { name: "critical" }).click();
    await count(3);
    await page.getByLabel("State").selectOption("to acknowledge");
    await count(1);
    await page.locator(".chips").getByRole("button", { name: "info" }).click();
    await page.getByText("No open alarm is like that").waitFor();
    await page.locator(".chips").getByRole("button", { name: "info" }).click();
    await page.getByLabel("State").selectOption("all states");
    await count(6);
  });

  it("shelves an alarm for as long as is said, with the reason, and ends that", async () => {
    await alarmOf(page, "P8").getByRole("button", { name: "Shelve" }).click();
    await page.locator("dialog").getByLabel("For how long").selectOption("30 min");
    await page.locator("dialog").getByLabel("Why").fill("under test");
    await confirm("Shelve");
    await until("shelved", async () => /shelved for (30|29) min by \w+: under test/.test(await textOf(page, "P8")));
    await isTitled("Device");
    await alarmOf(page, "P8").getByRole("button", { name: "Unshelve" }).click();
    await until("no longer", async () => !/shelved/.test(await textOf(page, "P8")));
    await isTitled("(1) ");
  });

  it("takes an alarm off when it is over, and shows the figures of the alarm system", async () => {
    await measure("P7", { vibration: 0.5 });
    await until("five", async () => (await alarmsOf(page).count()) === 5);
    await until("in the journal", async () => /P7 warning high-vibration back to normal/.test(await journalOf(page)));
    await page.locator(".figures").getByText("In 10 min").waitFor();
    assert.match((await page.locator(".figures").textContent()) ?? "", /5 3 critical, 2 warning, 0 info/);
  });

  it("shows the same to another operator, without his filters, and after a reload", async () => {
    await page.getByLabel("Search").fill("P9");
    await until("two", async () => (await alarmsOf(page).count()) === 2);
    const other = await room.operator();
    const theirs = await openPage(other, application.url, "Alarms", "da-alarms");
    await until("all five", async () => (await alarmsOf(theirs).count()) === 5);
    await alarmOf(theirs, "P8").getByRole("button", { name: "Acknowledge" }).click();
    await page.getByLabel("Search").fill("");
    await until("acknowledged here", async () => /[^n]acknowledged/.test(await textOf(page, "P8")));
    await page.getByLabel("Search").fill("P9");
    await operator.page.reload();
    await until("two again", async () => (await alarmsOf(page).count()) === 2);
    assert.equal(await page.getByRole("button", { name: "Sound for critical" }).getAttribute("aria-pressed"), "true");
    await page.getByLabel("Search").fill("");
    await other.page.close();
  });

  it("takes no command of a viewer, whatever comes from his browser", async () => {
    await measure("P7", { vibration: 1.9 });
    await until("one more", async () => /unacknowledged/.test(await textOf(page, "P7 high-vibration")));
    const ack = { command: "ack", payload: { alarmId: ["P7/high-vibration"] } };
    const ask = (message: object) => client.publishAsync("try/dashboard-alarms", JSON.stringify(message), { qos: 1 });
    await ask({ ...ack, role: "viewer" });
    await ask({ ...ack, command: "out-of-service", role: "admin" });
    await ask({ ...ack, payload: { alarmId: ["P7/overheating"] }, command: "shelve", role: "viewer" });
    const button = alarmOf(page, "P7 overheating").getByRole("button", { name: "Shelve" });
    await button.click();
    await page.locator("dialog").getByLabel("Why").fill("later than that");
    await confirm("Shelve");
    await until("shelved", async () => /shelved/.test(await textOf(page, "P7 overheating")));
    const text = await textOf(page, "P7 high-vibration");
    assert.match(text, /unacknowledged/);
    assert.doesNotMatch(text, /out of service/);
  });

  itFits("alarms", () => ({ operator, element: page }), ".figure, .bar > *, .alarm > *, .do > *, .line > *");

  itComplainsOfNothing(() => ({ operator, room }));

  it("says that it is cut off, and has all alarms again when the connection is back", async () => {
    const before = await alarmsOf(page).count();
    clearInterval(heartbeat);
    const port = new URL(application.url).port;
    await client.endAsync(true);
    await application.stop();
    await page.getByText("the connection is interrupted").waitFor({ timeout: 20_000 });
    application = await startApplication({ userDir, args: ["--port", port] });
    client = await connectAsync(application.mqttUrl);
    await until("connected", async () => (await page.locator(".cut-off").textContent()) === "");
    assert.ok(before >= 5);
    await until("all of them", async () => (await alarmsOf(page).count()) >= before);
    await alarmOf(page, "P7 high-vibration").getByRole("button", { name: "Acknowledge" }).click();
    await until("acknowledged", async () => !/unacknowledged/.test(await textOf(page, "P7 high-vibration")));
  });

  it("begins its journal with what was before a restart, each line once", async () => {
    const newcomer = await room.operator();
    const theirs = await openPage(newcomer, application.url, "Alarms", "da-alarms");
    const past = [
      /P7 critical overheating raised at 91 °C/,
      /P7 critical overheating acknowledged by \w+/,
      /under test/,
    ];
    await until("the past", async () => {
      const journal = await journalOf(theirs);
      return past.every((line) => line.test(journal));
    });
    for (const each of [page, theirs]) {
      const lines = await each.locator(".line").allTextContents();
      assert.equal(new Set(lines).size, lines.length);
      assert.equal(lines.filter((line) => /P7 critical overheating raised/.test(line)).length, 1);
    }
    await newcomer.page.close();
  });
});

describe("<da-alarms> on a page of its own", function () {
  this.timeout(30_000);
  let room: ControlRoom;
  let operator: Operator;
  let element: Locator;

  before(async () => {
    room = await ControlRoom.open();
    operator = await room.operator();
  });
  beforeEach(async () => {
    element = await showElement(operator, "da-alarms");
  });
  afterEach(() => assert.deepEqual(operator.complaints, []));
  after(() => room.close());

  const now = Date.now();
  const alarm = (deviceId: string, more: Partial<Alarm> = {}): Alarm => ({
    alarmId: `${encodeURIComponent(deviceId)}/hot`,
    deviceId,
    condition: "hot",
    severity: "warning",
    state: "unacknowledged",
    raisedAt: now - 125_000,
    ...more,
  });
  const news = (alarms: Alarm[], more: Partial<AlarmsNews> = {}): AlarmsNews => ({
    timestamp: Date.now(),
    isWhole: true,
    alarms: alarms.map((each) => ({ deviceId: each.deviceId, alarms: [each] })),
    lines: [],
    ...more,
  });
  const names = () => element.locator(".what b").allTextContents();

  it("waits, and says that there are none", async () => {
    await element.getByText("Waiting for the alarms").waitFor();
    await element.getByText("Waiting for the figures").waitFor();
    await give(element, news([]));
    await element.getByText("No open alarms").waitFor();
  });

  it("orders them by urgency: silenced ones last, severe ones first, then unacknowledged ones, then the newest", async () => {
    await give(
      element,
      news([
        alarm("old", { raisedAt: now - 9e6 }),
        alarm("seen", { state: "acknowledged" }),
        alarm("shelved", { severity: "critical", shelved: { since: now, until: now + 60_000 } }),
        alarm("new", { raisedAt: now }),
        alarm("bad", { severity: "critical", raisedAt: now - 9e6 }),
      ]),
    );
    await until("their order", async () => (await names()).join() === "bad hot,new hot,old hot,seen hot,shelved hot");
    assert.deepEqual(await dispatched(operator, "count"), [{ open: 5, unacknowledged: 3 }]);
  });

  it("replaces the alarms of the devices that a message names", async () => {
    await give(element, news([alarm("P1"), alarm("P2")]));
    await give(element, { ...news([], { isWhole: false }), alarms: [{ deviceId: "P1", alarms: [] }] });
    await until("one", async () => (await names()).join() === "P2 hot");
  });

  it("shows names as what they are, never as markup", async () => {
    await give(element, news([alarm("<img src=x onerror=alert(1)>", { advice: "<script>alert(1)</script>" })]));
    await until("the name", async () => (await names()).join() === "<img src=x onerror=alert(1)> hot");
    assert.equal(await element.locator("img, script").count(), 0);
  });

  it("draws a bounded number of a flood's alarms, counts the rest, and means all that are shown", async () => {
    await give(element, news(Array.from({ length: 1000 }, (_, n) => alarm(`P${n}`))));
    await element.getByText("and 800 more").waitFor();
    assert.equal(await element.locator(".alarm").count(), 200);
    await element.getByLabel("all shown").check();
    await element.getByRole("button", { name: "Acknowledge selected (1000)" }).click();
    const [command] = (await dispatched(operator, "command")) as { payload: { alarmId: string[] } }[];
    assert.equal(command?.payload.alarmId.length, 1000);
  });

  it("keeps a bounded journal, each line once, the newest first", async () => {
    const line = (n: number) => alarm("P1", { change: "raised", timestamp: now + n, isAnnunciated: true });
    await give(element, news([], { lines: Array.from({ length: 150 }, (_, n) => line(n)) }));
    await give(element, news([], { lines: [line(149), line(150)] }));
    await until("a hundred", async () => (await element.locator(".line").count()) === 100);
  });

  it("means only what is selected and shown", async () => {
    await give(element, news([alarm("P1"), alarm("P2")]));
    await element.getByLabel("Select P1 hot").check();
    await element.getByLabel("Search").fill("P2");
    await element.getByRole("button", { name: "Acknowledge selected (0)" }).waitFor();
    await element.getByLabel("Search").fill("");
    await element.getByRole("button", { name: "Acknowledge selected (1)" }).click();
    assert.deepEqual(await dispatched(operator, "command"), [{ command: "ack", payload: { alarmId: ["P1/hot"] } }]);
  });

  it("shows a viewer no buttons but those of his own view", async () => {
    await give(element, news([alarm("P1")], { role: "operator" }));
    await element.getByRole("button", { name: "Shelve P1 hot" }).waitFor();
    await give(element, news([alarm("P1")], { role: "viewer" }));
    await element.getByRole("button", { name: "Shelve P1 hot" }).waitFor({ state: "detached" });
    assert.deepEqual(await element.locator(".alarms button:visible").allTextContents(), [
      "critical0",
      "warning1",
      "info0",
      "Sound for critical",
    ]);
  });

  it("is light on a light page", async () => {
    const light = await showElement(operator, "da-alarms", "color: #222; background: #fff");
    await give(
      light,
      news([
        alarm("P1", { severity: "critical", value: 91, limit: 75, unit: "°C" }),
        alarm("P2"),
        alarm("P3", { severity: "info", state: "acknowledged" }),
      ]),
    );
    await until("light", async () => (await light.getAttribute("light")) !== null);
    await picture(operator, "alarms-light");
  });
});
