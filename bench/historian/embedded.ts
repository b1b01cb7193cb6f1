/** What a caller of the embedded historian sees: values written per second, and how long questions take. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantile } from "simple-statistics";
import { LineWriter } from "../../core/history/lines.ts";
import type { AggregateQuery, PointTags } from "../../core/history/types.ts";
import { EmbeddedHistorian } from "../../nodes/historian/embedded.ts";
import { judged, progress, type Row, tableOf } from "../speed/report.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BATCH = 5000;
const METRICS = ["temperature", "vibration", "speed", "battery"];
const END = Math.floor(Date.now() / HOUR) * HOUR;

const folder = mkdtempSync(join(tmpdir(), "historian-bench-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

function open(name: string): EmbeddedHistorian {
  return new EmbeddedHistorian({ file: join(folder, name), retentionDays: 0, archiveDays: 0 });
}

/** A fleet whose devices send in turns. */
class Fleet {
  readonly #writer = new LineWriter();
  readonly #tags: PointTags[];
  readonly #interval: number;
  #reading: number;

  /** `start` and `interval`, the time between two readings of a device, in ms. */
  constructor(devices: number, start: number, interval: number) {
    this.#tags = Array.from({ length: devices }, (_, device) => ({ device: `R${device + 1}`, location: "hall 3" }));
    this.#interval = interval;
    this.#reading = Math.round((start / interval) * devices);
  }

  batch(readings = BATCH): Uint8Array {
    for (let count = 0; count < readings; count++, this.#reading++) {
      const devices = this.#tags.length;
      const tags = this.#tags[this.#reading % devices] ?? {};
      const timestamp = Math.floor(this.#reading / devices) * this.#interval;
      const value = (metric: number) => 50 + metric + 20 * Math.sin(this.#reading / (1000 + metric));
      const fields = new Map(METRICS.map((name, metric) => [name, Math.round(1000 * value(metric)) / 1000]));
      this.#writer.add({ measurement: "readings", tags, timestamp, fields });
    }
    return this.#writer.take().slice();
  }
}

/** Writes batches, one after another, and gives the values a second. */
async function write(historian: EmbeddedHistorian, fleet: Fleet, values: number): Promise<number> {
  let elapsed = 0;
  for (let written = 0; written < values; written += BATCH * METRICS.length) {
    const lines = fleet.batch();
    const start = performance.now();
    const refused = await historian.write(lines);
    elapsed += performance.now() - start;
    if (refused.length > 0) throw new Error(refused[0]?.reason);
  }
  return Math.round((1000 * values) / elapsed);
}

/** Of eleven times, the one that the best tenth stays below: what else the machine does slows the others. */
async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 11; count++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return quantile(times, 0.1);
}

const dayOf = (more: Partial<AggregateQuery>): AggregateQuery => ({
  measurement: "readings",
  fields: ["temperature"],
  from: END - DAY,
  to: END,
  every: 300_000,
  groupBy: [],
  functions: ["mean", "min", "max"],
  ...more,
});

const rows: Row[] = [];
const add = (name: string, value: number, unit: string, target?: Row["target"]) =>
  rows.push(judged({ name, value, unit, ...(target && { target }) }));
const atMost = { atMost: 100 };

{
  const historian = open("fleet.sqlite");
  const fleet = new Fleet(100, END - 51_000 * 5000, 5000);
  progress("2 million values of a fleet of 100 into an empty file");
  add("into an empty file", await write(historian, fleet, 2_000_000), "values/s", { atLeast: 150_000 });
  progress("18 million more");
  await write(historian, fleet, 18_000_000);
  progress("another 2 million");
  add("into one of 20 million values", await write(historian, fleet, 400_000), "values/s", { atLeast: 100_000 });
  const fleetDay = () => historian.aggregate(dayOf({}));
  const allDay = () => historian.aggregate(dayOf({ fields: METRICS, groupBy: ["device"] }));
  add("a day of a fleet of 100, before it is rolled up", await milliseconds(fleetDay), "ms");
  const start = performance.now();
  await historian.maintain(Date.now());
  add("rolling all up", performance.now() - start, "ms");
  add("a day of a fleet of 100", await milliseconds(fleetDay), "ms", atMost);
  add("a day of each of 100 devices and 4 metrics", await milliseconds(allDay), "ms");
  add("bytes a value", (await historian.check()).bytes / 20_400_000, "bytes");
  await historian.close();
}
{
  const historian = open("device.sqlite");
  progress("10 million values of a device");
  await write(historian, new Fleet(1, END - 2_500_000 * 1000, 1000), 10_000_000);
  const day = () => historian.aggregate(dayOf({}));
  const detailed = () => historian.aggregate(dayOf({ every: 60_000, functions: ["mean", "stdev", "last"] }));
  const read = async () => {
    for await (const _ of historian.rows({ measurement: "readings", from: END - DAY, to: END }));
  };
  add("a day of a value a second, before it is rolled up", await milliseconds(day), "ms", atMost);
  await historian.maintain(Date.now());
  add("a day of a value a second", await milliseconds(day), "ms", atMost);
  add("a day of a value a second, per minute with stdev", await milliseconds(detailed), "ms");
  add("a day of a reading a second, row by row", await milliseconds(read), "ms");
  await historian.close();
}
{
  const historian = open("devices.sqlite");
  progress("10,000 devices");
  const fleet = new Fleet(10_000, END - HOUR, 5000);
  await write(historian, fleet, 2_400_000);
  add("each reading of another device, 2,000 at a time", await writeSmall(historian, fleet), "values/s");
  const latest = () => historian.latest({ measurement: "readings", from: END - HOUR, to: END + DAY });
  add("latest of 10,000 devices and 4 metrics", await milliseconds(latest), "ms", { atMost: 200 });
  await historian.close();
}
console.log(tableOf(rows));

/** As a fleet of 10,000 devices does that is written once a second. */
async function writeSmall(historian: EmbeddedHistorian, fleet: Fleet): Promise<number> {
  let elapsed = 0;
  for (let count = 0; count < 60; count++) {
    const lines = fleet.batch(2000);
    const start = performance.now();
    await historian.write(lines);
    elapsed += performance.now() - start;
  }
  return Math.round((1000 * 60 * 2000 * METRICS.length) / elapsed);
}
