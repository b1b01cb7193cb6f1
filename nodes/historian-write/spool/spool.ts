/**
 * Keeps what is to be delivered in a folder, until it is acknowledged: an append-only log of segments. It knows neither
 * what it keeps nor whom it is for.
 *
 *     const spool = await Spool.open({ folder, limitBytes, limitAge, whenFull: "drop-oldest", fsync: "interval" });
 *     await spool.append(lines, readings);                  // now it is safe
 *     const live = spool.cursor(spool.start);               // or several, each over a part
 *     const batch = await live.read(1_000_000, 5000);       // undefined: nothing more yet
 *     if (batch) { await deliver(batch.bytes); spool.acknowledge(batch.range); }
 *     await spool.close();
 *
 * Readings are numbered in the order in which they are appended, from `spool.start`, the first that is not acknowledged,
 * to `spool.end`. To catch up while new ones are delivered at once, read one cursor over `{ from: start, to: end }` and
 * another from `end` on. Each reading is delivered at least once: those acknowledged shortly before a crash may come
 * again. After a crash everything is there whose promise was fulfilled.
 *
 * In the folder: segments of blocks (see blocks.ts), named by their first reading; what is acknowledged (see state.ts),
 * saved some times a second; a lock. A block holds what was appended in one turn, up to 16 kB. Nothing that
 * is found there keeps it from opening: what is damaged costs the damaged blocks, which are counted.
 */
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { HEADER_BYTES, sealBlock } from "./blocks.ts";
import { Cursor, type Source } from "./cursor.ts";
import { isError, lockFolder } from "./lock.ts";
import { type Range, Ranges } from "./ranges.ts";
import { createSegment, findSegments, type Segment } from "./segments.ts";
import { encodeState, readState, type SpoolState, writeState } from "./state.ts";

export type { Batch, Cursor } from "./cursor.ts";
export type { Range } from "./ranges.ts";

export interface SpoolOptions {
  /** Of its own; made if it is not there. */
  folder: string;
  /** Bytes on disk; at least 1 MB makes sense. */
  limitBytes: number;
  /** How long readings may wait, ms. */
  limitAge: number;
  /** What makes room when a limit is reached or the disk is full: the oldest readings go, or new ones are refused. */
  whenFull: "drop-oldest" | "refuse";
  /**
   * What the promise of an append waits for: with `always` for the disk, else only for the system, so that readings
   * survive the end of the process, but not that of the machine. With `interval`, the disk has them 100 ms later.
   */
  fsync: "always" | "interval" | "never";
}

/** Numbers of readings since the spool was opened, but for `waiting`. */
export interface SpoolFigures {
  /** In the spool and not acknowledged. */
  waiting: number;
  /** Bytes on disk. */
  bytes: number;
  /** Dropped for newer ones. */
  dropped: number;
  /** Found to be damaged or missing; after a crash, some that were not safe yet may be among them. */
  damaged: number;
}

/** Thrown when there is no room for what is appended. */
export class SpoolFull extends Error {}

/** Files are to be small against the limit, for they are deleted as a whole; but not many. */
const SEGMENT_BYTES = 8 * 2 ** 20;
const SEGMENTS = 16;

/** What may wait in memory to be written, bytes. */
const MEMORY_BYTES = 32 * 2 ** 20;

/** A block that is as long takes no further append. */
const BLOCK_BYTES = 16_384;

const SYNC_INTERVAL = 100;
const ACKNOWLEDGE_INTERVAL = 200;

/** What was appended since the last write, as blocks. */
class Group {
  readonly promise: Promise<void>;
  buffer: Buffer;
  length = 0;
  /** Where the block at hand begins; none if it is at the end. */
  #blockStart = 0;
  #blockFirst = 0;
  #blockCount = 0;
  /** Number after that of the last reading. */
  end: number;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(end: number, buffer: Buffer) {
    this.end = end;
    this.buffer = buffer;
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who appends may not care.
    this.promise.catch(() => {});
  }

  add(bytes: Uint8Array, count: number): void {
    if (this.length - this.#blockStart >= BLOCK_BYTES) this.seal();
    if (this.#blockCount === 0) {
      this.#blockStart = this.length;
      this.#blockFirst = this.end;
      this.length += HEADER_BYTES;
    }
    const needed = this.length + bytes.length;
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buffer.length));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.buffer.set(bytes, this.length);
    this.length = needed;
    this.#blockCount += count;
    this.end += count;
  }

  /** Ends the block at hand. */
  seal(): void {
    if (this.#blockCount === 0) return;
    const offset = this.#blockStart;
    const length = this.length - offset - HEADER_BYTES;
    sealBlock(this.buffer, { offset, length, first: this.#blockFirst, count: this.#blockCount });
    this.#blockCount = 0;
  }

  settle(error?: unknown): void {
    if (error === undefined) this.#settle?.resolve();
    else this.#settle?.reject(error);
  }
}

/** A segment that is being written. */
interface Active {
  segment: Segment;
  file: FileHandle;
  /** When it was begun, ms since 1970. */
  begunAt: number;
}

/** A folder that is open, to this one alone. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #unlock: () => Promise<void>;
  readonly #segments: Segment[];
  readonly #acknowledged: Ranges;
  readonly #source: Source;
  readonly #memoryBytes: number;
  #end: number;
  #bytes = 0;
  #dropped = 0;
  #damaged = 0;
  #active: Active | undefined;
  #group: Group;
  #writing: Promise<void> | undefined;
  /** Bytes of the group that is being written. */
  #writingBytes = 0;
  #spare: Buffer | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  /** Why what was written last may not be on the disk. */
  #syncError: unknown;
  #acknowledgeTimer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #saved = "";
  #isClosed = false;

  private constructor(
    options: SpoolOptions,
    unlock: () => Promise<void>,
    segments: Segment[],
    end: number,
    state: SpoolState,
  ) {
    this.#options = options;
    this.#unlock = unlock;
    this.#segments = segments;
    this.#acknowledged = state.acknowledged;
    this.#memoryBytes = Math.min(MEMORY_BYTES, options.limitBytes / 4);
    this.#end = state.acknowledged.mark;
    for (const segment of segments) {
      this.#bytes += segment.size;
      this.#end = Math.max(this.#end, segment.end);
    }
    this.#skip(Math.max(end, state.end, state.acknowledged.end));
    this.#group = this.#newGroup();
    this.#source = this.#asSource();
  }

  /**
   * Opens a folder.
   *
   * @throws Error when another spool has it, in whatever process, or the system can't read or write it
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { folder } = options;
    await mkdir(folder, { recursive: true });
    const unlock = await lockFolder(folder);
    try {
      const { segments, end } = await findSegments(folder);
      const first = segments[0]?.first ?? 0;
      const state = (await readState(folder)) ?? { acknowledged: new Ranges(first), end: first };
      const spool = new Spool(options, unlock, segments, end, state);
      await spool.#save();
      return spool;
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Number of the first reading that is not acknowledged; `end` if there is none. */
  get start(): number {
    return Math.min(this.#acknowledged.mark, this.#end);
  }

  /** Number after that of the last reading that can be read. */
  get end(): number {
    return this.#end;
  }

  get figures(): SpoolFigures {
    return {
      waiting: this.#acknowledged.missing({ from: 0, to: this.#end }),
      bytes: this.#bytes,
      dropped: this.#dropped,
      damaged: this.#damaged,
    };
  }

  /**
   * Appends `count` readings; the bytes are copied. Cost: O(bytes); all appends of one turn share a write and a promise.
   *
   * @returns settles once it is safe, as `fsync` says, or rejects when it could not be written: then it is not kept
   * @throws SpoolFull when there is no room, on disk or, as the disk does not keep up, in memory
   */
  append(bytes: Uint8Array, count: number): Promise<void> {
    if (!(count >= 1)) throw new RangeError(`${count} readings can't be appended`);
    this.#requireRoom(bytes.length + HEADER_BYTES);
    const group = this.#group;
    group.add(bytes, count);
    this.#writing ??= this.#writeAll();
    return group.promise;
  }

  /** Reads from a number on, or a range of numbers. */
  cursor(range: Range | number): Cursor {
    return new Cursor(this.#source, typeof range === "number" ? { from: range, to: Infinity } : range);
  }

  /** What is delivered need not be kept. Again and in any order is fine. */
  acknowledge({ from, to }: Range): void {
    this.#acknowledged.add({ from, to: Math.min(to, this.#end) });
    this.#saveSoon();
  }

  /** Writes what has been appended and gives the folder back. Cursors must not be read any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writing;
    clearTimeout(this.#syncTimer);
    clearTimeout(this.#acknowledgeTimer);
    try {
      await this.#retire();
    } finally {
      await this.#save();
      await this.#unlock();
    }
  }

  #asSource(): Source {
    const spool = this;
    return {
      segments: this.#segments,
      get end() {
        return spool.#end;
      },
      isAcknowledged: (range) => this.#acknowledged.missing(range) === 0,
      pass: (range) => {
        const damaged = this.#acknowledged.add(range);
        this.#damaged += damaged;
        if (damaged > 0) this.#saveSoon();
      },
    };
  }

  #newGroup(): Group {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(64 * 1024);
    this.#spare = undefined;
    return new Group(this.#end, buffer);
  }

  #requireRoom(bytes: number): void {
    if (this.#isClosed) throw new Error("the spool is closed");
    const { limitBytes, limitAge, whenFull } = this.#options;
    const inMemory = this.#writingBytes + this.#group.length;
    if (inMemory > 0 && inMemory + bytes > this.#memoryBytes) {
      throw new SpoolFull(`the disk does not keep up: ${megabytes(inMemory)} wait to be written`);
    }
    const isRefusing = whenFull === "refuse";
    if ((isRefusing ? this.#bytes + inMemory : 0) + bytes > limitBytes) {
      throw new SpoolFull(`the spool is full: ${megabytes(this.#bytes)} of at most ${megabytes(limitBytes)}`);
    }
    if (isRefusing && this.#isTooOld()) {
      throw new SpoolFull(`the spool's oldest readings have waited for more than ${limitAge / 3_600_000} h`);
    }
  }

  /** True if all of the oldest segment has waited for too long. */
  #isTooOld(): boolean {
    const [oldest] = this.#segments;
    if (!oldest || oldest.writtenAt + this.#options.limitAge > Date.now()) return false;
    return this.#acknowledged.missing({ from: oldest.first, to: oldest.end }) > 0;
  }

  async #writeAll(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#group.length > 0) {
      const group = this.#group;
      group.seal();
      this.#writingBytes = group.length;
      const next = this.#newGroup();
      next.end = group.end;
      this.#group = next;
      try {
        await this.#write(group);
        group.settle();
      } catch (error) {
        const reason = isDiskFull(error) ? new SpoolFull(`the disk of ${this.#options.folder} is full`) : error;
        group.settle(reason);
        if (this.#end < group.end) {
          // What came after it is numbered as if it had been written.
          this.#group.settle(reason);
          this.#group = this.#newGroup();
        }
      }
      if (group.buffer.length <= 2 ** 20) this.#spare = group.buffer;
      this.#writingBytes = 0;
    }
    this.#writing = undefined;
  }

  async #write(group: Group): Promise<void> {
    const { fsync, whenFull } = this.#options;
    for (let isWritten = false; !isWritten; ) {
      try {
        await this.#makeRoom(group.length);
        const { segment, file } = await this.#open();
        await writeAt(file, group.buffer, group.length, segment.size);
        segment.size += group.length;
        segment.end = group.end;
        segment.writtenAt = Date.now();
        this.#bytes += group.length;
        this.#end = group.end;
        isWritten = true;
      } catch (error) {
        const isClean = await this.#repair(group.end);
        if (!isClean || !isDiskFull(error)) throw error;
        const hasRoom = (await this.#removeDone()) || (whenFull === "drop-oldest" && (await this.#dropOldest()));
        if (!hasRoom) throw error;
      }
    }
    if (fsync === "always") await this.#sync();
    else if (fsync === "interval") this.#syncSoon();
  }

  /** Keeps the limits by dropping the oldest, where that is chosen; else they were looked at before. */
  async #makeRoom(bytes: number): Promise<void> {
    const { whenFull, limitBytes } = this.#options;
    if (whenFull === "refuse") return;
    while (this.#bytes + bytes > limitBytes || this.#isTooOld()) {
      if (!(await this.#dropOldest())) return;
    }
  }

  /** The segment to write to. */
  async #open(): Promise<Active> {
    const { folder, limitBytes, limitAge, fsync } = this.#options;
    if (this.#syncError !== undefined) {
      const error = this.#syncError;
      this.#syncError = undefined;
      await this.#retire();
      throw error;
    }
    if (this.#active) {
      const { segment, begunAt } = this.#active;
      const isBig = segment.size >= Math.min(SEGMENT_BYTES, limitBytes / SEGMENTS);
      if (!isBig && Date.now() - begunAt < limitAge / SEGMENTS) return this.#active;
      await this.#retire();
    }
    const { path, file } = await createSegment(folder, this.#end);
    const now = Date.now();
    const segment = { path, first: this.#end, end: this.#end, size: 0, writtenAt: now, isRemoved: false };
    this.#active = { segment, file, begunAt: now };
    this.#segments.push(segment);
    if (fsync !== "never") await syncFolder(folder);
    this.#saveSoon();
    return this.#active;
  }

  /** Ends the segment that is being written. */
  async #retire(): Promise<void> {
    const active = this.#active;
    if (!active) return;
    this.#active = undefined;
    const { segment, file } = active;
    try {
      if (this.#options.fsync === "interval") await file.datasync();
    } finally {
      await file.close();
      if (segment.size === 0) await this.#remove(segment);
    }
  }

  /** Takes back what may be in the file of a group that could not be written as a whole; false if that failed too. */
  async #repair(end: number): Promise<boolean> {
    const active = this.#active;
    if (!active) return true;
    try {
      await active.file.truncate(active.segment.size);
      return true;
    } catch {
      // It will be found there: its numbers must not be given again.
      this.#skip(end);
      this.#active = undefined;
      await active.file.close().catch(() => {});
      return false;
    }
  }

  /** Leaves out numbers that nothing will be found under. */
  #skip(end: number): void {
    this.#damaged += this.#acknowledged.add({ from: this.#end, to: end });
    this.#end = Math.max(this.#end, end);
  }

  /** Makes room by the segment that is being written, if all of it is acknowledged; false if it is not. */
  async #removeDone(): Promise<boolean> {
    const segment = this.#active?.segment;
    if (!segment || segment.size === 0 || this.#acknowledged.missing({ from: segment.first, to: segment.end }) > 0) {
      return false;
    }
    await this.#retire();
    await this.#save();
    return true;
  }

  /** Makes room; false if there is nothing to drop. */
  async #dropOldest(): Promise<boolean> {
    const [oldest] = this.#segments;
    if (!oldest || oldest.size === 0) return false;
    if (oldest === this.#active?.segment) await this.#retire();
    this.#dropped += this.#acknowledged.add({ from: oldest.first, to: oldest.end });
    await this.#save();
    await this.#remove(oldest);
    return true;
  }

  async #remove(segment: Segment): Promise<void> {
    if (segment.isRemoved) return;
    segment.isRemoved = true;
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.#bytes -= segment.size;
    // One that stays is found again when the spool is opened, and is acknowledged then.
    await rm(segment.path, { force: true }).catch(() => {});
  }

  async #sync(): Promise<void> {
    try {
      await this.#active?.file.datasync();
    } catch (error) {
      await this.#retire();
      throw error;
    }
  }

  #syncSoon(): void {
    this.#syncTimer ??= setTimeout(async () => {
      this.#syncTimer = undefined;
      try {
        await this.#active?.file.datasync();
      } catch (error) {
        this.#syncError = error;
      }
    }, SYNC_INTERVAL);
  }

  #saveSoon(): void {
    if (this.#isClosed) return;
    this.#acknowledgeTimer ??= setTimeout(async () => {
      this.#acknowledgeTimer = undefined;
      await this.#save();
    }, ACKNOWLEDGE_INTERVAL);
  }

  /** Saves what is acknowledged, then removes the segments that are. One after the other. */
  #save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const isDone = ({ first, end }: Segment) => this.#acknowledged.missing({ from: first, to: end }) === 0;
      const done = this.#segments.filter((segment) => segment !== this.#active?.segment && isDone(segment));
      const isSaved = await this.#saveState();
      for (const segment of done) await this.#remove(segment);
      if (!isSaved) await this.#saveState();
    });
    return this.#saving;
  }

  /** False on a full disk: then a crash repeats some readings. */
  async #saveState(): Promise<boolean> {
    const text = encodeState({ acknowledged: this.#acknowledged, end: this.#end });
    if (text === this.#saved) return true;
    try {
      await writeState(this.#options.folder, text);
      this.#saved = text;
      return true;
    } catch {
      return false;
    }
  }
}

async function writeAt(file: FileHandle, buffer: Buffer, length: number, position: number): Promise<void> {
  for (let written = 0; written < length; ) {
    const { bytesWritten } = await file.write(buffer, written, length - written, position + written);
    written += bytesWritten;
  }
}

/** Makes the disk know the files in a folder. Windows does that by itself, and has no call for it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isDiskFull(error: unknown): boolean {
  return isError(error, "ENOSPC", "EDQUOT", "EFBIG");
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
