/** How long a device usually lets pass between two messages. */

/** Messages that follow within this time, ms, belong to one: devices may send each metric apart. */
const BURST = 1000;

/** Intervals until there is a usual one. */
const FEW = 5;

/** How far one interval moves the estimate up at most; three that are shorter move it back. */
const UP = 1.5;
const DOWN = UP ** (-1 / 3);

/** The estimate, ms; how many intervals it rests on, up to those that are needed; when the latest message came, ms. */
export type UsualIntervalState = [interval: number, count: number, latest: number | null];

/**
 * Estimates the third quartile of the intervals between messages: devices that send in groups are judged by the pauses
 * between these, and one long absence changes little.
 *
 * Begins with the longest of the first five intervals. From then on, each moves the estimate by a bounded factor towards
 * itself, up three times as far as down: the sign step of stochastic approximation (Robbins and Monro 1951), on a
 * logarithmic scale, and never past the interval itself, so that a regular device is known exactly.
 *
 * Cost: O(1). Times are of any clock in ms that does not run backwards.
 */
export class UsualInterval {
  #interval = 0;
  #count = 0;
  #latest: number | undefined;

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(state: unknown): UsualInterval {
    requireState(state);
    const [interval, count, latest] = state;
    const restored = new UsualInterval();
    restored.#interval = interval;
    restored.#count = count;
    restored.#latest = latest ?? undefined;
    return restored;
  }

  /** The usual interval in ms, at least 1000; undefined as long as too few are known. */
  get value(): number | undefined {
    return this.#count < FEW ? undefined : this.#interval;
  }

  /** Takes a message that comes at `time`. */
  push(time: number): void {
    const interval = time - (this.#latest ?? time);
    if (this.#latest !== undefined && interval < BURST) return;
    if (this.#latest !== undefined) this.#learn(interval);
    this.#latest = time;
  }

  toJSON(): UsualIntervalState {
    return [this.#interval, this.#count, this.#latest ?? null];
  }

  #learn(interval: number): void {
    if (this.#count < FEW) {
      this.#count++;
      this.#interval = Math.max(this.#interval, interval);
    } else if (interval > this.#interval) {
      this.#interval = Math.min(interval, this.#interval * UP);
    } else {
      this.#interval = Math.max(interval, this.#interval * DOWN);
    }
  }
}

function requireState(state: unknown): asserts state is UsualIntervalState {
  const [interval, count, latest] = Array.isArray(state) ? state : [];
  if ([interval, count].every(Number.isFinite) && (latest === null || Number.isFinite(latest))) return;
  throw new TypeError("it is not the usual interval of a device");
}
