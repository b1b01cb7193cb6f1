/** The alarms of all devices: from readings, windows and status events to alarms, their inhibition, and commands. */

import { AlarmLife, type Finding, isWorse } from "./alarm.ts";
import { authorOf, limitOf, type Selection, selectionOf, shelvingOf, silenceOf } from "./alarm-commands.ts";
import {
  type AlarmCondition,
  type Condition,
  conditionsOf,
  isHolding,
  measureFact,
  measureReading,
  measureWindow,
  type Sample,
} from "./alarm-conditions.ts";
import { AlarmLevels, type LevelRule } from "./alarm-levels.ts";
import { AlarmLimits, type AlarmLimitsState } from "./alarm-limits.ts";
import { isBeyond } from "./comparison.ts";
import { DeviceAlarms, type WatchedCondition } from "./device-alarms.ts";
import { fromLevel } from "./topics.ts";
import type { Alarm, DeviceRecord, Maintenance, Reading, Silence, StatusEvent, WindowResult } from "./types.ts";
import { WatchedTime } from "./watched-time.ts";

/** So long, ms, an alarm stays inhibited for want of news from a device that should be back. */
const PATIENCE = 30_000;

/** So long, in seconds, a device that hangs on another must be offline, for the other may be the cause. */
const PARENT_DELAY = 2;

/** A chain of parents that is longer must be a ring. */
const MAX_PARENTS = 16;

export interface AlarmSystemOptions {
  conditions: readonly AlarmCondition[];
  /** Whether an alarm whose condition holds on may become less severe. */
  severityMayFall: boolean;
  maximumShelveSeconds: number;
  /** So many devices may have limits of their own. */
  maxDevices: number;
}

/** A device and what is kept of it. */
export interface AlarmEntry {
  readonly deviceId: string;
  readonly state: DeviceAlarms;
}

/** The devices, wherever they are kept. */
export interface AlarmDevices {
  get(deviceId: string): AlarmEntry | undefined;
  values(): Iterable<AlarmEntry>;
}

/** What is known of devices beforehand. */
export interface KnownDevices {
  get(deviceId: string): DeviceRecord | undefined;
  maintenance(deviceId: string, now: number): Maintenance | undefined;
}

/** Why alarms of a device wait. */
interface Inhibition {
  silence: Silence;
  /** Nothing can be known of the device: what seems to come of it does not count. */
  isOutage: boolean;
  /** By the device itself, which is what the conditions of source offline are about. */
  isOwn: boolean;
}

/**
 * Raises, keeps and ends alarms. `now` is the present time, ms since 1970.
 *
 * Readings of bad quality change nothing. In maintenance, conditions are evaluated, and alarms inhibited. While a device
 * is offline or unknown, or one that it hangs on is, its conditions are not evaluated, but for those of source
 * offline, and its alarms are inhibited. Once that is over, they wait for its next reading or event, up to 30 seconds:
 * what was found before the outage is not news.
 *
 * Cost of a reading: O(conditions). Of a tick: O(devices on which something is pending). Delays are in watched time,
 * see watched-time.ts.
 */
export class AlarmSystem {
  readonly #options: AlarmSystemOptions;
  readonly #devices: AlarmDevices;
  readonly #known: KnownDevices | undefined;
  readonly #journal: (alarm: Alarm) => void;
  readonly #conditions = new Map<string, Condition>();
  readonly #offline: Condition[];
  readonly #time = new WatchedTime();
  /** Devices that time may change. */
  readonly #pending = new Set<string>();
  readonly #sample: Sample = { isSo: false, value: undefined, limit: undefined, metric: undefined, unit: undefined };
  #limits: AlarmLimits;
  #mustReview = false;

  /**
   * @param journal takes every change as it happens
   * @throws RangeError when the conditions contradict each other
   */
  constructor(
    options: AlarmSystemOptions,
    devices: AlarmDevices,
    known: KnownDevices | undefined,
    journal: (alarm: Alarm) => void,
  ) {
    this.#options = options;
    this.#devices = devices;
    this.#known = known;
    this.#journal = journal;
    for (const condition of conditionsOf(options.conditions)) this.#conditions.set(condition.name, condition);
    this.#offline = [...this.#conditions.values()].filter(({ source }) => source === "offline");
    this.#limits = this.#noLimits();
  }

  /** How many limits are set by command. */
  get limitCount(): number {
    return this.#limits.count;
  }

  /** A device that is new. */
  createDevice(): DeviceAlarms {
    return new DeviceAlarms(this.#time);
  }

  /** What a device was, from plain JSON. Throws a TypeError if it is of no use. */
  restoreDevice(state: unknown): DeviceAlarms {
    return DeviceAlarms.from(this.#conditions, this.#rulesOf, this.#time, this.#journal, state);
  }

  /** Restores what `toJSON` gave. Throws a TypeError if it is of no use. */
  restore(state: unknown): void {
    this.#limits = AlarmLimits.from([...this.#conditions.values()], this.#options.maxDevices, state);
  }

  /** Limits that were set; what else there is stands with the devices. */
  toJSON(): AlarmLimitsState {
    return this.#limits.toJSON();
  }

  /** Called once all devices are restored: closes alarms whose condition is no more. */
  begin(now: number): void {
    this.#time.advance(now);
    for (const { deviceId, state } of this.#devices.values()) {
      for (const [name, alarm] of state.alarms) {
        if (this.#conditions.has(name)) continue;
        alarm.close(now);
        state.alarms.delete(name);
      }
      if (state.isPending) this.#pending.add(deviceId);
    }
    this.review();
  }

  /** What is known of devices has changed: the next tick sees whose alarms are inhibited. */
  review(): void {
    this.#mustReview = this.#known !== undefined;
  }

  /** Takes a reading. */
  push(entry: AlarmEntry, reading: Reading, now: number): void {
    this.#time.advance(now);
    const { state } = entry;
    const { timestamp, maintenance, quality } = reading;
    if (maintenance !== undefined || quality !== "bad") state.maintenance = maintenanceIn(maintenance);
    const inhibition = this.#inhibitionOf(entry, now);
    if (inhibition) this.#settle(entry, inhibition, now);
    if (quality !== "bad" && !inhibition?.isOutage) {
      const sample = this.#sample;
      const location = reading.tags?.location;
      let isJudged = false;
      for (const condition of this.#conditions.values()) {
        if (!measureReading(condition, reading, sample)) continue;
        const isVerdict = condition.source === "anomaly";
        isJudged ||= isVerdict;
        this.#evaluate(entry, condition, inhibition, now, isVerdict && timestamp === state.judgedAt, location);
      }
      if (isJudged) state.judgedAt = timestamp;
      if (!inhibition) this.#settle(entry, undefined, now, "reading");
    }
    if (state.isPending) this.#pending.add(entry.deviceId);
  }

  /** Takes the result of a window. A correction of a window that is not the newest changes nothing. */
  pushWindow(entry: AlarmEntry, result: WindowResult, now: number): void {
    this.#time.advance(now);
    const { state } = entry;
    const { windowEnd, isUpdate } = result;
    if (isUpdate && windowEnd < (state.windowEnd ?? windowEnd)) return;
    state.windowEnd = Math.max(windowEnd, state.windowEnd ?? windowEnd);
    const inhibition = this.#inhibitionOf(entry, now);
    if (inhibition) this.#settle(entry, inhibition, now);
    if (!inhibition?.isOutage) {
      const location = result.tags?.location;
      for (const condition of this.#conditions.values()) {
        if (measureWindow(condition, result, this.#sample)) {
          this.#evaluate(entry, condition, inhibition, now, false, location);
        }
      }
    }
    if (state.isPending) this.#pending.add(entry.deviceId);
  }

  /** Takes a status event. `unknown` leaves the conditions of source offline as they are. */
  pushStatus(entry: AlarmEntry, { status, silentSeconds }: StatusEvent, now: number): void {
    this.#time.advance(now);
    const { state } = entry;
    state.outOfReach = status === "online" ? undefined : status;
    this.review();
    const inhibition = this.#inhibitionOf(entry, now);
    if (inhibition) this.#settle(entry, inhibition, now);
    if (status !== "unknown") {
      for (const condition of this.#offline) {
        measureFact(status === "offline", silentSeconds, this.#sample);
        this.#evaluate(entry, condition, inhibition, now);
      }
    }
    this.#settle(entry, inhibition, now, "status");
    if (state.isPending) this.#pending.add(entry.deviceId);
  }

  /** Ends delays, shelvings and inhibitions that are over. To be called every second. */
  tick(now: number): void {
    this.#time.advance(now);
    if (this.#mustReview) {
      this.#mustReview = false;
      for (const { deviceId, state } of this.#devices.values()) if (state.alarms.size > 0) this.#pending.add(deviceId);
    }
    for (const deviceId of this.#pending) {
      const entry = this.#devices.get(deviceId);
      if (entry) this.#tick(entry, now);
      if (!entry?.state.isPending) this.#pending.delete(deviceId);
    }
  }

  /** All alarms that are not normal, or that are silenced. */
  *open(): Iterable<Alarm> {
    for (const alarm of this.alarms()) if (alarm.isOpen) yield alarm.toAlarm();
  }

  /** The alarms of a device, or without one of all. */
  *alarms(deviceId?: string): Iterable<AlarmLife> {
    if (deviceId === undefined) for (const { state } of this.#devices.values()) yield* state.alarms.values();
    else yield* this.#devices.get(deviceId)?.state.alarms.values() ?? [];
  }

  // --- commands: each takes the arguments as they came, and throws with nothing changed if they make no sense

  acknowledge(args: unknown, now: number): void {
    const by = authorOf(args);
    for (const alarm of this.#select(args, now)) alarm.acknowledge(now, by);
  }

  /** Releases latched alarms. */
  reset(args: unknown, now: number): void {
    const by = authorOf(args);
    const alarms = this.#select(args, now);
    const active = alarms.find(({ isActive }) => isActive);
    if (active) throw new Error(`${active.alarmId} can't be reset, for its condition still holds`);
    for (const alarm of alarms) alarm.reset(now, by);
  }

  shelve(args: unknown, now: number): void {
    const shelving = shelvingOf(args, this.#options.maximumShelveSeconds, now);
    for (const alarm of this.#select(args, now)) {
      alarm.silence("shelved", shelving, now);
      this.#pending.add(alarm.deviceId);
    }
  }

  suppress(args: unknown, now: number): void {
    const silence = silenceOf(args, now);
    for (const alarm of this.#select(args, now)) alarm.silence("suppressed", silence, now);
  }

  takeOutOfService(args: unknown, now: number): void {
    const silence = silenceOf(args, now);
    for (const alarm of this.#select(args, now)) alarm.silence("outOfService", silence, now);
  }

  /** Ends a silence of a kind. */
  unsilence(kind: "shelved" | "suppressed" | "outOfService", args: unknown, now: number): void {
    const by = authorOf(args);
    for (const alarm of this.#select(args, now)) alarm.unsilence(kind, now, by);
  }

  /** Sets the limit of a condition, for one device or for all. It counts from the next reading on. */
  setLimit(args: unknown): void {
    const { deviceId, condition, severity, limit } = limitOf(args);
    if (deviceId !== undefined && !this.#devices.get(deviceId) && !this.#known?.get(deviceId)) {
      if (!this.#limits.has(deviceId)) throw new Error(`there is no device ${JSON.stringify(deviceId)}`);
    }
    this.#limits.set(condition, severity, limit, deviceId);
  }

  // --- how it is done

  #noLimits(): AlarmLimits {
    return new AlarmLimits([...this.#conditions.values()], this.#options.maxDevices);
  }

  /** The alarms that are meant, inhibited as is right. Throws if one that is named does not exist. */
  #select(args: unknown, now: number): AlarmLife[] {
    const alarms = this.#meant(selectionOf(args));
    for (const deviceId of new Set(alarms.map(({ deviceId }) => deviceId))) {
      const entry = this.#devices.get(deviceId);
      if (entry) this.#settle(entry, this.#inhibitionOf(entry, now), now);
    }
    return alarms;
  }

  #meant(selection: Selection): AlarmLife[] {
    if ("alarmIds" in selection) return selection.alarmIds.map((alarmId) => this.#named(alarmId));
    const { deviceId, condition, severity } = selection;
    if (deviceId !== undefined && !this.#devices.get(deviceId)) {
      throw new Error(`there is no device ${JSON.stringify(deviceId)}`);
    }
    if (condition !== undefined && !this.#conditions.has(condition)) {
      throw new Error(`there is no condition ${JSON.stringify(condition)}`);
    }
    return [...this.alarms(deviceId)].filter(
      (alarm) =>
        alarm.isOpen &&
        (condition === undefined || alarm.condition === condition) &&
        (severity === undefined || alarm.severity === severity),
    );
  }

  #named(alarmId: string): AlarmLife {
    const slash = alarmId.lastIndexOf("/");
    const device = this.#devices.get(fromLevel(alarmId.slice(0, slash))) ?? this.#devices.get(alarmId.slice(0, slash));
    const alarm = device?.state.alarms.get(fromLevel(alarmId.slice(slash + 1)));
    if (alarm === undefined) throw new Error(`there is no alarm ${JSON.stringify(alarmId)}`);
    return alarm;
  }

  #tick(entry: AlarmEntry, now: number): void {
    const { state } = entry;
    const inhibition = this.#inhibitionOf(entry, now);
    this.#settle(entry, inhibition, now);
    for (const [name, watched] of state.conditions) {
      const condition = this.#conditions.get(name) as Condition;
      if (!watched.levels.isPending || (inhibition?.isOutage && condition.source !== "offline")) continue;
      watched.levels.tick();
      this.#apply(entry, condition, watched, inhibition, now);
    }
    for (const alarm of state.alarms.values()) alarm.tick(now);
  }

  /** Evaluates a condition by what was measured last. */
  #evaluate(
    entry: AlarmEntry,
    condition: Condition,
    inhibition: Inhibition | undefined,
    now: number,
    isSame = false,
    location?: string,
  ): void {
    const { name, levels, hasLimits } = condition;
    const { conditions } = entry.state;
    const sample = this.#sample;
    let beyond = 0;
    let holding = 0;
    if (hasLimits) {
      const value = sample.value as number;
      for (let index = 0; index < levels.length; index++) {
        const level = levels[index] as AlarmCondition;
        const limit = this.#limitOf(entry.deviceId, condition, level);
        if (isBeyond(value, level.comparison, limit)) beyond |= 1 << index;
        if (isHolding(value, level, limit)) holding |= 1 << index;
      }
    } else if (sample.isSo) beyond = holding = (1 << levels.length) - 1;
    let watched = conditions.get(name);
    if (watched === undefined) {
      if (beyond === 0) return;
      const rules = this.#rulesOf(condition, entry.deviceId);
      watched = { levels: new AlarmLevels(rules, this.#time), latest: { ...sample, location } };
      entry.state.deviceId = entry.deviceId;
      conditions.set(name, watched);
    }
    if (beyond !== 0) Object.assign(watched.latest, sample, { location });
    watched.levels.push(beyond, holding, isSame);
    this.#apply(entry, condition, watched, inhibition, now);
  }

  /** Raises or clears the alarm as the level of its condition says. */
  #apply(
    { deviceId, state }: AlarmEntry,
    condition: Condition,
    { levels, latest }: WatchedCondition,
    inhibition: Inhibition | undefined,
    now: number,
  ): void {
    const { name, source } = condition;
    let alarm = state.alarms.get(name);
    const level = condition.levels[levels.level];
    if (level === undefined) {
      alarm?.clear(now);
      return;
    }
    if (alarm?.isActive) {
      const isFall = isWorse(alarm.severity, level.severity);
      if (level.severity === alarm.severity || (isFall && !this.#options.severityMayFall)) return;
    }
    if (alarm === undefined) {
      alarm = new AlarmLife(deviceId, name, this.#journal);
      state.alarms.set(name, alarm);
    }
    if (inhibition && !alarm.inhibited && isInhibitedBy(inhibition, source)) {
      alarm.silence("inhibited", inhibition.silence, now);
    }
    alarm.raise(this.#findingOf(deviceId, condition, level, latest), level.latch, now);
  }

  #findingOf(
    deviceId: string,
    condition: Condition,
    level: AlarmCondition,
    latest: WatchedCondition["latest"],
  ): Finding {
    const record = this.#known?.get(deviceId);
    const finding: Finding = { severity: level.severity };
    const limit = condition.hasLimits ? this.#limitOf(deviceId, condition, level) : latest.limit;
    const advice = [level.advice, record?.advice].filter(Boolean).join(" ");
    const location = record?.location ?? latest.location;
    if (latest.value !== undefined) finding.value = latest.value;
    if (limit !== undefined) finding.limit = limit;
    if (latest.metric !== undefined) finding.metric = latest.metric;
    if (latest.unit !== undefined) finding.unit = latest.unit;
    if (advice !== "") finding.advice = advice;
    if (record?.name) finding.name = record.name;
    if (location) finding.location = location;
    return finding;
  }

  /** What the registry has for a condition can only be meant for its single level. */
  #limitOf(deviceId: string, { name, levels }: Condition, level: AlarmCondition): number {
    const registered = levels.length === 1 ? this.#known?.get(deviceId)?.limits?.[name] : undefined;
    return this.#limits.of(deviceId, level, typeof registered === "number" ? registered : undefined);
  }

  readonly #rulesOf = ({ source, levels }: Condition, deviceId: string): readonly LevelRule[] => {
    if (source !== "offline" || this.#known?.get(deviceId)?.parent === undefined) return levels;
    return levels.map((level) => ({ ...level, onDelaySeconds: Math.max(PARENT_DELAY, level.onDelaySeconds) }));
  };

  // --- inhibition

  #inhibitionOf({ deviceId, state }: AlarmEntry, now: number): Inhibition | undefined {
    const { until, by, reason: why } = this.#known?.maintenance(deviceId, now) ?? state.maintenance ?? {};
    const parent = this.#outageAbove(deviceId);
    const isOutage = parent !== undefined || state.outOfReach !== undefined;
    if (until !== undefined && until > now) {
      const silence: Silence = { since: now, until, reason: why ? `maintenance: ${why}` : "maintenance" };
      if (by) silence.by = by;
      return { silence, isOutage, isOwn: false };
    }
    if (!isOutage) return undefined;
    const reason = parent
      ? `${parent.deviceId}, on which it hangs, is ${parent.state.outOfReach}`
      : `the device is ${state.outOfReach}`;
    return { silence: { since: now, reason }, isOutage, isOwn: parent === undefined };
  }

  #outageAbove(deviceId: string): AlarmEntry | undefined {
    let parent = this.#known?.get(deviceId)?.parent;
    for (let count = 0; parent !== undefined && count < MAX_PARENTS; count++) {
      const entry = this.#devices.get(parent);
      if (entry?.state.outOfReach) return entry;
      parent = this.#known?.get(parent)?.parent;
    }
    return undefined;
  }

  /**
   * Inhibits and releases the alarms of a device.
   *
   * @param news what has just been heard of it: alarms about that are released at once, others after a while
   */
  #settle({ state }: AlarmEntry, inhibition: Inhibition | undefined, now: number, news?: "reading" | "status"): void {
    const { elapsed } = this.#time;
    const isLong = state.freeSince !== undefined && elapsed - state.freeSince >= PATIENCE;
    let isWaiting = false;
    for (const [name, alarm] of state.alarms) {
      const { source } = this.#conditions.get(name) as Condition;
      if (inhibition && isInhibitedBy(inhibition, source)) {
        const { reason, until } = inhibition.silence;
        const isKnown = alarm.inhibited?.reason === reason && alarm.inhibited?.until === until;
        if (!isKnown) alarm.silence("inhibited", inhibition.silence, now);
      } else if (alarm.inhibited) {
        const isNews = news !== undefined && (news === "status") === (source === "offline");
        if (isLong || isNews) alarm.unsilence("inhibited", now);
        else isWaiting = true;
      }
    }
    state.freeSince = isWaiting ? (state.freeSince ?? elapsed) : undefined;
    if (!inhibition?.isOutage) return;
    for (const [name, { levels }] of state.conditions) {
      if (this.#conditions.get(name)?.source !== "offline") levels.restartDelays();
    }
  }
}

/** Nobody has checked what stands in a reading beside its metrics. */
function maintenanceIn(value: Partial<Maintenance> | undefined): Maintenance | undefined {
  return Number.isFinite(value?.until) ? (value as Maintenance) : undefined;
}

function isInhibitedBy({ isOwn }: Inhibition, source: Condition["source"]): boolean {
  return !(isOwn && source === "offline");
}
