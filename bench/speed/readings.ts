/** The readings that everything is measured with. */
import type { Reading } from "../../core/types.ts";

/** Seconds between the readings of a device. */
const INTERVAL = 1000;

/** A slowly drifting, noisy signal without anomalies, worked out in advance. */
const WAVE = Float64Array.from({ length: 4096 }, (_, index) => Math.sin(index * 0.37) + Math.sin(index * 1.71));

/** One reading of 4 metrics. Devices take turns, and each sends once a second. */
export function reading(index: number, devices: number, start = 1_700_000_000_000): Reading {
  const wave = WAVE[index % WAVE.length] as number;
  return {
    deviceId: `R${index % devices}`,
    timestamp: start + Math.floor(index / devices) * INTERVAL,
    metrics: { temperature: 60 + wave, vibration: 0.6 + 0.1 * wave, speed: 2 + 0.2 * wave, battery: 80 + 0.5 * wave },
  };
}

/** 1000 readings, the `index`-th such array. */
export function readings(index: number, devices: number): Reading[] {
  return Array.from({ length: 1000 }, (_, offset) => reading(index * 1000 + offset, devices));
}
