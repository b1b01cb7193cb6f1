/** The files of a spool, each a run of blocks, as they are found when a spool is opened. */
import { type FileHandle, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { blockAt, HEADER_BYTES, isWhole, nextMagic } from "./blocks.ts";
import { isError } from "./lock.ts";

/** A file of blocks. Readings are numbered through all segments, in the order in which they came. */
export interface Segment {
  readonly path: string;
  /** Number of its first reading. */
  first: number;
  /** Number after that of its last one. */
  end: number;
  /** Bytes. */
  size: number;
  /** When it was last written to, ms since 1970. */
  writtenAt: number;
  /** True once its file is no more. */
  isRemoved: boolean;
}

const NAME = /^\d{16}\.segment$/;

/** Makes the file of a segment that begins with this reading. */
export async function createSegment(folder: string, first: number): Promise<{ path: string; file: FileHandle }> {
  // Another name does as well, if that is taken by something that could not be removed.
  for (let name = first; ; name++) {
    const path = join(folder, `${String(name).padStart(16, "0")}.segment`);
    try {
      return { path, file: await open(path, "wx") };
    } catch (error) {
      if (!isError(error, "EEXIST")) throw error;
    }
  }
}

/**
 * The segments in a folder, ascending. Files without a single whole block are removed. Cost: reads the beginning of each,
 * and all of the last and of those that do not begin as they should.
 *
 * @returns also the number after that of the last reading that they were to hold, as far as can be told
 */
export async function findSegments(folder: string): Promise<{ segments: Segment[]; end: number }> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name));
  const segments: Segment[] = [];
  /** Those that are known by their beginnings alone. */
  const intact: Segment[] = [];
  let end = 0;
  for (const name of names.sort()) {
    const path = join(folder, name);
    const file = await stat(path);
    if (!file.isFile()) continue;
    const first = Number.parseInt(name, 10);
    const segment: Segment = { path, first, end: first, size: file.size, writtenAt: file.mtimeMs, isRemoved: false };
    if (await beginsWith(segment)) intact.push(segment);
    else {
      const found = await readFile(path).then(scan, unlessLost);
      if (!found) continue;
      if (found.end === 0) {
        await rm(path, { force: true });
        continue;
      }
      segment.first = found.first;
      segment.end = found.end;
      end = Math.max(end, found.end + found.torn);
    }
    segments.push(segment);
  }
  for (const [place, segment] of intact.entries()) {
    const next = intact[place + 1];
    const found = next ? undefined : await readFile(segment.path).then(scan, unlessLost);
    segment.end = next?.first ?? Math.max(segment.first, found?.end ?? 0);
    end = Math.max(end, segment.end + (found?.torn ?? 0));
  }
  return { segments: segments.sort((a, b) => a.first - b.first), end };
}

/** True if the file of a segment begins with a block of the reading after which it is named. */
async function beginsWith({ path, first, size }: Segment): Promise<boolean> {
  const header = Buffer.alloc(HEADER_BYTES);
  await readAt(path, header, 0).catch(unlessLost);
  const block = blockAt(header, 0);
  return block?.first === first && HEADER_BYTES + block.length <= size;
}

/** Throws an error, unless it says that a file, or a part of it, is lost for good. */
export function unlessLost(error: unknown): undefined {
  if (!isError(error, "ENOENT", "EIO", "ERR_FS_FILE_TOO_LARGE")) throw error;
}

/** Reads what there is at an offset of a file, and tells how many bytes these are. */
export async function readAt(path: string, buffer: Buffer, offset: number): Promise<number> {
  const file = await open(path, "r");
  try {
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, offset + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length;
  } finally {
    await file.close();
  }
}

/** What the whole blocks hold, and how many readings seem to be in what is behind them. Without any, end is 0. */
function scan(buffer: Buffer): { first: number; end: number; torn: number } {
  let first = Number.MAX_SAFE_INTEGER;
  let end = 0;
  let wholeUntil = 0;
  for (let offset = 0; offset < buffer.length; ) {
    const block = blockAt(buffer, offset);
    if (!block || !isWhole(buffer, block)) {
      offset = nextMagic(buffer, offset);
      continue;
    }
    first = Math.min(first, block.first);
    end = Math.max(end, block.first + block.count);
    offset += HEADER_BYTES + block.length;
    wholeUntil = offset;
  }
  const torn = blockAt(buffer, wholeUntil);
  // A header that is damaged may say anything.
  const count = torn && torn.count <= torn.length ? torn.count : 1;
  return { first, end, torn: wholeUntil < buffer.length ? count : 0 };
}
