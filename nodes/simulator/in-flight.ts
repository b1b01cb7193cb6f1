/** How far a node's messages have come through its flow: Node-RED's hooks tell when all nodes are done with one. */
import type { Node, NodeAPI } from "node-red";
import type { Sent } from "../../core/simulator/transport.ts";
import type { Consumer } from "./simulation.ts";

/** For so long nothing may be completed, ms. */
const PATIENCE = 10_000;

/** What is used of Node-RED's events. */
interface Delivery {
  msg: { _msgid?: string };
  destination: { node: Node };
}
interface Completion {
  msg: { _msgid?: string };
  node: { id: string };
}

/**
 * Messages that are under way: from the time they are sent until all nodes are done that got them, or what was made of
 * them (it keeps their `_msgid`). While it is open it costs every message of the runtime some time.
 *
 * Some nodes are never done with a message, such as an mqtt out whose broker is away. If nothing is completed for ten
 * seconds, all that is under way is given up, and one more message may try; if nothing comes of that two more, then
 * four. So a broker that is away misses little, and a node that collects many messages gets them.
 */
export class InFlight implements Consumer {
  /** Messages that were given up. */
  uncompleted = 0;

  readonly #RED: NodeAPI;
  readonly #label: string;
  readonly #most: number;
  readonly #send: (sent: Sent[], _msgid: string) => void;
  readonly #givenUp: (count: number) => void;
  readonly #patience: number;
  /** The nodes that are not done yet, by message. */
  readonly #messages = new Map<string, string[]>();
  #limit: number;
  #isOpen = false;
  #waiting: { count: number; timer: NodeJS.Timeout; resolve: () => void } | undefined;

  /**
   * @param name distinguishes it from others in this runtime
   * @param limit so many messages at most are to be under way
   * @param send sends it in one message with this `_msgid`
   * @param givenUp told when messages are given up for the first time, and how many
   */
  constructor(
    RED: NodeAPI,
    name: string,
    limit: number,
    send: (sent: Sent[], _msgid: string) => void,
    givenUp: (count: number) => void,
    patience = PATIENCE,
  ) {
    this.#RED = RED;
    this.#most = this.#limit = limit;
    this.#send = send;
    // Node-RED takes what follows a dot for something else.
    this.#label = `device-analytics-${name.replaceAll(".", "-")}`;
    this.#givenUp = givenUp;
    this.#patience = patience;
  }

  /** How many messages are under way. */
  get size(): number {
    return this.#messages.size;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const { hooks } = this.#RED;
    hooks.add(`preDeliver.${this.#label}`, (event: Delivery) => {
      this.#messages.get(event.msg._msgid ?? "")?.push(event.destination.node.id);
    });
    hooks.add(`postReceive.${this.#label}`, (event: Delivery) => {
      // Older nodes, and the inside of a subflow seen from outside, never say that they are done.
      const { node } = event.destination;
      if ((node as Node & { _expectedDoneCount?: number })._expectedDoneCount === 0) this.#isDone(event.msg, node.id);
    });
    hooks.add(`onComplete.${this.#label}`, (event: Completion) => this.#isDone(event.msg, event.node.id));
  }

  /** Forgets what is under way; whoever waits, waits no longer. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#RED.hooks.remove(`*.${this.#label}`);
    this.#messages.clear();
    this.#limit = this.#most;
    this.#resume();
  }

  take(sent: Sent[]): Promise<void> | undefined {
    const _msgid = this.#RED.util.generateId();
    const nodes: string[] = [];
    this.#messages.set(_msgid, nodes);
    this.#send(sent, _msgid);
    if (nodes.length === 0) this.#messages.delete(_msgid);
    return this.#fewerThan(this.#limit);
  }

  /** Fulfilled when nothing is under way. */
  async drained(): Promise<void> {
    await this.#fewerThan(1);
  }

  #fewerThan(count: number): Promise<void> | undefined {
    if (this.#messages.size < count || !this.#isOpen) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(), this.#patience);
      this.#waiting = { count, timer, resolve };
    });
  }

  #isDone({ _msgid = "" }: { _msgid?: string }, node: string): void {
    const nodes = this.#messages.get(_msgid);
    const index = nodes?.indexOf(node) ?? -1;
    if (nodes === undefined || index < 0) return;
    nodes.splice(index, 1);
    if (nodes.length === 0) this.#messages.delete(_msgid);
    this.#limit = this.#most;
    this.#waiting?.timer.refresh();
    if (this.#messages.size < (this.#waiting?.count ?? 0)) this.#resume();
  }

  #giveUp(): void {
    if (this.uncompleted === 0) this.#givenUp(this.#messages.size);
    this.uncompleted += this.#messages.size;
    this.#messages.clear();
    this.#limit = this.#limit === this.#most ? 1 : Math.min(this.#most, this.#limit * 2);
    this.#resume();
  }

  #resume(): void {
    clearTimeout(this.#waiting?.timer);
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
