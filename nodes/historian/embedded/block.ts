/** Blocks, what a store's file consists of: instants of one set of tags over a stretch of time, in columns. */
import type { FieldValue } from "../../../core/history/types.ts";

/** Values of a field, instant by instant. Numbers are NaN and texts null where there is none. */
export type Column = Float64Array | (string | null)[];

/** What one instant adds to a block. */
export interface Instant {
  /** ms after the block's beginning. */
  offset: number;
  /** Ids of fields; a field has numbers or texts throughout. */
  fields: readonly number[];
  /** In the order of `fields`. */
  values: readonly FieldValue[];
}

/** A column of texts: each different text once, and for each instant its place among them, or -1. */
type TextColumn = [field: number, texts: string[], places: number[]];

/**
 * A block as it is read. It stands in the file as 32-bit words (number of instants, number of numeric columns, their
 * fields, the instants' offsets; padded to 8 bytes), the numeric columns as doubles, and the text columns as JSON. Bytes
 * are little-endian, as on every machine that Node.js is built for but one.
 */
export class Block {
  /** ms after the block's beginning, ascending. */
  readonly offsets: Uint32Array;
  readonly #numbers: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #valuesAt: number;
  #texts: Map<number, Column> | undefined;

  /** Cost: O(1). Columns are decoded when they are asked for. Throws a RangeError when these are no bytes of a block. */
  constructor(bytes: Uint8Array) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, 2);
    const [count = 0, columns = 0] = words;
    this.#bytes = bytes;
    this.#numbers = new Uint32Array(bytes.buffer, bytes.byteOffset + 8, columns);
    this.offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + 8 + 4 * columns, count);
    this.#valuesAt = headLength(count, columns);
  }

  /** The fields that it has values of. */
  get fields(): number[] {
    return [...this.#numbers, ...this.#textColumns().keys()];
  }

  /** The values of a field; undefined if there are none. Cost: O(1) for numbers. */
  column(field: number): Column | undefined {
    const place = this.#numbers.indexOf(field);
    if (place < 0) return this.#textColumns().get(field);
    const count = this.offsets.length;
    return new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#valuesAt + 8 * place * count, count);
  }

  #textColumns(): Map<number, Column> {
    this.#texts ??= decodeTexts(this.#bytes.subarray(this.#valuesAt + 8 * this.#numbers.length * this.offsets.length));
    return this.#texts;
  }
}

/**
 * The bytes of a block with some instants more; of several values of one field at one instant, the last counts.
 * Cost: O(n) when all are later than the block's, O(n log n) otherwise.
 */
export function withInstants(block: Block | undefined, instants: readonly Instant[]): Uint8Array {
  const former = block?.offsets ?? new Uint32Array(0);
  const offsets = unite(former, instants);
  const columns = new Map<number, Column>();
  for (const field of block?.fields ?? []) {
    const values = block?.column(field);
    if (values) columns.set(field, moved(values, former, offsets));
  }
  for (const { offset, fields, values } of instants) {
    const place = placeOf(offsets, offset);
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index] as number;
      const value = values[index] as FieldValue;
      let column = columns.get(field);
      if (!column) {
        column = emptyColumn(typeof value === "string", offsets.length);
        columns.set(field, column);
      }
      column[place] = value;
    }
  }
  return encode(offsets, columns);
}

/** The place of an offset among ascending ones that hold it, or else of the next greater one. */
export function placeOf(offsets: Uint32Array, offset: number): number {
  const last = offsets.length - 1;
  if (last >= 0 && offsets[last] === offset) return last;
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function unite(former: Uint32Array, instants: readonly Instant[]): Uint32Array {
  let last = former.at(-1) ?? -1;
  const isLater = instants.every(({ offset }) => {
    const before = last;
    last = offset;
    return offset > before;
  });
  const added = instants.map(({ offset }) => offset);
  if (!isLater) return Uint32Array.from(new Set([...former, ...added])).sort();
  const offsets = new Uint32Array(former.length + added.length);
  offsets.set(former);
  offsets.set(added, former.length);
  return offsets;
}

function emptyColumn(isText: boolean, length: number): Column {
  return isText ? new Array<string | null>(length).fill(null) : new Float64Array(length).fill(Number.NaN);
}

/** A column for other instants, among which are its own. */
function moved(column: Column, from: Uint32Array, to: Uint32Array): Column {
  const result = emptyColumn(Array.isArray(column), to.length);
  for (let place = 0, target = 0; place < from.length; place++, target++) {
    while (to[target] !== from[place]) target++;
    result[target] = column[place] as FieldValue;
  }
  return result;
}

function encode(offsets: Uint32Array, columns: ReadonlyMap<number, Column>): Uint8Array {
  const numbers: [number, Float64Array][] = [];
  const texts: TextColumn[] = [];
  for (const [field, column] of columns) {
    if (Array.isArray(column)) texts.push(encodeTexts(field, column));
    else numbers.push([field, column]);
  }
  const json = texts.length > 0 ? Buffer.from(JSON.stringify(texts)) : Buffer.alloc(0);
  const head = headLength(offsets.length, numbers.length);
  const valuesLength = 8 * numbers.length * offsets.length;
  const bytes = new Uint8Array(head + valuesLength + json.length);
  const words = new Uint32Array(bytes.buffer, 0, head / 4);
  words[0] = offsets.length;
  words[1] = numbers.length;
  words.set(
    numbers.map(([field]) => field),
    2,
  );
  words.set(offsets, 2 + numbers.length);
  const values = new Float64Array(bytes.buffer, head, numbers.length * offsets.length);
  for (const [place, [, column]] of numbers.entries()) values.set(column, place * offsets.length);
  bytes.set(json, head + valuesLength);
  return bytes;
}

/** Bytes before the values. */
function headLength(count: number, columns: number): number {
  return 8 * Math.ceil((2 + columns + count) / 2);
}

function encodeTexts(field: number, column: readonly (string | null)[]): TextColumn {
  const known = new Map<string, number>();
  const places = column.map((text) => {
    if (text === null) return -1;
    const place = known.get(text) ?? known.size;
    known.set(text, place);
    return place;
  });
  return [field, [...known.keys()], places];
}

function decodeTexts(bytes: Uint8Array): Map<number, Column> {
  if (bytes.length === 0) return new Map();
  const columns: TextColumn[] = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  return new Map(columns.map(([field, texts, places]) => [field, places.map((place) => texts[place] ?? null)]));
}
