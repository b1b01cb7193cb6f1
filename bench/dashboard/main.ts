/**
 * `npm run bench:dashboard`: the dashboard's pages in a real browser on the running application with all its flows, while
 * 1,000 devices send a reading a second over MQTT. First each page alone, then all of them for `--minutes` (10). Prints one
 * table; ends with exit code 1 if a target is missed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ControlRoom } from "../../test/dashboard/dashboard.ts";
import { judged, progress, type Row, tableOf } from "../speed/report.ts";
import { startPlant } from "./application.ts";
import { certainGrowth, type Sample } from "./growth.ts";
import type { LoopFigures } from "./loop-meter.ts";
import { CHARTS, LIVE, PAGES } from "./probe.ts";
import { type Memory, memoryOf, type OpenPage, openQuietly, type Watched, watch } from "./visit.ts";

const DEVICES = 1000;

/** Until a first window of a minute is closed and stored, ms. */
const WARM_UP = 80_000;

/** Between two looks at the memory of all pages, ms. */
const MEMORY_PERIOD = 30_000;

/** The part of the time with all pages open, at its beginning, in which charts fill and memory is not looked at. */
const FILLING = 0.5;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes must be a number above 0");

progress("starting broker, application and browser");
await using plant = await startPlant();
const room = await ControlRoom.open();
const visitor = await room.operator();
await visitor.open(plant.url);
await visitor.page.goto("about:blank");
progress(`${DEVICES} devices begin to send`);
await plant.startFleet(DEVICES);
const start = performance.now();
await delay(WARM_UP);

const rows: Row[] = [];
for (const name of PAGES) {
  progress(name);
  const opened = await openQuietly(room, visitor, plant.url, name, LIVE.includes(name));
  rows.push(...rowsOf(opened, await watch(opened, plant.loop)));
  await opened.page.context().close();
}
progress(`all pages for ${minutes} min`);
const pages: OpenPage[] = [];
for (const name of PAGES) pages.push(await openQuietly(room, visitor, plant.url, name, false));
await plant.loop();
await delay(FILLING * minutes * 60_000);
const loop = await plant.loop();
rows.push(...(await measureMemory(pages)), ...nodeRedRows(loop));
await room.close();
progress("stopping the devices");
const seconds = (performance.now() - start) / 1000;
rows.push(...(await arrivalRows(seconds)));

console.log(tableOf(rows.map(judged)));
process.exitCode = rows.map(judged).some(({ isMet }) => isMet === false) ? 1 : 0;

function rowsOf({ name, firstFigures }: OpenPage, { gap, age, busy, loop, others }: Watched): Row[] {
  const row = (what: string, value: number, unit: string, more: Partial<Row> = {}): Row => {
    return { name: `${name}: ${what}`, value, unit, ...more };
  };
  return [
    row("first figures", firstFigures, "s", { target: { atMost: 3 } }),
    // Each is due a second after the one before, and a reading with the next update. What never came is a target missed.
    ...(LIVE.includes(name)
      ? [row("longest between two updates", gap ?? Infinity, "s", { target: { atMost: 2 } })]
      : []),
    ...(CHARTS.includes(name)
      ? [row("greatest age of a new point", age ?? Infinity, "s", { target: { atMost: 2 } })]
      : []),
    row("browser's main thread busy", busy, "%", { target: { atMost: 50 } }),
    row("Node-RED's loop delay, p99", loop.delay, "ms", { beside: loop.work, target: { atMost: 50 } }),
    row("other programs on the machine", others, "%"),
  ];
}

/** Looks at each page's memory again and again. */
async function measureMemory(pages: OpenPage[]): Promise<Row[]> {
  const samples = pages.map((): Memory[] => []);
  const begin = performance.now();
  const count = Math.max(1, Math.round(((1 - FILLING) * minutes * 60_000) / MEMORY_PERIOD));
  for (let n = 1; n <= count; n++) {
    await delay(begin + n * MEMORY_PERIOD - performance.now());
    for (const [index, page] of pages.entries()) samples[index]?.push(await memoryOf(page));
  }
  return pages.flatMap(({ name }, index) => {
    const memory = samples[index] ?? [];
    const row = (what: string, of: keyof Memory, unit: string, atMost?: number) => {
      const value = certainGrowth(memory.map((each, n): Sample => [(n * MEMORY_PERIOD) / 60_000, each[of]]));
      const target = atMost === undefined ? undefined : { atMost };
      return { name: `${name}: ${what}`, value, unit, beside: memory.at(-1)?.[of], target } as Row;
    };
    return [
      row("certain growth of memory in 10 min", "megabytes", "MB", 0.1),
      row("the same of DOM nodes", "nodes", "", 100),
      row("the same of listeners", "listeners", "", 10),
      row("the same of the browser's own memory", "native", "MB"),
      row("the same of compiled code", "code", "MB"),
    ];
  });
}

function nodeRedRows({ delay, work, processor, megabytes }: LoopFigures): Row[] {
  return [
    { name: "all pages: Node-RED's loop delay, p99", value: delay, unit: "ms", beside: work },
    { name: "all pages: Node-RED, of one processor", value: processor, unit: "%" },
    { name: "all pages: memory of Node-RED's process", value: megabytes, unit: "MB" },
  ];
}

async function arrivalRows(seconds: number): Promise<Row[]> {
  const { sent, counted, stored } = await plant.stopFleet();
  return [
    { name: "readings sent", value: sent / seconds, unit: "/s", target: { atLeast: 0.99 * DEVICES } },
    { name: "readings that the dashboard has not counted", value: sent - counted, unit: "", target: { atMost: 0 } },
    { name: "readings that the historian has not stored", value: sent - stored, unit: "", target: { atMost: 0 } },
  ];
}
