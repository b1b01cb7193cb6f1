/** Limits of alarm conditions that were set by command, for one device or for all. */
import type { AlarmCondition, Condition } from "./alarm-conditions.ts";
import type { Severity } from "./types.ts";

/** As plain JSON: what was set for all devices, and by device. */
export interface AlarmLimitsState {
  all: SetLimit[];
  devices: [deviceId: string, limits: SetLimit[]][];
}

type SetLimit = [condition: string, severity: Severity, limit: number];

/** Limits by level. The rows of the table are the keys. */
type Limits = Map<AlarmCondition, number>;

/**
 * Which limit of a level is in force for a device: what was set for the device, else what was set for all devices,
 * else what the registry has for it, else the table's. Cost of a look-up: constant.
 */
export class AlarmLimits {
  readonly #conditions: readonly Condition[];
  readonly #maxDevices: number;
  readonly #all: Limits = new Map();
  readonly #devices = new Map<string, Limits>();

  /** @param maxDevices so many devices may have limits of their own */
  constructor(conditions: readonly Condition[], maxDevices: number) {
    this.#conditions = conditions;
    this.#maxDevices = maxDevices;
  }

  /**
   * Restores what `toJSON` gave; limits of levels that are no more are left out.
   *
   * @throws TypeError when `state` is not that
   */
  static from(conditions: readonly Condition[], maxDevices: number, state: unknown): AlarmLimits {
    requireState(state);
    const limits = new AlarmLimits(conditions, maxDevices);
    const restore = (set: SetLimit[], into: Limits) => {
      for (const [condition, severity, limit] of set) {
        const level = limits.#find(condition)?.levels.find((level) => level.severity === severity);
        if (level) into.set(level, limit);
      }
    };
    restore(state.all, limits.#all);
    for (const [deviceId, set] of state.devices) {
      const own: Limits = new Map();
      restore(set, own);
      if (own.size > 0) limits.#devices.set(deviceId, own);
    }
    return limits;
  }

  /** How many limits are set. */
  get count(): number {
    let count = this.#all.size;
    for (const own of this.#devices.values()) count += own.size;
    return count;
  }

  /** True if a device has limits of its own. */
  has(deviceId: string): boolean {
    return this.#devices.has(deviceId);
  }

  /** The limit in force, where `registered` is what the registry has for the device. */
  of(deviceId: string, level: AlarmCondition, registered: number | undefined): number {
    return this.#devices.get(deviceId)?.get(level) ?? this.#all.get(level) ?? registered ?? level.limit;
  }

  /**
   * Sets the limit of a condition for a device, or without one for all; null takes it back.
   *
   * @param severity which of several levels
   * @throws Error when there is no such condition or level, it has no limit, or too many devices have limits of their own
   */
  set(condition: string, severity: Severity | undefined, limit: number | null, deviceId?: string): void {
    const level = this.#levelOf(condition, severity);
    const own = deviceId === undefined ? this.#all : (this.#devices.get(deviceId) ?? new Map());
    if (limit === null) own.delete(level);
    else if (deviceId !== undefined && !this.has(deviceId) && this.#devices.size >= this.#maxDevices) {
      throw new Error(`${this.#maxDevices} devices have limits of their own already`);
    } else own.set(level, limit);
    if (deviceId === undefined) return;
    if (own.size > 0) this.#devices.set(deviceId, own);
    else this.#devices.delete(deviceId);
  }

  toJSON(): AlarmLimitsState {
    const list = (limits: Limits) =>
      Array.from(limits, ([{ name, severity }, limit]): SetLimit => [name, severity, limit]);
    return { all: list(this.#all), devices: Array.from(this.#devices, ([deviceId, own]) => [deviceId, list(own)]) };
  }

  #find(condition: string): Condition | undefined {
    return this.#conditions.find(({ name }) => name === condition);
  }

  #levelOf(name: string, severity: Severity | undefined): AlarmCondition {
    const condition = this.#find(name);
    const others = this.#conditions.filter(({ hasLimits }) => hasLimits).map(({ name }) => name);
    if (!condition?.hasLimits) {
      const why = condition ? `the condition ${JSON.stringify(name)} has no limit` : noCondition(name);
      throw new Error(`${why}: limits have ${others.join(", ") || "none"}`);
    }
    const { levels } = condition;
    if (severity === undefined && levels.length > 1) {
      throw new Error(
        `${name} has several levels: severity must be ${levels.map((each) => each.severity).join(" or ")}`,
      );
    }
    const level = severity === undefined ? levels[0] : levels.find((each) => each.severity === severity);
    if (level === undefined) throw new Error(`${name} has no level ${severity}`);
    return level;
  }
}

function noCondition(name: string): string {
  return `there is no condition ${JSON.stringify(name)}`;
}

function requireState(state: unknown): asserts state is AlarmLimitsState {
  const { all, devices } = (typeof state === "object" && state !== null ? state : {}) as Record<string, unknown>;
  const isOwn = (entry: unknown) => Array.isArray(entry) && typeof entry[0] === "string" && isSet(entry[1]);
  if (!(isSet(all) && Array.isArray(devices) && devices.every(isOwn))) {
    throw new TypeError("these are not the limits of alarms");
  }
}

function isSet(limits: unknown): boolean {
  const isLimit = (entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "string" && Number.isFinite(entry[2]);
  return Array.isArray(limits) && limits.every(isLimit);
}
