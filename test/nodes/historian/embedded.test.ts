import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { build } from "esbuild";
import { FIVE_MINUTES, HOUR } from "../../../core/history/levels.ts";
import { LineWriter } from "../../../core/history/lines.ts";
import type {
  Aggregate,
  AggregateQuery,
  Chunk,
  FieldValue,
  Measurement,
  Point,
  PointTags,
} from "../../../core/history/types.ts";
import { Random } from "../../../core/random.ts";
import { EmbeddedHistorian } from "../../../nodes/historian/embedded.ts";
import { QueryError, StoreUnavailable } from "../../../nodes/lib/historian.ts";
import { startChild } from "../../support/child.ts";
import { newFolder } from "../../support/folders.ts";
import { describeEngine } from "./contract.ts";

const DAY = 24 * HOUR;
const root = join(import.meta.dirname, "..", "..", "..");
/** The beginning of a day some time ago. */
const MIDNIGHT = Math.floor(Date.now() / DAY) * DAY - 3 * DAY;

const newFile = () => join(newFolder(), "history.sqlite");
const open: EmbeddedHistorian[] = [];

function historianOf(file = newFile(), retentionDays = 0, archiveDays = 0): EmbeddedHistorian {
  const historian = new EmbeddedHistorian({ file, retentionDays, archiveDays });
  open.push(historian);
  return historian;
}

function point(timestamp: number, fields: Record<string, FieldValue>, tags: PointTags = { device: "R1" }): Point {
  return { measurement: "readings", tags, timestamp, fields: new Map(Object.entries(fields)) };
}

function linesOf(points: Iterable<Point>): Uint8Array {
  const writer = new LineWriter();
  for (const each of points) writer.add(each);
  return writer.take();
}

async function chunksOf(rows: AsyncIterable<Chunk>): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of rows) chunks.push(chunk);
  return chunks;
}

const all = (measurement: Measurement = "readings") => ({ measurement, from: -8.64e15, to: 8.64e15 });

const wholeDay = (more: Partial<AggregateQuery> = {}): AggregateQuery => ({
  measurement: "readings",
  from: MIDNIGHT,
  to: MIDNIGHT + DAY,
  groupBy: ["device"],
  functions: ["count", "mean", "min", "max", "sum"],
  ...more,
});

/** The answer by looking at every point; later ones replace earlier ones. */
function naive(points: readonly Point[], { from, to, every, groupBy, functions }: AggregateQuery): Aggregate[] {
  const values = new Map<string, Map<string, number>>();
  for (const { tags, timestamp, fields } of points) {
    if (timestamp < from || timestamp >= to) continue;
    for (const [field, value] of fields) {
      const group = JSON.stringify([groupBy.map((tag) => tags[tag] ?? ""), field]);
      const start = every === undefined ? from : Math.floor(timestamp / every) * every;
      const series = values.get(group) ?? new Map<string, number>();
      values.set(group, series.set(JSON.stringify([start, timestamp, tags]), value as number));
    }
  }
  return [...values]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, series]) => {
      const [names, field] = JSON.parse(group) as [string[], string];
      const intervals = new Map<number, number[]>();
      for (const [key, value] of series) {
        const [time] = JSON.parse(key);
        intervals.set(time, [...(intervals.get(time) ?? []), value]);
      }
      const times = [...intervals.keys()].sort((a, b) => a - b);
      const numbers = times.map((time) => intervals.get(time) ?? []);
      const sum = (list: number[]) => list.reduce((total, value) => total + value, 0);
      const columns = {
        count: numbers.map((list) => list.length),
        mean: numbers.map((list) => sum(list) / list.length),
        min: numbers.map((list) => Math.min(...list)),
        max: numbers.map((list) => Math.max(...list)),
        sum: numbers.map(sum),
      };
      return {
        tags: Object.fromEntries(groupBy.map((tag, place) => [tag, names[place]])),
        field,
        times,
        columns: Object.fromEntries(functions.map((name) => [name, columns[name as keyof typeof columns]])),
      };
    });
}

/** Sums depend on the order of their terms. */
function agree(actual: readonly Aggregate[], expected: readonly Aggregate[]): void {
  const rounded = expected.map(({ columns, ...rest }, place) => {
    const found = actual[place]?.columns ?? {};
    const entries = Object.entries(columns).map(([name, numbers]) => {
      const others = found[name as keyof typeof columns] ?? [];
      return [name, numbers.map((number, index) => nearer(others[index] ?? null, number))];
    });
    return { ...rest, columns: Object.fromEntries(entries) };
  });
  deepEqual(actual, rounded);
}

function nearer(actual: number | null, expected: number | null): number | null {
  const isNear = actual !== null && expected !== null && Math.abs(actual - expected) <= 1e-12 * Math.abs(expected);
  return isNear ? actual : expected;
}

/** Readings of three devices, one every 20 s with gaps, in a random order. */
function someReadings(seed: number, start: number, end: number): Point[] {
  const random = new Random(seed);
  const points: Point[] = [];
  for (let time = start; time < end; time += 20_000) {
    for (const device of ["R1", "R2", "R3"]) {
      if (random.next() < 0.3) continue;
      points.push(
        point(time + Math.floor(1000 * random.next()), { a: random.next(), b: 1e9 + random.next() }, { device }),
      );
    }
  }
  return points.sort(() => random.next() - 0.5);
}

async function unavailable(work: Promise<unknown>, reason: RegExp): Promise<void> {
  await rejects(work, (error) => {
    ok(error instanceof StoreUnavailable, String(error));
    match(error.message, reason);
    return true;
  });
}

describeEngine("embedded", async (retention) => new EmbeddedHistorian({ file: newFile(), ...retention }));

describe("embedded historian", () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((historian) => historian.close()));
  });

  describe("writing", () => {
    it("replaces the fields that a later point of the same instant names", async () => {
      const historian = historianOf();
      await historian.write(linesOf([point(1000, { a: 1, b: 2 }), point(2000, { a: 3 }), point(1000, { a: 4 })]));
      await historian.write(linesOf([point(1500, { c: 5 }), point(1000, { b: 6 }), point(1000, { b: 7 })]));
      deepEqual(await chunksOf(historian.rows(all())), [
        {
          tags: { device: "R1" },
          times: [1000, 1500, 2000],
          fields: ["a", "b", "c"],
          values: [
            [4, null, 3],
            [7, null, null],
            [null, 5, null],
          ],
        },
      ]);
    });

    it("is the same when it is repeated", async () => {
      const historian = historianOf();
      const lines = linesOf(someReadings(1, MIDNIGHT, MIDNIGHT + HOUR));
      await historian.write(lines);
      const [rows, answer] = [await chunksOf(historian.rows(all())), await historian.aggregate(wholeDay())];
      await historian.write(lines);
      deepEqual(await chunksOf(historian.rows(all())), rows);
      deepEqual(await historian.aggregate(wholeDay()), answer);
    });

    it("leaves the caller's bytes alone", async () => {
      const lines = linesOf([point(1000, { a: 1 })]);
      const before = lines.slice();
      await historianOf().write(lines);
      deepEqual(lines, before);
    });

    it("gives names and texts back as they were, however hostile", async () => {
      const names = [
        "__proto__",
        "a/b+c#",
        "\"'; DROP TABLE blocks;--",
        "line\nbreak\r\0",
        "x".repeat(256),
        "🌡️ é %41",
        "a,b c=d\\",
      ];
      const historian = historianOf();
      const points = names.map((name, index) => ({
        ...point(index, {}, { device: name, location: name }),
        measurement: "verdicts" as const,
        fields: new Map<string, FieldValue>([
          [name, index],
          [`${name} text`, name],
        ]),
      }));
      deepEqual(await historian.write(linesOf(points)), []);
      const chunks = await chunksOf(historian.rows(all("verdicts")));
      const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      deepEqual(
        chunks.map(({ tags }) => tags),
        sorted.map((name) => ({ device: name, location: name })),
      );
      for (const { tags, fields, values } of chunks) {
        const name = tags.device ?? "";
        deepEqual(
          new Map(fields.map((field, place) => [field, values[place]?.[0]])),
          new Map<string, FieldValue>([
            [name, names.indexOf(name)],
            [`${name} text`, name],
          ]),
        );
      }
      const [first = ""] = names;
      equal(
        (await chunksOf(historian.rows({ ...all("verdicts"), fields: [first], tags: { device: [first] } }))).length,
        1,
      );
      deepEqual((await historian.catalogue()).tags.device, sorted);
    });

    it("refuses lines of another type, that are too old or no lines, and writes the others", async () => {
      const historian = historianOf(newFile(), 2);
      const now = Date.now();
      await historian.write(linesOf([point(now, { a: 1 }), { ...point(now, { a: "x" }), measurement: "alarms" }]));
      const good = [point(now + 1, { a: 2 }), point(now + 2, { b: "text" })];
      const bad = [point(now + 3, { a: "text", c: 1 }), point(now + 4, { b: 1 }), point(now - 2 * DAY - 1, { a: 1 })];
      const text = [...good, ...bad].map((each) => Buffer.from(linesOf([each])).toString());
      const lines = Buffer.from([text[0], text[2], "readings,device=R1 a=\n", text[1], text[3], text[4]].join(""));
      const refused = await historian.write(lines);
      deepEqual(
        refused.map(({ index, line }) => [index, `${line}\n`]),
        [
          [1, text[2]],
          [2, "readings,device=R1 a=\n"],
          [4, text[3]],
          [5, text[4]],
        ],
      );
      match(refused[0]?.reason ?? "", /its field "a" holds numbers in readings, not text/);
      match(refused[2]?.reason ?? "", /its field "b" holds text in readings, not numbers/);
      match(refused[3]?.reason ?? "", /beyond the retention/);
      const [chunk] = await chunksOf(historian.rows(all()));
      deepEqual(
        [chunk?.times, chunk?.fields],
        [
          [now, now + 1, now + 2],
          ["a", "b"],
        ],
      );
    });

    it("writes on while a long question is answered, and answers short ones in between", async () => {
      const historian = historianOf();
      for (let part = 0; part < 10; part++) {
        const points = Array.from({ length: 20_000 }, (_, index) => point(1e9 * part + index, { a: index }));
        await historian.write(linesOf(points));
      }
      let isOver = false;
      const long = historian.aggregate({ ...all(), every: 1, groupBy: [], functions: ["stdev"] }).then(() => {
        isOver = true;
      });
      await historian.write(linesOf([point(0, { a: 1 })]));
      await historian.latest(all());
      equal(isOver, false);
      await long;
    });
  });

  describe("roll-ups", () => {
    it("give what the points themselves give, with late and replaced values, before and after maintenance", async () => {
      const historian = historianOf();
      const random = new Random(7);
      const written: Point[] = [];
      const add = async (points: Point[]) => {
        written.push(...points);
        await historian.write(linesOf(points));
      };
      const check = async () => {
        for (const every of [FIVE_MINUTES, 3 * FIVE_MINUTES, HOUR, 6 * HOUR, undefined]) {
          for (const groupBy of [["device"], []] as const) {
            const query = { ...wholeDay({ groupBy }), ...(every !== undefined && { every }) };
            agree(await historian.aggregate(query), naive(written, query));
          }
        }
      };
      await add(someReadings(1, MIDNIGHT, MIDNIGHT + 9 * HOUR));
      await check();
      await historian.maintain(MIDNIGHT + 8 * HOUR);
      await check();
      const late = written.filter(() => random.next() < 0.05);
      await add(
        late.map(({ timestamp, tags }) => point(timestamp, { a: random.next() - 0.5, c: random.next() }, tags)),
      );
      await check();
      await historian.maintain(MIDNIGHT + 2 * DAY);
      await check();
      await add(someReadings(2, MIDNIGHT + 8 * HOUR, MIDNIGHT + 12 * HOUR));
      await check();
    });

    it("count texts although these are not rolled up", async () => {
      const historian = historianOf();
      await historian.write(linesOf([point(MIDNIGHT, { a: 1, _quality: "bad" }), point(MIDNIGHT + 1, { a: 3 })]));
      await historian.maintain(Date.now());
      const columns = (await historian.aggregate(wholeDay())).map(({ field, columns }) => [
        field,
        columns.count,
        columns.mean,
      ]);
      deepEqual(columns, [
        ["_quality", [1], [null]],
        ["a", [2], [2]],
      ]);
    });

    it("outlive what they were made from, without what they do not know", async () => {
      const historian = historianOf(newFile(), 10);
      const points = someReadings(3, MIDNIGHT, MIDNIGHT + 5 * HOUR);
      await historian.write(linesOf([...points, point(Date.now(), { a: 1 }, { device: "R1" })]));
      await historian.maintain(MIDNIGHT + 10 * DAY + 3 * HOUR + 1000);
      const [first] = await chunksOf(historian.rows({ ...all(), fields: ["b"] }));
      ok((first?.times[0] ?? 0) >= MIDNIGHT + 3 * HOUR);
      equal(historian.rawSince(MIDNIGHT), MIDNIGHT + 3 * HOUR);
      for (const every of [FIVE_MINUTES, HOUR]) {
        agree(await historian.aggregate(wholeDay({ every })), naive(points, wholeDay({ every })));
      }
      const [unknown] = await historian.aggregate(wholeDay({ functions: ["count", "stdev", "first", "last"] }));
      deepEqual([unknown?.columns.stdev, unknown?.columns.first, unknown?.columns.last], [[null], [null], [null]]);
      const refused = await historian.write(linesOf([point(MIDNIGHT + 3 * HOUR - 1, { a: 1 })]));
      match(refused[0]?.reason ?? "", /beyond the retention/);
    });
  });

  describe("retention", () => {
    it("drops what is too old, with the names that nothing uses any more, and gives the space back", async () => {
      const file = newFile();
      const historian = historianOf(file, 5, 20);
      const now = Date.now();
      const old = Array.from({ length: 100_000 }, (_, index) =>
        point(now - 4 * DAY + 1000 * index, { old: Math.random() }, { device: "old" }),
      );
      await historian.write(linesOf(old));
      await historian.write(
        linesOf([point(now, { a: 1 }), { ...point(now, { status: "ok" }), measurement: "health" }]),
      );
      await historian.maintain(now);
      const full = (await historian.check()).bytes;
      ok(full > 1_000_000);

      await historian.maintain(now + 3 * DAY);
      equal(
        (await historian.aggregate({ ...wholeDay(), from: MIDNIGHT - 10 * DAY, tags: { device: ["old"] } })).length,
        1,
      );
      deepEqual(await chunksOf(historian.rows({ ...all(), tags: { device: ["old"] } })), []);
      deepEqual((await historian.catalogue()).tags.device, ["R1", "old"]);
      ok(statSync(file).size < full / 5, `${statSync(file).size} of ${full} bytes`);

      await historian.maintain(now + 18 * DAY);
      deepEqual((await historian.catalogue()).tags.device, ["R1"]);
      deepEqual((await historian.catalogue()).fields.readings, ["a"]);
      deepEqual(await chunksOf(historian.rows(all("health"))), []);
      deepEqual(await historian.aggregate({ ...wholeDay(), from: MIDNIGHT - 10 * DAY, tags: { device: ["old"] } }), []);

      // A name that is gone may come back, with another type.
      deepEqual(await historian.write(linesOf([point(now + 18 * DAY, { old: "text" }, { device: "old" })])), []);
      deepEqual((await historian.latest(all())).map(({ tags, values }) => [tags.device, values]).at(-1), [
        "old",
        [["text"]],
      ]);
    });

    it("takes new values after the clock was wrong for a while", async () => {
      const historian = historianOf(newFile(), 5);
      await historian.write(linesOf([point(Date.now(), { a: 1 })]));
      await historian.maintain(Date.now() + 1000 * DAY);
      deepEqual(await historian.write(linesOf([point(Date.now(), { a: 2 })])), []);
      await historian.maintain(Date.now());
      deepEqual(
        (await historian.latest(all())).map(({ values }) => values),
        [[[2]]],
      );
      ok(historian.rawSince(Date.now()) < Date.now());
    });

    it("goes on writing while it drops", async () => {
      const historian = historianOf(newFile(), 1);
      for (let part = 0; part < 10; part++) {
        const points = Array.from({ length: 5000 }, (_, index) =>
          point(Date.now() - HOUR + index, { a: index }, { device: `R${index % 500}` }),
        );
        await historian.write(linesOf(points));
      }
      let isOver = false;
      const maintenance = historian.maintain(Date.now() + 3 * DAY).then(() => {
        isOver = true;
      });
      await historian.write(linesOf([point(Date.now(), { a: 1 })]));
      equal(isOver, false);
      await maintenance;
    });
  });

  describe("questions", () => {
    it("gives the newest instants first, and only so many of each set of tags", async () => {
      const historian = historianOf();
      const points = Array.from({ length: 30_000 }, (_, index) =>
        point(1000 * index, { a: index }, { device: `R${index % 2}` }),
      );
      await historian.write(linesOf(points));
      const newest = await chunksOf(historian.rows(all(), { newestFirst: true, limitPerSeries: 2 }));
      deepEqual(
        newest.map(({ tags, times }) => [tags.device, times]),
        [
          ["R0", [29_998_000, 29_996_000]],
          ["R1", [29_999_000, 29_997_000]],
        ],
      );
      const chunks = await chunksOf(historian.rows({ ...all(), tags: { device: ["R0"] } }));
      deepEqual(
        chunks.map(({ times }) => times.length),
        [10_000, 5000],
      );
    });

    it("gives the last value of each field, however long ago another one came", async () => {
      const historian = historianOf();
      const points = Array.from({ length: 500 }, (_, index) => point(60_000 * index, { a: index }));
      await historian.write(linesOf([point(30_000, { _quality: "bad" }), ...points]));
      deepEqual(await historian.latest(all()), [
        { tags: { device: "R1" }, times: [30_000], fields: ["_quality"], values: [["bad"]] },
        { tags: { device: "R1" }, times: [499 * 60_000], fields: ["a"], values: [[499]] },
      ]);
      deepEqual(await historian.latest({ ...all(), to: 60_001, from: 30_001 }), [
        { tags: { device: "R1" }, times: [60_000], fields: ["a"], values: [[1]] },
      ]);
    });

    it("says so when the answer would be too large", async () => {
      const historian = historianOf();
      await historian.write(linesOf(someReadings(1, MIDNIGHT, MIDNIGHT + HOUR)));
      await rejects(historian.aggregate(wholeDay({ every: FIVE_MINUTES, limit: 71 })), QueryError);
      equal((await historian.aggregate(wholeDay({ every: FIVE_MINUTES, limit: 72 }))).length, 6);
    });

    it("stops when it is aborted", async () => {
      const historian = historianOf();
      const points = Array.from({ length: 100_000 }, (_, index) => point(1000 * index, { a: index }));
      await historian.write(linesOf(points));
      const controller = new AbortController();
      const rows = historian.rows(all(), { signal: controller.signal })[Symbol.asyncIterator]();
      await rows.next();
      controller.abort();
      await rejects(rows.next(), { name: "AbortError" });
      const answer = historian.aggregate({
        ...all(),
        every: 1,
        groupBy: [],
        functions: ["first"],
        signal: AbortSignal.timeout(1),
      });
      await rejects(answer, { name: "TimeoutError" });
      equal((await historian.latest(all())).length, 1);
    });
  });

  describe("the file", () => {
    it("keeps what it holds over a restart", async () => {
      const file = newFile();
      const first = historianOf(file);
      await first.write(linesOf([point(1000, { a: 1 })]));
      await first.close();
      await unavailable(first.write(new Uint8Array(0)), /is closed/);
      equal((await historianOf(file).latest(all())).length, 1);
    });

    it("may be used by two historians at once", async () => {
      const file = newFile();
      const [first, second] = [historianOf(file), historianOf(file)];
      equal(first.location, second.location);
      const writes: Promise<unknown>[] = [];
      for (let part = 0; part < 20; part++) {
        const [a, b] = [point(part, { a: part }), point(1000 + part, { a: part, b: part }, { device: `R${part}` })];
        writes.push(first.write(linesOf([a])), second.write(linesOf([b])));
      }
      await Promise.all(writes);
      await Promise.all([first.maintain(Date.now()), second.maintain(Date.now())]);
      for (const historian of [first, second]) {
        const [answer] = await historian.aggregate({ ...all(), groupBy: [], fields: ["a"], functions: ["count"] });
        deepEqual(answer?.columns.count, [40]);
      }
    });

    it("is not touched when it is none of ours", async () => {
      const folder = newFolder();
      const text = join(folder, "text");
      writeFileSync(text, "Somebody's letters. ".repeat(1000));
      const other = join(folder, "other");
      const foreign = new DatabaseSync(other);
      foreign.exec("CREATE TABLE letters (text TEXT)");
      foreign.close();
      const newer = join(folder, "newer");
      await historianOf(newer).check();
      await open.pop()?.close();
      const database = new DatabaseSync(newer);
      database.exec("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE");
      database.close();
      const cases = [
        [text, /is no SQLite file/],
        [other, /is an SQLite file of another program/],
        [newer, /has version 99 of the historian's tables, this release knows 2/],
      ] as const;
      for (const [file, reason] of cases) {
        const before = readFileSync(file);
        const historian = historianOf(file);
        await unavailable(historian.write(linesOf([point(1, { a: 1 })])), reason);
        await unavailable(historian.latest(all()), reason);
        deepEqual(readFileSync(file), before);
        rmSync(file);
        deepEqual(await historian.write(linesOf([point(1, { a: 1 })])), []);
      }
    });

    it("rolls up the verdicts of a file that was made before these were", async () => {
      const file = newFile();
      const verdicts = Array.from({ length: 100 }, (_, i) => ({
        ...point(MIDNIGHT + i * 3 * FIVE_MINUTES, { isAnomaly: i % 2 }),
        measurement: "verdicts" as const,
      }));
      await historianOf(file).write(linesOf(verdicts));
      await open.pop()?.close();
      const database = new DatabaseSync(file);
      database.exec("DELETE FROM stale_hours; PRAGMA user_version = 1");
      database.close();
      const counted = async (historian: EmbeddedHistorian) => {
        const asked = wholeDay({ measurement: "verdicts", fields: ["isAnomaly"], functions: ["count", "sum"] });
        return (await historian.aggregate({ ...asked, to: MIDNIGHT + 2 * DAY }))[0]?.columns;
      };
      const historian = historianOf(file);
      deepEqual(await counted(historian), { count: [100], sum: [50] });
      await historian.maintain(Date.now());
      deepEqual(await counted(historian), { count: [100], sum: [50] });
    });

    it("says that it is damaged", async () => {
      const file = newFile();
      const first = historianOf(file);
      await first.write(linesOf(someReadings(1, MIDNIGHT, MIDNIGHT + DAY)));
      await first.close();
      truncateSync(file, statSync(file).size / 2);
      await unavailable(chunksOf(historianOf(file).rows(all())), /is damaged/);
    });

    it("says that another program holds it, and goes on afterwards", async () => {
      const file = newFile();
      const historian = historianOf(file);
      await historian.check();
      const other = new DatabaseSync(file);
      other.exec("BEGIN IMMEDIATE");
      await unavailable(historian.write(linesOf([point(1, { a: 1 })])), /has been locked by another program for 5 s/);
      other.close();
      deepEqual(await historian.write(linesOf([point(1, { a: 1 })])), []);
    });

    it("says that it can't be made where it is to be", async () => {
      const folder = newFolder();
      writeFileSync(join(folder, "file"), "");
      await unavailable(historianOf(join(folder, "file", "history.sqlite")).check(), /file/);
    });

    it("is as before when the disk is full, and goes on when it is not", async () => {
      const file = newFile();
      const program = `
        import { EmbeddedHistorian } from ${JSON.stringify(join(root, "nodes/historian/embedded.ts"))};
        const historian = new EmbeddedHistorian({ file: ${JSON.stringify(file)}, retentionDays: 0, archiveDays: 0 });
        for (let count = 0; ; count++) {
          const lines = Array.from({ length: 5000 }, (_, i) => "readings,device=R1 a=" + Math.random() + " " + (5000 * count + i) * 1000 + "\\n");
          try { await historian.write(Buffer.from(lines.join(""))); console.log("written", count); }
          catch (error) { console.log(error.constructor.name, error.message); break; }
        }
        await historian.close();`;
      // A limit on the size of its files stands for the end of the disk.
      const child = await startChild("sh", [
        "-c",
        `ulimit -f 2000; exec ${process.execPath} --input-type=module -e "$0"`,
        program,
      ]);
      await child.ended();
      match(child.output(), /StoreUnavailable .*(disk|full|I\/O)/);
      const written = child.output().match(/written \d+/g)?.length ?? 0;
      ok(written > 0);
      const historian = historianOf(file);
      const [answer] = await historian.aggregate({ ...all(), groupBy: [], functions: ["count"] });
      deepEqual(answer?.columns.count, [5000 * written]);
      deepEqual(await historian.write(linesOf([point(1, { a: 1 })])), []);
    });

    it("holds all that was written when the process is killed", async () => {
      const file = newFile();
      const program = `
        import { EmbeddedHistorian } from ${JSON.stringify(join(root, "nodes/historian/embedded.ts"))};
        const historian = new EmbeddedHistorian({ file: ${JSON.stringify(file)}, retentionDays: 0, archiveDays: 0 });
        setInterval(() => historian.maintain(Date.now()), 20);
        for (let count = Number(process.argv[1]); ; count++) {
          const lines = Array.from({ length: 200 }, (_, i) => "readings,device=R" + i + " a=" + count + " " + (${MIDNIGHT} + count * 1000) + "\\n");
          await historian.write(Buffer.from(lines.join("")));
          console.log("written", count);
        }`;
      let acknowledged = -1;
      for (let round = 0; round < 5; round++) {
        const args = ["--input-type=module", "-e", program, String(acknowledged + 1)];
        const child = await startChild(process.execPath, args);
        await child.waitFor(new RegExp(`written ${acknowledged + 10 + 7 * round}\\n`));
        await child.stop("SIGKILL");
        acknowledged = Number(
          child
            .output()
            .match(/written \d+\n/g)
            ?.at(-1)
            ?.slice("written ".length),
        );
      }
      const historian = historianOf(file);
      const counts = await historian.aggregate(wholeDay({ functions: ["count", "sum"] }));
      const rows = await chunksOf(historian.rows(all()));
      equal(rows.length, 200);
      for (const [place, { times, values }] of rows.entries()) {
        ok(
          times.length === acknowledged + 1 || times.length === acknowledged + 2,
          `${times.length} of ${acknowledged + 1}`,
        );
        deepEqual(
          values[0],
          times.map((_, index) => index),
        );
        deepEqual(counts[place]?.columns.count, [times.length]);
      }
    });
  });

  describe("the package", () => {
    const bundle = async () => {
      const folder = newFolder();
      await build({
        entryPoints: ["embedded.ts", "embedded.worker.ts"].map((name) => join(root, "nodes", "historian", name)),
        outdir: folder,
        outExtension: { ".js": ".js" },
        bundle: true,
        splitting: true,
        format: "esm",
        platform: "node",
        target: "node20.19",
      });
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      return folder;
    };
    const program = `
      import { EmbeddedHistorian } from "./embedded.js";
      try {
        const historian = new EmbeddedHistorian({ file: "history.sqlite", retentionDays: 0, archiveDays: 0 });
        await historian.write(Buffer.from("readings,device=R1 a=1 1000\\n"));
        console.log(JSON.stringify(await historian.latest({ measurement: "readings", from: 0, to: 2000 })));
        await historian.close();
      } catch (error) { console.log(error.message); }`;
    const runWith = async (node: string) => {
      const folder = await bundle();
      writeFileSync(join(folder, "program.js"), program);
      const child = await startChild(node, ["program.js"], { cwd: folder });
      await child.ended();
      return { output: child.output(), folder };
    };

    it("starts its threads from the bundle", async () => {
      const { output, folder } = await runWith(process.execPath);
      match(output, /"values":\[\[1\]\]/);
      ok(existsSync(join(folder, "history.sqlite")));
    });

    it("loads on Node 20, and says what it needs", async () => {
      const { output } = await runWith(join(root, "node_modules", "node20", "bin", "node"));
      match(output, /needs Node.js 22.13 or later/);
    });
  });
});
