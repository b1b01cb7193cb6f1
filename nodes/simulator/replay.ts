/** The replay of a recording: when each of its readings goes, and with what time. */
import type { Sent } from "../../core/simulator/transport.ts";
import type { Reading } from "../../core/types.ts";
import { Recording } from "../lib/recording.ts";
import type { Consumer } from "./simulation.ts";

export interface ReplayOptions {
  file: string;
  /** How many times as fast as it was recorded; 0: as fast as it is taken. */
  speed: number;
  /** Begins again at the end. */
  loop: boolean;
  /** `now`: the first reading has the present time, the others their distance to it ÷ speed. */
  timestamps: "now" | "original";
}

/** Longest wait in one piece: timers end at 2³¹ ms. */
const LONGEST_WAIT = 86_400_000;

/** A timer that is off by more than this tells that the clock was set or the machine slept, ms. */
const CLOCK_TOLERANCE = 1000;

/** Plays a recording once, or in a loop. A reading whose time has passed, such as one out of order, goes at once. */
export class Replay {
  /** Readings that were sent. */
  sent = 0;
  /** How often the file was played to its end. */
  rounds = 0;
  /** Records that could not be taken, those of which only some metrics could, and why the first of these. */
  refused = 0;
  partlyRefused = 0;
  reason: string | undefined;

  readonly #options: ReplayOptions;
  readonly #consumer: Consumer;
  readonly #firstRefused: (reason: string) => void;
  readonly #batchSize: number;
  #recording: Recording | undefined;
  #pending: Sent[] = [];
  /** When the first reading of this round is due, ms since 1970. */
  #start = 0;
  /** Time between two rounds, ms. */
  #gap = 0;
  #pausedAt: number | undefined;
  #isClosed = false;
  #wake: () => void = () => undefined;

  /**
   * @param firstRefused told why, when a record is refused wholly or partly for the first time
   * @param batchSize how many readings at most the consumer is given together, of those that are due
   */
  constructor(options: ReplayOptions, consumer: Consumer, firstRefused: (reason: string) => void, batchSize: number) {
    this.#options = options;
    this.#consumer = consumer;
    this.#firstRefused = firstRefused;
    this.#batchSize = batchSize;
  }

  /** How much of the file was played, 0 to 100. */
  get percent(): number {
    return this.#recording?.percent ?? 0;
  }

  /** Opens the file, to be followed by `play`. Throws an Error if it can't be read. */
  async open(): Promise<void> {
    this.#recording = await Recording.open(this.#options.file);
  }

  /** Ends when all was taken, or after `close`. Throws an Error for a file that is damaged or holds no reading. */
  async play(): Promise<void> {
    do {
      if (this.rounds > 0) await this.open();
      await this.#playRound();
      if (this.#isClosed) return;
      this.rounds++;
    } while (this.#options.loop);
  }

  pause(): void {
    this.#pausedAt ??= Date.now();
    this.#wake();
  }

  /** Goes on as if the pause had not been. */
  resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#start += Date.now() - this.#pausedAt;
    this.#pausedAt = undefined;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async #playRound(): Promise<void> {
    let count = 0;
    let first = 0;
    let latest = 0;
    for await (const reading of this.#recording?.readings(this.#refuse) ?? []) {
      if (count++ === 0) {
        first = latest = reading.timestamp;
        this.#start = (this.#pausedAt ?? Date.now()) + this.#gap;
      }
      latest = Math.max(latest, reading.timestamp);
      await this.#until(reading, reading.timestamp - first);
      if (this.#isClosed) return;
      if (this.#pending.push({ deviceId: reading.deviceId, payload: reading }) >= this.#batchSize) await this.#flush();
    }
    if (count === 0) throw new Error(`${this.#options.file} holds no reading${this.reason ? `: ${this.reason}` : ""}`);
    await this.#flush();
    // Between two rounds goes as much time as between two readings.
    const { speed } = this.#options;
    this.#gap = speed === 0 ? 0 : ((latest - first) / (count - 1) || 1000) / speed;
  }

  /** Waits until a reading is due that was recorded so many ms after the first, and gives it its time. */
  async #until(reading: Reading, distance: number): Promise<void> {
    const { speed, timestamps } = this.#options;
    const due = () => (speed === 0 ? Date.now() : this.#start + distance / speed);
    while (!this.#isClosed) {
      const wait = this.#pausedAt === undefined ? due() - Date.now() : LONGEST_WAIT;
      if (wait <= 0) break;
      if (this.#pausedAt === undefined && this.#pending.length > 0) await this.#flush();
      else await this.#wait(Math.min(wait, LONGEST_WAIT));
    }
    if (timestamps === "now") reading.timestamp = Math.round(due());
  }

  async #flush(): Promise<void> {
    const sent = this.#pending;
    if (sent.length === 0) return;
    this.#pending = [];
    this.sent += sent.length;
    await this.#consumer.take(sent);
  }

  /** Waits so many ms, or until something has changed. */
  async #wait(milliseconds: number): Promise<void> {
    const before = Date.now();
    const isOver = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
    const error = Date.now() - before - milliseconds;
    if (isOver && this.#pausedAt === undefined && Math.abs(error) > CLOCK_TOLERANCE) this.#start += error;
  }

  readonly #refuse = (line: number, reason: string, isPartial: boolean): void => {
    if (isPartial) this.partlyRefused++;
    else this.refused++;
    if (this.reason !== undefined) return;
    this.reason = `line ${line}: ${reason}`;
    this.#firstRefused(this.reason);
  };
}
