/** Work that takes a while: so much at a time, the rest in turn, each within its time, and all of it can be cancelled. */

/** More than this waits for nothing: whoever asked so much has gone. */
const MAX_WAITING = 1000;

/** Why work has ended that somebody has cancelled. */
export class Cancelled extends Error {}

export type Work<T> = (signal: AbortSignal, cancel: () => void) => Promise<T>;

export class Jobs {
  readonly #concurrency: number;
  readonly #changed: () => void;
  readonly #controllers = new Map<string, AbortController>();
  readonly #working = new Set<Promise<unknown>>();
  readonly #waiting = new Set<() => void>();
  /** Turns that are taken. */
  #taken = 0;

  /** @param changed is called when `running` or `waiting` may have changed */
  constructor(concurrency: number, changed: () => void) {
    this.#concurrency = concurrency;
    this.#changed = changed;
  }

  get running(): number {
    return this.#working.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Does work when it is its turn.
   *
   * @param milliseconds after which it is given up, waiting included; without, never
   * @throws what the work throws, a Cancelled, or an Error when there is too much or it takes too long; the signal is
   *   aborted then, and the work may end later
   */
  async run<T>(id: string, work: Work<T>, milliseconds?: number): Promise<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const giveUp = () =>
      controller.abort(
        new Error(
          `no answer within ${(milliseconds ?? 0) / 1000} s: ask for less, such as a shorter range or fewer devices, or allow more time`,
        ),
      );
    const timer = milliseconds === undefined ? undefined : setTimeout(giveUp, milliseconds);
    this.#controllers.set(id, controller);
    try {
      await this.#turn(signal);
      const working = this.#work(work, controller).finally(() => {
        this.#working.delete(working);
        this.#endTurn();
      });
      this.#working.add(working);
      this.#changed();
      return await new Promise<T>((resolve, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        working.then(resolve, reject);
      });
    } finally {
      clearTimeout(timer);
      this.#controllers.delete(id);
    }
  }

  /** Cancels one, or all; gives how many. */
  cancel(id?: string): number {
    const found = [...this.#controllers].filter(([each]) => id === undefined || each === id);
    for (const [, controller] of found) controller.abort(new Cancelled("cancelled"));
    return found.length;
  }

  /** Cancels all, and waits until it has ended. */
  async close(): Promise<void> {
    this.cancel();
    await Promise.allSettled(this.#working);
  }

  async #work<T>(work: Work<T>, controller: AbortController): Promise<T> {
    controller.signal.throwIfAborted();
    return work(controller.signal, () => controller.abort(new Cancelled("cancelled")));
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#taken < this.#concurrency) {
      this.#taken++;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING)
      throw new Error(`${MAX_WAITING} queries are waiting already: ask again later`);
    const turn = new Promise<void>((resolve, reject) => {
      this.#waiting.add(resolve);
      signal.addEventListener("abort", () => this.#waiting.delete(resolve) && reject(signal.reason), { once: true });
    });
    this.#changed();
    await turn;
  }

  #endTurn(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.#taken--;
    this.#changed();
  }
}
