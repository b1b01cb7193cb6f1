/** Limits of health rules that were set by command, for one device or for all. */
import type { HealthRule } from "./health-score.ts";

/** As plain JSON: what was set for all devices, and by device. */
export interface HealthLimitsState {
  all: SetLimits;
  devices: [deviceId: string, limits: SetLimits][];
}

type SetLimits = [flag: string, limit: number][];

/** Limits of one device: what was set, by flag, and what is in force with it, one limit a rule. */
interface OwnLimits {
  readonly set: Map<string, number>;
  /** Those of the device's list entry, with which `inForce` was made. */
  listed: ListedLimits | undefined;
  inForce: readonly number[];
}

/** Limits by flag that a device-registry lists for a device. Never changed, but replaced. */
export type ListedLimits = Readonly<Record<string, number>>;

/**
 * Which limit of each rule is in force for a device: the one that was set for it, else the one set for all, else the
 * listed one, else the rule's own. Only the flag of a single rule can be set: of several it would not be clear which one
 * is meant. For the same reason a listed limit of such a flag does not count.
 *
 * Cost: `of` is two look-ups, O(rules) when the listed limits are new; `set` O(rules), for all devices O(rules × devices
 * with limits of their own).
 */
export class HealthLimits {
  readonly #rules: readonly HealthRule[];
  readonly #maxDevices: number;
  readonly #all = new Map<string, number>();
  readonly #devices = new Map<string, OwnLimits>();
  /** In force for a device without limits of its own. */
  #common: readonly number[];
  /** In force for a device of which limits are listed, but none set. */
  #listed = new WeakMap<ListedLimits, readonly number[]>();

  /** @param maxDevices so many devices may have limits of their own */
  constructor(rules: readonly HealthRule[], maxDevices: number) {
    this.#rules = rules;
    this.#maxDevices = maxDevices;
    this.#common = rules.map(({ limit }) => limit);
  }

  /**
   * Restores what `toJSON` gave; limits of flags that can't be set any more are left out.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(rules: readonly HealthRule[], maxDevices: number, state: unknown): HealthLimits {
    requireState(state);
    const limits = new HealthLimits(rules, maxDevices);
    const restore = (set: SetLimits, deviceId?: string) => {
      for (const [flag, limit] of set) if (limits.#rulesOf(flag) === 1) limits.set(flag, limit, deviceId);
    };
    restore(state.all);
    for (const [deviceId, set] of state.devices) restore(set, deviceId);
    return limits;
  }

  /** How many limits are set. */
  get count(): number {
    let count = this.#all.size;
    for (const { set } of this.#devices.values()) count += set.size;
    return count;
  }

  /** True if a device has limits of its own. */
  has(deviceId: string): boolean {
    return this.#devices.has(deviceId);
  }

  /** The limit that was set by command for the flag of a device, or without one for all devices. */
  setFor(flag: string, deviceId?: string): number | undefined {
    return deviceId === undefined ? this.#all.get(flag) : this.#devices.get(deviceId)?.set.get(flag);
  }

  /** True for the flag of a single rule. */
  isSettable(flag: string): boolean {
    return this.#rulesOf(flag) === 1;
  }

  /** The limits in force for a device, in the order of the rules. */
  of(deviceId: string, listed?: ListedLimits): readonly number[] {
    const own = this.#devices.get(deviceId);
    if (own) {
      if (own.listed !== listed) {
        own.listed = listed;
        own.inForce = this.#inForce(own.set, listed);
      }
      return own.inForce;
    }
    if (listed === undefined) return this.#common;
    let inForce = this.#listed.get(listed);
    if (inForce === undefined) {
      inForce = this.#inForce(this.#all, listed);
      this.#listed.set(listed, inForce);
    }
    return inForce;
  }

  /**
   * Sets the limit of a flag for a device, or without one for all; null removes what was set.
   *
   * @throws Error when no rule or more than one raises the flag, or too many devices have limits of their own
   */
  set(flag: string, limit: number | null, deviceId?: string): void {
    this.#requireSettable(flag);
    if (deviceId === undefined) {
      change(this.#all, flag, limit);
      this.#common = this.#inForce(this.#all);
      this.#listed = new WeakMap();
      for (const own of this.#devices.values()) own.inForce = this.#inForce(own.set, own.listed);
      return;
    }
    const own = this.#devices.get(deviceId) ?? { set: new Map<string, number>(), listed: undefined, inForce: [] };
    if (limit !== null && !this.has(deviceId) && this.#devices.size >= this.#maxDevices) {
      throw new Error(`${this.#maxDevices} devices have limits of their own already`);
    }
    change(own.set, flag, limit);
    own.inForce = this.#inForce(own.set, own.listed);
    if (own.set.size > 0) this.#devices.set(deviceId, own);
    else this.#devices.delete(deviceId);
  }

  toJSON(): HealthLimitsState {
    return { all: [...this.#all], devices: Array.from(this.#devices, ([deviceId, { set }]) => [deviceId, [...set]]) };
  }

  #inForce(set: ReadonlyMap<string, number>, listed?: ListedLimits): number[] {
    return this.#rules.map(({ flag, limit }) => {
      const isListed = listed !== undefined && Object.hasOwn(listed, flag) && this.#rulesOf(flag) === 1;
      return set.get(flag) ?? this.#all.get(flag) ?? (isListed ? listed[flag] : undefined) ?? limit;
    });
  }

  #rulesOf(flag: string): number {
    return this.#rules.filter((rule) => rule.flag === flag).length;
  }

  #requireSettable(flag: string): void {
    const count = this.#rulesOf(flag);
    if (count > 1) {
      throw new Error(
        `${count} rules raise the flag ${JSON.stringify(flag)}: only the limit of a single one can be set`,
      );
    }
    if (count === 0) {
      const flags = [...new Set(this.#rules.map((rule) => rule.flag))].join(", ");
      throw new Error(`no rule raises the flag ${JSON.stringify(flag)}: the rules raise ${flags || "none"}`);
    }
  }
}

function change(limits: Map<string, number>, flag: string, limit: number | null): void {
  if (limit === null) limits.delete(flag);
  else limits.set(flag, limit);
}

function requireState(state: unknown): asserts state is HealthLimitsState {
  const { all, devices } = (typeof state === "object" && state !== null ? state : {}) as Record<string, unknown>;
  const areOwn = Array.isArray(devices) && devices.every(isOwn);
  if (!(isSet(all) && areOwn)) throw new TypeError("these are not the limits of a health score");
}

function isOwn(entry: unknown): boolean {
  return Array.isArray(entry) && typeof entry[0] === "string" && isSet(entry[1]);
}

function isSet(limits: unknown): limits is SetLimits {
  const isLimit = (entry: unknown) => Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]);
  return Array.isArray(limits) && limits.every(isLimit);
}
