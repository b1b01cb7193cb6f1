/** What the tests of the simulator share. */
import { Fleet, type FleetOptions } from "../../../core/simulator/fleet.ts";
import type { Reading } from "../../../core/types.ts";

/** Monday, 8 o'clock UTC: in the middle of a shift's work. */
export const START = Date.UTC(2026, 0, 5, 8);
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export function fleetOf(options: Partial<FleetOptions> = {}, startTime = START): Fleet {
  const defaults: FleetOptions = {
    profile: "machine",
    devices: 1,
    devicePrefix: "R",
    seed: 1,
    intervalSeconds: 5,
    jitterPercent: 0,
    faultsPerDeviceDay: 0,
  };
  return new Fleet({ ...defaults, ...options }, startTime);
}

/** All readings up to and at `until`, each taken when it is due. */
export function run(fleet: Fleet, until: number): Reading[] {
  const readings: Reading[] = [];
  while (fleet.nextDue() <= until) readings.push(...fleet.tick(fleet.nextDue()));
  return readings;
}

/** The readings of each device. */
export function byDevice(readings: Reading[]): Map<string, Reading[]> {
  const groups = new Map<string, Reading[]>();
  for (const reading of readings) {
    const group = groups.get(reading.deviceId);
    if (group === undefined) groups.set(reading.deviceId, [reading]);
    else group.push(reading);
  }
  return groups;
}

/** The values of one metric of one device. */
export function series(readings: Reading[], metric: string, deviceId = "R1"): number[] {
  return readings.filter((reading) => reading.deviceId === deviceId).map((reading) => metricOf(reading, metric));
}

export function metricOf(reading: Reading | undefined, metric: string): number {
  return reading?.metrics[metric] ?? Number.NaN;
}
