/** Tumbling and hopping windows of one group. */
import type { MetricFilter } from "../names.ts";
import type { Reading } from "../types.ts";
import type { Progress, WindowPlan, Windows } from "./plan.ts";
import { type ClosedWindow, WindowSummary, type WindowSummaryState } from "./window-summary.ts";

/** The slices as plain JSON. */
export type AlignedState = [index: number, summary: WindowSummaryState][];

/**
 * Aligned windows, summed up in slices as long as the hop: each reading is summed up once, however much its windows
 * overlap. A window has the number of its first slice.
 *
 * Cost: take O(1); advance O(slices), once a slice; a result O(slices of the window).
 */
export class AlignedWindows implements Windows {
  readonly #plan: WindowPlan;
  readonly #slices = new Map<number, WindowSummary>();
  /** The first window that has not been closed. */
  #next = -Infinity;
  /** The last slice that has held a reading. */
  #last = -Infinity;
  due = -Infinity;

  constructor(plan: WindowPlan) {
    this.#plan = plan;
  }

  /** Restores what `toJSON` gave when the watermark was this. */
  static from(plan: WindowPlan, state: unknown, watermark: number): AlignedWindows {
    if (!Array.isArray(state)) throw new TypeError("the state of windows can't be read");
    const windows = new AlignedWindows(plan);
    for (const [index, summary] of state) {
      if (!Number.isSafeInteger(index)) throw new TypeError("the state of windows can't be read");
      windows.#slices.set(index, WindowSummary.from(plan.summary, summary));
      windows.#last = Math.max(windows.#last, index);
    }
    if (watermark > -Infinity) windows.#pass(watermark);
    return windows;
  }

  get end(): number {
    return this.#last === -Infinity ? -Infinity : this.#endOf(this.#last);
  }

  take(reading: Reading, progress: Progress, accepts: MetricFilter | undefined, closed: ClosedWindow[]): boolean {
    const { calendar, slices } = this.#plan;
    const { watermark, horizon } = progress;
    const { timestamp } = reading;
    const index = calendar.indexOf(timestamp);
    const isBehind = timestamp < watermark;
    if (isBehind && this.#endOf(index) <= horizon) return false;
    this.#slice(index).push(reading, accepts);
    if (index > this.#last) this.#last = index;
    if (!isBehind || horizon === watermark) return true;
    for (let first = index - slices + 1; first <= index; first++) {
      const end = this.#endOf(first);
      // A closed window that had readings before has been sent.
      if (end <= watermark && end > horizon) this.#close(first, (count) => count > 1, closed);
    }
    return true;
  }

  advance({ watermark, horizon }: Progress, closed: ClosedWindow[]): void {
    const { calendar, slices } = this.#plan;
    const first = this.#next;
    this.#pass(watermark);
    const indices = [...this.#slices.keys()].sort((a, b) => a - b);
    let from = first;
    for (const index of indices) {
      from = Math.max(from, index - slices + 1);
      for (; from <= index && from < this.#next; from++) this.#close(from, () => false, closed);
    }
    const forgotten = calendar.indexOf(horizon) - slices;
    for (const index of indices) if (index <= forgotten) this.#slices.delete(index);
  }

  toJSON(): AlignedState {
    return Array.from(this.#slices, ([index, summary]) => [index, summary.toJSON()]);
  }

  #slice(index: number): WindowSummary {
    let slice = this.#slices.get(index);
    if (slice === undefined) {
      slice = new WindowSummary(this.#plan.summary);
      this.#slices.set(index, slice);
    }
    return slice;
  }

  #endOf(first: number): number {
    return this.#plan.calendar.startOf(first + this.#plan.slices);
  }

  #pass(watermark: number): void {
    const { calendar, slices } = this.#plan;
    const index = calendar.indexOf(watermark);
    this.#next = index - slices + 1;
    this.due = calendar.startOf(index + 1);
  }

  #close(first: number, isUpdate: (count: number) => boolean, closed: ClosedWindow[]): void {
    const { calendar, slices, summary } = this.#plan;
    let whole = slices === 1 ? this.#slices.get(first) : undefined;
    if (whole === undefined) {
      whole = new WindowSummary(summary);
      for (let index = first; index < first + slices; index++) {
        const slice = this.#slices.get(index);
        if (slice) whole.merge(slice);
      }
    }
    closed.push(whole.result(calendar.startOf(first), this.#endOf(first), isUpdate(whole.count)));
  }
}
