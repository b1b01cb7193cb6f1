/** Shows a node's status when it changes, and at most once a second. */
import type { Node, NodeStatus } from "node-red";

const INTERVAL = 1000;

export class StatusLine {
  readonly #node: Node;
  readonly #summary: () => NodeStatus;
  #timer: NodeJS.Timeout | undefined;
  #isStale = false;
  #shown = "";

  /** `summary` says the present status; it is asked only when it is about to be shown. */
  constructor(node: Node, summary: () => NodeStatus) {
    this.#node = node;
    this.#summary = summary;
  }

  /** Shows the status now, or at the end of the second that began when it was last asked for. Costs nothing until then. */
  update(): void {
    this.#isStale = true;
    if (this.#timer === undefined) this.#show();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #show = (): void => {
    this.#timer = undefined;
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#timer = setTimeout(this.#show, INTERVAL);
    this.#timer.unref();
    const status = this.#summary();
    const key = JSON.stringify(status);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#node.status(status);
  };
}
