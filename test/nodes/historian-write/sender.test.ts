import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../../core/random.ts";
import { EmbeddedHistorian } from "../../../nodes/historian/embedded.ts";
import { Sender } from "../../../nodes/historian-write/sender.ts";
import { Spool } from "../../../nodes/historian-write/spool/spool.ts";
import { StoreUnavailable } from "../../../nodes/lib/historian.ts";
import { newFolder } from "../../support/folders.ts";

describe("a sender", function () {
  this.timeout(60_000);

  /** Adds bursts of lines, and waits each time until the store has them all, though nothing comes after them. */
  async function sendBursts(count: number, answer: (random: Random) => Promise<void>): Promise<void> {
    const random = new Random(1);
    const folder = newFolder();
    const historian = new EmbeddedHistorian({ file: `${folder}/history.sqlite`, retentionDays: 0, archiveDays: 0 });
    const { write } = historian;
    historian.write = async (lines) => {
      const refused = await write.call(historian, lines);
      await answer(random);
      return refused;
    };
    const limits = { limitBytes: 1e8, limitAge: 1e9, whenFull: "refuse", fsync: "never" } as const;
    const spool = await Spool.open({ folder: `${folder}/spool`, ...limits });
    const sender = new Sender({
      ...{ spool, historian, batchSize: 20, flushSeconds: 0.1 },
      refuse: () => assert.fail(),
      changed: () => undefined,
    });
    let time = 0;
    for (let burst = 0; burst < count; burst++) {
      for (let part = Math.ceil(10 * random.next()); part > 0; part--) {
        const count = 1 + Math.floor(18 * random.next());
        const lines = Array.from({ length: count }, () => `readings,device=R1 x=1 ${time++}\n`);
        await spool.append(Buffer.from(lines.join("")), count);
        sender.added(count);
        await delay(5 * random.next());
      }
      for (const end = performance.now() + 10_000; spool.figures.waiting > 0; await delay(5)) {
        assert.ok(performance.now() < end, `${spool.figures.waiting} of ${time} lines wait for others`);
      }
    }
    await sender.close();
    await spool.close();
    await historian.close();
  }

  it("sends all of a burst, also when nothing comes after it", () => sendBursts(30, () => delay(20)));

  it("sends all of a burst again, also when nothing comes after the last of it has failed", () =>
    sendBursts(8, async (random) => {
      await delay(5);
      if (random.next() < 0.4) throw new StoreUnavailable("the connection was reset");
    }));
});
