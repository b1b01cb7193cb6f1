/** How many messages one output may get, and what was held back instead. */
import { SEVERITY_RANK } from "./alert-routes.ts";
import type { Alarm, Severity } from "./types.ts";

const MINUTE = 60_000;

/** The first summary waits so long, ms, for what else is held back in the same storm. */
const GATHERING = 5000;

/** Different things that are counted apart; further ones are counted together. */
const MAX_COUNTS = 100;

/** Devices that are named of each. */
const MAX_DEVICES = 3;

/** What an alert is about: an alarm that holds, or one that is over. */
export type AlertKind = "alarm" | "repeat" | "escalation" | "normal";

/** How many alerts of one sort were held back. */
export interface HeldCount {
  kind: AlertKind;
  severity: Severity;
  /** Absent when there were too many different ones to tell apart. */
  condition?: string;
  count: number;
  /** The first few of the devices. */
  devices: string[];
}

/** What an output was not told one by one, the worst and then the most frequent first. */
export interface Summary {
  count: number;
  /** The worst. */
  severity: Severity;
  counts: HeldCount[];
}

/** Plain JSON. Times in ms since 1970. */
export interface AlertLimitState {
  sent: number[];
  held: HeldCount[];
  summaryAt: number;
}

/**
 * Lets at most `perMinute` alerts through in any 60 seconds and counts the others. A summary of these is due some seconds
 * after the first one, and then no more than once a minute.
 *
 * Cost: O(1) an alert. Memory: 8 bytes × perMinute, and at most MAX_COUNTS counts.
 */
export class AlertLimit {
  /** When the latest ones were let through, as a ring. */
  readonly #sent: Float64Array;
  #next = 0;
  /** At most MAX_COUNTS, and one for each severity and kind of all others. */
  #held: HeldCount[] = [];
  /** Before this time no summary is sent. */
  #summaryAt = -Infinity;

  constructor(perMinute: number) {
    this.#sent = new Float64Array(perMinute).fill(-Infinity);
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(perMinute: number, state: unknown): AlertLimit {
    requireState(state);
    const limit = new AlertLimit(perMinute);
    for (const time of state.sent) limit.#add(time);
    limit.#held = state.held.slice();
    limit.#summaryAt = state.summaryAt;
    return limit;
  }

  /** True as long as something is held back. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** True if the alert may be sent at `now`; otherwise it is counted. */
  take(kind: AlertKind, alarm: Alarm, now: number): boolean {
    const since = now - (this.#sent[this.#next] ?? 0);
    // A time in the future was written before the clock was set back.
    if (since >= MINUTE || since < 0) {
      this.#add(now);
      return true;
    }
    if (this.#held.length === 0) this.#summaryAt = Math.max(now + GATHERING, Math.min(this.#summaryAt, now + MINUTE));
    this.#hold(kind, alarm);
    return false;
  }

  /** What was held back, if it is time to tell; then it counts as told. */
  summary(now: number): Summary | undefined {
    if (this.#held.length === 0 || (now < this.#summaryAt && this.#summaryAt - now <= MINUTE)) return undefined;
    const counts = this.#held.sort(
      (a, b) =>
        Number(a.kind === "normal") - Number(b.kind === "normal") ||
        SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity] ||
        b.count - a.count,
    );
    this.#held = [];
    this.#summaryAt = now + MINUTE;
    const severities = counts.map(({ severity }) => severity);
    return {
      count: counts.reduce((sum, { count }) => sum + count, 0),
      severity: severities.reduce((worst, each) => (SEVERITY_RANK[each] > SEVERITY_RANK[worst] ? each : worst)),
      counts,
    };
  }

  toJSON(): AlertLimitState {
    const sent = [...this.#sent.subarray(this.#next), ...this.#sent.subarray(0, this.#next)].filter(Number.isFinite);
    const held = this.#held.map((count) => ({ ...count, devices: [...count.devices] }));
    return { sent, held, summaryAt: Number.isFinite(this.#summaryAt) ? this.#summaryAt : 0 };
  }

  #add(time: number): void {
    this.#sent[this.#next] = time;
    this.#next = (this.#next + 1) % this.#sent.length;
  }

  #hold(kind: AlertKind, { severity, condition, deviceId }: Alarm): void {
    let held = this.#count(kind, severity, condition);
    if (held === undefined) {
      const isApart = this.#held.length < MAX_COUNTS;
      held = isApart ? undefined : this.#count(kind, severity, undefined);
      if (held === undefined) {
        held = { kind, severity, ...(isApart && { condition }), count: 0, devices: [] };
        this.#held.push(held);
      }
    }
    held.count++;
    if (held.devices.length < MAX_DEVICES && !held.devices.includes(deviceId)) held.devices.push(deviceId);
  }

  /** In a storm it is nearly always the first one or the next. */
  #count(kind: AlertKind, severity: Severity, condition: string | undefined): HeldCount | undefined {
    for (const held of this.#held) {
      if (held.condition === condition && held.kind === kind && held.severity === severity) return held;
    }
    return undefined;
  }
}

function requireState(state: unknown): asserts state is AlertLimitState {
  const { sent, held, summaryAt } = (typeof state === "object" && state !== null ? state : {}) as Record<
    string,
    unknown
  >;
  const isCount = (each: unknown) => {
    const { kind, severity, condition, count, devices } = (each ?? {}) as Record<string, unknown>;
    return (
      ["alarm", "repeat", "escalation", "normal"].includes(String(kind)) &&
      Object.hasOwn(SEVERITY_RANK, String(severity)) &&
      (condition === undefined || typeof condition === "string") &&
      Number.isSafeInteger(count) &&
      Array.isArray(devices)
    );
  };
  const isState = Array.isArray(sent) && sent.every(Number.isFinite) && Array.isArray(held) && held.every(isCount);
  if (!isState || !Number.isFinite(summaryAt)) throw new TypeError("this is not what an output was told");
}
