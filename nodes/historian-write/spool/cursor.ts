/** Reads a part of the spool in order, around what is damaged, acknowledged or dropped. */
import { blockAt, HEADER_BYTES, isWhole, nextMagic } from "./blocks.ts";
import type { Range } from "./ranges.ts";
import { readAt, type Segment, unlessLost } from "./segments.ts";

/** Some readings, in the order in which they came. */
export interface Batch {
  /** What was appended, one after the other, in memory of its own. */
  bytes: Uint8Array;
  readings: number;
  /** What to acknowledge once they are delivered. */
  range: Range;
}

/** What a cursor sees of its spool. */
export interface Source {
  /** Ascending. The last one may still grow. */
  readonly segments: readonly Segment[];
  /** Number after that of the last reading that is in a file. */
  readonly end: number;
  isAcknowledged(range: Range): boolean;
  /** What is not acknowledged here is damaged. */
  pass(range: Range): void;
}

/** What a reading is taken to need before any has been read, bytes. */
const FIRST_READING_BYTES = 100;

/** Goes through the readings of a range. One read at a time. */
export class Cursor {
  readonly #source: Source;
  readonly #to: number;
  #position: number;
  #segment: Segment | undefined;
  #offset = 0;
  /** What a reading took of the file of late, bytes. */
  #readingBytes = FIRST_READING_BYTES;

  constructor(source: Source, { from, to }: Range) {
    this.#source = source;
    this.#position = from;
    this.#to = to;
  }

  /** Number of the next reading. */
  get position(): number {
    return this.#position;
  }

  /** True at the end of its range. */
  get isDone(): boolean {
    return this.#position >= this.#to;
  }

  /**
   * The next readings: at least what was appended at once, and as long as there are more in the same file, as many as
   * stay within `maxBytes` and `maxReadings`. Undefined when there are none, or none yet.
   *
   * @throws Error when the system can't read now, e.g. for too many open files; it may be tried again
   */
  async read(maxBytes: number, maxReadings: number): Promise<Batch | undefined> {
    while (!this.isDone) {
      const segment = this.#find();
      if (!segment) return undefined;
      const batch = await this.#readSegment(segment, maxBytes, maxReadings);
      if (batch) return batch;
    }
    return undefined;
  }

  /** The segment to go on with, if there is one. */
  #find(): Segment | undefined {
    const known = this.#segment;
    if (known && !known.isRemoved && this.#offset < known.size) return known;
    const { segments, end } = this.#source;
    const place = known ? segments.indexOf(known) + 1 : 0;
    const next = segments.find((segment, index) => index >= place && segment.end > this.#position);
    this.#passTo(next?.first ?? end);
    if (!next || this.isDone) return undefined;
    this.#segment = next;
    this.#offset = 0;
    return next;
  }

  /** Goes on to a reading. What lies before it, and is not acknowledged, is not there. */
  #passTo(number: number): void {
    const to = Math.min(number, this.#to);
    if (to <= this.#position) return;
    this.#source.pass({ from: this.#position, to });
    this.#position = to;
  }

  async #readSegment(segment: Segment, maxBytes: number, maxReadings: number): Promise<Batch | undefined> {
    const { size } = segment;
    // Headers, of which there may be many, are on top. What is read beyond the batch is read in vain.
    let wanted = Math.ceil(1.25 * Math.min(maxBytes, maxReadings * this.#readingBytes)) + HEADER_BYTES;
    while (this.#offset < size) {
      const left = size - this.#offset;
      const buffer = Buffer.allocUnsafeSlow(Math.min(wanted, left));
      const length = (await readAt(segment.path, buffer, this.#offset).catch(unlessLost)) ?? 0;
      if (segment.isRemoved) return undefined;
      const isShort = length < buffer.length;
      const batch = this.#take(buffer.subarray(0, length), isShort ? length : left, maxBytes, maxReadings);
      if (typeof batch === "object") return batch;
      if (this.isDone) return undefined;
      if (isShort) this.#offset = size;
      wanted = Math.max(wanted, batch);
    }
    return undefined;
  }

  /**
   * Takes the blocks at the beginning of the buffer. `left`: bytes until the end of the file.
   *
   * @returns a batch, or how many bytes are needed for one
   */
  #take(buffer: Buffer, left: number, maxBytes: number, maxReadings: number): Batch | number {
    let at = 0;
    let start = 0;
    let length = 0;
    let readings = 0;
    let needed = 0;
    const range = { from: 0, to: 0 };
    while (at < left) {
      const rest = left - at;
      const block = blockAt(buffer, at);
      const whole = HEADER_BYTES + (block?.length ?? 0);
      if (rest >= whole && at + whole > buffer.length) {
        needed = whole;
        break;
      }
      if (!block || !isWhole(buffer, block)) {
        at = rest < HEADER_BYTES ? left : nextMagic(buffer, at);
        continue;
      }
      const { first, count } = block;
      if (first >= this.#to) {
        this.#passTo(this.#to);
        break;
      }
      const isKnown =
        this.#source.isAcknowledged({ from: first, to: first + count }) || first + count <= this.#position;
      if (!isKnown) {
        if (readings > 0 && (length + block.length > maxBytes || readings + count > maxReadings)) break;
        this.#passTo(first);
        const payload = at + HEADER_BYTES;
        if (readings === 0) {
          start = payload;
          range.from = first;
        } else buffer.copyWithin(start + length, payload, payload + block.length);
        length += block.length;
        readings += count;
        range.to = first + count;
      }
      this.#position = Math.max(this.#position, first + count);
      at += whole;
    }
    this.#offset += at;
    if (readings > 0) this.#readingBytes = at / readings;
    return readings > 0 ? { bytes: buffer.subarray(start, start + length), readings, range } : needed;
  }
}
