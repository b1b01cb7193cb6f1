/**
 * `<da-alarms>`: open alarms with filters, acknowledgement and shelving, the journal, and how the alarm system does.
 *
 * It takes messages through the property `data` (see alarms-data.ts) and what is chosen through `choice`, from any
 * dashboard. It dispatches `choice` with the new choice; `command` with a Command: `ack`, `shelve` and `unshelve`, with
 * the `alarmId` of one or several; and `count` with how many alarms are open and how many of them are to be acknowledged.
 */
import type { AlarmFiguresReport } from "../core/alarm-figures.ts";
import { type JournalLine, lineKey } from "../core/journal.ts";
import { deviceLabel } from "../core/names.ts";
import type { Alarm, Severity } from "../core/types.ts";
import { alarmState, alarmValue, deviceName, deviceParts, devicePlace, lineText } from "./alarm-words.ts";
import type { AlarmsChoice, AlarmsMessage, AlarmsNews } from "./alarms-data.ts";
import ownStyle from "./da-alarms.css";
import { byName, clock, duration, format, h, icon, ListElement, renew } from "./parts.ts";

/** The worst first. */
const SEVERITIES: Severity[] = ["critical", "warning", "info"];

const STATES: [id: string, title: string, holds: (alarm: Alarm) => boolean][] = [
  ["", "all states", () => true],
  ["unacknowledged", "to acknowledge", (alarm) => isUnacknowledged(alarm) && !isSilenced(alarm)],
  ["acknowledged", "acknowledged", ({ state }) => state === "acknowledged"],
  ["silenced", "shelved or suppressed", (alarm) => isSilenced(alarm)],
];

/** More cannot be looked at: the rest are counted. */
const SHOWN_ALARMS = 200;
const SHOWN_LINES = 100;

const SHELVE_SECONDS = [600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600];

/** The sound for a critical alarm: two tones, Hz, for so many seconds each. */
const TONES = [880, 660];
const TONE_SECONDS = 0.18;

export class DaAlarms extends ListElement<AlarmsMessage, AlarmsChoice> {
  #data: AlarmsMessage | undefined;
  #devices = new Map<string, Alarm[]>();
  #lines: JournalLine[] = [];
  #figures: AlarmFiguresReport | undefined;
  #shown: Alarm[] = [];
  readonly #selected = new Set<string>();
  /** Critical alarms that have sounded, as they were raised. */
  #sounded = new Set<string>();
  #counted = "";
  #audio: AudioContext | undefined;

  constructor() {
    super(
      ownStyle,
      '<div class="figures"></div>' +
        '<div class="split"><section class="alarms" aria-label="Open alarms"><div class="bar filters"><div class="chips" role="group" aria-label="Severity"></div>' +
        '<select aria-label="State"></select><input type="search" placeholder="Search device or alarm" aria-label="Search">' +
        '<button type="button" class="sound" data-action="sound"></button></div>' +
        '<div class="bar actions"></div><div class="list" role="list"></div></section>' +
        '<section class="journal" aria-label="Journal"><h4>Journal</h4><div class="list lines" tabindex="0"></div></section></div>',
    );
    const search = this.find("input") as HTMLInputElement;
    search.addEventListener("input", () => this.choose({ search: search.value }));
    const state = this.find("select") as HTMLSelectElement;
    for (const [id, title] of STATES) state.append(h("option", { value: id }, title));
    state.addEventListener("change", () => this.choose({ state: state.value }));
    this.onClick({
      severity: (severity) => this.choose({ severity: this.choice.severity === severity ? "" : severity }),
      sound: () => this.#toggleSound(),
      select: (alarmId, target) => this.#select(alarmId, (target as HTMLInputElement).checked),
      "select-all": (_of, target) => {
        for (const { alarmId } of this.#shown) this.#select(alarmId, (target as HTMLInputElement).checked);
      },
      ack: (alarmId) => this.#acknowledge(alarmId ? [alarmId] : this.#chosen().map(({ alarmId }) => alarmId)),
      "ack-shown": () => this.#acknowledge(this.#shown.filter(isUnacknowledged).map(({ alarmId }) => alarmId)),
      shelve: (alarmId) => this.#askShelve(alarmId ? [alarmId] : this.#chosen().map(({ alarmId }) => alarmId)),
      unshelve: (alarmId) => this.give("unshelve", { alarmId: [alarmId] }),
    });
  }

  override get choice(): AlarmsChoice {
    return super.choice;
  }

  override set choice(choice: AlarmsChoice | null | undefined) {
    super.choice = choice;
    const { search = "", state = "" } = this.choice;
    const field = this.find("input") as HTMLInputElement;
    if (field.value !== search) field.value = search;
    (this.find("select") as HTMLSelectElement).value = state;
  }

  /** The message that came last. */
  get data(): AlarmsMessage | null | undefined {
    return this.#data;
  }

  set data(message: AlarmsMessage | null | undefined) {
    this.#data = message ?? undefined;
    if (!message) return;
    if ("figures" in message) this.#figures = message.figures;
    else this.#takeNews(message);
    this.redraw();
  }

  #takeNews({ timestamp, isWhole, alarms, lines, role }: AlarmsNews): void {
    const isFirst = this.isWaiting;
    this.hear(timestamp);
    if (role) this.userRole = role;
    if (isWhole) this.#devices = new Map();
    for (const { deviceId, alarms: ofDevice } of alarms) {
      if (ofDevice.length > 0) this.#devices.set(deviceId, ofDevice);
      else this.#devices.delete(deviceId);
    }
    // A whole message repeats what was told before.
    const known = new Set(this.#lines.map(lineKey));
    const news = lines.filter((line) => !known.has(lineKey(line)));
    this.#lines = [...this.#lines, ...news].sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0)).slice(-SHOWN_LINES);
    this.#sound(isFirst);
    this.#count();
  }

  get #open(): Alarm[] {
    return [...this.#devices.values()].flat();
  }

  /** Sounds for critical alarms that are new; those that stood when the page was opened are not. */
  #sound(isFirst: boolean): void {
    const urgent = this.#open.filter(
      (alarm) => alarm.severity === "critical" && isUnacknowledged(alarm) && !isSilenced(alarm),
    );
    const raised = new Set(urgent.map(({ alarmId, raisedAt }) => `${alarmId} ${raisedAt}`));
    const isNew = [...raised].some((each) => !this.#sounded.has(each));
    this.#sounded = raised;
    if (isNew && !isFirst && this.choice.hasSound) this.#beep();
  }

  #beep(): void {
    this.#audio ??= new AudioContext();
    const { currentTime, destination } = this.#audio;
    TONES.forEach((frequency, index) => {
      const audio = this.#audio as AudioContext;
      const tone = new OscillatorNode(audio, { frequency });
      const volume = new GainNode(audio, { gain: 0.2 });
      tone.connect(volume).connect(destination);
      tone.start(currentTime + index * TONE_SECONDS);
      tone.stop(currentTime + (index + 1) * TONE_SECONDS);
    });
    void this.#audio.resume();
  }

  /** The sound is heard at once, so that one knows it, and browsers allow it from then on. */
  #toggleSound(): void {
    const hasSound = !this.choice.hasSound;
    this.choose({ hasSound });
    if (hasSound) this.#beep();
  }

  /** `R1/overheating` as people say it. */
  #nameOf(alarmId: string): string {
    const [deviceId = "", ...condition] = alarmId.split("/").map(decoded);
    const known = [...(this.#devices.get(deviceId) ?? []), ...this.#lines];
    const named = known.find((each) => each.deviceId === deviceId && "name" in each) as Alarm | undefined;
    return `${deviceLabel(named ?? { deviceId })} ${condition.join(" ")}`;
  }

  #count(): void {
    const open = this.#open;
    const detail = {
      open: open.length,
      unacknowledged: open.filter((alarm) => isUnacknowledged(alarm) && !isSilenced(alarm)).length,
    };
    const text = JSON.stringify(detail);
    if (text === this.#counted) return;
    this.#counted = text;
    this.dispatchEvent(new CustomEvent("count", { detail }));
  }

  // --- what the operator does

  #select(alarmId: string, isSelected: boolean): void {
    if (isSelected) this.#selected.add(alarmId);
    else this.#selected.delete(alarmId);
    this.redraw();
  }

  /** Those that are selected and shown: what cannot be seen is not meant. */
  #chosen(): Alarm[] {
    return this.#shown.filter(({ alarmId }) => this.#selected.has(alarmId));
  }

  #acknowledge(alarmIds: string[]): void {
    if (alarmIds.length === 0) return;
    this.give("ack", { alarmId: alarmIds });
    this.#selected.clear();
    this.redraw();
  }

  async #askShelve(alarmIds: string[]): Promise<void> {
    if (alarmIds.length === 0) return;
    const times = SHELVE_SECONDS.map((seconds) =>
      h("option", { value: seconds, selected: seconds === 3600 }, duration(seconds * 1000)),
    );
    const given = await this.ask({
      title: alarmIds.length === 1 ? `Shelve ${this.#nameOf(alarmIds[0] ?? "")}?` : `Shelve ${alarmIds.length} alarms?`,
      content: [
        h("p", {}, "Nobody is told of what is shelved until then, though it goes on being watched."),
        h("label", {}, "For how long", h("select", { name: "seconds" }, ...times)),
        h("label", {}, "Why", h("input", { type: "text", name: "reason", maxlength: 200, required: true })),
      ],
      confirm: "Shelve",
    });
    if (!given) return;
    this.give("shelve", {
      alarmId: alarmIds,
      seconds: Number(given.get("seconds")),
      reason: String(given.get("reason")),
    });
    this.#selected.clear();
  }

  // --- what is to be seen

  protected draw(): void {
    const open = this.#open;
    const { severity = "", state = "", search = "" } = this.choice;
    const wanted = search.trim().toLowerCase();
    const holds = STATES.find(([id]) => id === state)?.[2] ?? (() => true);
    const matches = ({ deviceId, condition, name = "", location = "" }: Alarm) =>
      `${deviceId}\n${condition}\n${name}\n${location}`.toLowerCase().includes(wanted);
    this.#shown = open
      .filter((alarm) => (!severity || alarm.severity === severity) && holds(alarm) && matches(alarm))
      .sort(byUrgency);
    this.#drawFigures();
    this.#drawFilters(open);
    this.#drawActions();
    this.#drawAlarms(open.length);
    this.#drawJournal();
  }

  #drawFigures(): void {
    const figures = this.#figures;
    const bySeverity = countBy(this.#open, ({ severity }) => severity);
    const figure = (title: string, value: string, more?: string) =>
      h(
        "div",
        { class: "figure" },
        h("b", { class: "number" }, value, more !== undefined && h("small", {}, ` ${more}`)),
        h("span", { class: "faint" }, title),
      );
    const open = SEVERITIES.map((severity) => `${bySeverity.get(severity) ?? 0} ${severity}`).join(", ");
    if (!figures) {
      renew(this.find(".figures"), [
        figure("Open", this.isWaiting ? "–" : String(this.#open.length), this.isWaiting ? "" : open),
        h("div", { class: "figure" }, h("span", { class: "faint" }, "Waiting for the figures of the alarm system …")),
      ]);
      return;
    }
    const { alarms, flood, stale, chattering, secondsToAcknowledge, mostFrequent } = figures;
    const { median } = secondsToAcknowledge;
    const frequent = mostFrequent.slice(0, 3).map(({ alarmId, count }) => `${this.#nameOf(alarmId)} ${count}×`);
    renew(this.find(".figures"), [
      figure("Open", String(this.#open.length), open),
      figure("In 10 min", format(alarms.last10Minutes), `peak ${format(alarms.peakPer10Minutes)}`),
      figure("In the last hour", format(alarms.lastHour)),
      figure("In the last day", format(alarms.lastDay)),
      figure(
        "Flood",
        flood.since === undefined ? "no" : "yes",
        flood.since === undefined ? `${flood.count} in a day` : `for ${duration(this.now - flood.since)}`,
      ),
      figure("Until acknowledged", median === undefined ? "–" : duration(median * 1000), "median"),
      figure("Stale / chattering", `${stale.count} / ${chattering.count}`),
      frequent.length > 0 &&
        h(
          "div",
          { class: "figure frequent" },
          h("b", {}, frequent.join(", ")),
          h("span", { class: "faint" }, "Most frequent in a day"),
        ),
    ]);
  }

  #drawFilters(open: Alarm[]): void {
    const counts = countBy(open, ({ severity }) => severity);
    renew(
      this.find(".chips"),
      SEVERITIES.map((severity) =>
        h(
          "button",
          {
            type: "button",
            class: !counts.has(severity) && "is-none",
            "data-action": "severity",
            "data-of": severity,
            "aria-pressed": String(this.choice.severity === severity),
          },
          icon(severity),
          severity,
          h("b", {}, String(counts.get(severity) ?? 0)),
        ),
      ),
    );
    const sound = this.find(".sound");
    const hasSound = Boolean(this.choice.hasSound);
    sound.setAttribute("aria-pressed", String(hasSound));
    sound.textContent = hasSound ? "✓ Sound for critical" : "Sound for critical";
  }

  #drawActions(): void {
    const bar = this.find(".actions");
    const shown = this.#shown;
    bar.hidden = !this.mayOperate || shown.length === 0;
    if (bar.hidden) return;
    const chosen = this.#chosen();
    const open = shown.filter(isUnacknowledged).length;
    const areAll = chosen.length === shown.length;
    const button = (action: string, title: string, isOff: boolean) =>
      h("button", { type: "button", "data-action": action, disabled: isOff }, title);
    renew(bar, [
      h("label", {}, h("input", { type: "checkbox", "data-action": "select-all", checked: areAll }), " all shown"),
      button("ack", `Acknowledge selected (${chosen.length})`, chosen.length === 0),
      button("shelve", `Shelve selected (${chosen.length}) …`, chosen.length === 0),
      button("ack-shown", `Acknowledge all shown (${open})`, open === 0),
    ]);
  }

  #drawAlarms(openCount: number): void {
    const list = this.find(".alarms .list");
    this.find(".alarms").classList.toggle("is-viewed", !this.mayOperate);
    const more = this.#shown.length - SHOWN_ALARMS;
    if (this.#shown.length === 0) {
      const text = this.isWaiting
        ? "Waiting for the alarms …"
        : openCount > 0
          ? "No open alarm is like that."
          : "No open alarms.";
      renew(list, [
        h("div", { class: "empty" }, ...(this.isWaiting || openCount > 0 ? [] : [icon("healthy"), " "]), text),
      ]);
      return;
    }
    renew(list, [
      ...this.#shown.slice(0, SHOWN_ALARMS).map((alarm) => this.#alarm(alarm)),
      more > 0 && h("div", { class: "empty", "data-key": "more" }, `and ${more} more: filter or search to see them`),
    ]);
  }

  #alarm(alarm: Alarm): HTMLElement {
    const { alarmId, condition, severity, raisedAt, advice, shelved, suppressed, outOfService } = alarm;
    const title = `${deviceLabel(alarm)} ${condition}`;
    const isUrgent = isUnacknowledged(alarm) && !isSilenced(alarm);
    const silence = shelved ?? suppressed ?? outOfService;
    const by = silence ? [silence.by && `by ${silence.by}`, silence.reason].filter(Boolean).join(": ") : "";
    const place = devicePlace(alarm);
    const button = (action: string, text: string) =>
      h(
        "button",
        {
          type: "button",
          "data-action": action,
          "data-of": alarmId,
          "aria-label": `${text.replace(" …", "")} ${title}`,
        },
        text,
      );
    return h(
      "div",
      { role: "listitem", class: `alarm ${severity}${isUrgent ? " is-urgent" : ""}`, "data-key": alarmId },
      this.mayOperate &&
        h("input", {
          type: "checkbox",
          "data-action": "select",
          "data-of": alarmId,
          checked: this.#selected.has(alarmId),
          "aria-label": `Select ${title}`,
        }),
      h("div", { class: "severity" }, icon(severity), ` ${severity}`),
      h(
        "div",
        { class: "what" },
        h("b", {}, `${deviceName(alarm)} ${condition}`),
        place !== "" && h("small", { class: "faint" }, place),
        advice !== undefined && h("small", { class: "faint advice" }, advice),
      ),
      h("div", { class: "number value" }, ...alarmValue(alarm)),
      h(
        "div",
        { class: "state" },
        h("span", {}, alarmState(alarm, this.now)),
        by !== "" && h("small", { class: "faint" }, ` ${by}`),
      ),
      h("div", { class: "number age" }, raisedAt === undefined ? "–" : duration(this.now - raisedAt)),
      this.mayOperate &&
        h(
          "div",
          { class: "do" },
          isUnacknowledged(alarm) && button("ack", "Acknowledge"),
          shelved ? button("unshelve", "Unshelve") : button("shelve", "Shelve …"),
        ),
    );
  }

  #drawJournal(): void {
    const lines = [...this.#lines].reverse();
    const rows = lines.map((line) =>
      h(
        "div",
        { class: "line" },
        h("span", { class: "number faint" }, clock(line.timestamp ?? 0, this.now)),
        h(
          "span",
          {},
          icon(signOf(line)),
          " ",
          ...("outcome" in line ? [] : [...deviceParts(line), " "]),
          lineText(line),
        ),
      ),
    );
    renew(
      this.find(".lines"),
      rows.length > 0
        ? rows
        : [h("div", { class: "empty" }, this.isWaiting ? "Waiting for the journal …" : "Nothing has happened yet.")],
    );
  }
}

function isUnacknowledged({ state }: Alarm): boolean {
  return state === "unacknowledged" || state === "returned-unacknowledged" || state === "latched";
}

function isSilenced({ shelved, suppressed, outOfService }: Alarm): boolean {
  return Boolean(shelved || suppressed || outOfService);
}

/** What is to be done first: not silenced, unacknowledged, severe; then the newest. */
function byUrgency(a: Alarm, b: Alarm): number {
  const severity = ({ severity }: Alarm) => SEVERITIES.indexOf(severity);
  return (
    Number(isSilenced(a)) - Number(isSilenced(b)) ||
    severity(a) - severity(b) ||
    Number(isUnacknowledged(b)) - Number(isUnacknowledged(a)) ||
    (b.raisedAt ?? 0) - (a.raisedAt ?? 0) ||
    byName(a.alarmId, b.alarmId)
  );
}

function decoded(level: string): string {
  try {
    return decodeURIComponent(level);
  } catch {
    return level;
  }
}

function signOf(line: JournalLine): string {
  if ("outcome" in line) return line.outcome === "failed" ? "critical" : line.outcome === "done" ? "healthy" : "info";
  const isBad = line.change === "raised" || line.change === "severity";
  return isBad ? line.severity : line.change === "returned" ? "healthy" : "info";
}

function countBy<T>(list: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of list) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}
