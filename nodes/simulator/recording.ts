/** A recorded file as a stream of readings: CSV with a header or JSON lines, also gzipped, of any size in little memory. */
import { createReadStream, type ReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { parse as parsePath } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { parse } from "csv-parse";
import { toReadings } from "../../core/reading.ts";
import type { Reading } from "../../core/types.ts";
import { delimiterOf } from "../lib/csv.ts";

/** Told why a record was refused. `isPartial`: only some of its metrics were, and the rest goes on. */
export type RefuseRecord = (reason: string, isPartial: boolean) => void;

/** What `core/reading.ts` takes: a CSV row as an object, or a line of JSON. An error is a record that can't be taken. */
type Payload = Record<string, unknown> | string | Error;

/** Whatever is longer is no record, characters. */
const MAX_RECORD = 4_000_000;

/** So much is read at once, bytes: little, so that others have their turn in between. */
const CHUNK = 16_384;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** An open recording. Reading it closes it at the end. */
export class Recording {
  readonly #path: string;
  readonly #size: number;
  readonly #source: ReadStream;
  /** The file's bytes, and what they hold: the same unless they are compressed. */
  readonly #file: Peeked;
  readonly #content: Peeked;
  /** Number of the present line, and the bytes of the content up to its end. */
  #line = 0;
  #used = 0;

  /** Opens a file and reads its beginning. Throws an Error that names it if that can't be done. */
  static async open(path: string): Promise<Recording> {
    const source = createReadStream(path, { highWaterMark: CHUNK });
    try {
      const file = await peek(source);
      const isGzip = /\.gz$/i.test(path) || (file.first[0] === 0x1f && file.first[1] === 0x8b);
      // The callback has nothing to do: an error reaches whoever reads the end of the pipeline.
      const content = isGzip ? await peek(pipeline(file.whole, createGunzip(), () => undefined)) : file;
      if (content.first.length === 0) throw new Error("it is empty");
      return new Recording(path, (await stat(path)).size, source, file, content);
    } catch (error) {
      source.destroy();
      throw unreadable(path, error);
    }
  }

  private constructor(path: string, size: number, source: ReadStream, file: Peeked, content: Peeked) {
    this.#path = path;
    this.#size = size;
    this.#source = source;
    this.#file = file;
    this.#content = content;
  }

  /** How much of the file was used, 0 to 100. */
  get percent(): number {
    if (this.#used === 0) return 0;
    return Math.min(100, 100 * (this.#file.taken / this.#size) * (this.#used / this.#content.taken));
  }

  /**
   * Its readings, in the order of the file. A record that can't be taken is given to `refuse` and holds nothing up; one
   * that carries no time has that of the record before it. Throws an Error that names the file if it is damaged.
   */
  async *readings(refuse: RefuseRecord): AsyncGenerator<Reading, void, undefined> {
    let now = Date.now();
    const refuseRecord = (reason: string, _payload: unknown, isPartial: boolean) =>
      refuse(`line ${this.#line}: ${reason}`, isPartial);
    try {
      for await (const payload of this.#payloads()) {
        if (payload instanceof Error) {
          refuseRecord(payload.message, undefined, false);
          continue;
        }
        const readings = toReadings(payload, { now }, refuseRecord) ?? [];
        for (const reading of Array.isArray(readings) ? readings : [readings]) {
          now = reading.timestamp;
          yield reading;
        }
      }
      if (this.#source.bytesRead < this.#size) throw new Error("it became shorter while it was read");
      this.#used = this.#content.taken;
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
    return isJson ? this.#lines() : this.#rows(delimiterOf(beginning), name);
  }

  /** The lines of a text, without the blank ones. */
  async *#lines(): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#content.whole) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_RECORD) throw new Error(`line ${this.#line + 1} is longer than ${MAX_RECORD} characters`);
      for (const line of lines) {
        this.#line++;
        this.#used += Buffer.byteLength(line) + 1;
        if (line.trim() !== "") yield line;
      }
    }
    this.#line++;
    if (rest.trim() !== "") yield rest;
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
    let columns: Column[] | undefined;
    let base = {};
    const rows: AsyncIterable<Row> = pipeline(this.#content.whole, parser, () => undefined);
    for await (const { record, info } of rows) {
      this.#line = info.lines;
      this.#used = info.bytes;
      if (columns === undefined) {
        columns = record.map(toColumn);
        if (!columns.some(({ isDevice }) => isDevice)) base = { deviceId: fileName };
      } else if (record.length !== columns.length) {
        yield new Error(`it has ${record.length} cells, and the header names ${columns.length}`);
      } else {
        yield toPayload(columns, record, base);
      }
    }
  }
}

/** A row of csv-parse: its cells, and how far it reaches. */
interface Row {
  record: string[];
  info: { lines: number; bytes: number };
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

interface Column {
  name: string;
  /** Names a device. */
  isDevice: boolean;
  /** Holds names, and a name that looks like a number stays as it is. */
  isText: boolean;
}

function toPayload(columns: Column[], cells: string[], base: object): Payload {
  const payload: Record<string, unknown> = { ...base };
  for (let index = 0; index < columns.length; index++) {
    const { name, isText } = columns[index] as Column;
    const cell = (cells[index] as string).trim();
    // A column without a name, such as the row numbers that data frames are saved with, holds no metric.
    if (cell === "" || name === "" || name === "__proto__") continue;
    payload[name] = isText ? cell : toValue(cell);
  }
  return payload;
}

function toValue(cell: string): unknown {
  if (NUMBER.test(cell)) return Number(cell);
  if (/^(true|false)$/i.test(cell)) return cell.length === 4;
  return cell;
}

/** Which names mean a device or a tag is known to `core/reading.ts` alone, so it is asked by an example. */
function toColumn(heading: string): Column {
  const name = heading.trim();
  const example = toReadings({ [name]: "good", example: 1 }, { topic: "-", now: 0 }, () => undefined) as Reading;
  const isDevice = example?.deviceId === "good";
  return { name, isDevice, isText: isDevice || Object.hasOwn(example?.tags ?? {}, name) };
}

function unreadable(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return new Error(`there is no file ${path}`);
  if (code === "EISDIR") return new Error(`${path} is a folder, not a file`);
  return new Error(`${path} cannot be read: ${message}`, { cause: error });
}
