/** How an alarm system does by the measures of EEMUA 191 and ISA-18.2: how much it asks of its operators. */
import type { Alarm, AlarmState, Severity } from "./types.ts";

/** Alarms of which occurrences are kept; the rarest tenth makes room for further ones. */
export const MAX_COUNTED_ALARMS = 10_000;

/** Acknowledgements of which the duration is kept: the latest. */
export const MAX_ACKNOWLEDGEMENTS = 1000;

/** How long the lists of the report may get. */
const LIST_LENGTH = 10;

/** A flood begins with more alarms than this in ten minutes, and ends with fewer than that. */
const FLOOD_BEGINS_ABOVE = 10;
const FLOOD_ENDS_BELOW = 5;

/** An alarm that is raised so often within a minute is chattering. */
const CHATTERING = 3;

/** In ms. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** In minutes. */
const WINDOW = 10;
const DAY_MINUTES = DAY / MINUTE;

const SEVERITIES: readonly Severity[] = ["info", "warning", "critical"];
const STATES: readonly AlarmState[] = [
  "normal",
  "unacknowledged",
  "acknowledged",
  "returned-unacknowledged",
  "latched",
];

/** Of each minute is kept how many alarms of each severity there were, and whether there was, or began, a flood. */
const IN_FLOOD = SEVERITIES.length;
const FLOOD_BEGAN = IN_FLOOD + 1;
const COLUMNS = FLOOD_BEGAN + 1;

/** How an alarm system does. Times in ms since 1970; the last day is that up to `timestamp`, or since `since`. */
export interface AlarmFiguresReport {
  timestamp: number;
  /** Since when alarms are counted. */
  since: number;
  /** Alarms that were annunciated; the averages and the peak are of the last day. */
  alarms: {
    last10Minutes: number;
    lastHour: number;
    lastDay: number;
    averagePer10Minutes: number;
    averagePerHour: number;
    /** The most in any ten minutes. */
    peakPer10Minutes: number;
    /** Of the last day. */
    bySeverity: Record<Severity, number>;
  };
  /** More than 10 alarms in ten minutes, until there are fewer than 5. */
  flood: {
    /** Present during a flood. */
    since?: number;
    /** How many began in the last day. */
    count: number;
    /** Share of the last day, 0 to 1. */
    share: number;
  };
  /** Alarms that were raised at least 3 times within a minute, in the last day; the ten most frequent. */
  chattering: { count: number; alarms: { alarmId: string; count: number }[] };
  /** Alarms that stand for more than a day and are not silenced; the ten oldest. */
  stale: { count: number; alarms: { alarmId: string; raisedAt: number }[] };
  /** The ten most frequent of the last day, with their share of all, 0 to 1. */
  mostFrequent: { alarmId: string; count: number; share: number }[];
  /** From the raise to the acknowledgement, of the last day's latest 1000; without any, only the count. */
  secondsToAcknowledge: { count: number; mean?: number; median?: number; p95?: number };
  /** Alarms that are not normal, or that are silenced. */
  open: { count: number; bySeverity: Record<Severity, number>; byState: Record<AlarmState, number> };
}

/** Figures as plain JSON. */
export interface AlarmFiguresState {
  since: number;
  now: number;
  floodSince: number | undefined;
  /** Minutes since 1970 in which something was, each with its columns. */
  minutes: [minute: number, ...columns: number[]][];
  alarms: [alarmId: string, occurrences: OccurrencesState][];
  acknowledged: Acknowledgement[];
}

type Acknowledgement = [at: number, seconds: number];

/**
 * Counts what an alarm journal tells, over the last day: rates to the minute, single alarms to the hour.
 *
 * Time comes with the lines and with `now`, in ms since 1970. When it is set back, it stands still until it is reached
 * again; by more than ten minutes, the figures start anew.
 *
 * Sources: EEMUA Publication 191, ANSI/ISA-18.2-2016 chapter 16.
 *
 * Cost: O(1) a line, amortised; a report O(minutes of a day + alarms). Memory: 58 kB and some 200 bytes an alarm.
 */
export class AlarmFigures {
  readonly #minutes = new Float64Array(DAY_MINUTES * COLUMNS);
  readonly #alarms = new Map<string, Occurrences>();
  #acknowledged: Acknowledgement[] = [];
  /** When counting began. */
  #since = 0;
  /** The latest time that was heard of. */
  #now = 0;
  /** Alarms of the latest ten minutes. */
  #rate = 0;
  #floodSince: number | undefined;

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(state: unknown): AlarmFigures {
    requireState(state);
    const figures = new AlarmFigures();
    figures.#since = state.since;
    figures.#now = state.now;
    figures.#floodSince = state.floodSince;
    for (const [minute, ...columns] of state.minutes) figures.#minutes.set(columns, figures.#slot(minute));
    figures.#rate = figures.#total(figures.#minute - WINDOW);
    for (const [alarmId, occurrences] of state.alarms) figures.#alarms.set(alarmId, new Occurrences(occurrences));
    figures.#acknowledged = [...state.acknowledged];
    return figures;
  }

  /**
   * Takes a line of the journal.
   *
   * @throws TypeError when it does not say when it was; nothing is changed then
   */
  push({ alarmId, change, timestamp, isAnnunciated, severity, raisedAt }: Alarm): void {
    if (timestamp === undefined) throw new TypeError("a line of the journal has a timestamp");
    this.#advance(timestamp);
    if (change === "raised" && isAnnunciated) this.#raised(alarmId, severity);
    if (change === "acknowledged" && raisedAt !== undefined) {
      this.#acknowledged.push([this.#now, Math.max(0, timestamp - raisedAt) / 1000]);
      if (this.#acknowledged.length > MAX_ACKNOWLEDGEMENTS) this.#acknowledged.shift();
    }
  }

  /** How the alarm system does at a time, with the alarms that are not normal, or are silenced, then. */
  figures(open: Iterable<Alarm>, now: number): AlarmFiguresReport {
    this.#advance(now);
    const watched = Math.min(DAY_MINUTES, this.#minute - Math.floor(this.#since / MINUTE) + 1);
    const lastDay = this.#total(this.#minute - DAY_MINUTES);
    // What came in a shorter time is no average.
    const averagePer10Minutes = (lastDay / Math.max(WINDOW, watched)) * WINDOW;
    return {
      timestamp: now,
      since: this.#since,
      alarms: {
        last10Minutes: this.#rate,
        lastHour: this.#total(this.#minute - HOUR / MINUTE),
        lastDay,
        averagePer10Minutes,
        averagePerHour: (averagePer10Minutes / WINDOW) * 60,
        peakPer10Minutes: this.#peak(),
        bySeverity: countsOf(SEVERITIES, (_, column) => this.#sum(column)),
      },
      flood: {
        ...(this.#floodSince !== undefined && { since: this.#floodSince }),
        count: this.#sum(FLOOD_BEGAN),
        share: this.#sum(IN_FLOOD) / watched,
      },
      ...this.#frequent(),
      secondsToAcknowledge: this.#acknowledgement(),
      ...summary(open, now),
    };
  }

  toJSON(): AlarmFiguresState {
    const minutes: AlarmFiguresState["minutes"] = [];
    for (const minute of this.#day()) {
      const columns = [...this.#minutes.subarray(this.#slot(minute), this.#slot(minute) + COLUMNS)];
      if (columns.some((count) => count > 0)) minutes.push([minute, ...columns]);
    }
    return {
      since: this.#since,
      now: this.#now,
      floodSince: this.#floodSince,
      minutes,
      alarms: Array.from(this.#alarms, ([alarmId, occurrences]) => [alarmId, occurrences.toJSON()]),
      acknowledged: [...this.#acknowledged],
    };
  }

  /** The latest minute, numbered since 1970. */
  get #minute(): number {
    return Math.floor(this.#now / MINUTE);
  }

  #advance(time: number): void {
    if (this.#since === 0 || time < this.#now - WINDOW * MINUTE) {
      this.#alarms.clear();
      this.#acknowledged = [];
      this.#since = time;
      this.#skipTo(time);
    } else if (time >= this.#now + DAY) {
      this.#skipTo(time);
    } else if (time > this.#now) {
      const minute = Math.floor(time / MINUTE);
      for (let passed = this.#minute + 1; passed <= minute; passed++) this.#begin(passed);
      this.#now = time;
    }
  }

  /** Begins a time that has nothing to do with what is counted. */
  #skipTo(time: number): void {
    this.#minutes.fill(0);
    this.#rate = 0;
    this.#floodSince = undefined;
    this.#now = time;
  }

  #begin(minute: number): void {
    const slot = this.#slot(minute);
    this.#minutes.fill(0, slot, slot + COLUMNS);
    this.#rate -= this.#count(minute - WINDOW);
    if (this.#rate < FLOOD_ENDS_BELOW) this.#floodSince = undefined;
    if (this.#floodSince !== undefined) this.#minutes[slot + IN_FLOOD] = 1;
  }

  #raised(alarmId: string, severity: Severity): void {
    const slot = this.#slot(this.#minute);
    const column = slot + SEVERITIES.indexOf(severity);
    this.#minutes[column] = (this.#minutes[column] ?? 0) + 1;
    this.#rate++;
    if (this.#rate > FLOOD_BEGINS_ABOVE && this.#floodSince === undefined) {
      this.#floodSince = this.#now;
      this.#minutes.fill(1, slot + IN_FLOOD, slot + COLUMNS);
    }
    let occurrences = this.#alarms.get(alarmId);
    if (occurrences === undefined) {
      if (this.#alarms.size >= MAX_COUNTED_ALARMS) this.#makeRoom();
      occurrences = new Occurrences();
      this.#alarms.set(alarmId, occurrences);
    }
    occurrences.push(this.#now);
  }

  #makeRoom(): void {
    const ranked = Array.from(this.#alarms, ([alarmId, occurrences]) => ({
      alarmId,
      count: occurrences.countAt(this.#now),
      latest: occurrences.latest,
    }));
    ranked.sort((a, b) => a.count - b.count || a.latest - b.latest);
    for (const { alarmId } of ranked.slice(0, MAX_COUNTED_ALARMS / 10)) this.#alarms.delete(alarmId);
  }

  /** Also forgets the alarms that were not raised for a day. */
  #frequent(): Pick<AlarmFiguresReport, "mostFrequent" | "chattering"> {
    const ranked: { alarmId: string; count: number; isChattering: boolean }[] = [];
    for (const [alarmId, occurrences] of this.#alarms) {
      const count = occurrences.countAt(this.#now);
      if (count === 0) this.#alarms.delete(alarmId);
      else ranked.push({ alarmId, count, isChattering: occurrences.isChatteringAt(this.#now) });
    }
    ranked.sort((a, b) => b.count - a.count || (a.alarmId < b.alarmId ? -1 : 1));
    const total = this.#total(dayStart(this.#now) / MINUTE - 1);
    const chattering = ranked.filter(({ isChattering }) => isChattering);
    return {
      chattering: {
        count: chattering.length,
        alarms: chattering.slice(0, LIST_LENGTH).map(({ alarmId, count }) => ({ alarmId, count })),
      },
      mostFrequent: ranked
        .slice(0, LIST_LENGTH)
        .map(({ alarmId, count }) => ({ alarmId, count, share: count / total })),
    };
  }

  #acknowledgement(): AlarmFiguresReport["secondsToAcknowledge"] {
    const sorted = this.#acknowledged
      .filter(([at]) => at > this.#now - DAY)
      .map(([, seconds]) => seconds)
      .sort((a, b) => a - b);
    const count = sorted.length;
    if (count === 0) return { count };
    const mean = sorted.reduce((sum, seconds) => sum + seconds, 0) / count;
    return { count, mean, median: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
  }

  /** The most alarms in any ten minutes of the day. */
  #peak(): number {
    let rate = 0;
    let peak = 0;
    const first = this.#minute - DAY_MINUTES + 1;
    for (const minute of this.#day()) {
      rate += this.#count(minute);
      if (minute >= first + WINDOW) rate -= this.#count(minute - WINDOW);
      if (rate > peak) peak = rate;
    }
    return peak;
  }

  /** How many alarms there were after a minute of the last day. */
  #total(minute: number): number {
    let total = 0;
    for (let later = minute + 1; later <= this.#minute; later++) total += this.#count(later);
    return total;
  }

  #count(minute: number): number {
    const slot = this.#slot(minute);
    let count = 0;
    for (let column = 0; column < SEVERITIES.length; column++) count += this.#minutes[slot + column] ?? 0;
    return count;
  }

  #sum(column: number): number {
    let sum = 0;
    for (let slot = column; slot < this.#minutes.length; slot += COLUMNS) sum += this.#minutes[slot] ?? 0;
    return sum;
  }

  #slot(minute: number): number {
    return (minute % DAY_MINUTES) * COLUMNS;
  }

  *#day(): Iterable<number> {
    for (let minute = Math.max(0, this.#minute - DAY_MINUTES + 1); minute <= this.#minute; minute++) yield minute;
  }
}

type OccurrencesState = [hours: [hour: number, count: number][], recent: number[], chatteredAt: number | null];

/** When one alarm was raised: how often in each hour of the last day, and the latest times. */
class Occurrences {
  /** Hours are numbered since 1970. */
  readonly #hours: [hour: number, count: number][];
  /** The latest times, too few to be chattering. */
  readonly #recent: number[];
  #chatteredAt: number | null;

  constructor([hours, recent, chatteredAt]: OccurrencesState = [[], [], null]) {
    this.#hours = hours.map(([hour, count]) => [hour, count]);
    this.#recent = [...recent];
    this.#chatteredAt = chatteredAt;
  }

  get latest(): number {
    return this.#recent.at(-1) ?? 0;
  }

  push(now: number): void {
    const hour = Math.floor(now / HOUR);
    const latest = this.#hours.at(-1);
    if (latest?.[0] === hour) latest[1]++;
    else this.#hours.push([hour, 1]);
    if ((this.#hours[0]?.[0] ?? 0) * HOUR < dayStart(now)) this.#hours.shift();
    this.#recent.push(now);
    if (this.#recent.length < CHATTERING) return;
    const first = this.#recent.shift() ?? 0;
    if (now - first <= MINUTE) this.#chatteredAt = now;
  }

  countAt(now: number): number {
    let total = 0;
    for (const [hour, count] of this.#hours) if (hour * HOUR >= dayStart(now)) total += count;
    return total;
  }

  isChatteringAt(now: number): boolean {
    return (this.#chatteredAt ?? 0) >= dayStart(now);
  }

  toJSON(): OccurrencesState {
    return [this.#hours.map(([hour, count]) => [hour, count]), [...this.#recent], this.#chatteredAt];
  }
}

/** Where the last day begins that consists of whole hours and the present one. */
function dayStart(now: number): number {
  return (Math.floor(now / HOUR) - 23) * HOUR;
}

function summary(alarms: Iterable<Alarm>, now: number): Pick<AlarmFiguresReport, "stale" | "open"> {
  const bySeverity = countsOf(SEVERITIES, () => 0);
  const byState = countsOf(STATES, () => 0);
  const stale: { alarmId: string; raisedAt: number }[] = [];
  let count = 0;
  for (const { alarmId, severity, state, raisedAt = now, shelved, suppressed, outOfService } of alarms) {
    count++;
    bySeverity[severity]++;
    byState[state]++;
    const isStanding = state !== "normal" && !shelved && !suppressed && !outOfService;
    if (isStanding && now - raisedAt > DAY) stale.push({ alarmId, raisedAt });
  }
  stale.sort((a, b) => a.raisedAt - b.raisedAt);
  return {
    stale: { count: stale.length, alarms: stale.slice(0, LIST_LENGTH) },
    open: { count, bySeverity, byState },
  };
}

function countsOf<K extends string>(names: readonly K[], count: (name: K, index: number) => number): Record<K, number> {
  return Object.fromEntries(names.map((name, index) => [name, count(name, index)])) as Record<K, number>;
}

/** Type 7: interpolates linearly. */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const lower = sorted[Math.floor(place)] as number;
  const upper = sorted[Math.ceil(place)] as number;
  return lower + (upper - lower) * (place - Math.floor(place));
}

function requireState(state: unknown): asserts state is AlarmFiguresState {
  const { since, now, floodSince, minutes, alarms, acknowledged } = (
    typeof state === "object" && state !== null ? state : {}
  ) as Record<string, unknown>;
  const latest = Math.floor(Number(now) / MINUTE);
  const isMinute = (entry: unknown) =>
    isNumbers(entry, COLUMNS + 1) && (entry[0] as number) <= latest && (entry[0] as number) > latest - DAY_MINUTES;
  const isAlarm = (entry: unknown) =>
    Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && isOccurrences(entry[1]);
  const isRight =
    isNumbers([since, now, floodSince ?? 0], 3) &&
    isListOf(minutes, isMinute) &&
    isListOf(alarms, isAlarm) &&
    isListOf(acknowledged, (entry) => isNumbers(entry, 2));
  if (!isRight) throw new TypeError("these are not the figures of an alarm system");
}

function isOccurrences(state: unknown): boolean {
  if (!Array.isArray(state) || state.length !== 3) return false;
  const [hours, recent, chatteredAt] = state;
  const isHours = isListOf(hours, (entry) => isNumbers(entry, 2));
  return isHours && Array.isArray(recent) && recent.length < CHATTERING && isNumbers([...recent, chatteredAt ?? 0]);
}

function isListOf(value: unknown, isEntry: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isEntry);
}

function isNumbers(value: unknown, length?: number): value is number[] {
  const isNumber = (each: unknown) => typeof each === "number" && Number.isFinite(each) && each >= 0;
  return Array.isArray(value) && (length === undefined || value.length === length) && value.every(isNumber);
}
