/** What the nodes that know devices ask of a device-registry. */
import type { DeviceRecord, Maintenance } from "../../core/types.ts";

/** The list of devices, and who is in maintenance. Times in ms since 1970. */
export interface Registry {
  /** True if devices that it does not list are refused. */
  readonly isStrict: boolean;
  get(deviceId: string): DeviceRecord | undefined;
  /** All devices, in the order of the list. */
  records(): Iterable<DeviceRecord>;
  /** The maintenance that a device is in at `now`, its own or that of a parent. */
  maintenance(deviceId: string, now: number): Maintenance | undefined;
  /**
   * The command `maintenance`: `{ deviceId, seconds, by?, reason? }`, where 0 seconds end it.
   *
   * @throws Error when it makes no sense; nothing is changed then
   */
  maintain(args: unknown, now: number): void;
  /** Calls `listener` when the list or a maintenance has changed, until the returned function is called. */
  watch(listener: () => void): () => void;
}

/** True if there is a list of devices, and it lacks this one. Cost: one look-up. */
export function isUnlisted(registry: Registry | undefined, deviceId: string): boolean {
  if (!registry || registry.get(deviceId)) return false;
  for (const _ of registry.records()) return true;
  return false;
}
