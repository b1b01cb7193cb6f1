/** The base of elements that show the past: what is chosen, how it is asked for, and what is known of the answers. */
import { deviceLabel } from "../core/names.ts";
import type { ChartData } from "./chart-data.ts";
import historyStyle from "./history.css";
import type { HistoryAnswer, HistoryChoice, HistoryMessage, Question } from "./history-data.ts";
import { byName, clock, duration, h, ListElement, renew } from "./parts.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Lengths to choose from, and how often what is shown of them is asked for anew. */
const RANGES: [range: string, title: string, length: number, refresh: number][] = [
  ["1h", "last hour", HOUR, 10_000],
  ["6h", "last 6 hours", 6 * HOUR, MINUTE],
  ["24h", "last 24 hours", DAY, MINUTE],
  ["7d", "last 7 days", 7 * DAY, 5 * MINUTE],
  ["30d", "last 30 days", 30 * DAY, 5 * MINUTE],
];
const USUAL_RANGE = "1h";

/** What there is to choose from is what was stored in this time. */
const KNOWN_RANGE = "30d";

/** Metrics that are shown as long as none are chosen, and at most. */
const USUAL_METRICS = 4;
const MOST_METRICS = 12;

/** Silence for so long is told, and after so long nothing is expected any more, ms. */
const SLOW = 10_000;
const LOST = 40_000;

/** A question by the name of what it is for. */
export interface NamedQuestion {
  name: string;
  query: Question["query"];
  /** Much is read for the answer, so it is not asked for anew by itself. */
  isCostly?: true;
}

/** A chart of an answer. */
export interface AnsweredChart {
  id: string;
  answer: HistoryAnswer;
  make(): ChartData;
}

interface Answered {
  /** The question, as text. */
  key: string;
  /** Undefined as long as there was none. */
  answer: HistoryAnswer | undefined;
  error: string | undefined;
  /** It is to be asked for anew. */
  isOld: boolean;
}

/** What is stored of a device. */
interface Known {
  name: string | undefined;
  location: string;
  metrics: Set<string>;
}

export abstract class HistoryElement<Choice extends HistoryChoice> extends ListElement<HistoryMessage, Choice> {
  #data: HistoryMessage | undefined;
  readonly #units = new Map<string, string>();
  readonly #answers = new Map<string, Answered>();
  #pending: { id: string; name: string; key: string; since: number } | undefined;
  #count = 0;
  #roundAt = 0;
  #answeredAt = 0;
  /** Of what is to be seen, and of what is seen. */
  #revision = 1;
  #drawn = 0;
  #known = new Map<string, Known>();
  /** What charts show. */
  #drawnAnswers = new WeakMap<Element, HistoryAnswer>();

  /** `controls`: what there is to choose beside device, metrics and range. */
  constructor(style: string, controls: string, content: string) {
    super(
      historyStyle + style,
      '<div class="bar"><label>Device <select class="of" aria-label="Device"></select></label><label>Range <select class="range" aria-label="Range"></select></label>' +
        '<span class="together"><input type="datetime-local" class="from" aria-label="From"> – ' +
        '<input type="datetime-local" class="to" aria-label="To"></span>' +
        `<button type="button" class="back" data-action="zoom-out">Zoom out</button>${controls}` +
        '<span class="together end"><span class="note faint number" role="status"></span> ' +
        '<button type="button" class="stop" data-action="stop" hidden>Stop</button> ' +
        '<button type="button" class="automatic" data-action="automatic">Automatic</button> ' +
        '<button type="button" data-action="refresh">Refresh</button></span></div>' +
        '<div class="chips metrics" role="group" aria-label="Metrics"></div>' +
        `<div class="problem" role="alert"></div><div class="content">${content}</div><div class="empty"></div>`,
    );
    const of = this.find(".of") as HTMLSelectElement;
    of.addEventListener("change", () => this.#chooseOf(of.value));
    const range = this.find(".range") as HTMLSelectElement;
    range.addEventListener("change", () => {
      this.#change({ range: range.value, from: undefined, to: undefined });
    });
    for (const name of ["from", "to"]) {
      this.find(`.${name}`).addEventListener("change", () => this.#chooseTimes());
    }
    this.onClick({
      metric: (name) => this.#toggle(name),
      "zoom-out": () => this.#change({ from: undefined, to: undefined }),
      automatic: () => this.#change({ isManual: this.isAutomatic }),
      refresh: () => this.#refresh(),
      stop: () => this.#stop(),
      ...this.actions(),
    });
    this.root.addEventListener("zoom", (event) => this.#change((event as CustomEvent).detail), true);
  }

  /** What is asked for, in this order, as far as it is known what to ask for. */
  protected abstract questions(): NamedQuestion[];
  /** Shows the answers. */
  protected abstract drawAnswers(): void;

  /** What else is done by clicks. */
  protected actions(): Record<string, (of: string) => void> {
    return {};
  }

  /** The measurement whose devices and fields there are to choose from. */
  protected get measurement(): string {
    return "readings";
  }

  /** The metrics that stored fields are about. */
  protected metricsOf(fields: string[]): string[] {
    return fields;
  }

  /** What is shown is asked for anew at intervals. */
  protected get isAutomatic(): boolean {
    return !this.choice.isManual;
  }

  /** Locations can be chosen beside devices. */
  protected get hasLocations(): boolean {
    return false;
  }

  override get choice(): Choice {
    return super.choice;
  }

  override set choice(choice: Choice | null | undefined) {
    super.choice = choice;
    this.#revision++;
  }

  /** The message that came last. */
  get data(): HistoryMessage | null | undefined {
    return this.#data;
  }

  set data(message: HistoryMessage | null | undefined) {
    this.#data = message ?? undefined;
    if (!message) return;
    if ("ask" in message) {
      this.#pending = undefined;
      this.#refresh();
    } else if (this.#pending && message.id === this.#pending.id) this.#take(message);
    this.#revision++;
    this.redraw();
  }

  protected draw(): void {
    this.#advance();
    this.#drawNote();
    if (this.#drawn === this.#revision) return;
    this.#drawn = this.#revision;
    this.#drawBar();
    const hint = this.#hint();
    this.find(".empty").textContent = hint;
    this.find(".empty").hidden = hint === "";
    this.find(".content").hidden = hint !== "";
    if (hint === "") this.drawAnswers();
  }

  /** The answer for what is chosen; as long as there is none that for what was chosen before, which is shown faded. */
  protected answerTo(name: string): HistoryAnswer | undefined {
    return this.#answers.get(name)?.answer;
  }

  /** What is chosen, as a question names it; the first device as long as nothing is chosen. */
  protected get of(): { devices?: string[]; locations?: string[] } {
    const { device, location } = this.choice;
    if (this.hasLocations && location !== undefined) return { locations: [location] };
    const chosen = device ?? [...this.#known.keys()].find((name) => name !== "");
    return chosen === undefined ? {} : { devices: [chosen] };
  }

  protected get metrics(): string[] {
    const present = this.#present();
    const chosen = this.choice.metrics?.filter((name) => present.includes(name)) ?? [];
    return chosen.length > 0 ? chosen : present.slice(0, USUAL_METRICS);
  }

  protected get range(): { range: string } | { from: number; to: number } {
    const { from, to, range = USUAL_RANGE } = this.choice;
    return from !== undefined && to !== undefined ? { from, to } : { range };
  }

  /** ms */
  protected get rangeLength(): number {
    const { from, to, range = USUAL_RANGE } = this.choice;
    if (from !== undefined && to !== undefined) return to - from;
    return RANGES.find(([name]) => name === range)?.[2] ?? HOUR;
  }

  /** What people call a device or a location. */
  protected labelOf(tag: "device" | "location", name: string): string {
    return tag === "device" ? deviceLabel({ deviceId: name, name: this.#known.get(name)?.name }) : name;
  }

  /** What is looked for in an element that has a field `.search`; nothing finds all. */
  protected get searched(): string {
    return (this.find(".search") as HTMLInputElement).value.trim().toLowerCase();
  }

  protected unitOf(metric: string): { unit?: string } {
    const unit = this.#units.get(metric);
    return unit ? { unit } : {};
  }

  /** Makes the charts of a part of the element those that are given. One is made anew when its answer is another one. */
  protected showCharts(selector: string, charts: AnsweredChart[]): void {
    const part = this.find(selector);
    renew(
      part,
      charts.map(({ id }) => h("da-chart", { "data-key": id, "data-chart": id })),
    );
    for (const [place, { answer, make }] of charts.entries()) {
      const chart = part.children[place];
      if (!chart || this.#drawnAnswers.get(chart) === answer) continue;
      this.#drawnAnswers.set(chart, answer);
      Object.assign(chart, { data: make() });
    }
  }

  #take(message: Exclude<HistoryMessage, { ask: true }>): void {
    const { name, key } = this.#pending as { name: string; key: string };
    this.#pending = undefined;
    const isWanted = this.#wanted().some((each) => each.name === name && keyOf(each) === key);
    if (!isWanted) return;
    const before = this.#answers.get(name);
    // What was answered to another question is no answer to this one.
    const kept = before?.key === key ? before.answer : undefined;
    const [answer, error] = "answer" in message ? [message.answer, undefined] : [kept, message.error];
    this.#answers.set(name, { key, answer, error, isOld: false });
    if (!("answer" in message)) return;
    this.#answeredAt = Date.now();
    if (name === "known") this.#learn(message.answer);
    if (message.units) this.#learnUnits(message.units);
  }

  #learnUnits(units: Readonly<Record<string, string>>): void {
    const news = Object.entries(units).filter(([name, unit]) => this.#units.get(name) !== unit);
    if (news.length === 0) return;
    for (const [name, unit] of news) this.#units.set(name, unit);
    this.#drawnAnswers = new WeakMap();
  }

  #learn({ latest = [] }: HistoryAnswer): void {
    const known = new Map<string, Known>();
    for (const { device = "", name, location = "", values } of latest) {
      const entry = known.get(device) ?? { name, location, metrics: new Set() };
      const numbers = Object.keys(values).filter((name) => typeof values[name] === "number");
      for (const name of this.metricsOf(numbers)) entry.metrics.add(name);
      known.set(device, entry);
    }
    this.#known = new Map([...known].sort(([a], [b]) => byName(a, b)));
    // What it begins with stays, also when a newcomer stands before it.
    const { device, location } = this.choice;
    const [first] = this.of.devices ?? [];
    if (device === undefined && location === undefined && first !== undefined) this.#change({ device: first });
  }

  #wanted(): NamedQuestion[] {
    const known: NamedQuestion = {
      name: "known",
      query: { queryType: "latest", measurement: this.measurement, range: KNOWN_RANGE },
    };
    return [known, ...(this.#known.size > 0 ? this.questions() : [])];
  }

  /** Asks for what is still to be asked for, one after the other. */
  #advance(): void {
    const now = Date.now();
    const { from, range = USUAL_RANGE } = this.choice;
    const refresh = RANGES.find(([name]) => name === range)?.[3] ?? MINUTE;
    if (this.#pending && now - this.#pending.since > LOST) {
      const { id } = this.#pending;
      this.#take({ id, error: "There was no answer." });
      this.#revision++;
    }
    const wanted = this.#wanted();
    // Something else has been chosen since.
    const { key } = this.#pending ?? {};
    if (key !== undefined && !wanted.some((each) => keyOf(each) === key)) this.#abandon();
    if (this.#pending) return;
    const isMissing = (each: NamedQuestion) => !this.#isAnswered(each) || this.#answers.get(each.name)?.isOld;
    let next = wanted.find(isMissing);
    if (!next && this.isAutomatic && from === undefined && now - this.#roundAt > refresh) {
      this.#forget(wanted.filter(({ isCostly }) => !isCostly));
      next = wanted.find(isMissing);
    }
    if (!next) return;
    if (next === wanted[0] || next === wanted[1]) this.#roundAt = now;
    const id = `${now.toString(36)}-${++this.#count}`;
    this.#pending = { id, name: next.name, key: keyOf(next), since: now };
    this.give("query", { id, query: next.query });
  }

  /** Nobody waits for the answer any more. */
  #abandon(): void {
    if (this.#pending) this.give("abandon", { id: this.#pending.id });
    this.#pending = undefined;
  }

  /** Leaves a question without an answer, and goes on with the next. */
  #stop(): void {
    if (!this.#pending) return;
    const { id } = this.#pending;
    this.give("abandon", { id });
    this.#take({ id, error: "Stopped: choose a shorter range, or Refresh to ask again." });
    this.#revision++;
    this.redraw();
  }

  #isAnswered(question: NamedQuestion): boolean {
    return this.#answers.get(question.name)?.key === keyOf(question);
  }

  /** Asks for all anew. What is being asked for is waited for, unless it takes long. */
  #refresh(): void {
    if (this.#pending && Date.now() - this.#pending.since > SLOW) this.#abandon();
    this.#forget(this.#wanted());
    this.redraw();
  }

  /** What is shown stays until there is something newer. */
  #forget(questions: readonly NamedQuestion[]): void {
    for (const { name } of questions) {
      const answered = this.#answers.get(name);
      if (answered) answered.isOld = true;
    }
  }

  #change(change: Partial<HistoryChoice>): void {
    this.choose(change as Partial<Choice>);
  }

  #chooseOf(value: string): void {
    const [tag, name] = JSON.parse(value) as ["device" | "location", string];
    this.#change({ device: undefined, location: undefined, [tag]: name });
  }

  #chooseTimes(): void {
    const [from, to] = ["from", "to"].map((name) => Date.parse((this.find(`.${name}`) as HTMLInputElement).value));
    if (from !== undefined && to !== undefined && from < to) this.#change({ from, to });
  }

  #toggle(name: string): void {
    const shown = this.metrics;
    const others = shown.filter((each) => each !== name);
    if (others.length === 0) return;
    this.#change({ metrics: others.length < shown.length ? others : [...shown, name].slice(-MOST_METRICS) });
  }

  /** The metrics of what is chosen. */
  #present(): string[] {
    const { devices, locations } = this.of;
    const meant = [...this.#known].filter(([device, { location }]) => {
      return devices?.includes(device) ?? locations?.includes(location);
    });
    return [...new Set(meant.flatMap(([, { metrics }]) => [...metrics]))].sort(byName);
  }

  #hint(): string {
    const known = this.#answers.get("known");
    if (this.#known.size > 0) return "";
    if (known?.error) return "";
    return known?.answer ? "Nothing is stored yet." : "Waiting for the history …";
  }

  #drawNote(): void {
    const pending = this.#pending;
    const silence = pending ? Date.now() - pending.since : 0;
    const asOf = this.#answeredAt > 0 ? `as of ${clock(this.#answeredAt, Date.now())}` : "";
    const every = RANGES.find(([name]) => name === (this.choice.range ?? USUAL_RANGE))?.[3] ?? MINUTE;
    const isAutomatic = this.isAutomatic && this.choice.from === undefined;
    const wanted = this.#wanted();
    const place = wanted.findIndex(({ name }) => name === pending?.name) + 1;
    const isAsking = silence > 1000;
    this.find(".stop").hidden = !isAsking;
    const note = isAsking
      ? `asking, ${place} of ${wanted.length}, for ${duration(silence)} …`
      : `${asOf}${isAutomatic ? `, every ${duration(every)}` : ""}`;
    const noteElement = this.find(".note");
    if (noteElement.textContent !== note) noteElement.textContent = note;
    const errors = new Set([...this.#answers.values()].flatMap(({ error }) => (error === undefined ? [] : [error])));
    const problem =
      silence > SLOW
        ? `No answer for ${duration(silence)}: the connection is interrupted, or there is much to read.`
        : [...errors].join(" ");
    const problemElement = this.find(".problem");
    if (problemElement.textContent !== problem) problemElement.textContent = problem;
    const isOther = !wanted.every((each) => this.#isAnswered(each));
    this.find(".content").classList.toggle("faded", isOther || silence > SLOW);
  }

  #drawBar(): void {
    this.#drawOf();
    const { from, to, range = USUAL_RANGE } = this.choice;
    const isZoomed = from !== undefined && to !== undefined;
    const select = this.find(".range") as HTMLSelectElement;
    const options = RANGES.map(([name, title]) => h("option", { value: name }, title));
    renew(select, [...(isZoomed ? [h("option", { value: "" }, "from – to")] : []), ...options]);
    select.value = isZoomed ? "" : range;
    const shown = this.answerTo("series") ?? this.answerTo("known");
    this.#setTime("from", from ?? (shown ? shown.to - this.rangeLength : undefined));
    this.#setTime("to", to ?? shown?.to);
    this.find(".back").hidden = !isZoomed;
    const automatic = this.find(".automatic") as HTMLButtonElement;
    automatic.setAttribute("aria-pressed", String(this.isAutomatic && !isZoomed));
    automatic.disabled = isZoomed;
    const metrics = this.metrics;
    const chips = this.#present().map((name) =>
      h(
        "button",
        {
          type: "button",
          "data-action": "metric",
          "data-of": name,
          "aria-label": name,
          title: name,
          "aria-pressed": String(metrics.includes(name)),
        },
        name,
      ),
    );
    renew(this.find(".metrics"), chips);
  }

  #drawOf(): void {
    const select = this.find(".of") as HTMLSelectElement;
    const { devices, locations } = this.of;
    const option = (tag: "device" | "location", name: string) =>
      h("option", { value: JSON.stringify([tag, name]), "data-key": `${tag} ${name}` }, this.labelOf(tag, name));
    const all = new Set([...this.#known.keys(), ...(devices ?? [])]);
    const places = new Set(Array.from(this.#known, ([, { location }]) => location).filter((name) => name !== ""));
    const deviceOptions = [...all].filter((name) => name !== "").map((name) => option("device", name));
    const placeOptions = [...places].sort(byName).map((name) => option("location", name));
    renew(
      select,
      this.hasLocations && placeOptions.length > 0
        ? [
            h("optgroup", { label: "Locations", "data-key": "locations" }, ...placeOptions),
            h("optgroup", { label: "Devices", "data-key": "devices" }, ...deviceOptions),
          ]
        : deviceOptions,
    );
    const chosen = locations ? ["location", locations[0]] : ["device", devices?.[0]];
    select.value = JSON.stringify(chosen);
  }

  /** Not while somebody types into it. */
  #setTime(name: string, time: number | undefined): void {
    const field = this.find(`.${name}`) as HTMLInputElement;
    if (time === undefined || this.root.activeElement === field) return;
    const local = time - new Date(time).getTimezoneOffset() * MINUTE;
    const text = new Date(local).toISOString().slice(0, 16);
    if (field.value !== text) field.value = text;
  }
}

const keyOf = ({ query }: NamedQuestion) => JSON.stringify(query);

/** A longer silence than this interrupts the lines, s: one and a half intervals, or five usual distances. */
export function gapSeconds(times: readonly number[], every: number): number {
  const steps = times.slice(1).map((time, place) => time - (times[place] as number));
  const usual = steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  return Math.max(1.5 * every, 5 * usual, 1000) / 1000;
}

/** Bars of what was counted, or is a count itself, from a time on. */
export function barChart(
  title: string,
  name: string,
  field: string,
  { series = [], from, to }: HistoryAnswer,
): ChartData {
  const { times = [], count = [], sum = count } = series.find((each) => each.field === field) ?? {};
  return { title, time: times, series: [{ name, role: "bar", values: sum }], timeRange: [from, to] };
}

/** The time zone of this browser, in which its days begin. */
export const timeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
