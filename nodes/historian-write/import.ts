/** Writes a recorded file straight to a historian, so that an import that was broken off goes on where it was. */
import { createHash, randomInt } from "node:crypto";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LineWriter } from "../../core/history/lines.ts";
import { PointWriter } from "../../core/history/points.ts";
import type { ColumnMap } from "../lib/csv.ts";
import { type Historian, StoreUnavailable } from "../lib/historian.ts";
import { writeWhole } from "../lib/persistence.ts";
import { Recording, type RecordingPosition } from "../lib/recording.ts";

/** Lines of a batch, and records that are read for one. */
const BATCH_SIZE = 5000;

/** Of a longer report, only the rest is counted. */
const MAX_REPORTED = 100_000;

/** First and longest wait for a store that is away, ms. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;

/** How often progress is told at most, ms. */
const PROGRESS_INTERVAL = 1000;

export interface ImportOptions {
  /** What the columns of CSV mean. */
  columns?: ColumnMap;
  /** Where it is kept how far an import has come, and the reports. */
  folder: string;
  /** Breaks it off; the same import goes on later. */
  signal?: AbortSignal;
  /** Told at most once a second, and in the end. */
  progress?(figures: ImportFigures): void;
}

/** How far an import has come, over all its runs. */
export interface ImportFigures {
  file: string;
  /** Of the file, compressed if it is. */
  bytes: number;
  fileBytes: number;
  /** Those that are done with: stored or refused. */
  rows: number;
  /** Those of which nothing is stored, and those of which only some metrics are. */
  refused: number;
  partlyRefused: number;
  /** Of this run. */
  rowsPerSecond: number;
  /** File with a line of JSON for each of these: `{ line, reason, isPartial }`; absent if there are none. */
  report?: string;
  /** Why the store takes nothing at present. */
  problem?: string;
  isFinished: boolean;
}

/** Counts that go on in the next run. */
interface Counts {
  rows: number;
  refused: number;
  partlyRefused: number;
}

interface Progress extends Counts {
  position: RecordingPosition;
  /** Length of the report, bytes. */
  reportBytes: number;
}

/** How far an import has come, as it is on disk. */
interface Saved {
  /** Tells the file from one that has changed. */
  key: string;
  done: Progress;
}

/** What was read together, and is written together. */
interface Batch extends Counts {
  lines: Uint8Array;
  /** Where in the file each of the lines comes from. */
  origins: number[];
  refusals: Refusal[];
  /** Of the recording, after it. */
  position: RecordingPosition;
  percent: number;
}

interface Refusal {
  line: number;
  reason: string;
  isPartial: boolean;
}

/**
 * Imports CSV or JSON lines, also gzipped. While the store is away it waits. Where it has come to is kept after each batch
 * that the store has confirmed: the same import of the same file goes on there, be it after a crash, and writes nothing
 * that changes what is stored already. One of a file that has changed begins anew.
 *
 * @throws Error when the file can't be read, is damaged or lacks a column, or the folder can't be used; the signal's reason
 */
export async function importHistory(
  file: string,
  historian: Historian,
  options: ImportOptions,
): Promise<ImportFigures> {
  return await new Import(file, historian, options).run();
}

class Import {
  readonly #file: string;
  readonly #historian: Historian;
  readonly #options: ImportOptions;
  /** Of the files that are kept. */
  readonly #name: string;
  readonly #startedAt = performance.now();
  #key = "";
  #done: Progress = { rows: 0, refused: 0, partlyRefused: 0, position: { bytes: 0, lines: 0 }, reportBytes: 0 };
  #rowsBefore = 0;
  #fileBytes = 0;
  #percent = 0;
  #problem: string | undefined;
  #isFinished = false;
  #toldAt = -Infinity;

  constructor(file: string, historian: Historian, options: ImportOptions) {
    this.#file = resolve(file);
    this.#historian = historian;
    this.#options = options;
    const identity = JSON.stringify([this.#file, historian.location, options.columns], (_, value) =>
      value instanceof Map ? [...value] : value,
    );
    const hash = createHash("sha256").update(identity).digest("hex").slice(0, 12);
    this.#name = `${basename(this.#file)
      .replace(/[^\w.-]/g, "_")
      .slice(0, 100)}-${hash}`;
  }

  async run(): Promise<ImportFigures> {
    const { columns, folder } = this.#options;
    await mkdir(folder, { recursive: true });
    await this.#restore();
    const recording = await Recording.open(this.#file, {
      requireTime: true,
      from: this.#done.position,
      ...(columns && { columns }),
    });
    this.#fileBytes = recording.size;
    let writing = Promise.resolve();
    try {
      for await (const batch of this.#batches(recording)) {
        await writing;
        // The next batch is read meanwhile.
        writing = this.#write(batch);
        writing.catch(() => undefined);
      }
      await writing;
    } catch (error) {
      // What is on its way counts if it arrives.
      await writing.catch(() => undefined);
      this.#tell();
      throw error;
    }
    await rm(join(folder, this.#progressName), { force: true });
    this.#isFinished = true;
    this.#percent = 100;
    this.#tell();
    return this.#figures;
  }

  get #progressName(): string {
    return `${this.#name}.progress.json`;
  }

  get #reportPath(): string {
    return join(this.#options.folder, `${this.#name}.refused.jsonl`);
  }

  get #figures(): ImportFigures {
    const { rows, refused, partlyRefused, reportBytes } = this.#done;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return {
      file: this.#file,
      bytes: Math.round((this.#percent / 100) * this.#fileBytes),
      fileBytes: this.#fileBytes,
      rows,
      refused,
      partlyRefused,
      rowsPerSecond: Math.round((rows - this.#rowsBefore) / seconds),
      ...(reportBytes > 0 && { report: this.#reportPath }),
      ...(this.#problem !== undefined && { problem: this.#problem }),
      isFinished: this.#isFinished,
    };
  }

  #tell(): void {
    this.#toldAt = performance.now();
    this.#options.progress?.(this.#figures);
  }

  /** Goes on from where the same import of the same file was broken off. */
  async #restore(): Promise<void> {
    const { size, mtimeMs } = await stat(this.#file).catch(() => ({ size: 0, mtimeMs: 0 }));
    this.#key = `${size} ${mtimeMs}`;
    const saved = await this.#saved();
    if (saved?.key !== this.#key) return await rm(this.#reportPath, { force: true });
    this.#done = saved.done;
    this.#rowsBefore = saved.done.rows;
  }

  async #saved(): Promise<Saved | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#options.folder, this.#progressName), "utf8"));
    } catch {
      // There is none, or it can't be read: then it begins anew, which is always right.
      return undefined;
    }
  }

  async *#batches(recording: Recording): AsyncGenerator<Batch> {
    const lines = new LineWriter();
    const points = new PointWriter(lines);
    let counts = { rows: 0, refused: 0, partlyRefused: 0 };
    let origins: number[] = [];
    let refusals: Refusal[] = [];
    const refuse = (line: number, reason: string, isPartial: boolean) => {
      if (isPartial) counts.partlyRefused++;
      else {
        counts.rows++;
        counts.refused++;
      }
      if (refusals.length < MAX_REPORTED) refusals.push({ line, reason, isPartial });
    };
    const take = (position: RecordingPosition): Batch => {
      const batch = { ...counts, lines: lines.take().slice(), origins, refusals, position, percent: recording.percent };
      counts = { rows: 0, refused: 0, partlyRefused: 0 };
      origins = [];
      refusals = [];
      return batch;
    };
    for await (const reading of recording.readings(refuse)) {
      this.#options.signal?.throwIfAborted();
      try {
        points.reading(reading);
        counts.rows++;
      } catch (error) {
        refuse(recording.line, (error as Error).message, false);
      }
      while (origins.length < lines.count) origins.push(recording.line);
      if (counts.rows < BATCH_SIZE && lines.count < BATCH_SIZE) continue;
      const { position } = recording;
      if (position) yield take(position);
    }
    yield take(recording.position ?? this.#done.position);
  }

  async #write({ lines, origins, refusals, ...batch }: Batch): Promise<void> {
    const ofStore = lines.length === 0 ? [] : await this.#untilTaken(lines);
    const all = [
      ...refusals,
      ...ofStore.map(({ index, reason }) => ({ line: origins[index] ?? 0, reason, isPartial: false })),
    ];
    const done = this.#done;
    const reportBytes = await this.#report(all.sort((a, b) => a.line - b.line));
    this.#done = {
      rows: done.rows + batch.rows,
      refused: done.refused + batch.refused + ofStore.length,
      partlyRefused: done.partlyRefused + batch.partlyRefused,
      position: batch.position,
      reportBytes,
    };
    this.#percent = batch.percent;
    const text = JSON.stringify({ key: this.#key, done: this.#done });
    await writeWhole(this.#options.folder, this.#progressName, text);
    if (performance.now() - this.#toldAt >= PROGRESS_INTERVAL) this.#tell();
  }

  async #untilTaken(lines: Uint8Array): ReturnType<Historian["write"]> {
    const { signal } = this.#options;
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      signal?.throwIfAborted();
      try {
        const refused = await this.#historian.write(lines);
        this.#problem = undefined;
        return refused;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#problem = error.message;
        this.#tell();
        const hold = (error.retryAfterSeconds ?? 0) * 1000;
        await delay(Math.max(hold, randomInt(wait / 2, wait)), undefined, { ...(signal && { signal }) });
      }
    }
  }

  /** Adds to the report, after what is known to be in it, and gives its length then, bytes. */
  async #report(refusals: readonly Refusal[]): Promise<number> {
    const { refused, partlyRefused, reportBytes } = this.#done;
    const entries = refusals.slice(0, Math.max(0, MAX_REPORTED - refused - partlyRefused));
    if (entries.length === 0) return reportBytes;
    const text = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    const handle = await open(this.#reportPath, reportBytes === 0 ? "w" : "r+");
    try {
      await handle.truncate(reportBytes);
      await handle.write(text, 0, text.length, reportBytes);
    } finally {
      await handle.close();
    }
    return reportBytes + text.length;
  }
}
