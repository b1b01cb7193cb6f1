import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { type Block, blockAt, HEADER_BYTES } from "../../../nodes/historian-write/spool/blocks.ts";
import { newFolder } from "../../support/folders.ts";
import { linesOf, numbers, openSpool, readAll } from "./spooled.ts";

const READINGS = 600;

/** A file of a spool, and what stands in it. */
interface File {
  path: string;
  blocks: Block[];
}

/** A folder with some segments of blocks of various lengths, and those files. */
async function filledFolder(): Promise<{ folder: string; files: File[] }> {
  const folder = newFolder();
  const spool = await openSpool({ folder });
  for (let from = 0; from < READINGS; ) {
    const to = Math.min(READINGS, from + 1 + ((from * 7) % 19));
    await spool.append(linesOf({ from, to }, 60), to - from);
    from = to;
  }
  await spool.close();
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".segment"))
    .map((name) => ({ path: join(folder, name), blocks: blocksOf(readFileSync(join(folder, name))) }));
  assert.ok(files.length > 5);
  return { folder, files };
}

function blocksOf(buffer: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let block = blockAt(buffer, 0); block; block = blockAt(buffer, block.offset + HEADER_BYTES + block.length)) {
    blocks.push(block);
  }
  return blocks;
}

const readingsOf = (blocks: readonly Block[]) =>
  blocks.flatMap(({ first, count }) => numbers({ from: first, to: first + count }));

/** Makes sure that a spool gives all but the readings of these blocks, counts them, and goes on working. */
async function assertLost(folder: string, lost: readonly Block[]): Promise<void> {
  const missing = new Set(readingsOf(lost));
  const spool = await openSpool({ folder, limitBytes: 1e6 });
  assert.equal(spool.end, READINGS);
  await spool.append(linesOf({ from: READINGS, to: READINGS + 5 }, 30), 5);
  const there = numbers({ from: 0, to: READINGS + 5 }).filter((number) => !missing.has(number));
  assert.deepEqual(await readAll(spool), there);
  assert.equal(spool.figures.damaged, missing.size);
  assert.equal(spool.figures.waiting, there.length);
  assert.deepEqual(await readAll(spool), there);
  assert.equal(spool.figures.damaged, missing.size, "they are counted once");
  spool.acknowledge({ from: 0, to: READINGS + 5 });
  await spool.close();
  const reopened = await openSpool({ folder });
  assert.deepEqual(await readAll(reopened), []);
  assert.deepEqual([reopened.figures.damaged, reopened.figures.waiting], [0, 0]);
  await reopened.close();
}

function change(path: string, edit: (content: Buffer) => Buffer): void {
  writeFileSync(path, edit(readFileSync(path)));
}

describe("a spool with a damaged file loses what is damaged, and no more,", () => {
  it("when nothing is damaged", async () => {
    await assertLost((await filledFolder()).folder, []);
  });

  it("when a write was torn", async () => {
    for (const left of [5, HEADER_BYTES, HEADER_BYTES + 3]) {
      const { folder, files } = await filledFolder();
      const { path, blocks } = files.at(-1) as File;
      const torn = blocks.at(-1) as Block;
      truncateSync(path, torn.offset + left);
      await assertLost(folder, [torn]);
    }
  });

  it("when any bit is flipped, or a few", async () => {
    const flip = fc.record({ file: fc.nat(), place: fc.nat(), bit: fc.nat(7) });
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), async (flips) => {
        const { folder, files } = await filledFolder();
        const lost = new Set<Block>();
        const done = new Set<string>();
        for (const { file, place, bit } of flips) {
          const { path, blocks } = files[file % files.length] as File;
          change(path, (content) => {
            const at = place % content.length;
            if (done.has(`${path} ${at} ${bit}`)) return content;
            done.add(`${path} ${at} ${bit}`);
            content[at] = (content[at] as number) ^ (1 << bit);
            lost.add(blocks.findLast(({ offset }) => offset <= at) as Block);
            return content;
          });
        }
        await assertLost(folder, Array.from(lost));
      }),
      { numRuns: 25 },
    );
  });

  it("when a bit of each field of a header is flipped", async () => {
    for (let byte = 0; byte < HEADER_BYTES; byte++) {
      const { folder, files } = await filledFolder();
      const { path, blocks } = files[2] as File;
      const block = blocks[byte % 3] as Block;
      change(path, (content) => {
        content[block.offset + byte] = (content[block.offset + byte] as number) ^ 0x40;
        return content;
      });
      await assertLost(folder, [block]);
    }
  });

  it("when a part of a file is zeroed, or all of it, be it the first, the last or another", async () => {
    for (const file of [0, 3, -1]) {
      const { folder, files } = await filledFolder();
      const { path, blocks } = files.at(file) as File;
      change(path, (content) => content.fill(0));
      await assertLost(folder, blocks);
    }
    const { folder, files } = await filledFolder();
    const { path, blocks } = files[1] as File;
    const [from, to] = [blocks[2] as Block, blocks[5] as Block];
    change(path, (content) => content.fill(0, from.offset + 10, to.offset + 1));
    await assertLost(folder, blocks.slice(2, 6));
  });

  it("when a file is cut, emptied or missing", async () => {
    for (const file of [0, 3, -1]) {
      const cut = await filledFolder();
      const { path, blocks } = cut.files.at(file) as File;
      const half = blocks[Math.floor(blocks.length / 2)] as Block;
      truncateSync(path, half.offset + 1);
      await assertLost(cut.folder, blocks.slice(blocks.indexOf(half)));

      const emptied = await filledFolder();
      truncateSync((emptied.files.at(file) as File).path);
      await assertLost(emptied.folder, (emptied.files.at(file) as File).blocks);

      const missing = await filledFolder();
      rmSync((missing.files.at(file) as File).path);
      await assertLost(missing.folder, (missing.files.at(file) as File).blocks);
    }
  });

  it("when something was inserted, or bytes are gone", async () => {
    const { folder, files } = await filledFolder();
    const [inserted, shortened] = [files[1] as File, files[2] as File];
    const block = shortened.blocks[3] as Block;
    const rubbish = Buffer.from("something that does not belong here");
    change(inserted.path, (content) => {
      const at = (inserted.blocks[4] as Block).offset;
      return Buffer.concat([content.subarray(0, at), rubbish, content.subarray(at)]);
    });
    change(shortened.path, (content) =>
      Buffer.concat([content.subarray(0, block.offset + 40), content.subarray(block.offset + 41)]),
    );
    await assertLost(folder, [block]);
  });

  it("when a foreign file is among them", async () => {
    for (const name of ["0000000000000000.segment.bak", "0000000000000250.segment", "0000000000999999.segment", "x"]) {
      for (const content of ["", "garbage", Buffer.alloc(10_000, 0xf5), Buffer.alloc(10_000)]) {
        const { folder } = await filledFolder();
        assert.equal(readdirSync(folder).includes(name), false);
        writeFileSync(join(folder, name), content);
        await assertLost(folder, []);
      }
    }
  });

  it("when a file is there twice, or has another name", async () => {
    const { folder, files } = await filledFolder();
    const [copied, renamed] = [files[2] as File, files[3] as File];
    writeFileSync(join(folder, "0000000000000001.segment"), readFileSync(copied.path));
    writeFileSync(join(folder, "9000000000000000.segment"), readFileSync(renamed.path));
    rmSync(renamed.path);
    await assertLost(folder, []);
  });

  it("when half of a file is there a second time", async () => {
    for (const name of ["0000000000000001.segment", "9000000000000000.segment"]) {
      const { folder, files } = await filledFolder();
      const content = readFileSync((files[2] as File).path);
      writeFileSync(join(folder, name), content.subarray(0, content.length / 2));
      await assertLost(folder, []);
    }
  });

  it("when it is removed while it is read", async () => {
    const { folder, files } = await filledFolder();
    const spool = await openSpool({ folder, limitBytes: 1e6 });
    const cursor = spool.cursor(0);
    const first = await cursor.read(500, 10);
    assert.ok(first);
    for (const { path } of files.slice(0, 2)) rmSync(path);
    const next = await cursor.read(500, 10);
    assert.equal(next?.range.from, files[2]?.blocks[0]?.first);
    assert.equal(spool.figures.damaged, Number(next?.range.from) - first.range.to);
    await spool.close();
  });
});

describe("a spool that does not know what was acknowledged", () => {
  it("gives all that is still there again", async () => {
    for (const content of [undefined, "", "1234 5,6\n", "\0\0\0", "{}"]) {
      const { folder } = await filledFolder();
      const before = await openSpool({ folder });
      before.acknowledge({ from: 0, to: 300 });
      await before.close();
      const left = readdirSync(folder).filter((name) => name.endsWith(".segment"));
      if (content === undefined) rmSync(join(folder, "acknowledged"));
      else writeFileSync(join(folder, "acknowledged"), content);
      const spool = await openSpool({ folder, limitBytes: 1e6 });
      const first = Number.parseInt(basename(left[0] ?? ""), 10);
      assert.ok(first > 200 && first <= 300);
      assert.deepEqual(await readAll(spool), numbers({ from: first, to: READINGS }));
      assert.equal(spool.figures.damaged, 0);
      await spool.close();
    }
  });
});
