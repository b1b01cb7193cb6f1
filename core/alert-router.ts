/** Who is told of which alarm, when again, and when that it is over. What they are told in words is not known here. */
import { type AlertKind, AlertLimit, type AlertLimitState, type Summary } from "./alert-limit.ts";
import { AlertRoutes, type Route, SEVERITY_RANK } from "./alert-routes.ts";
import { MAX_OPEN_ALARMS } from "./device-status.ts";
import { isAlarm } from "./events.ts";
import type { Alarm } from "./types.ts";

/** The output of alarms that no route takes. */
export const UNROUTED = "";

/** So long an alarm that is over is known, ms, so that a copy of its raise that comes late is not taken for a new one. */
const REMEMBERED = 3_600_000;

/** The longest text of an alarm that is kept. */
const MAX_TEXT = 1000;

/** What one output is to be told. */
export type Delivery =
  | { output: string; kind: AlertKind; alarm: Alarm }
  | { output: string; kind: "summary"; summary: Summary };

/** What an output is to be told later, if nobody has acknowledged by then. */
interface Reminder {
  /** A repeat comes again and again, an escalation once. */
  kind: "repeat" | "escalation";
  output: string;
  seconds: number;
  /** When it is due, ms since 1970. */
  at: number;
}

/** An alarm of which somebody was told. Plain JSON. */
export interface ToldAlarm {
  /** Its latest change, without what is nested in it. */
  alarm: Alarm;
  /** Who was told, in the order of telling. */
  outputs: string[];
  reminders: Reminder[];
  /** True if it was shelved, suppressed or out of service since: when that ends, it is told anew. */
  isSilenced: boolean;
  /** When it was back to normal, ms since 1970. */
  endedAt?: number;
}

/** The alarms of one device of which somebody was told, by condition. */
export class DeviceAlerts {
  readonly told = new Map<string, ToldAlarm>();

  /**
   * Restores what `toJSON` gave. Outputs that there are no more are forgotten.
   *
   * @throws TypeError when `state` is not that
   */
  static from(state: unknown, outputs: ReadonlySet<string>): DeviceAlerts {
    if (!Array.isArray(state) || !state.every(isTold)) throw new TypeError("these are not alarms that were told");
    const device = new DeviceAlerts();
    for (const told of state as ToldAlarm[]) {
      const known = told.outputs.filter((output) => outputs.has(output));
      const reminders = told.reminders.filter(({ output }) => outputs.has(output));
      if (known.length > 0) device.told.set(told.alarm.condition, { ...told, outputs: known, reminders });
    }
    return device;
  }

  toJSON(): ToldAlarm[] {
    return Array.from(this.told.values(), copyOfTold);
  }
}

export interface AlertRouterOptions {
  routes: readonly Route[];
  /** How many alerts an output gets within any minute, the summary aside; 0 for any number. */
  limitPerMinute: number;
}

/** Plain JSON. */
export type AlertRouterState = [output: string, limit: AlertLimitState][];

/**
 * Tells outputs of alarms: when one is annunciated or becomes worse, again while nobody acknowledges it, and once when it
 * is back to normal.
 *
 * - The outputs are those of the routes that take the alarm, or UNROUTED.
 * - Repeats and escalations end when it is acknowledged, silenced (shelved, suppressed, out of service), latched or over.
 * - Whoever was told of it, by whatever route, is told once that it is over.
 * - The same raise at no worse severity is told once, however often it comes. After a silence it is told anew.
 * - Beyond the limit, alerts are counted and told as a summary; they count as told.
 *
 * Cost: O(routes) an alarm; a tick O(outputs), and O(alarms) in those seconds in which something is due.
 */
export class AlertRouter {
  readonly #routes: AlertRoutes;
  readonly #limitPerMinute: number;
  readonly #limits = new Map<string, AlertLimit>();
  /** Nothing is due before this time, ms since 1970. */
  #nextDue = -Infinity;
  #lastTick = -Infinity;

  constructor({ routes, limitPerMinute }: AlertRouterOptions) {
    this.#routes = new AlertRoutes(routes);
    this.#limitPerMinute = limitPerMinute;
  }

  /**
   * Restores what `toJSON` gave, for those outputs that there still are.
   *
   * @throws TypeError when `state` is not that
   */
  static from(options: AlertRouterOptions, state: unknown, outputs: ReadonlySet<string>): AlertRouter {
    if (!Array.isArray(state)) throw new TypeError("these are not the limits of outputs");
    const router = new AlertRouter(options);
    if (options.limitPerMinute === 0) return router;
    for (const [output, limit] of state) {
      if (outputs.has(output)) router.#limits.set(output, AlertLimit.from(options.limitPerMinute, limit));
    }
    return router;
  }

  /** True as long as an output waits for a summary. */
  get isLimited(): boolean {
    return [...this.#limits.values()].some(({ isHolding }) => isHolding);
  }

  /**
   * Takes an alarm of a device at `now`, ms since 1970.
   *
   * @returns who is to be told
   * @throws RangeError when there would be more than MAX_OPEN_ALARMS of the device; nothing is changed then
   */
  push(device: DeviceAlerts, alarm: Alarm, now: number): Delivery[] {
    const told = device.told.get(alarm.condition);
    const live = told?.endedAt === undefined ? told : undefined;
    if (alarm.state === "normal" || alarm.state === "returned-unacknowledged") {
      return live ? this.#end(device, live, alarm, now) : [];
    }
    const isSilenced = Boolean(alarm.shelved || alarm.suppressed || alarm.outOfService);
    const isRunning = alarm.state === "unacknowledged" && !isSilenced;
    const isAnnunciated = alarm.isAnnunciated === undefined ? isRunning : alarm.isAnnunciated === true;
    if (isAnnunciated && (told === undefined || isNews(told, alarm))) {
      if (told === undefined) requireRoom(device);
      return this.#tell(device, live, alarm, isRunning, now);
    }
    // A copy of its raise may come later than what has changed since.
    if (live === undefined || (isRunning && alarm.isAnnunciated === true)) return [];
    live.alarm = copyOf(alarm);
    live.isSilenced ||= isSilenced;
    if (!isRunning) live.reminders = [];
    return [];
  }

  /** The alarm of a condition is back to normal, for one who knows no more than that. */
  end(device: DeviceAlerts, condition: string, now: number): Delivery[] {
    const told = device.told.get(condition);
    if (told === undefined || told.endedAt !== undefined) return [];
    return this.#end(device, told, { ...told.alarm, state: "normal", clearedAt: now }, now);
  }

  /** What is due at `now`: repeats, escalations and summaries. To be called about once a second. */
  tick(devices: Iterable<DeviceAlerts>, now: number): Delivery[] {
    const deliveries: Delivery[] = [];
    // When the clock was set back, what waits for a time far ahead must not wait for it.
    if (now >= this.#nextDue || now < this.#lastTick) {
      this.#nextDue = Infinity;
      for (const device of devices) this.#tickDevice(device, now, deliveries);
    }
    this.#lastTick = now;
    for (const [output, limit] of this.#limits) {
      const summary = limit.summary(now);
      if (summary) deliveries.push({ output, kind: "summary", summary });
    }
    return deliveries;
  }

  toJSON(): AlertRouterState {
    return Array.from(this.#limits, ([output, limit]) => [output, limit.toJSON()]);
  }

  #tell(device: DeviceAlerts, live: ToldAlarm | undefined, alarm: Alarm, isRunning: boolean, now: number): Delivery[] {
    const routes = this.#routes.of(alarm);
    const outputs = outputsOf(routes);
    const told = {
      alarm: copyOf(alarm),
      outputs: live ? union(live.outputs, outputs) : outputs,
      reminders: isRunning && routes.length > 0 ? remindersOf(routes, now) : [],
      isSilenced: false,
    };
    device.told.set(alarm.condition, told);
    for (const { at } of told.reminders) this.#nextDue = Math.min(this.#nextDue, at);
    return this.#limited(outputs, "alarm", told.alarm, now);
  }

  #end(device: DeviceAlerts, told: ToldAlarm, alarm: Alarm, now: number): Delivery[] {
    told.alarm = { ...told.alarm, ...copyOf(alarm) };
    told.reminders = [];
    told.endedAt = now;
    // Without the time of the raise, a copy of it cannot be told from a new one.
    if (told.alarm.raisedAt === undefined) device.told.delete(alarm.condition);
    else this.#nextDue = Math.min(this.#nextDue, now + REMEMBERED);
    return this.#limited(told.outputs, "normal", told.alarm, now);
  }

  #tickDevice(device: DeviceAlerts, now: number, deliveries: Delivery[]): void {
    for (const [condition, told] of device.told) {
      if (told.endedAt !== undefined) {
        const forgetAt = Math.min(told.endedAt, now) + REMEMBERED;
        if (now >= forgetAt) device.told.delete(condition);
        else this.#nextDue = Math.min(this.#nextDue, forgetAt);
        continue;
      }
      if (told.reminders.length > 0) this.#remind(told, now, deliveries);
    }
  }

  #remind(told: ToldAlarm, now: number, deliveries: Delivery[]): void {
    const remaining: Reminder[] = [];
    for (const reminder of told.reminders) {
      const { kind, output, seconds } = reminder;
      const isDue = now >= reminder.at;
      if (isDue) {
        if (!told.outputs.includes(output)) told.outputs.push(output);
        deliveries.push(...this.#limited([output], kind, told.alarm, now));
        if (kind === "escalation") continue;
      }
      reminder.at = isDue ? now + seconds * 1000 : Math.min(reminder.at, now + seconds * 1000);
      remaining.push(reminder);
      this.#nextDue = Math.min(this.#nextDue, reminder.at);
    }
    told.reminders = remaining;
  }

  #limited(outputs: readonly string[], kind: AlertKind, alarm: Alarm, now: number): Delivery[] {
    const deliveries: Delivery[] = [];
    for (const output of outputs) {
      if (this.#limitPerMinute > 0 && !this.#limit(output).take(kind, alarm, now)) continue;
      deliveries.push({ output, kind, alarm: { ...alarm } });
    }
    return deliveries;
  }

  #limit(output: string): AlertLimit {
    const known = this.#limits.get(output);
    if (known) return known;
    const limit = new AlertLimit(this.#limitPerMinute);
    this.#limits.set(output, limit);
    return limit;
  }
}

/** The outputs that routes name, each once. */
function outputsOf(routes: readonly Route[]): string[] {
  if (routes.length === 0) return [UNROUTED];
  return union(
    [],
    routes.map(({ output }) => output),
  );
}

/** A few names, with those that are new. */
function union(known: string[], more: readonly string[]): string[] {
  const added = more.filter((name, index) => !known.includes(name) && more.indexOf(name) === index);
  return added.length > 0 ? [...known, ...added] : known;
}

/** Repeats and escalations of routes, each output once, by the first route that has it. */
function remindersOf(routes: readonly Route[], now: number): Reminder[] {
  const reminders: Reminder[] = [];
  const add = (kind: Reminder["kind"], output: string, seconds: number) => {
    if (seconds === 0 || reminders.some((each) => each.kind === kind && each.output === output)) return;
    reminders.push({ kind, output, seconds, at: now + seconds * 1000 });
  };
  for (const { output, repeatSeconds, escalateAfterSeconds, escalateTo } of routes) {
    add("repeat", output, repeatSeconds);
    add("escalation", escalateTo, escalateAfterSeconds);
  }
  return reminders;
}

/** Whether an annunciated alarm is another one than that which was told, or worse, or was silenced in between. */
function isNews(told: ToldAlarm, alarm: Alarm): boolean {
  const before = told.alarm;
  if (before.raisedAt !== alarm.raisedAt) return true;
  if (told.endedAt !== undefined) return Number(alarm.timestamp) > Number(before.timestamp);
  return told.isSilenced || SEVERITY_RANK[alarm.severity] > SEVERITY_RANK[before.severity];
}

function requireRoom({ told }: DeviceAlerts): void {
  if (told.size < MAX_OPEN_ALARMS) return;
  const over = [...told].find(([, { endedAt }]) => endedAt !== undefined);
  if (over === undefined) throw new RangeError(`the device has ${MAX_OPEN_ALARMS} open alarms already`);
  told.delete(over[0]);
}

/**
 * The plain part of an alarm: nobody has checked what else stands in one that comes from elsewhere. One by one, for in a
 * storm most of the time would go into looking properties up by name.
 */
function copyOf(alarm: Alarm): Alarm {
  const { deviceId, condition, severity, state } = alarm;
  const copy: Alarm = { alarmId: alarm.alarmId.slice(0, MAX_TEXT), deviceId, condition, severity, state };
  if (isText(alarm.change)) copy.change = alarm.change;
  if (isText(alarm.unit)) copy.unit = alarm.unit.slice(0, MAX_TEXT);
  if (isText(alarm.metric)) copy.metric = alarm.metric.slice(0, MAX_TEXT);
  if (isText(alarm.advice)) copy.advice = alarm.advice.slice(0, MAX_TEXT);
  if (isText(alarm.name)) copy.name = alarm.name.slice(0, MAX_TEXT);
  if (isText(alarm.location)) copy.location = alarm.location.slice(0, MAX_TEXT);
  if (isText(alarm.by)) copy.by = alarm.by.slice(0, MAX_TEXT);
  if (isNumber(alarm.timestamp)) copy.timestamp = alarm.timestamp;
  if (isNumber(alarm.value)) copy.value = alarm.value;
  if (isNumber(alarm.limit)) copy.limit = alarm.limit;
  if (isNumber(alarm.raisedAt)) copy.raisedAt = alarm.raisedAt;
  if (isNumber(alarm.acknowledgedAt)) copy.acknowledgedAt = alarm.acknowledgedAt;
  if (isNumber(alarm.clearedAt)) copy.clearedAt = alarm.clearedAt;
  if (isNumber(alarm.count)) copy.count = alarm.count;
  return copy;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function copyOfTold(told: ToldAlarm): ToldAlarm {
  const { alarm, outputs, reminders } = told;
  return {
    ...told,
    alarm: { ...alarm },
    outputs: [...outputs],
    reminders: reminders.map((reminder) => ({ ...reminder })),
  };
}

function isTold(value: unknown): value is ToldAlarm {
  const { alarm, outputs, reminders, isSilenced, endedAt } = (value ?? {}) as Record<string, unknown>;
  const isReminder = (each: unknown) => {
    const { kind, output, seconds, at } = (each ?? {}) as Record<string, unknown>;
    const isKind = kind === "repeat" || kind === "escalation";
    return isKind && typeof output === "string" && Number.isFinite(seconds) && Number.isFinite(at);
  };
  return (
    isAlarm(alarm) &&
    Array.isArray(outputs) &&
    outputs.every((output) => typeof output === "string") &&
    Array.isArray(reminders) &&
    reminders.every(isReminder) &&
    typeof isSilenced === "boolean" &&
    (endedAt === undefined || Number.isFinite(endedAt))
  );
}
