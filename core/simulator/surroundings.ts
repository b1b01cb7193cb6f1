/** What surrounds the devices, the same for all of them: hours of work, weather. Times are ms since 1970, days are UTC. */

const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** Hour of the day, 0 to 24. */
function hourOfDay(time: number): number {
  const hours = time / 1000 / 3600;
  return hours - 24 * Math.floor(hours / 24);
}

/** A sine with a period in days, from -1 to 1. */
function wave(time: number, days: number): number {
  return Math.sin((2 * Math.PI * time) / (days * MS_PER_DAY));
}

/** A daily cycle from -1 to 1, highest at `peakHour`. */
export function dailyCycle(time: number, peakHour: number): number {
  return Math.cos((2 * Math.PI * (hourOfDay(time) - peakHour)) / 24);
}

/** Demand of a factory's shift plan, 0 to 1: shifts from 6, 14 and 22 o'clock, each with half an hour's break in its middle. */
export function shiftDemand(time: number): number {
  const hour = hourOfDay(time);
  if ((hour + 2) % 8 >= 4 && (hour + 2) % 8 < 4.5) return 0.1;
  if (hour < 6 || hour >= 22) return 0.35;
  return hour < 14 ? 0.75 : 0.6;
}

/** Who of an office's people are there, 0 to 1: they come from 7 to 9 o'clock and go from 16 to 18:30; half go to lunch. */
export function officeOccupancy(time: number): number {
  const hour = hourOfDay(time);
  const after = (from: number, hours: number) => Math.min(1, Math.max(0, (hour - from) / hours));
  const atLunch = after(11.75, 0.5) - after(12.75, 0.5);
  return (after(7, 2) - after(16, 2.5)) * (1 - 0.5 * atLunch);
}

/** Outdoor temperature in a mild season, 5 to 21 °C: coldest at 3 and warmest at 15 o'clock, and the weather's changes. */
export function outdoorTemperature(time: number): number {
  return 13 + 5 * dailyCycle(time, 15) - 3 * wave(time, 5.3);
}

/** Dew point of the outdoor air, 3 to 7 °C. It changes with the weather only, not with the time of day. */
export function outdoorDewPoint(time: number): number {
  return 5 - 2 * wave(time, 5.3);
}

/**
 * Air pressure, 1001 to 1025 hPa: highs and lows within days, and the tide of the atmosphere, highest at 10 and 22
 * o'clock, 0.4 hPa at 45° latitude (Chapman and Lindzen 1970).
 */
export function airPressure(time: number): number {
  return 1013 + 7 * wave(time, 5.3) + 4 * wave(time, 3.1) + 0.4 * dailyCycle(2 * time, 20);
}
