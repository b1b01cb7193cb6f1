/** Points as lines of InfluxDB's line protocol, times in ms, and back. What is made a point of is said in points.ts. */
import {
  type FieldValue,
  MEASUREMENTS,
  type Measurement,
  type Point,
  type PointTags,
  TAGS,
  type Tag,
} from "./types.ts";

/** A line as it is read. All with the same measurement, tags and names of fields are the same object, filled anew. */
export interface Line {
  readonly measurement: Measurement;
  readonly tags: PointTags;
  readonly fields: readonly string[];
  /** In the order of `fields`. */
  readonly values: FieldValue[];
  /** ms since 1970. */
  timestamp: number;
}

/** Told of a line that is none of ours: its place from 0, the line without its end, and why. */
export type RefuseLine = (index: number, line: string, reason: string) => void;

/** Control characters, the backslash, and what would be taken for their encoding. */
const UNSAFE = /[\p{Cc}\\]|%(?=[0-9A-Fa-f]{2})/gu;
const ENCODED = /%([0-9A-Fa-f]{2})/g;

/** InfluxDB wants tags in this order, or sorts them itself. */
const SORTED_TAGS = [...TAGS].sort();

const encoder = new TextEncoder();

/** What a reader knows beforehand, above which it starts anew: some 100 MB of lines with four fields. */
const MAX_KNOWN_LINES = 100_000;

/** Powers of ten that are exact. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/**
 * A tag's value or a field's name as a store of lines knows it: what line protocol can't hold is percent-encoded, and so
 * is the name `time`, which InfluxDB keeps to itself. Half a surrogate pair becomes U+FFFD.
 */
export function encodeName(name: string): string {
  return name === "time" ? "%74ime" : encodeText(name);
}

/** The name that `encodeName` has encoded. Anything else comes back as it is. */
export function decodeName(name: string): string {
  return name.includes("%") ? name.replace(ENCODED, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))) : name;
}

function encodeText(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd").replace(UNSAFE, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

/** The beginning of a line, for `LineWriter.open`. A tag without a value is left out. */
export function lineHead(measurement: Measurement, tags: PointTags): Uint8Array {
  let head: string = measurement;
  for (const tag of SORTED_TAGS) {
    const value = tags[tag];
    if (value) head += `,${tag}=${escapeName(encodeName(value))}`;
  }
  return encoder.encode(head);
}

/** The name of a field, for `LineWriter.number` and `LineWriter.text`. */
export function fieldKey(name: string): Uint8Array {
  return encoder.encode(`${escapeName(encodeName(name))}=`);
}

function escapeName(name: string): string {
  return name.replace(/[ ,=]/g, "\\$&");
}

function unescapeName(name: string): string {
  return name.includes("\\") ? name.replace(/\\([ ,=])/g, "$1") : name;
}

/**
 * Collects lines as bytes: either whole points by `add`, or, where heads and names are kept encoded, by `open`, its fields,
 * and `close`. Cost: O(bytes); it allocates only to grow.
 */
export class LineWriter {
  #bytes: Uint8Array;
  #end = 0;
  /** Where the line at hand begins. */
  #start = 0;
  #hasField = false;
  #count = 0;

  /** `capacity`: bytes to begin with. */
  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Lines that are ended. */
  get count(): number {
    return this.#count;
  }

  /** Their bytes. */
  get byteLength(): number {
    return this.#start;
  }

  /**
   * Adds a point.
   *
   * @throws RangeError when it has no field, a number is not finite or the time is not whole; nothing is added then
   */
  add({ measurement, tags, timestamp, fields }: Point): void {
    this.open(lineHead(measurement, tags));
    for (const [name, value] of fields) {
      if (typeof value === "number") this.number(fieldKey(name), value);
      else this.text(fieldKey(name), value);
    }
    this.close(timestamp);
  }

  /** Begins a line. One that has not been ended is dropped. */
  open(head: Uint8Array): void {
    this.#end = this.#start;
    this.#hasField = false;
    this.#put(head);
  }

  /** Adds a field to the line. Throws a RangeError when the number is not finite. */
  number(key: Uint8Array, value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`${value} is not a finite number`);
    this.#key(key);
    // Text of 0 has no sign.
    this.#ascii(Object.is(value, -0) ? "-0" : String(value));
  }

  /** Adds a field to the line. */
  text(key: Uint8Array, value: string): void {
    this.#key(key);
    this.#put(encoder.encode(`"${encodeText(value).replaceAll('"', '\\"')}"`));
  }

  /** Ends the line. Throws a RangeError when it has no field, or the time in ms is not whole. */
  close(timestamp: number): void {
    if (!this.#hasField) throw new RangeError("a point needs at least one field");
    if (!Number.isSafeInteger(timestamp)) throw new RangeError(`${timestamp} is not a time in whole milliseconds`);
    this.#byte(SPACE);
    this.#ascii(String(timestamp));
    this.#byte(LINE_FEED);
    this.#start = this.#end;
    this.#count++;
  }

  /** Takes back the lines from one on that began at `byteLength`, when there were `count`. */
  truncate(byteLength: number, count: number): void {
    this.#start = byteLength;
    this.#count = count;
  }

  /** The lines, which are the writer's no more. Their bytes hold until the next line is begun. */
  take(): Uint8Array {
    const lines = this.#bytes.subarray(0, this.#start);
    this.truncate(0, 0);
    return lines;
  }

  #key(key: Uint8Array): void {
    this.#byte(this.#hasField ? COMMA : SPACE);
    this.#hasField = true;
    this.#put(key);
  }

  #byte(byte: number): void {
    if (this.#end === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#end++] = byte;
  }

  #put(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #ascii(text: string): void {
    if (this.#end + text.length > this.#bytes.length) this.#grow(text.length);
    for (let place = 0; place < text.length; place++) this.#bytes[this.#end++] = text.charCodeAt(place);
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#end + bytes));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const BACKSLASH = 0x5c;

/** A set of tags of a measurement, and the orders of fields that lines of it have had. */
interface Series {
  measurement: Measurement;
  tags: PointTags;
  last: Layout | undefined;
  layouts: Map<string, Layout>;
}

interface Layout {
  line: Line;
  /** Names of the fields as they stand in a line, each with its equals sign, in latin 1. */
  keys: readonly string[];
}

/**
 * Reads lines that a LineWriter has written, fast where they are like earlier ones. Cost: O(bytes); one look-up a line.
 */
export class LineReader {
  /** By the text up to the fields, in latin 1. */
  readonly #series = new Map<string, Series>();
  #known = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The bytes in latin 1: texts are compared and cut as they are, and decoded when they are new. */
  #text = "";
  #place = 0;

  /**
   * Reads lines, each ended by a line feed. What `take` is given is filled anew with the next line; what it throws ends
   * the reading.
   */
  read(bytes: Uint8Array, take: (line: Line, index: number) => void, refuse: RefuseLine): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = bytes;
    this.#text = buffer.toString("latin1");
    for (let index = 0, start = 0; start < bytes.length; index++) {
      const feed = this.#text.indexOf("\n", start);
      const end = feed < 0 ? bytes.length : feed;
      let line: Line | undefined;
      try {
        line = this.#line(start, end);
      } catch (error) {
        refuse(index, buffer.toString("utf8", start, end), (error as Error).message);
      }
      if (line) take(line, index);
      start = end + 1;
    }
    this.#text = "";
    this.#bytes = new Uint8Array(0);
  }

  #line(start: number, end: number): Line {
    const headEnd = this.#find(" ", start, end);
    const series = this.#seriesOf(this.#text.slice(start, headEnd));
    this.#place = headEnd + 1;
    const line = (series.last && this.#fill(series.last, end)) ?? this.#readFields(series, headEnd + 1, end);
    line.timestamp = this.#timestamp(end);
    return line;
  }

  /** Reads the values of fields that are known; undefined if they are others. */
  #fill({ keys, line }: Layout, end: number): Line | undefined {
    const { values } = line;
    for (let field = 0; field < keys.length; field++) {
      const key = keys[field] as string;
      if (!this.#text.startsWith(key, this.#place)) return undefined;
      this.#place += key.length;
      values[field] = this.#value(end);
      const isLast = field === keys.length - 1;
      if (this.#bytes[this.#place++] !== (isLast ? SPACE : COMMA)) return undefined;
    }
    return line;
  }

  #readFields(series: Series, start: number, end: number): Line {
    const keys: string[] = [];
    this.#place = start;
    do {
      const from = this.#place;
      this.#place = this.#find("=", from, end) + 1;
      keys.push(this.#text.slice(from, this.#place));
      this.#value(end);
    } while (this.#bytes[this.#place++] === COMMA);
    const joined = keys.join();
    let layout = series.layouts.get(joined);
    if (!layout) {
      const fields = keys.map((key) => decodeName(unescapeName(fromLatin1(key.slice(0, -1)))));
      const { measurement, tags } = series;
      layout = {
        keys,
        line: { measurement, tags, fields, values: new Array<FieldValue>(keys.length).fill(0), timestamp: 0 },
      };
      series.layouts.set(joined, layout);
      this.#known++;
    }
    series.last = layout;
    this.#place = start;
    const line = this.#fill(layout, end);
    if (!line) throw new SyntaxError("its fields can't be read");
    return line;
  }

  #seriesOf(head: string): Series {
    let series = this.#series.get(head);
    if (series) return series;
    if (this.#known >= MAX_KNOWN_LINES) {
      this.#series.clear();
      this.#known = 0;
    }
    series = { ...parseHead(head), last: undefined, layouts: new Map() };
    this.#series.set(head, series);
    return series;
  }

  /** The place of the next character that is not escaped. In names, a backslash is always an escape. */
  #find(character: string, from: number, end: number): number {
    let place = this.#text.indexOf(character, from);
    while (place > 0 && this.#bytes[place - 1] === BACKSLASH) place = this.#text.indexOf(character, place + 1);
    if (place < 0 || place >= end) throw new SyntaxError(`it has no ${character === " " ? "fields" : "value"}`);
    return place;
  }

  #value(end: number): FieldValue {
    return this.#bytes[this.#place] === QUOTE ? this.#quoted(end) : this.#number(end);
  }

  #quoted(end: number): string {
    const start = this.#place + 1;
    let place = start;
    while (place < end && this.#bytes[place] !== QUOTE) place += this.#bytes[place] === BACKSLASH ? 2 : 1;
    if (place >= end) throw new SyntaxError("a text has no end");
    this.#place = place + 1;
    return decodeName(fromLatin1(this.#text.slice(start, place)).replaceAll('\\"', '"'));
  }

  /** Up to 15 digits are exact in a double, and so is a power of ten: then their quotient is rounded only once. */
  #number(end: number): number {
    const bytes = this.#bytes;
    const start = this.#place;
    const isNegative = bytes[start] === MINUS;
    let place = isNegative ? start + 1 : start;
    const first = place;
    let dot = 0;
    let digits = 0;
    for (; place < end; place++) {
      const byte = bytes[place] as number;
      if (byte >= ZERO && byte <= ZERO + 9) digits = digits * 10 + byte - ZERO;
      else if (byte === DOT && dot === 0) dot = place;
      else break;
    }
    const isPlain = bytes[place] === COMMA || bytes[place] === SPACE;
    if (isPlain && place - first <= 15 && place > first && dot !== first && dot !== place - 1) {
      this.#place = place;
      const value = dot === 0 ? digits : digits / (POWERS[place - dot - 1] as number);
      return isNegative ? -value : value;
    }
    while (place < end && bytes[place] !== COMMA && bytes[place] !== SPACE) place++;
    this.#place = place;
    const text = this.#text.slice(start, place);
    const value = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value)) throw new SyntaxError(`${text} is not a number`);
    return value;
  }

  #timestamp(end: number): number {
    const text = this.#text.slice(this.#place, end);
    const timestamp = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(timestamp)) throw new SyntaxError("it has no time in whole milliseconds");
    return timestamp;
  }
}

/**
 * Reads one line, without its end. Of many, a LineReader reads them many times faster.
 *
 * @throws SyntaxError when it is none that a LineWriter writes
 */
export function parseLine(line: string): Point {
  let point: Point | undefined;
  new LineReader().read(
    encoder.encode(line),
    ({ measurement, tags, timestamp, fields, values }) => {
      point = {
        measurement,
        tags,
        timestamp,
        fields: new Map(fields.map((name, place) => [name, values[place] ?? 0])),
      };
    },
    (_index, _line, reason) => {
      throw new SyntaxError(reason);
    },
  );
  if (!point) throw new SyntaxError("it is empty");
  return point;
}

function parseHead(head: string): Pick<Line, "measurement" | "tags"> {
  const [measurement, ...parts] = fromLatin1(head).split(/(?<!\\),/);
  if (!isOneOf(MEASUREMENTS, measurement)) throw new SyntaxError(`${measurement} is no measurement`);
  const tags: PointTags = {};
  for (const part of parts) {
    const equals = part.indexOf("=");
    const tag = part.slice(0, equals);
    if (!isOneOf<Tag>(TAGS, tag)) throw new SyntaxError(`${tag} is no tag`);
    tags[tag] = decodeName(unescapeName(part.slice(equals + 1)));
  }
  return { measurement, tags };
}

function isOneOf<T extends string>(names: readonly T[], name: string | undefined): name is T {
  return names.includes(name as T);
}

/** The UTF-8 text whose bytes these characters are. */
function fromLatin1(text: string): string {
  return Buffer.from(text, "latin1").toString();
}
