/** The dashboard as operators have it in front of them: a browser each, on the running application. */
import { type Browser, chromium, type Page } from "playwright-core";
import type { DrawnPoint } from "../../elements/da-chart.ts";
import { ADMIN } from "../support/session.ts";

const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
};

/** A chart on the page, as it says of itself. */
export interface Chart {
  id: string;
  points: DrawnPoint[];
}

/** Somebody at a screen. */
export class Operator {
  readonly page: Page;
  /** Everything that the browser complained of, without the address of the server. */
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()} ${new URL(response.url()).pathname}`);
    });
  }

  /** Fills in the login and sends it. */
  async logIn({ name, password } = ADMIN): Promise<void> {
    await this.page.getByLabel("Name").fill(name);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Log in" }).click();
  }

  /** Opens the dashboard, logs in if asked to, and waits until a chart stands on it. */
  async open(url: string, user = ADMIN): Promise<void> {
    await this.page.goto(url);
    if (new URL(this.page.url()).pathname === "/ui/login") await this.logIn(user);
    await this.page.locator("da-chart").first().waitFor({ timeout: 20_000 });
  }

  /** The value of the figure with this label. */
  async figure(label: string): Promise<string> {
    const figure = this.page.locator(".da-figure").filter({ hasText: label });
    return ((await figure.locator(".value").textContent()) ?? "").trim();
  }

  charts(): Promise<Chart[]> {
    return this.page.locator("da-chart").evaluateAll((charts) =>
      charts.map((chart) => ({
        id: chart.getAttribute("data-chart") ?? "",
        points: (chart as HTMLElement & { points: DrawnPoint[] }).points,
      })),
    );
  }

  /** The points of one chart; none if it is not there. */
  async points(id: string): Promise<DrawnPoint[]> {
    return (await this.charts()).find((chart) => chart.id === id)?.points ?? [];
  }

  async choose(device: string): Promise<void> {
    await this.page.getByLabel("Device", { exact: true }).selectOption({ label: device });
  }

  /** The device that the page shows. */
  async device(): Promise<string> {
    return (await this.page.locator(".da-live select option:checked").textContent()) ?? "";
  }

  /** Presses the button of a metric, which shows or hides it. */
  async toggle(metric: string): Promise<void> {
    await this.page.getByRole("group", { name: "Metrics" }).getByRole("button", { name: metric, exact: true }).click();
  }

  async press(button: string): Promise<void> {
    await this.page
      .locator(".da-controls button")
      .filter({ hasText: new RegExp(`^\\s*${button}\\s*$`, "i") })
      .click();
  }
}

/** A browser in which operators sit, each with a session of their own. */
export class ControlRoom {
  readonly #browser: Browser;

  static async open(): Promise<ControlRoom> {
    return new ControlRoom(await chromium.launch(CHROMIUM));
  }

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Somebody at a screen; the one who has logged in at another one, if that is given. */
  async operator(at?: Operator): Promise<Operator> {
    const context = await this.#browser.newContext({
      viewport: { width: 1920, height: 1080 },
      ...(at && { storageState: await at.page.context().storageState() }),
    });
    return new Operator(await context.newPage());
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}

/** Waits until something holds. Throws with what it is about after 20 seconds. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 20 seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
