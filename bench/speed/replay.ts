/**
 * How fast a recording is replayed, and in how much memory: `node bench/speed/replay.ts --megabytes 2048`. It makes a
 * CSV file of that size in a temporary folder, and plays it to a consumer that takes a turn of the event loop now and then.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Replay } from "../../nodes/simulator/replay.ts";

const MEGABYTE = 1e6;
const ROWS_PER_BLOCK = 500;
/** Readings that the consumer takes at once. */
const PER_TURN = 256;

const { megabytes } = parseArgs({ options: { megabytes: { type: "string", default: "2048" } } }).values;
const folder = await mkdtemp(join(tmpdir(), "bench-replay-"));
try {
  const file = join(folder, "recording.csv");
  await pipeline(blocks(Number(megabytes) * MEGABYTE), createWriteStream(file));
  await replay(file);
} finally {
  await rm(folder, { recursive: true });
}

/** A header, and rows of a hundred machines, until there are so many bytes. */
function* blocks(size: number): Generator<string> {
  const header = "timestamp,device_id,temperature,vibration,speed,battery,running\n";
  yield header;
  const start = Date.UTC(2026, 0, 1);
  for (let written = header.length, row = 0; written < size; ) {
    let block = "";
    for (const end = row + ROWS_PER_BLOCK; row < end; row++) {
      const load = Math.sin(row / 1000) / 2 + 0.5;
      const values = [40 + 30 * load, 0.3 + load / 2, 0.6 + 4.2 * load, 90 - (row % 60)].map((value) =>
        value.toFixed(3),
      );
      block += `${start + row * 50},R${row % 100},${values.join()},${load > 0.1 ? "True" : "False"}\n`;
    }
    written += block.length;
    yield block;
  }
}

async function replay(file: string): Promise<void> {
  const memory = () => Math.round(process.memoryUsage.rss() / MEGABYTE);
  const before = memory();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, memory());
  }, 50);
  const refuse = (reason: string) => console.log(reason);
  const take = () => (replay.sent % PER_TURN === 0 ? turn() : undefined);
  const replay = new Replay({ file, speed: 0, loop: false, timestamps: "now" }, { take }, refuse, 1);
  const start = performance.now();
  await replay.open();
  await replay.play();
  const seconds = (performance.now() - start) / 1000;
  clearInterval(timer);
  console.log(`${replay.sent} records of ${megabytes} MB in ${seconds.toFixed(1)} s`);
  console.log(`${Math.round(replay.sent / seconds)} records/s, ${replay.refused + replay.partlyRefused} refused`);
  console.log(`RSS ${before} MB at the start, ${most} MB at most, ${memory()} MB at the end`);
}
