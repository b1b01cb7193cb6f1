/**
 * Node-RED's editor as its users have it in front of them: a browser, a mouse and a keyboard. Nothing here acts through
 * the page's own functions.
 */
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { type FlowNode, type NodeRed, startNodeRed } from "./node-red.ts";

const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
  ],
};

/** How the editor tells on the console, without calling it an error, that a node's own code has failed. */
const FAILURE = /error|unknown type|oneditprepare|oneditsave/i;

export interface Point {
  x: number;
  y: number;
}

export class Editor {
  readonly page: Page;
  readonly nodeRed: NodeRed;
  /** Everything that the browser complained of: errors, warnings, what could not be loaded. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  /** The form on top is that of a configuration node. */
  #isConfig = false;

  /** Starts a Node-RED with the flow, and opens its editor. */
  static async open(flow: FlowNode[], env: NodeJS.ProcessEnv = {}): Promise<Editor> {
    const nodeRed = await startNodeRed(flow, env);
    let browser: Browser | undefined;
    try {
      browser = await chromium.launch(CHROMIUM);
      const editor = new Editor(nodeRed, browser, await browser.newPage({ viewport: { width: 1400, height: 900 } }));
      await editor.#load();
      return editor;
    } catch (error) {
      await browser?.close();
      await nodeRed.stop();
      throw error;
    }
  }

  private constructor(nodeRed: NodeRed, browser: Browser, page: Page) {
    this.nodeRed = nodeRed;
    this.page = page;
    this.#browser = browser;
    page.setDefaultTimeout(5000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      if (["error", "warning"].includes(message.type()) || FAILURE.test(text)) this.complaints.push(text);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()} ${response.url()}`);
    });
  }

  /** Loads the page anew, with what is deployed. */
  async reload(): Promise<void> {
    await this.#load();
  }

  async #load(): Promise<void> {
    await this.page.goto(this.nodeRed.url);
    // The last of all that is loaded.
    await this.page.locator("#red-ui-workspace-tabs .red-ui-tab").first().waitFor({ timeout: 20_000 });
    await this.page.locator("#red-ui-loading-progress").waitFor({ state: "hidden" });
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.nodeRed.stop();
  }

  /** Moves the mouse to where nothing reacts to it. */
  async leave(): Promise<void> {
    await this.page.mouse.move(600, 5);
  }

  // --- palette and workspace

  paletteEntry(type: string): Locator {
    return this.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
  }

  node(id: string): Locator {
    return this.page.locator(`[id="${id}"]`);
  }

  /** Drags a node from the palette to a place of the workspace, and gives its id. */
  async dragIn(type: string, to: Point): Promise<string> {
    const { mouse } = this.page;
    const before = await this.#nodeIds();
    const canvas = await boxOf(this.page.locator("#red-ui-workspace-chart"));
    await this.paletteEntry(type).hover();
    await mouse.down();
    await mouse.move(canvas.x + to.x, canvas.y + to.y, { steps: 8 });
    await mouse.up();
    // The workspace is drawn with the next frame.
    await this.page.locator(".red-ui-flow-node-group").nth(before.length).waitFor();
    const [id, ...others] = (await this.#nodeIds()).filter((each) => !before.includes(each));
    if (id === undefined || others.length > 0) throw new Error(`${type}: not one node was added by dragging it in`);
    return id;
  }

  #nodeIds(): Promise<string[]> {
    return this.page.locator(".red-ui-flow-node-group").evaluateAll((nodes) => nodes.map((node) => node.id));
  }

  /** Draws a wire from an output to the input of another node. */
  async wire(from: string, output: number, to: string): Promise<void> {
    const { mouse } = this.page;
    await this.node(from).locator(".red-ui-flow-port-output .red-ui-flow-port").nth(output).hover();
    await mouse.down();
    const { x, y } = await boxOf(this.node(to).locator(".red-ui-flow-port-input .red-ui-flow-port"));
    await mouse.move(x + 5, y + 5, { steps: 8 });
    await mouse.up();
  }

  /** True for a node that wears the dot of what is not deployed, or the triangle of wrong settings. */
  wears(id: string, badge: "changed" | "error"): Promise<boolean> {
    return this.node(id).locator(`.red-ui-flow-node-${badge}`).isVisible();
  }

  /** Waits until a node no longer wears it: the editor draws a moment after a form is closed. */
  takesOff(id: string, badge: "changed" | "error"): Promise<void> {
    return this.node(id).locator(`.red-ui-flow-node-${badge}`).waitFor({ state: "hidden" });
  }

  /** What shows when the mouse rests on the red triangle of a node with wrong settings. */
  async triangleText(id: string): Promise<string> {
    await this.node(id).locator(".red-ui-flow-node-error path").hover();
    const tooltip = this.page.locator(".red-ui-flow-port-tooltip");
    await tooltip.waitFor();
    const lines = await tooltip.locator(".red-ui-flow-port-tooltip-label").allTextContents();
    await this.leave();
    return lines.join("\n");
  }

  /** Switches the editor to its light or dark theme, in the user settings. */
  async useTheme(theme: "light" | "dark"): Promise<void> {
    await this.page.keyboard.press("Control+,");
    await this.#chooseIn(this.page.locator("#user-settings-view-dark-theme"), theme);
    await this.page.locator("#node-dialog-ok").click();
    await this.page.locator(".red-ui-tray").waitFor({ state: "detached" });
  }

  /** Deploys what was changed, and waits until it runs. */
  async deploy(): Promise<void> {
    await this.page.locator("#red-ui-header-button-deploy").click();
    await this.nodeRed.started();
  }

  // --- the form of a node

  /** Opens the form of a node, and waits until it stands still. */
  async openForm(id: string): Promise<void> {
    await this.node(id).locator(".red-ui-flow-node").dblclick();
    await this.page.locator("#node-dialog-ok").click({ trial: true });
  }

  /** Opens the form of a configuration node from that of a node that refers to it: of the chosen one, or of a new one. */
  async openConfig(option: string, which: "add" | "edit"): Promise<void> {
    await this.page.locator(`#node-input-btn-${option}-${which}`).click();
    this.#isConfig = true;
    await this.page.locator("#node-config-dialog-ok").click({ trial: true });
  }

  /** The form on top. */
  get form(): Locator {
    return this.page.locator(this.#isConfig ? "#node-config-dialog-edit-form" : "#dialog-form");
  }

  /** What the ids in the form on top begin with. */
  get #prefix(): string {
    return this.#isConfig ? "node-config" : "node";
  }

  /** The field of an option. */
  field(option: string): Locator {
    return this.page.locator(`#${this.#prefix}-input-${option}`);
  }

  /** What stands before the field of an option. */
  label(option: string): Locator {
    return this.form.locator(`label[for="${this.#prefix}-input-${option}"]`);
  }

  /** The table of an option, with its header and button. */
  table(option: string): Locator {
    return this.page
      .locator(".red-ui-editableList")
      .filter({ has: this.page.locator(`#${this.#prefix}-input-${option}-rows`) });
  }

  /** The cells of a table's column, from the first row on. */
  cells(option: string, column: string): Locator {
    return this.table(option).locator(`[data-column="${column}"]`);
  }

  /** Unfolds all that is folded in the form. */
  async unfold(): Promise<void> {
    const folded = this.form.locator("details:not([open]) > summary");
    while ((await folded.count()) > 0) await folded.first().click();
  }

  /** Types over what a text field holds. */
  async type(field: Locator, text: string): Promise<void> {
    await field.click();
    await this.page.keyboard.press("ControlOrMeta+A");
    await this.page.keyboard.press("Delete");
    await this.page.keyboard.type(text);
  }

  /** Chooses a value of a select with the arrow keys. */
  async choose(option: string, value: string): Promise<void> {
    await this.#chooseIn(this.field(option), value);
  }

  async #chooseIn(select: Locator, value: string): Promise<void> {
    const id = await select.getAttribute("id");
    // A click on the label gives the select the focus without unfolding it.
    await this.page.locator(`label[for="${id}"]`).click();
    const options = select.locator("option");
    const values = await options.evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value));
    await this.page.keyboard.press("Home");
    for (let i = values.indexOf(value); i > 0; i--) await this.page.keyboard.press("ArrowDown");
  }

  async addRow(table: string): Promise<void> {
    await this.table(table).locator(".red-ui-editableList-addButton").click();
  }

  async deleteRow(table: string, row: number): Promise<void> {
    await this.table(table).locator(".red-ui-editableList-item-remove").nth(row).click();
  }

  /** Drags a row of a table by its handle to just above or below another one. */
  async moveRow(table: string, row: number, to: number): Promise<void> {
    const { mouse } = this.page;
    const handles = this.table(table).locator(".red-ui-editableList-item-handle");
    await handles.nth(row).hover();
    await mouse.down();
    const { x, y, height } = (await handles.nth(to).boundingBox()) ?? { x: 0, y: 0, height: 0 };
    await mouse.move(x + 3, to < row ? y - 4 : y + height + 8, { steps: 12 });
    await mouse.up();
  }

  /** True for a field or cell that is marked as wrong. */
  isWrong(field: Locator): Promise<boolean> {
    return field.evaluate((field) => field.classList.contains("input-error"));
  }

  /** The reason that shows when the mouse rests on a field that is marked as wrong. */
  async reasonAt(field: Locator): Promise<string> {
    await this.leave();
    await field.hover();
    const tooltip = this.page.locator(".red-ui-tooltip");
    const text = await textOf(tooltip);
    await this.leave();
    await tooltip.waitFor({ state: "detached" });
    return text;
  }

  /** Keeps what the form on top holds, and leaves it. */
  async done(): Promise<void> {
    await this.#leaveForm("ok");
  }

  /** Leaves all forms that are open, with nothing changed. */
  async cancel(): Promise<void> {
    if (this.#isConfig) await this.#leaveForm("cancel");
    if (await this.form.isVisible()) await this.#leaveForm("cancel");
  }

  async #leaveForm(button: "ok" | "cancel"): Promise<void> {
    await this.page.locator(`#${this.#prefix}-dialog-${button}`).click();
    await this.form.waitFor({ state: "detached" });
    if (this.#isConfig) await this.page.locator("#node-dialog-ok").click({ trial: true });
    this.#isConfig = false;
  }
}

/** The text of an element, once it is there. */
export async function textOf(element: Locator): Promise<string> {
  return ((await element.textContent()) ?? "").trim();
}

/** Where an element is on the page. */
async function boxOf(element: Locator): Promise<Point> {
  const box = await element.boundingBox();
  if (!box) throw new Error(`${element} is not to be seen`);
  return box;
}
