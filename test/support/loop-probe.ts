/** How long an event loop is held up. */

/**
 * Measures the processor time that this thread spends in each turn of its event loop. A turn that other programs of
 * a busy machine interrupt counts no more than one they do not.
 */
export class LoopProbe {
  #longest = 0;
  #before = process.threadCpuUsage();
  #next = setImmediate(() => this.#turn());

  /** Ends the measurement and gives the longest turn, ms. */
  stop(): number {
    clearImmediate(this.#next);
    return this.#longest / 1000;
  }

  #turn(): void {
    const { user, system } = process.threadCpuUsage(this.#before);
    this.#longest = Math.max(this.#longest, user + system);
    this.#before = process.threadCpuUsage();
    this.#next = setImmediate(() => this.#turn());
  }
}
