/**
 * `node bench/historian/write.ts`: readings per second through historian-write in a Node-RED into a real influxd, beside
 * the fastest plain writer of the same arrays, which keeps nothing on disk; ends with exit code 1 if the target is missed.
 */
import { Agent, request } from "node:http";
import { median } from "simple-statistics";
import type { Reading } from "../../core/types.ts";
import { type Influxd, startInfluxd } from "../../test/support/influxd.ts";
import { readings } from "../speed/readings.ts";
import { judged, progress, type Row, tableOf } from "../speed/report.ts";
import { type Runtime, startRuntime } from "../speed/runtime.ts";

const DEVICES = 100;
/** Arrays of 1000 readings that are written in a round. */
const ARRAYS = 2000;
const READINGS = ARRAYS * 1000;
const ROUNDS = 3;
/** Arrays in a request of the plain writer, as many as historian-write sends at once. */
const BATCH = 5;
/** Requests of the plain writer at a time; the best counts. */
const CONNECTIONS = [1, 2, 4];
/** Arrays that are on their way into the node at a time. */
const BURST = 5;

/** Where the readings of the bench begin, ms since 1970; here they end now. */
const FIRST_TIMESTAMP = 1_700_000_000_000;
const start = Date.now() - (READINGS * 1000) / DEVICES;

/** 1000 readings, the `index`-th such array. They are made when they are sent: many that wait would slow the collector. */
function arrayOf(index: number): Reading[] {
  const array = readings(index, DEVICES);
  for (const reading of array) reading.timestamp += start - FIRST_TIMESTAMP;
  return array;
}

/** What a plain writer makes of readings: text without any care for hostile names. */
function linesOf(array: Reading[]): string {
  let lines = "";
  for (const { deviceId, timestamp, metrics } of array) {
    let fields = "";
    for (const name in metrics) fields += `${fields === "" ? "" : ","}${name}=${metrics[name]}`;
    lines += `readings,device=${deviceId} ${fields} ${timestamp}\n`;
  }
  return lines;
}

/** Makes lines of all arrays and posts them, and resolves once all are acknowledged. */
async function writePlainly(influxd: Influxd, database: string, connections: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const url = `${influxd.url}/write?db=${database}&precision=ms`;
  let next = 0;
  const post = (body: Buffer) =>
    new Promise<void>((resolve, reject) => {
      request(url, { method: "POST", agent, headers: { "Content-Length": body.length } }, (response) => {
        response.resume().once("end", () => {
          if (response.statusCode === 204) resolve();
          else reject(new Error(`${response.statusCode}`));
        });
      })
        .once("error", reject)
        .end(body);
    });
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < ARRAYS) {
        let lines = "";
        for (const end = Math.min(next + BATCH, ARRAYS); next < end; next++) lines += linesOf(arrayOf(next));
        await post(Buffer.from(lines));
      }
    }),
  );
  agent.destroy();
}

/**
 * Sends all arrays through the node, at most so many at a time, and resolves once the store has them: with the readings
 * per second between the first figures and the last before the end. They come once a second, the very last ones up to a
 * second after what they tell.
 */
async function writeByNode(runtime: Runtime): Promise<number> {
  const source = runtime.node("source");
  let next = 0;
  const send = () => {
    if (next < ARRAYS) source.send({ payload: arrayOf(next++) });
  };
  const unwatch = runtime.onDone((id) => {
    if (id === "write") send();
  });
  const rate = await new Promise<number>((resolve) => {
    const seen: { written: number; at: number }[] = [];
    runtime.node("figures").count = ({ payload }) => {
      const { written } = payload as { written: number };
      if (written > 0 && written < READINGS) seen.push({ written, at: performance.now() });
      if (written < READINGS) return;
      const [first = { written: 0, at: 0 }, last = first] = [seen[0], seen.at(-1)];
      resolve(((last.written - first.written) / (last.at - first.at)) * 1000);
    };
    for (let sent = 0; sent < BURST; sent++) send();
  });
  unwatch();
  return rate;
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

progress("starting influxd and Node-RED");
const influxd = await startInfluxd();
const runtime = await startRuntime();
const rates: { ours: number; plain: number }[] = [];
for (let round = 0; round < ROUNDS; round++) {
  let plain = 0;
  for (const connections of CONNECTIONS) {
    const database = `plain_${round}_${connections}`;
    await influxd.query(`CREATE DATABASE ${database}`);
    const time = await seconds(() => writePlainly(influxd, database, connections));
    await influxd.query(`DROP DATABASE ${database}`);
    progress(`plain writer, ${connections} connections: ${Math.round(READINGS / time)} readings/s`);
    plain = Math.max(plain, READINGS / time);
  }
  const database = `ours_${round}`;
  await runtime.deploy([
    { id: "store", type: "historian", engine: "influxdb", url: influxd.url, database },
    { id: "source", type: "bench-source", wires: [["write"]] },
    { id: "write", type: "historian-write", historian: "store", wires: [["figures"], []] },
    { id: "figures", type: "bench-sink", wires: [] },
  ]);
  const ours = await writeByNode(runtime);
  progress(`historian-write: ${Math.round(ours)} readings/s`);
  await influxd.query(`DROP DATABASE ${database}`);
  rates.push({ ours, plain });
}
await runtime.stop();
await influxd.stop();

const row: Row = {
  name: "historian-write, arrays of 1000 / plain writer of the same arrays",
  value: Math.round(median(rates.map(({ ours }) => ours))),
  unit: "readings/s",
  beside: Math.round(median(rates.map(({ plain }) => plain))),
  ratio: median(rates.map(({ ours, plain }) => ours / plain)),
  target: { atLeast: 0.8 },
};
console.log(tableOf([judged(row)]));
process.exit(judged(row).isMet ? 0 : 1);
