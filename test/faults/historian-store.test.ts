/** The store, or the way to it, fails under load: what historian-write had acknowledged is there in the end, once. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../core/random.ts";
import { influxStore } from "../nodes/historian-write/stores.ts";
import { type Fault, type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { type Influxd, startInfluxd } from "../support/influxd.ts";
import { type Load, loadOn, until } from "./load.ts";

/** How long a request may go without an answer, ms. */
const PATIENCE = 10_000;

/** How long influxd is away at least; the short form is over as soon as there is a backlog. */
const AWAY = 1000 * Number(process.env.HISTORIAN_AWAY_SECONDS ?? 0);

describe("historian-write under load", function () {
  this.timeout(90_000 + 5 * AWAY);

  let shared: Influxd;
  let count = 0;
  before(async () => {
    shared = await startInfluxd();
  });
  after(() => shared.stop());
  /** A store of its own behind a proxy. */
  const storeBehind = ({ url }: FaultyProxy) => influxStore({ ...shared, url }, `faults${count++}`);

  it("loses and doubles nothing while influxd is killed and away, and shows new data within 5 s after", async () => {
    await using influxd = await startInfluxd();
    await using proxy = await startFaultyProxy(influxd.port);
    await using load = await loadOn(influxStore({ ...influxd, url: proxy.url }), { batchSize: "500" });
    await until(() => load.figures.written > 1000);
    await influxd.stop("SIGKILL");
    // What is acknowledged meanwhile makes a backlog, which then takes seconds.
    const before = load.producer.acknowledged;
    await delay(AWAY);
    await until(() => load.producer.acknowledged > before + 10_000);
    proxy.fault = { kind: "slow", milliseconds: 150 };
    await influxd.start();
    const seconds = await untilNewShows(load);
    assert.ok(seconds < 5, `new data shows after ${seconds} s`);
    assert.ok(load.figures.spooled > 0, "the backlog was gone before");
    proxy.fault = { kind: "none" };
    assert.equal(await load.missingInTheEnd(), 0);
  });

  const faults: [what: string, fault: Fault][] = [
    ["slow", { kind: "slow", milliseconds: 800 }],
    ["answering 500", { kind: "answer", status: 500 }],
    ["answering 429 with a Retry-After", { kind: "answer", status: 429, headers: { "retry-after": "1" } }],
    ["resetting connections", { kind: "reset" }],
    ["resetting connections once it has written", { kind: "reset-after" }],
    ["cutting requests in half", { kind: "half" }],
  ];
  for (const [what, fault] of faults) {
    it(`loses and doubles nothing while the store is ${what}`, async () => {
      await using proxy = await startFaultyProxy(shared.port);
      await using load = await loadOn(storeBehind(proxy));
      await until(() => load.figures.written > 1000);
      proxy.fault = fault;
      await until(() => (proxy.met.get(fault.kind) ?? 0) >= 3);
      proxy.fault = { kind: "none" };
      assert.equal(await load.missingInTheEnd(), 0);
    });
  }

  it("loses and doubles nothing while connections are half-open, and shows new data within 5 s after", async () => {
    await using proxy = await startFaultyProxy(shared.port);
    await using load = await loadOn(storeBehind(proxy));
    await until(() => load.figures.written > 1000);
    proxy.fault = { kind: "silent" };
    const before = load.producer.acknowledged;
    // Requests that nobody answers are given up after ten seconds; these have begun before that.
    await until(() => (proxy.met.get("silent") ?? 0) >= 2);
    await delay(PATIENCE);
    proxy.fault = { kind: "none" };
    assert.ok(load.producer.acknowledged > before, "it has accepted nothing meanwhile");
    const seconds = await untilNewShows(load);
    assert.ok(seconds < 5, `new data shows after ${seconds} s`);
    assert.equal(await load.missingInTheEnd(), 0);
  });

  it("loses and doubles nothing through all of these in any order", async () => {
    const seed = Date.now() % 2 ** 31;
    const random = new Random(seed);
    await using proxy = await startFaultyProxy(shared.port);
    await using load = await loadOn(storeBehind(proxy), { batchSize: "500" });
    const left = faults.map(([, fault]) => fault);
    while (left.length > 0) {
      const [fault = { kind: "none" }] = left.splice(Math.floor(random.next() * left.length), 1);
      const met = proxy.met.get(fault.kind) ?? 0;
      proxy.fault = fault;
      await until(() => (proxy.met.get(fault.kind) ?? 0) > met);
      await delay(200 * random.next());
      const { written } = load.figures;
      proxy.fault = { kind: "none" };
      if (random.next() < 0.5) await until(() => load.figures.written > written);
    }
    assert.equal(await load.missingInTheEnd(), 0, `lost with the seed ${seed}`);
  });
});

/** How long it takes until a reading is in the store that is sent now, s. */
async function untilNewShows(load: Load): Promise<number> {
  const begin = performance.now();
  load.send({ deviceId: "new", timestamp: Date.now(), metrics: { marker: 1 } });
  await until(async () => (await load.count("new")) === 1);
  return (performance.now() - begin) / 1000;
}
