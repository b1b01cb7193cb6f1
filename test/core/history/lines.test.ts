import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeName, encodeName, type Line, LineReader, LineWriter, parseLine } from "../../../core/history/lines.ts";
import { type FieldValue, MEASUREMENTS, type Point, TAGS } from "../../../core/history/types.ts";

const HOSTILE = [
  "__proto__",
  "constructor",
  "time",
  "%74ime",
  "a/b+c#",
  "%0A",
  "%%0A",
  "%250A",
  "100%",
  "%",
  "line\nbreak",
  "cr\r\nlf",
  "tab\tand nul\0",
  "trailing\\",
  "\\",
  "\\\\",
  "\\n",
  'a "quote',
  '"',
  "a,b",
  ",",
  "=",
  "a=b c,d",
  " ",
  " leading",
  "trailing ",
  "trailing\\ ",
  "'; DROP MEASUREMENT readings; --",
  "# comment",
  "°C",
  "泵 7",
  "😀",
  "\ud83d",
  "\udc00x",
  "\u0085\u2028\ufeff",
  "x".repeat(256),
];

const name = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary", minLength: 1 }),
  fc.string({ minLength: 1 }),
);
const text = fc.oneof(
  name,
  fc.constant(""),
  fc.string({ unit: fc.constantFrom("\\", '"', "\n", "%", "0", "A", "\ud83d", "n") }),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer().map((whole) => whole / 100),
  fc.constantFrom(0, -0, 1e300, -1e300, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 1e21, 1e-7, 0.1 + 0.2),
);
const point: fc.Arbitrary<Point> = fc.record({
  measurement: fc.constantFrom(...MEASUREMENTS),
  tags: fc.record(Object.fromEntries(TAGS.map((tag) => [tag, name])), { requiredKeys: [] }),
  timestamp: fc.oneof(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: -8.64e15, max: 8.64e15 })),
  fields: fc
    .array(fc.tuple(name, fc.oneof(number, text)), { minLength: 1, maxLength: 6 })
    .map((fields): Point["fields"] => new Map<string, FieldValue>(fields)),
});

/** What comes back of a text: half a surrogate pair has no UTF-8. */
function sent(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** What comes back of a point. */
function wellFormed({ measurement, tags, timestamp, fields }: Point): Point {
  return {
    measurement,
    tags: Object.fromEntries(Object.entries(tags).map(([tag, value]) => [tag, sent(value)])),
    timestamp,
    fields: new Map(
      Array.from(fields, ([name, value]) => [sent(name), typeof value === "string" ? sent(value) : value]),
    ),
  };
}

function isAmbiguous({ fields }: Point): boolean {
  return new Set(Array.from(fields.keys(), (name) => sent(name))).size < fields.size;
}

function write(...points: Point[]): Uint8Array {
  const writer = new LineWriter(16);
  for (const each of points) writer.add(each);
  assert.equal(writer.count, points.length);
  return writer.take().slice();
}

const toPoint = ({ measurement, tags, timestamp, fields, values }: Line): Point => ({
  measurement,
  tags,
  timestamp,
  fields: new Map(fields.map((name, place) => [name, values[place] ?? ""])),
});

function refuse(_index: number, line: string, reason: string): never {
  throw new Error(`${reason}: ${line}`);
}

function read(bytes: Uint8Array, reader = new LineReader()): Point[] {
  const points: Point[] = [];
  reader.read(bytes, (line) => points.push(toPoint(line)), refuse);
  return points;
}

describe("encodeName", () => {
  it("is undone by decodeName, whatever the name", () => {
    fc.assert(
      fc.property(text, (any) => {
        const encoded = encodeName(any);
        assert.equal(decodeName(encoded), sent(any));
        assert.doesNotMatch(encoded, /[\p{Cc}\\]/u);
        assert.notEqual(encoded, "time");
      }),
    );
  });

  it("leaves usual names as they are, and encodes line breaks, backslashes and what looks encoded", () => {
    for (const usual of ["pump 7", "a=b,c", "100%", "°C", "timestamp"]) assert.equal(encodeName(usual), usual);
    assert.equal(encodeName("a\nb\\%0A"), "a%0Ab%5C%250A");
    assert.equal(encodeName("time"), "%74ime");
  });
});

describe("a line", () => {
  it("is what InfluxDB's line protocol says", () => {
    const fields = new Map<string, FieldValue>([
      ["supply temperature", 62.5],
      ["state", 'it\'s "on"\\off'],
      ["time", -0],
    ]);
    const tags = { location: "hall 3,east", device: "a=b", detector: "" };
    const line = write({ measurement: "readings", tags, timestamp: 1_700_000_000_000, fields });
    assert.equal(
      new TextDecoder().decode(line),
      'readings,device=a\\=b,location=hall\\ 3\\,east supply\\ temperature=62.5,state="it\'s \\"on\\"%5Coff",%74ime=-0 1700000000000\n',
    );
  });

  it("gives back the point that it was made of, whatever its names and texts", () => {
    fc.assert(
      fc.property(point, (any) => {
        fc.pre(!isAmbiguous(any));
        const line = new TextDecoder("utf-8", { ignoreBOM: true }).decode(write(any));
        assert.equal(line.indexOf("\n"), line.length - 1);
        assert.deepEqual(parseLine(line.slice(0, -1)), wellFormed(any));
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps every number to the last bit", () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 20 }), (values) => {
        const fields = new Map(values.map((value, place) => [`m${place}`, value]));
        const [line] = read(write({ measurement: "readings", tags: {}, timestamp: 0, fields }));
        for (const [field, value] of fields) assert.ok(Object.is(line?.fields.get(field), value), String(value));
      }),
      { numRuns: 1000 },
    );
  });

  it("has at least one field, finite numbers and a whole time", () => {
    const writer = new LineWriter();
    const add = (fields: [string, FieldValue][], timestamp = 0) =>
      writer.add({ measurement: "readings", tags: {}, timestamp, fields: new Map(fields) });
    assert.throws(() => add([]), /at least one field/);
    assert.throws(
      () =>
        add([
          ["a", 1],
          ["b", Number.NaN],
        ]),
      /NaN is not a finite number/,
    );
    assert.throws(() => add([["a", Infinity]]), /Infinity/);
    assert.throws(() => add([["a", 1]], 0.5), /0.5 is not a time/);
    add([["a", 1]]);
    assert.equal(writer.count, 1);
    assert.equal(new TextDecoder().decode(writer.take()), "readings a=1 0\n");
    assert.equal(writer.count, 0);
  });
});

describe("a batch of lines", () => {
  it("is split at its line feeds into exactly its points, also by a reader that has read others", () => {
    const reader = new LineReader();
    fc.assert(
      fc.property(fc.array(point, { maxLength: 10 }), (any) => {
        const points = any.filter((each) => !isAmbiguous(each));
        const bytes = write(...points);
        assert.equal(bytes.filter((byte) => byte === 0x0a).length, points.length);
        assert.deepEqual(read(bytes, reader), points.map(wellFormed));
        assert.deepEqual(read(bytes, reader), points.map(wellFormed));
      }),
    );
  });

  it("gives the same object for lines with the same tags and fields", () => {
    const of = (device: string, names: string[], timestamp: number): Point => ({
      measurement: "readings",
      tags: { device },
      timestamp,
      fields: new Map(names.map((name) => [name, timestamp])),
    });
    const lines: Line[] = [];
    const bytes = write(of("P1", ["a", "b"], 1), of("P1", ["a", "b"], 2), of("P1", ["a"], 3), of("P2", ["a", "b"], 4));
    const reader = new LineReader();
    for (let time = 0; time < 2; time++) reader.read(bytes, (line) => lines.push(line), refuse);
    const [first, second, shorter, other, again] = lines;
    assert.equal(first, second);
    assert.equal(first, again);
    assert.notEqual(first, shorter);
    assert.notEqual(first, other);
    assert.deepEqual(other, {
      measurement: "readings",
      tags: { device: "P2" },
      fields: ["a", "b"],
      values: [4, 4],
      timestamp: 4,
    });
  });

  it("is read but for the lines that are none of ours, each with its reason", () => {
    const good = "readings,device=P1 a=1,b=2 1000";
    const bad: [line: string, reason: RegExp][] = [
      ["", /no fields/],
      ["cpu,host=a load=1 1000", /cpu is no measurement/],
      ["readings,host=a load=1 1000", /host is no tag/],
      ["readings,device=P1", /no fields/],
      ["readings,device=P1 a=1,b=2", /can't be read/],
      ["readings,device=P1 a=1,b=2 soon", /no time/],
      ["readings,device=P1 a=1,b=2 10.5", /no time/],
      ["readings,device=P1 a=1,b 1000", /no value/],
      ["readings,device=P1 a=1,b=NaN 1000", /NaN is not a number/],
      ["readings,device=P1 a=1,b=1e999 1000", /1e999 is not a number/],
      ["readings,device=P1 a=1,b=0x10 1000", /0x10 is not a number/],
      ["readings,device=P1 a=1,b=1i 1000", /1i is not a number/],
      ["readings,device=P1 a=1,b=.5 1000", /\.5 is not a number/],
      ["readings,device=P1 a=1,b=- 1000", /- is not a number/],
      ["readings,device=P1 a=1,b= 1000", /is not a number/],
      ['readings,device=P1 a=1,b="open 1000', /no end/],
      ['readings,device=P1 a=1,b="2"3 1000', /can't be read|no time/],
      ["\ufffd\0 rubbish", /no measurement/],
    ];
    const bytes = new TextEncoder().encode(
      [good, ...bad.flatMap(([line]) => [line, good])].map((line) => `${line}\n`).join(""),
    );
    const refused: [index: number, line: string, reason: string][] = [];
    let taken = 0;
    new LineReader().read(
      bytes,
      (line) => {
        assert.deepEqual(line.values, [1, 2]);
        taken++;
      },
      (...each) => refused.push(each),
    );
    assert.equal(taken, bad.length + 1);
    assert.equal(refused.length, bad.length);
    for (const [place, [line, reason]] of bad.entries()) {
      const [index, refusedLine, why] = refused[place] ?? [];
      assert.equal(index, 2 * place + 1);
      assert.equal(refusedLine, line);
      assert.match(String(why), reason, line);
      assert.throws(() => parseLine(line), SyntaxError, line);
    }
  });

  it("never breaks the reader, whatever bytes it is", () => {
    const reader = new LineReader();
    fc.assert(
      fc.property(fc.array(point, { maxLength: 3 }), fc.nat(), fc.nat(255), (points, place, byte) => {
        const bytes = write(...points);
        if (bytes.length > 0) bytes[place % bytes.length] = byte;
        reader.read(
          bytes,
          () => {},
          () => {},
        );
        assert.deepEqual(
          read(write(...points.filter((each) => !isAmbiguous(each))), reader),
          points.filter((each) => !isAmbiguous(each)).map(wellFormed),
        );
      }),
    );
  });
});
