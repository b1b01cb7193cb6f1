import assert from "node:assert/strict";
import { mock } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { DeviceRecord, Maintenance, StatusEvent } from "../../core/types.ts";
import { configNode } from "../../nodes/lib/config-node.ts";
import { text } from "../../nodes/lib/options.ts";
import type { Registry } from "../../nodes/lib/registry.ts";
import offlineWatchdog from "../../nodes/offline-watchdog/offline-watchdog.ts";
import { newFolder } from "../support/folders.ts";
import { LoopProbe } from "../support/loop-probe.ts";
import { type NodeRedProcess, startNodeRedProcess } from "../support/node-red-process.ts";
import { type FlowNode, type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const TYPE = "offline-watchdog";

const reading = (deviceId: string, more: object = {}) => ({
  deviceId,
  timestamp: START,
  metrics: { x: 1 },
  ...more,
});
const mqttStatus = (fill: string, shape: string) => ({
  status: { fill, shape, text: "some text", source: { id: "m", type: "mqtt in" } },
});

/** A registry that a test fills by hand. */
class TestRegistry implements Registry {
  readonly isStrict = false;
  readonly list = new Map<string, DeviceRecord>();
  readonly maintained = new Map<string, Maintenance>();
  readonly listeners = new Set<() => void>();

  get(deviceId: string): DeviceRecord | undefined {
    return this.list.get(deviceId);
  }

  records(): Iterable<DeviceRecord> {
    return this.list.values();
  }

  maintenance(deviceId: string, now: number): Maintenance | undefined {
    const found = this.maintained.get(deviceId);
    return found && now < found.until ? found : undefined;
  }

  maintain(args: unknown, now: number): void {
    const { deviceId, seconds } = args as { deviceId: string; seconds: number };
    this.maintained.set(deviceId, { since: now, until: now + seconds * 1000 });
    this.change();
  }

  watch(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  change(): void {
    for (const listener of this.listeners) listener();
  }
}

describe(TYPE, () => {
  let node: TestNode;
  let userDir: string;
  let registry: TestRegistry;
  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START });
    userDir = newFolder();
    registry = new TestRegistry();
  });
  afterEach(async () => {
    await node.stop();
    mock.timers.reset();
  });

  /** Starts a watchdog without grace. */
  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(
      offlineWatchdog,
      { type: TYPE, stateStore: "memory", startupGraceSeconds: "0", ...settings },
      { outputs: 1, ...options },
    );
  }

  async function startWithRegistry(settings: object = {}): Promise<void> {
    const definition = configNode("device-registry", { name: text("") }, () => ({ value: registry }));
    const configs = [{ id: "registry", type: "device-registry" }];
    await start({ registry: "registry", ...settings }, { definitions: [definition], configs });
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(settings: object = {}): Promise<void> {
    await start({ stateStore: "file", ...settings }, { settings: { userDir } });
    const taken = node.completed().length;
    node.send({ command: "connection", payload: { connected: true } });
    while (node.completed().length === taken) await new Promise(setImmediate);
  }

  const send = (payload: unknown, more: object = {}) => node.send({ payload, ...more });
  const pass = (seconds: number) => {
    for (let step = 0; step < 2 * seconds; step++) mock.timers.tick(500);
  };
  const sent = () => node.output(1).map(({ payload }) => payload as StatusEvent);
  const news = (from = 0) =>
    sent()
      .slice(from)
      .map(({ deviceId, status }) => `${deviceId} ${status}`);
  const lastStatus = () => node.statuses().at(-1);

  it("reports a device that falls silent and one that is back, to be retained under its name", async () => {
    await start();
    send([reading("R1"), reading("a/b+c#")]);
    pass(10);
    send(reading("R1"));
    pass(6);
    assert.deepEqual(
      node.output(1).map(({ topic, payload, retain }) => ({ topic, payload, retain })),
      [
        ["R1", "online", START, 0, START],
        ["a/b+c#", "online", START, 0, START],
        ["a/b+c#", "offline", START, 15, START + 15_000],
      ].map(([deviceId, status, lastSeen, silentSeconds, timestamp]) => ({
        topic: deviceId,
        payload: { deviceId, status, lastSeen, silentSeconds, timestamp },
        retain: true,
      })),
    );
    send({ deviceId: "a/b+c#", temperature: 5 });
    assert.deepEqual(news(3), ["a/b+c# online"]);
    assert.equal(node.completed().length, 3);
  });

  it("takes any reading for a sign of life, one of bad quality too", async () => {
    await start();
    send(reading("R1", { quality: "bad" }));
    send('{"device_id":"R2","temperature":20}');
    send(5, { topic: "R3" });
    assert.deepEqual(news(), ["R1 online", "R2 online", "R3 online"]);
  });

  it("takes status events, and Sparkplug births and deaths, at once", async () => {
    await start();
    send([reading("R1"), { deviceId: "R1", status: "offline" }]);
    send(Buffer.from('{"deviceId":"R1","status":"online"}'));
    send(Buffer.from([8, 1, 255]), { topic: "spBv1.0/plant/DDEATH/gateway/R1" });
    send(Buffer.from([8, 1, 255]), { topic: "spBv1.0/plant/NBIRTH/gateway" });
    assert.deepEqual(news(), ["R1 online", "R1 offline", "R1 online", "R1 offline", "gateway online"]);
    assert.deepEqual(node.reasons(), []);
  });

  it("does not answer its own events, nor take those of the connection", async () => {
    await start();
    send(reading("R1"));
    pass(20);
    send(reading("R1"));
    const before = sent();
    pass(1);
    for (let i = 0; i < 3; i++) for (const event of before) send(event);
    send({ deviceId: "*", status: "offline" });
    assert.deepEqual(sent(), before);
    assert.deepEqual(node.reasons(), []);
  });

  it("reports one outage when all are silent at once, and its end", async () => {
    await start();
    send([reading("R1"), reading("R2"), reading("R3")]);
    pass(20);
    assert.deepEqual(news(3), ["* offline", "R1 unknown", "R2 unknown", "R3 unknown"]);
    assert.deepEqual(lastStatus(), {
      fill: "red",
      shape: "dot",
      text: "status.online, status.unknown, status.forgets",
    });
    send([reading("R1"), reading("R2")]);
    pass(1);
    assert.deepEqual(news(7), ["R1 online", "R2 online", "* online"]);
    pass(13);
    send([reading("R1"), reading("R2")]);
    pass(2);
    assert.deepEqual(news(10), ["R3 offline"]);
  });

  describe("without a connection", () => {
    for (const [what, lost, back] of [
      ["that the status of an mqtt node tells", mqttStatus("red", "ring"), mqttStatus("green", "dot")],
      [
        "that a command tells",
        { command: "connection", payload: { connected: false } },
        { command: "connection", payload: { connected: true } },
      ],
    ] as const) {
      it(`${what}, counts no silence, and none in the grace afterwards`, async () => {
        await start({ startupGraceSeconds: "10" });
        send(reading("R1"));
        pass(14);
        node.send(lost);
        pass(600);
        assert.deepEqual(lastStatus(), {
          fill: "yellow",
          shape: "ring",
          text: "status.disconnected, status.online, status.forgets",
        });
        node.send(back);
        pass(20);
        assert.deepEqual(news(1), []);
        pass(2);
        assert.deepEqual(news(1), ["R1 offline"]);
        assert.deepEqual(node.reasons(), []);
      });
    }

    it("asks the statuses of mqtt nodes only, and only those that say something", async () => {
      await start();
      send(reading("R1"));
      for (const source of [{ id: "node", type: TYPE }, { type: "tcp in" }]) {
        node.send({ status: { fill: "red", shape: "ring", text: "", source } });
      }
      node.send(mqttStatus("blue", "dot"));
      node.send({ status: { source: { type: "mqtt in" } } });
      pass(16);
      assert.deepEqual(news(1), ["R1 offline"]);
      assert.deepEqual(node.reasons(), []);
    });
  });

  describe("with a device registry", () => {
    it("expects its devices, and waits for so many of their intervals", async () => {
      for (const [deviceId, intervalSeconds] of [["R1"], ["R2", 10]] as [string, number?][]) {
        registry.list.set(deviceId, { deviceId, ...(intervalSeconds && { intervalSeconds }) });
      }
      await startWithRegistry({ startupGraceSeconds: "5" });
      pass(21);
      assert.deepEqual(sent(), [{ deviceId: "R1", status: "offline", silentSeconds: 15, timestamp: START + 20_000 }]);
      pass(15);
      assert.deepEqual(news(1), ["R2 offline"]);
    });

    it("expects those that are listed later, and those that were reset", async () => {
      await startWithRegistry();
      registry.list.set("R1", { deviceId: "R1" });
      registry.change();
      pass(15);
      assert.deepEqual(news(), ["R1 offline"]);
      node.send({ command: "reset", payload: { deviceId: "R1" } });
      pass(16);
      assert.deepEqual(news(1), ["R1 offline"]);
      node.send({ command: "reset" });
      pass(16);
      assert.deepEqual(news(2), ["R1 offline"]);
    });

    it("says that it has no room for all", async () => {
      for (const deviceId of ["R1", "R2"]) registry.list.set(deviceId, { deviceId });
      await startWithRegistry({ maxDevices: "1" });
      assert.match(node.logged()[0] ?? node.reasons()[0] ?? "", /^R2 is refused: there are 1 devices already/);
      pass(16);
      assert.deepEqual(news(), ["R1 offline"]);
    });

    it("reports nothing of a device in maintenance", async () => {
      await startWithRegistry();
      send([reading("R1"), reading("R2")]);
      node.send({ command: "maintenance", payload: { deviceId: "R1", seconds: 60 } });
      node.send({ command: "maintenance", payload: { deviceId: "R3", seconds: 60 } });
      send(reading("R3"));
      send({ deviceId: "R3", status: "offline" });
      pass(74);
      assert.deepEqual(news(2), ["R2 offline"]);
      pass(2);
      assert.deepEqual(news(3), ["R1 offline", "R3 offline"]);
    });
  });

  it("believes a reading that its device is in maintenance", async () => {
    await start();
    send(reading("R1", { maintenance: { since: START, until: START + 60_000 } }));
    pass(70);
    assert.deepEqual(news(), []);
  });

  describe("with commands", () => {
    it("lists the present status of all, in messages to whoever asks", async () => {
      await start();
      send([reading("R1"), reading("R2")]);
      pass(10);
      send(reading("R1"));
      pass(5);
      node.send({ command: "list", socketid: "abc" });
      assert.deepEqual(
        node
          .output(1)
          .slice(3)
          .map(({ topic, payload, retain, socketid, command }) => [topic, payload, retain, socketid, command]),
        [
          [
            "R1",
            { deviceId: "R1", status: "online", lastSeen: START + 10_000, silentSeconds: 5, timestamp: START },
            true,
            "abc",
            undefined,
          ],
          ["R2", sent()[2], true, "abc", undefined],
        ],
      );
    });

    it("refuses a connection that makes no sense, and unknown commands", async () => {
      await start();
      for (const payload of [undefined, null, true, {}, { connected: "no" }]) {
        node.send({ command: "connection", payload });
      }
      assert.deepEqual(
        node.reasons().map((reason) => reason.replace(/.*, /, "")),
        Array(5).fill("connection takes { connected: true } or false"),
      );
      node.send({ command: "status" });
      assert.equal(node.reasons()[5], "unknown command 'status': this node takes connection, list, reset");
    });

    it("forgets one device, or all", async () => {
      await start();
      send([reading("R1"), reading("R2")]);
      node.send({ command: "reset", payload: { deviceId: "R1" } });
      pass(16);
      assert.deepEqual(news(2), ["R2 offline"]);
      node.send({ command: "reset" });
      node.send({ command: "list" });
      assert.equal(sent().length, 3);
    });
  });

  it("gives a Catch node what it doesn't understand, and takes the rest", async () => {
    await start();
    const wrong = [null, { deviceId: "R1", status: "dead" }, [reading("R1")]];
    send([reading("R2"), ...wrong, { deviceId: "R3", status: "offline" }]);
    assert.deepEqual(node.caught()[0]?.payload, wrong);
    assert.match(node.reasons()[0] ?? "", /^refused 3 of 5 readings: /);
    send("hello");
    assert.equal(node.reasons()[1], '"hello" is text that is not JSON');
    assert.deepEqual(news(), ["R2 online", "R3 offline"]);
  });

  it("refuses the device too many", async () => {
    await start({ maxDevices: "1" });
    send([reading("R1"), reading("R2"), { deviceId: "R3", status: "offline" }]);
    assert.match(node.reasons()[0] ?? "", /^refused 2 of 3 readings: R2 is refused: there are 1 devices already/);
    assert.deepEqual(news(), ["R1 online"]);
  });

  it("shows how many are there", async () => {
    await startOnFiles();
    pass(1);
    assert.deepEqual(lastStatus(), { fill: "grey", shape: "dot", text: "status.online" });
    send([reading("R1"), reading("R2")]);
    pass(1);
    assert.deepEqual(lastStatus(), { fill: "green", shape: "dot", text: "status.online" });
    pass(20);
    assert.deepEqual(lastStatus(), { fill: "yellow", shape: "dot", text: "status.online, status.offline" });
  });

  describe("after a restart", () => {
    it("reports a device that died meanwhile, with the time when it was last seen, and repeats nothing", async () => {
      await startOnFiles();
      send([reading("R1"), reading("R2"), reading("R3"), reading("R4")]);
      pass(10);
      send([reading("R1"), reading("R2"), reading("R4")]);
      pass(5);
      assert.deepEqual(news(4), ["R3 offline"]);
      await node.stop();
      mock.timers.setTime(Date.now() + 3_600_000);
      await startOnFiles({ startupGraceSeconds: "5" });
      for (let i = 0; i < 4; i++) {
        send([reading("R1"), reading("R4")]);
        pass(4);
      }
      assert.deepEqual(
        sent().map(({ deviceId, status, lastSeen }) => [deviceId, status, lastSeen]),
        [["R2", "offline", START + 10_000]],
      );
      assert.deepEqual(node.logged(), []);
    });

    it("goes on with an outage", async () => {
      await startOnFiles();
      send([reading("R1"), reading("R2"), reading("R3")]);
      pass(16);
      await node.stop();
      await startOnFiles();
      pass(30);
      assert.deepEqual(news(), []);
      send([reading("R1"), reading("R2"), reading("R3")]);
      pass(1);
      assert.deepEqual(news(), ["R1 online", "R2 online", "R3 online", "* online"]);
    });
  });

  it("reports 10,000 devices that fall silent at once, and lists them, without holding up others", async () => {
    mock.timers.reset();
    await start({ timeoutSeconds: "1" }, { settings: { runtimeSyncDelivery: false } });
    send(Array.from({ length: 10_000 }, (_, i) => reading(`R${i}`)));
    await node.arrival(10_000);
    const outage = new LoopProbe();
    await node.arrival(20_001);
    const longest = outage.stop();
    assert.equal(new Set(news(10_000)).size, 10_001);
    const list = new LoopProbe();
    node.send({ command: "list" });
    await node.arrival(30_002);
    assert.ok(longest <= 50, `reporting: ${longest} ms`);
    const longestOfList = list.stop();
    assert.ok(longestOfList <= 50, `listing: ${longestOfList} ms`);
  });

  it("sends nothing any more once it is closed", async () => {
    await start();
    send(reading("R1"));
    await node.stop();
    pass(30);
    assert.deepEqual(news(), ["R1 online"]);
  });
});

describe(`${TYPE} in a process of its own`, function () {
  this.timeout(60_000);

  const flow: FlowNode[] = [
    { id: "in", type: "from-test", wires: [["watchdog"]] },
    { id: "watchdog", type: TYPE, timeoutSeconds: 3, startupGraceSeconds: 1, wires: [["out"]] },
    { id: "out", type: "to-test", wires: [] },
  ];
  let userDir: string;
  let red: NodeRedProcess | undefined;
  let sender: NodeJS.Timeout | undefined;
  beforeEach(() => {
    userDir = newFolder();
  });
  afterEach(async () => {
    clearInterval(sender);
    await red?.stop("SIGKILL");
  });

  /** Has devices send, ten times within their timeout. */
  function keepSending(...devices: string[]): void {
    clearInterval(sender);
    const sendAll = () => red?.send(devices.map((deviceId) => ({ payload: reading(deviceId) })));
    sendAll();
    sender = setInterval(sendAll, 300);
  }

  async function news(count: number): Promise<string[]> {
    const messages = (await red?.received("out", count)) ?? [];
    return messages.map(({ payload }) => payload as StatusEvent).map(({ deviceId, status }) => `${deviceId} ${status}`);
  }

  it("is not misled when it is stopped and continued, and finds who died while it was killed", async () => {
    red = await startNodeRedProcess(userDir, [TYPE], flow);
    keepSending("R1", "R2");
    assert.deepEqual(await news(2), ["R1 online", "R2 online"]);
    red.signal("SIGSTOP");
    await pause(4500);
    red.signal("SIGCONT");
    await pause(4000);
    assert.deepEqual(await news(2), ["R1 online", "R2 online"]);

    clearInterval(sender);
    await red.stop("SIGKILL");
    red = await startNodeRedProcess(userDir, [TYPE], flow);
    keepSending("R1", "R3");
    assert.deepEqual(await news(2), ["R3 online", "R2 offline"]);
  });
});
