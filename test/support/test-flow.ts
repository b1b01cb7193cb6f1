/** Flows of a few nodes in the real Node-RED runtime, within the test's own process and straight from the sources. */
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type { Node, NodeAPI, NodeMessage, NodeStatus } from "node-red";
import type { Reading } from "../../core/types.ts";
import texts from "../../nodes/lib/locale.json" with { type: "json" };
import { fill } from "../../nodes/lib/options.ts";
import type { Message } from "../../nodes/lib/runtime.ts";

/** The part of node-red-node-test-helper that is used. */
interface Helper {
  init(runtimePath: string): void;
  settings(settings: object): void;
  load(definitions: Definition[], flow: FlowNode[], credentials: Credentials): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): Node | null;
  _sandbox: { spy(object: Methods, name: string): Spied; restore(): void };
}

type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;
type Spied = Method & { restore?(): void };

const require = createRequire(import.meta.url);
const helper: Helper = require("node-red-node-test-helper");
const RED: NodeAPI = require("node-red");
helper.init(require.resolve("node-red"));

// The helper has sinon remember each call of each node, with its stack. Nobody asks for that here, and ten thousand
// messages would take three times as long.
const spied = new Set<() => void>();
helper._sandbox = {
  spy(object, name) {
    const original = object[name] as Method;
    const restore = () => {
      object[name] = original;
    };
    spied.add(restore);
    const spy: Spied = function (this: unknown, ...args) {
      return original.apply(this, args);
    };
    spy.restore = restore;
    return spy;
  },
  restore() {
    for (const restore of spied) restore();
    spied.clear();
  },
};

export type Definition = (RED: NodeAPI) => void;
type Credentials = Record<string, Record<string, string>>;

/** A node as it stands in a flow file; one with `wires` stands on the tab, one without is a configuration node. */
export interface FlowNode {
  id: string;
  type: string;
  wires?: string[][];
  [property: string]: unknown;
}

export interface FlowOptions {
  credentials?: Credentials;
  /** Settings of Node-RED, beside those that make it deliver messages at once. */
  settings?: object;
}

/** A message as a node has received it. */
export type Received = Message & { error: { message: string; source: { id: string } } };

/** What happens in a running flow. Messages are delivered at once: when `send` is back, they have arrived. */
export interface TestFlow {
  send(id: string, message: object): void;
  /** What the node of type `helper` with this id has received so far. */
  received(id: string): Received[];
  /** Waits until that node has received so many messages. */
  arrival(id: string, count: number): Promise<Received[]>;
  /** The statuses of a node, in order. */
  statuses(id: string): NodeStatus[];
  /** What nodes have logged as warnings or errors so far, which is what reached no Catch node. */
  logged(): string[];
  stop(): Promise<void>;
}

/** Starts a flow. Beside the `definitions` there are the types `helper`, `catch`, `complete` and `status`. */
export async function startFlow(
  definitions: Definition[],
  nodes: FlowNode[],
  { credentials = {}, settings = {} }: FlowOptions = {},
): Promise<TestFlow> {
  const received = new Map<string, Received[]>();
  const statuses = new Map<string, NodeStatus[]>();
  const logged: string[] = [];
  const arrivals = new EventEmitter().setMaxListeners(0);

  const onStatus = ({ id, status }: { id: string; status?: NodeStatus }) => status && append(statuses, id, status);
  const logger = new EventEmitter().on("log", ({ id, level, msg }) => {
    if (id !== undefined && level <= RED.log.WARN) logged.push(msg instanceof Error ? msg.message : String(msg));
  });
  RED.events.on("node-status", onStatus);
  RED.log.addHandler(logger as never);
  helper.settings({ runtimeSyncDelivery: true, ...settings });

  const stop = async () => {
    await helper.unload();
    RED.events.off("node-status", onStatus);
    RED.log.removeHandler(logger as never);
  };
  const translated = definitions.map(
    (definition): Definition =>
      (red) =>
        definition(Object.assign(red, { _: translate })),
  );
  const flow = nodes.map((node) => (node.wires ? { z: "tab", x: 0, y: 0, ...node } : node));
  try {
    await helper.load(translated, [{ id: "tab", type: "tab" }, ...flow], credentials);
  } catch (error) {
    await stop();
    throw error;
  }
  const running = new Map(nodes.map(({ id }) => [id, helper.getNode(id)] as const));
  for (const { id, type } of nodes) {
    if (type !== "helper") continue;
    received.set(id, []);
    running.get(id)?.on("input", (message) => {
      append(received, id, message as unknown as Received);
      arrivals.emit(id);
    });
  }

  return {
    send: (id, message) => running.get(id)?.receive(message as NodeMessage),
    received: (id) => received.get(id) ?? [],
    async arrival(id, count) {
      const messages = received.get(id) ?? [];
      while (messages.length < count) await new Promise((resolve) => arrivals.once(id, resolve));
      return messages;
    },
    statuses: (id) => statuses.get(id) ?? [],
    logged: () => logged,
    stop,
  };
}

/** One node under test, with everything that can come out of it. */
export interface TestNode {
  send(message: object): void;
  /** What has come out of an output, the first being 1. */
  output(number: number): Received[];
  /** What a Catch node has got. */
  caught(): Received[];
  /** Why, in the words of the node. */
  reasons(): string[];
  /** What a Complete node has got. */
  completed(): Received[];
  statuses(): NodeStatus[];
  logged(): string[];
  /** Waits until so many messages have come out of the first output. */
  arrival(count: number): Promise<Received[]>;
  stop(): Promise<void>;
}

export interface NodeOptions extends FlowOptions {
  /** Outputs that are wired; both of two when absent. */
  outputs?: number;
  /** Configuration nodes that it needs, and their definitions. */
  configs?: FlowNode[];
  definitions?: Definition[];
}

/** Starts a node of the given type and settings, watched on all sides. */
export async function startNode(
  definition: Definition,
  node: { type: string; [property: string]: unknown },
  { outputs = 2, configs = [], definitions = [], ...options }: NodeOptions = {},
): Promise<TestNode> {
  const wires = Array.from({ length: outputs }, (_, index) => [`out${index + 1}`]);
  const flow = await startFlow(
    [definition, ...definitions],
    [
      ...configs,
      { id: "node", wires, ...node },
      ...wires.flat().map((id) => ({ id, type: "helper", wires: [] })),
      { id: "catch", type: "catch", scope: ["node"], wires: [["caught"]] },
      { id: "caught", type: "helper", wires: [] },
      { id: "complete", type: "complete", scope: ["node"], wires: [["completed"]] },
      { id: "completed", type: "helper", wires: [] },
    ],
    options,
  );
  return {
    send: (message) => flow.send("node", message),
    output: (number) => flow.received(`out${number}`),
    caught: () => flow.received("caught"),
    reasons: () => flow.received("caught").map(({ error }) => error.message.replace(/^Error: /, "")),
    completed: () => flow.received("completed"),
    statuses: () => flow.statuses("node"),
    logged: flow.logged,
    arrival: (count) => flow.arrival("out1", count),
    stop: flow.stop,
  };
}

/** The readings of a message, be it one or an array, with what the node has added to them. */
export function readingsOf(message: Received | undefined): (Reading & Record<string, unknown>)[] {
  const payload = message?.payload as Reading | Reading[];
  return (Array.isArray(payload) ? payload : [payload]) as (Reading & Record<string, unknown>)[];
}

function append<T>(lists: Map<string, T[]>, id: string, item: T): void {
  const list = lists.get(id);
  if (list) list.push(item);
  else lists.set(id, [item]);
}

/** What Node-RED makes of the texts that the statuses of all nodes share. */
function translate(key: string, values: Record<string, string | number> = {}): string {
  const known = new Map(Object.entries(texts.status).map(([name, text]) => [`status.${name}`, text]));
  return fill(known.get(key) ?? known.get(`${key}_${values.count === 1 ? "one" : "other"}`) ?? key, values);
}
