import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { type Application, startApplication } from "../support/application.ts";
import { ADMIN } from "../support/session.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { type Contrast, contrasts, focused } from "./legibility.ts";
import { openPage } from "./pages.ts";

const THEMES = ["dark", "light"] as const;
type Theme = (typeof THEMES)[number];

/** Pages, what is to be there, and how many texts there are at least once they show data. */
const PAGES = [
  ["Live", ".da-live", 30],
  ["Devices", "da-devices", 60],
  ["Alarms", "da-alarms", 20],
  ["Trends", "da-trends", 20],
  ["Windows", "da-windows", 20],
  ["Analytics", "da-analytics", 40],
  ["Streaming", ".da-faults", 40],
] as const;

describe("the themes of the dashboard", function () {
  this.timeout(120_000);
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;

  before(async () => {
    application = await startApplication();
    room = await ControlRoom.open();
    operator = await room.operator();
    const client = await connectAsync(application.mqttUrl);
    const fault = { command: "fault", deviceId: "R2", fault: "overheating", seconds: 600 };
    await client.publishAsync("plant/command/R2", JSON.stringify(fault), { qos: 1 });
    // Of minutes that are over, for the page Windows.
    const past = Array.from({ length: 60 }, (_, n) => ({
      deviceId: "P1",
      timestamp: Date.now() - (60 - n) * 10_000,
      metrics: { temperature: 50 + (n % 7) },
    }));
    await client.publishAsync("plant/telemetry/P1", JSON.stringify(past), { qos: 1 });
    await client.endAsync();
  });

  after(async () => {
    await room.close();
    await application.stop();
  });

  const button = (theme: Theme) =>
    operator.page.getByRole("button", { name: theme === "light" ? "Light theme" : "Dark theme" });
  const shown = () => operator.page.evaluate(() => document.documentElement.dataset.theme);

  async function show(theme: Theme): Promise<void> {
    if (await button(theme).isVisible()) await button(theme).click();
    await until(theme, async () => !(await button(theme).isVisible()));
  }

  /** Every text has the contrast that it should have. */
  async function isLegible(where: string, least: number): Promise<void> {
    let weak: Contrast[] = [];
    const isGood = async () => {
      const all = await operator.page.evaluate(contrasts);
      weak = all.filter(({ ratio, wanted }) => ratio < wanted);
      return all.length >= least && weak.length === 0;
    };
    // Colours take their time to change.
    await until(`${least} legible texts on ${where}`, isGood).catch((error: Error) => {
      assert.deepEqual(weak, [], error.message);
      throw error;
    });
  }

  it("keep what is chosen in a browser, on every page and through a reload, the login before it too", async () => {
    await operator.page.goto(application.url);
    await isLegible("the login, dark", 3);
    await operator.open(application.url);
    assert.equal(await shown(), undefined);
    await show("light");
    await operator.page.reload();
    await operator.page.locator("da-chart").first().waitFor();
    assert.equal(await shown(), "light");
    await operator.page.goto(`${application.url}/ui/users`);
    assert.equal(await shown(), "light");
    await isLegible("the users, light", 8);
    const other = await room.operator();
    await other.open(application.url);
    assert.equal(await other.page.evaluate(() => document.documentElement.dataset.theme), undefined);
    await other.page.close();
    await operator.page.goto(`${application.url}/ui/logout`);
    await operator.page.getByRole("button", { name: "Log out" }).click();
    await operator.page.getByLabel("Password").waitFor();
    await isLegible("the login, light", 3);
    await operator.logIn(ADMIN);
  });

  for (const [name, selector, least] of PAGES) {
    it(`leave every text of the page ${name} legible`, async () => {
      await openPage(operator, application.url, name, selector);
      for (const theme of THEMES) {
        await show(theme);
        await isLegible(`${name}, ${theme}`, least);
      }
    });

    it(`show what has the focus on the page ${name}`, async () => {
      await openPage(operator, application.url, name, selector);
      await operator.page.locator("body").click({ position: { x: 700, y: 20 } });
      const seen: string[] = [];
      for (let step = 0; step < 60; step++) {
        await operator.page.keyboard.press("Tab");
        const focus = await operator.page.evaluate(focused);
        if (!focus) break;
        assert.ok(focus.isShown, `${focus.name} has the focus`);
        seen.push(focus.name);
      }
      assert.ok(seen.length >= 6, seen.join(", "));
    });
  }

  it("leave an opened device and its questions legible", async () => {
    const devices = await openPage(operator, application.url, "Devices", "da-devices");
    await devices.getByRole("row").filter({ hasText: "R2" }).click();
    for (const theme of THEMES) {
      await show(theme);
      await isLegible(`R2, ${theme}`, 90);
      await devices.getByRole("button", { name: "Maintenance …" }).click();
      await isLegible(`question, ${theme}`, 90);
      await devices.getByRole("button", { name: "Cancel" }).click();
    }
  });

  it("give each page a sign of its own in the menu", async () => {
    await operator.open(application.url);
    await operator.page.locator("md-toolbar button").first().click();
    const signs = operator.page.locator("md-sidenav ng-md-icon svg");
    await until("signs", async () => (await signs.count()) === PAGES.length);
    const shapes = await signs.evaluateAll((signs) => signs.map((sign) => sign.innerHTML));
    // What has no sign of its own has that of a question.
    assert.equal(new Set(shapes).size, PAGES.length);
  });

  it("draw the curves in colours that stand out from the ground", async () => {
    await openPage(operator, application.url, "Live", ".da-live");
    const swatch = () =>
      operator.page
        .locator("da-chart .legend .value")
        .first()
        .evaluate((entry) => getComputedStyle(entry).getPropertyValue("--colour"));
    await show("dark");
    await until("bright curves", async () => (await swatch()) === "#56b4e9");
    await show("light");
    await until("dark curves", async () => (await swatch()) === "#0072b2");
  });
});
