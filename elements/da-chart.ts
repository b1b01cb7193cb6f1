/**
 * `<da-chart>`: lines over time with bands, limits and marks, and a cursor that all charts of a page share.
 *
 * It takes its message through the property `data`, from any dashboard; in a ui_template of node-red-dashboard:
 * `<da-chart ng-prop-data="msg.payload"></da-chart>`. A ChartData is drawn in place of what was there, a ChartAppend
 * goes on with it; null empties the chart. Its text is in the colour of the page, its height that of its style.
 */
import uPlot from "uplot";
import uPlotStyle from "uplot/dist/uPlot.min.css";
import type { ChartAppend, ChartData, ChartSeries, SeriesRole } from "./chart-data.ts";
import ownStyle from "./da-chart.css";
import { format, powerOfTen } from "./parts.ts";
import { isDark, THEME_EVENT } from "./theme.ts";

const bars = uPlot.paths.bars?.({ size: [0.9, Infinity], align: 1 }) as uPlot.Series.PathBuilder;

/** A point that can be seen, `x` and `y` in px from the left upper corner of the plot. */
export interface DrawnPoint {
  series: string;
  time: number;
  value: number;
  x: number;
  y: number;
}

const MAX_POINTS = 2000;

/** Characters beside an axis, and the room for them, px. */
const LONGEST_LABEL = 8;
const AXIS_WIDTH = 64;

const DAY = 86_400_000;

/** A shorter drag is a click, px. */
const SHORTEST_DRAG = 5;

interface Palette {
  /** Of values, one series after the other. */
  values: readonly string[];
  roles: Partial<Record<SeriesRole, string>>;
}

/** Okabe and Ito's colours, which the colour-blind can tell apart; on white, as dark as is needed to be seen. */
const ON_DARK: Palette = {
  values: ["#56b4e9", "#009e73", "#cc79a7", "#f0e442"],
  roles: {
    mean: "#e69f00",
    lower: "#8795a8",
    upper: "#8795a8",
    anomaly: "#ff6d4d",
    limit: "#e69f00",
    bar: "#56b4e9",
  },
};
const ON_LIGHT: Palette = {
  values: ["#0072b2", "#00795a", "#9b4d80", "#7a6a00"],
  roles: {
    mean: "#a86200",
    lower: "#66758a",
    upper: "#66758a",
    anomaly: "#c2410c",
    limit: "#a86200",
    bar: "#0072b2",
  },
};
const BAND = "rgba(135, 149, 168, 0.16)";
const GRID = "rgba(135, 149, 168, 0.16)";
/** Steps of an axis of what is counted. */
const COUNTS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((factor) => factor * 10 ** power)).flat();
const AXIS_FONT = "12px system-ui, sans-serif";

export class DaChart extends HTMLElement {
  readonly #title: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #frame: HTMLElement;
  readonly #resized = new ResizeObserver(() => this.#fit());
  #data: ChartData | undefined;
  #plot: uPlot | undefined;
  #isDrawn = false;
  #palette = ON_DARK;
  readonly #recoloured = () => this.#rebuild();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML =
      `<style>${uPlotStyle}${ownStyle}</style>` +
      '<div class="head"><span class="title"></span><span class="legend"></span></div><div class="frame"></div>';
    const part = (name: string) => root.querySelector(`.${name}`) as HTMLElement;
    this.#title = part("title");
    this.#legend = part("legend");
    this.#frame = part("frame");
  }

  connectedCallback(): void {
    // A page may have set the property before this class was there to take it.
    if (Object.hasOwn(this, "data")) {
      const { data } = this;
      Reflect.deleteProperty(this, "data");
      this.data = data;
    }
    this.#resized.observe(this.#frame);
    addEventListener(THEME_EVENT, this.#recoloured);
    this.#rebuild();
  }

  disconnectedCallback(): void {
    this.#resized.disconnect();
    removeEventListener(THEME_EVENT, this.#recoloured);
    this.#discard();
  }

  /** What is shown. */
  get data(): ChartData | ChartAppend | null | undefined {
    return this.#data;
  }

  set data(message: ChartData | ChartAppend | null | undefined) {
    if (message && "append" in message) this.#append(message);
    else this.#replace(message ?? undefined);
  }

  /** Every point that is drawn at present. */
  get points(): DrawnPoint[] {
    const plot = this.#plot;
    if (!plot || !this.#isDrawn) return [];
    const { width, height } = plot.over.getBoundingClientRect();
    const points: DrawnPoint[] = [];
    plot.series.slice(1).forEach(({ scale = "left" }, index) => {
      const { name = "", values = [] } = this.#data?.series[index] ?? {};
      this.#data?.time.forEach((time, row) => {
        const value = values[row];
        if (typeof value !== "number") return;
        const x = plot.valToPos(time, "x");
        const y = plot.valToPos(value, scale);
        if (x >= 0 && x <= width && y >= 0 && y <= height) points.push({ series: name, time, value, x, y });
      });
    });
    return points;
  }

  #replace(data: ChartData | undefined): void {
    const before = this.#data;
    // The message stays the sender's; appends are this chart's own.
    this.#data = data && {
      ...data,
      time: [...data.time],
      series: data.series.map((series) => ({ ...series, values: [...series.values] })),
    };
    this.#trim();
    if (this.#plot && shapeOf(before) === shapeOf(this.#data)) this.#show();
    else this.#rebuild();
  }

  #append({ append: { time, values } }: ChartAppend): void {
    const data = this.#data;
    if (!data) return;
    data.time.push(...time);
    data.series.forEach((series, index) => {
      series.values.push(...time.map((_, row) => values[index]?.[row] ?? null));
    });
    this.#trim();
    this.#show();
  }

  #trim(): void {
    const data = this.#data;
    const surplus = (data?.time.length ?? 0) - (data?.maxPoints ?? MAX_POINTS);
    if (!data || surplus <= 0) return;
    for (const list of [data.time, ...data.series.map(({ values }) => values)]) list.splice(0, surplus);
  }

  #discard(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#isDrawn = false;
  }

  #rebuild(): void {
    this.#discard();
    if (!this.isConnected) return;
    const { title = "" } = this.#data ?? {};
    this.#title.textContent = title;
    this.#title.title = title;
    this.#legend.replaceChildren();
    this.#legend.classList.remove("wrapped");
    const isEmpty = !this.#data || this.#data.time.length === 0;
    this.#frame.classList.toggle("empty", isEmpty);
    if (!this.#data || isEmpty) return;
    const { clientWidth: width, clientHeight: height } = this.#frame;
    const colour = getComputedStyle(this).color;
    this.#palette = isDark(colour) ? ON_LIGHT : ON_DARK;
    this.#plot = new uPlot(
      {
        ...optionsOf(this.#data, colour, this.#palette, () => this.#data),
        width: Math.max(width, 1),
        height: Math.max(height, 1),
        hooks: {
          draw: [
            () => {
              this.#isDrawn = true;
            },
          ],
          setCursor: [() => this.#readOut()],
          setSelect: [(plot) => this.#zoom(plot)],
        },
      },
      columnsOf(this.#data),
      this.#frame,
    );
    this.#readOut();
    // No observer tells of a legend that has got back the lines that it had before.
    this.#fit();
  }

  #zoom(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < SHORTEST_DRAG) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const [from, to] = [left, left + width].map((place) => Math.round(plot.posToVal(place, "x")));
    this.dispatchEvent(new CustomEvent("zoom", { detail: { from, to } }));
  }

  #show(): void {
    if (!this.#plot || !this.#data) {
      this.#rebuild();
      return;
    }
    this.#plot.setData(columnsOf(this.#data));
    this.#readOut();
  }

  #fit(): void {
    const { clientWidth: width, clientHeight: height } = this.#frame;
    const isWider = width > (this.#plot?.width ?? width);
    if (width > 0 && height > 0) this.#plot?.setSize({ width, height });
    if (isWider) this.#legend.classList.remove("wrapped");
    this.#wrapLegend();
  }

  /** Shows the values under the cursor, or without one the newest. */
  #readOut(): void {
    const plot = this.#plot;
    const data = this.#data;
    if (!plot || !data) return;
    const [times = []] = plot.data;
    const row = plot.cursor.idx ?? times.length - 1;
    const valueAt = (index: number) => plot.data[index + 1]?.[row];
    const parts = data.series.flatMap((series, index) => {
      const { role, unit = "" } = series;
      if (role === "anomaly" || role === "lower") return [];
      if (role !== "value" && typeof valueAt(index) !== "number") return [];
      const lower = data.series.findIndex((each) => each.role === "lower");
      const isBand = role === "upper" && lower >= 0;
      const texts = (isBand ? [valueAt(lower), valueAt(index)] : [valueAt(index)]).map((value) => format(value));
      const entry = document.createElement("span");
      entry.className = isBand ? "band" : role;
      entry.style.setProperty("--colour", colourOf(data.series, index, this.#palette));
      const name = isBand ? (data.band ?? "normal") : series.name;
      entry.textContent = name === data.title ? "" : `${name} `;
      const value = document.createElement("b");
      value.textContent = `${texts.join(" – ")}${unit && ` ${unit}`}`;
      entry.append(value);
      return [entry];
    });
    const marked = data.series.findIndex(({ role }) => role === "anomaly");
    const count = data.series[marked]?.values.filter((value) => value !== null).length ?? 0;
    if (count > 0) {
      const entry = document.createElement("span");
      entry.className = "anomaly";
      entry.style.setProperty("--colour", colourOf(data.series, marked, this.#palette));
      const { name = "" } = data.series[marked] ?? {};
      entry.textContent = count === 1 && name === "anomalies" ? "1 anomaly" : `${count} ${name}`;
      parts.push(entry);
    }
    if (typeof plot.cursor.idx === "number") {
      const time = document.createElement("span");
      const [from = 0, to = 0] = data.timeRange ?? [times[0], times.at(-1)];
      const date = to - from >= DAY ? `${dateText(times[row] ?? 0)} ` : "";
      time.textContent = date + timeText(times[row] ?? 0, true);
      parts.unshift(time);
    }
    this.#legend.replaceChildren(...parts);
    this.#wrapLegend();
  }

  /** Lets the legend have more lines once it is too wide; it keeps them, for else the plot would jump with each value. */
  #wrapLegend(): void {
    const { classList, scrollWidth, clientWidth } = this.#legend;
    if (scrollWidth > clientWidth) classList.add("wrapped");
  }
}

/** What a plot is made for; as long as it stays the same, only the points change. */
function shapeOf(data: ChartData | undefined): string {
  if (!data || data.time.length === 0) return "";
  const { title, spanSeconds, range, isZoomable, band, series } = data;
  return JSON.stringify([
    title,
    spanSeconds,
    range,
    isZoomable,
    band,
    series.map(({ name, role, unit, axis }) => [name, role, unit, axis]),
  ]);
}

/** The columns that uPlot draws, with an empty row in every gap. */
function columnsOf({ time, series, gapSeconds = Infinity }: ChartData): uPlot.AlignedData {
  const rows: (number | null)[][] = [];
  time.forEach((now, row) => {
    const before = time[row - 1] ?? now;
    if (now - before > gapSeconds * 1000) rows.push([(before + now) / 2, ...series.map(() => null)]);
    rows.push([now, ...series.map(({ values }) => values[row] ?? null)]);
  });
  const columns = [time, ...series].map((_, column) => rows.map((row) => row[column] ?? null));
  return columns as uPlot.AlignedData;
}

function optionsOf(
  data: ChartData,
  text: string,
  palette: Palette,
  current: () => ChartData | undefined,
): Omit<uPlot.Options, "width" | "height"> {
  const { series, range, isZoomable = false } = data;
  const indexOf = (role: SeriesRole) => series.findIndex((each) => each.role === role) + 1;
  const [lower, upper] = [indexOf("lower"), indexOf("upper")];
  const span = (min: number, max: number) => (current()?.spanSeconds ?? Math.max((max - min) / 1000, 10)) * 1000;
  const axis = { stroke: text, font: AXIS_FONT, ticks: { show: false }, grid: { stroke: GRID, width: 1 } };
  const hasRight = series.some((each) => each.axis === "right");
  const hasBars = series.some(({ role }) => role === "bar");
  return {
    ms: 1,
    legend: { show: false },
    // Half a label of the time axis may stand out.
    padding: [8, hasRight ? 0 : 24, 0, 0],
    cursor: {
      // What is chosen in one chart is not chosen in the others.
      sync: {
        key: "da-chart",
        setSeries: false,
        filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
      },
      drag: { x: isZoomable, y: false, setScale: false },
      points: { size: 7 },
    },
    scales: {
      x: { range: (_plot, min, max) => current()?.timeRange ?? [max - span(min, max), max] },
      left: { range: range ?? (hasBars ? barRange : usualRange) },
      right: { range: usualRange },
    },
    axes: [
      {
        ...axis,
        space: 66,
        size: 30,
        values: (_plot, splits, _axis, _space, increment) => splits.map((time) => axisText(time, increment)),
      },
      { ...axis, scale: "left", size: AXIS_WIDTH, space: 34, values: labels, ...(hasBars && { incrs: COUNTS }) },
      ...(hasRight
        ? [
            {
              ...axis,
              scale: "right",
              side: 1,
              size: AXIS_WIDTH,
              space: 34,
              grid: { show: false },
              values: labels,
            } as uPlot.Axis,
          ]
        : []),
    ],
    bands: lower > 0 && upper > 0 ? [{ series: [upper, lower], fill: BAND }] : [],
    series: [{}, ...series.map((each, index) => seriesOf(each, colourOf(series, index, palette), data.band ? 1 : 0))],
  };
}

/** Room above and below the curve; one that has only one value lies in the middle, unless that is zero. */
function usualRange(_plot: uPlot, min: number, max: number): uPlot.Range.MinMax {
  if (min === 0 && max === 0) return [0, 1];
  const margin = Math.abs(min) / 2;
  return min === max ? [min - margin, max + margin] : uPlot.rangeNum(min, max, 0.1, true);
}

function barRange(_plot: uPlot, _min: number, max: number): uPlot.Range.MinMax {
  return [0, Math.max(1, max * 1.1)];
}

function seriesOf({ name, role, axis = "left" }: ChartSeries, colour: string, edge: number): uPlot.Series {
  const common: uPlot.Series = { label: name, scale: axis, stroke: colour, width: 2 };
  switch (role) {
    case "anomaly":
      return {
        ...common,
        paths: () => null,
        points: { show: true, size: 10, width: 2, stroke: colour, fill: "transparent" },
      };
    case "lower":
    case "upper":
      return { ...common, width: edge, points: { show: false } };
    case "limit":
      return { ...common, width: 1.5, dash: [6, 4], points: { show: false } };
    case "bar":
      return { ...common, width: 0, fill: colour, paths: bars, points: { show: false } };
    case "mean":
      return { ...common, width: 1.5, points: { show: false } };
    default:
      return { ...common, points: { size: 4, fill: colour } };
  }
}

function colourOf(series: ChartSeries[], index: number, { values, roles }: Palette): string {
  const role = series[index]?.role ?? "value";
  const nth = series.slice(0, index).filter((each) => each.role === "value").length;
  return roles[role] ?? (values[nth % values.length] as string);
}

const labels = (_plot: uPlot, splits: number[]) => splits.map(axisLabel);

/** What is too long for the room beside an axis is told as a power of ten. */
function axisLabel(value: number): string {
  const text = format(value);
  return text.length > LONGEST_LABEL ? powerOfTen(value) : text;
}

/** The time of day; where a day begins, or nothing shorter is told apart, the date. */
function axisText(time: number, increment: number): string {
  const at = new Date(time);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0;
  return increment >= DAY || isMidnight ? dateText(time) : timeText(time, increment < 60_000);
}

const dateText = (time: number) => new Date(time).toLocaleDateString([], { day: "numeric", month: "short" });

function timeText(time: number, withSeconds: boolean): string {
  const options: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(time).toLocaleTimeString([], withSeconds ? { ...options, second: "2-digit" } : options);
}
