import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { Aggregate } from "../../../core/history/types.ts";
import type { Engine } from "../../../nodes/historian/engine.ts";
import historianNode from "../../../nodes/historian/historian.ts";
import { openEngine } from "../../../nodes/historian/open-engine.ts";
import historianWrite from "../../../nodes/historian-write/historian-write.ts";
import { type ImportFigures, type ImportOptions, importHistory } from "../../../nodes/historian-write/import.ts";
import { parseColumnMap } from "../../../nodes/lib/csv.ts";
import { Recording } from "../../../nodes/lib/recording.ts";
import { newFolder } from "../../support/folders.ts";
import { type Influxd, startInfluxd } from "../../support/influxd.ts";
import { freePort } from "../../support/ports.ts";
import { startNode, type TestNode } from "../../support/test-flow.ts";
import { embeddedStore, influxStore, type TestStore } from "./stores.ts";

const TIME = Date.UTC(2026, 2, 1, 12);
const RECORDING = join(import.meta.dirname, "../../../../shared/data/iot_telemetry/iot_telemetry_24h.csv.gz");

describe("an import", function () {
  this.timeout(60_000);
  let influxd: Influxd;
  let folder: string;
  let store: TestStore;
  let historian: Engine;
  let count = 0;

  before(async () => {
    influxd = await startInfluxd();
  });
  after(() => influxd.stop());
  beforeEach(() => {
    folder = newFolder();
    use(embeddedStore());
  });
  afterEach(close);

  function use(next: TestStore): void {
    store = next;
    historian = engineOf(store.settings);
  }
  async function close(): Promise<void> {
    await historian.close();
    await store[Symbol.asyncDispose]();
  }
  const engineOf = (settings: object) => openEngine(settings as Parameters<typeof openEngine>[0], undefined, "");
  const file = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const table = (length: number, row = (x: number) => `R${x % 10},${TIME + x * 100},${x}`) =>
    ["device,timestamp,x", ...Array.from({ length }, (_, x) => row(x))].join("\n");
  const run = (path: string, options: Partial<ImportOptions> = {}) =>
    importHistory(path, historian, { folder: join(folder, "imports"), ...options });
  const reportOf = ({ report }: ImportFigures) =>
    report === undefined
      ? []
      : readFileSync(report, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));

  for (const engine of ["embedded", "influxdb"]) {
    describe(`into the engine ${engine}`, () => {
      beforeEach(async () => {
        if (engine === "embedded") return;
        await close();
        use(influxStore(influxd, `import${count++}`));
      });

      it("writes each row at its own time", async () => {
        const path = file("a.csv", `ts,device,temperature,running,location\n${TIME / 1000},R1,62.5,True,hall 3\n`);
        const figures = await run(path);
        assert.deepEqual(await store.values("readings"), [`R1 ${TIME} running 1`, `R1 ${TIME} temperature 62.5`]);
        const { rowsPerSecond, ...counts } = figures;
        const size = readFileSync(path).length;
        assert.deepEqual(counts, {
          ...{ file: path, bytes: size, fileBytes: size },
          ...{ rows: 1, refused: 0, partlyRefused: 0, isFinished: true },
        });
      });

      it("reports in which line what was refused, by whomever, and writes all the rest", async () => {
        await run(file("first.csv", "device,timestamp,x\nR0,1,1\n"));
        await historian.write(Buffer.from(`readings,device=R0 note="text" ${TIME}\n`));
        const rows = ["R1,1000,1", "R1,,1", "R1,nonsense,1", "R1,2000", ",3000,1", "R1,4000,much", "R1,5000,5"];
        const path = file("b.csv", ["device,timestamp,x", ...rows].join("\n"));
        const figures = await run(path);
        assert.deepEqual([figures.rows, figures.refused], [7, 5]);
        assert.deepEqual(
          reportOf(figures).map(({ line, isPartial }) => [line, isPartial]),
          [3, 4, 5, 6, 7].map((line) => [line, false]),
        );
        assert.match(reportOf(figures)[0].reason, /it has no time/);
        // The store itself has a text where this row has a number.
        const conflict = await run(file("c.csv", `device,timestamp,note,x\nR0,${TIME},5,\nR2,${TIME},,7\n`));
        assert.deepEqual(
          reportOf(conflict).map(({ line }) => line),
          [2],
        );
        assert.match(reportOf(conflict)[0].reason, /note/);
        assert.ok((await store.values("readings")).includes(`R2 ${TIME} x 7`));
      });

      it("of a real recording stores all but the one row that repeats", async function () {
        if (!existsSync(RECORDING)) this.skip();
        const figures = await run(RECORDING);
        assert.deepEqual([figures.rows, figures.refused, figures.partlyRefused], [50_270, 0, 0]);
        const expected = await ofFile(RECORDING);
        assert.equal(await store.count("readings"), 50_269);
        const from = 0;
        const to = 2e12;
        const functions = ["count", "mean", "min", "max"] as const;
        const answer = await historian.aggregate({ measurement: "readings", from, to, groupBy: ["device"], functions });
        assert.equal(answer.length, 3 * 7);
        for (const aggregate of answer) assertEqual(aggregate, expected);
      });
    });
  }

  /** The values of each device and metric in a file, the last one of each instant. */
  async function ofFile(path: string): Promise<Map<string, number[]>> {
    const instants = new Map<string, Map<number, number>>();
    const recording = await Recording.open(path);
    for await (const { deviceId, timestamp, metrics } of recording.readings(() => assert.fail())) {
      for (const [metric, value] of Object.entries(metrics)) {
        const key = `${deviceId} ${metric}`;
        const values = instants.get(key) ?? new Map<number, number>();
        instants.set(key, values.set(Math.floor(timestamp), value));
      }
    }
    return new Map([...instants].map(([key, values]) => [key, [...values.values()]]));
  }

  function assertEqual({ tags, field, columns }: Aggregate, expected: Map<string, number[]>): void {
    const values = expected.get(`${tags.device} ${field}`) ?? [];
    const { count: [length] = [], min: [least] = [], max: [most] = [], mean: [mean] = [] } = columns;
    assert.deepEqual([length, least, most], [values.length, Math.min(...values), Math.max(...values)]);
    const exact = values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(Math.abs((mean ?? Number.NaN) - exact) <= 1e-12 * Math.abs(exact), `${mean} is not ${exact}`);
  }

  it("takes columns for what a map says they are", async () => {
    const path = file(
      "d.csv",
      `machine;when;temp;hum;hall;comment\nR 1;${TIME / 1000};62,5;40;3;fine\nR 1;${TIME / 1000 + 1};60;41;3;\n`,
    );
    const columns = parseColumnMap({
      device: "machine",
      timestamp: "when",
      timestampUnit: "s",
      metrics: { temp: "temperature", hum: "name" },
      tags: { hall: "location" },
    });
    const figures = await run(path, { columns });
    assert.equal(figures.partlyRefused, 1);
    assert.match(reportOf(figures)[0].reason, /temperature: "62,5" is not a finite number/);
    assert.deepEqual(await store.values("readings"), [
      `R 1 ${TIME} name 40`,
      `R 1 ${TIME + 1000} name 41`,
      `R 1 ${TIME + 1000} temperature 60`,
    ]);
    assert.deepEqual((await historian.catalogue()).tags.location, ["3"]);
  });

  it("takes all columns that are left for metrics, if the map says so", async () => {
    const columns = parseColumnMap({ device: "machine", timestamp: "at", metrics: "*" });
    await run(file("e.csv", `machine,at,a,b\n007,2026-03-01 12:00:00,1,2\n`), { columns });
    assert.deepEqual(await store.values("readings"), [`007 ${TIME} a 1`, `007 ${TIME} b 2`]);
  });

  for (const [what, map, reason] of [
    ["no object", "device", /must be an object/],
    ["another property", { devices: "x" }, /not devices/],
    ["a unit that nobody knows", { timestampUnit: "days" }, /one of auto, s, ms, iso/],
    ["a heading that is no text", { device: 1 }, /device must be the heading/],
    ["metrics without a name", { metrics: { temp: "" } }, /metrics must be an object of names/],
  ] as const) {
    it(`takes no map with ${what}`, () => {
      assert.throws(() => parseColumnMap(map), reason);
    });
  }

  it("does not begin when the file lacks a column of the map, and says which", async () => {
    const columns = parseColumnMap({ device: "machine" });
    await assert.rejects(run(file("f.csv", table(3)), { columns }), /f\.csv .*there is no column "machine"/);
  });

  it("tells a file that isn't there", async () => {
    await assert.rejects(run(join(folder, "none.csv")), /there is no file/);
  });

  for (const [what, content] of [
    ["CSV", table(60_000)],
    ["gzipped CSV", gzipSync(table(60_000))],
    ["CSV from Windows", `\uFEFF${table(60_000).replaceAll("\n", "\r\n")}`],
    [
      "JSON lines",
      Array.from({ length: 20_000 }, (_, x) => {
        const one = (y: number) => ({ device: `R${(3 * x + y) % 10}`, ts: TIME + (3 * x + y) * 100, x: 3 * x + y });
        return `${JSON.stringify([one(0), one(1), one(2)])}\n`;
      }).join(""),
    ],
  ] as const) {
    it(`of ${what} goes on where it was broken off, with counts and report as if it had not been`, async () => {
      const name = what === "JSON lines" ? "g.jsonl" : what === "gzipped CSV" ? "g.csv.gz" : "g.csv";
      const path = file(name, content);
      const written: number[] = [];
      const { write } = historian;
      let runs = 0;
      let figures: ImportFigures | undefined;
      while (!figures) {
        const stopping = new AbortController();
        let batches = 0;
        written.push(0);
        historian.write = async (lines) => {
          const refused = await write.call(historian, lines);
          written[runs] = (written[runs] ?? 0) + Buffer.from(lines).toString().split("\n").length - 1;
          if (++batches === 3) stopping.abort();
          return refused;
        };
        figures = await run(path, { signal: stopping.signal }).catch((error) => {
          if (error.name === "AbortError") return undefined;
          throw error;
        });
        runs++;
      }
      assert.ok(runs >= 3, `${runs} runs`);
      assert.deepEqual([figures.rows, figures.refused, figures.isFinished], [60_000, 0, true]);
      assert.equal(await store.count("readings"), 60_000);
      // At most what was on its way is written again.
      const all = written.reduce((sum, lines) => sum + lines, 0);
      assert.ok(all <= 60_000 + runs * 5002, `${all} lines`);
      assert.deepEqual(readdirSync(join(folder, "imports")), []);
    });
  }

  it("reports each refused row once, however often it is broken off", async () => {
    const path = file(
      "h.csv",
      table(30_000, (x) => (x % 3 === 0 ? `R1,${TIME + x},much` : `R1,${TIME + x},${x}`)),
    );
    let figures: ImportFigures | undefined;
    while (!figures) {
      const stopping = new AbortController();
      let batches = 0;
      const progress = () => ++batches === 2 && stopping.abort();
      const { write } = historian;
      historian.write = async (lines) => {
        const refused = await write.call(historian, lines);
        progress();
        return refused;
      };
      figures = await run(path, { signal: stopping.signal }).catch(() => undefined);
      historian.write = write;
    }
    assert.deepEqual([figures.rows, figures.refused], [30_000, 10_000]);
    assert.deepEqual(
      reportOf(figures).map(({ line }) => line),
      Array.from({ length: 10_000 }, (_, index) => 2 + 3 * index),
    );
  });

  it("begins anew once the file has changed", async () => {
    const path = file("i.csv", table(20_000));
    const stopping = new AbortController();
    const { write } = historian;
    historian.write = async (lines) => {
      stopping.abort();
      return await write.call(historian, lines);
    };
    await assert.rejects(run(path, { signal: stopping.signal }), { name: "AbortError" });
    historian.write = write;
    file(
      "i.csv",
      table(20_000, (x) => `R${x % 10},${TIME + x * 100},${x + 1}`),
    );
    utimesSync(path, 0, 0);
    const figures = await run(path);
    assert.equal(figures.rows, 20_000);
    assert.ok((await store.values("readings")).includes(`R0 ${TIME} x 1`));
  });

  it("waits while the store is away, says why, and goes on when it is back", async () => {
    await using own = await startInfluxd();
    await close();
    use(influxStore(own));
    await own.stop();
    const problems: (string | undefined)[] = [];
    const figures = await run(file("j.csv", table(12_000)), {
      progress({ problem }) {
        if (problems.push(problem) === 1) void own.start();
      },
    });
    assert.match(problems[0] ?? "", /refuses connections/);
    assert.deepEqual([figures.rows, figures.problem], [12_000, undefined]);
    assert.equal(await store.count("readings"), 12_000);
  });

  it("can be broken off while it waits", async () => {
    await close();
    use(influxStore({ url: `http://127.0.0.1:${await freePort()}` } as Influxd));
    const stopping = new AbortController();
    const importing = run(file("k.csv", table(10)), { signal: stopping.signal, progress: () => stopping.abort() });
    await assert.rejects(importing, { name: "AbortError" });
  });

  it("keeps no more of a report than a person could read, and counts the rest", async () => {
    const figures = await run(
      file(
        "l.csv",
        table(150_000, () => "R1,nonsense,1"),
      ),
    );
    assert.deepEqual([figures.rows, figures.refused], [150_000, 150_000]);
    assert.equal(reportOf(figures).length, 100_000);
  });

  it("goes into the same file as what others write at the same time", async () => {
    const { file: path } = store.settings as { file: string };
    const other = engineOf({ ...store.settings, file: path });
    const importing = run(file("m.csv", table(50_000)));
    for (let index = 0; index < 50; index++) {
      await other.write(Buffer.from(`readings,device=live${index} x=${index} ${TIME}\n`));
    }
    await importing;
    await other.close();
    assert.equal(await store.count("readings"), 50_050);
  });
});

describe("historian-write, told to import,", function () {
  this.timeout(60_000);
  let folder: string;
  let store: TestStore;
  let node: TestNode;

  beforeEach(async () => {
    folder = newFolder();
    store = embeddedStore();
  });
  afterEach(async () => {
    await node.stop();
    await store[Symbol.asyncDispose]();
  });

  async function start(settings: object = {}): Promise<void> {
    node = await startNode(
      historianWrite,
      { type: "historian-write", historian: "store" },
      {
        definitions: [historianNode],
        configs: [{ id: "store", type: "historian", ...store.settings }],
        settings: { userDir: folder, ...settings },
      },
    );
  }
  const file = (rows: number) => {
    const path = join(folder, "file.csv");
    const lines = Array.from({ length: rows }, (_, x) => `${x % 10},${TIME + x},${x}`);
    writeFileSync(path, ["machine,time,x", ...lines].join("\n"));
    return { file: path, map: { device: "machine" } };
  };
  const figures = () =>
    node.output(1).flatMap(({ topic, payload }) => (topic === "import" ? [payload as ImportFigures] : []));
  async function until(isTrue: () => boolean): Promise<void> {
    for (const end = performance.now() + 30_000; !isTrue(); await delay(5)) {
      assert.ok(performance.now() < end, `not within 30 s: ${isTrue}; ${node.reasons()} ${node.logged()}`);
    }
  }

  it("does so, tells how far it is, and is done at the end", async () => {
    await start();
    node.send({ command: "import", payload: file(12_000) });
    await until(() => node.completed().length === 1);
    const { rows, refused, isFinished } = figures().at(-1) as ImportFigures;
    assert.deepEqual([rows, refused, isFinished], [12_000, 0, true]);
    assert.equal(await store.count("readings"), 12_000);
  });

  it("is broken off by cancel-import, and goes on with the same command", async () => {
    await start();
    const payload = file(200_000);
    node.send({ command: "import", payload });
    await until(() => figures().length > 0);
    node.send({ command: "import", payload });
    await until(() => node.reasons().length === 1);
    assert.match(node.reasons()[0] ?? "", /an import is running/);
    node.send({ command: "cancel-import" });
    await until(() => node.completed().length === 2);
    const before = figures().at(-1) as ImportFigures;
    assert.ok(!before.isFinished && before.rows >= 5000 && before.rows < 200_000, `${before.rows} rows`);
    assert.equal(await store.count("readings"), before.rows);
    node.send({ command: "import", payload });
    await until(() => node.completed().length === 3);
    assert.equal(figures().at(-1)?.rows, 200_000);
    assert.equal(await store.count("readings"), 200_000);
  });

  it("breaks off when it is closed", async () => {
    await start();
    const payload = file(200_000);
    node.send({ command: "import", payload });
    await until(() => figures().length > 0);
    await node.stop();
    const stored = await store.count("readings");
    assert.ok(stored >= 5000 && stored < 200_000, `${stored} rows`);
    await start();
    node.send({ command: "import", payload });
    await until(() => node.completed().length === 1);
    assert.equal(await store.count("readings"), 200_000);
  });

  it("refuses what it can't", async () => {
    await start();
    const cases: [message: object, reason: RegExp][] = [
      [{ command: "import" }, /needs the path/],
      [{ command: "import", payload: join(folder, "none.csv") }, /there is no file/],
      [{ command: "import", payload: { ...file(1), map: { device: "nobody" } } }, /there is no column "nobody"/],
      [{ command: "import", payload: { ...file(1), map: "machine" } }, /map must be an object/],
      [{ command: "cancel-import" }, /no import to cancel/],
    ];
    for (const [index, [message, reason]] of cases.entries()) {
      node.send(message);
      await until(() => node.caught().length === index + 1);
      assert.match(node.reasons()[index] ?? "", reason);
    }
  });
});
