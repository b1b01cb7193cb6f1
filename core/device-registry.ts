/** The list of devices, and which of them are in maintenance. Where the list comes from is nodes/device-registry's affair. */
import { MAX_NAME_LENGTH } from "./limits.ts";
import type { DeviceRecord, Maintenance } from "./types.ts";

/** Devices that a list may hold. */
export const MAX_LISTED = 100_000;

/** Devices that may be in maintenance at once, which need not be listed. */
export const MAX_IN_MAINTENANCE = 10_000;

/** Longest maintenance, seconds: a year, so that one that nobody ends does not silence a device for good. */
export const MAX_MAINTENANCE_SECONDS = 366 * 86_400;

/** Characters of a reason. */
const MAX_REASON_LENGTH = 1000;

/** Who is in maintenance, as plain JSON. */
export type RegistryState = [deviceId: string, maintenance: Maintenance][];

/**
 * Knows devices by a list, which can be replaced as a whole, and maintenances, which a command begins and ends and which
 * end by themselves. A device is in maintenance with the device that it hangs on.
 *
 * Cost: `get` is one look-up, `maintenance` one for each parent above the device, none while nothing is in maintenance.
 * Memory: the list, and at most MAX_IN_MAINTENANCE maintenances.
 */
export class DeviceRegistry {
  readonly isStrict: boolean;
  #list: ReadonlyMap<string, DeviceRecord> = new Map();
  readonly #maintenances = new Map<string, Maintenance>();

  /** @param isStrict whether devices that the list does not hold are unwelcome */
  constructor(isStrict: boolean) {
    this.isStrict = isStrict;
  }

  /**
   * Restores the maintenances that `toJSON` gave; the list has to be set again.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(isStrict: boolean, state: unknown): DeviceRegistry {
    requireState(state);
    const registry = new DeviceRegistry(isStrict);
    for (const [deviceId, maintenance] of state) registry.#maintenances.set(deviceId, maintenance);
    return registry;
  }

  /**
   * Replaces the list. Cost: linear in its length.
   *
   * @throws Error when it is too long, lists a device twice, or has parents that lead back to where they began; the list
   *   stays as it was then
   */
  setList(records: readonly DeviceRecord[]): void {
    if (records.length > MAX_LISTED) {
      throw new Error(`${records.length} devices are listed, at most ${MAX_LISTED} are taken`);
    }
    const list = new Map<string, DeviceRecord>();
    for (const record of records) {
      const { deviceId } = record;
      if (deviceId.length > MAX_NAME_LENGTH) {
        throw new Error(`the device ${quote(deviceId)} has a name of more than ${MAX_NAME_LENGTH} characters`);
      }
      if (list.has(deviceId)) throw new Error(`the device ${quote(deviceId)} is listed twice`);
      list.set(deviceId, record);
    }
    requireNoLoop(list);
    this.#list = list;
  }

  get(deviceId: string): DeviceRecord | undefined {
    return this.#list.get(deviceId);
  }

  /** All devices, in the order of the list. */
  records(): Iterable<DeviceRecord> {
    return this.#list.values();
  }

  /** The maintenance that a device is in at `now`, ms since 1970: its own, else that of the nearest parent. */
  maintenance(deviceId: string, now: number): Maintenance | undefined {
    if (this.#maintenances.size === 0) return undefined;
    for (let id: string | undefined = deviceId; id !== undefined; id = this.#list.get(id)?.parent) {
      const maintenance = this.#maintenances.get(id);
      if (maintenance && now < maintenance.until) return maintenance;
    }
    return undefined;
  }

  /**
   * Begins the maintenance of a device at `now`, ms since 1970, or changes that in which it is, or ends it with 0 seconds.
   *
   * @param args `{ deviceId, seconds, by?, reason? }`
   * @throws Error when that makes no sense; nothing is changed then
   */
  maintain(args: unknown, now: number): void {
    const { deviceId, seconds, by, reason } = (isRecord(args) ? args : {}) as Record<string, unknown>;
    if (typeof deviceId !== "string" || deviceId === "" || deviceId.length > MAX_NAME_LENGTH) {
      throw new Error(`deviceId is ${quote(deviceId)}, it must be the name of a device`);
    }
    if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= MAX_MAINTENANCE_SECONDS)) {
      throw new Error(
        `seconds is ${quote(seconds)}, it must be a number from 0, which ends it, to ${MAX_MAINTENANCE_SECONDS}`,
      );
    }
    requireText("by", by, MAX_NAME_LENGTH);
    requireText("reason", reason, MAX_REASON_LENGTH);
    const known = this.#maintenances.get(deviceId);
    const present = known && now < known.until ? known : undefined;
    if (seconds === 0) {
      if (present === undefined) throw new Error(`${quote(deviceId)} itself is not in maintenance`);
      this.#maintenances.delete(deviceId);
      return;
    }
    if (this.isStrict && !this.#list.has(deviceId)) {
      throw new Error(`the device ${quote(deviceId)} is not in the device registry`);
    }
    if (known === undefined && this.#maintenances.size >= MAX_IN_MAINTENANCE) {
      throw new Error(`${MAX_IN_MAINTENANCE} devices are in maintenance already`);
    }
    this.#maintenances.set(deviceId, {
      since: present?.since ?? now,
      until: now + seconds * 1000,
      ...(by && { by }),
      ...(reason && { reason }),
    });
  }

  /** Forgets the maintenances that are over at `now`, ms since 1970, and tells whether there were any. */
  expire(now: number): boolean {
    const { size } = this.#maintenances;
    for (const [deviceId, { until }] of this.#maintenances) if (now >= until) this.#maintenances.delete(deviceId);
    return this.#maintenances.size < size;
  }

  toJSON(): RegistryState {
    return [...this.#maintenances];
  }
}

/** True for what may stand as the maintenance of a reading. */
export function isMaintenance(value: unknown): value is Maintenance {
  if (!isRecord(value)) return false;
  const { since, until, by, reason } = value;
  return Number.isFinite(since) && Number.isFinite(until) && [by, reason].every(isOptionalText);
}

function requireNoLoop(list: ReadonlyMap<string, DeviceRecord>): void {
  const checked = new Set<string>();
  for (const start of list.keys()) {
    const path = new Set<string>();
    for (let id: string | undefined = start; id !== undefined && !checked.has(id); id = list.get(id)?.parent) {
      if (path.has(id)) throw new Error(`the parents of the device ${quote(id)} lead back to it`);
      path.add(id);
    }
    for (const id of path) checked.add(id);
  }
}

function requireText(name: string, value: unknown, length: number): asserts value is string | undefined {
  if (isOptionalText(value) && (value ?? "").length <= length) return;
  throw new Error(`${name} is ${quote(value)}, it must be text of at most ${length} characters`);
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function requireState(state: unknown): asserts state is RegistryState {
  const isEntry = (entry: unknown) => Array.isArray(entry) && typeof entry[0] === "string" && isMaintenance(entry[1]);
  if (!(Array.isArray(state) && state.every(isEntry))) throw new TypeError("these are not the maintenances of devices");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as it may stand in a message, whatever its size. */
function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
