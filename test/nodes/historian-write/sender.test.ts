import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../../core/random.ts";
import { EmbeddedHistorian } from "../../../nodes/historian/embedded.ts";
import { Sender } from "../../../nodes/historian-write/sender.ts";
import { Spool } from "../../../nodes/historian-write/spool/spool.ts";
import { newFolder } from "../../support/folders.ts";

describe("a sender", function () {
  this.timeout(60_000);

  it("sends all of a burst, also when nothing comes after it", async () => {
    const random = new Random(1);
    const folder = newFolder();
    const historian = new EmbeddedHistorian({ file: `${folder}/history.sqlite`, retentionDays: 0, archiveDays: 0 });
    const { write } = historian;
    historian.write = async (lines) => {
      await delay(20);
      return await write.call(historian, lines);
    };
    const limits = { limitBytes: 1e8, limitAge: 1e9, whenFull: "refuse", fsync: "never" } as const;
    const spool = await Spool.open({ folder: `${folder}/spool`, ...limits });
    const sender = new Sender({
      ...{ spool, historian, batchSize: 20, flushSeconds: 0.1 },
      refuse: () => assert.fail(),
      changed: () => undefined,
    });
    let time = 0;
    for (let burst = 0; burst < 30; burst++) {
      for (let part = Math.ceil(10 * random.next()); part > 0; part--) {
        const count = 1 + Math.floor(18 * random.next());
        const lines = Array.from({ length: count }, () => `readings,device=R1 x=1 ${time++}\n`);
        await spool.append(Buffer.from(lines.join("")), count);
        sender.added(count);
        await delay(5 * random.next());
      }
      for (const end = performance.now() + 5000; sender.written < time; await delay(5)) {
        assert.ok(performance.now() < end, `${time - sender.written} of ${time} lines wait for others`);
      }
    }
    await sender.close();
    await spool.close();
    await historian.close();
  });
});
