/** The node on every engine, whose answers are compared with those of a naive store. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { get, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parse } from "csv-parse/sync";
import type { NodeAPI } from "node-red";
import { mean, quantile, sampleCorrelation, sampleStandardDeviation } from "simple-statistics";
import { LineWriter } from "../../core/history/lines.ts";
import type { Series } from "../../core/history/series.ts";
import type { Point, Selection } from "../../core/history/types.ts";
import { EmbeddedHistorian } from "../../nodes/historian/embedded.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import historianQuery from "../../nodes/historian-query/historian-query.ts";
import { configNode } from "../../nodes/lib/config-node.ts";
import type { Historian } from "../../nodes/lib/historian.ts";
import { text } from "../../nodes/lib/options.ts";
import { newFolder } from "../support/folders.ts";
import { BAD_VALUE, DEVICES, END, history, linesOf, pointOf, START } from "../support/history.ts";
import { startInfluxd } from "../support/influxd.ts";
import { MemoryHistorian } from "../support/memory-historian.ts";
import {
  type Definition,
  type NodeOptions,
  type Received,
  startFlow,
  startNode,
  type TestNode,
} from "../support/test-flow.ts";

/** Starts the node on a store. */
function startOn(store: Historian, settings: object = {}, options: NodeOptions = {}): Promise<TestNode> {
  return startNode(
    historianQuery,
    { type: "historian-query", historian: "store", range: `${START}/${END}`, ...settings },
    {
      definitions: [configNode("historian", { name: text("") }, () => ({ value: store }))],
      configs: [{ id: "store", type: "historian" }],
      ...options,
    },
  );
}

async function filled<T extends Historian>(store: T, points: Point[]): Promise<T> {
  assert.deepEqual(await store.write(linesOf(points)), []);
  return store;
}

/** Equal but for the last digits of numbers. */
function assertClose(actual: unknown, expected: unknown, path = "answer"): void {
  if (typeof expected === "number" && typeof actual === "number") {
    assert.ok(
      Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
      `${path}: ${actual} for ${expected}`,
    );
  } else if (typeof expected === "object" && expected !== null && typeof actual === "object" && actual !== null) {
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), path);
    for (const [name, value] of Object.entries(expected)) {
      assertClose((actual as Record<string, unknown>)[name], value, `${path}.${name}`);
    }
  } else assert.deepEqual(actual, expected, path);
}

/** One question after another, so that each finds its answer. */
async function ask(node: TestNode, query: object, more: object = {}): Promise<Received> {
  const count = node.completed().length;
  const failed = node.caught().length;
  node.send({ query, ...more });
  // A test that fails must not keep the test run from its end.
  const patience = AbortSignal.timeout(250_000);
  while (node.completed().length === count) {
    patience.throwIfAborted();
    if (node.caught().length > failed)
      throw new Error(
        node
          .reasons()
          .at(-1)
          ?.replace(/^RangeError: /, ""),
      );
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return node.output(1).at(-1) as Received;
}

function goodReadingsOf(points: Point[], device: string): Point[] {
  return points.filter(
    ({ measurement, tags, fields }) =>
      measurement === "readings" && tags.device === device && fields.get("_quality") !== "bad",
  );
}

/** No user, password or token. */
const NOBODY = { username: "", password: "", token: "" };

const QUESTIONS: object[] = [
  { every: "raw", metrics: "temperature", devices: ["P7"] },
  { every: "raw", devices: DEVICES.slice(1, 5) },
  { every: "5m" },
  { every: "7m", functions: ["count", "mean", "stdev", "first", "last", "sum"] },
  { every: "auto", maxPoints: 50 },
  { every: "1d", timeZone: "Europe/Berlin", functions: "mean,stdev,last" },
  { every: "1h", timeZone: "Asia/Kathmandu" },
  { measurement: "verdicts", every: "1h", metrics: "*score*" },
  { queryType: "latest" },
  { queryType: "latest", measurement: "status" },
  { queryType: "aggregate", every: "10m", groupBy: "location", functions: "count,mean,max" },
  { queryType: "aggregate", every: "1h", groupBy: [], locations: ["hall 3", "hall, 4"] },
  { queryType: "aggregate", every: "all", range: `${START + 1234}/${END - 4321}`, groupBy: "device" },
  { queryType: "aggregate", measurement: "verdicts", metrics: "isAnomaly", every: "all", functions: "count,sum" },
  { queryType: "statistics" },
  { queryType: "statistics", groupBy: ["location"], metrics: ["vib*"] },
  { queryType: "distribution", metrics: ["temperature"], lower: "60", upper: "p95" },
  { queryType: "distribution", groupBy: [], devices: ["*b*"] },
  { queryType: "correlation" },
  { queryType: "correlation", groupBy: [], devices: DEVICES },
  { queryType: "events", timeZone: "Asia/Kolkata" },
  { queryType: "journal", maxPoints: 3 },
  { queryType: "aggregate", metrics: ["_quality"], functions: ["count"], every: "1h", groupBy: [] },
  { queryType: "readings", readingsPerDevice: 25 },
];

/** The `http in` node of Node-RED. */
const httpIn: Definition = createRequire(import.meta.url)("@node-red/nodes/core/network/21-httpin.js");

describe("historian-query", () => {
  const points = history();
  let reference: MemoryHistorian;
  before(async () => {
    reference = await filled(new MemoryHistorian(), points);
  });

  const engines: [name: string, open: () => Promise<{ store: Historian; close(): Promise<void> }>][] = [
    [
      "the embedded engine",
      async () => {
        const store = new EmbeddedHistorian({
          file: `${newFolder()}/history.sqlite`,
          retentionDays: 0,
          archiveDays: 0,
        });
        return { store, close: () => store.close() };
      },
    ],
    [
      "InfluxDB",
      async () => {
        const server = await startInfluxd();
        const retention = { retentionDays: 0, archiveDays: 0 };
        const store = new InfluxHistorian({ url: server.url, database: "history", ...NOBODY, ...retention });
        const close = async () => {
          await store.close();
          await server.stop();
        };
        return { store, close };
      },
    ],
  ];

  for (const [name, open] of engines) {
    describe(`on ${name}`, () => {
      let store: Historian;
      let close: () => Promise<void>;
      let node: TestNode;
      before(async () => {
        const opened = await open();
        ({ close } = opened);
        store = await filled(opened.store, points);
      });
      after(() => close());
      afterEach(() => node.stop());

      for (const question of QUESTIONS) {
        it(`answers as the naive store does: ${JSON.stringify(question).slice(0, 100)}`, async () => {
          node = await startOn(reference);
          const expected = await ask(node, question);
          const messages = node.output(1).map(({ payload }) => payload);
          await node.stop();
          node = await startOn(store);
          const answer = await ask(node, question);
          assertClose(answer.query, expected.query);
          assertClose(
            node.output(1).map(({ payload }) => payload),
            messages,
          );
          assert.ok(JSON.stringify(answer.payload).length > 100, JSON.stringify(answer.payload));
        });
      }

      for (const measurement of ["readings", "verdicts", "alarms", "status"] as const) {
        it(`exports all ${measurement}, which csv-parse reads back`, async () => {
          const file = join(newFolder(), "export.csv");
          node = await startOn(store, { queryType: "export", measurement, file });
          const { payload } = await ask(node, {});
          const { rows, bytes, columns } = payload as { rows: number; bytes: number; columns: string[] };
          const stored = points.filter((point) => point.measurement === measurement);
          assert.equal(rows, stored.length);
          assert.equal(bytes, statSync(file).size);
          const text = readFileSync(file, "utf8");
          assert.ok(text.startsWith("\uFEFFtime,device,"));
          const [header, ...read]: string[][] = parse(text, { bom: true });
          assert.deepEqual(header, columns);
          assert.deepEqual(read.map((cells) => cellsOf(columns, cells)).sort(), stored.map(cellsOfPoint).sort());
        });
      }

      it("exports a million rows in constant memory", async function () {
        this.timeout(250_000);
        const from = END + 86_400_000;
        const lines = new LineWriter();
        for (let row = 0; row < 1_000_000; row++) {
          lines.add(
            pointOf("readings", { device: `M${Math.floor(row / 250_000)}` }, from + (row % 250_000) * 100, { x: row }),
          );
          if (row % 50_000 === 49_999) assert.deepEqual(await store.write(lines.take()), []);
        }
        const file = join(newFolder(), "export.csv");
        node = await startOn(store, { queryType: "export", file, range: `${from}/12h` });
        const collect = garbageCollector();
        const used = () => {
          collect();
          const { heapUsed, external } = process.memoryUsage();
          return heapUsed + external;
        };
        const before = used();
        let peak = 0;
        const timer = setInterval(() => {
          peak = Math.max(peak, used());
        }, 500);
        const { payload } = await ask(node, {}).finally(() => clearInterval(timer));
        assert.equal((payload as { rows: number }).rows, 1_000_000);
        assert.ok(peak > 0 && peak - before < 24e6, `${(peak - before) / 1e6} MB`);
        assert.ok(statSync(file).size > 30e6);
        const progress = node.output(2).map(({ payload }) => payload as { state: string; share: number });
        assert.equal(progress.at(-1)?.state, "finished");
        assert.ok(progress.every(({ share }, place) => share >= (progress[place - 1]?.share ?? 0) && share <= 1));
      });
    });
  }

  describe("on any store", () => {
    let node: TestNode;
    afterEach(() => node.stop());

    it("keeps what else is in the message, and tells the question as it was understood", async () => {
      node = await startOn(reference, { every: "1h", devices: "P7", metrics: "temp*" });
      const answer = await ask(node, { maxPoints: "50", from: "2026-03-01T11:00Z" }, { socketid: "s1", topic: "t" });
      assert.deepEqual([answer.socketid, answer.topic], ["s1", "t"]);
      const query = answer.query as object;
      const { from, to, every, maxPoints, devices, queryType } = query as Record<string, unknown>;
      assert.equal(from, Date.UTC(2026, 2, 1, 11));
      assert.ok(Math.abs(Number(to) - Date.now()) < 60_000);
      assert.deepEqual([every, maxPoints, devices, queryType], [3_600_000, 50, ["P7"], "series"]);
      const again = await ask(node, query);
      assert.deepEqual(again.query, query);
      assert.deepEqual(again.payload, answer.payload);
      assert.deepEqual(Object.keys(again.payload as object), ["series", "from", "to", "every", "level"]);
    });

    it("tells the truth: each value at its time, and of intervals what simple-statistics computes of them", async () => {
      node = await startOn(reference, { devices: ["a/b+c#"], metrics: "temperature" });
      const stored = goodReadingsOf(points, "a/b+c#");
      const raw = (await ask(node, { every: "raw" })).payload as { series: Series[] };
      assert.deepEqual(
        raw.series.map(({ location, times, values }) => ({ location, times, values })),
        ["hall 3", "hall, 4"].map((location) => {
          const own = stored.filter(({ tags }) => tags.location === location);
          return {
            location,
            times: own.map(({ timestamp }) => timestamp),
            values: own.map(({ fields }) => fields.get("temperature")),
          };
        }),
      );
      const functions = "count,mean,stdev,min,max";
      const cut = (await ask(node, { every: "30m", functions })).payload as { series: Series[]; from: number };
      assert.deepEqual([cut.from, cut.series.length], [START - 15 * 60_000, 2]);
      for (const { location, times, count, mean: means, stdev, min, max } of cut.series) {
        for (const [place, time] of times.entries()) {
          const own = stored.filter(({ tags, timestamp }) => {
            return tags.location === location && timestamp >= time && timestamp < time + 30 * 60_000;
          });
          const values = own.map(({ fields }) => fields.get("temperature") as number);
          const expected = [values.length, mean(values), sampleStandardDeviation(values)];
          assertClose([count?.[place], means?.[place], stdev?.[place]], expected);
          assert.deepEqual([min?.[place], max?.[place]], [Math.min(...values), Math.max(...values)]);
        }
      }
    });

    it("gives statistics, distributions and correlations as simple-statistics does, and the last values", async () => {
      node = await startOn(reference, { devices: ["P7"] });
      const stored = goodReadingsOf(points, "P7");
      const values = stored.map(({ fields }) => fields.get("temperature") as number);
      const answerTo = async (query: object) => (await ask(node, query)).payload as Record<string, object[]>;
      const { statistics = [] } = await answerTo({ queryType: "statistics", metrics: "temperature" });
      assertClose(statistics, [
        {
          device: "P7",
          field: "temperature",
          count: values.length,
          mean: mean(values),
          stdev: sampleStandardDeviation(values),
          min: Math.min(...values),
          max: Math.max(...values),
          p05: quantile(values, 0.05),
          p25: quantile(values, 0.25),
          median: quantile(values, 0.5),
          p75: quantile(values, 0.75),
          p95: quantile(values, 0.95),
          quantilesOf: values.length,
        },
      ]);
      const asked = { queryType: "distribution", metrics: "temperature", upper: "61" };
      const [distribution] = (await answerTo(asked)).distributions as { counts: number[]; limits: { above: number } }[];
      assert.equal(
        distribution?.counts.reduce((a, b) => a + b),
        values.length,
      );
      assert.equal(distribution?.limits.above, values.filter((value) => value > 61).length);
      const metrics = ["temperature", 'vibration, "x"'];
      const [correlation] = (await answerTo({ queryType: "correlation", metrics })).correlations as {
        matrix: number[][];
      }[];
      const pairs = stored.filter(({ fields }) => metrics.every((metric) => fields.has(metric)));
      const [x, y] = metrics.map((metric) => pairs.map(({ fields }) => fields.get(metric) as number));
      assertClose(correlation?.matrix[0]?.[1], sampleCorrelation(x as number[], y as number[]));
      const [latest] = (await answerTo({ queryType: "latest", metrics })).latest as { values: object; times: object }[];
      const last = (metric: string) => stored.findLast(({ fields }) => fields.has(metric));
      assert.deepEqual(
        Object.entries(latest?.values ?? {}).sort(),
        metrics.map((metric) => [metric, last(metric)?.fields.get(metric)]),
      );
      assert.deepEqual(
        Object.entries(latest?.times ?? {}).sort(),
        metrics.map((metric) => [metric, last(metric)?.timestamp]),
      );
    });

    it("counts anomalies by hour and by day of the time zone, by device and by location", async () => {
      const midnight = Date.parse("2026-03-29T00:00+01:00");
      const verdicts = Array.from({ length: 47 }, (_, hour) =>
        pointOf("verdicts", { device: "P7", location: "hall", detector: "z" }, midnight + (hour + 0.5) * 3_600_000, {
          isAnomaly: Number(hour < 30),
        }),
      );
      const alarm = (change: string, minute: number) =>
        pointOf("alarms", { device: "P7", condition: "hot", change }, midnight + 60_000 * minute, { value: minute });
      const store = await filled(new MemoryHistorian(), [...verdicts, alarm("raised", 1), alarm("returned", 2)]);
      node = await startOn(store, { queryType: "events", timeZone: "Europe/Berlin", range: `${midnight}/47h` });
      const { alarms, status, anomalies } = (await ask(node, {})).payload as Record<string, unknown>;
      const { hours, days, devices, locations } = anomalies as Record<string, { times: number[] }[]>;
      // The clocks are put forward: this day has 23 hours.
      const times = [midnight, midnight + 23 * 3_600_000];
      assert.deepEqual(days, [{ device: "P7", times, verdicts: [23, 24], anomalies: [23, 7] }]);
      assert.equal(hours?.[0]?.times.length, 47);
      assert.deepEqual(devices, [{ device: "P7", verdicts: 47, anomalies: 30, share: 30 / 47 }]);
      assert.deepEqual(locations, [{ location: "hall", verdicts: 47, anomalies: 30, share: 30 / 47 }]);
      assert.deepEqual(status, []);
      const change = (name: string, minute: number) => {
        return { device: "P7", condition: "hot", change: name, timestamp: midnight + 60_000 * minute, value: minute };
      };
      assert.deepEqual(alarms, [change("returned", 2), change("raised", 1)]);
    });

    it("gives the newest lines of the journal as they were told, and what became of commands", async () => {
      const alarm = (change: string, minute: number, more: object = {}) =>
        pointOf("alarms", { device: "a/b", location: "hall", condition: "hot", change }, START + 60_000 * minute, {
          alarmId: "a%2Fb/hot",
          severity: "critical",
          state: "unacknowledged",
          value: 81.5,
          isAnnunciated: Number(change === "raised"),
          ...more,
        });
      const audit = (condition: string, more: object) =>
        pointOf("audit", { device: "a/b", condition, change: "failed" }, START + 30_000, { by: "Kim", ...more });
      const store = await filled(new MemoryHistorian(), [
        alarm("returned", -1),
        alarm("raised", 0),
        alarm("shelved", 1, { reason: "under test", by: "Kim" }),
        audit("restart", { commandId: "7", reason: "no power" }),
        audit("login", {}),
      ]);
      node = await startOn(store, { queryType: "journal", maxPoints: 3, range: `${START - 120_000}/1h` });
      const { lines } = (await ask(node, {})).payload as { lines: object[] };
      const told = {
        alarmId: "a%2Fb/hot",
        deviceId: "a/b",
        location: "hall",
        condition: "hot",
        severity: "critical",
        state: "unacknowledged",
        value: 81.5,
      };
      assert.deepEqual(lines, [
        { ...told, change: "raised", isAnnunciated: true, timestamp: START },
        {
          deviceId: "a/b",
          command: "restart",
          commandId: "7",
          by: "Kim",
          arguments: {},
          outcome: "failed",
          error: "no power",
          sentAt: START + 30_000,
          timestamp: START + 30_000,
        },
        {
          ...told,
          change: "shelved",
          isAnnunciated: false,
          by: "Kim",
          shelved: { since: START + 60_000, reason: "under test" },
          timestamp: START + 60_000,
        },
      ]);
    });

    it("tells with the last values what people call the devices", async () => {
      const registry = { get: (deviceId: string) => (deviceId === "P7" ? { deviceId, name: "Pump" } : undefined) };
      const list = configNode("device-registry", {}, () => ({ value: registry }));
      const store = configNode("historian", { name: text("") }, () => ({ value: reference }));
      node = await startOn(
        reference,
        { registry: "list", queryType: "latest", devices: "P7,a/b+c#" },
        {
          definitions: [store, list],
          configs: [
            { id: "store", type: "historian" },
            { id: "list", type: "device-registry" },
          ],
        },
      );
      const { latest } = (await ask(node, {})).payload as { latest: { device: string; name?: string }[] };
      const names = new Map(latest.map(({ device, name }) => [device, name]));
      assert.deepEqual([...names].sort(), [
        ["P7", "Pump"],
        ["a/b+c#", undefined],
      ]);
    });

    it("asks for averages where no more than these is kept, and tells since when all is", async () => {
      const store = await filled(new ForgetfulHistorian(), points);
      node = await startOn(store, { devices: "P7", metrics: "temperature" });
      const series = async (query: object) => (await ask(node, { maxPoints: 100_000, ...query })).payload as object;
      const { every, level } = (await series({})) as { every: number; level: number };
      assert.deepEqual([every, level], [300_000, 300_000]);
      const recent = await series({ from: START + 3_600_000, to: END });
      assert.deepEqual({ ...recent, series: [] }, { series: [], from: START + 3_600_000, to: END, every: 0, level: 0 });
      for (const queryType of ["distribution", "correlation"]) {
        const { from } = (await ask(node, { queryType })).payload as { from: number };
        assert.equal(from, START + 3_600_000, queryType);
      }
    });

    it("refuses a question that it does not understand, and names what is wrong", async () => {
      node = await startOn(reference);
      const wrong: [query: unknown, reason: RegExp][] = [
        ["SELECT 1", /^msg\.query: must be an object/],
        [[], /^msg\.query: must be an object/],
        [{ metric: "x" }, /^msg\.query: there is no "metric"; it takes queryType, .*, from, to$/],
        [{ file: "/etc/passwd" }, /^msg\.query: there is no "file"/],
        [JSON.parse('{"__proto__": 1}'), /^msg\.query: there is no "__proto__"/],
        [{ queryType: "drop" }, /^msg\.query\.queryType: must be one of series, /],
        [{ devices: [7] }, /^msg\.query\.devices: must be names/],
        [{ limit: "many" }, /^msg\.query\.limit: must be a whole number/],
        [{ functions: "mean,median" }, /^msg\.query\.functions: may hold only/],
        [{ functions: [] }, /^functions: must hold at least one/],
        [{ range: "yesterday" }, /^range: must be a length such as 24h/],
        [{ range: "1h", from: 5 }, /either range, or from and to/],
        [{ from: "noon" }, /^msg\.query\.from: must be an ISO time/],
        [{ from: 5, to: 5 }, /^range: ends at/],
        [{ every: "often" }, /^every: must be a length such as 5m/],
        [{ timeZone: "Mars/Phobos" }, /^timeZone: there is no zone/],
        [{ upper: "high" }, /^upper: must be a number, or a quantile/],
        [{ queryType: "aggregate", every: "raw" }, /^every: raw values have no groups/],
      ];
      for (const [query, reason] of wrong) await assert.rejects(ask(node, query as object), { message: reason });
      assert.deepEqual(node.output(1), []);
    });

    it("refuses an answer that is too large, and says what to do", async () => {
      node = await startOn(reference, { limit: "100" });
      const large = [
        { every: "raw" },
        { every: "1m" },
        { every: "1d", timeZone: "Europe/Berlin", functions: ["mean", "min", "max", "sum", "stdev", "first", "last"] },
        { queryType: "statistics" },
        { queryType: "distribution" },
        { queryType: "events", limit: 10 },
        { queryType: "latest", limit: 3 },
        { queryType: "correlation", limit: 10 },
      ];
      for (const query of large) await assert.rejects(ask(node, query), { message: /more than \d+/ });
    });

    it("answers with nothing where nothing is meant", async () => {
      node = await startOn(reference);
      const empty: [query: object, payload: object][] = [
        [{ devices: ["x*"] }, { series: [] }],
        [{ devices: ["nobody"], every: "5m" }, { series: [] }],
        [{ metrics: ["nothing*"], every: "5m" }, { series: [] }],
        [{ queryType: "latest", metrics: ["nothing*"] }, { latest: [] }],
        [{ queryType: "statistics", devices: ["nobody"] }, { statistics: [] }],
        [{ queryType: "distribution", devices: ["nobody"] }, { distributions: [] }],
        [{ queryType: "correlation", locations: ["nowhere"] }, { correlations: [] }],
        [{ measurement: "windows" }, { series: [] }],
      ];
      for (const [query, payload] of empty) {
        const answer = (await ask(node, query)).payload as Record<string, unknown>;
        for (const [name, value] of Object.entries(payload)) assert.deepEqual(answer[name], value);
      }
    });

    it("gives up a question after its time, and goes on with the next", async () => {
      const store = new SlowHistorian(reference);
      node = await startOn(store, { timeoutSeconds: "0.1", concurrency: "1" });
      await assert.rejects(ask(node, { every: "5m" }), { message: /^no answer within 0\.1 s/ });
      await assert.rejects(ask(node, { every: "5m" }), { message: /^no answer within 0\.1 s/ });
      store.release();
      assert.ok((await ask(node, { every: "5m" })).payload);
      assert.equal(node.output(1).length, 1);
    });

    it("works on so many questions at a time, and shows it", async () => {
      const store = new SlowHistorian(reference);
      node = await startOn(store, { concurrency: "2" });
      for (let count = 0; count < 5; count++) node.send({ query: { every: "5m" } });
      while (!node.statuses().some(({ text }) => text === "status.queries")) await delay(5);
      assert.equal(store.most, 2);
      store.release();
      await node.arrival(5);
      assert.equal(store.most, 2);
    });

    it("ends the questions of a page that waits no longer, without an answer or an error, and no others", async () => {
      const store = new SlowHistorian(reference);
      node = await startOn(store, { concurrency: "1" });
      const questions = [
        ["s1", "q1"],
        ["s2", "q1"],
        ["s1", "q2"],
        ["s3", "q1"],
        ["s3", "q2"],
      ];
      for (const [socketid, questionId] of questions) node.send({ query: { every: "5m" }, socketid, questionId });
      node.send({ command: "abandon", payload: { id: "q1" }, socketid: "s1" });
      node.send({ command: "abandon", payload: "lost", socketid: "s3" });
      store.release();
      await node.arrival(2);
      while (node.completed().length < 7) await delay(5);
      assert.deepEqual(
        node.output(1).map(({ socketid, questionId }) => [socketid, questionId]),
        [
          ["s2", "q1"],
          ["s1", "q2"],
        ],
      );
      assert.deepEqual(node.reasons(), []);
      node.send({ command: "abandon" });
      while (node.reasons().length === 0) await delay(5);
      assert.match(String(node.reasons()[0]), /abandon takes the socketid/);
    });

    it("does not start without a historian, or with settings that make no sense", async () => {
      node = await startOn(reference, { historian: "" });
      assert.deepEqual(node.statuses().at(-1), { fill: "red", shape: "ring", text: "historian: choose one" });
      await node.stop();
      node = await startOn(reference, { range: "often" });
      assert.match(String(node.statuses().at(-1)?.text), /^range: must be a length/);
    });

    it("gives the last readings of each device in the order of time, marked as history, as nodes take them", async () => {
      node = await startOn(reference, { queryType: "readings", readingsPerDevice: "400" });
      await ask(node, {}, { topic: "t" });
      const messages = node.output(1);
      assert.ok(messages.length > 1);
      assert.ok(messages.every(({ isHistory, topic }) => isHistory === true && topic === "t"));
      const batches = messages.map(({ payload }) => payload as { deviceId: string; timestamp: number }[]);
      for (const batch of batches) {
        assert.ok(batch.length <= 1000);
        assert.deepEqual(
          batch,
          [...batch].sort((a, b) => a.timestamp - b.timestamp),
        );
      }
      for (const device of DEVICES) {
        const own = batches.flat().filter(({ deviceId }) => deviceId === device);
        const stored = points.filter(({ measurement, tags }) => measurement === "readings" && tags.device === device);
        const expected = stored.slice(-400).map(({ tags: { location }, timestamp, fields }) => {
          const { _quality: quality, "_bad.temperature": temperature, ...others } = Object.fromEntries(fields);
          const metrics = quality === "bad" ? { temperature } : others;
          return {
            deviceId: device,
            timestamp,
            metrics,
            ...(location && { tags: { location } }),
            ...(quality && { quality }),
          };
        });
        assert.deepEqual(own, expected);
      }
    });

    it("knows the quality of readings also where only some metrics are asked for", async () => {
      node = await startOn(reference, { queryType: "readings", metrics: "temperature", readingsPerDevice: "10000" });
      await ask(node, {});
      const readings = node.output(1).flatMap(({ payload }) => payload as { quality?: string; metrics: object }[]);
      for (const asked of ["stale", "bad"]) {
        const expected = points.filter(({ fields }) => fields.get("_quality") === asked).length;
        assert.ok(expected > 0);
        assert.equal(readings.filter(({ quality }) => quality === asked).length, expected);
      }
      assert.ok(readings.every(({ metrics }) => Object.keys(metrics).join() === "temperature"));
    });

    it("has bad values in the export, and in no other answer unless they are asked for", async () => {
      node = await startOn(reference);
      const types = ["series", "latest", "aggregate", "statistics", "distribution", "correlation"];
      for (const queryType of types) {
        const { payload } = await ask(node, { queryType, every: queryType === "series" ? "raw" : "1h" });
        const text = JSON.stringify(payload);
        assert.match(text, /temperature/, queryType);
        assert.doesNotMatch(text, new RegExp(`_bad|${BAD_VALUE}\\b`), queryType);
      }
      const filename = join(newFolder(), "all.csv");
      await ask(node, { queryType: "export" }, { filename });
      const rows: Record<string, string>[] = parse(readFileSync(filename), { columns: true, bom: true });
      const bad = points.filter(({ fields }) => fields.get("_quality") === "bad");
      assert.ok(bad.length > 0);
      assert.deepEqual(
        rows.filter(({ _quality }) => _quality === "bad").map((row) => [row["_bad.temperature"], row.temperature]),
        bad.map(() => [String(BAD_VALUE), ""]),
      );
      const { payload } = await ask(node, { metrics: "_bad.temperature", every: "raw" });
      const { series } = payload as { series: Series[] };
      assert.equal(series.flatMap(({ times }) => times).length, bad.length);
    });
  });

  describe("as an export", () => {
    let node: TestNode;
    let folder: string;
    beforeEach(() => {
      folder = newFolder();
    });

    it("writes the file that the message names, where the settings name none", async () => {
      node = await startOn(reference, { queryType: "export", metrics: "temperature" });
      await assert.rejects(ask(node, {}), { message: /^file: name one in the settings or in msg\.filename/ });
      const filename = join(folder, "a.csv");
      const { payload } = await ask(node, { devices: ["P7"] }, { filename });
      assert.equal((payload as { file: string }).file, filename);
      assert.match(
        readFileSync(filename, "utf8"),
        /^\uFEFFtime,device,location,temperature\r\n2026-03-01T10:15:00\.000Z,P7,,/,
      );
      await node.stop();
    });

    it("leaves nothing behind when it fails, and says why", async () => {
      node = await startOn(reference, { queryType: "export", file: join(folder, "none", "a.csv") });
      await assert.rejects(ask(node, {}), { message: /ENOENT/ });
      const { state, reason } = progressOf(node.output(2));
      assert.equal(state, "failed");
      assert.match(String(reason), /ENOENT/);
      assert.deepEqual(readdirSync(folder), []);
      await node.stop();
    });

    it("is cancelled by a command, which ends it without an error or a file", async () => {
      const store = new SlowHistorian(reference);
      const file = join(folder, "a.csv");
      node = await startOn(store, { queryType: "export", file });
      node.send({ socketid: "s1" });
      while (!node.statuses().some(({ text }) => text === "status.exports")) await delay(5);
      node.send({ command: "cancel", payload: { exportId: "another" } });
      assert.deepEqual(node.output(2).at(-1)?.payload, { cancelled: 0 });
      node.send({ command: "cancel" });
      assert.deepEqual(node.output(2).at(-1)?.payload, { cancelled: 1 });
      while (node.completed().length < 3) await delay(5);
      const { state, rows } = progressOf(node.output(2));
      assert.deepEqual([state, rows, node.output(2).at(-1)?.socketid], ["cancelled", 0, "s1"]);
      store.release();
      await node.stop();
      assert.deepEqual([node.output(1), node.caught(), readdirSync(folder)], [[], [], []]);
    });

    describe("behind an http in node", () => {
      let flow: Awaited<ReturnType<typeof startFlow>>;
      let server: Server;
      let url: string;

      async function serve(store: Historian, settings: object = {}): Promise<void> {
        let app: NodeAPI["httpNode"] | undefined;
        const definitions: Definition[] = [
          httpIn,
          (RED) => {
            app = RED.httpNode;
          },
          configNode("historian", { name: text("") }, () => ({ value: store })),
          historianQuery,
        ];
        const query = { type: "historian-query", historian: "store", queryType: "export", range: `${START}/${END}` };
        flow = await startFlow(
          definitions,
          [
            { id: "store", type: "historian" },
            { id: "in", type: "http in", url: "/export", method: "get", wires: [["query"]] },
            { id: "query", ...query, ...settings, wires: [["answers"], ["progress"]] },
            { id: "answers", type: "helper", wires: [] },
            { id: "progress", type: "helper", wires: [] },
            { id: "catch", type: "catch", scope: ["query"], wires: [["caught", "failed"]] },
            { id: "caught", type: "helper", wires: [] },
            { id: "failed", type: "http response", statusCode: "500", wires: [] },
          ],
          { settings: { httpNodeRoot: "/" } },
        );
        assert.ok(app);
        server = app.listen(0, "127.0.0.1");
        await once(server, "listening");
        url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/export`;
      }
      afterEach(async () => {
        server.closeAllConnections();
        server.close();
        await flow.stop();
      });

      it("streams the CSV into the response, as a file to be saved", async () => {
        await serve(reference);
        const response = await fetch(url);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8");
        assert.equal(response.headers.get("content-disposition"), 'attachment; filename="readings.csv"');
        const rows: string[][] = parse(Buffer.from(await response.arrayBuffer()), { bom: true });
        assert.equal(rows.length, 1 + points.filter(({ measurement }) => measurement === "readings").length);
        const messages = await flow.arrival("progress", 1);
        assert.equal(progressOf(messages).state, "finished");
        assert.equal(messages[0]?.res, undefined);
        assert.deepEqual(flow.received("answers"), []);
      });

      it("leaves the response to a Catch node when there is nothing to stream", async () => {
        const store = new SlowHistorian(reference, new Error("the store is away"));
        await serve(store);
        assert.equal((await fetch(url)).status, 500);
        assert.match(flow.received("caught")[0]?.error.message ?? "", /the store is away/);
      });

      it("does nothing for a client that has gone before its turn", async () => {
        const store = new EndlessHistorian();
        await serve(store, { concurrency: "1" });
        const first: IncomingMessage = await new Promise((resolve) => get(url, resolve));
        first.once("error", () => {});
        const second = get(url).once("error", () => {});
        const [, response] = (await once(server, "request")) as [unknown, ServerResponse];
        second.destroy();
        await once(response, "close");
        first.destroy();
        const messages = await flow.arrival("progress", 2);
        const rows = () => messages.map(({ payload }) => payload as { state: string; rows: number });
        while (rows().filter(({ state }) => state === "cancelled").length < 2) await delay(10);
        assert.equal(rows().at(-1)?.rows, 0);
        assert.deepEqual(flow.received("caught"), []);
      });

      it("waits for a client that reads slowly, and ends when it goes away", async () => {
        const store = new EndlessHistorian();
        await serve(store);
        const response: IncomingMessage = await new Promise((resolve) => get(url, resolve));
        response.once("error", () => {});
        await once(response, "readable");
        let produced = -1;
        while (produced !== store.count) {
          produced = store.count;
          await delay(200);
        }
        assert.ok(produced < 1_000_000, `${produced} rows ahead of the client`);
        response.destroy();
        const messages = await flow.arrival("progress", 1);
        while (progressOf(messages).state !== "cancelled") await delay(10);
        assert.ok(store.hasEnded);
        assert.deepEqual(flow.received("caught"), []);
      });
    });
  });
});

/** A store that answers when it is told to, or with an error. */
class SlowHistorian extends MemoryHistorian {
  most = 0;
  #running = 0;
  #release = () => {};
  readonly #released = new Promise<void>((resolve) => {
    this.#release = resolve;
  });
  readonly #store: Historian;
  readonly #failure: Error | undefined;

  constructor(store: Historian, failure?: Error) {
    super();
    this.#store = store;
    this.#failure = failure;
  }

  release(): void {
    this.#release();
  }

  override catalogue() {
    return this.#store.catalogue();
  }

  override async *rows(...args: Parameters<Historian["rows"]>) {
    if (this.#failure) throw this.#failure;
    await this.#released;
    yield* this.#store.rows(...args);
  }

  override async aggregate(...args: Parameters<Historian["aggregate"]>) {
    this.most = Math.max(this.most, ++this.#running);
    await this.#released;
    this.#running--;
    return this.#store.aggregate(...args);
  }
}

/** A store that has kept only averages of the first hour. */
class ForgetfulHistorian extends MemoryHistorian {
  override rawSince(): number {
    return START + 3_600_000;
  }
}

/** A store that has no end of readings. */
class EndlessHistorian extends MemoryHistorian {
  count = 0;
  hasEnded = false;

  override async catalogue() {
    const { tags, fields } = await super.catalogue();
    return { tags: { ...tags, device: ["P7"] }, fields: { ...fields, readings: ["x"] } };
  }

  override async *rows({ from }: Selection) {
    const times = Array.from({ length: 1000 }, (_, row) => from + row);
    try {
      for (;;) {
        this.count += times.length;
        yield { tags: { device: "P7" }, times, fields: ["x"], values: [times] };
        await delay(0);
      }
    } finally {
      this.hasEnded = true;
    }
  }
}

/** The cells of a row that hold something, but for the apostrophe that makes text of them. */
function cellsOf(columns: string[], row: string[]): string {
  const cells = row.map((cell, place) => [columns[place], cell.replace(/^'(?=[=+\-@\t\r\n])/, "")]);
  return JSON.stringify(cells.filter(([, cell]) => cell !== "").sort());
}

/** The same of a point. */
function cellsOfPoint({ timestamp, tags, fields }: Point): string {
  const iso = (time: number) => new Date(time).toISOString();
  const cells = [
    ["time", iso(timestamp)],
    ...Object.entries(tags),
    ...Array.from(fields, ([name, value]) => [name, name === "raisedAt" ? iso(Number(value)) : String(value)]),
  ];
  return JSON.stringify(cells.sort());
}

/** What the last message tells of an export. */
function progressOf(messages: Received[]): Record<string, unknown> {
  return (messages.at(-1)?.payload ?? {}) as Record<string, unknown>;
}

function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
