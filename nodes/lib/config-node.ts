/** Configuration nodes: what several nodes share, and the reason when it is out of order. */
import type { Node, NodeAPI, NodeDef } from "node-red";
import { type Options, parseAll, SettingError, type Settings } from "./options.ts";
import { credentialsOf, type RawConfig, rawSettings } from "./raw-settings.ts";

/** What a node sees of a configuration node that it uses. Configuration nodes have no status, so their users show it. */
export interface ConfigHandle<T> {
  /** Undefined if the configuration node could not be opened. */
  readonly value: T | undefined;
  /** What is wrong at present, or undefined. */
  readonly problem: string | undefined;
  /** Calls `listener` whenever `problem` changes, until the returned function is called. */
  watch(listener: () => void): () => void;
}

/** What a configuration node has to work with. */
export interface ConfigHost<O extends Options> {
  readonly RED: NodeAPI;
  readonly node: Node;
  readonly settings: Settings<O>;
  /** Says what is wrong at present, or undefined when all is well again. */
  report(problem: string | undefined): void;
}

/** What a configuration node gives to the nodes that use it. */
export interface Opened<T> {
  value: T;
  close?(): void | Promise<void>;
}

// Not a WeakMap of this module: two copies of this package in one Node-RED still understand each other.
const HANDLE = Symbol.for("device-analytics.config");

class Handle<T> implements ConfigHandle<T> {
  value: T | undefined;
  problem: string | undefined;
  readonly #listeners = new Set<() => void>();

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  report(problem: string | undefined): void {
    if (problem === this.problem) return;
    this.problem = problem;
    for (const listener of this.#listeners) listener();
  }
}

/** Declares a configuration node. `open` may throw a SettingError; then every node that uses it shows the reason. */
export function configNode<O extends Options, T>(
  type: string,
  options: O,
  open: (host: ConfigHost<O>) => Opened<T>,
): (RED: NodeAPI) => void {
  return (RED) => {
    RED.nodes.registerType(
      type,
      function (this: Node, config: NodeDef & RawConfig) {
        RED.nodes.createNode(this, config);
        const handle = new Handle<T>();
        Object.defineProperty(this, HANDLE, { value: handle });
        const report = (problem: string | undefined) => handle.report(problem);
        try {
          const settings = parseAll(options, rawSettings(this, config));
          const opened = open({ RED, node: this, settings, report });
          handle.value = opened.value;
          this.on("close", (done: () => void) => {
            Promise.resolve(opened.close?.())
              .catch((error) => this.error(error))
              .finally(done);
          });
        } catch (error) {
          if (!(error instanceof SettingError)) throw error;
          handle.report(error.message);
          this.error(error.message);
        }
      },
      { credentials: credentialsOf(options) },
    );
  };
}

/** The handle of the configuration node with that id. Throws a SettingError if there is none. */
export function configHandle<T>(RED: NodeAPI, option: string, id: string): ConfigHandle<T> {
  const node = RED.nodes.getNode(id) as (Node & { [HANDLE]?: ConfigHandle<T> }) | null;
  const handle = node?.[HANDLE];
  if (!handle) throw new SettingError(`${option}: the configuration node is missing or disabled`);
  return handle;
}
