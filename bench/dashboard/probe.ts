/** What runs within the page and notes when it shows its first figures, and when it shows newer ones. */
import type { DaChart } from "../../elements/da-chart.ts";

export const PAGES = ["Live", "Devices", "Alarms", "Trends", "Windows", "Analytics", "Streaming"] as const;
export type PageName = (typeof PAGES)[number];

/** Pages that go on by themselves each second, and those of them that have charts. */
export const LIVE: readonly PageName[] = ["Live", "Devices", "Alarms", "Streaming"];
export const CHARTS: readonly PageName[] = ["Live", "Devices"];

/** What the probe has noted, in `window.probe`. */
export interface Noted {
  /** Since the page was opened, ms; undefined before. */
  firstFigures: number | undefined;
  /** Times at which something newer was there to see, ms since 1970. */
  updates: number[];
  /** How old the newest value in a chart was when it was drawn, ms. */
  ages: number[];
}

/**
 * To be given to a page before anything else in it runs, as text: it refers to nothing outside. Looks 20 times a second,
 * so its times are up to 50 ms late; only until the first figures unless `isNoted`.
 */
export function probe(page: PageName, isNoted: boolean): void {
  const PERIOD = 50;
  // Both have charts of the chosen device.
  for (const name of ["live", "devices"]) {
    sessionStorage.setItem(`device-analytics.${name}`, JSON.stringify({ deviceId: "unit1" }));
  }
  const noted: Noted = { firstFigures: undefined, updates: [], ages: [] };
  Object.assign(window, { probe: noted });

  const element = () => document.querySelector<HTMLElement & { data: unknown }>(`da-${page.toLowerCase()}`);
  const all = <E extends Element = HTMLElement>(selector: string, root = element()?.shadowRoot ?? document) => [
    ...root.querySelectorAll<E>(selector),
  ];
  const charts = () => all<DaChart>("da-chart");
  const isDrawn = () => charts().some((chart) => chart.points.length > 0);
  const figures = () => all(".da-figure .value", document).map((figure) => figure.textContent?.trim() ?? "");
  const isFigure = (text = "") => /\d/.test(text);

  const hasFigures: Record<PageName, () => boolean> = {
    Live: () => isFigure(figures()[0]) && isDrawn(),
    Devices: () => all(".rows > [role=row]").filter((row) => / s ago/.test(row.textContent ?? "")).length >= 10,
    Alarms: () => all(".figures .figure").length > 4,
    Trends: () => isDrawn(),
    Windows: () => isDrawn(),
    Analytics: () => all("da-histogram").some((each) => (each.shadowRoot?.querySelectorAll("svg > *").length ?? 0) > 0),
    Streaming: () => isFigure(figures()[0]),
  };
  // What every update changes, whatever it brings.
  const shown = () => (page === "Live" || page === "Streaming" ? figures().join() : element()?.data);

  let last: unknown;
  const newest = new Map<string, number>();
  const timer = setInterval(() => {
    if (noted.firstFigures === undefined) {
      if (!hasFigures[page]()) return;
      noted.firstFigures = performance.now();
      if (!isNoted) clearInterval(timer);
      return;
    }
    const now = Date.now();
    const present = shown();
    if (present !== last) noted.updates.push(now);
    last = present;
    for (const chart of charts()) {
      const { data, dataset } = chart;
      const time = data && "time" in data ? data.time.at(-1) : undefined;
      if (time === undefined) continue;
      const name = dataset.chart ?? "";
      const before = newest.get(name);
      newest.set(name, time);
      if (before !== undefined && time > before) noted.ages.push(now - time);
    }
  }, PERIOD);
}
