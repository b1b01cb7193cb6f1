/** What alerts say in words: a title of one line, good for an SMS, and a text of several lines, good for an e-mail. */
import type { AlertKind, HeldCount, Summary } from "../../core/alert-limit.ts";
import type { Alarm } from "../../core/types.ts";

/** The text of a key of the node's locale. */
type Translate = (key: string, values?: Record<string, string | number>) => string;

export interface AlertWords {
  title: string;
  text: string;
}

/** Sorts of alerts that the title of a summary names, and its text. */
const TITLE_COUNTS = 3;
const TEXT_COUNTS = 20;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The largest time that there is, ms since 1970. */
const MAX_TIME = 8.64e15;

export class AlertText {
  readonly #translate: Translate;
  readonly #timeZone: string;
  readonly #format: Intl.DateTimeFormat;

  /**
   * @param timeZone in which times are told, e.g. `Europe/Berlin`
   * @throws RangeError when there is no such time zone
   */
  constructor(translate: Translate, timeZone: string) {
    this.#translate = translate;
    this.#timeZone = timeZone;
    // Sweden writes dates as ISO 8601 does, which is the same in every language.
    this.#format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  }

  /** Puts an alarm into words at `now`, ms since 1970. What is not known is left out. */
  alert(kind: AlertKind, alarm: Alarm, now: number): AlertWords {
    const translate = this.#translate;
    const { deviceId, condition, advice, location, count = 1, raisedAt, clearedAt } = alarm;
    const name = alarm.name || deviceId;
    const device = oneLine(location ? translate("text.at", { device: name, location }) : name);
    const value = oneLine(this.#value(alarm));
    const isOver = kind === "normal";
    const what = [oneLine(condition), ...(isOver || value === "" ? [] : [value])].join(", ");
    const severity = this.#severity(alarm.severity);
    const title = translate(`text.titles.${kind}`, { device, what, severity });
    const lines = [
      title,
      "",
      translate("text.device", { device: oneLine(name === deviceId ? name : `${name} (${deviceId})`) }),
    ];
    if (location) lines.push(translate("text.location", { location: oneLine(location) }));
    lines.push(translate("text.alarm", { condition: oneLine(condition), severity }));
    if (value !== "") lines.push(translate("text.value", { value }));
    const end = isOver ? (clearedAt ?? now) : now;
    if (isTime(raisedAt) && isTime(end)) {
      const duration = this.#duration(end - raisedAt);
      lines.push(
        isOver
          ? translate("text.was", { from: this.#time(raisedAt), to: this.#time(end), duration })
          : translate("text.since", { time: this.#time(raisedAt), duration }),
      );
    }
    if (count > 1) lines.push(translate("text.raised", { count }));
    if (advice && !isOver) lines.push("", translate("text.advice", { advice: advice.trim() }));
    return { title, text: lines.join("\n") };
  }

  /** Puts into words what an output was not told one by one. */
  summary({ count, counts }: Summary): AlertWords {
    const named = counts.slice(0, TITLE_COUNTS).map((each) => this.#count(each));
    if (counts.length > TITLE_COUNTS) named.push("…");
    const title = this.#translate("text.titles.summary", { count, counts: named.join(", ") });
    const lines = counts.slice(0, TEXT_COUNTS).map((each) => {
      const devices = each.devices.map(oneLine).join(", ") + (each.count > each.devices.length ? ", …" : "");
      return this.#translate("text.counted", { counted: this.#count(each), devices });
    });
    if (counts.length > TEXT_COUNTS) lines.push("…");
    return { title, text: [title, "", ...lines].join("\n") };
  }

  #count({ kind, severity, condition, count }: HeldCount): string {
    const name = condition === undefined ? this.#translate("text.others") : oneLine(condition);
    return this.#translate(`text.counts.${kind}`, {
      number: count,
      condition: name,
      severity: this.#severity(severity),
    });
  }

  #severity(severity: Alarm["severity"]): string {
    return this.#translate(`text.severities.${severity}`);
  }

  /** What was measured and its limit, as far as they are known. */
  #value({ metric = "", value, limit, unit = "" }: Alarm): string {
    const withUnit = (number: number) => `${Number(number.toPrecision(6))} ${unit}`.trim();
    if (value === undefined) return metric;
    const measured = `${metric} ${withUnit(value)}`.trim();
    return limit === undefined ? measured : this.#translate("text.limited", { measured, limit: withUnit(limit) });
  }

  #time(timestamp: number): string {
    return `${this.#format.format(timestamp)} ${this.#timeZone}`;
  }

  /** How long, to two units at most. */
  #duration(ms: number): string {
    const part = (unit: number, within = Infinity) => Math.floor((Math.max(0, ms) % within) / unit);
    const days = part(DAY);
    const hours = part(HOUR, DAY);
    const minutes = part(MINUTE, HOUR);
    if (days > 0) return this.#translate("text.days", { days, hours });
    if (hours > 0) return this.#translate("text.hours", { hours, minutes });
    if (minutes > 0) return this.#translate("text.minutes", { minutes });
    return this.#translate("text.seconds", { seconds: part(SECOND) });
  }
}

function isTime(value: number | undefined): value is number {
  return value !== undefined && Math.abs(value) <= MAX_TIME;
}

/** A line break in a name must not break a title. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
