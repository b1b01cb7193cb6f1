/** What operators' commands to an alarm system say: their arguments, checked. Every error tells what to do. */
import { SEVERITIES } from "./alarm.ts";
import type { Severity, Silence } from "./types.ts";

type Arguments = Record<string, unknown>;

/** Which alarms are meant: some by name, or those open ones that fit. */
export type Selection =
  | { alarmIds: string[] }
  | { deviceId: string | undefined; condition: string | undefined; severity: Severity | undefined };

/**
 * Reads which alarms are meant: `{ alarmId }` with one or a list, such a list itself or a list of alarms, or a filter
 * of `deviceId`, `condition` and `severity`, or `all: true`.
 *
 * @throws Error when it says nothing of that
 */
export function selectionOf(args: unknown): Selection {
  const { alarmId, deviceId, condition, severity, all } = argumentsOf(args);
  const named = Array.isArray(args) || typeof args === "string" ? args : alarmId;
  if (named !== undefined) {
    const alarmIds = (Array.isArray(named) ? named : [named]).map((each) => requireText(idIn(each), "alarmId"));
    if (alarmIds.length === 0) throw new Error("the list of alarms is empty");
    return { alarmIds };
  }
  if (all !== true && deviceId === undefined && condition === undefined && severity === undefined) {
    throw new Error("it needs { alarmId }, or a filter of deviceId, condition and severity, or { all: true }");
  }
  return {
    deviceId: optionalText(deviceId, "deviceId"),
    condition: optionalText(condition, "condition"),
    severity: severityOf(severity),
  };
}

/** Who gives a command: its `by`, if it has one. */
export function authorOf(args: unknown): string | undefined {
  return optionalText(argumentsOf(args).by, "by");
}

/** The silence that a command asks for, without an end of its own. */
export function silenceOf(args: unknown, now: number): Silence {
  const by = authorOf(args);
  const reason = optionalText(argumentsOf(args).reason, "reason");
  return { since: now, ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
}

/** The shelving that a command asks for: for some `seconds`, or with `oneShot` until the alarm is back to normal. */
export function shelvingOf(args: unknown, maximumSeconds: number, now: number): Silence {
  const { seconds, oneShot = false } = argumentsOf(args);
  if (typeof oneShot !== "boolean") throw new Error("oneShot must be true or false");
  if (seconds === undefined && !oneShot) throw new Error("shelve needs seconds, or oneShot: true");
  const length = seconds ?? maximumSeconds;
  if (!(typeof length === "number" && length > 0 && length <= maximumSeconds)) {
    throw new Error(`seconds must be a number above 0, up to ${maximumSeconds}`);
  }
  return { ...silenceOf(args, now), until: now + length * 1000, ...(oneShot && { isOneShot: true }) };
}

/** A limit that is to be set. */
export interface LimitToSet {
  deviceId: string | undefined;
  condition: string;
  severity: Severity | undefined;
  limit: number | null;
}

/** Reads `{ condition, limit, deviceId?, severity? }`. */
export function limitOf(args: unknown): LimitToSet {
  const { deviceId, condition, severity, limit } = argumentsOf(args);
  if (limit !== null && !(typeof limit === "number" && Number.isFinite(limit))) {
    throw new Error("limit must be a number, or null for the table's own");
  }
  return {
    deviceId: optionalText(deviceId, "deviceId"),
    condition: requireText(condition, "condition"),
    severity: severityOf(severity),
    limit,
  };
}

function argumentsOf(args: unknown): Arguments {
  return typeof args === "object" && args !== null && !Array.isArray(args) ? (args as Arguments) : {};
}

/** An element of a list may be an alarm. */
function idIn(element: unknown): unknown {
  return typeof element === "object" && element !== null ? (element as Arguments).alarmId : element;
}

function requireText(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${name} must be a text`);
}

function optionalText(value: unknown, name: string): string | undefined {
  return value === undefined ? undefined : requireText(value, name);
}

function severityOf(value: unknown): Severity | undefined {
  const severity = SEVERITIES.find((each) => each === value);
  if (value !== undefined && severity === undefined) throw new Error(`severity must be ${SEVERITIES.join(", ")}`);
  return severity;
}
