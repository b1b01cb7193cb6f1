/** What alarm-system.ts keeps of one device: the levels of its conditions, and its alarms. */
import { AlarmLife } from "./alarm.ts";
import type { Condition, Sample } from "./alarm-conditions.ts";
import { AlarmLevels, type LevelRule } from "./alarm-levels.ts";
import type { Alarm, Maintenance, StatusEvent } from "./types.ts";
import type { WatchedTime } from "./watched-time.ts";

/** A condition of a device, from when a reading was first beyond a limit of it. */
export interface WatchedCondition {
  readonly levels: AlarmLevels;
  /** The latest reading that was. */
  readonly latest: Sample & { location?: string | undefined };
}

/** A device as plain JSON. */
export interface DeviceAlarmsState {
  deviceId: string | undefined;
  outOfReach: DeviceAlarms["outOfReach"];
  maintenance: Maintenance | undefined;
  judgedAt: number | undefined;
  windowEnd: number | undefined;
  /** How long it has been free, ms. */
  freeFor: number | undefined;
  conditions: [name: string, levels: unknown, latest: unknown][];
  alarms: [condition: string, life: unknown][];
}

/** Alarms of one device by condition. Memory: O(conditions that were ever beyond a limit). */
export class DeviceAlarms {
  readonly conditions = new Map<string, WatchedCondition>();
  readonly alarms = new Map<string, AlarmLife>();
  /** Whose they are; undefined until there are any. */
  deviceId: string | undefined;
  /** Why nothing can be known of the device, as long as that is so. */
  outOfReach: Exclude<StatusEvent["status"], "online"> | undefined;
  /** The maintenance that its readings tell of. */
  maintenance: Maintenance | undefined;
  /** Time of the latest reading with a verdict; others with the same time count with it as one. */
  judgedAt: number | undefined;
  /** End of the newest window. */
  windowEnd: number | undefined;
  /** Since when, in watched time, an alarm is inhibited for no reason that is left. */
  freeSince: number | undefined;
  readonly #time: WatchedTime;

  constructor(time: WatchedTime) {
    this.#time = time;
  }

  /**
   * Restores what `toJSON` gave. Alarms whose condition is no more are there too, to be closed.
   *
   * @throws TypeError when `state` is not that
   */
  static from(
    conditions: ReadonlyMap<string, Condition>,
    rulesOf: (condition: Condition, deviceId: string) => readonly LevelRule[],
    time: WatchedTime,
    journal: (alarm: Alarm) => void,
    state: unknown,
  ): DeviceAlarms {
    requireState(state);
    const device = new DeviceAlarms(time);
    const { deviceId = "" } = state;
    device.deviceId = state.deviceId;
    device.outOfReach = state.outOfReach;
    device.maintenance = state.maintenance;
    device.judgedAt = state.judgedAt;
    device.windowEnd = state.windowEnd;
    device.freeSince = state.freeFor === undefined ? undefined : time.elapsed - state.freeFor;
    for (const [name, life] of state.alarms) {
      device.alarms.set(name, AlarmLife.from(deviceId, name, journal, life));
    }
    for (const [name, saved, latest] of state.conditions) {
      const condition = conditions.get(name);
      if (condition === undefined) continue;
      const levels = AlarmLevels.from(rulesOf(condition, deviceId), time, saved);
      device.conditions.set(name, { levels, latest: latest as WatchedCondition["latest"] });
    }
    return device;
  }

  /** True if time alone will change something. */
  get isPending(): boolean {
    for (const { levels } of this.conditions.values()) if (levels.isPending) return true;
    for (const alarm of this.alarms.values()) if (alarm.isPending) return true;
    return false;
  }

  toJSON(): DeviceAlarmsState {
    const { deviceId, outOfReach, maintenance, judgedAt, windowEnd, freeSince } = this;
    return {
      deviceId,
      outOfReach,
      maintenance,
      judgedAt,
      windowEnd,
      freeFor: freeSince === undefined ? undefined : this.#time.elapsed - freeSince,
      conditions: Array.from(this.conditions, ([name, { levels, latest }]) => [name, levels.toJSON(), { ...latest }]),
      alarms: Array.from(this.alarms, ([name, life]) => [name, life.toJSON()]),
    };
  }
}

function requireState(state: unknown): asserts state is DeviceAlarmsState {
  const { deviceId, outOfReach, maintenance, judgedAt, windowEnd, freeFor, conditions, alarms } = (
    isRecord(state) ? state : {}
  ) as Record<string, unknown>;
  const isNamed = (entry: unknown, length: number) =>
    Array.isArray(entry) && entry.length === length && typeof entry[0] === "string" && isRecord(entry[length - 1]);
  const isKnown =
    (typeof deviceId === "string" || deviceId === undefined) &&
    [undefined, "offline", "unknown"].includes(outOfReach as DeviceAlarms["outOfReach"]) &&
    (maintenance === undefined || (isRecord(maintenance) && Number.isFinite(maintenance.until))) &&
    [judgedAt, windowEnd, freeFor].every((time) => time === undefined || Number.isFinite(time)) &&
    Array.isArray(conditions) &&
    conditions.every((entry) => isNamed(entry, 3)) &&
    Array.isArray(alarms) &&
    alarms.every((entry) => isNamed(entry, 2));
  if (!isKnown) throw new TypeError("these are not the alarms of a device");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
