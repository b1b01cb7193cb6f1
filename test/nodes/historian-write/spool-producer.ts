/**
 * Fills and empties a spool until it is killed, or `last` is safe. Arguments: folder, fsync, first, last. Prints, a line each, `safe N` when
 * all numbers below N are, and `took N M` when those from N on below M were delivered, before it acknowledges them.
 */
import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Spool, type SpoolOptions } from "../../../nodes/historian-write/spool/spool.ts";
import { linesOf, numbersIn } from "./spooled.ts";

const [folder = "", fsync = "", first = "", last = "Infinity"] = process.argv.slice(2);
const spool = await Spool.open({
  folder,
  limitBytes: 2e6,
  limitAge: 3_600_000,
  whenFull: "refuse",
  fsync: fsync as SpoolOptions["fsync"],
});

async function produce(): Promise<void> {
  for (let from = Number(first); from < Number(last); ) {
    const to = from + 1 + (from % 37);
    try {
      for (let number = from; number < to - 1; number++) {
        void spool.append(linesOf({ from: number, to: number + 1 }, 100), 1).catch(() => {});
      }
      await spool.append(linesOf({ from: to - 1, to }, 100), 1);
      writeSync(1, `safe ${to}\n`);
      from = to;
    } catch {
      await setImmediate();
    }
  }
}

async function consume(from: number, to: number): Promise<void> {
  const cursor = spool.cursor({ from, to });
  while (!cursor.isDone) {
    const batch = await cursor.read(10_000, 60);
    if (batch) {
      const numbers = numbersIn(batch);
      let start = 0;
      for (let place = 1; place <= numbers.length; place++) {
        const last = numbers[place - 1] as number;
        if (numbers[place] === last + 1) continue;
        writeSync(1, `took ${numbers[start]} ${last + 1}\n`);
        start = place;
      }
      spool.acknowledge(batch.range);
    }
    await setImmediate();
  }
}

const { start, end } = spool;
void consume(start, end);
void consume(end, Infinity);
await produce();
process.exit();
