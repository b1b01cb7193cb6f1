/** Hour and weekday as points on a circle, so that 23:59 and 0:00, Sunday and Monday are neighbours. */

/** Sine and cosine of two angles: one turn a day, from 0:00 UTC, and one turn a week, from Monday 0:00 UTC. */
export type TimeOfDay = {
  hourSin: number;
  hourCos: number;
  weekSin: number;
  weekCos: number;
};

const DAY = 86_400_000;
const WEEK = 7 * DAY;
/** 1970 began on a Thursday. */
const MONDAY_TO_EPOCH = 3 * DAY;

/** @param timestamp ms since 1970 */
export function timeOfDay(timestamp: number): TimeOfDay {
  const hour = (2 * Math.PI * (timestamp % DAY)) / DAY;
  const week = (2 * Math.PI * ((timestamp + MONDAY_TO_EPOCH) % WEEK)) / WEEK;
  return { hourSin: Math.sin(hour), hourCos: Math.cos(hour), weekSin: Math.sin(week), weekCos: Math.cos(week) };
}
