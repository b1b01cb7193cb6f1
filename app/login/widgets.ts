/** The widgets of the running flows, by id, as they were deployed. */
import type { EventEmitter } from "node:events";
import type { Widget } from "./rights.ts";

interface Configuration {
  id: string;
  type: string;
  name?: unknown;
  label?: unknown;
  className?: unknown;
  group?: unknown;
}

/** What is used here of Node-RED. */
export interface NodeRed {
  events: EventEmitter;
  nodes: {
    eachNode(visit: (config: Configuration) => void): void;
    /** A node of a subflow's instance says in `_alias` which node of the subflow it is. */
    getNode(id: string): { _alias?: string } | null;
  };
  hooks: {
    add(name: string, hook: (events: SendEvent[]) => void): void;
    has(name: string): boolean;
  };
}

/** A message on its way out of a node. */
export interface SendEvent {
  msg: Record<string, unknown> | null | undefined;
  source: { node: { type: string } };
}

/** Looks widgets up in what was deployed last, which no message can change. */
export class Widgets {
  readonly #red: NodeRed;
  /** Empty until the flows have started: a page that is already there must wait. Undefined when they have changed. */
  #byId: Map<string, Configuration> | undefined = new Map();

  constructor(red: NodeRed) {
    this.#red = red;
    red.events.on("flows:started", () => {
      this.#byId = undefined;
    });
  }

  find(id: string): Widget | undefined {
    const byId = this.#configurations();
    const config = byId.get(id) ?? byId.get(this.#red.nodes.getNode(id)?._alias ?? "");
    if (!config?.type.startsWith("ui_")) return undefined;
    const group = byId.get(textOf(config.group));
    return {
      type: config.type,
      name: textOf(config.name) || textOf(config.label) || id,
      className: textOf(config.className),
      groupClassName: textOf(group?.className),
    };
  }

  #configurations(): Map<string, Configuration> {
    if (!this.#byId) {
      const byId = new Map<string, Configuration>();
      this.#red.nodes.eachNode((config) => byId.set(config.id, config));
      this.#byId = byId;
    }
    return this.#byId;
  }
}

const textOf = (value: unknown) => (typeof value === "string" ? value : "");
