/** The historian in a real InfluxDB. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Point, Selection } from "../../../core/history/types.ts";
import { InfluxHistorian } from "../../../nodes/historian/influx.ts";
import { QueryError, StoreUnavailable } from "../../../nodes/lib/historian.ts";
import { SettingError } from "../../../nodes/lib/options.ts";
import { startHttpProxy } from "../../support/http-proxy.ts";
import { ADMIN, type Influxd, startInfluxd } from "../../support/influxd.ts";
import { freePort } from "../../support/ports.ts";
import { collect, describeEngine, linesOf } from "./contract.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The beginning of an hour that is over. */
const START = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;

const everything: Selection = { measurement: "readings", from: START - DAY, to: START + DAY };

const reading = (device: string, timestamp: number, value: number | string = 1): Point => ({
  measurement: "readings",
  tags: { device },
  timestamp,
  fields: new Map([["temperature", value]]),
});

/** Readings of one device, a second apart. */
const readings = (count: number): Point[] =>
  Array.from({ length: count }, (_, i) => reading("R1", START + i * 1000, i));

type Settings = ConstructorParameters<typeof InfluxHistorian>[0];

describe("historian in InfluxDB", () => {
  let influxd: Influxd;
  let databases = 0;
  const opened: InfluxHistorian[] = [];

  before(async () => {
    influxd = await startInfluxd();
  });

  after(async () => {
    await influxd.stop("SIGKILL");
  });

  afterEach(async () => {
    for (const historian of opened.splice(0)) await historian.close();
  });

  const settings = (more: Partial<Settings> = {}): Settings => ({
    url: influxd.url,
    database: `d${databases++}`,
    username: "",
    password: "",
    token: "",
    retentionDays: 30,
    archiveDays: 365,
    ...more,
  });

  function open(more: Partial<Settings> = {}): InfluxHistorian {
    const historian = new InfluxHistorian(settings(more));
    opened.push(historian);
    return historian;
  }

  async function count(historian: InfluxHistorian): Promise<number> {
    const chunks = await collect(historian, everything);
    return chunks.reduce((sum, { times }) => sum + times.length, 0);
  }

  const unavailable = (pattern: RegExp) => (error: Error) => {
    assert.ok(error instanceof StoreUnavailable, String(error));
    assert.match(error.message, pattern);
    return true;
  };

  describeEngine("InfluxDB", async (retention) => new InfluxHistorian(settings(retention)));

  describe("database and policies", () => {
    const policiesOf = async (database: string) => {
      const [series] = await influxd.query(`SHOW RETENTION POLICIES ON "${database}"`);
      return new Map(series?.values.map(([name, ...rest]) => [name, rest]));
    };

    it("creates the database and policies of its own with the first use", async () => {
      const database = `plant "north" '1'`;
      const historian = open({ database });
      assert.deepEqual(await historian.write(linesOf(readings(3))), []);
      const [databases] = await influxd.query("SHOW DATABASES");
      assert.ok(databases?.values.flat().includes(database));
      assert.equal(await count(historian), 3);
      await assert.rejects(open({ database: "no/name" }).write(linesOf(readings(1))), unavailable(/invalid name/));
    });

    it("changes its own policies when the days change, and never those of others", async () => {
      await influxd.query('CREATE DATABASE "plant"');
      await influxd.query('CREATE RETENTION POLICY "ours" ON "plant" DURATION 7d REPLICATION 1 DEFAULT');
      const before = await policiesOf("plant");
      await open({ database: "plant" }).write(linesOf(readings(1)));
      const first = await policiesOf("plant");
      assert.deepEqual(first.get("device_analytics_raw"), ["720h0m0s", "24h0m0s", 1, false]);
      assert.deepEqual(first.get("device_analytics_archive"), ["8760h0m0s", "720h0m0s", 1, false]);
      await open({ database: "plant", retentionDays: 1, archiveDays: 0 }).write(linesOf(readings(1)));
      const second = await policiesOf("plant");
      assert.deepEqual(second.get("device_analytics_raw"), ["24h0m0s", "1h0m0s", 1, false]);
      assert.deepEqual(second.get("device_analytics_archive"), ["0s", "720h0m0s", 1, false]);
      for (const [name, policy] of before) assert.deepEqual(second.get(name), policy);
    });

    it("creates them again when somebody drops them or the database", async () => {
      const historian = open({ database: "dropped" });
      for (const statement of [
        'DROP RETENTION POLICY "device_analytics_raw" ON "dropped"',
        'DROP DATABASE "dropped"',
      ]) {
        await historian.write(linesOf(readings(2)));
        await influxd.query(statement);
        await assert.rejects(historian.write(linesOf(readings(2))), StoreUnavailable);
        assert.deepEqual(await historian.write(linesOf(readings(2))), []);
        assert.equal(await count(historian), 2);
      }
    });

    it("tells from its settings what is wrong with them", () => {
      assert.throws(() => open({ url: "plant-db:8086" }), SettingError);
      assert.throws(() => open({ url: "" }), SettingError);
      assert.throws(() => open({ database: "" }), SettingError);
    });

    it("is the same store under the same address and database, and tells no secret", () => {
      const secrets = { username: "me", password: "secret", token: "secret" };
      assert.equal(open({ url: "http://me:secret@db:8086/", database: "d", ...secrets }).location, "http://db:8086/d");
    });
  });

  describe("credentials", () => {
    let guarded: Influxd;

    before(async () => {
      guarded = await startInfluxd({ auth: true });
      await guarded.query(`CREATE USER "writer" WITH PASSWORD 'secret'`);
    });

    after(async () => {
      await guarded.stop("SIGKILL");
    });

    const user = { username: "writer", password: "secret" };

    it("says that a user is wanted, or that the password is wrong", async () => {
      await assert.rejects(open({ url: guarded.url }).check(), unavailable(/wants a user or a token/));
      const wrong = open({ url: guarded.url, ...user, password: "guessed" });
      await assert.rejects(wrong.check(), unavailable(/"writer" or the password is wrong/));
      await assert.rejects(wrong.write(linesOf(readings(1))), unavailable(/"writer" or the password is wrong/));
    });

    it("does everything as an administrator", async () => {
      const historian = open({ url: guarded.url, ...ADMIN });
      assert.match((await historian.check()).version, /^1\./);
      assert.deepEqual(await historian.write(linesOf(readings(5))), []);
      await historian.maintain(Date.now() + HOUR);
      assert.equal(await count(historian), 5);
    });

    it("says what an administrator has to run for a user who may not, and works once it was run", async () => {
      const historian = open({ url: guarded.url, database: "north", ...user });
      const problem = await historian.check().catch((error) => error);
      assert.ok(unavailable(/may not prepare the database/)(problem));
      await assert.rejects(
        historian.write(linesOf(readings(1))),
        unavailable(/CREATE DATABASE "north"; CREATE RETENTION/),
      );
      const statements = problem.message.replace(/^.*?run once: /, "").split("; ");
      assert.equal(statements.length, 4);
      for (const statement of statements) await guarded.query(statement);
      await historian.check();
      assert.deepEqual(await historian.write(linesOf(readings(5))), []);
      await historian.maintain(Date.now() + HOUR);
      assert.equal(await count(historian), 5);
    });
  });

  it("speaks TLS with an authority that Node.js is told of, and says when it is told of none", async () => {
    await using secure = await startInfluxd({ tls: true });
    await assert.rejects(open({ url: secure.url }).check(), unavailable(/certificate .* NODE_EXTRA_CA_CERTS/));
    await assert.rejects(
      open({ url: secure.url.replace("https", "http") }).check(),
      unavailable(/not as an InfluxDB|HTTP/),
    );
    await assert.rejects(
      open({ url: influxd.url.replace("http", "https") }).check(),
      unavailable(/does not speak TLS/),
    );
    const module = join(import.meta.dirname, "../../../nodes/historian/influx.ts");
    const program = `import { InfluxHistorian } from ${JSON.stringify(module)};
      const historian = new InfluxHistorian(${JSON.stringify(settings({ url: secure.url }))});
      await historian.write(Buffer.from("readings,device=R1 a=1 ${START}\\n"));
      for await (const { values } of historian.rows(${JSON.stringify(everything)})) console.log(JSON.stringify(values));
      await historian.close();`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: secure.ca },
      encoding: "utf8",
    });
    assert.equal(output.trim(), "[[1]]");
  });

  describe("connection", () => {
    it("says that nobody listens, that there is no host, and that it is no InfluxDB", async () => {
      const url = `http://127.0.0.1:${await freePort()}`;
      await assert.rejects(open({ url }).check(), unavailable(/refuses connections/));
      await assert.rejects(
        open({ url: "http://no-such-host.invalid:8086" }).check(),
        unavailable(/no host "no-such-host/),
      );
      await using proxy = await startHttpProxy(influxd.url);
      proxy.fate = () => ({ status: 200, body: "<html>" });
      await assert.rejects(open({ url: proxy.url }).check(), unavailable(/not as an InfluxDB/));
      proxy.fate = () => ({ status: 404, body: "not here" });
      await assert.rejects(open({ url: proxy.url }).check(), unavailable(/not as an InfluxDB/));
    });

    it("writes again once the server is back, on the same data", async () => {
      await using server = await startInfluxd();
      const historian = open({ url: server.url });
      await historian.write(linesOf(readings(10)));
      for (const signal of ["SIGKILL", "SIGTERM"] as const) {
        await server.stop(signal);
        await assert.rejects(historian.write(linesOf(readings(20))), StoreUnavailable);
        await assert.rejects(count(historian), StoreUnavailable);
        await server.start();
        assert.deepEqual(await historian.write(linesOf(readings(20))), []);
        assert.equal(await count(historian), 20);
      }
    });

    it("gives up a connection that is half open within some seconds", async function () {
      this.timeout(30_000);
      await using server = await startInfluxd();
      const historian = open({ url: server.url });
      await historian.write(linesOf(readings(10)));
      server.pause();
      const begun = Date.now();
      await assert.rejects(historian.write(linesOf(readings(10))), unavailable(/did not answer within 10 s/));
      assert.ok(Date.now() - begun < 12_000);
      server.resume();
      assert.deepEqual(await historian.write(linesOf(readings(10))), []);
    });

    it("is unavailable on errors of the server, too many requests and broken connections, and loses nothing", async () => {
      await using proxy = await startHttpProxy(influxd.url);
      const historian = open({ url: proxy.url });
      const fates = [
        "reset",
        { status: 500 },
        { status: 503, headers: { "retry-after": "7" } },
        { status: 429 },
      ] as const;
      for (const fate of fates) {
        proxy.fate = (path) => (path === "/write" ? fate : "pass");
        const problem = await historian.write(linesOf(readings(50))).catch((error) => error);
        assert.ok(problem instanceof StoreUnavailable, String(problem));
        assert.equal(problem.retryAfterSeconds, fate !== "reset" && fate.status === 503 ? 7 : undefined);
        proxy.fate = () => "pass";
        assert.deepEqual(await historian.write(linesOf(readings(50))), []);
      }
      proxy.fate = (path) => (path === "/query" ? { status: 503, body: "busy" } : "pass");
      await assert.rejects(count(historian), StoreUnavailable);
      proxy.fate = () => "pass";
      assert.equal(await count(historian), 50);
    });

    it("divides what is too large for the server", async () => {
      await using server = await startInfluxd({ config: { http: ["max-body-size = 2000"] } });
      const historian = open({ url: server.url });
      const refused = await historian.write(linesOf([...readings(200), reading("R2", START, "x".repeat(3000))]));
      assert.deepEqual(
        refused.map(({ index, reason }) => [index, reason]),
        [[200, "Request Entity Too Large"]],
      );
      assert.equal(await count(historian), 200);
    });

    it("finds one refused line among 4096 with few requests", async () => {
      await using proxy = await startHttpProxy(influxd.url);
      const historian = open({ url: proxy.url });
      await historian.write(linesOf(readings(1)));
      const points = readings(4096);
      points[3000] = reading("R2", START, "warm");
      proxy.requests.length = 0;
      const refused = await historian.write(linesOf(points));
      assert.deepEqual(
        refused.map(({ index }) => index),
        [3000],
      );
      assert.match(refused[0]?.reason ?? "", /temperature.* is type string, already exists as type float$/);
      assert.equal(await count(historian), 4095);
      const writes = proxy.requests.filter((request) => request === "POST /write").length;
      // The batch, two for each halving, and the marks.
      assert.ok(writes <= 2 + 2 * 13, `${writes} requests`);
    });
  });

  describe("2.x and 3.x", () => {
    it("need a database that is there, and get no statements that change anything", async () => {
      await using proxy = await startHttpProxy(influxd.url);
      proxy.headers = { "x-influxdb-version": "v2.7.1" };
      proxy.fate = (_path, body) => {
        const statement = new URLSearchParams(body).get("q") ?? "";
        return /CREATE|ALTER|INTO|POLIC/.test(statement)
          ? { status: 400, body: '{"error":"not implemented"}' }
          : "pass";
      };
      const historian = open({ url: proxy.url, database: "mapped" });
      await assert.rejects(historian.check(), unavailable(/no database "mapped".*map it to a bucket/));
      await assert.rejects(historian.write(linesOf(readings(1))), unavailable(/map it to a bucket/));
      await influxd.query('CREATE DATABASE "mapped"');
      assert.deepEqual(await historian.check(), { version: "2.7.1" });
      assert.deepEqual(await historian.write(linesOf(readings(60))), []);
      await historian.maintain(Date.now() + HOUR);
      const query = { ...everything, from: START, to: START + HOUR, every: HOUR, groupBy: [] };
      const [aggregate] = await historian.aggregate({ ...query, functions: ["count", "max"] });
      assert.deepEqual(aggregate?.columns, { count: [60], max: [59] });
      assert.deepEqual((await historian.catalogue()).fields.readings, ["temperature"]);
      assert.equal(await count(historian), 60);
      assert.equal(historian.rawSince(Date.now()), -Infinity);
    });
  });

  describe("roll-ups", () => {
    const byHour = {
      ...everything,
      from: START,
      to: START + HOUR,
      every: HOUR,
      groupBy: [],
      functions: ["count"] as const,
    };
    const counted = async (historian: InfluxHistorian) => (await historian.aggregate(byHour))[0]?.columns.count?.[0];

    it("answer once they are there, and what is written meanwhile leaves its hour due", async () => {
      const database = "rolled";
      await using proxy = await startHttpProxy(influxd.url);
      const historian = open({ url: proxy.url, database });
      await historian.write(linesOf(readings(100)));
      // Something is written after the server has rolled up and before that is noted.
      let isFirst = true;
      proxy.fate = (path, body) => {
        if (path === "/write" && body.startsWith("rollup_due done") && isFirst) {
          isFirst = false;
          writing = historian.write(linesOf(readings(150)));
          return { status: 503 };
        }
        return "pass";
      };
      let writing: Promise<unknown> = Promise.resolve();
      await assert.rejects(historian.maintain(Date.now() + HOUR), StoreUnavailable);
      await writing;
      assert.equal(await counted(historian), 150);
      await historian.maintain(Date.now() + HOUR);
      assert.equal(await counted(historian), 150);
      // From the roll-up indeed: what was written is taken away without a mark.
      await influxd.query("DROP SERIES FROM readings", database);
      assert.equal(await counted(historian), 150);
    });

    it("are left until an hour is over and has not been written to for a while", async () => {
      const historian = open({ database: "settling" });
      await historian.write(linesOf(readings(10)));
      await historian.maintain(Date.now());
      assert.deepEqual(await influxd.query("SELECT * FROM device_analytics_archive.readings_1h", "settling"), []);
      assert.equal(await counted(historian), 10);
      await historian.maintain(Date.now() + 60_000);
      const [rolledUp] = await influxd.query(
        "SELECT count_temperature FROM device_analytics_archive.readings_1h",
        "settling",
      );
      assert.deepEqual(rolledUp?.values, [[START, 10]]);
    });
  });

  it("keeps the roll-up of what was dropped, when more comes late after the days were raised again", async () => {
    await using server = await startInfluxd({ config: { retention: ['check-interval = "100ms"'] } });
    const store = { url: server.url, database: "raised" };
    const hour = START - 3 * DAY;
    const question = {
      ...everything,
      from: hour,
      to: hour + HOUR,
      every: HOUR,
      groupBy: [],
      functions: ["count"] as const,
    };
    const counted = async (historian: InfluxHistorian) => (await historian.aggregate(question))[0]?.columns.count?.[0];

    const first = open(store);
    await first.write(linesOf([reading("R1", hour), reading("R1", hour + 1), reading("R1", START)]));
    await first.maintain(Date.now() + HOUR);
    const lowered = open({ ...store, retentionDays: 1 });
    await lowered.maintain(Date.now());
    const rawShards = async () => {
      const [series] = await server.query("SHOW SHARDS");
      return series?.values.filter(([, , policy]) => policy === "device_analytics_raw").length;
    };
    while ((await rawShards()) !== 1) await delay(50);
    assert.equal(await counted(lowered), 2);

    const raised = open(store);
    assert.deepEqual(await raised.write(linesOf([reading("R1", hour + 2)])), []);
    await raised.maintain(Date.now() + HOUR);
    assert.equal(await counted(raised), 2);
    assert.equal((await collect(raised, { ...everything, from: hour }))[0]?.times.length, 2);
    const since = Date.now() - DAY;
    assert.ok(Math.abs(raised.rawSince(Date.now()) - since) < 60_000);
  });

  describe("questions", () => {
    it("take every name and value as a name or value", async () => {
      const historian = open();
      await historian.write(linesOf(readings(3)));
      const hostile = [
        "' OR '1'='1",
        "'; DROP SERIES FROM readings; --",
        "\\' OR \\'1\\'=\\'1",
        '"',
        "x' OR time > 0",
        "\n",
      ];
      for (const name of hostile) {
        assert.deepEqual(await collect(historian, { ...everything, tags: { device: [name] } }), []);
        assert.deepEqual(await collect(historian, { ...everything, fields: [name] }), []);
        assert.deepEqual(await historian.latest({ ...everything, fields: [name, `x" FROM "readings`] }), []);
        const query = { ...everything, fields: [name], groupBy: [], functions: ["mean"] as const };
        assert.deepEqual(await historian.aggregate(query), []);
      }
      assert.equal(await count(historian), 3);
    });

    it("that the server's limits forbid say so", async () => {
      await using server = await startInfluxd({ config: { coordinator: ["max-select-series = 5"] } });
      const historian = open({ url: server.url });
      await historian.write(linesOf(Array.from({ length: 10 }, (_, i) => reading(`R${i}`, START))));
      await assert.rejects(collect(historian, everything), (error: Error) => {
        assert.ok(error instanceof QueryError);
        assert.match(error.message, /max-select-series.*ask for a shorter range or fewer devices/);
        return true;
      });
      assert.equal((await collect(historian, { ...everything, tags: { device: ["R3"] } })).length, 1);
    });

    it("hold up the server, not the memory, while their answer is taken slowly", async () => {
      const historian = open();
      const points = Array.from({ length: 60_000 }, (_, i) => reading("R1", START + i, i));
      for (let start = 0; start < points.length; start += 20_000) {
        await historian.write(linesOf(points.slice(start, start + 20_000)));
      }
      let instants = 0;
      for await (const { times } of historian.rows(everything)) {
        instants += times.length;
        if (instants < 10_000) await delay(20);
      }
      assert.equal(instants, points.length);
    });
  });
});
