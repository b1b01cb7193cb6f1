/** Which windows there are, and what they find. */
import type { MetricFilter } from "../names.ts";
import type { Reading } from "../types.ts";
import { type Calendar, calendarOf } from "./calendar.ts";
import { type MetricFunction, planSummary, type SummaryPlan } from "./metric-summary.ts";
import type { ClosedWindow } from "./window-summary.ts";

export type WindowFunction = MetricFunction | "count" | "anomalyCount";

/** What decides which reading is in which window, and what is kept of it. */
export interface WindowShape {
  /** Aligned windows side by side, overlapping ones, those between two silences, or a number of readings. */
  window: "tumbling" | "hopping" | "session" | "count";
  /** Length of a tumbling or hopping window. */
  sizeSeconds: number;
  /** From the start of a hopping window to that of the next; divides the length. */
  hopSeconds: number;
  /** The silence that ends a session. */
  gapSeconds: number;
  countSize: number;
  /** Where windows of days begin (see calendarOf). */
  timeZone: string;
  /** See groupingBy. */
  groupBy: readonly string[];
  functions: readonly WindowFunction[];
}

export interface WindowOptions extends WindowShape {
  /** How far the watermark stays behind the newest reading. */
  maxOutOfOrderSeconds: number;
  /** How long a closed window can be corrected, after the watermark has passed its end. */
  allowedLatenessSeconds: number;
  /**
   * How long a group is silent before its windows are closed by the wall clock. 0 stands for the length of the window or
   * the gap of a session; windows of a number of readings then stay open.
   */
  idleSeconds: number;
}

/** One plan serves any number of groups. Times in ms. */
export interface WindowPlan {
  /** The options that matter to the windows; those saved with others can't go on. */
  readonly shape: Readonly<WindowShape>;
  readonly summary: SummaryPlan;
  /** Slices of time, of which a window holds `slices`. */
  readonly calendar: Calendar;
  readonly slices: number;
  readonly gap: number;
  readonly countSize: number;
  readonly delay: number;
  readonly lateness: number;
  /** Infinity for never. */
  readonly idle: number;
}

/** How far time has come for a group, ms since 1970. Never goes back. */
export interface Progress {
  /** Windows that end by then are closed. */
  watermark: number;
  /** Windows that end by then are forgotten, and can't be corrected any more. */
  horizon: number;
}

/** The windows of one group, be they aligned, sessions or counted. */
export interface Windows {
  /** The watermark from which on `advance` has something to do. */
  readonly due: number;
  /** When the last window ends, ms since 1970; -Infinity before the first. */
  readonly end: number;
  /**
   * Takes in a reading and appends to `closed` what it corrects or completes.
   *
   * @returns false if it is too late for all its windows
   * @throws RangeError when its window would have too many metrics; nothing is changed then
   */
  take(reading: Reading, progress: Progress, accepts: MetricFilter | undefined, closed: ClosedWindow[]): boolean;
  /** Closes the windows that end by the watermark, and forgets those that end by the horizon. */
  advance(progress: Progress, closed: ClosedWindow[]): void;
  toJSON(): unknown;
}

/** Windows that may be kept of a group at a time. */
export const MAX_WINDOWS = 1000;

/** @throws RangeError, beginning with the name of the option, when the options make no sense */
export function planWindows(options: Readonly<WindowOptions>): WindowPlan {
  const { window, countSize, timeZone, groupBy, functions } = options;
  const isAligned = window === "tumbling" || window === "hopping";
  const size = milliseconds(options.sizeSeconds);
  const hop = window === "hopping" ? milliseconds(options.hopSeconds) : size;
  const gap = milliseconds(options.gapSeconds);
  const delay = milliseconds(options.maxOutOfOrderSeconds);
  const lateness = milliseconds(options.allowedLatenessSeconds);
  const idle = milliseconds(options.idleSeconds);
  if (functions.length === 0) throw new RangeError("functions: must name at least one");
  if (window === "hopping" && (hop === 0 || size % hop !== 0)) {
    throw new RangeError("hopSeconds: must divide the length of the window without a rest");
  }
  const kept = isAligned ? (size + delay + lateness) / hop : window === "session" ? (delay + lateness) / gap : 0;
  if (!(kept < MAX_WINDOWS)) {
    const name = lateness > delay ? "allowedLatenessSeconds" : delay > 0 ? "maxOutOfOrderSeconds" : "hopSeconds";
    throw new RangeError(
      `${name}: ${Math.ceil(kept)} windows of a group would be kept at a time, at most ${MAX_WINDOWS} are`,
    );
  }
  const usualIdle = isAligned ? size : window === "session" ? gap : Infinity;
  return {
    shape: {
      window,
      sizeSeconds: isAligned ? options.sizeSeconds : 0,
      hopSeconds: window === "hopping" ? options.hopSeconds : 0,
      gapSeconds: window === "session" ? options.gapSeconds : 0,
      countSize: window === "count" ? countSize : 0,
      timeZone: isAligned ? timeZone : "UTC",
      groupBy,
      functions,
    },
    summary: planSummary(functions.filter((name) => name !== "count" && name !== "anomalyCount")),
    calendar: calendarOf(hop, timeZone),
    slices: size / hop,
    gap,
    countSize,
    delay,
    lateness,
    idle: idle > 0 ? idle : usualIdle,
  };
}

function milliseconds(seconds: number): number {
  return Math.round(1000 * seconds);
}
