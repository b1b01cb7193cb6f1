/** The pages beside Live, as operators come to them; and pages with nothing but an element of the package. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import type { FlowNode } from "../../app/flow-files.ts";
import { startNodeRed } from "../editor/node-red.ts";
import { type ControlRoom, type Operator, until } from "./dashboard.ts";

const root = join(import.meta.dirname, "..", "..");
const script = readFileSync(join(root, "dist", "elements", "device-analytics.js"), "utf8");

/** Where pictures of the pages are kept, for people to look at. */
const PICTURES = join(root, "test-output");

/** Opens the dashboard, and in it a page by its name in the menu; waits until its element is there. */
export async function openPage(operator: Operator, url: string, name: string, element: string): Promise<Locator> {
  await operator.open(url);
  await operator.page.locator("md-toolbar button").first().click();
  await operator.page.locator("md-sidenav").getByRole("button", { name, exact: true }).click();
  const found = operator.page.locator(element);
  await found.waitFor();
  await operator.page.locator("md-sidenav").waitFor({ state: "hidden" });
  return found;
}

/** Puts an element on a page of its own. What it dispatches is kept in `window.dispatched`. */
export async function showElement(operator: Operator, name: string, style = "color: #e8edf3; background: #141c26") {
  await operator.page.setContent(`<body style="margin: 20px; ${style}"><${name}></${name}></body>`);
  await operator.page.addScriptTag({ content: script });
  const element = operator.page.locator(name);
  await element.evaluate((element) => {
    const dispatched: unknown[] = [];
    Object.assign(window, { dispatched });
    for (const type of ["command", "choice", "count"]) {
      element.addEventListener(type, (event) => dispatched.push({ type, ...(event as CustomEvent).detail }));
    }
  });
  return element;
}

/** What an element has dispatched of a type. */
export async function dispatched(operator: Operator, type: string): Promise<object[]> {
  const all = await operator.page.evaluate(() => (window as unknown as { dispatched: { type: string }[] }).dispatched);
  return all.filter((each) => each.type === type).map(({ type: _, ...detail }) => detail);
}

/** Gives an element a message. */
export function give(element: Locator, data: object | null): Promise<void> {
  return element.evaluate(
    (element, data) => Object.assign(element, { data }),
    data,
  ) as Promise<unknown> as Promise<void>;
}

/** Keeps a picture of the page in the width that it has. */
export async function picture(operator: Operator, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  const width = operator.page.viewportSize()?.width ?? 0;
  await operator.page.screenshot({ path: join(PICTURES, `${name}-${width}.png`) });
}

/** Waits until all that matches a selector, also within elements, lies within the width of the page. */
export async function fits(operator: Operator, element: Locator, selector: string): Promise<void> {
  const width = operator.page.viewportSize()?.width ?? 0;
  await until(`all within ${width} px`, async () => {
    const rights = await element
      .locator(selector)
      .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().right));
    return rights.length > 0 && rights.every((right) => right <= width);
  });
}

/** A flow in which a page's messages, with whatever role, can be given on the MQTT topic `try/` and the page's tab. */
export function withWayIn(flows: FlowNode[], tab: string): FlowNode[] {
  const common = { z: tab, x: 100, y: 900 };
  return [
    ...flows,
    {
      id: "try-in",
      type: "mqtt in",
      broker: "dashboard-broker",
      topic: `try/${tab}`,
      qos: "1",
      datatype: "auto-detect",
      wires: [["try-message"]],
      ...common,
    },
    {
      id: "try-message",
      type: "function",
      func: "return msg.payload;",
      outputs: 1,
      wires: [[`${tab}-asked`]],
      ...common,
    },
  ];
}

/** What node-red-dashboard itself complains of, on a page with nothing of ours on it. */
export async function usualComplaints(room: ControlRoom): Promise<Set<string>> {
  const nodes = [
    { id: "tab", type: "tab" },
    { id: "page", type: "ui_tab", name: "Page", icon: "dashboard", order: 1, disabled: false, hidden: false },
    { id: "group", type: "ui_group", name: "Group", tab: "page", order: 1, width: "6", disp: true, collapse: false },
    {
      id: "text",
      type: "ui_text",
      z: "tab",
      group: "group",
      label: "nothing",
      width: 0,
      height: 0,
      x: 0,
      y: 0,
      wires: [],
    },
  ];
  const nodeRed = await startNodeRed(nodes);
  const visitor = await room.operator();
  await visitor.page.goto(`${nodeRed.url}/ui`);
  await visitor.page.getByText("nothing").waitFor();
  await nodeRed.stop();
  await visitor.page.close();
  return new Set(visitor.complaints);
}
