/** The windows of one group of readings, and how far time has come for it. */
import type { MetricFilter } from "../names.ts";
import { MAX_TIMESTAMP } from "../timestamp.ts";
import type { Reading, Tags } from "../types.ts";
import { AlignedWindows } from "./aligned-windows.ts";
import { CountedWindows } from "./counted-windows.ts";
import { type Progress, planWindows, type WindowPlan, type WindowShape, type Windows } from "./plan.ts";
import { SessionWindows } from "./session-windows.ts";
import type { ClosedWindow } from "./window-summary.ts";

/** How far ahead of the wall clock a reading's time may be, ms. Beyond, it would close windows that are not over. */
export const MAX_AHEAD = 60_000;

/** A group as plain JSON. */
export interface WindowGroupState {
  shape: WindowShape;
  newest?: number;
  watermark?: number;
  horizon?: number;
  tags?: Tags;
  windows: unknown;
  /** What was closed and not yet sent. */
  unsent?: ClosedWindow[];
}

/**
 * Puts readings into windows by their own times, and closes these as the watermark passes their ends: the newest time of
 * the group minus `maxOutOfOrderSeconds`. A reading whose windows are all closed, and for longer than
 * `allowedLatenessSeconds`, is too late; so every reading is either in a result or refused as late, and never in both.
 *
 * When the group has been silent for `idleSeconds`, the watermark goes on with the wall clock, but not beyond the end of the
 * last window: readings that were held up on their way still find later windows open.
 *
 * Readings of bad quality, and those without any of the metrics that count, change nothing.
 *
 * Cost: see AlignedWindows, SessionWindows and CountedWindows, which hold at most MAX_WINDOWS summaries.
 */
export class WindowGroup {
  readonly #plan: WindowPlan;
  readonly #windows: Windows;
  readonly #progress: Progress = { watermark: -Infinity, horizon: -Infinity };
  #newest = -Infinity;
  /** How long nothing has come, ms; undefined until the first tick after a reading. */
  #silent: number | undefined;
  #unsent: ClosedWindow[] = [];
  /** The tags that make the group, for whoever sends its results. */
  tags: Tags | undefined;

  constructor(plan: WindowPlan, windows: Windows = emptyWindows(plan)) {
    this.#plan = plan;
    this.#windows = windows;
  }

  /**
   * Restores what `toJSON` gave. Windows of another shape are closed as they are, and the next `tick` gives their results.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(plan: WindowPlan, state: unknown): WindowGroup {
    const saved = readState(state);
    const { shape, watermark = -Infinity, unsent = [] } = saved;
    const isSame = JSON.stringify(shape) === JSON.stringify(plan.shape);
    const itsPlan = isSame ? plan : planOfFormer(shape);
    const group = new WindowGroup(itsPlan, windowsFrom(itsPlan, saved.windows, watermark));
    group.#progress.watermark = watermark;
    // When results can be corrected for longer than before, those that are forgotten still can't.
    group.#progress.horizon = Math.max(saved.horizon ?? -Infinity, watermark - itsPlan.lateness);
    group.#newest = saved.newest ?? -Infinity;
    group.tags = saved.tags;
    const restored = isSame ? group : new WindowGroup(plan);
    restored.#unsent = unsent;
    if (!isSame) {
      const open: ClosedWindow[] = [];
      group.flush(open);
      unsent.push(...open.map((window) => ({ ...window, ...(group.tags && { tags: group.tags }) })));
    }
    return restored;
  }

  /**
   * Takes in a reading that arrives at `now`, ms since 1970, and appends to `closed` the results that this gives.
   *
   * @returns how many seconds it is too late, negative if it is more than MAX_AHEAD in the future; or undefined if it is
   *   in a window, or counts in nothing
   * @throws RangeError when a window would have too many metrics; nothing is changed then
   */
  push(reading: Reading, now: number, accepts: MetricFilter | undefined, closed: ClosedWindow[]): number | undefined {
    if (reading.quality === "bad" || (accepts && !hasAny(reading, accepts))) return undefined;
    const { timestamp } = reading;
    if (timestamp > now + MAX_AHEAD) return (now - timestamp) / 1000;
    if (!this.#windows.take(reading, this.#progress, accepts, closed)) {
      return (this.#progress.watermark - timestamp) / 1000;
    }
    this.#silent = undefined;
    if (timestamp > this.#newest) {
      this.#newest = timestamp;
      if (this.#pass(timestamp - this.#plan.delay)) this.#windows.advance(this.#progress, closed);
    }
    return undefined;
  }

  /** Lets time pass, ms, in which nothing has come but what was pushed meanwhile. Appends the results to `closed`. */
  tick(elapsed: number, closed: ClosedWindow[]): void {
    if (this.#unsent.length > 0) closed.push(...this.#unsent.splice(0));
    this.#silent = this.#silent === undefined ? 0 : this.#silent + elapsed;
    if (this.#silent < this.#plan.idle) return;
    const reached = this.#newest + this.#silent - this.#plan.delay;
    const isCounted = this.#plan.shape.window === "count";
    if (this.#pass(Math.min(reached, this.#windows.end)) || isCounted) this.#windows.advance(this.#progress, closed);
  }

  /** Closes all windows. Appends the results to `closed`. */
  flush(closed: ClosedWindow[]): void {
    const { end } = this.#windows;
    if (end === -Infinity) return;
    this.#pass(end);
    this.#windows.advance(this.#progress, closed);
  }

  toJSON(): WindowGroupState {
    const state: WindowGroupState = { shape: this.#plan.shape, windows: this.#windows.toJSON() };
    if (this.tags) state.tags = this.tags;
    if (this.#newest > -Infinity) state.newest = this.#newest;
    const { watermark, horizon } = this.#progress;
    if (watermark > -Infinity) Object.assign(state, { watermark, horizon });
    if (this.#unsent.length > 0) state.unsent = this.#unsent;
    return state;
  }

  /** Moves the watermark on. True if there are windows to be closed or forgotten. */
  #pass(watermark: number): boolean {
    const progress = this.#progress;
    if (!(watermark > progress.watermark)) return false;
    progress.watermark = watermark;
    progress.horizon = Math.max(progress.horizon, watermark - this.#plan.lateness);
    return watermark >= this.#windows.due;
  }
}

function emptyWindows(plan: WindowPlan): Windows {
  const { window } = plan.shape;
  if (window === "session") return new SessionWindows(plan);
  return window === "count" ? new CountedWindows(plan) : new AlignedWindows(plan);
}

function windowsFrom(plan: WindowPlan, state: unknown, watermark: number): Windows {
  const { window } = plan.shape;
  if (window === "session") return SessionWindows.from(plan, state);
  return window === "count" ? CountedWindows.from(plan, state) : AlignedWindows.from(plan, state, watermark);
}

function planOfFormer(shape: WindowShape): WindowPlan {
  try {
    return planWindows({ ...shape, maxOutOfOrderSeconds: 0, allowedLatenessSeconds: 0, idleSeconds: 0 });
  } catch (error) {
    throw new TypeError("the state has windows that there can't be", { cause: error });
  }
}

function hasAny({ metrics }: Reading, accepts: MetricFilter): boolean {
  for (const name in metrics) if (accepts(name)) return true;
  return false;
}

function readState(state: unknown): WindowGroupState {
  const { shape, newest, watermark, horizon, unsent } = (state ?? {}) as Record<keyof WindowGroupState, unknown>;
  const isTime = (time: unknown) => time === undefined || Math.abs(Number(time)) <= 2 * MAX_TIMESTAMP;
  const isWhole =
    typeof shape === "object" &&
    shape !== null &&
    isTime(newest) &&
    isTime(watermark) &&
    isTime(horizon) &&
    (unsent === undefined || Array.isArray(unsent));
  if (!isWhole) throw new TypeError("the state of a group of windows can't be read");
  return state as WindowGroupState;
}
