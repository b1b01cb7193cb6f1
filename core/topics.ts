/** Device names in MQTT topics, where `/`, `+` and `#` have a meaning of their own. */
import type { StatusEvent } from "./types.ts";

/** A device's name as one level of a topic: percent-encoded, so that any name is safe. */
export function toLevel(deviceId: string): string {
  // Half a surrogate pair, as a name cut short ends with, has no encoding.
  return encodeURIComponent(deviceId.replace(/\p{Surrogate}/gu, "\ufffd"));
}

/**
 * Finds the device in topics by a pattern in MQTT's manner: the first `+` stands for the device, further ones for any
 * level, a last `#` for any levels.
 *
 * @returns a function that gives the decoded name of the device, or undefined for a topic that does not fit
 */
export function deviceInTopic(pattern: string): (topic: string) => string | undefined {
  const levels = pattern.split("/");
  const device = levels.indexOf("+");
  const isOpen = levels.at(-1) === "#";
  const count = isOpen ? levels.length - 1 : levels.length;
  return (topic) => {
    const given = topic.split("/");
    if (isOpen ? given.length < count : given.length !== count) return undefined;
    const fits = levels.slice(0, count).every((level, index) => level === "+" || level === given[index]);
    return (fits && fromLevel(given[device] ?? "")) || undefined;
  };
}

/** The alarm to which a topic `…/alarms/<device>/<condition>` belongs, or undefined for any other topic. */
export function alarmInTopic(topic: unknown): { deviceId: string; condition: string } | undefined {
  if (typeof topic !== "string") return undefined;
  const [kind, device, condition] = topic.split("/").slice(-3);
  if (kind !== "alarms" || !device || !condition) return undefined;
  return { deviceId: fromLevel(device), condition: fromLevel(condition) };
}

/** What a level of a topic stands for. */
export function fromLevel(level: string): string {
  try {
    return decodeURIComponent(level);
  } catch {
    // A device that does not encode its name may well have a % in it.
    return level;
  }
}

const SPARKPLUG = /^spBv1\.0\/[^/]+\/(?:N(BIRTH|DEATH)|D(BIRTH|DEATH)\/[^/]+)\/([^/]+)$/;

/** What the topic of a Sparkplug B birth or death tells of the edge node or device; undefined for any other topic. */
export function sparkplugStatus(topic: unknown, timestamp: number): StatusEvent | undefined {
  const [, ofNode, ofDevice, deviceId] = (typeof topic === "string" && SPARKPLUG.exec(topic)) || [];
  if (deviceId === undefined) return undefined;
  return { deviceId, status: (ofNode ?? ofDevice) === "BIRTH" ? "online" : "offline", timestamp };
}
