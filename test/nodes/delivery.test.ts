import assert from "node:assert/strict";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Pending } from "../../core/delivery.ts";
import delivery from "../../nodes/delivery/delivery.ts";
import { newFolder } from "../support/folders.ts";
import { freePort } from "../support/ports.ts";
import {
  type Definition,
  type NodeOptions,
  type Received,
  startFlow,
  startNode,
  type TestFlow,
  type TestNode,
} from "../support/test-flow.ts";

const httpRequest: Definition = createRequire(import.meta.url)("@node-red/nodes/core/network/21-httprequest.js");

/** So short that the tests need not wait. */
const FAST = { firstRetrySeconds: "0.1", jitterPercent: "0", timeoutSeconds: "0.5" };

interface Sent extends Received {
  delivery: { id: string; attempt: number };
}

type Listed = Pick<Pending, "attempts" | "reason"> & { topic?: string; payload: string; nextAttemptAt?: number };

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await delay(10);
}

describe("delivery", () => {
  let node: TestNode;
  afterEach(() => node.stop());

  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(delivery, { type: "delivery", stateStore: "memory", ...FAST, ...settings }, options);
  }
  const options = (more: NodeOptions = {}): NodeOptions => ({ outputs: 3, ...more });
  const sent = () => node.output(1) as Sent[];
  const attempts = () => sent().map(({ payload, delivery }) => [payload, delivery.attempt]);
  const statuses = () => node.statuses().map(({ text }) => text);
  /** Waits until it has read what it keeps. */
  const isReady = () => until(() => statuses().length > 0);
  /** Tells the outcome of the latest attempt. */
  const settle = (outcome: object) => node.send({ ...sent().at(-1), ...outcome });

  it("sends a message on with its topic and an id, and is done when the delivery is confirmed", async () => {
    await start();
    node.send({ topic: "pumps", payload: { title: "P7 is hot" }, socketid: "abc" });
    const [
      {
        topic,
        payload,
        delivery: { id, attempt },
        ...others
      } = {} as Sent,
    ] = sent();
    assert.deepEqual([topic, payload, attempt], ["pumps", { title: "P7 is hot" }, 1]);
    assert.match(id, /^node\.\w{16}$/);
    assert.deepEqual(Object.keys(others), ["_msgid"]);
    settle({ statusCode: 200 });
    await delay(700);
    assert.equal(sent().length, 1);
    assert.equal(node.completed().length, 2);
    assert.deepEqual([node.caught(), node.output(2)], [[], []]);
  });

  it("sends it again under the same id when it failed, and later when nothing is heard", async () => {
    await start();
    node.send({ payload: "a" });
    settle({ error: { message: "no response" } });
    await node.arrival(2);
    await node.arrival(3);
    settle({});
    assert.deepEqual(attempts(), [
      ["a", 1],
      ["a", 2],
      ["a", 3],
    ]);
    assert.equal(new Set(sent().map(({ delivery }) => delivery.id)).size, 1);
  });

  it("sends each time what came in, whatever others have made of it", async () => {
    await start();
    node.send({ payload: { list: [1], bytes: Buffer.from("ab") } });
    const [first] = sent();
    Object.assign(first?.payload as object, { list: [], bytes: 0 });
    settle({ statusCode: 503, payload: "busy" });
    await node.arrival(2);
    assert.deepEqual(sent()[1]?.payload, { list: [1], bytes: Buffer.from("ab") });
  });

  it("puts on output 2 what is given up, with the reason", async () => {
    await start({ maximumAttempts: "2" });
    node.send({ topic: "pumps", payload: "a" });
    settle({ statusCode: 500 });
    await node.arrival(2);
    settle({ statusCode: 502 });
    node.send({ payload: "b" });
    settle({ statusCode: 404 });
    assert.deepEqual(
      node.output(2).map(({ topic, payload }) => [topic, payload]),
      [
        ["pumps", { reason: "answered with status 502", payload: "a", attempts: 2 }],
        [undefined, { reason: "answered with status 404", payload: "b", attempts: 1 }],
      ],
    );
    assert.deepEqual(node.caught(), []);
  });

  it("makes it an error when nothing is wired there", async () => {
    await start({}, { outputs: 1 });
    node.send({ topic: "pumps", payload: "a" });
    settle({ statusCode: 404 });
    const [{ topic, payload } = {} as Received] = node.caught();
    assert.deepEqual([topic, payload], ["pumps", "a"]);
    assert.deepEqual(node.reasons(), ["given up after 1 attempts: answered with status 404"]);
  });

  it("shows what waits and when it is tried next", async () => {
    await start({ firstRetrySeconds: "12", timeoutSeconds: "30" });
    await isReady();
    node.send({ payload: "a" });
    await until(() => statuses().at(-1) === "status.inFlight");
    settle({ statusCode: 503 });
    await until(() => statuses().at(-1) === "status.waiting");
    node.send({ command: "retry" });
    settle({ statusCode: 200 });
    await until(() => statuses().at(-1) === "status.idle");
  });

  it("refuses outcomes that it cannot make out, and ignores those of what is done", async () => {
    await start();
    node.send({ payload: "a", delivery: { id: "other.0123", attempt: 1 } });
    node.send({ payload: "a", delivery: "node.1" });
    node.send({ payload: "a", delivery: { id: "node.0123" } });
    node.send({ payload: "a", delivery: { id: "node.0123", attempt: 1 } });
    assert.match(node.reasons()[0] ?? "", /^msg\.delivery is of another delivery node/);
    assert.match(node.reasons()[1] ?? "", /^msg\.delivery must be as this node has sent it, it is 'node\.1'/);
    assert.equal(node.caught().length, 3);
    assert.deepEqual(sent(), []);
  });

  it("refuses what cannot be kept", async () => {
    await start();
    const circle: { self?: object } = {};
    circle.self = circle;
    node.send({ payload: 1n });
    node.send({ payload: "x".repeat(70_000) });
    assert.match(node.reasons()[0] ?? "", /BigInt/);
    assert.match(node.reasons()[1] ?? "", /the message has \d+ characters as JSON, at most 65536 are kept$/);
    assert.deepEqual(sent(), []);
  });

  describe("with commands", () => {
    it("lists what waits on output 3, in the message that asks", async () => {
      await start({ firstRetrySeconds: "60" }, options());
      node.send({ topic: "pumps", payload: "a" });
      settle({ statusCode: 503 });
      node.send({ payload: "b" });
      node.send({ command: "list", socketid: "abc" });
      const [answer] = node.output(3);
      assert.equal(answer?.socketid, "abc");
      const [a, b] = (answer as Received).payload as Listed[];
      assert.deepEqual([a?.topic, a?.payload, a?.attempts, a?.reason], ["pumps", "a", 1, "answered with status 503"]);
      assert.ok(Math.abs((a?.nextAttemptAt ?? 0) - Date.now() - 60_000) < 2000);
      assert.deepEqual([b?.payload, b?.nextAttemptAt], ["b", undefined]);
      assert.deepEqual([node.output(1).length, node.output(2).length], [2, 0]);
    });

    it("tries all at once", async () => {
      await start({ firstRetrySeconds: "60" });
      node.send({ payload: "a" });
      settle({ statusCode: 429, headers: { "retry-after": "600" } });
      node.send({ command: "retry" });
      assert.deepEqual(attempts().at(-1), ["a", 2]);
    });

    it("forgets all, and refuses others", async () => {
      await start({}, options());
      node.send({ payload: "a" });
      node.send({ command: "reset" });
      node.send({ command: "list" });
      assert.deepEqual(node.output(3)[0]?.payload, []);
      node.send({ command: "score" });
      assert.deepEqual(node.reasons(), ["unknown command 'score': this node takes retry, list, reset"]);
    });
  });

  describe("over a restart", () => {
    it("goes on with what was not delivered, also what was in flight", async () => {
      const files = options({ settings: { userDir: newFolder() } });
      const settings = { stateStore: "file" };
      await start(settings, files);
      await isReady();
      node.send({ topic: "pumps", payload: "waits" });
      settle({ statusCode: 503 });
      node.send({ payload: "in flight" });
      node.send({ payload: "delivered" });
      settle({ statusCode: 200 });
      const ids = new Set(sent().map(({ delivery }) => delivery.id));
      await node.stop();
      await start(settings, files);
      await node.arrival(2);
      assert.deepEqual(attempts().sort(), [
        ["in flight", 2],
        ["waits", 2],
      ]);
      assert.ok(sent().every(({ delivery }) => ids.has(delivery.id)));
      assert.deepEqual(node.logged(), []);
    });

    it("has what came in on the disk within a second", async () => {
      const userDir = newFolder();
      await start({ stateStore: "file" }, options({ settings: { userDir } }));
      await isReady();
      node.send({ payload: "a" });
      await delay(1000);
      const [file = ""] = globSync(join(userDir, "**", "*.jsonl"));
      assert.match(readFileSync(file, "utf8"), /"id":"node\.\w{16}","content":"\{\\"payload\\":\\"a\\"\}"/);
    });
  });
});

describe("delivery to an HTTP server", () => {
  /** What the server does with one request after another; then it takes them. */
  let script: ((response: ServerResponse) => void)[];
  let bodies: { body: string; at: number }[];
  let server: Server;
  let flow: TestFlow;

  const status =
    (code: number, headers = {}) =>
    (response: ServerResponse) =>
      response.writeHead(code, headers).end("answer");

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = await request.toArray();
    bodies.push({ body: String(Buffer.concat(parts)), at: Date.now() });
    (script.shift() ?? status(200))(response);
  }

  function listen(port: number): Promise<unknown> {
    server = createServer(answer).listen(port, "127.0.0.1");
    return once(server, "listening");
  }

  async function start(port: number, settings: object = {}): Promise<void> {
    flow = await startFlow(
      [delivery, httpRequest],
      [
        { id: "delivery", type: "delivery", stateStore: "memory", ...FAST, ...settings, wires: [["send"], ["lost"]] },
        {
          id: "send",
          type: "http request",
          method: "POST",
          url: `http://127.0.0.1:${port}/`,
          senderr: true,
          wires: [["delivery", "answers"]],
        },
        { id: "failed", type: "catch", scope: ["send"], wires: [["delivery"]] },
        { id: "lost", type: "helper", wires: [] },
        { id: "answers", type: "helper", wires: [] },
      ],
    );
  }

  beforeEach(() => {
    script = [];
    bodies = [];
  });
  afterEach(async () => {
    await flow.stop();
    server?.closeAllConnections();
    server?.close();
  });

  it("keeps trying while it answers 503, asks to wait, hangs and hangs up, until it takes the message", async () => {
    script = [
      status(503),
      status(429, { "Retry-After": "1" }),
      () => undefined,
      (response) => response.destroy(),
      status(200),
    ];
    await listen(0);
    await start((server.address() as AddressInfo).port);
    flow.send("delivery", { payload: { title: "P7 is hot" } });
    await until(() => bodies.length === 5);
    assert.ok(bodies.every(({ body }) => body === '{"title":"P7 is hot"}'));
    const [, second, third] = bodies.map(({ at }) => at);
    assert.ok((third ?? 0) - (second ?? 0) >= 1000, "it waits for as long as it is asked to");
    await delay(800);
    assert.equal(bodies.length, 5);
    assert.deepEqual(flow.received("lost"), []);
  });

  it("keeps trying while nobody listens", async () => {
    const port = await freePort();
    await start(port);
    flow.send("delivery", { payload: "a" });
    await delay(500);
    await listen(port);
    await until(() => bodies.length === 1);
    assert.equal((await flow.arrival("answers", 1))[0]?.statusCode, 200);
    assert.deepEqual(flow.received("lost"), []);
  });

  it("gives up what is refused", async () => {
    script = [status(403)];
    await listen(0);
    await start((server.address() as AddressInfo).port);
    flow.send("delivery", { payload: "a" });
    const [letter] = await flow.arrival("lost", 1);
    assert.deepEqual(letter?.payload, { reason: "answered with status 403", payload: "a", attempts: 1 });
    assert.equal(bodies.length, 1);
  });

  it("delivers thirty messages to a server that fails every second time, each at least once", async () => {
    script = Array.from({ length: 60 }, (_, n) => status(n % 2 ? 200 : 503));
    await listen(0);
    await start((server.address() as AddressInfo).port, { factor: "1" });
    for (let n = 0; n < 30; n++) flow.send("delivery", { payload: `m${n}` });
    const delivered = () => flow.received("answers").filter(({ statusCode }) => statusCode === 200).length;
    await until(() => delivered() === 30);
    assert.equal(new Set(bodies.map(({ body }) => body)).size, 30);
    assert.deepEqual(flow.received("lost"), []);
  });
});
