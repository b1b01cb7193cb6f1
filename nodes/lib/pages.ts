/** The dashboard pages that watch a node, each until it leaves or is silent for too long. */
import type { Message } from "./runtime.ts";

/** A page that has not renewed its choice for so long is gone, ms. */
const LEASE = 30_000;

const MAX_PAGES = 200;

/** A page, and in `state` what the node keeps of it. */
export interface Page<S> {
  /** What answers carry beside the payload, so that they reach that page alone. */
  readonly envelope: Message;
  readonly state: S;
}

interface Watching<S> extends Page<S> {
  choice: string;
  until: number;
}

/** Pages by their socket. Cost of each call: O(1). Memory: at most 200 pages. */
export class Pages<S> {
  readonly #pages = new Map<string, Watching<S>>();

  get size(): number {
    return this.#pages.size;
  }

  /**
   * A page watches. Undefined if it only says that it is still there (`renew` in its arguments), with the choice that is
   * known of it: then it need not be sent all of it again.
   *
   * @throws Error when too many pages are watching
   */
  watch(message: Message, choice: unknown, state: S, now: number): Page<S> | undefined {
    const { command: _, payload, _msgid: __, ...envelope } = message;
    const id = String(message.socketid ?? "");
    const text = JSON.stringify(choice);
    const known = this.#pages.get(id);
    const until = now + LEASE;
    if (known?.choice === text && isRenewal(payload)) {
      known.until = until;
      return undefined;
    }
    if (!known && this.#pages.size >= MAX_PAGES) throw new Error(`${MAX_PAGES} pages are watching already`);
    const page = { envelope, state, choice: text, until };
    this.#pages.set(id, page);
    return page;
  }

  leave({ socketid }: Message): void {
    this.#pages.delete(String(socketid ?? ""));
  }

  /** The pages that are there at `now`; those that are gone are forgotten. */
  *present(now: number): Iterable<Page<S>> {
    for (const [id, page] of this.#pages) {
      if (page.until < now) this.#pages.delete(id);
      else yield page;
    }
  }
}

function isRenewal(args: unknown): boolean {
  return typeof args === "object" && args !== null && "renew" in args && args.renew === true;
}
