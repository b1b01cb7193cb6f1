/** What a historian keeps, and how it is asked. Its line protocol lives in lines.ts. */

/** Kinds of points, each a measurement of InfluxDB. */
export const MEASUREMENTS = [
  "readings",
  "features",
  "verdicts",
  "health",
  "windows",
  "alarms",
  "status",
  "predictions",
  "audit",
] as const;

export type Measurement = (typeof MEASUREMENTS)[number];

/** What points are told apart by, beside their time. Each takes few different values, devices apart. */
export const TAGS = ["device", "location", "detector", "condition", "change"] as const;

export type Tag = (typeof TAGS)[number];

export type PointTags = Partial<Record<Tag, string>>;

/** A number or a text. A field never changes its type. */
export type FieldValue = number | string;

/** One instant of one set of tags. A later point of the same measurement, tags and time replaces the fields it names. */
export interface Point {
  measurement: Measurement;
  tags: PointTags;
  /** ms since 1970. */
  timestamp: number;
  /** At least one; names are foreign, so this is no object. */
  fields: ReadonlyMap<string, FieldValue>;
}

/** Which points are meant. */
export interface Selection {
  measurement: Measurement;
  /** Without it, all. */
  fields?: readonly string[];
  /** ms since 1970; `from` is included, `to` is not. */
  from: number;
  to: number;
  /** For each tag named here, one of these values; "" is a point without that tag. */
  tags?: { readonly [tag in Tag]?: readonly string[] };
}

/** Points of one set of tags, in columns; `values[f][i]` is field `fields[f]` at `times[i]`, null where it has none. */
export interface Chunk {
  tags: PointTags;
  /** ms since 1970, each once. */
  times: number[];
  fields: string[];
  values: (FieldValue | null)[][];
}

export interface RowOptions {
  /** At most so many instants of each set of tags. */
  limitPerSeries?: number;
  /** Times descend; with `limitPerSeries`, the latest. */
  newestFirst?: boolean;
  signal?: AbortSignal;
}

/**
 * What can be computed of a field over a while. `stdev` is the sample deviation; of several values at one instant, the
 * greatest is `first` and `last`. Texts are only counted.
 */
export const AGGREGATES = ["count", "mean", "min", "max", "sum", "stdev", "first", "last"] as const;

export type AggregateFunction = (typeof AGGREGATES)[number];

/** Numbers over intervals, by tags. */
export interface AggregateQuery extends Selection {
  /** Length of an interval in ms; intervals are aligned to 1970. Without it, the whole range is one. */
  every?: number;
  /** One result for each combination of these; without any, one for everything that is selected. */
  groupBy: readonly Tag[];
  functions: readonly AggregateFunction[];
  /** More intervals than this, over all groups and fields, are an error. */
  limit?: number;
  signal?: AbortSignal;
}

/** One field of one group; intervals without a value are missing. */
export interface Aggregate {
  /** The tags that are grouped by; a missing one is "". */
  tags: PointTags;
  field: string;
  /** Beginnings of the intervals, ms since 1970, ascending; without `every`, `from` alone. */
  times: number[];
  /** By function, as long as `times`; `null` where there is none (the `stdev` of one value, the `mean` of texts). */
  columns: Partial<Record<AggregateFunction, (number | null)[]>>;
}

/** All numbers of fields by tags. */
export interface StatisticsQuery extends Selection {
  /** One result for each combination of these; without any, one for everything that is selected. */
  groupBy: readonly Tag[];
  /** More results than this, over all groups and fields, are an error. */
  limit?: number;
  signal?: AbortSignal;
}

/** What is known of all numbers of one field of one group, at least one. */
export interface Statistics {
  /** The tags that are grouped by; a missing one is "". */
  tags: PointTags;
  field: string;
  count: number;
  mean: number;
  /** The sample deviation; null of one value. */
  stdev: number | null;
  min: number;
  max: number;
  /** Ascending: all values, or where there are too many, a regular sample of them. */
  sample: Float64Array;
}

/** What there is to choose from. */
export interface Catalogue {
  /** Values of each tag, ascending. */
  tags: Record<Tag, string[]>;
  /** Names of numeric fields by measurement, ascending. */
  fields: Record<Measurement, string[]>;
}
