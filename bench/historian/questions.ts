/**
 * `node bench/historian/questions.ts [embedded|influxdb]`: how long the questions take that the pages of history ask, of a
 * fleet with 5 metrics, a reading and a verdict a minute, and 30 days of it; and what a costly one does to the process that
 * asks, to writing and to others. Ends with exit code 1 if a target is missed.
 */
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { LineWriter } from "../../core/history/lines.ts";
import type { FieldValue, Measurement, PointTags } from "../../core/history/types.ts";
import { EmbeddedHistorian } from "../../nodes/historian/embedded.ts";
import type { Engine } from "../../nodes/historian/engine.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import { ANSWERS } from "../../nodes/historian-query/answers.ts";
import { options } from "../../nodes/historian-query/options.ts";
import { queryOf } from "../../nodes/historian-query/query.ts";
import type { Settings } from "../../nodes/lib/options.ts";
import { newFolder } from "../../test/support/folders.ts";
import { startInfluxd } from "../../test/support/influxd.ts";
import { LoopProbe } from "../../test/support/loop-probe.ts";
import { judged, progress, type Row, tableOf } from "../speed/report.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS = 30;
const END = Math.floor(Date.now() / MINUTE) * MINUTE;
const START = END - DAYS * DAY;
/** Minutes of one device in a write. */
const BATCH = 4320;
const HALLS = 5;
const METRICS = ["temperature", "vibration", "speed", "battery", "current"];
const PARTS = METRICS.flatMap((metric) => ["mean", "min", "max", "stdev"].map((part) => `${metric}.${part}`));
const WINDOW_FIELDS = ["count", "anomalyCount", ...PARTS];
const RETENTION = { retentionDays: 0, archiveDays: 0 };
const RANGES = [
  ["1 h", HOUR],
  ["24 h", DAY],
  ["7 d", 7 * DAY],
  ["30 d", 30 * DAY],
] as const;
/** What is wanted of questions of one device, and of such of the fleet, ms. */
const ONE = 1000;
const FLEET = 5000;
/** How long others wait for the process that asks, ms. */
const LOOP = 50;
/** Of the delay's measurement, ms. */
const RESOLUTION = 5;

type Asked = Record<string, unknown> & { queryType: keyof typeof ANSWERS };

const settings = Object.fromEntries(
  Object.entries(options).map(([name, option]) => [name, option.parse(option.value)]),
) as Settings<typeof options>;

/** Everything of one device in a while, whose name and hall stand for those of any other. */
function linesOf(from: number, minutes: number): string {
  const tags = { device: "@device", location: "@hall" };
  const writer = new LineWriter();
  for (let minute = 0; minute < minutes; minute++) {
    const timestamp = from + minute * MINUTE;
    const turn = timestamp / MINUTE;
    const value = (metric: number) => {
      const noise = ((turn * 7919 * (metric + 1)) % 101) / 50;
      return Math.round(1000 * (50 + metric + 20 * Math.sin(turn / (100 + metric)) + noise)) / 1000;
    };
    const add = (measurement: Measurement, more: PointTags, fields: [string, FieldValue][]) =>
      writer.add({ measurement, tags: { ...tags, ...more }, timestamp, fields: new Map(fields) });
    add(
      "readings",
      {},
      METRICS.map((name, metric) => [name, value(metric)]),
    );
    const isAnomaly = Number(turn % 97 === 0);
    add("verdicts", { detector: "z-score" }, [
      ["isAnomaly", isAnomaly],
      ["score", 3 * isAnomaly + value(0) / 50],
      ["threshold", 3],
    ]);
    if (turn % 10 === 0) {
      add(
        "windows",
        {},
        WINDOW_FIELDS.map((name, place) => [name, value(place % METRICS.length)]),
      );
    }
    if (turn % 1440 === 0) add("alarms", { condition: "hot", change: "raised" }, [["severity", "critical"]]);
  }
  return Buffer.from(writer.take()).toString();
}

/** Writes three days after another, device by device, as many at once as keep the store busy. */
async function fill(historian: Engine, devices: number): Promise<void> {
  const writing: Promise<unknown>[] = [];
  for (let from = START; from < END; from += BATCH * MINUTE) {
    const lines = linesOf(from, Math.min(BATCH, (END - from) / MINUTE));
    for (let device = 0; device < devices; device++) {
      const own = lines
        .replaceAll("@device", `P${device}`)
        .replaceAll("@hall", `hall ${device % HALLS}`.replace(" ", "\\ "));
      writing.push(historian.write(Buffer.from(own)));
      if (writing.length > 2) await writing.shift();
    }
  }
  await Promise.all(writing);
}

/** What the pages ask, by what it is for; one device first, then the fleet. */
function questions(range: { from: number; to: number }): { one: [string, Asked][]; fleet: [string, Asked][] } {
  const of = { devices: ["P7"] };
  const metrics = METRICS.slice(0, 4);
  const one = { metrics: ["temperature"], ...range };
  const count = {
    queryType: "aggregate",
    measurement: "verdicts",
    metrics: ["isAnomaly"],
    functions: ["count", "sum"],
    timeZone: "Europe/Berlin",
    ...range,
  } as const;
  const windows = {
    queryType: "aggregate",
    measurement: "windows",
    metrics: [...PARTS.slice(0, 16), "count", "anomalyCount"],
    functions: ["mean", "min", "max", "sum"],
    maxPoints: 300,
    ...range,
  } as const;
  const curve = { queryType: "aggregate", functions: ["mean", "min", "max"], maxPoints: 600, ...one } as const;
  return {
    one: [
      ["series", { queryType: "series", metrics, ...of, ...range, every: "auto", maxPoints: 600 }],
      ["anomalies by hour", { ...count, ...of, groupBy: ["device"], every: "1h" }],
      ["anomalies by day", { ...count, ...of, groupBy: ["device"], every: "1d" }],
      ["windows", { ...windows, ...of, groupBy: ["device"] }],
      ["distribution", { queryType: "distribution", ...one, ...of, groupBy: [], lower: "p5", upper: "p95" }],
      ["curve", { ...curve, ...of, groupBy: [] }],
      ["correlation", { queryType: "correlation", metrics, ...of, ...range, groupBy: [] }],
    ],
    fleet: [
      ["share of anomalies by device", { ...count, groupBy: ["device"], every: "all" }],
      ["share of anomalies by location", { ...count, groupBy: ["location"], every: "all" }],
      ["windows of a location", { ...windows, locations: ["hall 3"], groupBy: ["location"] }],
      ["distribution of a location", { queryType: "distribution", ...one, locations: ["hall 3"], groupBy: [] }],
      ["curve of a location", { ...curve, locations: ["hall 3"], groupBy: [] }],
      [
        "correlation of a location",
        { queryType: "correlation", metrics, locations: ["hall 3"], ...range, groupBy: [] },
      ],
      ["statistics by location", { queryType: "statistics", ...one, groupBy: ["location"] }],
      ["statistics by device", { queryType: "statistics", ...one, groupBy: ["device"] }],
    ],
  };
}

async function ask(historian: Engine, asked: Asked): Promise<number> {
  const now = Date.now();
  const begin = performance.now();
  const signal = AbortSignal.timeout(120_000);
  await ANSWERS[asked.queryType]({ historian, query: queryOf(settings, asked, now), now, signal, registry: undefined });
  return performance.now() - begin;
}

/** Writes and asks for one device as long as a question is not answered: the longest that each has taken, ms. */
async function meanwhile(historian: Engine, costly: Asked, small: Asked) {
  const longest = { writing: 0, asking: 0 };
  let isAnswered = false;
  const probe = new LoopProbe();
  const answer = ask(historian, costly).finally(() => {
    isAnswered = true;
  });
  for (let minute = 0; !isAnswered; minute++) {
    const lines = linesOf(END + minute * MINUTE, 1)
      .replaceAll("@device", "P7")
      .replaceAll("@hall", "hall\\ 2");
    const begin = performance.now();
    await historian.write(Buffer.from(lines));
    longest.writing = Math.max(longest.writing, performance.now() - begin);
    longest.asking = Math.max(longest.asking, await ask(historian, small));
    await delay(20);
  }
  await answer;
  return { ...longest, turn: probe.stop() };
}

const rows: Row[] = [];

async function measure(engine: string, historian: Engine, devices: number): Promise<void> {
  const add = (name: string, value: number, atMost: number) =>
    rows.push(judged({ name: `${engine}, ${name}`, value, unit: "ms", target: { atMost } }));
  const timed = async (what: string, work: () => Promise<unknown>) => {
    const begin = performance.now();
    await work();
    progress(`${engine}: ${what}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  };
  await timed(`${devices} devices, ${DAYS} days`, () => fill(historian, devices));
  await timed("rolling up", () => historian.maintain(END + HOUR));
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION });
  loop.enable();
  add("devices and their metrics", await ask(historian, { queryType: "latest", range: "30d" }), FLEET);
  for (const [title, length] of RANGES) {
    // No range of a page begins or ends on the hour.
    const { one, fleet } = questions({ from: END - length + 1234, to: END - 321 });
    for (const [what, asked] of one) add(`${what}, ${title}`, await ask(historian, asked), ONE);
    for (const [what, asked] of fleet) add(`${what}, ${title}`, await ask(historian, asked), FLEET);
    progress(`${engine}: ${title}`);
  }
  loop.disable();
  add("delay of the event loop, p99", Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION), LOOP);
  const [small, costly] = [questions({ from: END - HOUR, to: END }).one, questions({ from: START, to: END }).fleet];
  const longest = await meanwhile(historian, costly.at(-1)?.[1] as Asked, small[0]?.[1] as Asked);
  add("a write meanwhile, the longest", longest.writing, ONE);
  add("a question of one device meanwhile, the longest", longest.asking, ONE);
  add("a turn of the event loop meanwhile, the longest, of the processor", longest.turn, LOOP);
  await historian.close();
}

const which = process.argv[2];
if (which !== "influxdb") {
  const file = join(newFolder(), "history.sqlite");
  await measure("embedded", new EmbeddedHistorian({ file, ...RETENTION }), 100);
}
if (which !== "embedded") {
  const influxd = await startInfluxd();
  const access = { url: influxd.url, database: "bench", username: "", password: "", token: "" };
  await measure("influxdb", new InfluxHistorian({ ...access, ...RETENTION }), 20);
  await influxd.stop();
}
console.log(tableOf(rows));
process.exit(rows.every(({ isMet }) => isMet) ? 0 : 1);
