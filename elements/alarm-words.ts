/** Alarms and the lines of their journal in words. */
import type { CommandLine } from "../core/device-commands.ts";
import type { JournalLine } from "../core/journal.ts";
import type { Alarm, AlarmChange, AlarmState } from "../core/types.ts";
import { duration, h, withUnit } from "./parts.ts";

const STATES: Record<AlarmState, string> = {
  normal: "back to normal",
  unacknowledged: "unacknowledged",
  acknowledged: "acknowledged",
  "returned-unacknowledged": "over, unacknowledged",
  latched: "over, latched",
};

const CHANGES: Record<AlarmChange, string> = {
  raised: "raised",
  severity: "changed its severity",
  returned: "back to normal",
  acknowledged: "acknowledged",
  reset: "reset",
  shelved: "shelved",
  unshelved: "no longer shelved",
  suppressed: "suppressed",
  unsuppressed: "no longer suppressed",
  "out-of-service": "out of service",
  "in-service": "in service again",
};

/** What people call a device; `*` is the connection to all of them. */
export function deviceName({ deviceId, name }: { deviceId: string; name?: string | undefined }): string {
  return name ?? (deviceId === "*" ? "All devices" : deviceId);
}

/** What stands beside the name of a device: its id, unless that is its name, and where it is. */
export function devicePlace({
  deviceId,
  name,
  location,
}: {
  deviceId: string;
  name?: string;
  location?: string;
}): string {
  return [name !== undefined && deviceId, location].filter(Boolean).join(" · ");
}

/** The name of a device with its id beside it, as it stands within a line. */
export function deviceParts(device: { deviceId: string; name?: string | undefined }): (Node | string)[] {
  const { deviceId, name } = device;
  const id = name === undefined ? [] : [" ", h("span", { class: "faint" }, deviceId)];
  return [h("b", {}, deviceName(device)), ...id];
}

/** The state of an alarm, and what keeps it silent. */
export function alarmState({ state, shelved, suppressed, outOfService }: Alarm, now: number): string {
  const parts = [STATES[state]];
  if (shelved) parts.push(shelved.until === undefined ? "shelved" : `shelved for ${duration(shelved.until - now)}`);
  if (suppressed) parts.push("suppressed");
  if (outOfService) parts.push("out of service");
  return parts.join(", ");
}

/** What broke which limit, or for how long something was so, in parts that stay together. */
export function alarmValue(alarm: Alarm): (Node | string)[] {
  return valueParts(alarm).flatMap((part, index) => [index > 0 ? " " : "", h("span", { class: "together" }, part)]);
}

/** Whether its value tells for how long something was so, such as a silence: there is no limit to compare it with. */
const isTime = ({ limit, unit }: Alarm): boolean => limit === undefined && unit === "s";

function valueParts(alarm: Alarm): string[] {
  const { value, limit, unit } = alarm;
  if (value === undefined) return [];
  if (limit === undefined) return [isTime(alarm) ? `after ${duration(value * 1000)}` : withUnit(value, unit)];
  return [`${withUnit(value, unit)},`, `limit ${withUnit(limit, unit)}`];
}

/** A line of the journal as a sentence. */
export function lineText(line: JournalLine & { text?: unknown }): string {
  if ("outcome" in line) {
    const text = typeof line.text === "string" ? line.text : commandText(line);
    return text.replace(/^\*(?=\W)/, "The fleet");
  }
  const { condition, severity, change, by, shelved } = line;
  const value = change === "raised" || change === "severity" ? valueParts(line).join(" ") : "";
  const reason = change === "shelved" && shelved?.reason ? `: ${shelved.reason}` : "";
  const what = change === undefined ? "" : CHANGES[change];
  return `${severity} ${condition} ${what}${by ? ` by ${by}` : ""}${value && !isTime(line) ? " at" : ""}${value && ` ${value}`}${reason}`;
}

function commandText({ deviceId, command, outcome, by, error }: CommandLine): string {
  return `${deviceId}: ${command} ${outcome}${by ? `, asked for by ${by}` : ""}${error ? `: ${error}` : ""}`;
}
