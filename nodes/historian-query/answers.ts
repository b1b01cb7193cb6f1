/** The answer to each type of question, from any historian. */
import { quantileSorted } from "simple-statistics";
import { CorrelationMatrix } from "../../core/history/correlation.ts";
import { Distribution } from "../../core/history/distribution.ts";
import {
  combineIntervals,
  type IntervalPlan,
  neededFunctions,
  planIntervals,
  type Range,
  usualInterval,
  wholeRange,
} from "../../core/history/intervals.ts";
import { FIVE_MINUTES, levelFor } from "../../core/history/levels.ts";
import { PointSeries, presentTags, seriesOf } from "../../core/history/series.ts";
import { groupKey, groupTags } from "../../core/history/statistics.ts";
import type {
  Aggregate,
  AggregateFunction,
  Chunk,
  FieldValue,
  PointTags,
  Selection,
  Tag,
} from "../../core/history/types.ts";
import { type Historian, QueryError } from "../lib/historian.ts";
import type { Registry } from "../lib/registry.ts";
import { journalLines } from "./journal.ts";
import { type HistoryQuery, limitsOf } from "./query.ts";
import { selectionOf, tagsOf } from "./selection.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Metrics of which each two are correlated. */
const MAX_CORRELATED = 50;

/** Numbers of a statistic, and of a distribution at least. */
const STATISTIC_SIZE = 10;
const DISTRIBUTION_SIZE = 200;

const QUANTILES = { p05: 0.05, p25: 0.25, median: 0.5, p75: 0.75, p95: 0.95 };

/** What a question is answered from. */
export interface Asking {
  historian: Historian;
  query: HistoryQuery;
  /** ms since 1970. */
  now: number;
  signal: AbortSignal;
  /** Knows what people call the devices. */
  registry: Registry | undefined;
}

type Answer = (asking: Asking) => Promise<object>;

/** Answers as plain JSON. They throw a QueryError when a list of values would be larger than the query's limit allows. */
export const ANSWERS = {
  series,
  latest,
  aggregate,
  statistics,
  distribution,
  correlation,
  events,
  journal,
} satisfies Record<string, Answer>;

async function series(asking: Asking): Promise<object> {
  const { historian, query, now, signal } = asking;
  const { from, to, every, maxPoints, limit } = query;
  if (every !== "raw" && !(every === "auto" && isRaw(asking))) return intervals(asking, tagsOf(query.measurement));
  const selection = await selectionOf(historian, query);
  const points = new PointSeries();
  if (selection) {
    const isAuto = every === "auto";
    for await (const chunk of historian.rows(selection, { signal, ...(isAuto && { limitPerSeries: maxPoints + 1 }) })) {
      points.add(chunk);
      if (isAuto && (points.longest > maxPoints || points.count > limit)) {
        return intervals(asking, tagsOf(query.measurement));
      }
      if (points.count > limit) throw tooMuch(limit);
    }
  }
  return { series: points.result(), from: Math.max(from, historian.rawSince(now)), to, every: 0, level: 0 };
}

function aggregate(asking: Asking): Promise<object> {
  return intervals(asking, asking.query.groupBy);
}

async function intervals(asking: Asking, groupBy: readonly Tag[]): Promise<object> {
  const { historian, query, now } = asking;
  const { from, to, functions, maxPoints } = query;
  if (query.every === "raw") throw new QueryError("every: raw values have no groups: choose a length, auto, or all");
  const usual = usualInterval(to - from, maxPoints);
  const every = query.every === "auto" ? Math.max(usual, isRaw(asking) ? 0 : FIVE_MINUTES) : query.every;
  const selection = await selectionOf(historian, query);
  const { aggregates, asked } = await cutUp(asking, selection, every, groupBy, functions);
  const level = levelFor(asked, historian.rawSince(now));
  const { from: begin, to: end } = asked;
  const length = every === "all" ? end - begin : every;
  return { series: aggregates.map(seriesOf), from: begin, to: end, every: length, level };
}

/** The functions of intervals, which may be days of a time zone. */
async function cutUp(
  { historian, query, signal }: Asking,
  selection: Selection | undefined,
  every: number | "all",
  groupBy: readonly Tag[],
  functions: readonly AggregateFunction[],
) {
  const { from, to, timeZone, limit, measurement } = query;
  const { starts, ...plan }: Range & Partial<IntervalPlan> =
    every === "all" ? wholeRange({ from, to }) : planIntervals({ from, to }, every, timeZone);
  const asked = {
    ...(selection ?? { measurement }),
    ...plan,
    groupBy,
    functions: starts ? neededFunctions(functions) : functions,
    // Shorter intervals than those of the answer are more.
    limit: Math.ceil(limit / functions.length) * (every === "all" ? 1 : Math.ceil(every / (plan.every ?? every))),
    signal,
  };
  const found = selection ? await historian.aggregate(asked) : [];
  const aggregates: Aggregate[] = starts ? combineIntervals(found, starts, functions) : found;
  const count = aggregates.reduce((sum, { times }) => sum + times.length * functions.length, 0);
  if (count > limit) throw tooMuch(limit);
  return { aggregates, asked };
}

async function latest({ historian, query, signal, registry }: Asking): Promise<object> {
  const { from, to, limit } = query;
  const selection = await selectionOf(historian, query, "values");
  const sets = new Map<string, { tags: PointTags; values: Map<string, [value: FieldValue, time: number]> }>();
  let count = 0;
  for (const { tags, times, fields, values } of selection ? await historian.latest(selection, signal) : []) {
    const present = presentTags(tags);
    const key = JSON.stringify(present);
    const set = sets.get(key) ?? { tags: present, values: new Map() };
    sets.set(key, set);
    for (const [place, field] of fields.entries()) {
      const value = values[place]?.[0] ?? null;
      if (value === null) continue;
      set.values.set(field, [value, times[0] as number]);
      if (++count > limit) throw tooMuch(limit);
    }
  }
  const latest = Array.from(sets.values(), ({ tags, values }) => {
    const { name } = registry?.get(tags.device ?? "") ?? {};
    return {
      ...tags,
      ...(name !== undefined && { name }),
      timestamp: Math.max(...Array.from(values.values(), ([, time]) => time)),
      values: Object.fromEntries(Array.from(values, ([field, [value]]) => [field, value])),
      times: Object.fromEntries(Array.from(values, ([field, [, time]]) => [field, time])),
    };
  });
  return { latest, from, to };
}

async function statistics(asking: Asking): Promise<object> {
  const { historian, query, signal } = asking;
  const { from, to, groupBy, limit } = query;
  const selection = await selectionOf(historian, query);
  if (!selection) return { statistics: [], from, to };
  const asked = { ...selection, groupBy, limit: Math.ceil(limit / STATISTIC_SIZE), signal };
  const kept = await historian.statistics(asked);
  const samples = new Map(kept.map(({ tags, field, sample }) => [groupKey(tags, groupBy, field), sample]));
  const functions = ["count", "mean", "stdev", "min", "max"] as const;
  const rolledUp = async () =>
    (await historian.aggregate({ ...asked, functions })).map(({ tags, field, columns }) => {
      const values = functions.map((name) => [name, columns[name]?.[0] ?? null]);
      return { tags, field, ...(Object.fromEntries(values) as Record<(typeof functions)[number], number | null>) };
    });
  const found = isRaw(asking) ? kept : await rolledUp();
  return {
    statistics: found.map(({ tags, field, count, mean, stdev, min, max }) => {
      const sorted = Array.from(samples.get(groupKey(tags, groupBy, field)) ?? []);
      const quantiles = Object.entries(QUANTILES).map(([name, share]) => {
        return [name, sorted.length > 0 ? quantileSorted(sorted, share) : null];
      });
      return {
        ...presentTags(tags),
        field,
        ...{ count, mean, stdev, min, max },
        ...Object.fromEntries(quantiles),
        quantilesOf: sorted.length,
      };
    }),
    from,
    to,
  };
}

async function distribution(asking: Asking): Promise<object> {
  const { historian, query, now, signal } = asking;
  const { groupBy, limit, to } = query;
  const from = Math.max(query.from, historian.rawSince(now));
  const selection = await selectionOf(historian, query);
  if (!selection) return { distributions: [], from, to };
  const most = Math.ceil(limit / DISTRIBUTION_SIZE);
  const limits = limitsOf(query);
  const found = (await historian.statistics({ ...selection, groupBy, limit: most, signal })).map((statistics) => ({
    statistics,
    distribution: new Distribution(statistics, limits),
  }));
  for (const { distribution } of found) if (distribution.isWhole) distribution.pushSample();
  // What the samples do not hold is counted in a second pass.
  const partial = new Map(
    found
      .filter(({ distribution }) => !distribution.isWhole)
      .map(({ statistics: { tags, field }, distribution }) => [groupKey(tags, groupBy, field), distribution]),
  );
  for await (const { tags, fields, values } of partial.size > 0 ? historian.rows(selection, { signal }) : []) {
    for (const [place, field] of fields.entries()) {
      const distribution = partial.get(groupKey(tags, groupBy, field));
      for (const value of (distribution && values[place]) ?? [])
        if (typeof value === "number") distribution?.push(value);
    }
  }
  return {
    distributions: found.map(({ statistics: { tags, field }, distribution }) => ({
      ...presentTags(tags),
      field,
      ...distribution.result(),
    })),
    from,
    to,
  };
}

async function correlation({ historian, query, now, signal }: Asking): Promise<object> {
  const { groupBy, limit, to } = query;
  const from = Math.max(query.from, historian.rawSince(now));
  const selection = await selectionOf(historian, query);
  if (!selection) return { correlations: [], from, to };
  const { fields } = selection;
  if (fields.length > MAX_CORRELATED) {
    throw new QueryError(`metrics: ${fields.length} are too many to be correlated, choose at most ${MAX_CORRELATED}`);
  }
  const groups = new Map<string, { tags: PointTags; matrix: CorrelationMatrix }>();
  for await (const chunk of historian.rows(selection, { signal })) {
    const tags = groupTags(chunk.tags, groupBy);
    const key = JSON.stringify(tags);
    const group = groups.get(key) ?? { tags, matrix: new CorrelationMatrix(fields) };
    groups.set(key, group);
    if (2 * groups.size * fields.length ** 2 > limit) throw tooMuch(limit);
    group.matrix.add(chunk);
  }
  const correlations = Array.from(groups.values(), ({ tags, matrix }) => {
    return { ...presentTags(tags), ...matrix.result() };
  });
  return { correlations, from, to };
}

async function events(asking: Asking): Promise<object> {
  const { historian, query, signal } = asking;
  const { from, to, groupBy, limit } = query;
  const of = (measurement: "alarms" | "status" | "verdicts", metrics: string[]) =>
    selectionOf(historian, { ...query, measurement, metrics }, "values");
  const journal = async (measurement: "alarms" | "status") => {
    const selection = await of(measurement, []);
    return selection ? await recordsOf(historian.rows(selection, { signal }), limit) : [];
  };
  const verdicts = await of("verdicts", ["isAnomaly"]);
  const functions = ["count", "sum"] as const;
  const counted = ({ columns: { count = [], sum = [] } }: Aggregate) => ({ verdicts: count, anomalies: sum });
  const over = async (every: number) => {
    const { aggregates } = await cutUp(asking, verdicts, every, groupBy, functions);
    return aggregates.map((each) => ({ ...presentTags(each.tags), times: each.times, ...counted(each) }));
  };
  const by = async (tag: Tag) => {
    const found = verdicts
      ? await historian.aggregate({ ...verdicts, groupBy: [tag], functions, limit: Math.ceil(limit / 3), signal })
      : [];
    return found.map((each) => {
      const {
        verdicts: [count = 0],
        anomalies: [anomalies = 0],
      } = counted(each);
      return { ...presentTags(each.tags), verdicts: count, anomalies, share: (anomalies ?? 0) / (count ?? 1) };
    });
  };
  return {
    alarms: await journal("alarms"),
    status: await journal("status"),
    anomalies: {
      hours: await over(HOUR),
      days: await over(DAY),
      devices: await by("device"),
      locations: await by("location"),
    },
    from,
    to,
  };
}

async function journal({ historian, query, signal }: Asking): Promise<object> {
  const { from, to } = query;
  return { lines: await journalLines(historian, query, signal), from, to };
}

/** Points as records, the newest first. */
async function recordsOf(rows: AsyncIterable<Chunk>, limit: number): Promise<{ timestamp: number }[]> {
  const records: { timestamp: number }[] = [];
  let count = 0;
  for await (const { tags, times, fields, values } of rows) {
    for (const [row, timestamp] of times.entries()) {
      const cells = fields.map((field, place): [string, FieldValue | null] => [field, values[place]?.[row] ?? null]);
      const present = cells.filter(([, value]) => value !== null);
      count += present.length;
      if (count > limit) throw tooMuch(limit);
      records.push({ ...Object.fromEntries(present), ...presentTags(tags), timestamp });
    }
  }
  return records.sort((a, b) => b.timestamp - a.timestamp);
}

/** True if all that is asked for is kept as it was written. */
function isRaw({ historian, query, now }: Asking): boolean {
  return query.measurement !== "readings" || query.from >= historian.rawSince(now);
}

function tooMuch(limit: number): QueryError {
  return new QueryError(
    `the answer would hold more than ${limit} values: choose fewer devices or metrics, a shorter range, a longer every, or a higher limit`,
  );
}
