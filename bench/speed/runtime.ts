/** A real Node-RED in this process for measuring: our built package, empty nodes to compare with, and a way to send. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

export interface FlowNode {
  id: string;
  type: string;
  wires?: string[][];
  [property: string]: unknown;
}

/** What is used here of a running node. */
export interface RuntimeNode {
  send(message: object): void;
  /** Of a `bench-sink`: whom it calls for each message. */
  count?: (message: { payload?: unknown }) => void;
}

/** What is used here of the running Node-RED. */
export interface Runtime {
  /** The peers that could be installed. */
  readonly peers: ReadonlySet<string>;
  /** What was logged as an error: a message that a node has refused. */
  readonly errors: readonly string[];
  /** Replaces all flows and resolves once they have started. */
  deploy(nodes: FlowNode[]): Promise<void>;
  node(id: string): RuntimeNode;
  /** Calls `listener` after each message that a node has done with, until the returned function is called. */
  onDone(listener: (id: string) => void): () => void;
  /** Has a node tell the completion of each message, which its Complete nodes wait for, if it does not by itself. */
  complete(id: string): void;
  /** Calls `listener` after each node has taken a message in, until the returned function is called. Slows every hop. */
  onTaken(listener: (id: string) => void): () => void;
  stop(): Promise<void>;
}

// The source sends what it is told to; the sink counts; the empty node does nothing but pass a message on.
const HELPERS = `module.exports = (RED) => {
  const register = (type, setUp) => RED.nodes.registerType(type, function (config) {
    RED.nodes.createNode(this, config);
    setUp(this);
  });
  register("bench-source", () => {});
  register("bench-empty", (node) => node.on("input", (message, send, done) => { send(message); done(); }));
  register("bench-sink", (node) => {
    node.count = () => {};
    node.on("input", (message, _send, done) => { node.count(message); done(); });
  });
};`;

/** Starts Node-RED without an editor. `peers` are npm packages of nodes to compare with, installed for this run only. */
export async function startRuntime(peers: Iterable<string> = []): Promise<Runtime> {
  const userDir = await mkdtemp(join(tmpdir(), "device-analytics-bench-"));
  await writeFile(join(userDir, "package.json"), JSON.stringify({ name: "bench", private: true }));
  const installed = [...peers].filter((peer) => install(peer, userDir));
  const scope = join(userDir, "node_modules", "@device-analytics");
  await mkdir(scope, { recursive: true });
  await symlink(root, join(scope, "node-red"));
  const nodesDir = join(userDir, "bench-nodes");
  await mkdir(nodesDir);
  await writeFile(join(nodesDir, "bench.js"), HELPERS);
  await writeFile(join(nodesDir, "bench.html"), "");

  const errors: string[] = [];
  function keep({ msg }: { msg: unknown }): void {
    if (errors.length === 0) console.error(msg);
    errors.push(String(msg));
  }
  const RED = createRequire(import.meta.url)("node-red");
  RED.init(createServer(), {
    userDir,
    nodesDir,
    httpAdminRoot: false,
    httpNodeRoot: false,
    disableEditor: true,
    telemetry: { enabled: false },
    logging: {
      errors: {
        level: "error",
        handler: () => keep,
      },
    },
  });
  const flowsStarted = () => new Promise<void>((resolve) => RED.events.once("flows:started", resolve));
  const started = flowsStarted();
  await RED.start();
  await started;
  return {
    peers: new Set(installed),
    errors,
    async deploy(nodes) {
      const started = flowsStarted();
      const tab = { id: "tab", type: "tab", label: "bench" };
      // A node without wires that is on no tab is a configuration node.
      const flows = [tab, ...nodes.map((node) => (node.wires ? { z: "tab", ...node } : node))];
      await RED.runtime.flows.setFlows({ flows: { flows } });
      await started;
    },
    node: (id) => RED.nodes.getNode(id),
    onDone(listener) {
      RED.hooks.add("onComplete.bench", (event: { node: { id: string } }) => listener(event.node.id));
      return () => RED.hooks.remove("*.bench");
    },
    complete(id) {
      const node = RED.nodes.getNode(id);
      const take = node._inputCallback;
      if (!take || take.length >= 3) return;
      node._inputCallback = (message: object, send: unknown, done: () => void) => {
        take.call(node, message, send);
        done();
      };
    },
    onTaken(listener) {
      RED.hooks.add("postReceive.bench", (event: { destination: { id: string } }) => listener(event.destination.id));
      return () => RED.hooks.remove("*.bench");
    },
    async stop() {
      await RED.stop();
      await rm(userDir, { recursive: true, force: true });
    },
  };
}

function install(peer: string, folder: string): boolean {
  try {
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent", peer], { cwd: folder, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
