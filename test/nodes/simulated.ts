/** The simulator in a flow of Node-RED's real runtime, and all that comes out of it. */
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import type { Node, NodeAPI, NodeMessage } from "node-red";
import type { Outcome, SimulationState } from "../../nodes/simulator/simulation.ts";
import simulator, { type Report } from "../../nodes/simulator/simulator.ts";

const require = createRequire(import.meta.url);
const nodeRed = createRequire(require.resolve("node-red"));

/** What is used of node-red-node-test-helper. */
interface Helper {
  init(runtimePath: string): void;
  load(nodes: ((RED: NodeAPI) => void)[], flow: object[]): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): Node;
}

/** Stands in for texts: their key, and what is filled in. */
const translate = (key: string, values: object) => [key, ...Object.values(values)].join(" ");

const helper: Helper = require("node-red-node-test-helper");
helper.init(require.resolve("node-red"));

/** Node-RED's own hooks: the helper's stand-in for its runtime lacks them. */
export const { hooks, log } = nodeRed("@node-red/util") as {
  hooks: NodeAPI["hooks"] & { has(name: string): boolean };
  log: {
    WARN: number;
    ERROR: number;
    addHandler(handler: EventEmitter): void;
    removeHandler(handler: EventEmitter): void;
  };
};

export const MESSAGE_HOOKS = ["preDeliver", "postReceive", "onComplete"];

const SIMULATOR = "the-simulator";

/** For so long a test waits for what must come, ms. */
const PATIENCE = 15_000;

/** A message, as it arrived behind the simulator. */
export interface Arrived extends NodeMessage {
  [property: string]: unknown;
}

/** Takes a message behind output 1; whoever never calls `done` is a slow consumer. */
export type Taker = (message: Arrived, done: () => void) => void;

export class Simulated {
  /** What came out of the outputs, what a Catch node got, and the texts and colours that were shown. */
  readonly readings: Arrived[] = [];
  readonly reports: Report[] = [];
  readonly reportMessages: Arrived[] = [];
  readonly errors: string[] = [];
  readonly statuses: string[] = [];
  readonly #takers: Record<string, Taker>;
  readonly #entries: { id?: string; level: number; msg: unknown }[] = [];
  readonly #logger = new EventEmitter().on("log", (entry) => this.#entries.push(entry));

  private constructor(take: Taker) {
    const add = (list: unknown[], pick: (message: Arrived) => unknown): Taker => {
      return (message, done) => {
        list.push(pick(message));
        done();
      };
    };
    this.#takers = {
      readings: (message, done) => {
        this.readings.push(message);
        take(message, done);
      },
      reports: (message, done) => {
        this.reportMessages.push(message);
        this.reports.push(message.payload as Report);
        done();
      },
      errors: add(this.errors, (message) => (message.error as { message: string }).message.replace(/^Error: /, "")),
      statuses: add(this.statuses, (message) => {
        const { fill, shape, text } = message.status as Record<string, string>;
        return `${fill} ${shape} ${text}`;
      }),
    };
  }

  /**
   * Starts a flow with a simulator of these options, and nodes that take what comes out of it.
   *
   * @param take takes what comes to the node "readings", which is done at once without it
   * @param extra more nodes: a "relay" sends on what it gets, as does an "old relay"
   */
  static async start(
    options: object,
    take: Taker = (_message, done) => done(),
    extra: object[] = [],
  ): Promise<Simulated> {
    const simulated = new Simulated(take);
    const others = (RED: NodeAPI) => {
      const register = (type: string, wire: (node: Node, id: string) => void) =>
        RED.nodes.registerType(type, function (this: Node, config) {
          RED.nodes.createNode(this, config);
          wire(this, config.id);
        });
      register("sink", (node, id) =>
        node.on("input", (message, _send, done) => simulated.#takers[id]?.(message as Arrived, done)),
      );
      register("relay", (node) =>
        node.on("input", (message, send, done) => {
          setImmediate(() => {
            send(message);
            done();
          });
        }),
      );
      // A node as they were before Node-RED 1.0, which never says that it is done.
      register("old relay", (node) => node.on("input", (message) => node.send(message)));
    };
    // Without coordinates, Node-RED takes a node for a configuration node.
    const place = { z: "tab", x: 0, y: 0 };
    const flow = [
      { id: "tab", type: "tab" },
      { id: SIMULATOR, type: "simulator", ...place, wires: [["readings"], ["reports"]], ...options },
      { id: "catch", type: "catch", ...place, wires: [["errors"]] },
      { id: "status", type: "status", ...place, scope: [SIMULATOR], wires: [["statuses"]] },
      ...["readings", "reports", "errors", "statuses"].map((id) => ({ id, type: "sink", ...place, wires: [] })),
      ...extra.map((node) => ({ ...place, ...node })),
    ];
    log.addHandler(simulated.#logger);
    await helper.load([(RED) => simulator(Object.assign(RED, { hooks, _: translate })), others], flow);
    return simulated;
  }

  /** Ends the flow, as a deploy does. */
  async stop(): Promise<void> {
    await helper.unload();
    log.removeHandler(this.#logger);
  }

  /** Gives the node a command, and waits for what comes of it. */
  async command(command: string, payload?: unknown, properties: object = {}): Promise<Outcome> {
    const { length } = this.reports;
    helper.getNode(SIMULATOR).receive({ command, payload, ...properties } as NodeMessage);
    await this.until(() => this.reports.slice(length).some((report) => "command" in report));
    return this.reports.slice(length).find((report): report is Outcome => "command" in report) as Outcome;
  }

  /** The state in the latest report. */
  get state(): SimulationState | undefined {
    return this.reports.at(-1)?.state;
  }

  /** What the simulator has written to the log at this level. */
  logged(level: "warn" | "error"): unknown[] {
    const wanted = level === "warn" ? log.WARN : log.ERROR;
    return this.#entries.filter(({ id, level }) => id === SIMULATOR && level === wanted).map(({ msg }) => msg);
  }

  /** Waits, also while the clock stands still for a test. */
  async until(condition: () => boolean): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited in vain for ${condition}`);
      await turn();
    }
  }
}

/** Lets Node-RED deliver what was sent. */
export async function delivered(): Promise<void> {
  for (let count = 0; count < 10; count++) await turn();
}
