/** A real Node-RED in a process of its own, on a user directory that outlives it, to which a test talks by messages. */
import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FlowNode, Received } from "./test-flow.ts";

const root = join(import.meta.dirname, "..", "..");

/** Two node types: what the test sends comes out of the one, and what goes into the other comes to the test. */
const TEST_NODES = `module.exports = (RED) => {
  process.on("disconnect", () => process.exit());
  RED.nodes.registerType("from-test", function (config) {
    RED.nodes.createNode(this, config);
    const take = (messages) => Array.isArray(messages) && messages.forEach((message) => this.send(message));
    process.on("message", take);
    this.on("close", () => process.off("message", take));
  });
  RED.nodes.registerType("to-test", function (config) {
    RED.nodes.createNode(this, config);
    this.on("input", (message) => process.send({ id: this.id, message }));
  });
};`;

export interface NodeRedProcess {
  /** Sends messages out of the node of type `from-test`. */
  send(messages: object[]): void;
  /** Waits until the node of type `to-test` with this id has got so many messages, and gives them all. */
  received(id: string, count: number): Promise<Received[]>;
  /** What Node-RED has logged so far. */
  log(): string;
  /** Holds it, or lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  /** Ends it and waits until it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts Node-RED with a flow of the given node types, and waits until the flow runs. */
export async function startNodeRedProcess(
  userDir: string,
  types: string[],
  flow: FlowNode[],
  settings: object = {},
): Promise<NodeRedProcess> {
  const nodes = join(userDir, "nodes");
  mkdirSync(nodes, { recursive: true });
  const addNodes = (name: string, code: string) => {
    writeFileSync(join(nodes, `${name}.js`), code);
    writeFileSync(join(nodes, `${name}.html`), "");
  };
  addNodes("test", TEST_NODES);
  for (const type of types) {
    const source = join(root, "nodes", type, `${type}.ts`);
    addNodes(type, `module.exports = require(${JSON.stringify(source)}).default;`);
  }
  const onTab = flow.map((node) => (node.wires ? { z: "tab", x: 0, y: 0, ...node } : node));
  writeFileSync(join(userDir, "flows.json"), JSON.stringify([{ id: "tab", type: "tab" }, ...onTab]));
  const all = {
    flowFile: "flows.json",
    httpAdminRoot: false,
    httpNodeRoot: false,
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    ...settings,
  };
  writeFileSync(join(userDir, "settings.cjs"), `module.exports = ${JSON.stringify(all)};`);

  const program = join(root, "node_modules", "node-red", "red.js");
  const child = fork(program, ["-u", userDir, "-s", join(userDir, "settings.cjs")], {
    serialization: "advanced",
    silent: true,
  });
  return await connect(child);
}

async function connect(child: ChildProcess): Promise<NodeRedProcess> {
  const received = new Map<string, Received[]>();
  const events = new EventEmitter().setMaxListeners(0);
  let log = "";
  let hasEnded = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      events.emit("change");
    });
  }
  child.on("message", ({ id, message }: { id: string; message: Received }) => {
    received.set(id, [...(received.get(id) ?? []), message]);
    events.emit("change");
  });
  const exit = once(child, "exit").then(() => {
    hasEnded = true;
    events.emit("change");
  });
  /** Waits until something is found, unless Node-RED ends before. */
  async function find<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (hasEnded) throw new Error(`Node-RED has ended:\n${log}`);
      await once(events, "change");
    }
  }
  await find(() => (log.includes("Started flows") ? true : undefined));

  return {
    send(messages) {
      child.send(messages);
    },
    received: (id, count) =>
      find(() => {
        const messages = received.get(id) ?? [];
        return messages.length >= count ? messages : undefined;
      }),
    log: () => log,
    signal(signal) {
      child.kill(signal);
    },
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await exit;
    },
  };
}
