/** Which devices have fallen silent, without false alarms. Time counts only while it is certain that somebody listens. */
import type { StatusEvent } from "./types.ts";
import { UsualInterval, type UsualIntervalState } from "./usual-interval.ts";

/** How often to call `tick`, ms. */
export const TICK_PERIOD = 500;

/** What one tick adds to the watched time at most, ms. */
const LONGEST_STEP = 2 * TICK_PERIOD;

/** The shortest timeout that is learned, ms: for less, networks are not regular enough. */
const SHORTEST_LEARNED = 5000;

/** As many devices must be silent at once to be an outage of the connection. */
const GROUP = 3;

/** The device that stands for the connection to all of them. */
const CONNECTION = "*";

export interface WatchdogOptions {
  /** Silence after which a device is overdue, if nothing better is known. */
  timeoutSeconds: number;
  /** `learned`: by the device's usual interval, once it is known. */
  timeout: "fixed" | "learned";
  /** Intervals after which a device is overdue whose interval is known. */
  learnedFactor: number;
  /** Silence that is forgiven after a start and each time that the connection is back. */
  startupGraceSeconds: number;
  /** Share of the devices that must be silent at once to be an outage of the connection. */
  groupOutagePercent: number;
}

/** What is kept of a device, as plain JSON. */
export interface WatchedDeviceState {
  status: StatusEvent["status"] | undefined;
  silentFrom: number;
  lastSeen: number | undefined;
  changedAt: number;
  interval: UsualIntervalState;
}

/** One device as the watchdog sees it. */
export class WatchedDevice {
  /** As it was last reported; undefined if it never was. */
  status: StatusEvent["status"] | undefined;
  /** Watched time from which on its silence counts, ms. */
  silentFrom: number;
  /** When it was last heard of, ms since 1970. */
  lastSeen: number | undefined;
  /** When the status was found, ms since 1970. */
  changedAt = 0;
  /** How often it must send, by those who know it. */
  intervalSeconds: number | undefined;
  /** Until then it is in maintenance and not watched, ms since 1970. */
  maintainedUntil = 0;
  readonly interval: UsualInterval;

  /** Watches a device from the given watched time on, ms. */
  constructor(silentFrom: number, interval = new UsualInterval()) {
    this.silentFrom = silentFrom;
    this.interval = interval;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(state: unknown): WatchedDevice {
    requireDevice(state);
    const device = new WatchedDevice(state.silentFrom, UsualInterval.from(state.interval));
    device.status = state.status;
    device.lastSeen = state.lastSeen;
    device.changedAt = state.changedAt;
    return device;
  }

  toJSON(): WatchedDeviceState {
    const { status, silentFrom, lastSeen, changedAt, interval } = this;
    return { status, silentFrom, lastSeen, changedAt, interval: interval.toJSON() };
  }
}

/** A device with its name. */
export interface WatchedEntry {
  readonly deviceId: string;
  readonly state: WatchedDevice;
}

/** All devices, to be gone through several times. */
export interface WatchedDevices {
  values(): Iterable<WatchedEntry>;
}

/** What the watchdog knows beside its devices, as plain JSON. */
export interface WatchdogState {
  /** ms */
  watched: number;
  /** Since when there is an outage, ms since 1970; absent if there is none. */
  outageSince?: number | undefined;
}

/**
 * Reports devices that fall silent, and those that are back.
 *
 * Silence is measured in *watched time*, a clock of its own. A tick adds what has passed since the one before, but never
 * more than twice the period of ticks, and nothing when the system's clock was set back. So neither a clock that is set
 * nor a machine that was suspended makes devices overdue. Nor does time count without a connection, or in the grace after
 * it, which devices need to come back.
 *
 * When one device is overdue, the others tell whether it is alone. A device that has been silent for more than half its
 * own timeout is missing too; one that has been heard within half the timeout of the overdue one shows that the
 * connection is alive; slower ones tell nothing. (For devices that send every I and are overdue after T > 2 I, half of T
 * is what keeps these apart best: when the first one is overdue, the others have been silent for T − I to T in an outage,
 * for I at most without.) If at least three are missing, and the given share of those that tell something, there is one
 * outage of the connection, during which overdue devices are `unknown` rather than offline. It ends when fewer are
 * missing; then the silence of unknown devices begins anew.
 *
 * Cost of a message: O(1); of a tick: one pass over the devices, a few when some are overdue. `now` is ms since 1970.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #watched = 0;
  /** When time was last counted, ms since 1970; undefined without a connection. */
  #tickedAt: number | undefined;
  /** What is left of the grace, ms. */
  #grace = 0;
  #outageSince: number | undefined;

  /** Time does not count until `begin`. */
  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(options: WatchdogOptions, state: unknown): Watchdog {
    requireWatchdog(state);
    const watchdog = new Watchdog(options);
    watchdog.#watched = state.watched;
    watchdog.#outageSince = state.outageSince;
    return watchdog;
  }

  get isConnected(): boolean {
    return this.#tickedAt !== undefined;
  }

  get isOutage(): boolean {
    return this.#outageSince !== undefined;
  }

  /** A device that is expected, or heard of for the first time. */
  watch(): WatchedDevice {
    return new WatchedDevice(this.#watched);
  }

  /** Begins to count time. After a crash, `devices` may have been saved later than the watched time. */
  begin(devices: WatchedDevices, now: number): void {
    for (const { state } of devices.values()) this.#watched = Math.max(this.#watched, state.silentFrom);
    this.connect(true, now);
  }

  /** Takes whether there is a connection to the devices. */
  connect(isConnected: boolean, now: number): void {
    if (isConnected === this.isConnected) return;
    if (isConnected) this.#grace = this.#options.startupGraceSeconds * 1000;
    else this.#advance(now);
    this.#tickedAt = isConnected ? now : undefined;
  }

  /** Takes that a device was heard of. Returns an event if that is news. */
  hear(entry: WatchedEntry, now: number): StatusEvent | undefined {
    const device = entry.state;
    device.silentFrom = this.#watched + this.#step(now);
    device.lastSeen = now;
    device.interval.push(device.silentFrom);
    if (device.status === "online" || now < device.maintainedUntil) return undefined;
    return this.#change(entry, "online", now);
  }

  /**
   * Takes what somebody else knows of a device, such as its last will. What was true before the device was last heard of,
   * or its status found, is passed over. Returns an event if it is news.
   */
  pushStatus(entry: WatchedEntry, { status, timestamp }: StatusEvent, now: number): StatusEvent | undefined {
    const device = entry.state;
    if (timestamp < Math.max(device.lastSeen ?? 0, device.changedAt)) return undefined;
    if (status === "online") return this.hear(entry, now);
    if (status === device.status || now < device.maintainedUntil) return undefined;
    return this.#change(entry, status, now);
  }

  /**
   * Lets time pass and gives what is news: first of the connection, then of devices. As there may be much at once, each is
   * found when it is asked for; until the last has been, no other tick may begin.
   */
  *tick(devices: WatchedDevices, now: number): Generator<StatusEvent> {
    this.#advance(now);
    const timeout = this.#shortestOverdue(devices, now);
    if (timeout === undefined && !this.isOutage) return;
    const isOutage = this.#isOutage(devices, timeout ?? Infinity, now);
    if (isOutage !== this.isOutage) {
      this.#outageSince = isOutage ? now : undefined;
      if (!isOutage) this.#forgive(devices);
      yield this.#connectionEvent(devices, isOutage ? "offline" : "online", now);
    }
    const status = isOutage ? "unknown" : "offline";
    for (const entry of devices.values()) {
      if (entry.state.status !== status && this.#isOverdue(entry.state, now)) yield this.#change(entry, status, now);
    }
  }

  /**
   * The present status of the connection, if there is an outage, and of all devices of which one was reported; each as it
   * is when it is asked for.
   */
  *list(devices: WatchedDevices): Generator<StatusEvent> {
    if (this.#outageSince !== undefined) yield this.#connectionEvent(devices, "offline", this.#outageSince);
    for (const { deviceId, state } of devices.values()) {
      if (state.status !== undefined) yield this.#event(deviceId, state.status, state, state.changedAt);
    }
  }

  toJSON(): WatchdogState {
    return { watched: this.#watched, outageSince: this.#outageSince };
  }

  /** Watched time since the last tick, ms. */
  #step(now: number): number {
    if (this.#tickedAt === undefined || this.#grace > 0) return 0;
    return Math.max(0, Math.min(LONGEST_STEP, now - this.#tickedAt));
  }

  #advance(now: number): void {
    if (this.#tickedAt === undefined) return;
    this.#watched += this.#step(now);
    this.#grace -= Math.max(0, Math.min(LONGEST_STEP, now - this.#tickedAt));
    this.#tickedAt = now;
  }

  /** Silence after which a device is overdue, ms. */
  #timeoutOf({ intervalSeconds, interval }: WatchedDevice): number {
    const { timeout, timeoutSeconds, learnedFactor } = this.#options;
    if (intervalSeconds !== undefined) return learnedFactor * intervalSeconds * 1000;
    const usual = timeout === "learned" ? interval.value : undefined;
    return usual === undefined ? timeoutSeconds * 1000 : Math.max(SHORTEST_LEARNED, learnedFactor * usual);
  }

  #isOverdue(device: WatchedDevice, now: number): boolean {
    if (device.status === "offline" || now < device.maintainedUntil) return false;
    return this.#watched - device.silentFrom >= this.#timeoutOf(device);
  }

  /** The shortest timeout of the devices that are overdue, ms, or undefined if none is. */
  #shortestOverdue(devices: WatchedDevices, now: number): number | undefined {
    let shortest: number | undefined;
    for (const { state } of devices.values()) {
      if (now < state.maintainedUntil) state.silentFrom = this.#watched;
      else if (this.#isOverdue(state, now)) shortest = Math.min(shortest ?? Infinity, this.#timeoutOf(state));
    }
    return shortest;
  }

  /** Judges by the devices that were online, see above. */
  #isOutage(devices: WatchedDevices, timeout: number, now: number): boolean {
    let missing = 0;
    let alive = 0;
    for (const { state } of devices.values()) {
      if (state.lastSeen === undefined || now < state.maintainedUntil) continue;
      const silence = this.#watched - state.silentFrom;
      if (state.status === "unknown") missing += Number(this.isOutage);
      else if (state.status !== "online") continue;
      else if (silence > this.#timeoutOf(state) / 2) missing++;
      else if (silence <= timeout / 2) alive++;
    }
    return missing >= GROUP && missing >= (this.#options.groupOutagePercent / 100) * (missing + alive);
  }

  /** Devices that are not back with the others have as much time again as the others had. */
  #forgive(devices: WatchedDevices): void {
    this.#grace = this.#options.startupGraceSeconds * 1000;
    for (const { state } of devices.values()) if (state.status === "unknown") state.silentFrom = this.#watched;
  }

  #change({ deviceId, state }: WatchedEntry, status: StatusEvent["status"], now: number): StatusEvent {
    state.status = status;
    state.changedAt = now;
    return this.#event(deviceId, status, state, now);
  }

  /** The connection was last heard of when any device was. */
  #connectionEvent(devices: WatchedDevices, status: StatusEvent["status"], timestamp: number): StatusEvent {
    let latest: WatchedDevice | undefined;
    for (const { state } of devices.values()) {
      if (state.lastSeen !== undefined && state.lastSeen > (latest?.lastSeen ?? -Infinity)) latest = state;
    }
    return this.#event(CONNECTION, status, latest, timestamp);
  }

  #event(
    deviceId: string,
    status: StatusEvent["status"],
    device: WatchedDevice | undefined,
    timestamp: number,
  ): StatusEvent {
    const event: StatusEvent = { deviceId, status, timestamp };
    if (device === undefined) return event;
    if (device.lastSeen !== undefined) event.lastSeen = device.lastSeen;
    event.silentSeconds = Math.max(0, this.#watched - device.silentFrom) / 1000;
    return event;
  }
}

const STATUSES: readonly unknown[] = ["online", "offline", "unknown", undefined];

function requireDevice(state: unknown): asserts state is WatchedDeviceState {
  const { status, silentFrom, lastSeen, changedAt } = fieldsOf(state);
  const isSeen = lastSeen === undefined || Number.isFinite(lastSeen);
  if (STATUSES.includes(status) && isSeen && Number.isFinite(silentFrom) && Number.isFinite(changedAt)) return;
  throw new TypeError("it is not the state of a watched device");
}

function requireWatchdog(state: unknown): asserts state is WatchdogState {
  const { watched, outageSince } = fieldsOf(state);
  if (Number.isFinite(watched) && (outageSince === undefined || Number.isFinite(outageSince))) return;
  throw new TypeError("it is not the state of a watchdog");
}

function fieldsOf(state: unknown): Record<string, unknown> {
  return typeof state === "object" && state !== null ? (state as Record<string, unknown>) : {};
}
