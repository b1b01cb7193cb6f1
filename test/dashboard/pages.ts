/** The pages beside Live, as operators come to them; and pages with nothing but an element of the package. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MqttClient } from "mqtt";
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
  return goTo(operator, name, element);
}

/** Goes to a page by its name in the menu; waits until its element is there. */
export async function goTo(operator: Operator, name: string, element: string): Promise<Locator> {
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

/** Waits until what an element was given before is drawn: at the latest in the next frame. */
export function nextFrame(element: Locator): Promise<void> {
  return element.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
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

/** What a page shows where something is not as it should be. */
const NONSENSE = /NaN|undefined|null|function|\[object|Infinity/;

/** All text that is shown, also within elements of the package: that is in no `innerText` of what is around them. */
export function textShown(element: Locator): Promise<string> {
  return element.evaluate((element) => {
    const texts: string[] = [];
    const look = (part: Element) => {
      if (part.localName === "style" || part.localName === "script") return;
      texts.push((part as HTMLElement).innerText ?? "");
      for (const each of [part, ...part.querySelectorAll("*")]) [...(each.shadowRoot?.children ?? [])].forEach(look);
    };
    look(element);
    return texts.join("\n");
  });
}

/** Finds nothing on a page that nobody should see, and nothing wider than the page in three widths. */
export async function makesSense(operator: Operator, page: Locator): Promise<void> {
  const text = await textShown(page);
  assert.match(text, /\S/);
  assert.doesNotMatch(text, NONSENSE);
  for (const width of [820, 1280, 1920]) {
    await operator.page.setViewportSize({ width, height: 1000 });
    const parts = ".bar > *, .chips > *, .da-choices > *, .da-remarks > *, da-chart, .list, .rows > * > *, .figure";
    await fits(operator, page, parts);
  }
}

/** Tests that all that matches a selector fits a page in three widths, and keeps a picture of each. */
export function itFits(name: string, at: () => { operator: Operator; element: Locator }, selector: string): void {
  for (const width of [1920, 1280, 820]) {
    it(`fits a screen of ${width} px`, async () => {
      const { operator, element } = at();
      await operator.page.setViewportSize({ width, height: 1000 });
      await fits(operator, element, selector);
      await picture(operator, name);
    });
  }
}

/** Tests that the browser has complained of nothing unusual until then. */
export function itComplainsOfNothing(at: () => { operator: Operator; room: ControlRoom }): void {
  it("complains of nothing but what the dashboard itself does on a page with nothing on it", async () => {
    const { operator, room } = at();
    const usual = await usualComplaints(room);
    assert.deepEqual(
      operator.complaints.filter((complaint) => !usual.has(complaint)),
      [],
    );
  });
}

/** What does not fit the width of the page: parts that scroll sideways or are cut off, and parts that reach beyond it. */
export function overflowing(operator: Operator): Promise<string[]> {
  return operator.page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const found: string[] = [];
    const look = (root: Document | ShadowRoot) => {
      for (const part of root.querySelectorAll<HTMLElement>("*")) {
        if (part.shadowRoot) look(part.shadowRoot);
        if (!part.checkVisibility()) continue;
        const { overflowX, textOverflow } = getComputedStyle(part);
        const isEdge = (overflowX !== "visible" && textOverflow !== "ellipsis") || part === document.documentElement;
        const beyond = Math.round(part.getBoundingClientRect().right) - width;
        const unseen = isEdge ? part.scrollWidth - part.clientWidth : 0;
        if (beyond > 0 || unseen > 0) found.push(`${part.localName}.${part.className}: ${Math.max(beyond, unseen)} px`);
      }
    };
    look(document);
    return found;
  });
}

/** A flow whose device registry lists these devices, whatever is told of them. */
export function withDevices(
  flows: FlowNode[],
  list: { deviceId: string; name?: string; location?: string }[],
): FlowNode[] {
  const blank = { name: "", location: "", tags: "", intervalSeconds: "", limits: "", parent: "", advice: "" };
  const devices = list.map((device) => ({ ...blank, ...device }));
  return flows.map((node) => (node.type === "device-registry" ? { ...node, devices } : node));
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

/** Stops the simulator, or the replay, until it is started again; waits until it says so. */
export async function stopSimulator(client: MqttClient): Promise<void> {
  const state = new Promise<void>((resolve) => {
    client.on("message", (topic, payload) => {
      if (topic === "plant/simulator" && JSON.parse(String(payload)).state === "stopped") resolve();
    });
  });
  await client.subscribeAsync("plant/simulator", { qos: 1 });
  await client.publishAsync("plant/request/*", JSON.stringify({ command: "stop" }), { qos: 1 });
  await state;
  await client.unsubscribeAsync("plant/simulator");
}
