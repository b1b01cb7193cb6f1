/** Times as devices write them: seconds, milliseconds and finer, or ISO 8601 text. */

/** How a device writes time; `auto` tells by the magnitude or by the form. */
export type TimestampUnit = "auto" | "s" | "ms" | "iso";

/** The last instant that a JavaScript Date can hold, ms since 1970. */
export const MAX_TIMESTAMP = 8.64e15;

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * Reads a time.
 *
 * Numbers, and text that holds a number, in `auto`: below 10¹¹ are seconds (until the year 5138), below 10¹⁴
 * milliseconds, below 10¹⁷ microseconds, above that nanoseconds. ISO text without a zone is UTC.
 *
 * @returns ms since 1970, or undefined if it is not a time between 1970 and the end of JavaScript's calendar
 */
export function parseTimestamp(value: unknown, unit: TimestampUnit = "auto"): number | undefined {
  if (value instanceof Date) return inRange(value.getTime());
  if (typeof value === "number") return unit === "iso" ? undefined : inRange(toMilliseconds(value, unit));
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  const iso = unit === "s" || unit === "ms" ? undefined : parseIso(text);
  if (iso !== undefined || unit === "iso") return iso;
  return /^\d+(\.\d+)?$/.test(text) ? inRange(toMilliseconds(Number(text), unit)) : undefined;
}

function toMilliseconds(value: number, unit: TimestampUnit): number {
  if (unit === "ms") return value;
  if (unit === "s" || value < 1e11) return Math.round(value * 1000);
  if (value < 1e14) return value;
  return Math.floor(value < 1e17 ? value / 1e3 : value / 1e6);
}

function parseIso(text: string): number | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] = match;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  const date = Date.parse(`${year}-${month}-${day}`);
  // A 30th of February is taken for the 1st or 2nd of March.
  const isRealDay = new Date(date).getUTCDate() === Number(day);
  if (!isRealDay || h > 24 || m > 59 || s > 60 || (h === 24 && (m > 0 || s > 0))) return undefined;
  const ms = fraction === "" ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
  return inRange(date + ((h * 60 + m) * 60 + s) * 1000 + ms - zoneOffset(zone));
}

/** Milliseconds that a zone such as `Z`, `+02`, `+0200` or `-03:30` is ahead of UTC. */
function zoneOffset(zone: string): number {
  if (zone === "Z" || zone === "z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)) * (zone.length > 3 ? 1 : 0);
  return (zone[0] === "-" ? -minutes : minutes) * 60_000;
}

function inRange(timestamp: number): number | undefined {
  return timestamp >= 0 && timestamp <= MAX_TIMESTAMP ? timestamp : undefined;
}
