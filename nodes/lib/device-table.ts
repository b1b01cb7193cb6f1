/** The bounded table in which a node keeps what it knows of each device. */

/** What a node keeps of one device. */
export interface DeviceEntry<S> {
  readonly deviceId: string;
  state: S;
  /** When the node last heard of the device, ms since 1970 by this machine's clock. */
  lastSeen: number;
  /** Which part of the saved state it belongs to, if it is saved. */
  shard: number | undefined;
}

export interface DeviceTableOptions {
  maxDevices: number;
  forgetAfterHours: number;
}

/**
 * One entry a device, never more than `maxDevices`.
 *
 * When the table is full, entries that have been idle for `forgetAfterHours` make room. If none is idle, the new device
 * is refused: evicting an active one would silently blind the node for it.
 */
export class DeviceTable<S> {
  readonly #entries = new Map<string, DeviceEntry<S>>();
  readonly #maxDevices: number;
  readonly #forgetAfter: number;
  readonly #forget: (entry: DeviceEntry<S>) => void;
  // No entry can be idle before this time, so that a full table does not search all entries for each refusal.
  #nextIdle = 0;

  /** `forget` is told of each entry that makes room. */
  constructor(options: DeviceTableOptions, forget: (entry: DeviceEntry<S>) => void) {
    this.#maxDevices = options.maxDevices;
    this.#forgetAfter = options.forgetAfterHours * 3_600_000;
    this.#forget = forget;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(deviceId: string): DeviceEntry<S> | undefined {
    return this.#entries.get(deviceId);
  }

  values(): IterableIterator<DeviceEntry<S>> {
    return this.#entries.values();
  }

  /** Adds a device. Throws if the table is full. Cost: constant, but for one search of all when some may be idle. */
  add(deviceId: string, state: S, now: number): DeviceEntry<S> {
    if (this.#entries.size >= this.#maxDevices) this.#makeRoom(now);
    if (this.#entries.size >= this.#maxDevices) {
      throw new RangeError(
        `${deviceId} is refused: there are ${this.#maxDevices} devices already, and all of them are active. ` +
          "Raise maxDevices, or lower forgetAfterHours.",
      );
    }
    const entry = { deviceId, state, lastSeen: now, shard: undefined };
    this.#entries.set(deviceId, entry);
    return entry;
  }

  delete(deviceId: string): boolean {
    return this.#entries.delete(deviceId);
  }

  #makeRoom(now: number): void {
    if (now < this.#nextIdle) return;
    let oldest = Infinity;
    for (const entry of this.#entries.values()) {
      if (now - entry.lastSeen >= this.#forgetAfter) {
        this.#entries.delete(entry.deviceId);
        this.#forget(entry);
      } else if (entry.lastSeen < oldest) oldest = entry.lastSeen;
    }
    this.#nextIdle = oldest + this.#forgetAfter;
  }
}
