/** What travels beside readings, told apart by its shape: statuses, alarms, windows, lines about commands, audit entries. */
import type { CommandLine } from "./device-commands.ts";
import { MAX_NAME_LENGTH } from "./limits.ts";
import type { Alarm, AuditEntry, StatusEvent, WindowResult } from "./types.ts";

type Fields = Record<string, unknown>;

const STATUSES: readonly unknown[] = ["online", "offline", "unknown"] satisfies StatusEvent["status"][];
const SEVERITIES: readonly unknown[] = ["info", "warning", "critical"] satisfies Alarm["severity"][];
const ALARM_STATES: readonly unknown[] = [
  "normal",
  "unacknowledged",
  "acknowledged",
  "returned-unacknowledged",
  "latched",
] satisfies Alarm["state"][];

/** Numbers that a status event holds; what has others is a reading of a device that tells its status too. */
const EVENT_NUMBERS = ["lastSeen", "silentSeconds", "timestamp"];

/** True for a StatusEvent. One that is written by hand may lack all but the device and the status. */
export function isStatusEvent(value: unknown): value is StatusEvent {
  if (!isRecord(value) || !STATUSES.includes(value.status) || !isName(value.deviceId)) return false;
  if (value.metrics !== undefined) return false;
  return Object.keys(value).every((name) => typeof value[name] !== "number" || EVENT_NUMBERS.includes(name));
}

/** True for an Alarm. */
export function isAlarm(value: unknown): value is Alarm {
  if (!isRecord(value) || typeof value.alarmId !== "string") return false;
  if (!isName(value.deviceId) || !isName(value.condition)) return false;
  return SEVERITIES.includes(value.severity) && ALARM_STATES.includes(value.state);
}

/** True for a CommandLine. */
export function isCommandLine(value: unknown): value is CommandLine {
  if (!isRecord(value) || typeof value.outcome !== "string" || typeof value.commandId !== "string") return false;
  return isName(value.deviceId) && isName(value.command) && Number.isFinite(value.timestamp);
}

/** True for a WindowResult. */
export function isWindowResult(value: unknown): value is WindowResult {
  if (!isRecord(value) || !isName(value.group) || !isRecord(value.metrics)) return false;
  return Number.isFinite(value.windowStart) && Number.isFinite(value.windowEnd);
}

/** True for an entry of an audit trail. */
export function isAuditEntry(value: unknown): value is AuditEntry {
  if (!isRecord(value) || !isName(value.action ?? value.command) || !isName(value.outcome)) return false;
  return Number.isFinite(value.timestamp) && (value.deviceId === undefined || isName(value.deviceId));
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
