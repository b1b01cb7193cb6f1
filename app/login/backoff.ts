/** Slows down who guesses passwords, longer with each guess, and nobody for ever. */

/** Keys at most that are remembered; the one that failed longest ago is forgotten first. */
const MAX_KEYS = 10_000;

/** So long after the last failure all is forgotten, ms. */
const FORGET_AFTER = 3_600_000;

/** What failures are counted by, and how they are slowed. */
export interface Limit {
  key: string;
  /** So many failures cost no wait. */
  free: number;
  /** Longest wait, s. The first is one second, and each doubles. */
  longest: number;
}

interface Failures {
  count: number;
  last: number;
  until: number;
  /** Attempts that came while it waited. */
  refused: number;
}

/** The failures of each key. Time is a parameter, ms. */
export class Backoff {
  readonly #failures = new Map<string, Failures>();

  /**
   * Begins an attempt, which counts as failed until `succeeded` or `cancelled` says otherwise, so that many at once gain
   * nothing. Gives the time to wait, ms: when it is not 0, the attempt must not be made, and does not count.
   */
  attempt(limits: readonly Limit[], now: number): number {
    const { wait } = this.#waits(limits, now);
    for (const { key, free, longest } of limits) {
      const failures = this.#find(key, now);
      if (wait > 0) {
        // What is not yet known stays so: what is refused must not push out what is.
        if (failures) failures.refused++;
        continue;
      }
      const count = (failures?.count ?? 0) + 1;
      const until = count < free ? 0 : now + 1000 * Math.min(longest, 2 ** Math.min(count - free, 30));
      this.#keep(key, { count, last: now, until, refused: failures?.refused ?? 0 });
    }
    return wait;
  }

  /** The attempt just made was right: these keys start afresh. */
  succeeded(limits: readonly Limit[]): void {
    for (const { key } of limits) this.#failures.delete(key);
  }

  /** The attempt just begun was not made. */
  cancelled(limits: readonly Limit[]): void {
    for (const { key } of limits) {
      const failures = this.#failures.get(key);
      if (failures) Object.assign(failures, { count: failures.count - 1, until: 0 });
    }
  }

  /** How long the next attempt must wait, ms, and how many were refused since this was last asked. */
  state(limits: readonly Limit[], now: number): { wait: number; refused: number } {
    const { wait, known } = this.#waits(limits, now);
    const refused = Math.max(0, ...known.map((failures) => failures.refused));
    for (const failures of known) failures.refused = 0;
    return { wait, refused };
  }

  #waits(limits: readonly Limit[], now: number): { wait: number; known: Failures[] } {
    const known = limits.flatMap(({ key }) => this.#find(key, now) ?? []);
    return { wait: Math.max(0, ...known.map(({ until }) => until - now)), known };
  }

  #find(key: string, now: number): Failures | undefined {
    const failures = this.#failures.get(key);
    return failures && now - failures.last < FORGET_AFTER ? failures : undefined;
  }

  /** The key that failed last stands last. */
  #keep(key: string, failures: Failures): void {
    this.#failures.delete(key);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= MAX_KEYS && oldest !== undefined) this.#failures.delete(oldest);
    this.#failures.set(key, failures);
  }
}
