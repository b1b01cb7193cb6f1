/** Session windows of one group: readings between two silences. */
import type { MetricFilter } from "../names.ts";
import type { Reading } from "../types.ts";
import type { Progress, WindowPlan, Windows } from "./plan.ts";
import { type ClosedWindow, WindowSummary, type WindowSummaryState } from "./window-summary.ts";

/** A session as plain JSON. */
export interface SessionState {
  first: number;
  last: number;
  isSent: boolean;
  isOpen: boolean;
  summary: WindowSummaryState;
}

interface Session {
  /** Time of its first and of its last reading, ms since 1970. */
  first: number;
  last: number;
  /** True if a result of it, or of a session that it has taken in, has been sent. */
  isSent: boolean;
  /** True until all that it holds has been sent. */
  isOpen: boolean;
  summary: WindowSummary;
}

/**
 * Sessions, from the first reading to the gap after the last. A reading less than the gap from two of them makes them one.
 *
 * Cost: O(sessions that are kept), of which there is one as long as readings come in order.
 */
export class SessionWindows implements Windows {
  readonly #plan: WindowPlan;
  #sessions: Session[] = [];
  due = Infinity;

  constructor(plan: WindowPlan) {
    this.#plan = plan;
  }

  /** Restores what `toJSON` gave. */
  static from(plan: WindowPlan, state: unknown): SessionWindows {
    if (!Array.isArray(state)) throw new TypeError("the state of sessions can't be read");
    const windows = new SessionWindows(plan);
    for (const { first, last, isSent, isOpen, summary } of state) {
      if (!(Number.isFinite(first) && Number.isFinite(last) && first <= last)) {
        throw new TypeError("the state of a session can't be read");
      }
      const session = { first, last, isSent: isSent === true, isOpen: isOpen === true };
      windows.#sessions.push({ ...session, summary: WindowSummary.from(plan.summary, summary) });
    }
    windows.#setDue();
    return windows;
  }

  get end(): number {
    return this.#sessions.reduce((end, session) => Math.max(end, this.#endOf(session)), -Infinity);
  }

  take(reading: Reading, progress: Progress, accepts: MetricFilter | undefined, closed: ClosedWindow[]): boolean {
    const { gap, summary } = this.#plan;
    const { timestamp } = reading;
    // Sessions are at least the gap apart, so no more than two are near.
    let session: Session | undefined;
    let other: Session | undefined;
    let last = timestamp;
    for (const each of this.#sessions) {
      if (timestamp <= each.first - gap || timestamp >= each.last + gap) continue;
      if (session) other = each;
      else session = each;
      last = Math.max(last, each.last);
    }
    if (last + gap <= progress.horizon) return false;
    if (session) session.summary.push(reading, accepts);
    else {
      session = { first: timestamp, last, isSent: false, isOpen: true, summary: new WindowSummary(summary) };
      session.summary.push(reading, accepts);
      this.#sessions.push(session);
    }
    session.first = Math.min(session.first, timestamp);
    session.last = last;
    if (other) this.#join(session, other);
    session.isOpen = true;
    if (this.#endOf(session) <= progress.watermark) this.#close(session, closed);
    this.due = Math.min(this.due, this.#dueOf(session));
    return true;
  }

  advance({ watermark, horizon }: Progress, closed: ClosedWindow[]): void {
    this.#sessions.sort((a, b) => a.first - b.first);
    for (const session of this.#sessions) {
      if (session.isOpen && this.#endOf(session) <= watermark) this.#close(session, closed);
    }
    this.#sessions = this.#sessions.filter((session) => this.#endOf(session) > horizon);
    this.#setDue();
  }

  toJSON(): SessionState[] {
    return this.#sessions.map((session) => ({ ...session, summary: session.summary.toJSON() }));
  }

  #join(session: Session, other: Session): void {
    session.first = Math.min(session.first, other.first);
    session.isSent ||= other.isSent;
    session.summary.merge(other.summary);
    this.#sessions = this.#sessions.filter((each) => each !== other);
  }

  #endOf({ last }: Session): number {
    return last + this.#plan.gap;
  }

  #dueOf(session: Session): number {
    return this.#endOf(session) + (session.isOpen ? 0 : this.#plan.lateness);
  }

  #setDue(): void {
    this.due = this.#sessions.reduce((due, session) => Math.min(due, this.#dueOf(session)), Infinity);
  }

  #close(session: Session, closed: ClosedWindow[]): void {
    closed.push(session.summary.result(session.first, this.#endOf(session), session.isSent));
    session.isSent = true;
    session.isOpen = false;
  }
}
