import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Range, Spool, SpoolFull } from "../../../nodes/historian-write/spool/spool.ts";
import { startChild } from "../../support/child.ts";
import { newFolder } from "../../support/folders.ts";
import { mountSmallDisk } from "../../support/small-disk.ts";
import { crashed, linesOf, numbers, numbersIn, openSpool, readAll } from "./spooled.ts";

const PRODUCER = join(import.meta.dirname, "spool-producer.ts");
const KILLS = 10;

describe("a spool on a full disk", () => {
  const LINE = 100;

  it("refuses what can't be written, keeps what was accepted, and recovers when there is room", async () => {
    using disk = mountSmallDisk(1 << 20);
    const folder = join(disk.folder, "spool");
    for (const fsync of ["never", "interval", "always"] as const) {
      const spool = await Spool.open({ folder, limitBytes: 1e9, limitAge: 1e9, whenFull: "refuse", fsync });
      const accepted: number[] = [];
      let next = 0;
      for (const free of [100_000, 0, 50_000, 200_000]) {
        disk.leaveFree(free);
        let refused = 0;
        for (let rounds = 0; refused < 5; rounds++) {
          const size = 1 + ((next * 7) % 50);
          const range = { from: next, to: next + size };
          next = range.to;
          try {
            await spool.append(linesOf(range, LINE), size);
            accepted.push(...numbers(range));
          } catch (error) {
            assert.ok(error instanceof SpoolFull, String(error));
            assert.match(error.message, /the disk of .* is full/);
            refused++;
          }
          assert.ok(rounds < 1000);
        }
        assert.deepEqual(await readAll(spool), accepted);
      }
      assert.ok(accepted.length > 1500, String(accepted.length));
      const { waiting, damaged, dropped } = spool.figures;
      assert.deepEqual([waiting, damaged, dropped], [accepted.length, 0, 0]);
      const afterCrash = await openSpool({ folder: crashed(folder), limitBytes: 1e9 });
      assert.deepEqual(await readAll(afterCrash), accepted);
      assert.equal(afterCrash.figures.damaged, 0);
      await afterCrash.close();
      spool.acknowledge({ from: 0, to: spool.end });
      await spool.close();
      await (await openSpool({ folder })).close();
    }
  });

  it("drops the oldest for what is new", async () => {
    using disk = mountSmallDisk(1 << 20);
    const folder = join(disk.folder, "spool");
    const options = { folder, limitBytes: 1.6e6, limitAge: 1e9, whenFull: "drop-oldest", fsync: "interval" } as const;
    const spool = await Spool.open(options);
    const LAST = 20_000;
    for (let from = 0; from < LAST; from += 50) await spool.append(linesOf({ from, to: from + 50 }, LINE), 50);
    const { dropped, waiting, damaged } = spool.figures;
    assert.ok(waiting > 7000, String(waiting));
    assert.deepEqual([dropped + waiting, damaged], [LAST, 0]);
    assert.deepEqual(await readAll(spool), numbers({ from: dropped, to: LAST }));
    await spool.close();
    const reopened = await Spool.open(options);
    assert.equal(reopened.end, LAST);
    assert.deepEqual(await readAll(reopened), numbers({ from: reopened.start, to: LAST }));
    await reopened.close();
  });

  it("opens, is read and acknowledged even when no byte is free", async () => {
    using disk = mountSmallDisk(1 << 20);
    const options = { folder: join(disk.folder, "spool"), limitBytes: 1.6e6 };
    const before = await openSpool(options);
    for (let from = 0; from < 5000; from += 50) await before.append(linesOf({ from, to: from + 50 }, LINE), 50);
    await before.close();
    disk.leaveFree(0);
    const spool = await openSpool(options);
    await assert.rejects(openSpool(options), /in use/);
    const cursor = spool.cursor(spool.start);
    const delivered: number[] = [];
    for (let batch = await cursor.read(10_000, 100); batch; batch = await cursor.read(10_000, 100)) {
      delivered.push(...numbersIn(batch));
      spool.acknowledge(batch.range);
    }
    assert.deepEqual(delivered, numbers({ from: 0, to: 5000 }));
    await spool.close();
    const reopened = await openSpool(options);
    assert.equal(reopened.end, 5000);
    await reopened.append(linesOf({ from: 5000, to: 5050 }, LINE), 50);
    assert.deepEqual((await readAll(reopened)).slice(-50), numbers({ from: 5000, to: 5050 }));
    await reopened.close();
  });
});

describe("a process with a spool that is killed under load", () => {
  /** What a run has printed. */
  function printed(output: string, word: string): number[][] {
    return Array.from(output.matchAll(new RegExp(`^${word} (.*)$`, "gm")), ([, found = ""]) =>
      found.split(" ").map(Number),
    );
  }

  it(`loses nothing of what was safe, ${KILLS} times in a row`, async () => {
    const folder = newFolder();
    const taken: Range[] = [];
    let safe = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const child = await startChild(process.execPath, [
        PRODUCER,
        folder,
        kill % 2 ? "interval" : "never",
        String(safe),
      ]);
      await child.waitFor(/safe \d+\n(.*\n)*took/);
      await wait(Math.random() * 200);
      await child.stop("SIGKILL");
      // The last line may be torn.
      const output = child.output().slice(0, child.output().lastIndexOf("\n") + 1);
      safe = Math.max(safe, ...printed(output, "safe").map(([number = 0]) => number));
      for (const [from = 0, to = 0] of printed(output, "took")) taken.push({ from, to });
    }
    const there = new Uint8Array(safe);
    for (const { from, to } of taken) there.fill(1, from, to);
    const spool = await openSpool({ folder });
    const cursor = spool.cursor(spool.start);
    let waiting = 0;
    for (let batch = await cursor.read(100_000, 1000); batch; batch = await cursor.read(100_000, 1000)) {
      for (const number of numbersIn(batch)) there[number] = 1;
      waiting += batch.readings;
    }
    assert.equal(waiting, spool.figures.waiting);
    await spool.close();
    assert.ok(safe > 1000, String(safe));
    assert.equal(there.indexOf(0), -1, `of ${safe}, this is lost`);
  });
});

describe("an append with fsync always", () => {
  it("is safe no sooner than the disk has it", async () => {
    const trace = join(newFolder(), "trace");
    const calls = "trace=write,pwrite64,fdatasync";
    const args = [
      "-f",
      "-y",
      "-s",
      "200",
      "-e",
      calls,
      "-o",
      trace,
      process.execPath,
      PRODUCER,
      newFolder(),
      "always",
      "0",
      "500",
    ];
    const child = await startChild("strace", args);
    assert.equal(await child.ended(), 0, child.output());
    // Of each call: when it began and when it had ended, by the line of the trace.
    const begun = new Map<string, string>();
    let unsynced = 0;
    let inSync = 0;
    let checked = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
      const resumed = /^<\.\.\. (\w+) resumed>/.exec(text);
      const call = resumed ? `${begun.get(thread)} ${text}` : text;
      if (text.endsWith("<unfinished ...>")) begun.set(thread, text);
      const isBegin = resumed === null;
      const isEnd = !text.endsWith("<unfinished ...>");
      if (/^(pwrite64|write)\(\d+<[^>]*\.segment>/.test(call)) {
        if (isBegin) unsynced++;
      } else if (/^fdatasync\(\d+<[^>]*\.segment>/.test(call)) {
        if (isBegin) inSync = unsynced;
        if (isEnd) {
          assert.match(call, /= 0$/);
          unsynced -= inSync;
        }
      } else if (isBegin && /^write\(1<.*"safe /.test(call)) {
        assert.equal(unsynced, 0, line);
        checked++;
      }
    }
    assert.ok(checked >= 5, String(checked));
  });
});
