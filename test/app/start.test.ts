import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import type { Reading } from "../../core/types.ts";
import { type ApplicationOptions, launch, newFolder, startApplication } from "../support/application.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { freePort } from "../support/ports.ts";
import { changed, nodeOf, withoutTab } from "./flows.ts";

const reading = (n: number, deviceId = "pump 1") =>
  JSON.stringify({ deviceId, timestamp: 1_700_000_000_000 + n, metrics: { n } });

/** The next message that the client receives. */
function nextMessage(client: MqttClient) {
  return new Promise<{ topic: string; payload: Reading }>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no message within 10 s")), 10_000);
    client.once("message", (topic, payload) => {
      clearTimeout(timer);
      resolve({ topic, payload: JSON.parse(String(payload)) });
    });
  });
}

/** Publishes a reading until one comes back analysed, and gives that. */
async function analysed(url: string, options: IClientOptions = {}, plant = "plant") {
  const client = await connectAsync(url, options);
  try {
    await client.subscribeAsync(`${plant}/analysis/pump%201`, { qos: 1 });
    const timer = setInterval(() => client.publish(`${plant}/telemetry/pump%201`, reading(1), { qos: 1 }), 100);
    return await nextMessage(client).finally(() => clearInterval(timer));
  } finally {
    await client.endAsync(true);
  }
}

describe("npm start", function () {
  this.timeout(60_000);

  it("tells where everything is, once it runs, and sends visitors to the editor", async () => {
    const application = await startApplication();
    try {
      const home = await fetch(application.url, { redirect: "manual" });
      assert.equal(home.status, 302);
      assert.equal(home.headers.get("location"), "/admin");
      assert.match(await (await fetch(`${application.url}/admin`)).text(), /<title>Device Analytics/);
      const { topic, payload } = await analysed(application.mqttUrl);
      assert.equal(topic, "plant/analysis/pump%201");
      assert.deepEqual(payload.metrics, { n: 1 });
      assert.match(application.output(), new RegExp(`your files +${application.userDir}`));
    } finally {
      await application.stop();
    }
  });

  it("listens on this machine's loopback address alone", async () => {
    const application = await startApplication();
    try {
      const ports = [application.url, application.mqttUrl].map((url) => Number(new URL(url).port));
      const listening = (file: string) =>
        readFileSync(file, "utf8")
          .split("\n")
          .map((line) => line.trim().split(/\s+/))
          .filter(([, , , state]) => state === "0A")
          .map(([, local = ""]) => local.split(":"))
          .filter(([, port = ""]) => ports.includes(Number.parseInt(port, 16)));
      assert.deepEqual(
        listening("/proc/net/tcp").map(([address]) => address),
        ["0100007F", "0100007F"],
      );
      assert.deepEqual(existsSync("/proc/net/tcp6") ? listening("/proc/net/tcp6") : [], []);
    } finally {
      await application.stop();
    }
  });

  it("gives Node-RED the package under its own name: nodes, icons, texts, examples", async () => {
    const application = await startApplication();
    try {
      const get = (path: string, type: string) =>
        fetch(`${application.url}/admin/${path}`, { headers: { Accept: type } });
      const nodes = (await (await get("nodes", "application/json")).json()) as {
        module: string;
        types: string[];
        err?: string;
      }[];
      const own = nodes.filter((set) => set.module === "@device-analytics/node-red");
      const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
      const types = Object.keys(manifest["node-red"].nodes);
      assert.deepEqual(own.flatMap((set) => set.types).sort(), types.sort());
      assert.deepEqual(
        own.filter((set) => set.err),
        [],
      );
      for (const type of types) {
        const icon = await get(`icons/@device-analytics/node-red/${type}.svg`, "image/svg+xml");
        assert.match(icon.headers.get("content-type") ?? "", /svg/);
        const texts = await get(`nodes/@device-analytics/node-red/${type}/messages?lng=en-US`, "application/json");
        assert.ok(Object.keys((await texts.json()) as object).length > 0);
      }
      const examples = (await (await get("library/examples/flows", "application/json")).json()) as string[];
      assert.ok(examples.includes("@device-analytics/node-red"));
    } finally {
      await application.stop();
    }
  });

  it("ends cleanly on Ctrl-C, also when npm passes the signal on a second time", async () => {
    const userDir = newFolder();
    const application = await startApplication({ userDir });
    process.kill(application.pid, "SIGINT");
    await delay(50);
    assert.equal(await application.stop("SIGINT"), 0);
    for (const url of [application.url, application.mqttUrl]) {
      const server = createServer().listen(Number(new URL(url).port), "127.0.0.1");
      await once(server, "listening");
      server.close();
    }
    rmSync(userDir, { recursive: true });
  });

  it("ends at once on a later Ctrl-C when a node does not let go", async () => {
    const application = await startApplication();
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
    let userDir: string;

    beforeEach(() => {
      userDir = newFolder();
    });

    afterEach(() => rmSync(userDir, { recursive: true }));

    it("keeps them across a restart, and brings back the shipped flows on demand, with a backup", async () => {
      let application = await startApplication({ userDir });
      const { flows } = await application.flow();
      const edited = changed(flows, "analytics-z-score", { threshold: "4" });
      const ownTab = [
        { id: "own", type: "tab", label: "Own" },
        { id: "own-comment", type: "comment", z: "own", name: "mine", info: "", x: 100, y: 40, wires: [] },
      ];
      await application.deploy([...edited, ...ownTab]);
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir });
      const kept = (await application.flow()).flows;
      assert.equal(nodeOf(kept, "analytics-z-score").threshold, "4");
      assert.equal(nodeOf(kept, "own-comment").name, "mine");
      await application.deploy(withoutTab(kept, "simulator"));
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir });
      assert.deepEqual(
        (await application.flow()).flows.filter((node) => node.z === "simulator"),
        [],
      );
      assert.equal(await application.stop(), 0);

      application = await startApplication({ userDir, args: ["--reset-flows"] });
      assert.deepEqual((await application.flow()).flows, flows);
      const [, backup = ""] = await application.waitFor(/your edits are kept in (\S+)/);
      assert.ok(readdirSync(backup).includes("own.json"));
      assert.equal(await application.stop(), 0);
    });

    it("keeps passwords that are typed into the editor encrypted, and out of the flow files", async () => {
      let application = await startApplication({ userDir });
      const { flows } = await application.flow();
      const password = "correct horse";
      await application.deploy(changed(flows, "analytics-broker", { credentials: { user: "me", password } }));
      await application.stop();
      const texts = readdirSync(userDir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
      assert.ok(texts.every((text) => !text.includes(password)));

      application = await startApplication({ userDir });
      const response = await fetch(`${application.url}/admin/credentials/mqtt-broker/analytics-broker`);
      assert.deepEqual(await response.json(), { user: "me", has_password: true });
      await application.stop();
    });

    it("says in one line which of its files is broken", async () => {
      mkdirSync(join(userDir, "flows"));
      writeFileSync(join(userDir, "flows", "own.json"), "[{");
      const child = await launch({ args: ["--user-dir", userDir] });
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), /^\/.*own\.json cannot be read: .*\n$/);
    });
  });

  describe("with a real broker", () => {
    it("uses the user and password of MQTT_URL, and never shows the password", async () => {
      const password = "s3cret:with@all%sorts/of#signs";
      const broker = await startMosquitto({ users: { plant: password } });
      const userDir = newFolder();
      const address = `mqtt://plant:${encodeURIComponent(password)}@127.0.0.1:${broker.port}`;
      const application = await startApplication({ env: { MQTT_URL: address }, userDir });
      try {
        assert.equal(application.mqttUrl, broker.url);
        assert.deepEqual((await analysed(broker.url, { username: "plant", password })).payload.metrics, { n: 1 });
        assert.equal(await application.stop(), 0);
        const isShown = (text: string) => text.includes(password) || text.includes(encodeURIComponent(password));
        assert.ok(!isShown(application.output()));
        for (const entry of readdirSync(userDir, { recursive: true, withFileTypes: true })) {
          if (entry.isFile()) assert.ok(!isShown(readFileSync(join(entry.parentPath, entry.name), "utf8")), entry.name);
        }
      } finally {
        await application.stop();
        rmSync(userDir, { recursive: true });
        await broker.stop();
      }
    });

    it("takes user and password from the environment as well", async () => {
      const broker = await startMosquitto({ users: { plant: "secret" } });
      const application = await startApplication({
        env: { MQTT_URL: broker.url, MQTT_USER: "plant", MQTT_PASSWORD: "secret" },
      });
      try {
        const { payload } = await analysed(broker.url, { username: "plant", password: "secret" });
        assert.equal(payload.deviceId, "pump 1");
      } finally {
        await application.stop();
        await broker.stop();
      }
    });

    it("speaks TLS with a broker whose authority it is given, and with no other", async () => {
      const broker = await startMosquitto({ users: { plant: "secret" }, tls: true });
      const env = { MQTT_URL: broker.url.replace("://", "://plant:secret@") };
      try {
        const child = await launch({ env, args: ["--port", "0", "--user-dir", newFolder()] });
        assert.equal(await child.ended(), 1);
        assert.match(
          child.output(),
          /^mqtts:\/\/localhost:\d+ cannot be trusted: .* \(see NODE_EXTRA_CA_CERTS in --help\)\n$/,
        );

        const application = await startApplication({ env: { ...env, NODE_EXTRA_CA_CERTS: broker.ca } });
        const access = { username: "plant", password: "secret", ca: readFileSync(broker.ca) };
        assert.equal((await analysed(broker.url, access)).payload.deviceId, "pump 1");
        await application.stop();
      } finally {
        await broker.stop();
      }
    });

    it("warns once of a broker that is not there, and connects when it comes", async () => {
      const port = await freePort();
      const application = await startApplication({ env: { MQTT_URL: `mqtt://127.0.0.1:${port}` } });
      try {
        await application.waitFor(/cannot be reached: .*ECONNREFUSED/);
        await delay(4500);
        const warnings = application.output().match(/^.*\[warn\].*$/gm) ?? [];
        assert.equal(warnings.length, 1, warnings.join("\n"));
        const broker = await startMosquitto({ port });
        await application.waitFor(/Connected to broker: plant-analytics@/);
        assert.equal((await analysed(broker.url)).payload.deviceId, "pump 1");
        await broker.stop();
      } finally {
        await application.stop();
      }
    });

    it("puts all topics under PLANT_NAME, and its name into the client ids", async () => {
      const broker = await startMosquitto();
      const application = await startApplication({ env: { MQTT_URL: broker.url, PLANT_NAME: "acme/hall3" } });
      try {
        await application.waitFor(/Connected to broker: acme\/hall3-analytics@/);
        assert.equal((await analysed(broker.url, {}, "acme/hall3")).topic, "acme/hall3/analysis/pump%201");
      } finally {
        await application.stop();
        await broker.stop();
      }
    });

    it("loses no reading, and repeats none, while it is stopped and started again", async () => {
      const broker = await startMosquitto();
      const options = { env: { MQTT_URL: broker.url }, userDir: newFolder() };
      let application = await startApplication(options);
      // Before it has subscribed for the first time, the broker keeps nothing for it.
      await analysed(broker.url);
      const client = await connectAsync(broker.url);
      await client.subscribeAsync("plant/analysis/counted", { qos: 1 });
      const seen: number[] = [];
      client.on("message", (_topic, payload) => seen.push(JSON.parse(String(payload)).metrics.n));
      let sent = 0;
      const timer = setInterval(() => {
        for (let i = 0; i < 5; i++) client.publish("plant/telemetry/counted", reading(sent++, "counted"), { qos: 1 });
      }, 5);
      for (let restart = 0; restart < 2; restart++) {
        await delay(1000);
        await application.stop();
        application = await startApplication(options);
      }
      await delay(500);
      clearInterval(timer);
      for (let wait = 0; seen.length < sent && wait < 200; wait++) await delay(50);
      assert.deepEqual(
        seen.sort((a, b) => a - b),
        Array.from({ length: sent }, (_, n) => n),
      );
      await client.endAsync(true);
      await application.stop();
      await broker.stop();
      rmSync(options.userDir, { recursive: true });
    });
  });

  describe("refuses to start, in one line,", () => {
    const secret = "topsecret";

    const refusals: [what: string, options: ApplicationOptions, reason: RegExp][] = [
      ["an unknown option", { args: ["--prot", "1880"] }, /^Unknown option '--prot' \(--help lists the options\)$/],
      ["an option without its value", { args: ["--port"] }, /--port <value>' argument missing/],
      ["a word that is no option", { args: ["now"] }, /Unexpected argument 'now'/],
      ["a port that is no number", { args: ["--port", "http"] }, /^--port must be a number from 0 to 65535, not http$/],
      ["a port that does not exist", { args: ["--mqtt-port", "70000"] }, /^--mqtt-port must be a number/],
      [
        "a recording that does not exist",
        { args: ["--replay", "/no/such.csv"] },
        /^--replay: \/no\/such.csv does not exist$/,
      ],
      ["a recording that is a folder", { args: ["--replay", "/tmp"] }, /^--replay: \/tmp is not a file$/],
      [
        "a speed that is no number",
        { args: ["--replay", import.meta.filename, "--speed", "fast"] },
        /^--speed must be a number/,
      ],
      ["a speed below zero", { args: ["--replay", import.meta.filename, "--speed=-1"] }, /^--speed must be a number/],
      ["a speed without a recording", { args: ["--speed", "2"] }, /^--speed .* needs --replay FILE$/],
      ["an address that is none", { env: { MQTT_URL: `${secret}@broker` } }, /^MQTT_URL must be an address such as/],
      ["an address of something else", { env: { MQTT_URL: `http://u:${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open /", { env: { MQTT_URL: `mqtt://u:12/${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open #", { env: { MQTT_URL: `mqtt://u:12#${secret}@b` } }, /^MQTT_URL must be an address/],
      ["a password with an open %", { env: { MQTT_URL: `mqtt://u:%${secret}@b` } }, /^MQTT_URL must be .* %25$/],
      [
        "two brokers",
        { env: { MQTT_URL: "mqtt://b" }, args: ["--mqtt-port", "1"] },
        /^--mqtt-port is for the embedded broker/,
      ],
      ["a plant that is no topic", { env: { PLANT_NAME: "a/#" } }, /^PLANT_NAME must be/],
      ["a reset of the files to edit", { command: "edit", args: ["--reset-flows"] }, /^--reset-flows is for npm start/],
    ];

    for (const [what, options, reason] of refusals) {
      it(`${what}`, async () => {
        const child = await launch(options);
        assert.equal(await child.ended(), 1);
        assert.match(child.output().trimEnd(), reason);
        assert.equal(child.output().trimEnd().split("\n").length, 1);
        assert.ok(!child.output().includes(secret));
      });
    }

    it("a user or password that the broker does not know", async () => {
      const broker = await startMosquitto({ users: { plant: "right" } });
      const userDir = newFolder();
      const env = { MQTT_URL: `mqtt://plant:${secret}@127.0.0.1:${broker.port}` };
      const child = await launch({ env, args: ["--port", "0", "--user-dir", userDir] });
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), /^mqtt:\/\/127\.0\.0\.1:\d+ refuses the connection: .*\n$/);
      assert.ok(!child.output().includes(secret));
      rmSync(userDir, { recursive: true });
      await broker.stop();
    });

    for (const [option, others] of [
      ["--port", ["--mqtt-port", "0"]],
      ["--mqtt-port", ["--port", "0"]],
    ] as const) {
      it(`a ${option} that is taken`, async () => {
        const server = createServer().listen(0, "127.0.0.1");
        await once(server, "listening");
        const { port } = server.address() as AddressInfo;
        const userDir = newFolder();
        const child = await launch({ args: [option, String(port), ...others, "--user-dir", userDir] });
        assert.equal(await child.ended(), 1);
        assert.equal(child.output(), `Port ${port} is taken: choose another with ${option}\n`);
        rmSync(userDir, { recursive: true });
        server.close();
      });
    }
  });

  it("lists its options on demand", async () => {
    const child = await launch({ args: ["--help"] });
    assert.equal(await child.ended(), 0);
    for (const word of ["--replay", "--speed", "--reset-flows", "MQTT_URL", "PLANT_NAME"]) {
      assert.ok(child.output().includes(word));
    }
  });
});
