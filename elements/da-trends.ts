/**
 * `<da-trends>`: metrics of a device over any time that is stored, and its anomalies by hour and day beside those of others.
 *
 * It asks and is answered as history-data.ts says, from any dashboard. What is chosen goes in through `choice`, and comes
 * out with the event of that name. Dragging across a chart asks anew for what lies there, in finer steps.
 */
import type { ChartData, ChartSeries } from "./chart-data.ts";
import { barChart, gapSeconds, HistoryElement, type NamedQuestion, timeZone } from "./history.ts";
import type { HistoryAnswer, HistoryChoice } from "./history-data.ts";
import { byName, format, h, renew } from "./parts.ts";

export interface TrendsChoice extends HistoryChoice {
  /** Each value as it was stored, in place of the mean between minimum and maximum. */
  isRaw?: boolean;
}

/** Points of a chart: its width in pixels is hardly more. */
const POINTS = 600;
/** Values that are drawn as they were stored, at most. */
const RAW_VALUES = 40_000;

/** Devices and locations of which the share of anomalies is shown; the rest are counted. */
const SHARES = 8;

export class DaTrends extends HistoryElement<TrendsChoice> {
  constructor() {
    super(
      "",
      '<button type="button" class="raw" data-action="raw">Each value</button>',
      '<div class="charts lines"></div><div class="columns"><div class="quality"></div></div><div class="columns">' +
        '<div class="hours"></div><div class="days"></div>' +
        '<section aria-label="Share of anomalies by device"><div class="shares-device"></div>' +
        '<div class="bar"><label>Find <input type="search" class="search" aria-label="Find a device"></label></div></section>' +
        '<section class="shares-location" aria-label="Share of anomalies by location"></section></div>',
    );
    this.find(".search").addEventListener("input", () => this.#drawShares());
  }

  protected override actions() {
    return { raw: () => this.choose({ isRaw: !this.choice.isRaw }) };
  }

  protected questions(): NamedQuestion[] {
    const { of, range, metrics } = this;
    const { isRaw } = this.choice;
    const steps = isRaw ? { every: "raw", limit: RAW_VALUES } : { every: "auto", maxPoints: POINTS };
    const count = {
      queryType: "aggregate",
      measurement: "verdicts",
      metrics: ["isAnomaly"],
      functions: ["count", "sum"],
      timeZone: timeZone(),
      ...range,
    } as const;
    return [
      { name: "series", query: { queryType: "series", metrics, ...of, ...range, ...steps } },
      { name: "hours", query: { ...count, ...of, groupBy: ["device"], every: "1h" } },
      { name: "days", query: { ...count, ...of, groupBy: ["device"], every: "1d" } },
      {
        name: "quality",
        query: {
          queryType: "aggregate",
          metrics: ["_quality"],
          functions: ["count"],
          groupBy: [],
          maxPoints: POINTS,
          ...of,
          ...range,
        },
      },
      { name: "device", query: { ...count, groupBy: ["device"], every: "all" }, isCostly: true },
      { name: "location", query: { ...count, groupBy: ["location"], every: "all" }, isCostly: true },
    ];
  }

  protected drawAnswers(): void {
    this.find(".raw").setAttribute("aria-pressed", String(this.choice.isRaw ?? false));
    const lines = this.answerTo("series");
    const metrics = lines ? this.metrics : [];
    this.showCharts(
      ".lines",
      metrics.map((metric) => ({
        id: `metric ${metric}`,
        answer: lines as HistoryAnswer,
        make: () => chartOf(metric, this.unitOf(metric), lines as HistoryAnswer),
      })),
    );
    // Only readings that are not good have one.
    const quality = this.answerTo("quality");
    const isNotGood = quality?.series?.some(({ times }) => times.length > 0);
    const make = () => barChart("Bad or stale readings", "readings", "_quality", quality as HistoryAnswer);
    this.showCharts(".quality", quality && isNotGood ? [{ id: "bad or stale", answer: quality, make }] : []);
    for (const [name, title] of [["hours", "by hour"] as const, ["days", "by day"] as const]) {
      const answer = this.answerTo(name);
      const make = () => barChart(`Anomalies ${title}`, "anomalies", "isAnomaly", answer as HistoryAnswer);
      this.showCharts(`.${name}`, answer ? [{ id: `anomalies ${title}`, answer, make }] : []);
    }
    this.#drawShares();
  }

  #drawShares(): void {
    for (const tag of ["device", "location"] as const) {
      const answer = this.answerTo(tag);
      const labelOf = (name: string) => this.labelOf(tag, name);
      const search = tag === "device" ? this.searched : "";
      renew(this.find(`.shares-${tag}`), answer ? sharesOf(tag, answer, search, labelOf) : []);
    }
  }
}

/** A metric over time. A device that has changed its place has a series for each. */
function chartOf(
  metric: string,
  unit: { unit?: string },
  { series = [], from, to, every = 0 }: HistoryAnswer,
): ChartData {
  const parts = series.filter(({ field }) => field === metric);
  const rows = parts
    .flatMap(({ times, values, mean, min, max }) =>
      times.map((time, row) => ({ time, value: (values ?? mean)?.[row], min: min?.[row], max: max?.[row] })),
    )
    .sort((a, b) => a.time - b.time);
  const time = rows.map((row) => row.time);
  const column = (name: "value" | "min" | "max") =>
    rows.map((row) => (typeof row[name] === "number" ? row[name] : null));
  const lines: ChartSeries[] = [{ name: metric, role: "value", values: column("value"), ...unit }];
  if (every > 0) {
    lines.push({ name: "min", role: "lower", values: column("min"), ...unit });
    lines.push({ name: "max", role: "upper", values: column("max"), ...unit });
  }
  return {
    title: metric,
    time,
    series: lines,
    band: "min to max",
    timeRange: [from, to],
    gapSeconds: gapSeconds(time, every),
    maxPoints: RAW_VALUES,
    isZoomable: true,
  };
}

function sharesOf(
  tag: "device" | "location",
  { series = [] }: HistoryAnswer,
  search: string,
  labelOf: (name: string) => string,
): HTMLElement[] {
  const shares = series
    .map((each) => ({ name: each[tag] ?? "(none)", verdicts: each.count?.[0] ?? 0, anomalies: each.sum?.[0] ?? 0 }))
    .filter(({ name }) => labelOf(name).toLowerCase().includes(search))
    .map((each) => ({ ...each, share: each.anomalies / Math.max(1, each.verdicts) }))
    .sort((a, b) => b.share - a.share || byName(a.name, b.name));
  const most = shares[0]?.share || 1;
  const rows = shares
    .slice(0, SHARES)
    .map(({ name, verdicts, anomalies, share }) =>
      h(
        "tr",
        { "data-key": name },
        h("td", { class: "name", title: labelOf(name) }, labelOf(name)),
        h("td", { class: "share" }, h("i", { style: `width: ${(100 * share) / most}%` })),
        h("td", { class: "number" }, `${format(100 * share)} %`),
        h("td", { class: "number faint" }, `${anomalies.toLocaleString("en")} of ${verdicts.toLocaleString("en")}`),
      ),
    );
  const rest = shares.length - rows.length;
  const note = series.length === 0 ? "No verdicts in this time." : shares.length === 0 ? "None has such a name." : "";
  return [
    h("h4", {}, `Share of anomalies by ${tag}`),
    h("table", {}, h("tbody", {}, ...rows)),
    h("p", { class: "faint" }, rest > 0 ? `and ${rest.toLocaleString("en")} more` : note),
  ];
}
