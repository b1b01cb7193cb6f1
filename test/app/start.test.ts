import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { IClientOptions } from "mqtt";
import type { Reading } from "../../core/types.ts";
import { type ApplicationOptions, launch, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { connectClient } from "../support/mqtt.ts";
import { freePort } from "../support/ports.ts";
import { changed, newTab, nodeOf, withoutTab } from "./flows.ts";

const reading = (n: number) => ({ deviceId: "pump 1", timestamp: 1_700_000_000_000 + n, metrics: { n } });

/** Publishes a reading until it comes back analysed, and gives that. */
async function analysed(url: string, options: IClientOptions = {}, plant = "plant"): Promise<Reading> {
  await using client = await connectClient<Reading>(url, options);
  const topic = `${plant}/analysis/pump%201`;
  await client.subscribe(topic);
  const timer = setInterval(() => client.publish(`${plant}/telemetry/pump%201`, reading(1)), 100);
  const messages = await client.messages(topic).finally(() => clearInterval(timer));
  return messages[0]?.payload ?? assert.fail();
}

/** Every file of a folder, by its path. */
function filesIn(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path, readFileSync(path, "utf8")]));
}

describe("npm start", function () {
  this.timeout(60_000);

  it("tells where everything is, once it runs, and sends visitors to the dashboard", async () => {
    await using application = await startApplication();
    const admin = await application.admin();
    const home = await admin.fetch("/");
    assert.equal(home.status, 302);
    assert.equal(home.headers.get("location"), "/ui");
    assert.ok((await admin.fetch("/ui/")).ok);
    assert.match(await (await admin.fetch("/admin/")).text(), /<title>Device Analytics/);
    assert.deepEqual((await analysed(application.mqttUrl)).metrics, { n: 1 });
    assert.match(application.output(), new RegExp(`your files +${application.userDir}`));
  });

  it("listens on this machine's loopback address alone", async () => {
    await using application = await startApplication();
    const ports = [application.url, application.mqttUrl].map((url) => Number(new URL(url).port));
    const listening = (file: string) =>
      readFileSync(file, "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => state === "0A")
        .map(([, local = ""]) => local.split(":"))
        .filter(([, port = ""]) => ports.includes(Number.parseInt(port, 16)))
        .map(([address]) => address);
    assert.deepEqual(listening("/proc/net/tcp"), ["0100007F", "0100007F"]);
    assert.deepEqual(existsSync("/proc/net/tcp6") ? listening("/proc/net/tcp6") : [], []);
  });

  it("gives Node-RED the package under its own name: nodes, icons, texts, examples", async () => {
    await using application = await startApplication();
    const admin = await application.admin();
    const get = (path: string) => admin.fetch(`/admin/${path}`, { headers: { Accept: "application/json" } });
    const sets = (await (await get("nodes")).json()) as { module: string; types: string[]; err?: string }[];
    const own = sets.filter((set) => set.module === "@device-analytics/node-red");
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    const types = Object.keys(manifest["node-red"].nodes);
    assert.deepEqual(own.flatMap((set) => set.types).sort(), types.sort());
    assert.ok(own.every((set) => !set.err));
    for (const type of types) {
      const icon = await get(`icons/@device-analytics/node-red/${type}.svg`);
      assert.match(icon.headers.get("content-type") ?? "", /svg/);
      const texts = await get(`nodes/@device-analytics/node-red/${type}/messages?lng=en-US`);
      assert.ok(Object.keys((await texts.json()) as object).length > 0);
    }
    const examples = (await (await get("library/examples/flows")).json()) as string[];
    assert.ok(examples.includes("@device-analytics/node-red"));
  });

  it("ends cleanly on Ctrl-C, also when npm passes the signal on a second time", async () => {
    await using application = await startApplication();
    process.kill(application.pid, "SIGINT");
    await delay(50);
    assert.equal(await application.stop("SIGINT"), 0);
    for (const url of [application.url, application.mqttUrl]) {
      const server = createServer().listen(Number(new URL(url).port), "127.0.0.1");
      await once(server, "listening");
      server.close();
    }
  });

  it("ends at once on a later Ctrl-C when a node does not let go", async () => {
    await using application = await startApplication();
    const { flows } = await application.flow();
    const place = { z: "analytics", x: 100, y: 400 };
    await application.deploy([
      ...flows,
      { ...place, id: "begin", type: "inject", once: true, onceDelay: 0, props: [], repeat: "", wires: [["stubborn"]] },
      {
        ...place,
        id: "stubborn",
        type: "function",
        func: 'node.on("close", (done) => {}); node.warn("holding on");',
        outputs: 0,
        wires: [],
      },
    ]);
    await application.waitFor(/holding on/);
    process.kill(application.pid, "SIGINT");
    await delay(1500);
    assert.equal(await application.stop("SIGINT"), 1);
  });

  describe("with the user's edits", () => {
    it("keeps them across a restart, and brings back the shipped flows on demand, with a backup", async () => {
      const userDir = newFolder();
      let application = await startApplication({ userDir });
      const { flows } = await application.flow();
      const edited = changed(flows, "analytics-z-score", { threshold: "4" });
      await application.deploy([...edited, ...newTab("own", "Own")]);
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir });
      const kept = (await application.flow()).flows;
      assert.equal(nodeOf(kept, "analytics-z-score").threshold, "4");
      assert.equal(nodeOf(kept, "own").label, "Own");
      await application.deploy(withoutTab(kept, "simulator"));
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir, clients: 5 });
      const remaining = (await application.flow()).flows;
      assert.ok(remaining.every((node) => node.z !== "simulator"));
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir, args: ["--reset-flows"] });
      assert.deepEqual((await application.flow()).flows, flows);
      const [, backup = ""] = await application.waitFor(/your edits are kept in (\S+)/);
      assert.ok(readdirSync(backup).includes("own.json"));
      assert.equal(await application.stop(), 0);
    });

    it("keeps passwords that are typed into the editor encrypted, and out of the flow files", async () => {
      const userDir = newFolder();
      const password = "correct horse";
      const credentials = { user: "me", password };
      let application = await startApplication({ userDir });
      await application.deploy(changed((await application.flow()).flows, "analytics-broker", { credentials }));
      await application.stop();
      for (const [path, text] of filesIn(userDir)) assert.ok(!text.includes(password), path);

      application = await startApplication({ userDir });
      const response = await (await application.admin()).fetch("/admin/credentials/mqtt-broker/analytics-broker");
      assert.deepEqual(await response.json(), { user: "me", has_password: true });
      await application.stop();
    });

    it("says in one line which of their files is broken", async () => {
      const userDir = newFolder();
      mkdirSync(join(userDir, "flows"));
      writeFileSync(join(userDir, "flows", "own.json"), "[{");
      await using child = await launch({ args: ["--port", "0", "--mqtt-port", "0", "--user-dir", userDir] });
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), /^\/.*own\.json cannot be read: .*\n$/);
    });
  });

  describe("with a real broker", () => {
    it("uses the user and password of MQTT_URL, and never shows the password", async () => {
      const password = "s3cret:with@all%sorts/of#signs";
      await using broker = await startMosquitto({ users: { plant: password } });
      const address = `mqtt://plant:${encodeURIComponent(password)}@127.0.0.1:${broker.port}`;
      await using application = await startApplication({ env: { MQTT_URL: address } });
      assert.equal(application.mqttUrl, broker.url);
      assert.deepEqual((await analysed(broker.url, { username: "plant", password })).metrics, { n: 1 });
      assert.equal(await application.stop(), 0);
      const texts = new Map([...filesIn(application.userDir), ["the output", application.output()]]);
      for (const [where, text] of texts) {
        assert.ok(!text.includes(password) && !text.includes(encodeURIComponent(password)), where);
      }
    });

    it("takes user and password from the environment as well", async () => {
      await using broker = await startMosquitto({ users: { plant: "secret" } });
      const env = { MQTT_URL: broker.url, MQTT_USER: "plant", MQTT_PASSWORD: "secret" };
      await using application = await startApplication({ env });
      assert.equal(application.mqttUrl, broker.url);
      assert.deepEqual((await analysed(broker.url, { username: "plant", password: "secret" })).metrics, { n: 1 });
    });

    it("speaks TLS with a broker whose authority it is given, and with no other", async () => {
      await using broker = await startMosquitto({ users: { plant: "secret" }, tls: true });
      const env = { MQTT_URL: broker.url.replace("://", "://plant:secret@") };
      await using stranger = await launch({ env, args: ["--port", "0", "--user-dir", newFolder()] });
      assert.equal(await stranger.ended(), 1);
      const refusal = /^mqtts:\/\/localhost:\d+ cannot be trusted: .* \(see NODE_EXTRA_CA_CERTS in --help\)\n$/;
      assert.match(stranger.output(), refusal);

      await using application = await startApplication({ env: { ...env, NODE_EXTRA_CA_CERTS: broker.ca } });
      assert.equal(application.mqttUrl, broker.url);
      const access = { username: "plant", password: "secret", ca: readFileSync(broker.ca) };
      assert.deepEqual((await analysed(broker.url, access)).metrics, { n: 1 });
    });

    it("warns once of a broker that is not there, and connects when it comes", async () => {
      const port = await freePort();
      await using application = await startApplication({ env: { MQTT_URL: `mqtt://127.0.0.1:${port}` } });
      await application.waitFor(/cannot be reached: .*ECONNREFUSED/);
      await delay(4500);
      const warnings = application.output().match(/^.*\[warn\].*$/gm) ?? [];
      assert.equal(warnings.length, 1, warnings.join("\n"));
      await using broker = await startMosquitto({ port });
      await application.waitFor(/Connected to broker: plant-analytics@/);
      assert.deepEqual((await analysed(broker.url)).metrics, { n: 1 });
    });

    it("puts all topics under PLANT_NAME, and its name into the client ids", async () => {
      await using broker = await startMosquitto();
      await using application = await startApplication({ env: { MQTT_URL: broker.url, PLANT_NAME: "acme/hall3" } });
      await application.waitFor(/Connected to broker: acme\/hall3-analytics@/);
      assert.deepEqual((await analysed(broker.url, {}, "acme/hall3")).metrics, { n: 1 });
    });

    it("loses no reading, and repeats none, while it is stopped and started again", async () => {
      await using broker = await startMosquitto();
      const options = { env: { MQTT_URL: broker.url }, userDir: newFolder() };
      let application = await startApplication(options);
      // Before it has subscribed for the first time, the broker keeps nothing for it.
      await analysed(broker.url);
      await using client = await connectClient<Reading>(broker.url);
      const topic = "plant/analysis/counted";
      await client.subscribe(topic);
      let sent = 0;
      const timer = setInterval(() => {
        for (let i = 0; i < 5; i++)
          void client.publish("plant/telemetry/counted", { ...reading(sent++), deviceId: "counted" });
      }, 5);
      try {
        for (let restart = 0; restart < 2; restart++) {
          await delay(1000);
          await application.stop();
          application = await startApplication(options);
        }
        await delay(500);
      } finally {
        clearInterval(timer);
      }
      const numbers = (await client.messages(topic, sent)).map(({ payload }) => payload.metrics.n ?? -1);
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: sent }, (_, n) => n),
      );
      await application.stop();
    });
  });

  describe("refuses to start, in one line,", () => {
    const secret = "topsecret";
    const file = import.meta.filename;

    const refusals: [what: string, options: ApplicationOptions, reason: RegExp][] = [
      ["an unknown option", { args: ["--prot", "1"] }, /^Unknown option '--prot' \(--help lists the options\)$/],
      ["an option without its value", { args: ["--port"] }, /--port <value>' argument missing/],
      ["a word that is no option", { args: ["now"] }, /Unexpected argument 'now'/],
      ["a port that is no number", { args: ["--port", "http"] }, /^--port must be a number .*, not http$/],
      ["a port that does not exist", { args: ["--mqtt-port", "70000"] }, /^--mqtt-port must be a number/],
      ["a recording that does not exist", { args: ["--replay", "/no/such.csv"] }, /^--replay: \/no\/such.csv does not/],
      ["a recording that is a folder", { args: ["--replay", "/tmp"] }, /^--replay: \/tmp is not a file$/],
      ["a speed that is no number", { args: ["--replay", file, "--speed", "fast"] }, /^--speed must be a number/],
      ["a speed below zero", { args: ["--replay", file, "--speed=-1"] }, /^--speed must be a number/],
      ["a speed without a recording", { args: ["--speed", "2"] }, /^--speed .* needs --replay FILE$/],
      ["an address that is none", { env: { MQTT_URL: `${secret}@broker` } }, /^MQTT_URL must be an address/],
      ["an address of something else", { env: { MQTT_URL: `http://u:${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a store that is none", { env: { INFLUX_URL: "influx:8086" } }, /^INFLUX_URL must be an address/],
      ["a store with a password", { env: { INFLUX_URL: `http://u:${secret}@i` } }, /^INFLUX_URL must be an address/],
      ["a password with an open /", { env: { MQTT_URL: `mqtt://u:12/${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open #", { env: { MQTT_URL: `mqtt://u:12#${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open ?", { env: { MQTT_URL: `ws://u:12?${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open %", { env: { MQTT_URL: `mqtt://u:%${secret}@b` } }, /^MQTT_URL must be .* %25$/],
      [
        "two brokers",
        { env: { MQTT_URL: "mqtt://b" }, args: ["--mqtt-port", "1"] },
        /^--mqtt-port is for the embedded/,
      ],
      ["a plant that is no topic", { env: { PLANT_NAME: "a/#" } }, /^PLANT_NAME must be/],
      ["a reset of the files to edit", { command: "edit", args: ["--reset-flows"] }, /^--reset-flows is for npm start/],
    ];

    for (const [what, options, reason] of refusals) {
      it(what, async () => {
        await using child = await launch(options);
        assert.equal(await child.ended(), 1);
        assert.match(child.output().trimEnd(), reason);
        assert.equal(child.output().trimEnd().split("\n").length, 1);
        assert.ok(!child.output().includes(secret));
      });
    }

    it("a user or password that the broker does not know", async () => {
      await using broker = await startMosquitto({ users: { plant: "right" } });
      const env = { MQTT_URL: `mqtt://plant:${secret}@127.0.0.1:${broker.port}` };
      await using child = await launch({ env, args: ["--port", "0", "--user-dir", newFolder()] });
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), /^mqtt:\/\/127\.0\.0\.1:\d+ refuses the connection: .*\n$/);
      assert.ok(!child.output().includes(secret));
    });

    for (const [option, others] of [
      ["--port", ["--mqtt-port", "0"]],
      ["--mqtt-port", ["--port", "0"]],
    ] as const) {
      it(`a ${option} that is taken`, async () => {
        const server = createServer().listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port } = server.address() as AddressInfo;
        await using child = await launch({ args: [option, String(port), ...others, "--user-dir", newFolder()] });
        const code = await child.ended();
        server.close();
        assert.equal(code, 1);
        assert.equal(child.output(), `Port ${port} is taken: choose another with ${option}\n`);
      });
    }
  });

  it("lists its options on demand", async () => {
    await using child = await launch({ args: ["--help"] });
    assert.equal(await child.ended(), 0);
    for (const word of [
      "--replay",
      "--speed",
      "--reset-flows",
      "MQTT_URL",
      "PLANT_NAME",
      "ADMIN_PASSWORD",
      "HOST",
      "TLS_CERT",
    ]) {
      assert.ok(child.output().includes(word));
    }
  });
});
