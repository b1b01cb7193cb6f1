import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import historian from "../../../nodes/historian/historian.ts";
import type { Historian } from "../../../nodes/lib/historian.ts";
import { reference, text } from "../../../nodes/lib/options.ts";
import { define } from "../../../nodes/lib/runtime.ts";
import { newFolder } from "../../support/folders.ts";
import { type Influxd, startInfluxd } from "../../support/influxd.ts";
import { type FlowNode, startNode, type TestNode } from "../../support/test-flow.ts";

const variable = (name: string) => `\${${name}}`;

describe("historian", function () {
  this.timeout(30_000);
  let influxd: Influxd;
  let node: TestNode;
  let store: Historian | undefined;
  let userDir: string;

  /** A node that uses a historian. */
  const user = define("user", { name: text(""), historian: reference("historian") }, (host) => {
    store = host.config<Historian>("historian");
    return { receive() {}, status: () => ({ fill: "green", shape: "dot", text: "fine" }) };
  });

  before(async () => {
    influxd = await startInfluxd();
  });
  after(() => influxd?.stop());
  beforeEach(() => {
    userDir = newFolder();
    store = undefined;
  });
  afterEach(() => node.stop());

  async function start(settings: object): Promise<void> {
    node = await startNode(
      user,
      { type: "user", historian: "store" },
      {
        definitions: [historian],
        configs: [{ id: "store", type: "historian", ...settings } as FlowNode],
        settings: { userDir },
      },
    );
  }

  const status = () => node.statuses().at(-1)?.text ?? "";
  async function until(isTrue: () => boolean): Promise<void> {
    for (const end = performance.now() + 15_000; !isTrue(); await wait(20)) {
      assert.ok(performance.now() < end, `not within 15 s: ${isTrue}; ${status()}`);
    }
  }

  it("keeps everything in a file of the user directory unless it is told otherwise", async () => {
    await start({});
    assert.equal(store?.engine, "embedded");
    const file = join(userDir, "device-analytics", "history", "store.sqlite");
    assert.equal(store?.location, file);
    await until(() => existsSync(file));
    await store?.check();
    assert.deepEqual([status(), node.logged()], ["fine", []]);
  });

  it("takes every setting from the environment, the engine too", async () => {
    const environment = {
      ...{ STORE_ENGINE: "influxdb", STORE_URL: influxd.url, STORE_DATABASE: "from_environment", STORE_DAYS: "7" },
      STORE_USER: "me",
    };
    Object.assign(process.env, environment);
    try {
      await start({
        engine: variable("STORE_ENGINE"),
        url: variable("STORE_URL"),
        database: variable("STORE_DATABASE"),
        username: variable("STORE_USER"),
        retentionDays: variable("STORE_DAYS"),
      });
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name];
    }
    assert.equal(store?.location, `${influxd.url}/from_environment`);
    const week = 7 * 86_400_000;
    assert.ok(Math.abs(Date.now() - week - (store?.rawSince(Date.now()) ?? 0)) < week);
  });

  it("shows on its users that the store is away, once in the log, and when it is back", async () => {
    await using own = await startInfluxd();
    await own.stop();
    await start({ engine: "influxdb", url: own.url });
    await until(() => /refuses connections/.test(status()));
    await own.start();
    await until(() => status() === "fine");
    assert.equal(node.logged().length, 1);
  });

  it("makes its database and keeps it in order, at once and from then on", async () => {
    await start({ engine: "influxdb", url: influxd.url, database: "kept" });
    const policies = async () => (await influxd.query("SHOW RETENTION POLICIES", "kept").catch(() => []))[0]?.values;
    for (let tries = 0; tries < 200 && (await policies())?.length !== 3; tries++) await wait(50);
    assert.equal((await policies())?.length, 3);
  });

  it("shows wrong settings on its users", async () => {
    await start({ retentionDays: -1 });
    assert.equal(status(), "historian: retentionDays: must be a number from 0 to 36500");
  });
});
