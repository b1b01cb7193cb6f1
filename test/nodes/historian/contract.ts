/** What every engine of the historian does, whatever it stores in: one suite for all, compared with a naive oracle. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { mean, quantile, quantileSorted, sampleStandardDeviation } from "simple-statistics";
import { HOUR } from "../../../core/history/levels.ts";
import { LineWriter } from "../../../core/history/lines.ts";
import { compareTags } from "../../../core/history/order.ts";
import {
  AGGREGATES,
  type Aggregate,
  type AggregateQuery,
  type Chunk,
  type FieldValue,
  type Point,
  type RowOptions,
  type Selection,
  TAGS,
  type Tag,
} from "../../../core/history/types.ts";
import type { Engine, Retention } from "../../../nodes/historian/engine.ts";
import { QueryError } from "../../../nodes/lib/historian.ts";
import { HistoryOracle, rowsOf } from "../../support/history-oracle.ts";

const DAY = 24 * HOUR;
const MINUTE = 60_000;

/** A whole day in the past, in which all random points lie. */
const START = Math.floor(Date.now() / DAY) * DAY - 3 * DAY;

const FOR_EVER: Retention = { retentionDays: 0, archiveDays: 0 };

const HOSTILE = [
  ...[
    "__proto__",
    "constructor",
    "time",
    "_quality",
    "count",
    "device",
    "a/b+c#",
    "a b,c=d",
    '"',
    "'",
    "\\",
    "\\n",
    "%0A",
  ],
  ...[
    "line\nbreak",
    "carriage\rreturn",
    "tab\tnul\0",
    "'; DROP DATABASE x; --",
    '" OR 1=1',
    "*",
    "/.*/",
    "$device",
    "é",
  ],
  ...[
    "\u{1f600}",
    "\uffee",
    "trailing\\",
    " ",
    "#comment",
    "%74ime",
    "x".repeat(256),
    "\u2028",
    "_",
    "sum_temperature",
  ],
];

const names = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
  fc.constantFrom("temperature", "humidity", "isAnomaly"),
);

// Quarters, so that sums are exact in whatever order they are formed.
const numbers = fc.integer({ min: -4e6, max: 4e6 }).map((value) => value / 4);
const times = fc.integer({ min: 0, max: 2 * DAY - 1 }).map((offset) => START + offset);
const clustered = fc
  .tuple(fc.constantFrom(0, 7, 30), fc.integer({ min: 0, max: 90 }))
  .map(([hour, minute]) => START + hour * HOUR + minute * MINUTE);

/** Points that meet each other often: few devices and fields, with odd names, and many points. */
export const histories = fc
  .record({
    devices: fc.uniqueArray(names, { minLength: 1, maxLength: 4 }),
    locations: fc.uniqueArray(names, { maxLength: 2 }),
    numbers: fc.uniqueArray(names, { minLength: 1, maxLength: 4 }),
  })
  .chain(({ devices, locations, numbers: fields }) => {
    const tags = { device: fc.constantFrom(...devices), location: fc.constantFrom("", ...locations) };
    const noTags = fc.constantFrom("", ...devices);
    const values = fc
      .tuple(
        fc.uniqueArray(fc.tuple(fc.constantFrom(...fields), numbers), { minLength: 1, selector: ([name]) => name }),
        fc.option(names, { freq: 3, nil: undefined }),
      )
      .map(([entries, text]): Point["fields"] => {
        return new Map<string, FieldValue>(text === undefined ? entries : [...entries, ["a text", text]]);
      });
    const timestamp = fc.oneof(times, clustered);
    const reading = fc.record({
      measurement: fc.constant("readings" as const),
      tags: fc.record(tags),
      timestamp,
      fields: values,
    });
    const verdict = fc.record({
      measurement: fc.constant("verdicts" as const),
      tags: fc.record({ ...tags, detector: noTags, condition: noTags, change: noTags }),
      timestamp,
      fields: values,
    });
    return fc.array(fc.oneof({ weight: 4, arbitrary: reading }, { weight: 1, arbitrary: verdict }), {
      minLength: 1,
      maxLength: 150,
    });
  })
  .map((points): Point[] => points);

/** Questions about points. */
export function selections(points: readonly Point[]): fc.Arbitrary<Selection> {
  const bounds = [...new Set(points.flatMap(({ timestamp }) => [timestamp, timestamp + 1]))];
  const fields = [...new Set(points.flatMap((point) => [...point.fields.keys()]))];
  const values = (tag: Tag) => [...new Set([...points.map(({ tags }) => tags[tag] ?? ""), "", "no such"])];
  return fc
    .record(
      {
        measurement: fc.constantFrom("readings", "verdicts"),
        fields: fc.uniqueArray(fc.constantFrom(...fields, "no such"), { minLength: 1 }),
        tags: fc.record(
          { device: fc.subarray(values("device")), location: fc.subarray(values("location")) },
          { requiredKeys: [] },
        ),
        range: fc.constantFrom("all", "some"),
        from: fc.constantFrom(...bounds),
        to: fc.constantFrom(...bounds),
      },
      { requiredKeys: ["measurement", "range", "from", "to"] },
    )
    .map(({ range, from, to, ...rest }) => {
      if (range === "all") return { ...rest, from: START, to: START + 2 * DAY } as Selection;
      return { ...rest, from: Math.min(from, to), to: Math.max(from, to) } as Selection;
    });
}

const intervals = fc.constantFrom(undefined, 7 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY);

/** Questions of which many can be answered by roll-ups. */
export function aggregations(points: readonly Point[]): fc.Arbitrary<AggregateQuery> {
  const step = fc.constantFrom(1, 5 * MINUTE, HOUR);
  return fc
    .tuple(
      selections(points),
      intervals,
      step,
      fc.subarray([...TAGS]),
      fc.oneof(fc.subarray(["count", "mean", "min", "max", "sum"] as const, { minLength: 1 }), fc.constant(AGGREGATES)),
    )
    .map(([selection, every, grain, groupBy, functions]) => {
      const whole = every ?? grain;
      const from = Math.floor(selection.from / whole) * whole;
      const to = Math.ceil(selection.to / whole) * whole;
      return { ...selection, from, to, groupBy, functions, ...(every !== undefined && { every }) };
    });
}

/** Lines of points, as they are written. */
export function linesOf(points: readonly Point[]): Uint8Array {
  const writer = new LineWriter();
  for (const point of points) writer.add(point);
  return writer.take();
}

/** All that `rows` gives, which has to be well formed. */
export async function collect(engine: Engine, selection: Selection, options?: RowOptions): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of engine.rows(selection, options)) {
    assert.ok(chunk.times.length > 0 && chunk.times.length <= 10_000, `a chunk of ${chunk.times.length}`);
    assert.equal(chunk.values.length, chunk.fields.length);
    for (const column of chunk.values) assert.equal(column.length, chunk.times.length);
    chunks.push(chunk);
  }
  return chunks;
}

/** Compares aggregates; numbers may differ by how they were rounded. */
export function assertAggregates(actual: readonly Aggregate[], expected: readonly Aggregate[]): void {
  const shape = (aggregates: readonly Aggregate[]) =>
    aggregates.map(({ tags, field, times, columns }) => ({
      tags,
      field,
      times,
      functions: Object.keys(columns).sort(),
    }));
  assert.deepEqual(shape(actual), shape(expected));
  for (const [place, { field, columns }] of expected.entries()) {
    for (const name of AGGREGATES) {
      for (const [i, value] of (columns[name] ?? []).entries()) {
        const given = actual[place]?.columns[name]?.[i];
        const isSame =
          typeof value === "number" && typeof given === "number"
            ? Math.abs(given - value) <= 1e-9 * Math.max(1, Math.abs(value))
            : given === value;
        assert.ok(isSame, `${name} of ${field} is ${given} instead of ${value}`);
      }
    }
  }
}

const reading = (device: string, timestamp: number, fields: Record<string, FieldValue>, location = ""): Point => ({
  measurement: "readings",
  tags: { device, location },
  timestamp,
  fields: new Map(Object.entries(fields)),
});

const everything: Selection = { measurement: "readings", from: START - 400 * DAY, to: START + 400 * DAY };

/** `open` gives an engine on a new, empty store; the suite closes it. */
export function describeEngine(name: string, open: (retention: Retention) => Promise<Engine>): void {
  describe(`the ${name} engine`, () => {
    const opened: Engine[] = [];

    async function start(retention = FOR_EVER): Promise<Engine> {
      const engine = await open(retention);
      opened.push(engine);
      return engine;
    }

    async function write(engine: Engine, points: readonly Point[]): Promise<void> {
      assert.deepEqual(await engine.write(linesOf(points)), []);
    }

    /** Rolls up all that has been written until now. */
    const rollUp = (engine: Engine) => engine.maintain(Date.now() + 2 * HOUR);

    afterEach(async () => {
      for (const engine of opened.splice(0)) await engine.close();
    });

    it("gives back what was written, whatever the names", async function () {
      this.timeout(60_000);
      await fc.assert(
        fc.asyncProperty(
          histories.chain((points) =>
            fc.tuple(fc.constant(points), fc.array(selections(points), { minLength: 4, maxLength: 8 })),
          ),
          fc.record(
            { limitPerSeries: fc.integer({ min: 1, max: 4 }), newestFirst: fc.boolean() },
            { requiredKeys: [] },
          ),
          async ([points, questions], options) => {
            const engine = await start();
            const oracle = new HistoryOracle();
            const half = points.length >> 1;
            await write(engine, points.slice(0, half));
            await write(engine, points.slice(half));
            for (const point of points) oracle.add(point);
            for (const question of questions) {
              assert.deepEqual(rowsOf(await collect(engine, question, options)), oracle.rows(question, options));
              assert.deepEqual(rowsOf(await engine.latest(question)), oracle.latest(question));
            }
            assert.deepEqual(await engine.catalogue(), oracle.catalogue());
          },
        ),
        { numRuns: 10 },
      );
    });

    it("computes the same before and after what was written is rolled up, and when more comes late", async function () {
      this.timeout(60_000);
      await fc.assert(
        fc.asyncProperty(
          histories.chain((points) =>
            fc.tuple(fc.constant(points), fc.array(aggregations(points), { minLength: 6, maxLength: 10 })),
          ),
          async ([points, questions]) => {
            const engine = await start();
            const oracle = new HistoryOracle();
            const compare = async () => {
              for (const question of questions) {
                assertAggregates(await engine.aggregate(question), oracle.aggregate(question));
              }
            };
            const half = points.length >> 1;
            await write(engine, points.slice(0, half));
            await rollUp(engine);
            await write(engine, points.slice(half));
            for (const point of points) oracle.add(point);
            await compare();
            await rollUp(engine);
            await compare();
          },
        ),
        { numRuns: 10 },
      );
    });

    it("keeps every number as it is", async () => {
      const engine = await start();
      const values = [0, -0.1, 1e-300, 5e-324, 1.7976931348623157e308, 2 ** 53 + 2, 0.1 + 0.2, -123456.789, 1e21, 1e-7];
      await write(
        engine,
        values.map((value, i) => reading("R1", START + i, { value })),
      );
      const [chunk] = await collect(engine, everything);
      assert.deepEqual(chunk?.values, [values]);
    });

    it("changes nothing when the same is written again", async () => {
      const engine = await start();
      const points = [reading("R1", START, { a: 1 }), reading("R1", START + 1, { a: 2, b: 3 })];
      for (let time = 0; time < 3; time++) await write(engine, points);
      assert.deepEqual(rowsOf(await collect(engine, everything)), [
        { tags: { device: "R1" }, time: START, fields: [["a", 1]] },
        {
          tags: { device: "R1" },
          time: START + 1,
          fields: [
            ["a", 2],
            ["b", 3],
          ],
        },
      ]);
    });

    it("replaces the fields that a later point names and keeps the others", async () => {
      const engine = await start();
      await write(engine, [reading("R1", START, { a: 1, b: 2, c: "x" }), reading("R1", START, { b: 3, c: "y" })]);
      await write(engine, [reading("R1", START, { d: 4 })]);
      assert.deepEqual(rowsOf(await collect(engine, everything))[0]?.fields, [
        ["a", 1],
        ["b", 3],
        ["c", "y"],
        ["d", 4],
      ]);
    });

    it("includes the beginning of a range and not its end", async () => {
      const engine = await start();
      await write(
        engine,
        [0, 1, 2, 3].map((offset) => reading("R1", START + offset, { a: offset })),
      );
      const range = { ...everything, from: START + 1, to: START + 3 };
      const [chunk] = await collect(engine, range);
      assert.deepEqual(chunk?.times, [START + 1, START + 2]);
      const [counted] = await engine.aggregate({ ...range, groupBy: [], functions: ["count"] });
      assert.deepEqual(counted?.columns.count, [2]);
      assert.deepEqual(await collect(engine, { ...range, to: range.from }), []);
    });

    it("gives long series in order and in pieces", async () => {
      const engine = await start();
      const points = Array.from({ length: 25_000 }, (_, i) => reading("R1", START + ((i * 7919) % 25_000), { a: i }));
      await write(engine, [...points, reading("R0", START, { a: 1 }), reading("R1", START, { a: 1 }, "hall")]);
      const chunks = await collect(engine, everything);
      const series = chunks.map(({ tags }) => tags);
      assert.deepEqual(series, series.toSorted(compareTags));
      const ascending = chunks
        .filter(({ tags }) => tags.device === "R1" && !tags.location)
        .flatMap(({ times }) => times);
      assert.deepEqual(
        ascending,
        Array.from({ length: 25_000 }, (_, i) => START + i),
      );
      const descending = await collect(engine, everything, { limitPerSeries: 12_000, newestFirst: true });
      const latest = descending
        .filter(({ tags }) => tags.device === "R1" && !tags.location)
        .flatMap(({ times }) => times);
      assert.deepEqual(
        latest,
        Array.from({ length: 12_000 }, (_, i) => START + 24_999 - i),
      );
    });

    it("stops when it is told to, and when nobody takes more", async () => {
      const engine = await start();
      await write(
        engine,
        Array.from({ length: 30_000 }, (_, i) => reading(`R${i % 3}`, START + i, { a: i })),
      );
      const controller = new AbortController();
      const taking = (async () => {
        for await (const _ of engine.rows(everything, { signal: controller.signal }))
          controller.abort(new Error("enough"));
      })();
      await assert.rejects(taking, /enough/);
      for await (const chunk of engine.rows(everything)) {
        assert.equal(chunk.tags.device, "R0");
        break;
      }
      assert.equal(
        (await collect(engine, { ...everything, tags: { device: ["R2"] } }, { limitPerSeries: 1 })).length,
        1,
      );
    });

    it("refuses exactly the lines whose fields change their type", async () => {
      const engine = await start();
      await write(engine, [reading("R1", START, { a: 1, b: "x" })]);
      const points = Array.from({ length: 100 }, (_, i) =>
        reading(`R${i}`, START + 1 + i, { a: i % 9 === 4 ? "warm" : i }),
      );
      const refused = await engine.write(linesOf(points));
      const wrong = points.flatMap((_, i) => (i % 9 === 4 ? [i] : []));
      assert.deepEqual(
        refused.map(({ index }) => index),
        wrong,
      );
      for (const { line, reason, index } of refused) {
        assert.ok(line.startsWith(`readings,device=R${index} `) && !line.includes("\n"), line);
        assert.match(reason, /a/);
        assert.ok(reason.length > 10, reason);
      }
      assert.equal(rowsOf(await collect(engine, { ...everything, from: START + 1 })).length, 100 - wrong.length);
    });

    it("writes one type of a batch that holds two, and refuses the rest", async () => {
      const engine = await start();
      const points = Array.from({ length: 40 }, (_, i) =>
        reading(`R${i}`, START + i, { fresh: i === 17 ? "warm" : i }),
      );
      const refused = await engine.write(linesOf(points));
      const rows = rowsOf(await collect(engine, everything));
      assert.equal(rows.length + refused.length, points.length);
      assert.equal(new Set(rows.map(({ fields }) => typeof fields[0]?.[1])).size, 1);
      assert.deepEqual(rowsOf(await collect(engine, everything)).length, rows.length);
    });

    it("refuses what is no line and writes the lines around it", async () => {
      const engine = await start();
      const good = Buffer.from(linesOf([reading("R1", START, { a: 1 })])).toString();
      const last = Buffer.from(linesOf([reading("R2", START, { a: 2 })])).toString();
      const bad = ["readings,device=R3 a=abc 1", "readings,device=R4  5", "nonsense"];
      const refused = await engine.write(Buffer.from(`${good}${bad.join("\n")}\n${last}`));
      assert.deepEqual(
        refused.map(({ index, line }) => ({ index, line })),
        bad.map((line, i) => ({ index: i + 1, line })),
      );
      assert.deepEqual(
        rowsOf(await collect(engine, everything)).map(({ tags }) => tags.device),
        ["R1", "R2"],
      );
    });

    it("takes writes at the same time", async () => {
      const engine = await start();
      const batches = Array.from({ length: 8 }, (_, batch) =>
        Array.from({ length: 500 }, (_, i) => reading(`R${batch}`, START + i * 1000, { a: i })),
      );
      await Promise.all(batches.map((points) => write(engine, points)));
      const query: AggregateQuery = { ...everything, groupBy: ["device"], functions: ["count"] };
      const counts = (await engine.aggregate(query)).map(({ columns }) => columns.count?.[0]);
      assert.deepEqual(counts, new Array(8).fill(500));
    });

    it("counts texts and computes nothing else of them", async () => {
      const engine = await start();
      await write(engine, [reading("R1", START, { state: "on", a: 1 }), reading("R1", START + 1, { state: "off" })]);
      await rollUp(engine);
      for (const functions of [["count", "mean", "max"] as const, AGGREGATES]) {
        const answer = await engine.aggregate({
          ...everything,
          from: START,
          to: START + DAY,
          every: HOUR,
          groupBy: [],
          functions,
        });
        const [a, state] = answer;
        assert.deepEqual([a?.field, a?.columns.count, a?.columns.mean], ["a", [1], [1]]);
        assert.deepEqual([state?.field, state?.columns.count, state?.columns.mean], ["state", [2], [null]]);
        assert.deepEqual(state?.columns.max, [null]);
      }
      assert.deepEqual((await engine.catalogue()).fields.readings, ["a"]);
    });

    it("answers an empty store with nothing", async () => {
      const engine = await start();
      assert.deepEqual(await collect(engine, everything), []);
      assert.deepEqual(await engine.latest(everything), []);
      assert.deepEqual(await engine.aggregate({ ...everything, groupBy: ["device"], functions: AGGREGATES }), []);
      assert.deepEqual(await engine.catalogue(), new HistoryOracle().catalogue());
      await engine.maintain(Date.now());
    });

    it("refuses an answer that is larger than wanted, and says what to do", async () => {
      const engine = await start();
      await write(
        engine,
        Array.from({ length: 100 }, (_, i) => reading("R1", START + i * MINUTE, { a: i })),
      );
      const query: AggregateQuery = {
        ...everything,
        from: START,
        to: START + DAY,
        every: MINUTE,
        groupBy: [],
        functions: ["mean"],
      };
      await assert.rejects(engine.aggregate({ ...query, limit: 99 }), (error: Error) => {
        assert.ok(error instanceof QueryError);
        assert.match(error.message, /99/);
        return true;
      });
      assert.equal((await engine.aggregate({ ...query, limit: 100 }))[0]?.times.length, 100);
    });

    it("keeps roll-ups right while hours are written and rolled up again and again", async () => {
      const engine = await start();
      const oracle = new HistoryOracle();
      const query: AggregateQuery = {
        ...everything,
        from: START,
        to: START + DAY,
        every: HOUR,
        groupBy: ["device"],
        functions: ["count", "mean", "min", "max", "sum"],
      };
      for (let round = 0; round < 12; round++) {
        const points = Array.from({ length: 50 }, (_, i) => {
          return reading(`R${i % 2}`, START + ((round * 5 + i) % 24) * HOUR + round * MINUTE, { a: round * i });
        });
        for (const point of points) oracle.add(point);
        // A roll-up that goes on while something is written.
        await Promise.all([write(engine, points), rollUp(engine)]);
        assertAggregates(await engine.aggregate(query), oracle.aggregate(query));
      }
      await rollUp(engine);
      assertAggregates(await engine.aggregate(query), oracle.aggregate(query));
    });

    it("counts anomalies the same from verdicts and from what is rolled up of them, also when more come late", async () => {
      const engine = await start();
      const oracle = new HistoryOracle();
      const query: AggregateQuery = {
        ...everything,
        measurement: "verdicts",
        fields: ["isAnomaly"],
        from: START,
        to: START + DAY,
        groupBy: ["device", "detector"],
        functions: ["count", "sum", "mean", "min", "max"],
      };
      const compare = async () => {
        for (const every of [undefined, 5 * MINUTE, HOUR, DAY]) {
          const asked = { ...query, ...(every !== undefined && { every }) };
          assertAggregates(await engine.aggregate(asked), oracle.aggregate(asked));
        }
      };
      for (const late of [0, 1]) {
        const points = Array.from({ length: 120 }, (_, i) => ({
          measurement: "verdicts" as const,
          tags: { device: `R${i % 3}`, location: "hall 3", detector: i % 2 ? "range" : "z-score" },
          timestamp: START + i * 7 * MINUTE + late,
          fields: new Map([
            ["isAnomaly", Number(i % 7 === late)],
            ["score", i],
          ]),
        }));
        for (const point of points) oracle.add(point);
        await write(engine, points);
        await compare();
        await rollUp(engine);
        await compare();
      }
      // Scores are not rolled up.
      const scores = { ...query, fields: ["score", "isAnomaly"] };
      assertAggregates(await engine.aggregate(scores), oracle.aggregate(scores));
    });

    it("knows all of the numbers of each group, and of very many a part", async function () {
      this.timeout(60_000);
      const engine = await start();
      const value = (i: number) => 1e6 + ((i * 7919) % 100_003);
      const points = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, i) => {
          return reading(`R${(from + i) % 2}`, START + from + i, { a: value(from + i), b: "text" }, "hall 3");
        });
      await write(engine, points(0, 1000));
      const asked = { ...everything, groupBy: ["location"] as const };
      const [few, ...others] = await engine.statistics(asked);
      assert.deepEqual(others, []);
      assert.deepEqual([few?.tags, few?.field, few?.count], [{ location: "hall 3" }, "a", 1000]);
      assert.deepEqual(
        Array.from(few?.sample ?? []),
        Array.from({ length: 1000 }, (_, i) => value(i)).sort((a, b) => a - b),
      );
      for (let from = 1000; from < 110_000; from += 10_900) await write(engine, points(from, from + 10_900));
      const [many] = await engine.statistics(asked);
      const values = Array.from({ length: 110_000 }, (_, i) => value(i));
      const close = (given: number | null | undefined, wanted: number) =>
        assert.ok(Math.abs((given ?? Number.NaN) - wanted) <= 1e-9 * wanted, `${given} instead of ${wanted}`);
      assert.deepEqual([many?.count, many?.min, many?.max], [110_000, Math.min(...values), Math.max(...values)]);
      close(many?.mean, mean(values));
      close(many?.stdev, sampleStandardDeviation(values));
      const sample = Array.from(many?.sample ?? []);
      assert.ok(sample.length > 10_000 && sample.length <= 100_000, `${sample.length} of them`);
      assert.deepEqual(
        sample,
        sample.toSorted((a, b) => a - b),
      );
      assert.ok(Math.abs(quantileSorted(sample, 0.5) - quantile(values, 0.5)) < 2000);
      const byDevice = await engine.statistics({ ...everything, groupBy: ["device"], fields: ["a"] });
      assert.deepEqual(
        byDevice.map(({ tags, count }) => [tags.device, count]),
        [
          ["R0", 55_000],
          ["R1", 55_000],
        ],
      );
      await assert.rejects(engine.statistics({ ...everything, groupBy: ["device"], limit: 1 }), QueryError);
      assert.deepEqual(await engine.statistics({ ...everything, measurement: "verdicts", groupBy: [] }), []);
    });

    it("keeps what was written for as long as it is told, and knows since when", async () => {
      const engine = await start({ retentionDays: 2, archiveDays: 30 });
      const now = Date.now();
      assert.equal(engine.rawSince(now), now - 2 * DAY);
      const kept = reading("R1", now - DAY, { a: 1 });
      const old = reading("R1", now - 20 * DAY, { a: 2 });
      const refused = await engine.write(linesOf([old, kept]));
      await engine.maintain(now);
      assert.deepEqual(
        rowsOf(await collect(engine, everything)).map(({ time }) => time),
        [kept.timestamp],
      );
      for (const { index, reason } of refused) {
        assert.equal(index, 0);
        assert.match(reason, /retention/);
      }
    });

    it("says who it is, without secrets", async () => {
      const engine = await start();
      assert.match((await engine.check()).version, /\d+\.\d+/);
      assert.ok(engine.location.length > 0);
      assert.equal(engine.rawSince(Date.now()), -Infinity);
    });
  });
}
