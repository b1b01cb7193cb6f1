/**
 * `<da-devices>`: a table of all devices with filter, search and order, and the chosen one in full.
 *
 * It takes messages through the property `data` (see devices-data.ts) and what is chosen through `choice`, from any
 * dashboard. It dispatches `choice` with the new choice, and `command` with a Command: `restart`, `set`, `limits` and
 * `maintenance`, with the device as `deviceId`. Only the rows that can be seen are drawn.
 */

import type { CommandLine } from "../core/device-commands.ts";
import type { DeviceDetail as Detail, MetricDetail, DeviceRow as Row } from "../core/device-status.ts";
import type { JournalLine } from "../core/journal.ts";
import { deviceLabel } from "../core/names.ts";
import { alarmState, alarmValue, deviceName, deviceParts, devicePlace, lineText } from "./alarm-words.ts";
import type { DaChart } from "./da-chart.ts";
import ownStyle from "./da-devices.css";
import type { DeviceCharts, DeviceLimits, DevicesChoice, DevicesMessage, DevicesNews } from "./devices-data.ts";
import {
  byName,
  clock,
  decimalsOf,
  duration,
  format,
  h,
  icon,
  ListElement,
  renew,
  ruleText,
  withUnit,
} from "./parts.ts";

/** px, as in the style sheet. */
const ROW_HEIGHT = 40;

/** Rows that are drawn beyond either end of what can be seen. */
const OVERSCAN = 6;

/** The worst first. */
const STATUSES = ["critical", "warning", "anomaly", "offline", "unknown", "maintenance", "healthy"];

const SHOWN_FEATURES = 5;
const SHOWN_LINES = 12;

/** How long a device may take to say anything of a command, ms, and how long the answer stays on the page. */
const ANSWER_WITHIN = 8000;
const ANSWER_SHOWN = 600_000;

/** How the ids of columns of metrics begin. */
const METRIC = "metric ";

interface Column {
  id: string;
  title: string;
  width: string;
  isNumber?: boolean;
}

export class DaDevices extends ListElement<DevicesMessage, DevicesChoice> {
  #data: DevicesMessage | undefined;
  #rows = new Map<string, Row>();
  /** The place of each device in the order of names. */
  #places = new Map<string, number>();
  /** Names of metrics, the most frequent first. */
  #metrics: string[] = [];
  #shown: Row[] = [];
  /** The row that had the focus last: of all rows, the Tab key stops at one. */
  #current: string | undefined;
  /** Digits after the point of each metric, alike in all rows that can be seen. */
  #decimals = new Map<string, number>();
  #detail: Detail | undefined;
  #charts: DeviceCharts["charts"] = [];
  #limits: DeviceLimits | undefined;
  /** What was asked of the chosen device, and when, until it is answered. */
  #asked: { text: string; at: number; isLimits: boolean } | undefined;
  #answer: { text: string; sign: string; at: number } | undefined;

  constructor() {
    super(
      ownStyle,
      '<div class="bar"><div class="chips" role="group" aria-label="Status"></div>' +
        '<input type="search" placeholder="Search name or place" aria-label="Search"><span class="faint count"></span></div>' +
        '<div class="split"><div class="table" role="table" aria-label="Devices"><div class="head" role="row"></div>' +
        '<div class="scroll" tabindex="-1"><div class="rows" role="rowgroup"></div></div><div class="empty" hidden></div></div>' +
        '<section class="detail" aria-label="Device" tabindex="-1" hidden><div class="about"></div><div class="now"></div><div class="charts"></div><div class="past"></div></section></div>',
    );
    const search = this.find("input") as HTMLInputElement;
    search.addEventListener("input", () => this.choose({ search: search.value }));
    this.find(".scroll").addEventListener("scroll", () => this.#drawTable(), { passive: true });
    this.find(".scroll").addEventListener("keydown", (event) => this.#move(event));
    this.find(".rows").addEventListener("focusin", (event) => {
      this.#current = (event.target as HTMLElement).dataset.of;
      this.redraw();
    });
    this.onClick({
      status: (status) => this.choose({ status: this.choice.status === status ? "" : status }),
      sort: (sort) => {
        const isSame = this.#sort === sort;
        this.choose({ sort, isReversed: isSame && !this.choice.isReversed });
        this.find(".scroll").scrollTop = 0;
      },
      open: (deviceId) => this.#open(deviceId),
      close: () => this.#open(undefined),
      restart: () => this.#askRestart(),
      limits: () => this.#askLimits(),
      maintenance: () => this.#askMaintenance(),
      "end-maintenance": () => this.#maintain(0, undefined),
    });
  }

  override get choice(): DevicesChoice {
    return super.choice;
  }

  override set choice(choice: DevicesChoice | null | undefined) {
    const before = this.choice.deviceId;
    super.choice = choice;
    const search = this.find("input") as HTMLInputElement;
    if (search.value !== (this.choice.search ?? "")) search.value = this.choice.search ?? "";
    if (before === this.choice.deviceId) return;
    this.#detail = undefined;
    this.#limits = undefined;
    this.#asked = undefined;
    this.#answer = undefined;
    this.#charts = [];
  }

  /** The message that came last. */
  get data(): DevicesMessage | null | undefined {
    return this.#data;
  }

  set data(message: DevicesMessage | null | undefined) {
    this.#data = message ?? undefined;
    if (!message) return;
    if ("limits" in message) this.#takeLimits(message);
    else if ("charts" in message) this.#takeCharts(message);
    else this.#takeNews(message);
    this.redraw();
  }

  // --- what comes

  #takeNews({ timestamp, isWhole, devices, device, role }: DevicesNews): void {
    this.hear(timestamp);
    if (role) this.userRole = role;
    const size = this.#rows.size;
    if (isWhole) this.#rows = new Map();
    for (const row of devices) {
      this.#rows.set(row.deviceId, { ...row, metrics: bare(row.metrics), units: bare(row.units) });
    }
    if (isWhole || this.#rows.size !== size) this.#arrange();
    const { deviceId } = this.choice;
    if (isWhole && deviceId !== undefined) this.give("limits", { deviceId });
    if (device && device.deviceId === deviceId) {
      this.#detail = device;
      this.#noteAnswer(device.lines);
    }
  }

  /** Devices have come or gone. */
  #arrange(): void {
    const names = [...this.#rows.keys()].sort(byName);
    this.#places = new Map(names.map((name, place) => [name, place]));
    const counts = new Map<string, number>();
    for (const { metrics } of this.#rows.values()) {
      for (const name of Object.keys(metrics)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    this.#metrics = [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
  }

  #takeCharts({ deviceId, charts }: DeviceCharts): void {
    if (deviceId !== this.choice.deviceId) return;
    const isMore = charts.every(({ data }) => "append" in data);
    if (!isMore) this.#charts = charts;
    const frame = this.find(".charts");
    if (!isMore) {
      // The limits are drawn in the charts, whose node may not have heard of them.
      if (charts.length > 0) this.give("limits", { deviceId });
      renew(
        frame,
        charts.map(({ id }) => h("da-chart", { "data-key": id, "data-chart": id })),
      );
    }
    for (const chart of frame.querySelectorAll<DaChart>("da-chart")) {
      const news = charts.find(({ id }) => id === chart.dataset.chart);
      if (news) chart.data = news.data;
    }
  }

  #takeLimits(limits: DeviceLimits): void {
    const { deviceId } = this.choice;
    if (deviceId === undefined) return;
    if (limits.deviceId === undefined) this.give("limits", { deviceId });
    if (limits.deviceId !== deviceId) return;
    this.#limits = limits;
    if (limits.by === undefined) return;
    if (this.#asked?.isLimits) this.#asked = undefined;
    this.#answer = { text: `Limits changed by ${limits.by}.`, sign: "healthy", at: this.now };
  }

  #noteAnswer(lines: JournalLine[]): void {
    const line = lines.findLast((line): line is CommandLine => "outcome" in line);
    if (!line || line.timestamp <= (this.#answer?.at ?? 0)) return;
    if (!this.#asked?.isLimits) this.#asked = undefined;
    const signs = { sent: "info", done: "healthy", failed: "critical", timeout: "warning", "answered-late": "warning" };
    this.#answer = { text: lineText(line), sign: signs[line.outcome], at: line.timestamp };
  }

  // --- what the operator does

  #open(deviceId: string | undefined): void {
    const before = this.choice.deviceId;
    this.choose({ deviceId });
    if (deviceId !== undefined) {
      if (getComputedStyle(this.find(".split")).flexDirection === "column") {
        requestAnimationFrame(() => this.find(".detail").scrollIntoView({ block: "nearest" }));
      }
    } else if (before !== undefined) this.#focusRow(before);
  }

  #focusRow(deviceId: string | undefined): void {
    requestAnimationFrame(() => {
      for (const row of this.root.querySelectorAll<HTMLElement>(".rows > [data-of]")) {
        if (row.dataset.of === deviceId) row.focus();
      }
    });
  }

  /** Arrow keys go from row to row, Enter opens one. */
  #move(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -1e9,
      End: 1e9,
    };
    const from = this.#shown.findIndex(({ deviceId }) => deviceId === (event.target as HTMLElement).dataset.of);
    const step = steps[event.key];
    if (from >= 0 && (event.key === "Enter" || event.key === " ")) this.#open(this.#shown[from]?.deviceId);
    else if (from < 0 || step === undefined) return;
    else {
      const to = Math.max(0, Math.min(this.#shown.length - 1, from + step));
      const scroll = this.find(".scroll");
      const top = Math.min(to * ROW_HEIGHT, Math.max(scroll.scrollTop, (to + 1) * ROW_HEIGHT - scroll.clientHeight));
      scroll.scrollTop = top;
      this.draw();
      this.#focusRow(this.#shown[to]?.deviceId);
    }
    event.preventDefault();
  }

  #request(text: string, command: string, payload: Record<string, unknown>, isLimits = false): void {
    const { deviceId } = this.choice;
    if (deviceId === undefined) return;
    this.#asked = { text, at: this.now, isLimits };
    this.#answer = undefined;
    this.give(command, { deviceId, ...payload });
    this.redraw();
  }

  async #askRestart(): Promise<void> {
    const explained = h(
      "p",
      {},
      "It is told to restart, and may send nothing for some seconds. What it answers is shown here.",
    );
    const given = await this.ask({ title: `Restart ${this.#label}?`, content: [explained], confirm: "Restart" });
    if (given) this.#request("Restart asked for …", "restart", {});
  }

  async #askLimits(): Promise<void> {
    const limits = (this.#limits?.limits ?? []).filter(({ isSettable }) => isSettable);
    const explained = h(
      "p",
      {},
      limits.length > 0
        ? "Limits of the health score, for this device alone. An empty field takes back what was set for it."
        : "The limits are not known: the analysis has not answered.",
    );
    const fields = limits.map(({ flag, metric, comparison, limit, isSet }) => {
      const unit = this.#unitOf(metric);
      const words = `${flag}: ${metric} ${ruleText(comparison, limit, unit)}${isSet ? " (set)" : ""}`;
      const field = h("input", { type: "number", step: "any", name: flag, value: limit, "aria-label": flag });
      return h("label", { class: "row" }, words, field, unit ?? "");
    });
    const given = await this.ask({
      title: `Change limits of ${this.#label}`,
      content: [explained, ...fields],
      confirm: "Change limits",
    });
    if (!given) return;
    for (const { flag, limit, isSet } of limits) {
      const text = String(given.get(flag) ?? "");
      const value = text === "" ? null : Number(text);
      if (value === limit || (value === null && !isSet)) continue;
      this.#request("Change of limits asked for …", "set", { flag, limit: value }, true);
    }
  }

  async #askMaintenance(): Promise<void> {
    const times = [1800, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 7 * 24 * 3600].map((seconds) =>
      h("option", { value: seconds, selected: seconds === 3600 }, duration(seconds * 1000)),
    );
    const given = await this.ask({
      title: `Put ${this.#label} into maintenance?`,
      content: [
        h("p", {}, "It alarms nobody and teaches no baseline until then, or until somebody ends it."),
        h("label", {}, "For how long", h("select", { name: "seconds" }, ...times)),
        h("label", {}, "Why", h("input", { type: "text", name: "reason", maxlength: 200 })),
      ],
      confirm: "Begin maintenance",
    });
    if (given) this.#maintain(Number(given.get("seconds")), String(given.get("reason") ?? "") || undefined);
  }

  #maintain(seconds: number, reason: string | undefined): void {
    this.give("maintenance", { deviceId: this.choice.deviceId, seconds, ...(reason && { reason }) });
  }

  // --- what is to be seen

  get #sort(): string {
    return this.choice.sort ?? "status";
  }

  protected draw(): void {
    this.#shown = this.#select();
    this.#drawBar();
    this.#drawTable();
    this.#drawDetail();
  }

  #select(): Row[] {
    const { status = "", search = "", isReversed = false } = this.choice;
    const wanted = search.trim().toLowerCase();
    const matches = ({ deviceId, name = "", location = "" }: Row) =>
      `${deviceId}\n${name}\n${location}`.toLowerCase().includes(wanted);
    const rows = [...this.#rows.values()].filter((row) => (!status || row.status === status) && matches(row));
    const value = valueBy(this.#sort);
    const place = ({ deviceId }: Row) => this.#places.get(deviceId) ?? 0;
    const sign = isReversed ? -1 : 1;
    // Devices without the value come last, whichever the direction.
    return rows
      .map((row) => ({ row, value: value(row), place: place(row) }))
      .sort((a, b) => {
        if (a.value === undefined || b.value === undefined) {
          return Number(a.value === undefined) - Number(b.value === undefined) || a.place - b.place;
        }
        return sign * (a.value - b.value) || (this.#sort === "device" ? sign : 1) * (a.place - b.place);
      })
      .map(({ row }) => row);
  }

  #drawBar(): void {
    const counts = new Map<string, number>();
    for (const { status } of this.#rows.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    const chips = STATUSES.map((status) => {
      const isChosen = this.choice.status === status;
      return h(
        "button",
        {
          type: "button",
          class: !counts.has(status) && "is-none",
          "data-action": "status",
          "data-of": status,
          "aria-pressed": String(isChosen),
        },
        icon(status),
        status,
        h("b", {}, String(counts.get(status) ?? 0)),
      );
    });
    renew(this.find(".chips"), chips);
    const [all, shown] = [this.#rows.size, this.#shown.length];
    const devices = all === 1 ? "1 device" : `${all} devices`;
    const text = all === shown ? devices : `${shown} of ${devices}`;
    const count = this.find(".count");
    if (count.textContent !== text) count.textContent = text;
  }

  #columns(width: number): Column[] {
    const hasAnomaly = width >= 950;
    const room = width - 118 - 124 - 110 - 82 - 60 - (hasAnomaly ? 96 : 0) - 90;
    const metrics = this.#metrics.slice(0, Math.max(1, Math.min(6, Math.floor(room / 92))));
    return [
      { id: "device", title: "Device", width: "minmax(118px, 1.6fr)" },
      { id: "status", title: "Status", width: "minmax(124px, 1fr)" },
      { id: "health", title: "Health", width: "minmax(110px, 1fr)" },
      ...metrics.map((name) => ({ id: METRIC + name, title: name, width: "minmax(82px, 1fr)", isNumber: true })),
      { id: "lastSeen", title: "Seen", width: "82px", isNumber: true },
      ...(hasAnomaly ? [{ id: "lastAnomaly", title: "Anomaly", width: "96px", isNumber: true }] : []),
      { id: "alarms", title: "Alarms", width: "60px", isNumber: true },
    ];
  }

  #drawTable(): void {
    const table = this.find(".table");
    const columns = this.#columns(table.clientWidth);
    table.style.setProperty("--columns", columns.map(({ width }) => width).join(" "));
    table.setAttribute("aria-rowcount", String(this.#shown.length + 1));
    const scroll = this.find(".scroll");
    const head = this.find(".head");
    head.style.paddingRight = `${10 + scroll.offsetWidth - scroll.clientWidth}px`;
    renew(
      head,
      columns.map(({ id, title, isNumber }) => {
        const isSorted = this.#sort === id;
        const direction = this.choice.isReversed ? "descending" : "ascending";
        return h(
          "div",
          { role: "columnheader", "aria-sort": isSorted ? direction : "none", class: isNumber ? "number" : undefined },
          h(
            "button",
            { type: "button", "data-action": "sort", "data-of": id, "aria-label": `Order by ${title}` },
            title,
            isSorted && (this.choice.isReversed ? " ▲" : " ▼"),
          ),
        );
      }),
    );
    const rows = this.find(".rows");
    rows.style.height = `${this.#shown.length * ROW_HEIGHT}px`;
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW_HEIGHT) - OVERSCAN);
    const last = Math.ceil((scroll.scrollTop + scroll.clientHeight) / ROW_HEIGHT) + OVERSCAN;
    const visible = this.#shown.slice(first, last);
    const names = columns.flatMap(({ id }) => (id.startsWith(METRIC) ? [id.slice(METRIC.length)] : []));
    this.#decimals = new Map(
      names.map((name) => [name, Math.max(0, ...visible.map(({ metrics }) => decimalsOf(metrics[name])))]),
    );
    const stop = [this.#current, this.choice.deviceId, visible[0]?.deviceId].find((id) =>
      visible.some(({ deviceId }) => deviceId === id),
    );
    renew(
      rows,
      visible.map((row, index) => this.#row(row, first + index, columns, row.deviceId === stop)),
    );
    const empty = this.find(".table > .empty");
    empty.hidden = this.#shown.length > 0;
    const hint = this.isWaiting ? "Waiting for the devices …" : "No device has been heard of yet.";
    empty.textContent = this.#rows.size > 0 ? "No device is like that. Change the search or the status." : hint;
  }

  #row(row: Row, index: number, columns: Column[], isStop: boolean): HTMLElement {
    const { deviceId, status, quality, isUnheard } = row;
    const isOpen = deviceId === this.choice.deviceId;
    const isOld = status === "offline" || status === "unknown" || quality !== undefined;
    return h(
      "div",
      {
        role: "row",
        tabindex: isStop ? 0 : -1,
        class: `${status}${isOpen ? " is-open" : ""}${isOld ? " is-old" : ""}${isUnheard ? " is-unheard" : ""}`,
        style: `transform: translateY(${index * ROW_HEIGHT}px)`,
        "aria-rowindex": index + 2,
        "aria-selected": String(isOpen),
        "data-key": deviceId,
        "data-action": "open",
        "data-of": deviceId,
      },
      ...columns.map(({ id, isNumber }) =>
        h("div", { role: "cell", class: isNumber ? "number" : undefined }, ...this.#cell(row, id)),
      ),
    );
  }

  #cell(row: Row, column: string): (Node | string)[] {
    switch (column) {
      case "device":
        return nameOf(row);
      case "status":
        return statusOf(row);
      case "health":
        return healthOf(row.health);
      case "lastSeen":
        return [row.lastSeen === undefined ? "never" : `${duration(this.now - row.lastSeen)} ago`];
      case "lastAnomaly":
        return [row.lastAnomaly === undefined ? "–" : `${duration(this.now - row.lastAnomaly)} ago`];
      case "alarms":
        return row.openAlarms > 0 ? [h("b", {}, String(row.openAlarms))] : ["–"];
      default: {
        const name = column.slice(METRIC.length);
        return [withUnit(row.metrics[name], row.units?.[name], this.#decimals.get(name))];
      }
    }
  }

  #drawDetail(): void {
    const { deviceId } = this.choice;
    const section = this.find(".detail");
    section.hidden = deviceId === undefined;
    this.find(".split").classList.toggle("has-detail", deviceId !== undefined);
    if (deviceId === undefined) return;
    section.setAttribute("aria-label", `Device ${this.#label}`);
    const detail = this.#detail;
    renew(this.find(".about"), detail ? this.#about(detail) : this.#aboutUnknown(deviceId));
    renew(this.find(".now"), detail?.isKnown ? this.#present(detail) : []);
    renew(this.find(".past"), detail?.isKnown ? [h("h4", {}, "Journal"), this.#journalPart(detail)] : []);
    this.find(".charts").hidden = this.#charts.length === 0;
    if (this.#charts.length === 0) renew(this.find(".charts"), []);
  }

  #aboutUnknown(deviceId: string): Node[] {
    return [titleOf(deviceId, undefined), h("div", { class: "empty" }, "Waiting for the device …")];
  }

  #about(detail: Detail): (Node | false)[] {
    const { deviceId, name, location, status, lastSeen, lastAnomaly, quality, tags = {}, advice, isKnown } = detail;
    if (!isKnown) {
      return [
        titleOf(deviceId, name),
        h("div", { class: "empty" }, "Nothing was ever heard of this device, and no list has it."),
      ];
    }
    const row = this.#rows.get(deviceId);
    const facts = [
      location && `at ${location}`,
      ...Object.entries(tags)
        .filter(([tag, value]) => !(tag === "location" && value === location))
        .map(([tag, value]) => `${tag} ${value}`),
      lastSeen === undefined ? "never heard of" : `heard of ${duration(this.now - lastSeen)} ago`,
      lastAnomaly !== undefined && `last anomaly ${duration(this.now - lastAnomaly)} ago`,
      row?.isUnlisted && "not in the list of devices",
    ].filter(Boolean);
    return [
      titleOf(deviceId, name),
      h("p", { class: "state" }, icon(status), ` ${status}`, h("span", { class: "faint" }, ` · ${facts.join(" · ")}`)),
      quality !== undefined &&
        h(
          "p",
          { class: "notice" },
          icon("warning"),
          ` The latest reading is ${quality}: the values below are those before it.`,
        ),
      status === "offline" &&
        h(
          "p",
          { class: "notice" },
          icon("offline"),
          lastSeen === undefined ? " It was never heard of." : " It is silent: all values are those before.",
        ),
      this.#maintenanceOf(detail),
      this.mayOperate && this.#buttons(detail),
      this.#answerOf(),
      advice !== undefined && h("p", {}, advice),
    ];
  }

  #buttons({ maintenance }: Detail): HTMLElement {
    const button = (action: string, title: string) => h("button", { type: "button", "data-action": action }, title);
    return h(
      "div",
      { class: "bar" },
      button("restart", "Restart …"),
      button("limits", "Change limits …"),
      maintenance ? button("end-maintenance", "End maintenance") : button("maintenance", "Maintenance …"),
    );
  }

  #maintenanceOf({ maintenance }: Detail): HTMLElement | false {
    if (!maintenance) return false;
    const { until, by, reason } = maintenance;
    const text = ` In maintenance until ${clock(until, this.now)}${by ? `, by ${by}` : ""}${reason ? `: ${reason}` : ""}`;
    return h("p", { class: "notice" }, icon("maintenance"), text);
  }

  /** What the operator asked for, and what the device said of it. */
  #answerOf(): HTMLElement {
    const answer = this.#answer && this.now - this.#answer.at < ANSWER_SHOWN ? this.#answer : undefined;
    const asked = this.#asked;
    const isLate = asked !== undefined && this.now - asked.at > ANSWER_WITHIN;
    const [sign, text] = asked
      ? [isLate ? "warning" : "info", isLate ? `${asked.text} nobody has answered yet.` : asked.text]
      : [answer?.sign ?? "", answer?.text ?? ""];
    const shown: Node[] = text === "" ? [] : [icon(sign), document.createTextNode(` ${text}`)];
    return h("p", { class: "answer", role: "status" }, ...shown);
  }

  #present(detail: Detail): (Node | false)[] {
    return [
      h("div", {}, h("h4", {}, "Open alarms"), this.#alarmsPart(detail)),
      h("div", {}, h("h4", {}, "Health"), ...this.#healthPart(detail)),
      h("div", { class: "all" }, h("h4", {}, "Metrics"), this.#metricsPart(detail)),
      this.#charts.length > 0 && h("h4", { class: "all" }, "History"),
    ];
  }

  #healthPart({ health }: Detail): Node[] {
    if (!health) return [h("p", { class: "faint" }, "Nothing has judged its health yet.")];
    const parts: Node[] = [h("p", { class: "health" }, ...healthOf(health.score), ` ${health.status}`)];
    if (health.contributors.length === 0) return [...parts, h("p", { class: "faint" }, "No flag is up.")];
    const rows = health.contributors.map(({ flag, penalty, value, limit, unit }) => {
      return h(
        "tr",
        {},
        h("td", {}, icon("warning"), ` ${flag}`),
        h("td", { class: "number" }, withUnit(value, unit)),
        h("td", { class: "number" }, withUnit(limit, unit)),
        h("td", { class: "number" }, `−${format(penalty)}`),
      );
    });
    return [...parts, table(["Flag", "Value", "Limit", "Points"], 1, rows)];
  }

  #metricsPart({ metrics }: Detail): Node {
    if (metrics.length === 0) return h("p", { class: "faint" }, "No values yet.");
    const features = [...new Set(metrics.flatMap((metric) => Object.keys(metric.features ?? {})))].slice(
      0,
      SHOWN_FEATURES,
    );
    const newest = Math.max(...metrics.map(({ timestamp = 0 }) => timestamp));
    const rows = metrics.map((metric) => {
      const { name, value, unit, timestamp = newest, verdict } = metric;
      const isLate = newest - timestamp > 60_000;
      return h(
        "tr",
        { "data-key": name },
        h("td", {}, ...(verdict?.isAnomaly ? [icon("anomaly"), ` ${name}`] : [name])),
        h(
          "td",
          { class: "number" },
          h("b", {}, withUnit(value, unit)),
          isLate && h("small", {}, ` ${duration(this.now - timestamp)} ago`),
        ),
        h("td", { class: "number" }, normalOf(metric)),
        h("td", { class: "number" }, verdict ? format(verdict.score) : "–"),
        ...features.map((feature) => h("td", { class: "number" }, featureOf(metric, feature))),
      );
    });
    return table(["Metric", "Value", "Normal", "Score", ...features], 1, rows);
  }

  #alarmsPart({ alarms }: Detail): Node {
    if (alarms.length === 0) return h("p", { class: "faint" }, icon("healthy"), " None.");
    const rows = alarms.map((alarm) => {
      const { condition, severity, raisedAt } = alarm;
      return h(
        "tr",
        { "data-key": condition },
        h("td", {}, icon(severity), ` ${condition}`),
        h("td", {}, ...alarmValue(alarm)),
        h("td", {}, alarmState(alarm, this.now)),
        h("td", { class: "number" }, raisedAt === undefined ? "–" : duration(this.now - raisedAt)),
      );
    });
    return table(["Alarm", "Value", "State", "Age"], 3, rows);
  }

  #journalPart({ lines }: Detail): Node {
    if (lines.length === 0) return h("p", { class: "faint" }, "Nothing has happened lately.");
    const latest = [...lines].sort((a, b) => (b.timestamp ?? 0) - (a.timestamp ?? 0)).slice(0, SHOWN_LINES);
    const rows = latest.map((line) =>
      h("tr", {}, h("td", { class: "number time" }, clock(line.timestamp ?? 0, this.now)), h("td", {}, lineText(line))),
    );
    return table([], 0, rows);
  }

  /** The chosen device as people call it. */
  get #label(): string {
    const { deviceId = "" } = this.choice;
    return deviceLabel(this.#detail ?? { deviceId });
  }

  #unitOf(metric: string): string | undefined {
    return this.#detail?.metrics.find(({ name }) => name === metric)?.unit;
  }
}

/** A record that has nothing but its own, for metrics may be called `constructor`. */
function bare<T>(record: Readonly<Record<string, T>> | undefined): Record<string, T> {
  return Object.assign(Object.create(null), record);
}

/** What rows are ordered by; undefined where there is none. */
function valueBy(sort: string): (row: Row) => number | undefined {
  switch (sort) {
    case "device":
      return () => 0;
    case "status":
      return ({ status }) => STATUSES.indexOf(status);
    case "health":
      return ({ health }) => health;
    case "lastSeen":
      return ({ lastSeen }) => lastSeen && -lastSeen;
    case "lastAnomaly":
      return ({ lastAnomaly }) => lastAnomaly && -lastAnomaly;
    case "alarms":
      return ({ openAlarms }) => -openAlarms;
    default: {
      const name = sort.slice(METRIC.length);
      return ({ metrics }) => (metrics[name] === undefined ? undefined : -metrics[name]);
    }
  }
}

function titleOf(deviceId: string, name: string | undefined): HTMLElement {
  return h(
    "div",
    { class: "title" },
    h("h3", {}, ...deviceParts({ deviceId, name })),
    h("button", { type: "button", "data-action": "close", "aria-label": "Close" }, "✕"),
  );
}

function nameOf(row: Row): Node[] {
  const more = [devicePlace(row), row.isUnlisted && "not listed"].filter(Boolean).join(" · ");
  return [h("b", { title: row.deviceId }, deviceName(row)), ...(more ? [h("small", { class: "faint" }, more)] : [])];
}

function statusOf({ status, quality, isUnheard }: Row): Node[] {
  const remark = isUnheard ? "never heard of" : quality ? `${quality} values` : "";
  return [h("span", {}, icon(status), ` ${status}`), ...(remark ? [h("small", { class: "faint" }, remark)] : [])];
}

function healthOf(score: number | undefined): (Node | string)[] {
  if (score === undefined) return ["–"];
  const level = score < 50 ? "critical" : score < 80 ? "warning" : "healthy";
  const bar = h(
    "span",
    { class: `meter ${level}` },
    h("span", { style: `width: ${Math.max(0, Math.min(100, score))}%` }),
  );
  return [bar, h("span", { class: "number" }, format(score))];
}

function normalOf({ verdict, unit }: MetricDetail): string {
  const { lower, upper } = verdict ?? {};
  if (lower === undefined && upper === undefined) return "–";
  return `${format(lower)} – ${withUnit(upper, unit)}`;
}

function featureOf({ features }: MetricDetail, name: string): string {
  const value = features?.[name];
  return typeof value === "number" ? format(value) : "–";
}

/** A table whose columns are numbers, from `firstNumber` on. */
function table(titles: string[], firstNumber: number, rows: Node[]): HTMLElement {
  const heads = titles.map((title, index) => h("th", { class: index >= firstNumber ? "number" : undefined }, title));
  return h(
    "div",
    { class: "wide" },
    h("table", {}, ...(titles.length > 0 ? [h("thead", {}, h("tr", {}, ...heads))] : []), h("tbody", {}, ...rows)),
  );
}
