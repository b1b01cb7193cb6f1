/** Messages that are sent again and again until their delivery is confirmed. What an outcome means: delivery-outcome.ts. */
import type { Outcome } from "./delivery-outcome.ts";
import type { Random } from "./random.ts";

export interface DeliveryOptions {
  /** Wait after the first failure. */
  firstRetrySeconds: number;
  /** By which the wait grows with each further failure. */
  factor: number;
  /** Longest wait, before jitter. */
  maximumRetrySeconds: number;
  /** By how much a wait varies at random, so that many senders do not all come at once. */
  jitterPercent: number;
  /** 0: any number. */
  maximumAttempts: number;
  /** An attempt without an outcome has failed after this time. */
  timeoutSeconds: number;
  /** A message that has not been delivered by then is given up. */
  maxAgeHours: number;
  /** Messages that are kept at most. */
  maxPending: number;
  /** Attempts at most that wait for their outcome at the same time. */
  maxInFlight: number;
}

/** A message that is to be sent now. */
export interface Attempt {
  id: string;
  content: string;
  /** Which one of this message, from 1. */
  attempt: number;
}

/** A message that is not tried any more. */
export interface GivenUp {
  id: string;
  content: string;
  attempts: number;
  reason: string;
}

/** What is to be done now. */
export interface Due {
  attempts: Attempt[];
  givenUp: GivenUp[];
}

/** A message that has not been delivered yet. */
export interface Pending {
  readonly id: string;
  readonly content: string;
  /** Times in ms since 1970. */
  addedAt: number;
  attempts: number;
  isInFlight: boolean;
  /** When it is tried next; in flight, when the attempt has failed for want of an outcome. */
  due: number;
  /** The latest attempt that is known to have failed; 0 if none. */
  failedAttempt: number;
  /** Why the latest failed attempt did. */
  reason?: string;
}

/** What is kept over a restart, as plain JSON. */
export interface DeliveryState {
  now: number;
  pending: Pending[];
}

/** Characters in the content of one message: these are notifications, not files. */
export const MAX_CONTENT = 65_536;

/** Longest time that a receiver can hold all up with one answer, ms. */
const MAX_HOLD = 86_400_000;

/** Characters of a reason that are kept. */
const MAX_REASON = 300;

/**
 * A queue of messages with exponential back-off and jitter. Every message is delivered at least once or given up with a
 * reason; the order is that of arrival, but for those that are tried again. What was in flight at a restart is tried
 * again. After `push`, `settle` and `retry`, and a few times a second, `tick` tells what is to be done.
 *
 * If the clock is set back, all times go back with it, so that nothing waits for longer than it should.
 *
 * Cost: O(pending) a call of `tick`. Memory: the contents, at most `maxPending` × MAX_CONTENT characters.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #random: Random;
  /** By id, in the order of their arrival. */
  readonly #pending = new Map<string, Pending>();
  #givenUp: GivenUp[] = [];
  #inFlight = 0;
  /** A receiver has asked for silence until then. */
  #heldUntil = 0;
  /** The latest time that was told. */
  #now = 0;

  constructor(options: DeliveryOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(options: DeliveryOptions, random: Random, state: unknown): Delivery {
    requireState(state);
    const delivery = new Delivery(options, random);
    delivery.#now = state.now;
    for (const pending of state.pending) delivery.#pending.set(pending.id, { ...pending, isInFlight: false });
    return delivery;
  }

  /** All that has not been delivered, the oldest first. */
  pending(): IterableIterator<Readonly<Pending>> {
    return this.#pending.values();
  }

  get size(): number {
    return this.#pending.size;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Seconds until the next attempt of what waits for one; undefined if nothing does. Cost: O(pending). */
  nextInSeconds(now: number): number | undefined {
    let next = Infinity;
    for (const { isInFlight, due } of this.#pending.values()) if (!isInFlight && due < next) next = due;
    return next === Infinity ? undefined : Math.max(0, Math.max(next, this.#heldUntil) - now) / 1000;
  }

  /**
   * Takes a message. When there are `maxPending` already, the oldest one that is not in flight is given up for it.
   *
   * @param id unlike any other
   * @throws RangeError when the content is longer than MAX_CONTENT; nothing is changed then
   */
  push(id: string, content: string, now: number): void {
    if (content.length > MAX_CONTENT) {
      throw new RangeError(`the message has ${content.length} characters as JSON, at most ${MAX_CONTENT} are kept`);
    }
    this.#follow(now);
    while (this.#pending.size >= this.#options.maxPending) {
      const oldest = this.#oldest();
      if (oldest) this.#giveUp(oldest, `${this.#options.maxPending} newer messages are waiting`);
    }
    this.#pending.set(id, { id, content, addedAt: now, attempts: 0, isInFlight: false, due: now, failedAttempt: 0 });
  }

  /**
   * Takes the outcome of an attempt. A delivery counts also after the time for it was over, but not if the same attempt
   * was said to have failed. Of other attempts than the present one, a failure counts no more. An unknown id is that of
   * a message which is not waited for any longer.
   */
  settle(id: string, attempt: number, outcome: Outcome, now: number): void {
    this.#follow(now);
    const pending = this.#pending.get(id);
    if (!pending) return;
    if (outcome.result === "delivered") {
      if (attempt > pending.failedAttempt) this.#remove(pending);
      return;
    }
    pending.failedAttempt = Math.max(pending.failedAttempt, attempt);
    if (!pending.isInFlight || attempt !== pending.attempts) return;
    if (outcome.result === "refused") this.#giveUp(pending, outcome.reason);
    else this.#fail(pending, outcome.reason, now, outcome.retryAfterSeconds);
  }

  /** Gives what is to be sent and what is given up, and counts it as done. */
  tick(now: number): Due {
    this.#follow(now);
    const { timeoutSeconds, maxAgeHours, maxInFlight } = this.#options;
    const attempts: Attempt[] = [];
    for (const pending of this.#pending.values()) {
      if (pending.isInFlight && now >= pending.due) this.#fail(pending, `no outcome within ${timeoutSeconds} s`, now);
      if (!pending.isInFlight && now - pending.addedAt >= maxAgeHours * 3_600_000) {
        this.#giveUp(pending, `not delivered within ${maxAgeHours} h${pending.reason ? `: ${pending.reason}` : ""}`);
      }
    }
    for (const pending of this.#pending.values()) {
      if (this.#inFlight >= maxInFlight || now < this.#heldUntil) break;
      if (pending.isInFlight || now < pending.due) continue;
      pending.isInFlight = true;
      pending.due = now + timeoutSeconds * 1000;
      this.#inFlight++;
      attempts.push({ id: pending.id, content: pending.content, attempt: ++pending.attempts });
    }
    const givenUp = this.#givenUp;
    this.#givenUp = [];
    return { attempts, givenUp };
  }

  /** Has all that waits tried at once, also what a receiver has held up. */
  retry(now: number): void {
    this.#follow(now);
    this.#heldUntil = 0;
    for (const pending of this.#pending.values()) if (!pending.isInFlight) pending.due = now;
  }

  toJSON(): DeliveryState {
    return { now: this.#now, pending: [...this.#pending.values()] };
  }

  #oldest(): Pending | undefined {
    for (const pending of this.#pending.values()) if (!pending.isInFlight) return pending;
    return this.#pending.values().next().value;
  }

  #fail(pending: Pending, reason: string, now: number, retryAfterSeconds = 0): void {
    const { maximumAttempts } = this.#options;
    if (maximumAttempts > 0 && pending.attempts >= maximumAttempts) {
      this.#giveUp(pending, reason);
    } else {
      this.#land(pending);
      pending.reason = reason.slice(0, MAX_REASON);
      pending.due = now + this.#wait(pending.attempts);
    }
    this.#heldUntil = Math.max(this.#heldUntil, now + Math.min(retryAfterSeconds * 1000, MAX_HOLD));
  }

  /** How long to wait after so many failures, ms. */
  #wait(failures: number): number {
    const { firstRetrySeconds, factor, maximumRetrySeconds, jitterPercent } = this.#options;
    const seconds = Math.min(firstRetrySeconds * factor ** (failures - 1), maximumRetrySeconds);
    const jitter = jitterPercent / 100;
    return seconds * 1000 * this.#random.between(1 - jitter, 1 + jitter);
  }

  #giveUp(pending: Pending, reason: string): void {
    const { id, content, attempts } = pending;
    this.#remove(pending);
    this.#givenUp.push({ id, content, attempts, reason: reason.slice(0, MAX_REASON) });
  }

  #remove(pending: Pending): void {
    this.#land(pending);
    this.#pending.delete(pending.id);
  }

  #land(pending: Pending): void {
    if (pending.isInFlight) this.#inFlight--;
    pending.isInFlight = false;
  }

  /** Goes with the clock; if it was set back, by as much. */
  #follow(now: number): void {
    const back = this.#now - now;
    this.#now = now;
    if (back <= 0) return;
    this.#heldUntil -= back;
    for (const pending of this.#pending.values()) {
      pending.addedAt -= back;
      pending.due -= back;
    }
  }
}

function requireState(state: unknown): asserts state is DeliveryState {
  const { now, pending } = (typeof state === "object" && state !== null ? state : {}) as Partial<DeliveryState>;
  if (!Number.isFinite(now) || !Array.isArray(pending) || !pending.every(isPending)) {
    throw new TypeError("these are not messages to be delivered");
  }
}

function isPending(value: unknown): value is Pending {
  if (typeof value !== "object" || value === null) return false;
  const { id, content, addedAt, attempts, due, failedAttempt } = value as Partial<Pending>;
  const isNamed = typeof id === "string" && typeof content === "string";
  return isNamed && [addedAt, attempts, due, failedAttempt].every(Number.isFinite);
}
