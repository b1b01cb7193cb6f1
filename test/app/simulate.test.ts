import { strict as assert } from "node:assert";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Aedes } from "aedes";
import { connectAsync, type MqttClient } from "mqtt";
import { isReading, toReadings } from "../../core/reading.ts";
import type { Reading } from "../../core/types.ts";
import { type Child, startChild } from "../support/child.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { freePort } from "../support/ports.ts";

const program = join(import.meta.dirname, "..", "..", "app", "simulate.ts");
const NEUTRAL = { MQTT_URL: "", MQTT_USER: "", MQTT_PASSWORD: "", PLANT_NAME: "", INIT_CWD: "" };
const TIME = Date.UTC(2026, 2, 1, 12);

describe("npm run simulate", () => {
  let folder: string;
  let broker: Mosquitto;
  let client: MqttClient;
  const children: Child[] = [];
  let received: { topic: string; text: string; qos: number }[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "simulate-"));
    broker = await startMosquitto();
    client = await connectAsync(broker.url);
    client.on("message", (topic, payload, { qos }) => received.push({ topic, text: payload.toString(), qos }));
    await client.subscribeAsync(["plant/telemetry/#", "plant/answer/#", "hall 7/telemetry/#"], { qos: 1 });
  });

  afterEach(async () => {
    for (const child of children.splice(0)) await child.stop("SIGKILL");
    received = [];
  });

  after(async () => {
    await client.endAsync();
    await broker.stop();
    rmSync(folder, { recursive: true });
  });

  const run = async (args: string[], env: NodeJS.ProcessEnv = { MQTT_URL: broker.url }) => {
    const child = await startChild(process.execPath, [program, ...args], { env: { ...NEUTRAL, ...env } });
    children.push(child);
    return child;
  };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const save = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const recording = (length: number, name = "recording.csv") => {
    const rows = Array.from({ length }, (_, x) => `R${x % 10},${TIME + x * 1000},${x}`);
    return save(name, ["device,timestamp,x", ...rows].join("\n"));
  };
  const values = (texts: string[]) => texts.map((text) => (JSON.parse(text) as Reading).metrics.x);

  it("publishes readings of as many machines as wanted, each on its topic, until the time is over", async () => {
    const child = await run(["--devices", "3", "--prefix", "a/b+c#", "--interval", "0.2", "--seconds", "1"]);
    assert.equal(await child.ended(), 0, child.output());
    const [, sent] = /^(\d+) sent, \1 acknowledged, 0 refused$/m.exec(child.output()) ?? [];
    await until(() => received.length === Number(sent));
    assert.ok(received.length >= 9 && received.every(({ text, qos }) => isReading(JSON.parse(text)) && qos === 1));
    assert.deepEqual(
      [...new Set(received.map(({ topic }) => topic))],
      ["1", "2", "3"].map((number) => `plant/telemetry/a%2Fb%2Bc%23${number}`),
    );
  });

  it("simulates the kind of devices that is wanted", async () => {
    const child = await run(["--profile", "electrical", "--seconds", "0.5"]);
    assert.equal(await child.ended(), 0, child.output());
    await until(() => received.length === 4);
    for (const { text } of received) {
      assert.deepEqual(Object.keys((JSON.parse(text) as Reading).metrics), ["voltage", "current"]);
    }
  });

  it("publishes what is malformed on the topic of its device, as it is", async () => {
    await run(["--devices", "2", "--interval", "0.1"]);
    await until(() => received.length > 0);
    await client.publishAsync("plant/command/R2", JSON.stringify({ command: "fault", fault: "malformed" }), { qos: 1 });
    const of = (device: string) => received.filter(({ topic }) => topic === `plant/telemetry/${device}`);
    const refused = ({ text }: { text: string }) => toReadings(text, { now: TIME }, () => undefined) === undefined;
    await until(() => of("R2").filter(refused).length >= 20);
    assert.ok(!of("R1").some(refused));
    assert.ok(
      of("R2").some(({ text }) => !text.endsWith("}")),
      "text that was cut off",
    );
  });

  it("obeys commands, and answers each", async () => {
    await run(["--devices", "2", "--interval", "0.1"]);
    await until(() => received.length > 0);
    const ask = async (device: string, command: unknown) => {
      const topic = `plant/answer/${device}`;
      received = [];
      await client.publishAsync(`plant/command/${device}`, JSON.stringify(command), { qos: 1 });
      await until(() => received.some((message) => message.topic === topic));
      return JSON.parse(received.find((message) => message.topic === topic)?.text ?? "");
    };
    const fault = { command: "fault", fault: "overheating", seconds: 60, askedBy: "operator 7" };
    const { state, ...answer } = await ask("R2", fault);
    assert.deepEqual(answer, { ...fault, deviceId: "R2", ok: true });
    assert.equal(state.state, "running");
    const isFaulty = ({ topic, text }: { topic: string; text: string }) =>
      topic === "plant/telemetry/R2" && (JSON.parse(text) as Reading).truth?.fault === "overheating";
    await until(() => received.some(isFaulty));
    assert.deepEqual(
      (await ask("*", { command: "status" })).devices.map(({ fault }: { fault: unknown }) => fault),
      [null, "overheating"],
    );
    assert.match((await ask("R3", { command: "restart" })).error, /unknown device "R3"/);
    assert.match((await ask("R1", { command: "dance" })).error, /unknown command "dance"/);
    assert.match((await ask("R1", "restart")).error, /unknown command/);
    assert.equal((await ask("*", { command: "stop" })).state.state, "stopped");
  });

  it("takes broker, user, password and plant from the environment", async () => {
    const guarded = await startMosquitto({ users: { factory: "s3cret:/#" } });
    try {
      const env = { MQTT_URL: guarded.url, MQTT_USER: "factory", MQTT_PASSWORD: "s3cret:/#", PLANT_NAME: "hall" };
      const child = await run(["--seconds", "0.5"], env);
      assert.equal(await child.ended(), 0, child.output());
      assert.match(child.output(), /^4 sent, 4 acknowledged, 0 refused$/m);
    } finally {
      await guarded.stop();
    }
  });

  it("takes them from the command line first, and never shows the password", async () => {
    const guarded = await startMosquitto({ users: { factory: "s3cret" } });
    const url = (password: string) => guarded.url.replace("//", `//factory:${password}@`);
    try {
      const child = await run(["--url", url("s3cret"), "--plant", "hall-7", "--seconds", "0.5"]);
      assert.equal(await child.ended(), 0, child.output());
      assert.doesNotMatch(child.output(), /s3cret/);
      const refused = await run(["--url", url("wr0ng")]);
      assert.equal(await refused.ended(), 1);
      assert.match(refused.output(), /^mqtt:\/\/127.0.0.1:\d+ refuses the connection: .*not authorised.*\n$/);
      assert.doesNotMatch(refused.output(), /wr0ng/);
    } finally {
      await guarded.stop();
    }
  });

  for (const speed of ["0", "20"]) {
    it(`plays a recording whole at speed ${speed}`, async () => {
      const length = speed === "0" ? 20_000 : 20;
      const child = await run(["--replay", recording(length), "--speed", speed]);
      assert.equal(await child.ended(), 0, child.output());
      assert.match(child.output(), new RegExp(`^${length} sent, ${length} acknowledged, 0 refused$`, "m"));
      await until(() => received.length === length);
      assert.deepEqual(
        values(received.map(({ text }) => text)),
        Array.from({ length }, (_, x) => x),
      );
    });
  }

  it("plays it again and again with --loop, until Ctrl-C", async () => {
    const child = await run(["--replay", recording(3), "--speed", "100", "--loop"]);
    await until(() => received.length >= 9);
    assert.equal(await child.stop("SIGINT"), 0);
    assert.match(child.output(), /^(\d+) sent, \1 acknowledged, 0 refused$/m);
    assert.deepEqual(values(received.slice(0, 7).map(({ text }) => text)), [0, 1, 2, 0, 1, 2, 0]);
  });

  it("counts records that can't be taken, and tells the first reason", async () => {
    const file = save("bad.jsonl", '{"device":"R1","x":1}\n{"x":2}\nnothing\n');
    const child = await run(["--replay", file, "--speed", "0"]);
    assert.equal(await child.ended(), 0);
    assert.match(child.output(), /\[warn\] not all records can be taken, such as line 2: no device/);
    assert.match(child.output(), /^1 sent, 1 acknowledged, 2 refused$/m);
  });

  it("says in one line that a file is damaged", async () => {
    const file = save("damaged.csv.gz", gzipSync(`device,x\n${"R1,1\n".repeat(1000)}`).subarray(0, -10));
    const child = await run(["--replay", file, "--speed", "0"]);
    assert.equal(await child.ended(), 1);
    assert.match(child.output(), /^.*damaged.csv.gz cannot be read: unexpected end of file$/m);
  });

  const wrong: [string[], RegExp][] = [
    [["--devices", "many"], /--devices must be a whole number from 1 to 100000, not many/],
    [["--interval", "0"], /--interval must be a number from 0.01 to 86400, not 0/],
    [
      ["--profile", "replay"],
      /--profile must be one of machine, environment, electrical, building, server, not replay/,
    ],
    [["--jitter", "101"], /--jitter must be a number from 0 to 100, not 101/],
    [["--speed=-1"], /--speed must be a number from 0 up, not -1/],
    [["--seconds", "soon"], /--seconds must be a number from 0 up, not soon/],
    [["--replay", "/no/such/file"], /--replay: \/no\/such\/file does not exist/],
    [["--replay", "/"], /--replay: \/ is not a file/],
    [["--url", "example.com"], /must be an address such as mqtts:/],
    [["--plant", "a/#"], /must be the start of an MQTT topic/],
    [["--colour", "red"], /Unknown option '--colour'/],
    [["red"], /Unexpected argument 'red'/],
  ];
  for (const [args, reason] of wrong) {
    it(`says in one line what is wrong with ${args.join(" ")}`, async () => {
      const child = await run(args);
      assert.equal(await child.ended(), 1);
      assert.match(child.output(), reason);
      assert.equal(child.output().trim().split("\n").length, 1);
    });
  }

  it("lists its options on demand", async () => {
    const child = await run(["--help"]);
    assert.equal(await child.ended(), 0);
    assert.match(child.output(), /--faults-per-day X/);
  });

  it("waits for a broker that is not there", async () => {
    const port = await freePort();
    const child = await run(["--replay", recording(100), "--speed", "0", "--url", `mqtt://127.0.0.1:${port}`]);
    await child.waitFor(/is not there .*: trying until it is/);
    const late = await startMosquitto({ port });
    try {
      assert.equal(await child.ended(), 0, child.output());
      assert.match(child.output(), /^100 sent, 100 acknowledged, 0 refused$/m);
    } finally {
      await late.stop();
    }
  });

  it("ends on Ctrl-C while there is no broker, and tells by its exit code what was not acknowledged", async () => {
    const flaky = await FlakyBroker.start();
    const args = ["--interval", "0.1", "--url", flaky.url];
    const child = await run(args);
    await until(() => flaky.values.size > 0);
    await flaky.stop();
    await child.waitFor(/is away/);
    const none = await run(args);
    await none.waitFor(/is not there/);
    assert.equal(await none.stop("SIGINT"), 0, none.output());
    assert.match(none.output(), /^0 sent, 0 acknowledged, 0 refused$/m);
    assert.equal(await child.stop("SIGINT"), 1);
    assert.match(child.output(), /^\d+ sent, \d+ acknowledged, 0 refused$/m);
  });

  it("loses nothing of a replay while the broker goes and comes back", async () => {
    const flaky = await FlakyBroker.start();
    try {
      const child = await run(["--replay", recording(5000), "--speed", "0", "--url", flaky.url]);
      for (const count of [1000, 3000]) {
        await until(() => flaky.values.size >= count);
        await flaky.leave();
        await child.waitFor(count === 1000 ? /is away: trying until it is back/ : /is there[\s\S]*is away/);
        await flaky.comeBack();
      }
      assert.equal(await child.ended(), 0, child.output());
      assert.match(child.output(), /^5000 sent, 5000 acknowledged, 0 refused$/m);
      assert.equal(flaky.values.size, 5000);
    } finally {
      await flaky.stop();
    }
  });
});

/** A broker that can go away, and that knows which readings it ever got. */
class FlakyBroker {
  readonly values = new Set<unknown>();
  readonly #broker: Aedes;
  readonly #port: number;
  #server: Server | undefined;
  #sockets: Socket[] = [];

  private constructor(broker: Aedes, port: number) {
    this.#broker = broker;
    this.#port = port;
    broker.on("publish", ({ topic, payload }) => {
      if (topic.startsWith("plant/telemetry/")) this.values.add((JSON.parse(payload.toString()) as Reading).metrics.x);
    });
  }

  static async start(): Promise<FlakyBroker> {
    const broker = new FlakyBroker(await Aedes.createBroker(), await freePort());
    await broker.comeBack();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async comeBack(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.push(socket);
      this.#broker.handle(socket);
    }).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async leave(): Promise<void> {
    const server = this.#server as Server;
    server.close();
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    await once(server, "close");
  }

  async stop(): Promise<void> {
    await this.leave();
    await new Promise<void>((resolve) => this.#broker.close(resolve));
  }
}
