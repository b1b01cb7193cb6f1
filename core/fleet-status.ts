/** The figures of a fleet: what has happened lately, and what holds for all its devices at present. */
import { MAX_MAGNITUDE } from "./baseline.ts";
import type { AnalysedReading, DeviceStatus } from "./device-status.ts";
import { RecentCounts, type RecentCountsState } from "./recent-counts.ts";
import type { Alarm, Metrics } from "./types.ts";

export interface FleetOptions {
  /** How far back "recent" reaches. */
  recentSeconds: number;
  /** Tells which metrics count; without it, all do. */
  accepts?: ((metric: string) => boolean) | undefined;
}

/** What is not known is absent. */
export interface FleetFigures {
  /** Readings since the beginning. */
  totalReadings: number;
  /** Devices that have been heard of recently and are not offline. */
  activeDevices: number;
  offlineDevices: number;
  /** Mean of the health scores of active devices, 0 to 100. */
  averageHealth?: number;
  /** Mean of the latest values of active devices, by metric. */
  average: Metrics;
  /** Units of these metrics, where the devices agree on one. */
  units?: Record<string, string>;
  /** Alarms that were raised recently. */
  alertsRecent: number;
  /** Share of the recent readings that are anomalous, 0 to 1. */
  anomalyRateRecent?: number;
  /** Age of the newest reading. */
  freshnessSeconds?: number;
}

/** Counts as plain JSON. */
export interface FleetState {
  totalReadings: number;
  newest: number | undefined;
  recentSeconds: number;
  recent: RecentCountsState;
}

/** Kinds of what is counted. */
const READINGS = 0;
const ANOMALIES = 1;
const ALERTS = 2;
const KINDS = 3;

/**
 * Counts what a fleet sends and sums up its devices. Recent is what arrived within `recentSeconds`, to a 300th of it.
 *
 * Cost: O(1) a reading beside that of its device; the figures O(devices × metrics). Memory: some 7 kB.
 */
export class FleetStatus {
  readonly #options: FleetOptions;
  readonly #recent: RecentCounts;
  #totalReadings = 0;
  /** Time of the newest reading, ms since 1970. */
  #newest: number | undefined;

  constructor(options: FleetOptions, recent = new RecentCounts(options.recentSeconds, KINDS)) {
    this.#options = options;
    this.#recent = recent;
  }

  /**
   * Restores what `toJSON` gave; recent counts only if they reach as far back.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(options: FleetOptions, state: unknown): FleetStatus {
    requireState(state);
    const { recentSeconds } = options;
    const fleet =
      state.recentSeconds === recentSeconds
        ? new FleetStatus(options, RecentCounts.from(recentSeconds, KINDS, state.recent))
        : new FleetStatus(options);
    fleet.#totalReadings = state.totalReadings;
    fleet.#newest = state.newest;
    return fleet;
  }

  /**
   * Takes a reading of a device that arrives at `now`, ms since 1970.
   *
   * @throws RangeError when the device would have too many metrics; nothing is changed then
   */
  push(device: DeviceStatus, reading: AnalysedReading, now: number): void {
    const isAnomaly = device.push(reading, now, this.#options.accepts);
    this.#totalReadings++;
    // A time in the future would make the data look fresh until then.
    this.#newest = Math.max(this.#newest ?? 0, Math.min(reading.timestamp, now));
    this.#recent.add(READINGS, now);
    if (isAnomaly) this.#recent.add(ANOMALIES, now);
  }

  /**
   * Takes an alarm of a device at `now`, ms since 1970.
   *
   * @throws RangeError when the device would have too many open alarms; nothing is changed then
   */
  pushAlarm(device: DeviceStatus, alarm: Alarm, now: number): void {
    if (device.pushAlarm(alarm)) this.#recent.add(ALERTS, now);
  }

  figures(devices: Iterable<DeviceStatus>, now: number): FleetFigures {
    const earliest = now - this.#options.recentSeconds * 1000;
    const health = new Mean();
    const averages = new Map<string, Mean>();
    /** "" where devices differ. */
    const units = new Map<string, string>();
    let activeDevices = 0;
    let offlineDevices = 0;
    for (const device of devices) {
      if (device.status === "offline") {
        offlineDevices++;
      } else if ((device.lastSeen ?? -Infinity) >= earliest) {
        activeDevices++;
        if (device.health) health.push(device.health.score);
        const { metrics, units: unitsOfDevice } = device;
        for (const name in metrics) {
          const average = averages.get(name) ?? new Mean();
          if (average.count === 0) averages.set(name, average);
          average.push(metrics[name] as number);
        }
        for (const name in unitsOfDevice) {
          const unit = unitsOfDevice[name] as string;
          units.set(name, (units.get(name) ?? unit) === unit ? unit : "");
        }
      }
    }
    const agreed = [...units].filter(([, unit]) => unit !== "");
    const readings = this.#recent.total(READINGS, now);
    return {
      totalReadings: this.#totalReadings,
      activeDevices,
      offlineDevices,
      ...(health.count > 0 && { averageHealth: health.value }),
      average: Object.fromEntries(Array.from(averages, ([name, { value }]) => [name, value])),
      ...(agreed.length > 0 && { units: Object.fromEntries(agreed) }),
      alertsRecent: this.#recent.total(ALERTS, now),
      ...(readings > 0 && { anomalyRateRecent: this.#recent.total(ANOMALIES, now) / readings }),
      ...(this.#newest !== undefined && { freshnessSeconds: Math.max(0, now - this.#newest) / 1000 }),
    };
  }

  toJSON(): FleetState {
    return {
      totalReadings: this.#totalReadings,
      newest: this.#newest,
      recentSeconds: this.#options.recentSeconds,
      recent: this.#recent.toJSON(),
    };
  }
}

class Mean {
  count = 0;
  #sum = 0;

  push(value: number): void {
    this.count++;
    this.#sum += Math.max(-MAX_MAGNITUDE, Math.min(MAX_MAGNITUDE, value));
  }

  get value(): number {
    return this.#sum / this.count;
  }
}

function requireState(state: unknown): asserts state is FleetState {
  const { totalReadings, newest } = (typeof state === "object" && state !== null ? state : {}) as Partial<FleetState>;
  if (!Number.isSafeInteger(totalReadings) || !(newest === undefined || Number.isFinite(newest))) {
    throw new TypeError("these are not the figures of a fleet");
  }
}
