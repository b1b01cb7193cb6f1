/** What the elements share: nodes and their renewal, icons, words, numbers and ages, questions to the operator. */
import partsStyle from "./parts.css";
import { isDark, THEME_EVENT } from "./theme.ts";

/** What somebody may do. */
export type Role = "viewer" | "operator" | "admin";

/** A command that an element asks its page to give: the detail of its event `command`. */
export interface Command {
  command: string;
  payload: Record<string, unknown>;
}

type Attributes = Record<string, string | number | boolean | undefined>;
type Child = Node | string | false | undefined;

/** Silence of so many ms means that the page is cut off. */
export const CUT_OFF = 6000;

/** A new node; attributes that are false or undefined are left out, and so are such children. */
export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== false && child !== undefined));
  return element;
}

/**
 * Makes the children of a node look like others, changing only what differs, so that focus, selection and scrolling stay.
 * Children with `data-key` are recognised by it, others by their place.
 */
export function renew(parent: Element, children: readonly Child[]): void {
  const next = children.filter((child): child is Node | string => child !== false && child !== undefined);
  const keyed = new Map<string, Element>();
  for (const child of parent.children) {
    const key = child.getAttribute("data-key");
    if (key !== null) keyed.set(key, child);
  }
  let place: ChildNode | null = parent.firstChild;
  for (const child of next) {
    const wanted = typeof child === "string" ? document.createTextNode(child) : child;
    const key = wanted instanceof Element ? wanted.getAttribute("data-key") : null;
    const known: ChildNode | null | undefined = key === null ? place : keyed.get(key);
    if (!known || !isAlike(known, wanted)) {
      parent.insertBefore(wanted, place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else parent.insertBefore(known, place);
    adapt(known, wanted);
  }
  while (place) {
    const rest: ChildNode = place;
    place = place.nextSibling;
    rest.remove();
  }
}

function isAlike(known: Node, wanted: Node): boolean {
  if (known.nodeName !== wanted.nodeName) return false;
  if (!(known instanceof Element && wanted instanceof Element)) return true;
  return known.getAttribute("data-key") === wanted.getAttribute("data-key");
}

function adapt(known: Node, wanted: Node): void {
  if (!(known instanceof Element && wanted instanceof Element)) {
    if (known.nodeValue !== wanted.nodeValue) known.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...known.attributes]) if (!wanted.hasAttribute(name)) known.removeAttribute(name);
  for (const { name, value } of wanted.attributes) {
    if (known.getAttribute(name) !== value) known.setAttribute(name, value);
  }
  if (known instanceof HTMLInputElement) known.checked = known.hasAttribute("checked");
  renew(known, [...wanted.childNodes]);
}

const ICONS: Record<string, string> = {
  healthy: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-1 10.4L3.8 8.2l1.2-1.2 2 2 4-4 1.2 1.2Z",
  anomaly: "M8 .8 15.2 8 8 15.2.8 8ZM8 4 4 8l4 4 4-4Z",
  warning: "M8 1.2 15.6 14.6H.4ZM7.1 6v4.4h1.8V6Zm0 5.4v1.8h1.8v-1.8Z",
  critical: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm2.1 3v5h1.8V4Zm0 6.2V12h1.8v-1.8Z",
  offline:
    "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5.6 4.4 8 6.8l2.4-2.4 1.2 1.2L9.2 8l2.4 2.4-1.2 1.2L8 9.2l-2.4 2.4-1.2-1.2L6.8 8 4.4 5.6Z",
  unknown:
    "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11ZM7.2 10.4v1.6h1.6v-1.6ZM5.6 6.4h1.5c0-1.2 1.8-1.2 1.8 0 0 .9-1.7 1.2-1.7 3h1.5c0-1.2 1.7-1.4 1.7-3.1 0-3-4.8-3-4.8.1Z",
  maintenance:
    "M14.6 4 12 6.6 9.4 6.6 9.4 4 12 1.4a4.6 4.6 0 0 0-6 5.8L1.1 12a2 2 0 0 0 2.9 2.9L8.8 10a4.6 4.6 0 0 0 5.8-6Z",
  info: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM7.1 4v1.8h1.8V4Zm0 3v5h1.8V7Z",
};

/** A sign of its own shape and colour for each status and severity; what it means is to stand beside it. */
export function icon(name: string): Element {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon ${name in ICONS ? name : "unknown"}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("d", ICONS[name] ?? ICONS.unknown ?? "");
  svg.append(path);
  return svg;
}

/** To four significant digits; with so many digits after the point at least, unless it is tiny. */
export function format(value: number | null | undefined, decimals = 0): string {
  if (typeof value !== "number") return "–";
  if (value !== 0 && Math.abs(value) < 0.0001) return powerOfTen(value);
  if (Math.abs(value) >= 10_000) return Math.round(value).toLocaleString("en");
  const text = String(Number(value.toPrecision(4)));
  return decimals > fraction(text).length ? value.toFixed(decimals) : text;
}

/** "4.374e-6", to four significant digits. */
export function powerOfTen(value: number): string {
  return Number(value.toPrecision(4)).toExponential().replace("e+", "e");
}

const fraction = (text: string): string => /^[^.e]*\.(\d*)$/.exec(text)?.[1] ?? "";

/** Digits after the point that a value is shown with; three at most, so that a small one does not lengthen all others. */
export const decimalsOf = (value: number | undefined): number => Math.min(3, fraction(format(value)).length);

export function withUnit(value: number | undefined, unit: string | undefined, decimals = 0): string {
  return format(value, decimals) + (unit && value !== undefined ? ` ${unit}` : "");
}

/** How long something takes, in its two largest units: "45 s", "3 min", "2 h 5 min", "4 d 3 h". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 > 0 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

/** A time of day, with the date if that is another one. */
export function clock(time: number, now: number): string {
  const at = new Date(time);
  const text = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  if (at.toDateString() === new Date(now).toDateString()) return text;
  return `${at.toLocaleDateString([], { day: "numeric", month: "short" })} ${text}`;
}

const COMPARISONS: Record<string, string> = { ">": "above", ">=": "at least", "<": "below", "<=": "at most" };

/** When a rule holds, in words: "above 75 °C". */
export function ruleText(comparison: string, limit: number, unit: string | undefined): string {
  return `${COMPARISONS[comparison] ?? "falls by more than"} ${withUnit(limit, unit)}`;
}

const order = new Intl.Collator("en", { numeric: true });

/** Names as people order them: R2 before R10. */
export const byName = (a: string, b: string): number => order.compare(a, b);

/** A question to the operator: what to fill in stands in `content`. */
export interface Question {
  title: string;
  content: Node[];
  confirm: string;
}

/** The base of elements with a list, which give commands and keep a choice. */
export abstract class ListElement<Message, Choice extends object> extends HTMLElement {
  protected readonly root: ShadowRoot;
  protected userRole: Role | undefined;
  #choice: Choice = {} as Choice;
  #clockAhead = 0;
  /** When the last message came, by this browser's clock; undefined before the first. */
  #heardAt: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #frame = 0;
  readonly #resized = new ResizeObserver(() => this.redraw());
  readonly #recoloured = () => this.redraw();

  constructor(style: string, content: string) {
    super();
    this.root = this.attachShadow({ mode: "open" });
    this.root.innerHTML = `<style>${partsStyle}${style}</style><div class="cut-off" role="alert"></div>${content}<dialog></dialog>`;
  }

  connectedCallback(): void {
    // A page may have set the properties before this class was there to take them.
    for (const name of ["choice", "data"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      Reflect.deleteProperty(this, name);
      Object.assign(this, { [name]: value });
    }
    this.#timer = setInterval(() => this.redraw(), 1000);
    this.#resized.observe(this);
    addEventListener(THEME_EVENT, this.#recoloured);
    this.redraw();
  }

  disconnectedCallback(): void {
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#resized.disconnect();
    removeEventListener(THEME_EVENT, this.#recoloured);
  }

  /** What is chosen to be seen. */
  get choice(): Choice {
    return this.#choice;
  }

  set choice(choice: Choice | null | undefined) {
    this.#choice = { ...(choice ?? ({} as Choice)) };
    this.redraw();
  }

  abstract get data(): Message | null | undefined;
  abstract set data(message: Message | null | undefined);

  /** Draws what is there to see. */
  protected abstract draw(): void;

  /** True unless a viewer looks at it. */
  protected get mayOperate(): boolean {
    return this.userRole !== "viewer";
  }

  /** The present time by the sender's clock. */
  protected get now(): number {
    return Date.now() + this.#clockAhead;
  }

  protected get isWaiting(): boolean {
    return this.#heardAt === undefined;
  }

  /** Draws before the next picture, however often it is asked to until then. */
  protected redraw(): void {
    if (!this.isConnected) return;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.toggleAttribute("light", isDark(getComputedStyle(this).color));
      this.#showCutOff();
      this.draw();
    });
  }

  /** A message was sent at this time. */
  protected hear(timestamp: number): void {
    this.#heardAt = Date.now();
    this.#clockAhead = timestamp - this.#heardAt;
  }

  protected choose(change: Partial<Choice>): void {
    this.choice = { ...this.#choice, ...change };
    this.dispatchEvent(new CustomEvent("choice", { detail: this.choice }));
  }

  protected give(command: string, payload: Record<string, unknown>): void {
    this.dispatchEvent(new CustomEvent<Command>("command", { detail: { command, payload } }));
  }

  protected find(selector: string): HTMLElement {
    return this.root.querySelector(selector) as HTMLElement;
  }

  /** Calls what is named by `data-action` of what was clicked, with its `data-of`. */
  protected onClick(actions: Record<string, (of: string, target: HTMLElement) => void>): void {
    this.root.addEventListener("click", (event) => {
      const target = (event.target as Element).closest<HTMLElement>("[data-action]");
      if (target) actions[target.dataset.action ?? ""]?.(target.dataset.of ?? "", target);
    });
  }

  /** Asks the operator. Gives what was filled in, or undefined if he thought better of it. */
  protected ask({ title, content, confirm }: Question): Promise<FormData | undefined> {
    const dialog = this.find("dialog") as HTMLDialogElement;
    const form = h(
      "form",
      { method: "dialog" },
      h("h3", {}, title),
      ...content,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "cancel" }, "Cancel"),
        h("button", { type: "submit", class: "strong" }, confirm),
      ),
    ) as HTMLFormElement;
    dialog.setAttribute("aria-label", title);
    dialog.replaceChildren(form);
    return new Promise((resolve) => {
      form.querySelector(".cancel")?.addEventListener("click", () => dialog.close());
      form.addEventListener("submit", () => resolve(new FormData(form)), { once: true });
      dialog.addEventListener("close", () => resolve(undefined), { once: true });
      dialog.showModal();
    });
  }

  #showCutOff(): void {
    const isCutOff = this.#heardAt !== undefined && Date.now() - this.#heardAt > CUT_OFF;
    this.classList.toggle("is-cut-off", isCutOff);
    const text = isCutOff
      ? `No news since ${clock(this.#heardAt ?? 0, Date.now())}: the connection is interrupted.`
      : "";
    const notice = this.find(".cut-off");
    if (notice.textContent !== text) notice.textContent = text;
  }
}
