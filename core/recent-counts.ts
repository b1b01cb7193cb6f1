/** How often something happened lately: counts over a sliding time window. */

/** The window moves on in steps of a 300th of its length. */
const BUCKETS = 300;

/** Counts as plain JSON: the newest bucket's number, and those buckets in which something happened. */
export interface RecentCountsState {
  latest: number;
  buckets: [bucket: number, ...counts: number[]][];
}

/**
 * Counts of several kinds of events over the last `seconds`, the present 300th of them included.
 *
 * Buckets are numbered since 1970, so that counts that are restored grow old in the meantime. When the clock is set
 * back, the window waits for it; by more than its length, it starts anew.
 *
 * Cost: O(1) amortised; 2400 bytes a kind.
 */
export class RecentCounts {
  readonly #width: number;
  readonly #kinds: number;
  readonly #counts: Float64Array;
  readonly #totals: Float64Array;
  /** Number of the newest bucket. */
  #latest = 0;

  /** @param kinds how many kinds of events there are, numbered from 0 */
  constructor(seconds: number, kinds: number) {
    this.#width = (seconds * 1000) / BUCKETS;
    this.#kinds = kinds;
    this.#counts = new Float64Array(BUCKETS * kinds);
    this.#totals = new Float64Array(kinds);
  }

  /**
   * Restores what `toJSON` of counts over as many seconds gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(seconds: number, kinds: number, state: unknown): RecentCounts {
    requireState(state, kinds);
    const counts = new RecentCounts(seconds, kinds);
    counts.#latest = state.latest;
    for (const [bucket, ...added] of state.buckets) {
      for (const [kind, count] of added.entries()) counts.#add(bucket, kind, count);
    }
    return counts;
  }

  /** Counts an event at a time, ms since 1970. */
  add(kind: number, now: number): void {
    this.#advance(now);
    this.#add(this.#latest, kind, 1);
  }

  /** How many events of a kind there were in the window that ends at a time, ms since 1970. */
  total(kind: number, now: number): number {
    this.#advance(now);
    return this.#totals[kind] ?? 0;
  }

  toJSON(): RecentCountsState {
    const buckets: RecentCountsState["buckets"] = [];
    for (let bucket = Math.max(0, this.#latest - BUCKETS + 1); bucket <= this.#latest; bucket++) {
      const start = this.#slot(bucket);
      const counts = [...this.#counts.subarray(start, start + this.#kinds)];
      if (counts.some((count) => count > 0)) buckets.push([bucket, ...counts]);
    }
    return { latest: this.#latest, buckets };
  }

  #advance(now: number): void {
    const bucket = Math.floor(now / this.#width);
    const step = bucket - this.#latest;
    if (step === 0 || (step < 0 && step > -BUCKETS)) return;
    if (Math.abs(step) >= BUCKETS) {
      this.#counts.fill(0);
      this.#totals.fill(0);
    } else {
      for (let passed = this.#latest + 1; passed <= bucket; passed++) this.#empty(passed);
    }
    this.#latest = bucket;
  }

  #empty(bucket: number): void {
    const start = this.#slot(bucket);
    for (let kind = 0; kind < this.#kinds; kind++) {
      this.#totals[kind] = (this.#totals[kind] ?? 0) - (this.#counts[start + kind] ?? 0);
      this.#counts[start + kind] = 0;
    }
  }

  #add(bucket: number, kind: number, count: number): void {
    const slot = this.#slot(bucket) + kind;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
    this.#totals[kind] = (this.#totals[kind] ?? 0) + count;
  }

  #slot(bucket: number): number {
    return (bucket % BUCKETS) * this.#kinds;
  }
}

function requireState(state: unknown, kinds: number): asserts state is RecentCountsState {
  const { latest, buckets } = (typeof state === "object" && state !== null ? state : {}) as Record<string, unknown>;
  const isCounts = (entry: unknown) =>
    Array.isArray(entry) &&
    entry.length === kinds + 1 &&
    entry.every((count) => Number.isSafeInteger(count) && count >= 0) &&
    entry[0] <= Number(latest) &&
    entry[0] > Number(latest) - BUCKETS;
  if (!(Number.isSafeInteger(latest) && Array.isArray(buckets) && buckets.every(isCounts))) {
    throw new TypeError("these are not recent counts");
  }
}
