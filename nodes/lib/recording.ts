/** A recorded file as a stream of readings: CSV with a header or JSON lines, also gzipped, of any size in little memory. */
import { createReadStream, type ReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { parse as parsePath } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { parse } from "csv-parse";
import { type Format, toReadings } from "../../core/reading.ts";
import type { Reading } from "../../core/types.ts";
import { type ColumnMap, Columns, delimiterOf } from "./csv.ts";

/** Told in which line a record was refused, and why. `isPartial`: only some of its metrics were, and the rest goes on. */
export type RefuseRecord = (line: number, reason: string, isPartial: boolean) => void;

/** A place between two records, as plain JSON. */
export interface RecordingPosition {
  /** The file's content up to it, uncompressed. */
  bytes: number;
  lines: number;
  /** Headings of CSV, once they are read. */
  headings?: string[];
}

export interface RecordingOptions {
  /** What the columns of CSV mean. */
  columns?: ColumnMap;
  /** The same file was read up to here. */
  from?: RecordingPosition;
  /** Refuses records without a time, rather than giving them that of the one before. */
  requireTime?: boolean;
}

/** What `core/reading.ts` takes: a CSV row as an object, or a line of JSON. An error is a record that can't be taken. */
type Payload = Record<string, unknown> | string | Error;

const FEED = 0x0a;

/** Whatever is longer is no record, bytes. */
const MAX_RECORD = 4_000_000;

/** So much is read at once, bytes: little, so that others have their turn in between. */
const CHUNK = 16_384;

/** An open recording. Reading it closes it at the end. */
export class Recording {
  readonly #path: string;
  readonly #size: number;
  readonly #source: ReadStream;
  /** The file's bytes, and what they hold: the same unless they are compressed. */
  readonly #file: Peeked;
  readonly #content: Peeked;
  readonly #options: RecordingOptions;
  /** The end of the present record. */
  readonly #present: RecordingPosition;
  /** False while a record has more readings to give. */
  #isBetween = true;

  /** Opens a file and reads its beginning. Throws an Error that names it if that can't be done. */
  static async open(path: string, options: RecordingOptions = {}): Promise<Recording> {
    const source = createReadStream(path, { highWaterMark: CHUNK });
    try {
      const file = await peek(source);
      const isGzip = /\.gz$/i.test(path) || (file.first[0] === 0x1f && file.first[1] === 0x8b);
      // The callback has nothing to do: an error reaches whoever reads the end of the pipeline.
      const content = isGzip ? await peek(pipeline(file.whole, createGunzip(), () => undefined)) : file;
      if (content.first.length === 0) throw new Error("it is empty");
      return new Recording(path, (await stat(path)).size, source, file, content, options);
    } catch (error) {
      source.destroy();
      throw unreadable(path, error);
    }
  }

  private constructor(
    path: string,
    size: number,
    source: ReadStream,
    file: Peeked,
    content: Peeked,
    options: RecordingOptions,
  ) {
    this.#path = path;
    this.#size = size;
    this.#source = source;
    this.#file = file;
    this.#content = content;
    this.#options = options;
    this.#present = { ...(options.from ?? { bytes: 0, lines: 0 }) };
  }

  /** Size of the file, bytes. */
  get size(): number {
    return this.#size;
  }

  /** How much of the file was used, 0 to 100. */
  get percent(): number {
    const { bytes } = this.#present;
    if (bytes === 0 || this.#content.taken === 0) return 0;
    return Math.min(100, 100 * (this.#file.taken / this.#size) * (bytes / this.#content.taken));
  }

  /** After the present record; undefined while it has more readings to give. */
  get position(): RecordingPosition | undefined {
    return this.#isBetween ? { ...this.#present } : undefined;
  }

  /** Number of the line in which the present record ends. */
  get line(): number {
    return this.#present.lines;
  }

  /**
   * Its readings, in the order of the file. A record that can't be taken is given to `refuse` and holds nothing up; one
   * that carries no time has that of the record before it. Throws an Error that names the file if it is damaged, or does
   * not have the columns of the map.
   */
  async *readings(refuse: RefuseRecord): AsyncGenerator<Reading, void, undefined> {
    const { columns, requireTime } = this.#options;
    const format: Format = columns ? { timestampUnit: columns.timestampUnit ?? "auto" } : {};
    // Not a number marks what carries no time.
    let now = requireTime ? Number.NaN : Date.now();
    const refuseRecord = (reason: string, _payload: unknown, isPartial: boolean) =>
      refuse(this.line, reason, isPartial);
    try {
      for await (const payload of this.#payloads()) {
        if (payload instanceof Error) {
          refuseRecord(payload.message, undefined, false);
          continue;
        }
        const found = toReadings(payload, { now }, refuseRecord, format) ?? [];
        const readings = Array.isArray(found) ? found : [found];
        for (let place = 0; place < readings.length; place++) {
          const reading = readings[place] as Reading;
          this.#isBetween = place === readings.length - 1;
          if (Number.isNaN(reading.timestamp)) {
            refuseRecord("it has no time", undefined, false);
            continue;
          }
          if (!requireTime) now = reading.timestamp;
          yield reading;
        }
      }
      if (this.#source.bytesRead < this.#size) throw new Error("it became shorter while it was read");
      this.#present.bytes = this.#content.taken;
    } catch (error) {
      throw unreadable(this.#path, error);
    } finally {
      this.#source.destroy();
    }
  }

  #payloads(): AsyncGenerator<Payload> {
    const { base, name } = parsePath(this.#path.replace(/\.gz$/i, ""));
    const beginning = new TextDecoder().decode(this.#content.first);
    const isJson = /\.(json|jsonl|ndjson)$/i.test(base) || (!/\.csv$/i.test(base) && /^\s*[[{]/.test(beginning));
    if (isJson && this.#options.columns) throw new Error("it has no columns, which the column map tells of");
    return isJson ? this.#lines() : this.#rows(delimiterOf(beginning), name);
  }

  /** The lines of a text, without the blank ones. */
  async *#lines(): AsyncGenerator<string> {
    let rest: Uint8Array = new Uint8Array(0);
    for await (const chunk of skip(this.#content.whole, this.#present.bytes)) {
      const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let feed = bytes.indexOf(FEED); feed >= 0; feed = bytes.indexOf(FEED, start)) {
        const line = bytes.toString("utf8", start, feed).trim();
        this.#present.lines++;
        this.#present.bytes += feed + 1 - start;
        start = feed + 1;
        if (line !== "") yield line;
      }
      rest = bytes.subarray(start);
      if (rest.length > MAX_RECORD) throw new Error(`line ${this.line + 1} is longer than ${MAX_RECORD} bytes`);
    }
    this.#present.lines++;
    const line = Buffer.from(rest).toString().trim();
    if (line !== "") yield line;
  }

  /** The rows of a CSV file by the names of its header. Where no column names the device, it is named after the file. */
  async *#rows(delimiter: string, fileName: string): AsyncGenerator<Payload> {
    const parser = parse({
      bom: true,
      delimiter,
      info: true,
      max_record_size: MAX_RECORD,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
    const { columns: map = {}, from = { bytes: 0, lines: 0 } } = this.#options;
    let columns = from.headings && new Columns(from.headings, map, fileName);
    const rows: AsyncIterable<Row> = pipeline(skip(this.#content.whole, from.bytes), parser, () => undefined);
    for await (const { record, info } of rows) {
      this.#present.lines = from.lines + info.lines;
      this.#present.bytes = from.bytes + info.bytes;
      if (columns) yield columns.payload(record);
      else {
        columns = new Columns(record, map, fileName);
        this.#present.headings = record;
      }
    }
  }
}

/** A row of csv-parse: its cells, and how far it reaches. */
interface Row {
  record: string[];
  info: { lines: number; bytes: number };
}

/** A stream without its first so many bytes. */
async function* skip(stream: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of stream) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** A stream whose first chunk is known before it is read. */
interface Peeked {
  /** Empty if the stream is. */
  first: Uint8Array;
  whole: AsyncIterable<Uint8Array>;
  /** How much of it was read, bytes. */
  taken: number;
}

async function peek(stream: AsyncIterable<Uint8Array>): Promise<Peeked> {
  const rest = stream[Symbol.asyncIterator]();
  const { value: first = new Uint8Array() } = (await rest.next()) as { value?: Uint8Array };
  async function* whole() {
    peeked.taken = first.length;
    yield first;
    for await (const chunk of { [Symbol.asyncIterator]: () => rest }) {
      peeked.taken += chunk.length;
      yield chunk;
    }
  }
  const peeked = { first, whole: whole(), taken: 0 };
  return peeked;
}

function unreadable(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return new Error(`there is no file ${path}`);
  if (code === "EISDIR") return new Error(`${path} is a folder, not a file`);
  return new Error(`${path} cannot be read: ${message}`, { cause: error });
}
