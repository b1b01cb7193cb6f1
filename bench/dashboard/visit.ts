/** Pages of the dashboard in a real browser: opened, watched for a while, and what they cost it. */
import { setTimeout as delay } from "node:timers/promises";
import type { CDPSession, Page } from "playwright-core";
import { mean } from "simple-statistics";
import type { ControlRoom, Operator } from "../../test/dashboard/dashboard.ts";
import type { LoopFigures } from "./loop-meter.ts";
import { shareOfOthers, work } from "./machine.ts";
import { type Noted, PAGES, type PageName, probe } from "./probe.ts";

/** What has not shown figures after so long never will, ms. */
const PATIENCE = 60_000;

/** While other programs take more of the processors, percent, what is measured tells of them. */
const QUIET = 10;

/** A page is opened until it was quiet, so often at most. */
const OPENINGS = 3;

/** A page is watched in slices of so many ms, until so many of them were quiet, so many at most. */
const SLICE = 5000;
const QUIET_SLICES = 4;
const SLICES = 8;

/** A page that is open, and the way to ask the browser about it. */
export interface OpenPage {
  name: PageName;
  page: Page;
  browser: CDPSession;
  /** Until it showed figures, from the first request on and with nothing of it in the browser's cache, s. */
  firstFigures: number;
  /** What other programs took of the processors meanwhile, percent. */
  others: number;
}

/** What was seen of a page in its quietest slices. */
export interface Watched {
  /** Between two updates at most, s; undefined when there were none. */
  gap: number | undefined;
  /** How old the newest value in a chart was when it was drawn, at most, s. */
  age: number | undefined;
  /** Of the browser's main thread, percent. */
  busy: number;
  /** Of the slice with the longest delay. */
  loop: LoopFigures;
  /** What other programs took of the processors meanwhile, percent. */
  others: number;
}

interface Slice extends Omit<Watched, "gap" | "age"> {
  gaps: number[];
  ages: number[];
}

/**
 * Somebody who has logged in opens a page in a browser that has seen nothing of it; the quietest opening counts. With
 * `isNoted`, the updates that follow are noted, which takes some of the page's memory.
 */
export async function openQuietly(...visit: Parameters<typeof open>): Promise<OpenPage> {
  let quietest: OpenPage | undefined;
  for (let count = 0; count < OPENINGS && (quietest?.others ?? Infinity) > QUIET; count++) {
    const opened = await open(...visit);
    const [kept, other] = quietest && quietest.others < opened.others ? [quietest, opened] : [opened, quietest];
    await other?.page.context().close();
    quietest = kept;
  }
  return quietest as OpenPage;
}

async function open(
  room: ControlRoom,
  visitor: Operator,
  url: string,
  name: PageName,
  isNoted: boolean,
): Promise<OpenPage> {
  const { page } = await room.operator();
  await page.context().addCookies(await visitor.page.context().cookies());
  await page.addInitScript(`(${probe})(${JSON.stringify(name)}, ${isNoted})`);
  const before = work();
  await page.goto(`${url}/ui/#!/${PAGES.indexOf(name)}`, { timeout: PATIENCE });
  await page.waitForFunction(
    () => (window as unknown as { probe: Noted }).probe.firstFigures !== undefined,
    undefined,
    {
      timeout: PATIENCE,
    },
  );
  const others = shareOfOthers(before, work());
  const browser = await page.context().newCDPSession(page);
  await browser.send("Performance.enable", { timeDomain: "threadTicks" });
  const { firstFigures = PATIENCE } = await notedOf(page);
  return { name, page, browser, firstFigures: firstFigures / 1000, others };
}

/** Watches an open page. `loop` gives the figures of Node-RED's event loop since it was asked the last time. */
export async function watch(opened: OpenPage, loop: () => Promise<LoopFigures>): Promise<Watched> {
  const slices: Slice[] = [];
  const areQuiet = () => slices.filter(({ others }) => others <= QUIET).length >= QUIET_SLICES;
  while (slices.length < SLICES && !areQuiet()) slices.push(await watchSlice(opened, loop));
  const quietest = slices.sort((a, b) => a.others - b.others).slice(0, QUIET_SLICES);
  const atMost = (times: number[]) => (times.length > 0 ? Math.max(...times) / 1000 : undefined);
  const [slowest] = quietest.map(({ loop }) => loop).sort((a, b) => b.delay - a.delay);
  return {
    gap: atMost(quietest.flatMap(({ gaps }) => gaps)),
    age: atMost(quietest.flatMap(({ ages }) => ages)),
    busy: mean(quietest.map(({ busy }) => busy)),
    loop: slowest as LoopFigures,
    others: mean(quietest.map(({ others }) => others)),
  };
}

async function watchSlice({ page, browser }: OpenPage, loop: () => Promise<LoopFigures>): Promise<Slice> {
  await loop();
  const noted = await notedOf(page);
  const before = { work: work(), page: await metricsOf(browser) };
  await delay(SLICE);
  const after = { work: work(), page: await metricsOf(browser) };
  const figures = await loop();
  const { updates, ages } = await notedOf(page);
  // The first gap of a slice may have begun before it.
  const times = updates.slice(Math.max(0, noted.updates.length - 1));
  return {
    gaps: times.slice(1).map((time, index) => time - (times[index] ?? time)),
    ages: ages.slice(noted.ages.length),
    busy: (100 * (after.page.TaskDuration - before.page.TaskDuration)) / (after.page.Timestamp - before.page.Timestamp),
    loop: figures,
    others: shareOfOthers(before.work, after.work),
  };
}

function notedOf(page: Page): Promise<Noted> {
  return page.evaluate(() => (window as unknown as { probe: Noted }).probe);
}

/** What is left of a page's memory once the browser has tidied up. */
export interface Memory {
  /** Objects and texts of the page. */
  megabytes: number;
  nodes: number;
  listeners: number;
  /** What they and all else take in the browser's own memory, such as the times of the latest requests. */
  native: number;
  /** Compiled code, of which there is more the longer a browser watches which functions run often. */
  code: number;
}

/** The part of a heap snapshot that is looked at. */
interface HeapSnapshot {
  snapshot: { meta: { node_fields: string[]; node_types: [string[], ...unknown[]] } };
  /** So many numbers a node as there are fields. */
  nodes: number[];
}

/** Cost: a second or two, of which the page stands still for some tenths. */
export async function memoryOf({ browser }: OpenPage): Promise<Memory> {
  // A snapshot alone leaves DOM nodes that nobody refers to.
  await browser.send("HeapProfiler.collectGarbage");
  const { Nodes, JSEventListeners } = await metricsOf(browser);
  const chunks: string[] = [];
  const take = ({ chunk }: { chunk: string }) => chunks.push(chunk);
  browser.on("HeapProfiler.addHeapSnapshotChunk", take);
  await browser.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  browser.off("HeapProfiler.addHeapSnapshotChunk", take);
  const { snapshot, nodes }: HeapSnapshot = JSON.parse(chunks.join(""));
  const { node_fields: fields, node_types } = snapshot.meta;
  const [type, size] = [fields.indexOf("type"), fields.indexOf("self_size")];
  const bytes = { code: 0, native: 0, other: 0 };
  for (let start = 0; start < nodes.length; start += fields.length) {
    const kind = node_types[0][nodes[start + type] as number];
    bytes[kind === "code" || kind === "native" ? kind : "other"] += nodes[start + size] as number;
  }
  const { code, native, other } = bytes;
  return {
    megabytes: other / 1e6,
    nodes: Nodes,
    listeners: JSEventListeners,
    native: native / 1e6,
    code: code / 1e6,
  };
}

type Metric = "TaskDuration" | "Timestamp" | "Nodes" | "JSEventListeners";

async function metricsOf(browser: CDPSession): Promise<Record<Metric, number>> {
  const { metrics } = await browser.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value])) as Record<Metric, number>;
}
