/** What every page owes its operators, whatever it shows. */
import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import type { Locator } from "playwright-core";
import { type Application, startApplication } from "../support/application.ts";
import { type Cable, layCable } from "../support/cable.ts";
import { newFolder } from "../support/folders.ts";
import { ControlRoom, type Operator, until } from "./dashboard.ts";
import { goTo, overflowing, picture, usualComplaints } from "./pages.ts";

/** A page, as somebody has it before him. */
interface Screen {
  operator: Operator;
  page: Locator;
}

/** What somebody chooses, on each page that which is there to choose. */
const MINE = { device: "P7", group: "L7", fault: "noise", search: "hot" };
const THEIRS: Choice = { device: "P8", group: "L8", fault: "drift", search: "overheating" };
type Choice = typeof MINE;

interface Page {
  /** As it stands in the menu. */
  name: string;
  element: string;
  chooses: keyof Choice;
  /** Makes a choice once it is there to make. */
  choose(screen: Screen, choice: string): Promise<unknown>;
  chosen(screen: Screen): Promise<string | null>;
  /** What was sent as the nth is there to see. */
  isCurrent(screen: Screen, n: number): Promise<boolean>;
  /** Buttons that change more than what oneself sees. */
  actions: readonly RegExp[];
  /** Has the page give a command, by a button that is hidden or without one. */
  command(page: Locator): Promise<unknown>;
}

/** Readings of P7 before any is sent. */
const READINGS = 200;
const MINUTE = 60_000;

const deviceOf = ({ page }: Screen) => page.getByLabel("Device", { exact: true });
const chosenDevice = (screen: Screen) => deviceOf(screen).locator("option:checked").textContent();
const chooseDevice = async (screen: Screen, device: string) => {
  await until(`${device} to choose`, async () => {
    return (await deviceOf(screen).locator("option").allTextContents()).includes(device);
  });
  return deviceOf(screen).selectOption({ label: device });
};
const press = async ({ page }: Screen, name: string) => {
  const button = page.getByRole("button", { name });
  if ((await button.getAttribute("aria-pressed")) !== "true") await button.click();
};
const textOf = async (part: Locator) => (await part.allTextContents()).join("\n");
const drawn = async ({ operator }: Screen, series: string) =>
  (await operator.points("metric temperature")).filter((point) => point.series === series).map(({ value }) => value);
const clickHidden = (page: Locator) => page.locator(".da-operator button").first().dispatchEvent("click");
const dispatchCommand = (page: Locator) =>
  page.evaluate((element) => {
    const detail = { command: "restart", payload: { deviceId: "P7" } };
    element.dispatchEvent(new CustomEvent("command", { detail }));
  });

const ofHistory = {
  chooses: "device",
  choose: chooseDevice,
  chosen: chosenDevice,
  actions: [],
  command: dispatchCommand,
} as const;

/** In the order of the menu. */
const PAGES: Page[] = [
  {
    name: "Live",
    element: ".masonry-container:has(.da-live)",
    chooses: "device",
    choose: chooseDevice,
    chosen: chosenDevice,
    isCurrent: async (screen, n) => (await drawn(screen, "temperature")).includes(50 + n),
    actions: [/^Start$/, /^Stop$/, /^Restart$/],
    command: clickHidden,
  },
  {
    name: "Devices",
    element: "da-devices",
    chooses: "device",
    choose: ({ page }, device) => page.locator(`.rows b[title="${device}"]`).click(),
    chosen: ({ page }) => page.locator(".detail h3").textContent(),
    // With as many decimals as the other devices have.
    isCurrent: async ({ page }, n) =>
      new RegExp(`${50 + n}(\\.0+)? °C`).test(await textOf(page.locator(".rows > [role=row]"))),
    actions: [/^Restart/, /^Change limits/, /^Maintenance/],
    command: dispatchCommand,
  },
  {
    name: "Alarms",
    element: "da-alarms",
    chooses: "search",
    choose: ({ page }, text) => page.getByLabel("Search").fill(text),
    chosen: ({ page }) => page.getByLabel("Search").inputValue(),
    isCurrent: async ({ page }, n) => (await textOf(page.locator(".alarm"))).includes(`hot ${n} overheating`),
    actions: [/^Acknowledge/, /^Shelve/],
    command: dispatchCommand,
  },
  {
    ...ofHistory,
    name: "Trends",
    element: "da-trends",
    choose: async (screen, device) => {
      await chooseDevice(screen, device);
      await press(screen, "Each value");
    },
    isCurrent: async (screen, n) => (await drawn(screen, "temperature")).includes(50 + n),
  },
  {
    ...ofHistory,
    name: "Windows",
    element: "da-windows",
    chooses: "group",
    isCurrent: async (screen, n) => (await drawn(screen, "mean")).includes(50 + n),
  },
  {
    ...ofHistory,
    name: "Analytics",
    element: "da-analytics",
    choose: async (screen, device) => {
      await chooseDevice(screen, device);
      await screen.page.getByLabel("Of", { exact: true }).selectOption("temperature");
      await press(screen, "Automatic");
    },
    isCurrent: async ({ page }, n) =>
      (await textOf(page.locator("da-histogram .head"))).includes(`${READINGS + n} values`),
  },
  {
    name: "Streaming",
    element: ".masonry-container:has(.da-half)",
    chooses: "fault",
    choose: ({ page }, fault) => page.getByLabel("Fault", { exact: true }).selectOption({ label: fault }),
    chosen: ({ page }) => page.getByLabel("Fault", { exact: true }).locator("option:checked").textContent(),
    isCurrent: async ({ page }, n) => (await textOf(page)).includes(`a reading every ${1 + n / 10} s`),
    actions: [/^Start$/, /^Stop$/, /^Restart$/, /^Set$/, /^Inject$/],
    command: clickHidden,
  },
];

describe("every page of the dashboard", function () {
  this.timeout(90_000);
  const userDir = newFolder();
  const screens = new Map<Page, Screen>();
  let application: Application;
  let cable: Cable;
  let client: MqttClient;
  let room: ControlRoom;

  before(async () => {
    application = await startApplication({ userDir });
    cable = await layCable(Number(new URL(application.url).port));
    client = await connectAsync(application.mqttUrl);
    for (const number of [7, 8]) {
      await publish(`telemetry/P${number}`, readings(`P${number}`));
      for (let n = -30; n < -10; n++) await publish(`windows/L${number}`, windowOf(`L${number}`, n, 45 - n / 4));
    }
    room = await ControlRoom.open();
    const me = await room.operator();
    await me.open(cable.url);
    for (const page of PAGES) {
      const operator = await room.operator(me);
      await operator.page.goto(`${cable.url}/ui/#!/${PAGES.indexOf(page)}`);
      screens.set(page, { operator, page: operator.page.locator(page.element) });
    }
    await me.page.close();
    for (const page of PAGES) await page.choose(screenOf(page), MINE[page.chooses]);
    await send();
  });

  after(async () => {
    await room.close();
    await client.endAsync(true);
    await cable[Symbol.asyncDispose]();
    await application.stop();
  });

  const publish = (topic: string, payload: object) =>
    client.publishAsync(`plant/${topic}`, JSON.stringify(payload), { qos: 1 });

  const common = { units: { temperature: "°C", vibration: "g", load: "%" }, tags: { location: "hall 3" } };
  const readings = (deviceId: string) =>
    Array.from({ length: READINGS }, (_, n) => ({
      deviceId,
      timestamp: Date.now() - (READINGS - n) * 10_000,
      metrics: {
        temperature: 48 + 3 * Math.sin(n / 25) + Math.sin(n * 7.3),
        vibration: 0.5 + 0.1 * Math.sin(n / 31) + 0.04 * Math.sin(n * 3.1),
        load: 60 + 20 * Math.sin(n / 25) + 5 * Math.cos(n * 5.7),
      },
      ...common,
    }));
  /** A window that begins in so many minutes. */
  const windowOf = (group: string, minutes: number, mean: number) => {
    const windowStart = MINUTE * (Math.floor(Date.now() / MINUTE) + minutes);
    return {
      group,
      tags: common.tags,
      windowStart,
      windowEnd: windowStart + MINUTE,
      count: 60,
      anomalyCount: minutes % 7 === 0 ? 2 : 0,
      metrics: { temperature: { mean, min: mean - 5, max: mean + 5, stdev: 2.5 } },
    };
  };

  let sent = 0;
  /** Sends something new for each page to show. */
  async function send(): Promise<void> {
    const n = ++sent;
    for (const [deviceId, temperature] of [["P7", 50 + n] as const, [`hot ${n}`, 99] as const]) {
      const metrics = { temperature, vibration: 0.5, load: 60 };
      const reading = { deviceId, timestamp: Date.now(), metrics, ...common };
      await publish(`telemetry/${encodeURIComponent(deviceId)}`, reading);
    }
    await publish("windows/L7", windowOf("L7", n - 10, 50 + n));
    await publish("command/*", { command: "set", parameter: "intervalSeconds", value: 1 + n / 10 });
  }

  const screenOf = (page: Page): Screen => screens.get(page) ?? assert.fail(page.name);

  /** A test of each page: it shows what was sent last, of what was chosen in the beginning. */
  function showAllThatComes(): void {
    for (const page of PAGES) {
      it(`is shown on the page ${page.name}`, async () => {
        const screen = screenOf(page);
        await until(`what was sent as number ${sent}`, () => page.isCurrent(screen, sent));
        assert.equal(await page.chosen(screen), MINE[page.chooses]);
      });
    }
  }

  describe("what comes in", () => {
    showAllThatComes();

    it("makes no browser complain of anything but what the dashboard itself does on a page with nothing on it", async () => {
      const usual = await usualComplaints(room);
      const complaints = PAGES.flatMap((page) => screenOf(page).operator.complaints);
      assert.deepEqual(
        complaints.filter((complaint) => !usual.has(complaint)),
        [],
      );
    });
  });

  describe("on a screen", () => {
    after(async () => {
      for (const { operator } of screens.values()) await operator.page.setViewportSize({ width: 1920, height: 1080 });
    });

    for (const page of PAGES) {
      for (const width of [1920, 1280, 820]) {
        it(`of ${width} px, has room for all of the page ${page.name}`, async () => {
          const { operator } = screenOf(page);
          await operator.page.setViewportSize({ width, height: 1000 });
          let wide: string[] = [];
          await until("nothing too wide", async () => {
            wide = await overflowing(operator);
            return wide.length === 0;
          }).catch(() => assert.deepEqual(wide, []));
          await picture(operator, `page-${page.name.toLowerCase()}`);
        });
      }
    }
  });

  describe("with two operators at once", () => {
    let other: Operator;

    before(async () => {
      other = await room.operator();
      await other.open(cable.url);
      for (const page of PAGES) {
        await page.choose(await visit(other, page), THEIRS[page.chooses]);
      }
      await send();
    });
    after(() => other.page.close());

    showAllThatComes();

    for (const page of PAGES) {
      it(`keeps what the other one has chosen on the page ${page.name}`, async () => {
        const theirs = await visit(other, page);
        await until("their choice", async () => (await page.chosen(theirs)) === THEIRS[page.chooses]);
      });
    }
  });

  describe("for a viewer", () => {
    const kim = { name: "Kim", password: "a viewer's password" };
    /** What Kim has tried, and what came of it. */
    const tried: string[] = [];
    let viewer: Operator;

    before(async () => {
      const admin = await application.admin();
      await admin.post("/ui/users", { action: "add", role: "viewer", ...kim });
      viewer = await room.operator();
      await viewer.open(cable.url, kim);
      await client.subscribeAsync("plant/audit");
      client.on("message", (topic, payload) => {
        if (topic !== "plant/audit") return;
        const { by, action, outcome } = JSON.parse(String(payload));
        if (by === kim.name && action === "command") tried.push(outcome);
      });
    });
    after(() => viewer.page.close());

    /** What can be pressed, by what stands on it. */
    const buttonsOf = async ({ page }: Screen) => {
      const texts = await page.locator("a:visible, button:visible").allTextContents();
      return [...new Set(texts.map((text) => text.trim()))].sort();
    };

    for (const page of PAGES) {
      it(`has no buttons on the page ${page.name} but those of his own view, and takes no command from him`, async () => {
        const seen = await visit(viewer, page);
        if (page.chooses !== "fault") await page.choose(seen, MINE[page.chooses]);
        const all = await buttonsOf(screenOf(page));
        for (const action of page.actions)
          assert.ok(
            all.some((text) => action.test(text)),
            `${action} in ${all}`,
          );
        const views = all.filter((text) => !page.actions.some((action) => action.test(text)));
        let visible: string[] = [];
        await until("the same", async () => {
          visible = await buttonsOf(seen);
          return String(visible) === String(views);
        }).catch(() => assert.deepEqual(visible, views));
        const before = tried.length;
        await page.command(seen.page);
        await until("the answer", async () => tried.length > before);
        assert.deepEqual(new Set(tried), new Set(["refused"]));
      });
    }
  });

  describe("after a reload, what comes in", () => {
    before(async () => {
      for (const page of PAGES) await screenOf(page).operator.page.reload();
      for (const page of PAGES) await screenOf(page).page.waitFor();
      await send();
    });

    showAllThatComes();
  });

  describe("after the connection was gone, without a reload, what comes in", () => {
    before(async () => {
      await mark();
      cable.pull();
      await allSay("Connection lost", true);
      cable.plugIn();
      await allSay("Connection lost", false);
      await send();
    });

    showAllThatComes();
    it("is shown by the page that was opened", isMarked);
  });

  describe("after a restart of Node-RED, without a reload, what comes in", () => {
    before(async () => {
      await client.endAsync(true);
      await application.stop();
      await allSay("Connection lost", true);
      application = await startApplication({ userDir });
      cable.port = Number(new URL(application.url).port);
      client = await connectAsync(application.mqttUrl);
      await allSay("Connection lost", false);
      await send();
    });

    showAllThatComes();
    it("is shown by the page that was opened", isMarked);
  });

  /** Opens a page by the menu. */
  async function visit(operator: Operator, { name, element }: Page): Promise<Screen> {
    return { operator, page: await goTo(operator, name, element) };
  }

  async function allSay(text: string, isThere: boolean): Promise<void> {
    for (const page of PAGES) {
      const state = isThere ? "visible" : "hidden";
      await screenOf(page).operator.page.getByText(text).waitFor({ state, timeout: 30_000 });
    }
  }

  /** Leaves something in each page that a reload would take away. */
  async function mark(): Promise<void> {
    for (const page of PAGES) {
      await screenOf(page).operator.page.evaluate(() => Object.assign(window, { isMarked: true }));
    }
  }

  async function isMarked(): Promise<void> {
    for (const page of PAGES) {
      const { page: tab } = screenOf(page).operator;
      assert.ok(await tab.evaluate(() => "isMarked" in window), page.name);
    }
  }
});
