/**
 * `<da-windows>`: what the windows of a device or a location amount to: mean, extremes, deviation, readings, anomalies.
 *
 * It asks and is answered as history-data.ts says, from any dashboard. What is chosen goes in through `choice`, and comes
 * out with the event of that name. Where there are more windows than a chart has room for, several are one point: the mean
 * of their means and deviations, their extremes, and the sums of what they counted.
 */
import type { Series } from "../core/history/series.ts";
import type { ChartData, ChartSeries } from "./chart-data.ts";
import ownStyle from "./da-windows.css";
import { barChart, gapSeconds, HistoryElement, type NamedQuestion } from "./history.ts";
import type { HistoryAnswer, HistoryChoice } from "./history-data.ts";
import { clock, format, h, renew, withUnit } from "./parts.ts";

const POINTS = 300;

/** Windows that the table lists, the newest. */
const LISTED = 20;

/** What of a window is a function of a metric, and with which function several windows become one. */
const PARTS = { mean: "mean", min: "min", max: "max", stdev: "mean" } as const;
type Part = keyof typeof PARTS;

export class DaWindows extends HistoryElement<HistoryChoice> {
  constructor() {
    super(
      ownStyle,
      "",
      '<div class="charts lines"></div><div class="columns"><div class="anomalies"></div><div class="readings"></div></div>' +
        '<h4>The newest windows</h4><div class="list"><table><thead></thead><tbody></tbody></table></div>',
    );
  }

  protected override get measurement(): string {
    return "windows";
  }

  protected override get hasLocations(): boolean {
    return true;
  }

  protected override metricsOf(fields: string[]): string[] {
    return fields.filter((name) => name.endsWith(".mean")).map((name) => name.slice(0, -".mean".length));
  }

  protected questions(): NamedQuestion[] {
    const { of, range, metrics } = this;
    const fields = metrics.flatMap((metric) => Object.keys(PARTS).map((part) => `${metric}.${part}`));
    return [
      {
        name: "series",
        query: {
          queryType: "aggregate",
          measurement: "windows",
          metrics: [...fields, "count", "anomalyCount"],
          functions: ["mean", "min", "max", "sum"],
          groupBy: [of.locations ? "location" : "device"],
          maxPoints: POINTS,
          ...of,
          ...range,
        },
      },
    ];
  }

  protected drawAnswers(): void {
    const answer = this.answerTo("series");
    this.find(".content").hidden = !answer;
    if (!answer) return;
    const lines = this.metrics.map((metric) => ({
      id: `metric ${metric}`,
      answer,
      make: () => chartOf(metric, this.unitOf(metric), answer),
    }));
    this.showCharts(".lines", lines);
    for (const [part, title, field] of [
      ["anomalies", "Anomalies per window", "anomalyCount"],
      ["readings", "Readings per window", "count"],
    ] as const) {
      this.showCharts(`.${part}`, [{ id: title, answer, make: () => barChart(title, part, field, answer) }]);
    }
    this.#drawTable(answer);
  }

  #drawTable({ series = [] }: HistoryAnswer): void {
    const { metrics } = this;
    const heads = ["Begin", "Readings", "Anomalies", ...metrics];
    renew(this.find("thead"), [
      h("tr", {}, ...heads.map((text, place) => h("th", { class: place > 0 && "number", title: text }, text))),
    ]);
    const columns = new Map(series.map((each) => [each.field, valuesByTime(each)]));
    const times = series.find(({ field }) => field === "count")?.times ?? [];
    const rows = times.slice(-LISTED).reverse();
    const now = Date.now();
    renew(
      this.find("tbody"),
      rows.map((time) => {
        const value = (field: string) => columns.get(field)?.get(time) ?? undefined;
        const cells = metrics.map((metric) => {
          const { unit } = this.unitOf(metric);
          const [mean, min, max, stdev] = ["mean", "min", "max", "stdev"].map((part) => value(`${metric}.${part}`));
          return h(
            "td",
            { class: "number" },
            `${format(mean)} ± ${withUnit(stdev, unit)}`,
            h("small", { class: "faint" }, `${format(min)} to ${format(max)}`),
          );
        });
        const anomalies = value("anomalyCount") ?? 0;
        return h(
          "tr",
          { "data-key": time },
          h("td", { class: "number begin" }, clock(time, now)),
          h("td", { class: "number" }, format(value("count"))),
          h("td", { class: "number" }, anomalies > 0 ? h("b", {}, format(anomalies)) : "0"),
          ...cells,
        );
      }),
    );
  }
}

/** One part of a metric, or a count, at each time. */
function valuesByTime(series: Series): Map<number, number | null> {
  const part = series.field.slice(series.field.lastIndexOf(".") + 1) as Part;
  const values = series[PARTS[part] ?? "sum"] ?? [];
  return new Map(series.times.map((time, row) => [time, values[row] ?? null]));
}

function chartOf(
  metric: string,
  unit: { unit?: string },
  { series = [], from, to, every = 0 }: HistoryAnswer,
): ChartData {
  const parts = new Map(
    series
      .filter(({ field }) => field.startsWith(`${metric}.`))
      .map((each) => [each.field.slice(metric.length + 1), each]),
  );
  const time = parts.get("mean")?.times ?? [];
  const line = (part: Part, name: string, look: Pick<ChartSeries, "role" | "axis">): ChartSeries => {
    const values = parts.get(part);
    const byTime = values && valuesByTime(values);
    return { name, ...look, ...unit, values: time.map((each) => byTime?.get(each) ?? null) };
  };
  return {
    title: metric,
    time,
    series: [
      line("mean", "mean", { role: "value" }),
      line("min", "min", { role: "lower" }),
      line("max", "max", { role: "upper" }),
      line("stdev", "deviation (right)", { role: "value", axis: "right" }),
    ],
    band: "min to max",
    timeRange: [from, to],
    gapSeconds: gapSeconds(time, every),
    isZoomable: true,
  };
}
