/** What the historian costs on the way into InfluxDB: its writes beside bare ones of the same bytes, in turns. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { quantileSorted } from "simple-statistics";
import { LineWriter } from "../../core/history/lines.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import { startInfluxd } from "../../test/support/influxd.ts";
import { judged, progress, type Row, tableOf, undisturbed } from "../speed/report.ts";

const BATCH = 5000;
const METRICS = ["temperature", "vibration", "speed", "battery"];
const DEVICES = 100;
const ROUNDS = 15;
/** Batches of each side in a round. */
const BATCHES = 8;
const START = Date.now() - 86_400_000;

/** Different lines each time, so that neither side writes what is there. */
function batch(index: number): Uint8Array {
  const writer = new LineWriter();
  for (let place = 0; place < BATCH; place++) {
    const reading = index * BATCH + place;
    const value = (metric: number) =>
      Math.round(1000 * (50 + metric + 20 * Math.sin(reading / (1000 + metric)))) / 1000;
    writer.add({
      measurement: "readings",
      tags: { device: `R${reading % DEVICES}`, location: "hall 3" },
      timestamp: START + Math.floor(reading / DEVICES) * 1000,
      fields: new Map(METRICS.map((name, metric) => [name, value(metric)])),
    });
  }
  return writer.take();
}

/** Writes bytes over a connection of its own, with nothing around them but what HTTP needs. */
class BareWriter {
  readonly #socket: Socket;
  readonly #target: string;

  constructor(port: number, database: string, policy: string) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#target = `POST /write?db=${database}&rp=${policy}&precision=ms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: `;
  }

  async write(lines: Uint8Array): Promise<void> {
    this.#socket.cork();
    this.#socket.write(`${this.#target}${lines.length}\r\n\r\n`);
    this.#socket.write(lines);
    this.#socket.uncork();
    const [answer] = (await once(this.#socket, "data")) as [Buffer];
    if (!answer.toString("latin1").startsWith("HTTP/1.1 204")) throw new Error(answer.toString());
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Writes batches, so many at once, and gives the readings a second. */
async function measure(batches: Uint8Array[], writers: ((lines: Uint8Array) => Promise<unknown>)[]): Promise<number> {
  const left = [...batches];
  const start = performance.now();
  await Promise.all(
    writers.map(async (write) => {
      for (let lines = left.pop(); lines; lines = left.pop()) await write(lines);
    }),
  );
  return (1000 * batches.length * BATCH) / (performance.now() - start);
}

async function compare(concurrency: number): Promise<Row> {
  await using influxd = await startInfluxd();
  const credentials = { username: "", password: "", token: "" };
  const historian = new InfluxHistorian({
    url: influxd.url,
    database: "historian",
    ...credentials,
    retentionDays: 30,
    archiveDays: 365,
  });
  await influxd.query("CREATE DATABASE bare");
  await influxd.query("CREATE RETENTION POLICY raw ON bare DURATION 30d REPLICATION 1 SHARD DURATION 1d");
  const bare = Array.from({ length: concurrency }, () => new BareWriter(influxd.port, "bare", "raw"));
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const batches = Array.from({ length: BATCHES }, (_, place) => batch(round * BATCHES + place));
    const sides = [
      async () =>
        ours.push(
          await measure(
            batches,
            bare.map(() => (lines) => historian.write(lines)),
          ),
        ),
      async () =>
        theirs.push(
          await measure(
            batches,
            bare.map((writer) => (lines) => writer.write(lines)),
          ),
        ),
    ];
    for (const side of round % 2 === 0 ? sides : sides.reverse()) await side();
  }
  for (const writer of bare) writer.close();
  await historian.close();
  const ratios = ours.map((rate, round) => rate / (theirs[round] ?? rate)).sort((a, b) => a - b);
  return judged({
    name: `${concurrency} write${concurrency === 1 ? "" : "s"} of ${BATCH} readings at once`,
    value: undisturbed(ours),
    unit: "readings/s",
    beside: undisturbed(theirs),
    ratio: quantileSorted(ratios, 0.5),
    target: { atLeast: 0.8 },
  });
}

const rows: Row[] = [];
for (const concurrency of [1, 4]) {
  progress(`${concurrency} at once`);
  rows.push(await compare(concurrency));
}
console.log(tableOf(rows));
