/** Prints how many readings a second the spool takes: lines that are there already, and readings that are encoded first. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineWriter } from "../../core/history/lines.ts";
import { PointWriter } from "../../core/history/points.ts";
import type { Reading } from "../../core/types.ts";
import { Spool } from "../../nodes/historian-write/spool/spool.ts";

const READINGS = 400_000;
const ROUNDS = 3;
/** Readings that are appended in one turn of the loop, each on its own. */
const PER_TURN = 200;
const DEVICES = 1000;

const readings: Reading[] = Array.from({ length: DEVICES }, (_, device) => ({
  deviceId: `pump-${device}`,
  timestamp: 1_700_000_000_000,
  metrics: { temperature: 62.48 + device / 100, vibration: 2.31, pressure: 4.02, current: 11.7 },
  tags: { location: `hall ${device % 5}` },
}));

/** Appends all readings, each on its own, and tells how many went in a second until the last one was safe. */
async function measure(fsync: "interval" | "always" | "never", append: (spool: Spool, index: number) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), "device-analytics-bench-"));
  const spool = await Spool.open({ folder, limitBytes: 1e9, limitAge: 1e9, whenFull: "refuse", fsync });
  const start = performance.now();
  for (let done = 0; done < READINGS; ) {
    let safe: Promise<void> | undefined;
    for (const until = done + PER_TURN; done < until; done++) safe = append(spool, done);
    if (done % 20_000 === 0) await safe;
    else await new Promise(setImmediate);
  }
  await spool.close();
  const perSecond = READINGS / ((performance.now() - start) / 1000);
  await rm(folder, { recursive: true });
  return Math.round(perSecond);
}

const lines = new LineWriter();
const points = new PointWriter(lines);
const encode = (index: number) => {
  const reading = readings[index % DEVICES] as Reading;
  reading.timestamp++;
  points.reading(reading);
  return lines.take();
};
const encoded = readings.map((_, index) => encode(index).slice());

for (const fsync of ["interval", "never", "always"] as const) {
  const plain: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await measure(fsync, (spool, index) => spool.append(encoded[index % DEVICES] as Uint8Array, 1)));
    whole.push(await measure(fsync, (spool, index) => spool.append(encode(index), 1)));
  }
  console.log(`spool, fsync ${fsync}: ${Math.max(...plain)} appends/s of one reading, ${plain.join(" ")}`);
  console.log(`spool, fsync ${fsync}: ${Math.max(...whole)} readings/s encoded and appended, ${whole.join(" ")}`);
}
