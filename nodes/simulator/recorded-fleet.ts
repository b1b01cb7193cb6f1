/** A recorded fleet: starts, stops and ends the replay of a file. */
import { Replay, type ReplayOptions } from "./replay.ts";
import type { Consumer, Simulation, SimulationState } from "./simulation.ts";

/** What a replay tells of by itself. */
export interface ReplayListener {
  /** It ended, with an error or without. */
  ended(error?: Error): void;
  /** A record was refused, wholly or partly, for the first time. */
  refused(reason: string): void;
}

/**
 * `stop` pauses, as on any player, and `start` goes on. What has ended stays so, that a flow may give `start` whenever its
 * broker is back: only `restart` plays it again.
 */
export class RecordedFleet implements Simulation {
  readonly #options: ReplayOptions;
  readonly #consumer: Consumer;
  readonly #listener: ReplayListener;
  readonly #batchSize: number;
  #replay: Replay | undefined;
  #state: SimulationState["state"] = "stopped";
  #error: string | undefined;

  /** @param batchSize how many readings at most the consumer gets at once, of those that are due */
  constructor(options: ReplayOptions, consumer: Consumer, listener: ReplayListener, batchSize: number) {
    this.#options = options;
    this.#consumer = consumer;
    this.#listener = listener;
    this.#batchSize = batchSize;
  }

  get state(): SimulationState {
    const { sent = 0, percent = 0, rounds = 0, refused = 0, partlyRefused = 0, reason } = this.#replay ?? {};
    return {
      state: this.#state,
      profile: "replay",
      sent,
      file: this.#options.file,
      percent: Math.round(percent * 10) / 10,
      rounds,
      refused,
      partlyRefused,
      uncompleted: this.#consumer.uncompleted ?? 0,
      ...(reason !== undefined && { reason }),
      ...(this.#error !== undefined && { error: this.#error }),
    };
  }

  /** Throws an Error if the file can't be read. */
  async start(): Promise<void> {
    if (this.#state === "running" || this.#state === "finished") return;
    if (this.#state === "failed" || !this.#replay) return await this.#begin();
    this.#state = "running";
    this.#consumer.open?.();
    this.#replay.resume();
  }

  stop(): void {
    if (this.#state !== "running") return;
    this.#state = "stopped";
    this.#replay?.pause();
    this.#consumer.close?.();
  }

  async restart(deviceId?: string): Promise<void> {
    if (deviceId !== undefined) throw new Error(`${deviceId} is recorded: a replay can be restarted only as a whole`);
    this.close();
    await this.#begin();
  }

  set(deviceId: string): void {
    throw new Error(`${deviceId} is recorded: nothing can be set in a replay`);
  }

  change(parameter: string): void {
    throw new Error(`${parameter} cannot be set: what is replayed is recorded`);
  }

  fault(deviceId: string): void {
    throw new Error(`${deviceId} is recorded: no fault can be started in a replay`);
  }

  devices(): undefined {
    return undefined;
  }

  close(): void {
    this.#replay?.close();
    this.#replay = undefined;
    this.#state = "stopped";
    this.#consumer.close?.();
  }

  async #begin(): Promise<void> {
    const replay = new Replay(this.#options, this.#consumer, this.#listener.refused, this.#batchSize);
    this.#replay = replay;
    this.#state = "running";
    this.#error = undefined;
    this.#consumer.open?.();
    try {
      await replay.open();
    } catch (error) {
      this.#end(replay, error as Error);
      throw error;
    }
    void this.#play(replay);
  }

  async #play(replay: Replay): Promise<void> {
    let error: Error | undefined;
    try {
      await replay.play();
      if (this.#replay === replay) await this.#consumer.drained?.();
    } catch (reason) {
      error = reason as Error;
    }
    if (this.#end(replay, error)) this.#listener.ended(error);
  }

  /** False if it is over already, closed by someone. */
  #end(replay: Replay, error: Error | undefined): boolean {
    if (this.#replay !== replay) return false;
    this.#state = error ? "failed" : "finished";
    this.#error = error?.message;
    this.#consumer.close?.();
    return true;
  }
}
