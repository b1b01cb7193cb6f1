/** The historian that keeps a file of its own: SQLite from Node.js itself, written by one thread and read by another. */
import { isBuiltin } from "node:module";
import { resolve } from "node:path";
import { keptSince } from "../../core/history/levels.ts";
import type {
  Aggregate,
  AggregateQuery,
  Catalogue,
  Chunk,
  RowOptions,
  Selection,
  Statistics,
  StatisticsQuery,
} from "../../core/history/types.ts";
import { type RefusedLine, StoreUnavailable } from "../lib/historian.ts";
import { Thread, type ThreadData } from "./embedded/thread.ts";
import type { Engine, Retention } from "./engine.ts";

/** Beside this file: source by source, or bundle by bundle. */
const WORKER = new URL(`./embedded.worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

interface Threads {
  writer: Thread;
  reader: Thread;
}

/**
 * A store of points in one file. What `write` has resolved for is on the disk, and survives the end of the process and
 * of the machine. Several of one file, also in several processes, take turns.
 */
export class EmbeddedHistorian implements Engine {
  readonly engine = "embedded";
  /** The absolute path of the file. */
  readonly location: string;
  readonly #retention: Retention;
  #opened: Promise<Threads> | undefined;
  #isClosed = false;
  /** Before this, raw values may have been dropped, ms since 1970. */
  #rawSince = -Infinity;

  /**
   * `file`: made with its folder at the first use, unless it is there. A Node.js without SQLite shows as a store that is
   * away, so that what comes waits for a newer one.
   */
  constructor({ file, retentionDays, archiveDays }: { file: string } & Retention) {
    this.location = resolve(file);
    this.#retention = { retentionDays, archiveDays };
  }

  async write(lines: Uint8Array): Promise<RefusedLine[]> {
    const { writer } = await this.#threads();
    // The caller keeps its bytes, which may be part of a larger buffer; a copy of them alone is handed over.
    const copy = new Uint8Array(lines);
    return await writer.call("write", [copy], undefined, [copy.buffer]);
  }

  async *rows(selection: Selection, { signal, ...options }: RowOptions = {}): AsyncGenerator<Chunk, void> {
    const { reader } = await this.#threads();
    const cursor = await reader.call<number>("rows", [selection, options]);
    try {
      for (;;) {
        const chunk = await reader.call<Chunk | undefined>("next", [cursor], signal);
        if (!chunk) return;
        yield chunk;
      }
    } finally {
      // With the thread, its cursors have ended too.
      reader.call("drop", [cursor]).catch(() => undefined);
    }
  }

  async aggregate({ signal, ...query }: AggregateQuery): Promise<Aggregate[]> {
    const { reader } = await this.#threads();
    return await reader.call("aggregate", [query], signal);
  }

  async statistics({ signal, ...query }: StatisticsQuery): Promise<Statistics[]> {
    const { reader } = await this.#threads();
    return await reader.call("statistics", [query], signal);
  }

  async latest(selection: Selection, signal?: AbortSignal): Promise<Chunk[]> {
    const { reader } = await this.#threads();
    return await reader.call("latest", [selection], signal);
  }

  async catalogue(): Promise<Catalogue> {
    const { reader } = await this.#threads();
    return await reader.call("catalogue", []);
  }

  rawSince(now: number): number {
    return Math.max(keptSince(this.#retention.retentionDays, now), this.#rawSince);
  }

  async check(): Promise<{ version: string; bytes: number }> {
    const { reader } = await this.#threads();
    return await reader.call("check", []);
  }

  async maintain(now: number): Promise<void> {
    const { writer } = await this.#threads();
    this.#rawSince = await writer.call("maintain", [now]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = await this.#opened?.catch(() => undefined);
    await threads?.reader.close();
    await threads?.writer.close();
  }

  #threads(): Promise<Threads> {
    if (this.#isClosed) return Promise.reject(new StoreUnavailable(`${this.location} is closed`));
    if (!isBuiltin("node:sqlite")) {
      const remedy = "the embedded historian needs Node.js 22.13 or later; use InfluxDB, or a newer Node.js";
      return Promise.reject(new StoreUnavailable(remedy));
    }
    this.#opened ??= this.#begin();
    return this.#opened;
  }

  /** Starts both threads. When one ends, so does the other, and the next use starts them anew. */
  #begin(): Promise<Threads> {
    const opened = this.#open();
    const forget = () => {
      if (this.#opened === opened) this.#opened = undefined;
    };
    opened.then(async ({ writer, reader }) => {
      await Promise.race([writer.ended, reader.ended]);
      forget();
      await Promise.all([writer.close(), reader.close()]);
    }, forget);
    return opened;
  }

  async #open(): Promise<Threads> {
    const writer = this.#start("writer");
    const reader = this.#start("reader");
    try {
      this.#rawSince = await writer.call("open", []);
      await reader.call("open", []);
    } catch (error) {
      await Promise.all([writer.close(), reader.close()]);
      throw error;
    }
    return { writer, reader };
  }

  #start(role: ThreadData["role"]): Thread {
    return new Thread(WORKER, { file: this.location, retention: this.#retention, role });
  }
}
