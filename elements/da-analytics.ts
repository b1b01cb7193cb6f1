/**
 * `<da-analytics>`: how values are distributed and go together, limits to try out, statistics of devices and locations.
 *
 * It asks and is answered as history-data.ts says, from any dashboard. What is chosen goes in through `choice`, and comes
 * out with the event of that name.
 */
import type { ChartData, ChartSeries } from "./chart-data.ts";
import ownStyle from "./da-analytics.css";
import type { DaHeatmap } from "./da-heatmap.ts";
import type { DaHistogram } from "./da-histogram.ts";
import { gapSeconds, HistoryElement, type NamedQuestion } from "./history.ts";
import type { HistoryAnswer, HistoryChoice, StatisticName } from "./history-data.ts";
import { byName, format, h, renew } from "./parts.ts";

export interface AnalyticsChoice extends HistoryChoice {
  /** The metric whose distribution is shown; the first when absent. */
  metric?: string | undefined;
  /** Limits that are tried out: a number, or `p5` for a quantile. */
  lower?: string | undefined;
  upper?: string | undefined;
  /** What the statistics are ordered by, the greatest first; names ascend. */
  sort?: StatisticColumn | undefined;
}

type StatisticColumn = StatisticName | "count" | "name";

const POINTS = 600;

/** Rows of a table; the rest are counted. */
const LISTED = 50;

/** The most restless devices come first. */
const USUAL_SORT = "stdev";

const STATISTICS: [name: StatisticName | "count", title: string][] = [
  ["count", "values"],
  ["mean", "mean"],
  ["stdev", "deviation"],
  ["min", "min"],
  ["p05", "5 %"],
  ["p25", "25 %"],
  ["median", "median"],
  ["p75", "75 %"],
  ["p95", "95 %"],
  ["max", "max"],
];

export class DaAnalytics extends HistoryElement<AnalyticsChoice> {
  #hits: HistoryAnswer | undefined;
  #hitsOf: unknown[] = [];

  constructor() {
    super(
      ownStyle,
      "",
      '<div class="columns"><section aria-label="Distribution"><div class="bar limits"><label>Of <select class="metric" aria-label="Of"></select></label>' +
        '<label>Below <input type="text" class="lower" placeholder="value or p5"></label>' +
        '<label>Above <input type="text" class="upper" placeholder="value or p95"></label></div>' +
        '<da-histogram></da-histogram></section><section aria-label="Correlation"><h4>Correlation</h4><da-heatmap></da-heatmap></section></div>' +
        '<div class="charts hits"></div><section class="statistics-location" aria-label="Statistics by location"></section>' +
        '<section aria-label="Statistics by device"><div class="bar"><label>Find <input type="search" class="search" aria-label="Find a device"></label></div>' +
        '<div class="statistics-device"></div></section>',
    );
    this.find(".search").addEventListener("input", () => this.#drawStatistics());
    const metric = this.find(".metric") as HTMLSelectElement;
    metric.addEventListener("change", () => this.choose({ metric: metric.value }));
    for (const name of ["lower", "upper"]) {
      const field = this.find(`.${name}`) as HTMLInputElement;
      field.addEventListener("change", () => this.choose({ [name]: field.value.trim() }));
    }
  }

  protected override actions() {
    return { sort: (column: string) => this.choose({ sort: column as StatisticColumn }) };
  }

  protected override get hasLocations(): boolean {
    return true;
  }

  /** Much is read for it, so it is only asked for anew by itself where somebody wants it. */
  protected override get isAutomatic(): boolean {
    return this.choice.isManual === false;
  }

  protected questions(): NamedQuestion[] {
    const { of, range, metrics } = this;
    const { lower = "", upper = "" } = this.choice;
    const one = { metrics: [this.#metric], ...range };
    return [
      { name: "distribution", query: { queryType: "distribution", ...one, ...of, groupBy: [], lower, upper } },
      {
        name: "series",
        query: {
          queryType: "aggregate",
          functions: ["mean", "min", "max"],
          maxPoints: POINTS,
          ...one,
          ...of,
          groupBy: [],
        },
      },
      { name: "correlation", query: { queryType: "correlation", metrics, ...of, ...range, groupBy: [] } },
      { name: "location", query: { queryType: "statistics", ...one, groupBy: ["location"] } },
      { name: "device", query: { queryType: "statistics", ...one, groupBy: ["device"] } },
    ];
  }

  protected drawAnswers(): void {
    const metric = this.#metric;
    const select = this.find(".metric") as HTMLSelectElement;
    renew(
      select,
      this.metrics.map((name) => h("option", { value: name }, name)),
    );
    select.value = metric;
    for (const name of ["lower", "upper"] as const) {
      const field = this.find(`.${name}`) as HTMLInputElement;
      if (this.root.activeElement !== field) field.value = this.choice[name] ?? "";
    }
    const [distribution] = this.answerTo("distribution")?.distributions ?? [];
    const histogram = this.find("da-histogram") as unknown as DaHistogram;
    if (histogram.data?.edges !== distribution?.edges || histogram.data?.unit !== this.unitOf(metric).unit) {
      histogram.data = distribution && { ...distribution, ...this.unitOf(metric) };
    }
    const [correlation] = this.answerTo("correlation")?.correlations ?? [];
    (this.find("da-heatmap") as unknown as DaHeatmap).data = correlation;
    this.#drawHits(metric);
    this.#drawStatistics();
  }

  #drawStatistics(): void {
    const { sort = USUAL_SORT } = this.choice;
    const unit = this.unitOf(this.#metric);
    for (const tag of ["location", "device"] as const) {
      const answer = this.answerTo(tag);
      const labelOf = (name: string) => this.labelOf(tag, name);
      const search = tag === "device" ? this.searched : "";
      renew(this.find(`.statistics-${tag}`), answer ? statisticsOf(tag, unit, answer, { sort, search, labelOf }) : []);
    }
  }

  get #metric(): string {
    const { metric } = this.choice;
    const [first = ""] = this.metrics;
    return metric !== undefined && this.metrics.includes(metric) ? metric : first;
  }

  /** A chart of two answers: the values, and the limits. */
  #drawHits(metric: string): void {
    const [series, distribution] = [this.answerTo("series"), this.answerTo("distribution")];
    if (!series) {
      this.showCharts(".hits", []);
      return;
    }
    if (this.#hitsOf[0] !== series || this.#hitsOf[1] !== distribution) {
      this.#hitsOf = [series, distribution];
      this.#hits = { ...series, distributions: distribution?.distributions ?? [] };
    }
    const answer = this.#hits as HistoryAnswer;
    const make = () => hitsOf(metric, this.unitOf(metric), answer);
    this.showCharts(".hits", [{ id: `limits of ${metric}`, answer, make }]);
  }
}

/** The values over time, with marks where they lie beyond the limits. */
function hitsOf(metric: string, unit: { unit?: string }, answer: HistoryAnswer): ChartData {
  const { series = [], distributions = [], from, to, every = 0 } = answer;
  const { times = [], mean = [], min = [], max = [] } = series.find(({ field }) => field === metric) ?? {};
  const { lower, upper } = distributions.find(({ field }) => field === metric)?.limits ?? {};
  const hits = times.map((_, row) => {
    const [least, most] = [min[row] ?? null, max[row] ?? null];
    if (upper !== undefined && most !== null && most > upper) return most;
    return lower !== undefined && least !== null && least < lower ? least : null;
  });
  const limit = (name: string, value: number | undefined): ChartSeries[] =>
    value === undefined ? [] : [{ name, role: "limit", values: times.map(() => value), ...unit }];
  return {
    title: `${metric} over time`,
    time: times,
    series: [
      { name: "mean", role: "value", values: mean, ...unit },
      { name: "min", role: "lower", values: min, ...unit },
      { name: "max", role: "upper", values: max, ...unit },
      ...limit("lower limit", lower),
      ...limit("upper limit", upper),
      { name: "times beyond the limits", role: "anomaly", values: hits },
    ],
    band: "min to max",
    timeRange: [from, to],
    gapSeconds: gapSeconds(times, every),
    isZoomable: true,
  };
}

function statisticsOf(
  tag: "device" | "location",
  { unit }: { unit?: string },
  { statistics = [] }: HistoryAnswer,
  { sort, search, labelOf }: { sort: StatisticColumn; search: string; labelOf: (name: string) => string },
): HTMLElement[] {
  const [{ field = "" } = {}] = statistics;
  const found = statistics
    .map((each) => ({ ...each, name: each[tag] ?? "(none)" }))
    .filter(({ name }) => labelOf(name).toLowerCase().includes(search))
    .sort((a, b) => (sort === "name" ? 0 : (b[sort] ?? -Infinity) - (a[sort] ?? -Infinity)) || byName(a.name, b.name));
  const head = (name: StatisticColumn, title: string) =>
    h(
      "th",
      {
        class: name !== "name" && "number",
        "aria-sort": name === sort && (name === "name" ? "ascending" : "descending"),
      },
      h("button", { type: "button", "data-action": "sort", "data-of": name }, title),
    );
  const rows = found.slice(0, LISTED).map((each) => {
    const cells = STATISTICS.map(([column]) =>
      h("td", { class: "number" }, column === "count" ? each.count.toLocaleString("en") : format(each[column])),
    );
    const label = labelOf(each.name);
    return h("tr", { "data-key": each.name }, h("td", { class: "name", title: label }, label), ...cells);
  });
  const rest = found.length - rows.length;
  const isPart = statistics.some(({ count, quantilesOf }) => quantilesOf < count);
  const notes = [
    ...(statistics.length === 0 ? ["No values in this time"] : found.length === 0 ? ["None has such a name"] : []),
    ...(rest > 0 ? [`and ${rest.toLocaleString("en")} more`] : []),
    ...(isPart ? ["quantiles are those of a part of the values, all else of all"] : []),
  ];
  return [
    h("h4", {}, `${field || "Statistics"} by ${tag}${unit ? `, ${unit}` : ""}`),
    h(
      "div",
      { class: "list" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, head("name", tag), ...STATISTICS.map(([name, title]) => head(name, title)))),
        h("tbody", {}, ...rows),
      ),
    ),
    h("p", { class: "faint" }, notes.join(" · ")),
  ];
}
