import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import historian from "../../../nodes/historian/historian.ts";
import { RAW_POLICY } from "../../../nodes/historian/influx-policies.ts";
import historianWrite from "../../../nodes/historian-write/historian-write.ts";
import { newFolder } from "../../support/folders.ts";
import { type Influxd, startInfluxd } from "../../support/influxd.ts";
import { freePort } from "../../support/ports.ts";
import { type FlowNode, type NodeOptions, startFlow, startNode, type TestNode } from "../../support/test-flow.ts";
import { embeddedStore, influxStore, ownInfluxStore, type TestStore } from "./stores.ts";

const NOW = Date.now();

interface Figures {
  added: number;
  written: number;
  refused: number;
  dropped: number;
  damaged: number;
  spooled: number;
  backlogSeconds: number;
  bytes: number;
}

const reading = (deviceId: string, index = 0, more: object = {}) => ({
  deviceId,
  timestamp: NOW + index,
  metrics: { temperature: 60 + index, speed: 2 },
  ...more,
});
const readings = (count: number, from = 0, deviceId = "P7") =>
  Array.from({ length: count }, (_, index) => reading(deviceId, from + index));

/** Waits until something is the case. */
async function until(isTrue: () => boolean | Promise<boolean>, seconds = 15): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !(await isTrue()); ) {
    assert.ok(performance.now() < end, `not within ${seconds} s: ${isTrue}`);
    await wait(20);
  }
}

/** A way to a port of this machine on which each piece takes so many milliseconds more. */
async function slowRelay(port: number, milliseconds: number) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    far.pipe(near);
    near.on("data", (piece) => setTimeout(() => far.write(piece), milliseconds));
    for (const socket of [near, far]) sockets.add(socket.on("error", () => {}).on("close", () => far.destroy()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe("historian-write", function () {
  this.timeout(60_000);
  let influxd: Influxd;
  let node: TestNode;
  let userDir: string;
  let stores: TestStore[];
  let count = 0;

  before(async () => {
    influxd = await startInfluxd();
  });
  after(() => influxd?.stop());
  beforeEach(() => {
    userDir = newFolder();
    stores = [];
  });
  afterEach(async () => {
    await node.stop();
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  /** A store of its own for each test. */
  const storeOf = (engine: string) => {
    const store = engine === "embedded" ? embeddedStore() : influxStore(influxd, `plant${count++}`);
    stores.push(store);
    return store;
  };
  /** Starts a node on a store of these settings. */
  async function start(store: object, settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(
      historianWrite,
      { type: "historian-write", historian: "store", flushSeconds: "0.1", ...settings },
      {
        definitions: [historian],
        configs: [{ id: "store", type: "historian", ...store } as FlowNode],
        settings: { userDir },
        ...options,
      },
    );
  }
  /** A store that is away. */
  const away = async () => ({ engine: "influxdb", url: `http://127.0.0.1:${await freePort()}` });

  const send = (payload: unknown) => node.send({ payload });
  const figures = () => node.output(1).at(-1)?.payload as Figures | undefined;
  const written = (count: number) => until(() => figures()?.written === count, 30);
  const completed = (count: number) => until(() => node.completed().length === count);
  const texts = () => node.statuses().map(({ fill, shape, text }) => `${fill} ${shape} ${text}`);
  const spoolFolder = () => join(userDir, "device-analytics", "spool", "node");

  for (const engine of ["embedded", "influxdb"]) {
    describe(`with the engine ${engine}`, () => {
      it("stores readings, verdicts, health, status events, windows and alarms, in any mix", async () => {
        const store = storeOf(engine);
        await start(store.settings);
        const verdict = { detector: "z", isAnomaly: true, score: 4, threshold: 3, metrics: {} };
        const alarm = {
          ...{ alarmId: "P7/hot", deviceId: "P7", condition: "hot", severity: "warning", state: "unacknowledged" },
          ...{ change: "raised", timestamp: NOW },
        };
        send(reading("P7", 0, { verdicts: { z: verdict } }));
        send([
          reading("P8", 0, { health: { score: 70, status: "warning", flags: ["hot"], contributors: [] } }),
          { deviceId: "P7", status: "offline", timestamp: NOW, silentSeconds: 15 },
          { group: "P7", windowStart: NOW, windowEnd: NOW + 60_000, count: 3, metrics: { temperature: { mean: 61 } } },
          alarm,
          { device_id: "P9", temperature: 50, timestamp: NOW },
        ]);
        await written(8);
        assert.deepEqual(await store.values("readings"), [
          `P7 ${NOW} speed 2`,
          `P7 ${NOW} temperature 60`,
          `P8 ${NOW} speed 2`,
          `P8 ${NOW} temperature 60`,
          `P9 ${NOW} temperature 50`,
        ]);
        assert.deepEqual(await store.values("verdicts"), [
          `P7 ${NOW} isAnomaly 1`,
          `P7 ${NOW} score 4`,
          `P7 ${NOW} threshold 3`,
        ]);
        assert.ok((await store.values("health")).includes(`P8 ${NOW} flags hot`));
        assert.ok((await store.values("status")).includes(`P7 ${NOW} status offline`));
        assert.ok((await store.values("windows")).includes(`P7 ${NOW} temperature.mean 61`));
        assert.ok((await store.values("alarms")).includes(`P7 ${NOW} severity warning`));
        assert.equal(node.completed().length, 2);
        assert.deepEqual([node.caught(), node.output(2)], [[], []]);
      });

      it("stores of readings only what it is told to", async () => {
        const store = storeOf(engine);
        await start(store.settings, { record: "health, features" });
        const health = { score: 70, status: "warning", flags: [], contributors: [] };
        send([reading("P7", 0, { health, features: { temperature: { mean: 61 } } }), reading("P8")]);
        await written(2);
        assert.deepEqual(await store.values("features"), [`P7 ${NOW} temperature.mean 61`]);
        assert.deepEqual([await store.count("health"), await store.count("readings")], [1, 0]);
        assert.equal(node.completed().length, 1);
      });

      it("sends what it had accepted before a restart", async () => {
        const store = storeOf(engine);
        await start(await away());
        for (let i = 0; i < 50; i++) send(readings(1000, i * 1000));
        await completed(50);
        await node.stop();
        await start(store.settings);
        for (let i = 50; i < 60; i++) send(readings(1000, i * 1000));
        await written(60_000);
        assert.equal(await store.count("readings"), 60_000);
        assert.equal(figures()?.spooled, 0);
      });

      it("loses nothing when it is stopped in the middle, again and again", async () => {
        const store = storeOf(engine);
        let sent = 0;
        for (let round = 0; round < 4; round++) {
          await start(store.settings, { batchSize: 700, flushSeconds: 0.1 });
          for (let i = 0; i < 20; i++, sent += 500) send(readings(500, sent));
          await completed(20);
          await node.stop();
        }
        await start(store.settings);
        await until(() => figures()?.spooled === 0);
        assert.equal(await store.count("readings"), sent);
      });
    });
  }

  describe("while the store is away", () => {
    it("accepts what is then on disk, and says how much is waiting, and why", async () => {
      await start(await away());
      send(readings(3));
      await completed(1);
      assert.ok(readdirSync(spoolFolder()).some((name) => name.endsWith(".segment")));
      await until(() => texts().some((text) => text === "yellow ring status.waiting"));
      await until(() => (figures()?.backlogSeconds ?? 0) >= 1);
      const { added, written, spooled } = figures() as Figures;
      assert.deepEqual([added, written, spooled], [3, 0, 3]);
      assert.deepEqual(node.caught(), []);
    });

    it("sends all of it, each once, when it is back, and what is new at once", async () => {
      await using own = await ownInfluxStore();
      await start(own.settings);
      send(readings(1000));
      await written(1000);
      await own.influxd.stop();
      for (let i = 0; i < 300; i++) send(readings(1000, 1000 + i * 1000));
      await completed(301);
      await until(() => texts().at(-1) === "yellow ring status.waiting");
      await own.influxd.start();
      send({ ...reading("new"), timestamp: Date.now() });
      const begin = performance.now();
      await until(async () => (await own.count("readings", "new").catch(() => 0)) === 1);
      const seconds = (performance.now() - begin) / 1000;
      assert.ok(seconds < 5, `new points show after ${seconds} s`);
      await written(301_001);
      assert.equal(await own.count("readings", "P7"), 301_000);
      await until(() => texts().at(-1) === "green dot status.rate");
    });

    it("shows new points while much is waiting, at the pace of a slow store", async () => {
      const store = storeOf("influxdb");
      await using relay = await slowRelay(influxd.port, 50);
      await start(await away());
      for (let i = 0; i < 300; i++) send(readings(1000, i * 1000));
      await completed(300);
      await node.stop();
      await start({ ...store.settings, url: relay.url }, { batchSize: 2000 });
      for (let index = 0; index < 3; index++) {
        const begin = performance.now();
        send(reading("new", index));
        await until(async () => (await store.count("readings", "new")) === index + 1);
        const seconds = (performance.now() - begin) / 1000;
        assert.ok(seconds < 5, `new points show after ${seconds} s`);
      }
      await until(() => texts().at(-1) === "yellow ring status.catchingUp");
      await written(300_003);
      assert.equal(await store.count("readings", "P7"), 300_000);
    });
  });

  describe("with points that the store refuses", () => {
    /** A store that has speed as text, so that a number is of the wrong type. */
    async function startWithConflict(options: NodeOptions = {}): Promise<TestStore> {
      const store = storeOf("influxdb");
      await start(store.settings, {}, options);
      send(reading("P1"));
      await written(1);
      const { database } = store.settings as { database: string };
      await influxd.write(`readings,device=P2 odd="text" ${NOW}`, database, RAW_POLICY);
      return store;
    }
    const odd = (deviceId: string, index: number) => ({ ...reading(deviceId, index), metrics: { odd: 1 } });

    it("sends these on with the reason, and stores all others", async () => {
      const store = await startWithConflict();
      send([...readings(500), odd("a b,c", 7), ...readings(500, 500), odd("P8", 8)]);
      await written(1001);
      const letters = node.output(2).map(({ payload }) => payload as { reason: string; payload: object });
      assert.deepEqual(
        letters.map(({ payload }) => payload),
        [
          { measurement: "readings", tags: { device: "a b,c" }, timestamp: NOW + 7, fields: { odd: 1 } },
          { measurement: "readings", tags: { device: "P8" }, timestamp: NOW + 8, fields: { odd: 1 } },
        ],
      );
      assert.match(letters[0]?.reason ?? "", /odd.*conflict|conflict.*odd|type/);
      assert.equal(await store.count("readings", "P7"), 1000);
      assert.deepEqual([figures()?.refused, figures()?.spooled, node.caught()], [2, 0, []]);
    });

    it("gives them to a Catch node where nothing is wired for them", async () => {
      await startWithConflict({ outputs: 1 });
      send([odd("P8", 8), reading("P7")]);
      await written(2);
      assert.match(node.reasons()[0] ?? "", /^the store refuses 1 points: /);
      const points = node.caught().flatMap(({ payload }) => payload as { fields: object }[]);
      assert.deepEqual(
        points.map(({ fields }) => fields),
        [{ odd: 1 }],
      );
    });
  });

  it("gives a Catch node what it does not understand, and stores the rest", async () => {
    const store = storeOf("embedded");
    await start(store.settings);
    send([reading("P7"), "x", { ...reading("P8"), metrics: { _quality: 1 } }]);
    await written(1);
    assert.match(node.reasons()[0] ?? "", /^refused 2 of 3 readings: /);
    assert.deepEqual(node.caught()[0]?.payload, ["x", { ...reading("P8"), metrics: { _quality: 1 } }]);
    assert.equal(node.completed().length, 1);
    assert.equal(await store.count("readings"), 1);
  });

  describe("with a spool that is full", () => {
    const fill = async (whenFull: string) => {
      await start(await away(), { spoolLimitMegabytes: 1, whenFull });
      for (let i = 0; i < 60; i++) {
        send(readings(1000, i * 1000));
        await until(() => node.completed().length + node.caught().length === i + 1);
      }
    };

    it("drops the oldest, and counts them", async () => {
      await fill("drop-oldest");
      assert.deepEqual(node.caught(), []);
      await until(() => figures()?.added === 60_000);
      const { dropped, spooled, bytes } = figures() as Figures;
      assert.ok(dropped > 0 && dropped + spooled === 60_000, `${dropped} dropped, ${spooled} spooled`);
      assert.ok(bytes <= 1e6);
      const store = storeOf("embedded");
      await node.stop();
      await start(store.settings);
      await written(spooled);
      assert.equal(await store.count("readings"), spooled);
      assert.ok((await store.values("readings")).some((value) => value.startsWith(`P7 ${NOW + 59_999} `)));
    });

    it("refuses whole messages with an error, and says so, until there is room", async () => {
      await fill("refuse");
      const { length } = node.caught();
      assert.ok(length > 0 && length + node.completed().length === 60);
      assert.match(node.reasons()[0] ?? "", /^the spool is full/);
      assert.ok(node.caught().every(({ payload }) => (payload as unknown[]).length === 1000));
      await until(() => /^red ring the spool is full/.test(texts().at(-1) ?? ""));
      const kept = node.completed().length * 1000;
      const store = storeOf("embedded");
      await node.stop();
      await start(store.settings, { spoolLimitMegabytes: 1, whenFull: "refuse" });
      await written(kept);
      send(readings(1000, 60_000));
      await written(kept + 1000);
      assert.equal(await store.count("readings"), kept + 1000);
      assert.match(texts().at(-1) ?? "", /^green dot/);
    });
  });

  describe("with wrong settings", () => {
    for (const [settings, reason] of [
      [{ historian: "" }, "historian: must be chosen"],
      [{ historian: "none" }, "historian: the configuration node is missing or disabled"],
      [{ batchSize: 0 }, "batchSize: must be a whole number from 1 to 50000"],
      [{ fsync: "sometimes" }, "fsync: must be one of always, interval, never"],
    ] as const) {
      it(`shows "${reason}"`, async () => {
        await start(storeOf("embedded").settings, settings);
        assert.deepEqual(texts(), [`red ring ${reason}`]);
      });
    }

    it("shows what is wrong with those of its historian", async () => {
      await start({ engine: "influxdb", url: "nowhere" });
      assert.match(texts()[0] ?? "", /^red ring historian: url: /);
    });

    it("wants a folder where Node-RED has none", async () => {
      await start(storeOf("embedded").settings, {}, { settings: {} });
      assert.deepEqual(texts(), ["red ring spoolFolder: must be named, for Node-RED has no user directory"]);
    });

    it("refuses all when the folder cannot be used", async () => {
      await start(storeOf("embedded").settings, { spoolFolder: "/dev/null/spool" });
      await until(() => /^red ring .*\/dev\/null/.test(texts().at(-1) ?? ""));
      send(reading("P7"));
      await until(() => node.caught().length === 1);
      assert.match(node.reasons()[0] ?? "", /\/dev\/null/);
      assert.equal(node.completed().length, 0);
    });
  });

  it("does not share the folder of another node", async () => {
    const own = { spoolFolder: join(newFolder(), "spool"), historian: "store", wires: [] };
    const flow = await startFlow(
      [historian, historianWrite],
      [
        { id: "store", type: "historian", ...storeOf("embedded").settings },
        ...["one", "two"].map((id): FlowNode => ({ id, type: "historian-write", ...own })),
      ],
      { settings: { userDir } },
    );
    const texts = () => ["one", "two"].flatMap((id) => flow.statuses(id).map(({ text }) => text ?? ""));
    await until(() =>
      texts().includes(`${own.spoolFolder} is in use by another node: each spool needs a folder of its own`),
    );
    await flow.stop();
  });

  it("leaves what has not been sent where it is when the node is deleted", async () => {
    await start(await away());
    send(readings(3));
    await completed(1);
    await node.stop();
    assert.ok(existsSync(spoolFolder()));
    const store = storeOf("embedded");
    await start(store.settings, { id: "another", spoolFolder: spoolFolder() });
    await until(async () => (await store.count("readings")) === 3);
  });
});
