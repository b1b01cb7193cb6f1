/**
 * `<da-histogram>`: how values are distributed, their density, and what lies beyond limits.
 *
 * It takes HistogramData through the property `data`, from any dashboard. Its height is that of its style.
 */
import type { DistributionResult } from "../core/history/distribution.ts";
import ownStyle from "./da-histogram.css";
import { format, ListElement, withUnit } from "./parts.ts";

/** As the node historian-query tells a distribution. */
export type HistogramData = DistributionResult & { field: string; unit?: string };

/** Room around the plot, px. */
const LEFT = 56;
const RIGHT = 14;
const TOP = 22;
const BOTTOM = 26;

/** Half the width of the bar of values that are all the same, px. */
const THIN = 8;

/** Distance of two labels, px. */
const LABEL_DISTANCE = 90;

export class DaHistogram extends ListElement<HistogramData, object> {
  #data: HistogramData | undefined;
  /** What is drawn: the message, and the size. */
  #drawn: unknown[] = [];

  constructor() {
    super(
      ownStyle,
      '<div class="head"><b class="title"></b> <span class="faint number"></span></div><svg role="img"></svg><div class="empty"></div>',
    );
  }

  /** What is shown. */
  get data(): HistogramData | null | undefined {
    return this.#data;
  }

  set data(data: HistogramData | null | undefined) {
    this.#data = data ?? undefined;
    this.redraw();
  }

  protected draw(): void {
    const svg = this.root.querySelector("svg") as SVGSVGElement;
    const { width, height } = svg.getBoundingClientRect();
    const drawn = [this.#data, width, height];
    if (drawn.every((each, place) => each === this.#drawn[place])) return;
    this.#drawn = drawn;
    const data = this.#data;
    this.find(".empty").textContent = data ? "" : "No values in this time";
    this.find(".empty").hidden = data !== undefined;
    this.find(".title").textContent = data?.field ?? "";
    this.find(".number").textContent = data ? summaryOf(data) : "";
    svg.setAttribute("aria-label", data ? `Histogram of ${data.field}: ${summaryOf(data)}` : "");
    svg.replaceChildren(...(data && width > 0 ? partsOf(data, width, height) : []));
  }
}

/** How many there are, and how many of them lie beyond the limits. */
function summaryOf({ count, unit, limits }: HistogramData): string {
  const beyond = (side: string, limit: number | undefined, hit: number, share: number) =>
    limit === undefined
      ? []
      : [`${hit.toLocaleString("en")} (${format(100 * share)} %) ${side} ${withUnit(limit, unit)}`];
  return [
    `${count.toLocaleString("en")} values${unit ? ` in ${unit}` : ""}`,
    ...beyond("below", limits.lower, limits.below, limits.belowShare),
    ...beyond("above", limits.upper, limits.above, limits.aboveShare),
  ].join(" · ");
}

function partsOf(data: HistogramData, width: number, height: number): SVGElement[] {
  const { edges, counts, density, count, limits, unit } = data;
  const given = [limits.lower, limits.upper].filter((limit) => limit !== undefined);
  const [first = 0, last = 0] = [edges[0], edges.at(-1)];
  // One value alone has a bin without width.
  const room = first === last ? Math.max(1, Math.abs(first) / 10) : 0;
  const from = Math.min(first - room, ...given);
  const to = Math.max(last + room, ...given);
  const x = (value: number) => LEFT + ((value - from) / (to - from)) * (width - LEFT - RIGHT);
  const most = Math.max(1, ...counts);
  const perBin = (count * (last - first)) / counts.length;
  const curve = (density?.values ?? []).map(
    (value, place) => [value, (density?.densities[place] ?? 0) * perBin] as const,
  );
  const seen = curve.filter(([value]) => value >= from && value <= to);
  const highest = Math.max(most, ...seen.map(([, height]) => height)) * 1.05;
  const y = (number: number) => height - BOTTOM - (number / highest) * (height - TOP - BOTTOM);
  const bars = counts.flatMap((number, place) => {
    const [left = 0, right = 0] = [edges[place], edges[place + 1]];
    const bar = (kind: string, begin: number, end: number) =>
      shape("rect", {
        class: kind,
        x: begin,
        y: y(number),
        width: Math.max(1, end - begin - 1),
        height: height - BOTTOM - y(number),
        "data-count": number,
      });
    if (left === right) return [bar("bar", x(left) - THIN, x(left) + THIN)];
    const { lower = -Infinity, upper = Infinity } = limits;
    return [
      bar("bar", x(left), x(right)),
      ...(left < lower ? [bar("hit", x(left), x(Math.min(lower, right)))] : []),
      ...(right > upper ? [bar("hit", x(Math.max(upper, left)), x(right))] : []),
    ];
  });
  const path = seen.map(([value, number], place) => `${place === 0 ? "M" : "L"}${x(value)} ${y(number)}`).join("");
  const lines = given.flatMap((limit) => [
    shape("line", { class: "limit", x1: x(limit), x2: x(limit), y1: TOP - 4, y2: height - BOTTOM }),
    shape(
      "text",
      { class: "limit", x: x(limit), y: TOP - 8, "text-anchor": anchorOf(x(limit), width) },
      withUnit(limit, unit),
    ),
  ]);
  const labels = ticks(from, to, (width - LEFT - RIGHT) / LABEL_DISTANCE).map((value) =>
    shape("text", { x: x(value), y: height - 8, "text-anchor": "middle" }, format(value)),
  );
  const grid = ticks(0, highest, 4).flatMap((number) => [
    shape("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(number), y2: y(number) }),
    shape("text", { x: LEFT - 8, y: y(number) + 4, "text-anchor": "end" }, format(number)),
  ]);
  return [...grid, ...bars, shape("path", { class: "density", d: path }), ...lines, ...labels];
}

function anchorOf(x: number, width: number): string {
  if (x < 2 * LEFT) return "start";
  return x > width - 2 * LEFT ? "end" : "middle";
}

/** Round numbers within two bounds, about so many. */
function ticks(from: number, to: number, wanted: number): number[] {
  const rough = (to - from) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, place) => (first + place) * step);
}

function shape(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}
