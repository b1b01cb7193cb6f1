import assert from "node:assert/strict";
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Ranges } from "../../../nodes/historian-write/spool/ranges.ts";
import { type Batch, type Cursor, type Range, SpoolFull } from "../../../nodes/historian-write/spool/spool.ts";
import { startChild } from "../../support/child.ts";
import { newFolder } from "../../support/folders.ts";
import { crashed, linesOf, numbers, numbersIn, openSpool, readAll } from "./spooled.ts";

describe("the spool", () => {
  it("gives back what was appended, in order and in one piece", async () => {
    const spool = await openSpool();
    await spool.append(linesOf({ from: 0, to: 3 }), 3);
    void spool.append(linesOf({ from: 3, to: 4 }), 1);
    await spool.append(linesOf({ from: 4, to: 6 }), 2);
    const batch = await spool.cursor(spool.start).read(1000, 1000);
    assert.deepEqual(batch?.range, { from: 0, to: 6 });
    assert.equal(batch.readings, 6);
    assert.deepEqual(numbersIn(batch), [0, 1, 2, 3, 4, 5]);
    assert.equal(await spool.cursor(spool.end).read(1000, 1000), undefined);
    await spool.close();
  });

  it("shows to a cursor that waits what is appended later", async () => {
    const spool = await openSpool();
    const cursor = spool.cursor(0);
    for (let number = 0; number < 500; number++) {
      assert.equal(await cursor.read(1000, 10), undefined);
      await spool.append(linesOf({ from: number, to: number + 1 }, 50), 1);
      const batch = await cursor.read(1000, 10);
      assert.deepEqual(batch && numbersIn(batch), [number]);
      spool.acknowledge((batch as Batch).range);
    }
    await spool.close();
  });

  it("gives batches of the wished size, but at least what was appended at once", async () => {
    const spool = await openSpool({ limitBytes: 1e7 });
    for (let from = 0; from < 300; from += 10) await spool.append(linesOf({ from, to: from + 10 }, 100), 10);
    await spool.append(linesOf({ from: 300, to: 1300 }, 100), 1000);
    const cursor = spool.cursor(0);
    const sizes: number[] = [];
    for (let batch = await cursor.read(5000, 100); batch; batch = await cursor.read(5000, 100)) {
      sizes.push(batch.readings);
    }
    assert.deepEqual(sizes, [50, 50, 50, 50, 50, 50, 1000]);
    assert.equal((await spool.cursor(0).read(1e6, 25))?.readings, 20);
    await spool.close();
  });

  it("shares one promise among all that is appended in a turn, and keeps each turn's order", async () => {
    const spool = await openSpool({ fsync: "always" });
    const first = spool.append(linesOf({ from: 0, to: 1 }), 1);
    assert.equal(spool.append(linesOf({ from: 1, to: 2 }), 1), first);
    assert.equal(spool.end, 0);
    await first;
    assert.equal(spool.end, 2);
    assert.notEqual(spool.append(linesOf({ from: 2, to: 3 }), 1), first);
    await spool.close();
    assert.throws(() => spool.append(linesOf({ from: 3, to: 4 }), 1), /closed/);
  });

  it("keeps what is not acknowledged across a restart, and only that", async () => {
    const folder = newFolder();
    const before = await openSpool({ folder });
    for (let from = 0; from < 600; from += 20) await before.append(linesOf({ from, to: from + 20 }, 20), 20);
    before.acknowledge({ from: 100, to: 200 });
    before.acknowledge({ from: 0, to: 60 });
    before.acknowledge({ from: 580, to: 600 });
    await before.close();
    const spool = await openSpool({ folder });
    assert.equal(spool.start, 60);
    assert.equal(spool.figures.waiting, 600 - 60 - 100 - 20);
    assert.deepEqual(await readAll(spool), [...numbers({ from: 60, to: 100 }), ...numbers({ from: 200, to: 580 })]);
    assert.equal(spool.figures.damaged, 0);
    await spool.close();
  });

  it("lets the backlog be read beside what is new, each up to its end", async () => {
    const spool = await openSpool();
    for (let from = 0; from < 400; from += 10) await spool.append(linesOf({ from, to: from + 10 }, 20), 10);
    const backlog = spool.cursor({ from: spool.start, to: spool.end });
    const live = spool.cursor(spool.end);
    await spool.append(linesOf({ from: 400, to: 410 }, 20), 10);
    const old: number[] = [];
    while (!backlog.isDone) old.push(...numbersIn((await backlog.read(500, 20)) as Batch));
    assert.deepEqual(old, numbers({ from: 0, to: 400 }));
    assert.equal(await backlog.read(500, 20), undefined);
    assert.deepEqual(numbersIn((await live.read(500, 20)) as Batch), numbers({ from: 400, to: 410 }));
    await spool.close();
  });

  it("removes segments that are acknowledged as a whole", async () => {
    const folder = newFolder();
    const spool = await openSpool({ folder });
    for (let from = 0; from < 600; from += 10) await spool.append(linesOf({ from, to: from + 10 }, 50), 10);
    const before = spool.figures.bytes;
    assert.ok(before > 30_000);
    spool.acknowledge({ from: 0, to: 550 });
    await spool.close();
    const reopened = await openSpool({ folder });
    assert.ok(reopened.figures.bytes < 8000, String(reopened.figures.bytes));
    assert.deepEqual(await readAll(reopened), numbers({ from: 550, to: 600 }));
    reopened.acknowledge({ from: 550, to: 600 });
    await reopened.close();
    await (await openSpool({ folder })).close();
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".segment")),
      [],
    );
  });

  it("never gives a number twice, also after all has been acknowledged and removed", async () => {
    const folder = newFolder();
    for (let from = 0; from < 50; from += 10) {
      const spool = await openSpool({ folder });
      assert.equal(spool.end, from);
      await spool.append(linesOf({ from, to: from + 10 }), 10);
      assert.deepEqual(await readAll(spool), numbers({ from, to: from + 10 }));
      spool.acknowledge({ from, to: from + 10 });
      await spool.close();
    }
  });
});

describe("a spool that is full", () => {
  it("refuses what is new, with the reason, until something is acknowledged", async () => {
    const spool = await openSpool({ whenFull: "refuse" });
    let from = 0;
    const fill = async () => {
      for (; ; from += 10) await spool.append(linesOf({ from, to: from + 10 }, 100), 10);
    };
    await assert.rejects(
      fill(),
      (error: Error) => error instanceof SpoolFull && /the spool is full/.test(error.message),
    );
    assert.ok(spool.figures.bytes > 60_000 && spool.figures.bytes <= 64 * 1024, String(spool.figures.bytes));
    assert.deepEqual(await readAll(spool), numbers({ from: 0, to: from }));
    spool.acknowledge({ from: 0, to: from });
    const { bytes } = spool.figures;
    while (spool.figures.bytes === bytes) await new Promise(setImmediate);
    const refused = from;
    await assert.rejects(fill(), SpoolFull);
    assert.ok(from - refused > 400);
    assert.equal(spool.figures.dropped, 0);
    await spool.close();
  });

  it("drops the oldest for what is new, and counts them", async () => {
    const folder = newFolder();
    const spool = await openSpool({ folder, whenFull: "drop-oldest" });
    const cursor = spool.cursor(0);
    await spool.append(linesOf({ from: 0, to: 10 }, 100), 10);
    assert.equal((await cursor.read(100, 10))?.readings, 10);
    for (let from = 10; from < 2000; from += 10) {
      await spool.append(linesOf({ from, to: from + 10 }, 100), 10);
      assert.ok(spool.figures.bytes <= 64 * 1024);
    }
    const { dropped, waiting, damaged } = spool.figures;
    assert.ok(waiting > 500, String(waiting));
    assert.equal(dropped + waiting, 2000);
    assert.equal(damaged, 0);
    assert.deepEqual(await readAll(spool), numbers({ from: dropped, to: 2000 }));
    const next = await cursor.read(100, 10);
    assert.equal(next?.range.from, dropped, "a cursor goes on with what is left");
    await spool.close();
    const reopened = await openSpool({ folder });
    assert.deepEqual(await readAll(reopened), numbers({ from: dropped, to: 2000 }));
    assert.equal(reopened.figures.damaged, 0);
    await reopened.close();
  });

  it("does not count as dropped what has been acknowledged", async () => {
    const spool = await openSpool({ whenFull: "drop-oldest" });
    const cursor = spool.cursor(0);
    for (let from = 0; from < 2000; from += 10) {
      await spool.append(linesOf({ from, to: from + 10 }, 100), 10);
      spool.acknowledge(((await cursor.read(1000, 10)) as Batch).range);
    }
    assert.deepEqual({ ...spool.figures, bytes: 0 }, { waiting: 0, bytes: 0, dropped: 0, damaged: 0 });
    await spool.close();
  });

  it("takes nothing that alone is beyond the limit", async () => {
    for (const whenFull of ["refuse", "drop-oldest"] as const) {
      const spool = await openSpool({ whenFull });
      assert.throws(() => spool.append(new Uint8Array(65_536), 1), SpoolFull);
      await spool.append(new Uint8Array(60_000), 1);
      assert.deepEqual(spool.figures.waiting, 1);
      await spool.close();
    }
  });

  it("holds little in memory of what is not written yet", async () => {
    const spool = await openSpool({ whenFull: "drop-oldest" });
    assert.throws(() => {
      for (let number = 0; ; number++) void spool.append(linesOf({ from: number, to: number + 1 }, 100), 1);
    }, /the disk does not keep up/);
    await spool.close();
    assert.ok(spool.end > 100 && spool.end < 200, String(spool.end));
  });

  it("is so too when the oldest have waited for too long", async () => {
    const folder = newFolder();
    const spool = await openSpool({ folder });
    for (let from = 0; from < 100; from += 10) await spool.append(linesOf({ from, to: from + 10 }, 100), 10);
    await spool.close();
    const yesterday = Date.now() / 1000 - 86_400;
    const [oldest = "", ...newer] = readdirSync(folder).filter((name) => name.endsWith(".segment"));
    assert.ok(newer.length > 1);
    utimesSync(join(folder, oldest), yesterday, yesterday);
    const refusing = await openSpool({ folder });
    assert.throws(() => refusing.append(linesOf({ from: 100, to: 101 }), 1), /have waited for more than 1 h/);
    await refusing.close();
    const dropping = await openSpool({ folder, whenFull: "drop-oldest" });
    await dropping.append(linesOf({ from: 100, to: 101 }), 1);
    const { dropped } = dropping.figures;
    assert.ok(dropped >= 40 && dropped < 60, String(dropped));
    assert.deepEqual(await readAll(dropping), numbers({ from: dropped, to: 101 }));
    await dropping.close();
  });
});

describe("a spool's folder", () => {
  const PRODUCER = join(import.meta.dirname, "spool-producer.ts");
  const startProducer = (folder: string) => startChild(process.execPath, [PRODUCER, folder, "never", "0"]);

  it("is open once in a process", async () => {
    const folder = newFolder();
    const spool = await openSpool({ folder });
    await assert.rejects(openSpool({ folder }), /in use by another node/);
    await spool.append(linesOf({ from: 0, to: 1 }), 1);
    await spool.close();
    const next = await openSpool({ folder });
    assert.deepEqual(await readAll(next), [0]);
    await next.close();
  });

  it("is open in one process, until that has ended, in whatever way", async () => {
    const folder = newFolder();
    const child = await startChild(process.execPath, [
      join(import.meta.dirname, "spool-producer.ts"),
      folder,
      "never",
      "0",
    ]);
    await child.waitFor(/safe/);
    await assert.rejects(openSpool({ folder }), new RegExp(`in use by the process ${child.pid}`));
    await child.stop("SIGKILL");
    const spool = await openSpool({ folder });
    assert.equal(spool.start, 0);
    await spool.close();
  });

  it("is free when its lock is of a process that had the same number, or is damaged", async () => {
    const folder = newFolder();
    const locks = [`${process.pid} 1 another-boot\n`, "", "garbage", "\0".repeat(4096), "99999999 1 x\n"];
    for (const [place, lock] of locks.entries()) {
      writeFileSync(join(folder, `lock.${10 * place + 10}`), lock);
      await (await openSpool({ folder })).close();
    }
  });

  it("is not open to a process of another container, until that of the first has ended", async () => {
    const folder = newFolder();
    const args = ["--pid", "--fork", "--kill-child", process.execPath, PRODUCER, folder, "never", "0"];
    const child = await startChild("unshare", args);
    await child.waitFor(/safe/);
    await assert.rejects(openSpool({ folder }), /in use by another process/);
    await child.stop("SIGKILL");
    await (await openSpool({ folder })).close();
  });

  it("is given to one of several processes that find it left behind", async () => {
    for (let round = 0; round < 3; round++) {
      const folder = newFolder();
      writeFileSync(join(folder, "lock.7"), "99999999 1 x\n");
      const children = await Promise.all(Array.from({ length: 4 }, () => startProducer(folder)));
      const ended = await Promise.allSettled(children.map((child) => child.waitFor(/safe/)));
      assert.equal(ended.filter(({ status }) => status === "fulfilled").length, 1);
      for (const child of children) {
        if (child.isRunning()) await child.stop("SIGKILL");
        else assert.match(child.output(), /is in use by the process \d+/);
      }
    }
  });
});

describe("any use of a spool", () => {
  /** What may happen to a spool. */
  type Action =
    | { do: "append"; count: number; length: number; isAwaited: boolean }
    | { do: "read"; isBacklog: boolean; maxReadings: number; isDelivered: boolean }
    | { do: "split" | "reopen" | "crash" };

  const action: fc.Arbitrary<Action> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        count: fc.integer({ min: 1, max: 30 }),
        length: fc.integer({ min: 8, max: 80 }),
        isAwaited: fc.boolean(),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("read" as const),
        isBacklog: fc.boolean(),
        maxReadings: fc.integer({ min: 1, max: 60 }),
        isDelivered: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("split" as const, "reopen" as const, "crash" as const) }) },
  );

  it("gives each reading until it is acknowledged, whatever happens between", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60, size: "max" }), async (actions) => {
        let folder = newFolder();
        let spool = await openSpool({ folder });
        let next = 0;
        let safe: Promise<void> = Promise.resolve();
        const delivered = new Set<number>();
        let live: Cursor = spool.cursor(0);
        let backlog: Cursor = spool.cursor({ from: 0, to: 0 });
        const split = () => {
          backlog = spool.cursor({ from: spool.start, to: spool.end });
          live = spool.cursor(spool.end);
        };
        for (const each of actions) {
          if (each.do === "append") {
            try {
              safe = spool.append(linesOf({ from: next, to: next + each.count }, each.length), each.count);
              next += each.count;
            } catch (error) {
              assert.ok(error instanceof SpoolFull);
            }
            if (each.isAwaited) await safe;
          } else if (each.do === "read") {
            const batch = await (each.isBacklog ? backlog : live).read(2000, each.maxReadings);
            if (!batch) continue;
            assert.equal(batch.readings, numbersIn(batch).length);
            assert.equal(batch.range.from, numbersIn(batch)[0]);
            if (!each.isDelivered) continue;
            for (const number of numbersIn(batch)) delivered.add(number);
            spool.acknowledge(batch.range);
          } else if (each.do === "split") split();
          else {
            await safe;
            if (each.do === "crash") {
              const left = crashed(folder);
              await spool.close();
              folder = left;
            } else await spool.close();
            spool = await openSpool({ folder });
            assert.equal(spool.end, next);
            split();
          }
        }
        await safe;
        const rest = await readAll(spool);
        assert.deepEqual(
          rest,
          rest.toSorted((a, b) => a - b),
        );
        assert.deepEqual(
          numbers({ from: 0, to: next }).filter((number) => !delivered.has(number)),
          rest.filter((number) => !delivered.has(number)),
        );
        assert.deepEqual([spool.figures.damaged, spool.figures.dropped], [0, 0]);
        await spool.close();
      }),
      { numRuns: 150 },
    );
  });
});

describe("the ranges that are acknowledged", () => {
  const range: fc.Arbitrary<Range> = fc
    .tuple(fc.nat(300), fc.nat(40))
    .map(([from, length]) => ({ from, to: from + length }));

  it("are the same as a set of numbers", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(range, { maxLength: 40 }), range, (mark, added, asked) => {
        let ranges = new Ranges(mark);
        const all = new Set(numbers({ from: 0, to: mark }));
        for (const each of added) {
          const fresh = numbers(each).filter((number) => !all.has(number));
          assert.equal(ranges.add(each), fresh.length);
          for (const number of fresh) all.add(number);
          ranges = Ranges.from(ranges.toNumbers());
        }
        assert.equal(ranges.missing(asked), numbers(asked).filter((number) => !all.has(number)).length);
        assert.equal(all.has(ranges.mark), false);
        assert.equal(ranges.end, Math.max(mark, ...Array.from(all, (number) => number + 1)));
      }),
    );
  });

  it("are few: of too many, the shortest is forgotten", () => {
    const ranges = new Ranges(0);
    for (let from = 10; from < 10_000; from += 10) ranges.add({ from, to: from + (from === 5000 ? 1 : 2) });
    assert.equal(ranges.toNumbers().length, 201);
    assert.equal(ranges.missing({ from: 5000, to: 5001 }), 1);
    assert.equal(ranges.missing({ from: 9990, to: 9992 }), 0);
  });
});
