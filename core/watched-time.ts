/** Time that was really watched, for delays that a stopped process or a clock that is set must not cut short. */

/** The longest step of time that counts, ms: whoever watches looks once a second. */
const LONGEST_STEP = 2000;

/** Adds up the steps of a clock, each by at most two seconds, and none backwards. */
export class WatchedTime {
  #elapsed = 0;
  #now: number | undefined;

  /** Time watched so far, ms. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** @param now the clock's present time, ms since 1970 */
  advance(now: number): void {
    if (this.#now !== undefined) this.#elapsed += Math.min(Math.max(now - this.#now, 0), LONGEST_STEP);
    this.#now = now;
  }
}
