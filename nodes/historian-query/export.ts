/** Exports: points as CSV, streamed into a file or into the answer to an HTTP request, whatever their number. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BYTE_ORDER_MARK, type Columns, csvHeader, csvLines } from "../../core/history/csv.ts";
import type { Measurement } from "../../core/history/types.ts";
import type { Historian } from "../lib/historian.ts";
import type { HistoryQuery } from "./query.ts";
import { selectionOf, tagsOf } from "./selection.ts";

/** Characters that are handed on at a time. */
const BLOCK = 65_536;

/** Fields that are times, which a table shows as such. */
const TIME_FIELDS: Readonly<Partial<Record<Measurement, readonly string[]>>> = {
  alarms: ["raisedAt", "acknowledgedAt", "clearedAt"],
  status: ["lastSeen"],
  windows: ["windowEnd"],
};

/** How far an export is. */
export interface Progress {
  rows: number;
  bytes: number;
  /** From 0 to 1; a guess by the devices. */
  share: number;
  columns: string[];
}

/**
 * The CSV of what a query means: a byte order mark, the header, then a row for each instant of each set of tags, in blocks.
 * Nothing is kept but one block and one chunk.
 *
 * @param progress is kept up to date
 */
export async function* csvOf(
  historian: Historian,
  query: HistoryQuery,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const selection = await selectionOf(historian, query, "all");
  const { measurement } = query;
  const times = TIME_FIELDS[measurement] ?? [];
  const columns: Columns = { tags: tagsOf(measurement), fields: selection?.fields ?? [], times };
  progress.columns = ["time", ...columns.tags, ...columns.fields];
  const devices = selection?.tags?.device ?? (await historian.catalogue()).tags.device;
  const places = new Map([...devices].sort().map((device, place) => [device, place]));
  let text = BYTE_ORDER_MARK + csvHeader(columns);
  for await (const chunk of selection ? historian.rows(selection, { signal }) : []) {
    signal.throwIfAborted();
    text += csvLines(columns, chunk);
    progress.rows += chunk.times.length;
    const passed = ((chunk.times.at(-1) ?? query.to) - query.from) / (query.to - query.from);
    const share = ((places.get(chunk.tags.device ?? "") ?? 0) + passed) / devices.length;
    progress.share = Math.max(progress.share, Math.min(share, 1));
    if (text.length < BLOCK) continue;
    yield take();
  }
  progress.share = 1;
  yield take();

  function take(): Buffer {
    const block = Buffer.from(text);
    text = "";
    progress.bytes += block.length;
    return block;
  }
}

/** Writes blocks into a file, which is there only once it is whole. */
export async function writeFile(blocks: AsyncIterable<Buffer>, file: string, id: string, signal: AbortSignal) {
  const part = `${file}.${id}.part`;
  try {
    await pipeline(Readable.from(blocks, { highWaterMark: 1 }), createWriteStream(part, { flags: "wx" }), { signal });
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Answers an HTTP request with blocks. Until the first one is there, the response is left as it is. */
export async function respond(
  blocks: AsyncIterable<Buffer>,
  response: ServerResponse,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const iterator = blocks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    response.setHeader("Content-Type", "text/csv; charset=utf-8");
    response.setHeader("Content-Disposition", `attachment; filename="${name}"`);
    const all = async function* () {
      if (first.done !== true) yield first.value;
      yield* { [Symbol.asyncIterator]: () => iterator };
    };
    await pipeline(Readable.from(all(), { highWaterMark: 1 }), response, { signal });
  } finally {
    // What was begun is ended also where the stream has not come to read it.
    await iterator.return?.();
  }
}
