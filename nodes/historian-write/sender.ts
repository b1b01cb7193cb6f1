/** Sends what waits in a spool to a historian: in batches, again and again until the store has it, new lines first. */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Historian, type RefusedLine, StoreUnavailable } from "../lib/historian.ts";
import type { Cursor, Spool } from "./spool/spool.ts";

/** Longest wait after a first failure, and after many, ms: new points are to show soon after an outage. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 2000;

/** As long as a store may ask to be left alone, ms. */
const LONGEST_HOLD = 600_000;

/** Largest batch, bytes: InfluxDB takes 25 MB. */
const BATCH_BYTES = 8_000_000;

/** Requests at a time, with new lines and with old ones: a store has more than one processor. */
const REQUESTS = 4;
const BACKLOG_REQUESTS = 2;

/** Batches that new lines may be behind, and how often these become a backlog at most, ms. */
const LAG = 4;
const LEAST_ROUND = 2000;

/** After a batch of the backlog, the store is left to new lines, if there are any, for this part of the time it took. */
const REST = 0.25;

/** How long closing waits for what is on its way, ms. It is sent again if it was in vain. */
const PATIENCE = 2000;

export interface SenderOptions {
  spool: Spool;
  historian: Historian;
  /** Lines. */
  batchSize: number;
  flushSeconds: number;
  /** Takes what the store refuses. */
  refuse(lines: RefusedLine[]): void;
  /** Told when `failure` or `isCatchingUp` changes. */
  changed(): void;
}

/** Requests that go on until one of them fails, or new lines come to wait for older ones. */
interface Round {
  readonly begin: number;
  isOver: boolean;
  failure?: Error;
}

/**
 * What the spool holds at the start, after an outage, or because the store is slow, is the backlog: it is sent beside what
 * is added from then on, the oldest first, in few requests at a time, and no faster than leaves the store time for that.
 */
export class Sender {
  /** Lines that the store has confirmed. */
  written = 0;
  /** Lines that it has refused. */
  refused = 0;
  /** Why the store takes nothing at present. */
  failure: string | undefined;
  /** True while there is a backlog. */
  isCatchingUp = false;
  readonly #options: SenderOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** Lines that were added since some were read. */
  #fresh = 0;
  #isDue = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];
  #reading: Promise<unknown> = Promise.resolve();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Tells of lines that were added to the spool. Cheap. */
  added(count: number): void {
    const { batchSize, flushSeconds } = this.#options;
    this.#fresh += count;
    if (this.#fresh >= batchSize) this.#wake();
    else this.#timer ??= setTimeout(() => this.#wake(), flushSeconds * 1000);
  }

  /** Sends nothing more. What is on its way is waited for, but not for long. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await Promise.race([this.#running, delay(PATIENCE, undefined, { ref: false })]);
    this.#isClosed = true;
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    const { spool } = this.#options;
    let fresh = spool.end;
    for (let failures = 0; !this.#isClosing; ) {
      const { end } = spool;
      const before = this.written + this.refused;
      const error = await this.#sendRound(fresh);
      if (this.#isClosing) return;
      // What came while the store was waited for may have come after it was back.
      fresh = error ? end : spool.end;
      failures = this.written + this.refused > before ? 0 : failures;
      if (error) await this.#backOff(error, failures++);
    }
  }

  async #backOff(error: Error, failures: number): Promise<void> {
    this.#settle(error.message);
    const hold = error instanceof StoreUnavailable ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const longest = Math.min(FIRST_WAIT * 2 ** failures, LONGEST_WAIT);
    await this.#pause(Math.max(randomInt(longest), Math.min(hold, LONGEST_HOLD)));
  }

  /** Sends until it fails, or new lines are to be told from old ones once more. `fresh`: number of the first new one. */
  async #sendRound(fresh: number): Promise<Error | undefined> {
    const round: Round = { begin: performance.now(), isOver: false };
    const { spool } = this.#options;
    const old = spool.cursor({ from: spool.start, to: fresh });
    const recent = spool.cursor(fresh);
    await Promise.all([
      ...Array.from({ length: BACKLOG_REQUESTS }, () => this.#sendBacklog(old, round)),
      ...Array.from({ length: REQUESTS }, () => this.#sendFresh(recent, round)),
    ]);
    return round.failure;
  }

  async #sendBacklog(cursor: Cursor, round: Round): Promise<void> {
    while (this.#goesOn(round)) {
      const begin = performance.now();
      const count = await this.#sendBatch(cursor, round);
      this.#catchUp(count > 0);
      if (count === 0) return;
      if (this.#isDue) await this.#pause(REST * (performance.now() - begin));
    }
  }

  async #sendFresh(cursor: Cursor, round: Round): Promise<void> {
    const { spool, batchSize } = this.#options;
    while (this.#goesOn(round)) {
      if (!this.#isDue) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else {
        this.#fresh = 0;
        const count = await this.#sendBatch(cursor, round);
        // A batch may be short without being the last: what was appended at once stays together.
        const isLast = cursor.position >= spool.end || (count < batchSize && this.#timer !== undefined);
        // After a failure all of it is due, though nothing may come after it.
        if (isLast && !round.isOver) this.#isDue = false;
        const isBehind = spool.end - cursor.position > LAG * batchSize;
        if (isBehind && performance.now() - round.begin > LEAST_ROUND) this.#end(round);
      }
    }
  }

  /** Sends the next lines of a cursor, and tells how many that were; 0 if there are none, or if it failed. */
  async #sendBatch(cursor: Cursor, round: Round): Promise<number> {
    const { spool, historian, batchSize, refuse } = this.#options;
    try {
      const batch = await this.#inTurn(() => cursor.read(BATCH_BYTES, batchSize));
      if (!batch) return 0;
      const refused = await historian.write(batch.bytes);
      // What is sent while a node closes reaches nobody: so it is refused once more after the restart.
      if (this.#isClosed || (this.#isClosing && refused.length > 0)) return 0;
      if (refused.length > 0) refuse(refused);
      spool.acknowledge(batch.range);
      this.written += batch.readings - refused.length;
      this.refused += refused.length;
      this.#settle(undefined);
      return batch.readings;
    } catch (error) {
      round.failure ??= error instanceof Error ? error : new Error(String(error));
      this.#end(round);
      return 0;
    }
  }

  /** A cursor reads one batch at a time. */
  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#reading.then(read);
    this.#reading = turn.catch(() => {});
    return turn;
  }

  #goesOn(round: Round): boolean {
    return !this.#isClosing && !round.isOver;
  }

  #end(round: Round): void {
    round.isOver = true;
    this.#wake();
  }

  #settle(failure: string | undefined): void {
    if (failure === this.failure) return;
    this.failure = failure;
    this.#options.changed();
  }

  #catchUp(isCatchingUp: boolean): void {
    if (isCatchingUp === this.isCatchingUp) return;
    this.isCatchingUp = isCatchingUp;
    this.#options.changed();
  }

  /** New lines are to be sent now. */
  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = true;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}
