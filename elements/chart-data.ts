/** The message of a chart: what it shows, and how what it shows goes on. */

/**
 * How a series is drawn. `lower` and `upper` are the edges of one band, `anomaly` marks points, `limit` is a line, `bar`
 * stands on zero from its time on.
 */
export type SeriesRole = "value" | "mean" | "lower" | "upper" | "anomaly" | "limit" | "bar";

export interface ChartSeries {
  name: string;
  role: SeriesRole;
  /** One for each time; null where there is none, which interrupts the line. */
  values: (number | null)[];
  unit?: string;
  /** The axis that it is measured on. Left when absent. */
  axis?: "left" | "right";
}

/** A whole chart. */
export interface ChartData {
  title?: string;
  /** ms since 1970, ascending. */
  time: number[];
  series: ChartSeries[];
  /** How far back the chart reaches from its newest point; all of it when absent. */
  spanSeconds?: number;
  /** A longer silence than this interrupts the lines. */
  gapSeconds?: number;
  /** The oldest points make room beyond this number. 2000 when absent. */
  maxPoints?: number;
  /** Ends of the left axis that are always to be seen. */
  range?: [number, number];
  /** Ends of the time axis, ms since 1970; those of the points when absent. */
  timeRange?: [number, number];
  /** What the band is called, which then has edges, so that a peak of one point is seen; `normal` when absent. */
  band?: string;
  /** A stretch of time can be chosen by dragging: the chart dispatches `zoom` with its `from` and `to`, ms since 1970. */
  isZoomable?: boolean;
}

/** Points that follow those of the chart: times, and for each of its series, in their order, as many values. */
export interface ChartAppend {
  append: { time: number[]; values: (number | null)[][] };
}
