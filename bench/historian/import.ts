/** `node bench/historian/import.ts`: rows per second of an import of 1,000,000 rows of CSV, into each engine. */
import { createWriteStream, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EmbeddedHistorian } from "../../nodes/historian/embedded.ts";
import type { Engine } from "../../nodes/historian/engine.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import { importHistory } from "../../nodes/historian-write/import.ts";
import { newFolder } from "../../test/support/folders.ts";
import { startInfluxd } from "../../test/support/influxd.ts";
import { progress, type Row, tableOf } from "../speed/report.ts";

const ROWS = 1_000_000;
const DEVICES = 100;
const RETENTION = { retentionDays: 0, archiveDays: 0 };
const START = Date.UTC(2026, 0, 1);

function* csv(): Generator<string> {
  yield "device,timestamp,temperature,humidity,vibration\n";
  for (let row = 0; row < ROWS; row++) {
    const values = [20 + Math.sin(row / 50), 50 + Math.cos(row / 70), Math.abs(Math.sin(row))];
    yield `machine-${row % DEVICES},${START + row * 10},${values.map((value) => value.toFixed(3)).join()}\n`;
  }
}

async function measure(name: string, historian: Engine): Promise<Row> {
  progress(name);
  const begin = performance.now();
  const { rows, refused } = await importHistory(file, historian, { folder: join(folder, name) });
  const seconds = (performance.now() - begin) / 1000;
  await historian.close();
  if (rows !== ROWS || refused > 0) throw new Error(`${rows} rows, ${refused} refused`);
  return { name: `import of ${ROWS} rows of 3 metrics, ${name}`, value: Math.round(ROWS / seconds), unit: "rows/s" };
}

const folder = newFolder();
const file = join(folder, "rows.csv");
await pipeline(Readable.from(csv()), createWriteStream(file));
progress(`${Math.round(statSync(file).size / 1e6)} MB of CSV`);
const influxd = await startInfluxd();
const access = { url: influxd.url, database: "bench", username: "", password: "", token: "" };
const rows = [
  await measure("embedded", new EmbeddedHistorian({ file: join(folder, "history.sqlite"), ...RETENTION })),
  await measure("influxdb", new InfluxHistorian({ ...access, ...RETENTION })),
];
await influxd.stop();
console.log(tableOf(rows));
