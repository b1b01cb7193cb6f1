/** Windows of a number of readings of one group. */
import type { MetricFilter } from "../names.ts";
import type { Reading } from "../types.ts";
import type { Progress, WindowPlan, Windows } from "./plan.ts";
import { type ClosedWindow, WindowSummary, type WindowSummaryState } from "./window-summary.ts";

/** The window as plain JSON. */
export interface CountedState {
  first: number;
  last: number;
  summary: WindowSummaryState;
}

/**
 * Windows that are full after a number of readings, which count in the order in which they arrive: none is too late.
 * A window reaches from its earliest time to 1 ms after its latest. Cost: O(1).
 */
export class CountedWindows implements Windows {
  readonly #plan: WindowPlan;
  #summary: WindowSummary;
  #first = Infinity;
  #last = -Infinity;
  /** Only silence and commands close it before it is full. */
  readonly due = Infinity;

  constructor(plan: WindowPlan) {
    this.#plan = plan;
    this.#summary = new WindowSummary(plan.summary);
  }

  /** Restores what `toJSON` gave. */
  static from(plan: WindowPlan, state: unknown): CountedWindows {
    const windows = new CountedWindows(plan);
    if (state === null) return windows;
    const { first, last, summary } = (state ?? {}) as Record<keyof CountedState, unknown>;
    if (!(Number.isFinite(first) && Number.isFinite(last))) throw new TypeError("the state of a window can't be read");
    windows.#first = Number(first);
    windows.#last = Number(last);
    windows.#summary = WindowSummary.from(plan.summary, summary);
    return windows;
  }

  get end(): number {
    return this.#last + 1;
  }

  take(reading: Reading, _progress: Progress, accepts: MetricFilter | undefined, closed: ClosedWindow[]): boolean {
    this.#summary.push(reading, accepts);
    this.#first = Math.min(this.#first, reading.timestamp);
    this.#last = Math.max(this.#last, reading.timestamp);
    if (this.#summary.count >= this.#plan.countSize) this.#close(closed);
    return true;
  }

  advance({ watermark }: Progress, closed: ClosedWindow[]): void {
    if (this.#summary.count > 0 && watermark >= this.end) this.#close(closed);
  }

  toJSON(): CountedState | null {
    if (this.#summary.count === 0) return null;
    return { first: this.#first, last: this.#last, summary: this.#summary.toJSON() };
  }

  #close(closed: ClosedWindow[]): void {
    closed.push(this.#summary.result(this.#first, this.end, false));
    this.#summary = new WindowSummary(this.#plan.summary);
    this.#first = Infinity;
    this.#last = -Infinity;
  }
}
