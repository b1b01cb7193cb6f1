/**
 * The messages of elements that show the past. They dispatch `command` with the command `query` and a Question; what is
 * to be given back through `data` is the answer of the node historian-query to its `query`, or why there is none. The
 * command `abandon`, with the question's id, says that its answer is no longer waited for.
 */
import type { Correlations } from "../core/history/correlation.ts";
import type { DistributionResult } from "../core/history/distribution.ts";
import type { Series } from "../core/history/series.ts";

/** What is asked: the payload of the command `query`. An element asks one thing at a time. */
export interface Question {
  id: string;
  /** As the node historian-query takes it as `msg.query`. */
  query: Readonly<Record<string, unknown>> & { queryType: QuestionType };
}

export type QuestionType = "series" | "aggregate" | "latest" | "statistics" | "distribution" | "correlation";

export type HistoryMessage =
  /** With an answer come the units of metrics, by their names; what is not there has none. */
  | { id: string; answer: HistoryAnswer; units?: Readonly<Record<string, string>> }
  | { id: string; error: string }
  /** The connection is new: what is shown is to be asked for again. */
  | { ask: true };

type Group = { device?: string; location?: string };

/** The lists that answers hold, each only in the answer to its own question. */
export interface HistoryAnswer {
  /** ms since 1970. */
  from: number;
  to: number;
  /** Length of the intervals, ms; 0 where values are as they were stored. */
  every?: number;
  series?: Series[];
  /** `name`: what people call the device. */
  latest?: (Group & { name?: string; timestamp: number; values: Record<string, unknown> })[];
  /** `quantilesOf`: how many of the values the quantiles are of. */
  statistics?: (Group & { field: string; count: number; quantilesOf: number } & Record<StatisticName, number | null>)[];
  distributions?: (Group & { field: string } & DistributionResult)[];
  correlations?: (Group & Correlations)[];
}

export type StatisticName = "mean" | "stdev" | "min" | "max" | "p05" | "p25" | "median" | "p75" | "p95";

/** What somebody has chosen to see. It can be kept, and given back to another element. */
export interface HistoryChoice {
  device?: string | undefined;
  /** A location in place of a device. */
  location?: string | undefined;
  metrics?: string[] | undefined;
  /** A length up to now; what is zoomed into or chosen as from–to comes before it. */
  range?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
  /** Nothing is asked for again by itself. */
  isManual?: boolean | undefined;
}
