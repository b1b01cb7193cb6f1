/** What a historian should answer, worked out naively in memory. */
import { compareTags, compareTexts, tagsKey } from "../../core/history/order.ts";
import {
  type Aggregate,
  type AggregateFunction,
  type AggregateQuery,
  type Catalogue,
  type Chunk,
  type FieldValue,
  MEASUREMENTS,
  type Measurement,
  type Point,
  type PointTags,
  type RowOptions,
  type Selection,
  TAGS,
  type Tag,
} from "../../core/history/types.ts";

/** One instant of one set of tags. */
export interface Row {
  tags: PointTags;
  time: number;
  fields: [name: string, value: FieldValue][];
}

interface Series {
  measurement: Measurement;
  tags: PointTags;
  instants: Map<number, Map<string, FieldValue>>;
}

/** Keeps everything that it is told. */
export class HistoryOracle {
  readonly #series = new Map<string, Series>();

  add({ measurement, tags, timestamp, fields }: Point): void {
    const key = `${measurement}${tagsKey(tags)}`;
    const series = this.#series.get(key) ?? { measurement, tags: withoutEmpty(tags), instants: new Map() };
    this.#series.set(key, series);
    const instant = series.instants.get(timestamp) ?? new Map();
    series.instants.set(timestamp, instant);
    for (const [name, value] of fields) instant.set(name, value);
  }

  rows(selection: Selection, { limitPerSeries = Infinity, newestFirst = false }: RowOptions = {}): Row[] {
    return this.#selected(selection).flatMap(({ tags, rows }) =>
      (newestFirst ? rows.toReversed() : rows).slice(0, limitPerSeries).map((row) => ({ ...row, tags })),
    );
  }

  latest(selection: Selection): Row[] {
    return this.#selected(selection).flatMap(({ tags, rows }) => {
      const seen = new Set<string>();
      const latest: Row[] = [];
      for (const { time, fields } of rows.toReversed()) {
        const fresh = fields.filter(([name]) => !seen.has(name));
        for (const [name] of fresh) seen.add(name);
        if (fresh.length > 0) latest.unshift({ tags, time, fields: fresh });
      }
      return latest;
    });
  }

  aggregate(query: AggregateQuery): Aggregate[] {
    const { every, from, groupBy, functions } = query;
    const groups = new Map<
      string,
      { tags: PointTags; field: string; intervals: Map<number, [number, FieldValue][]> }
    >();
    for (const { tags, time, fields } of this.rows(query)) {
      const grouped: PointTags = Object.fromEntries(groupBy.map((tag) => [tag, tags[tag] ?? ""]));
      for (const [field, value] of fields) {
        const key = `${tagsKey(grouped)}${field}`;
        const group = groups.get(key) ?? { tags: grouped, field, intervals: new Map() };
        groups.set(key, group);
        const start = every === undefined ? from : Math.floor(time / every) * every;
        group.intervals.set(start, [...(group.intervals.get(start) ?? []), [time, value]]);
      }
    }
    return [...groups.values()]
      .sort((a, b) => compareTags(a.tags, b.tags) || compareTexts(a.field, b.field))
      .map(({ tags, field, intervals }) => {
        const sorted = [...intervals].sort(([a], [b]) => a - b);
        const columns = functions.map((name) => [name, sorted.map(([, values]) => compute(name, values))]);
        return { tags, field, times: sorted.map(([time]) => time), columns: Object.fromEntries(columns) };
      });
  }

  catalogue(): Catalogue {
    const tags = Object.fromEntries(TAGS.map((tag) => [tag, new Set<string>()])) as Record<Tag, Set<string>>;
    const fields = Object.fromEntries(MEASUREMENTS.map((name) => [name, new Set<string>()]));
    for (const series of this.#series.values()) {
      for (const tag of TAGS) if (series.tags[tag]) tags[tag].add(series.tags[tag]);
      for (const instant of series.instants.values()) {
        for (const [name, value] of instant) if (typeof value === "number") fields[series.measurement]?.add(name);
      }
    }
    const sorted = (sets: Record<string, Set<string>>) =>
      Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, [...set].sort(compareTexts)]));
    return { tags: sorted(tags) as Catalogue["tags"], fields: sorted(fields) as Catalogue["fields"] };
  }

  #selected(selection: Selection): { tags: PointTags; rows: Row[] }[] {
    const { measurement, fields, from, to, tags = {} } = selection;
    return [...this.#series.values()]
      .filter((series) => series.measurement === measurement)
      .filter((series) => TAGS.every((tag) => tags[tag]?.includes(series.tags[tag] ?? "") ?? true))
      .sort((a, b) => compareTags(a.tags, b.tags))
      .map((series) => ({
        tags: series.tags,
        rows: [...series.instants]
          .filter(([time]) => time >= from && time < to)
          .sort(([a], [b]) => a - b)
          .map(([time, instant]) => ({
            tags: series.tags,
            time,
            fields: sortedFields([...instant].filter(([name]) => fields?.includes(name) ?? true)),
          }))
          .filter((row) => row.fields.length > 0),
      }));
  }
}

/** Chunks of a historian as single rows, with their fields in order and without those that have no value. */
export function rowsOf(chunks: readonly Chunk[]): Row[] {
  return chunks.flatMap(({ tags, times, fields, values }) =>
    times.map((time, place) => {
      const present = fields.map((name, field): [string, FieldValue | null] => [name, values[field]?.[place] ?? null]);
      return {
        tags,
        time,
        fields: sortedFields(present.filter((entry): entry is [string, FieldValue] => entry[1] !== null)),
      };
    }),
  );
}

function sortedFields(fields: [string, FieldValue][]): [string, FieldValue][] {
  return fields.sort(([a], [b]) => compareTexts(a, b));
}

function withoutEmpty(tags: PointTags): PointTags {
  return Object.fromEntries(TAGS.filter((tag) => tags[tag]).map((tag) => [tag, tags[tag]]));
}

function compute(name: AggregateFunction, values: [time: number, value: FieldValue][]): number | null {
  if (name === "count") return values.length;
  const numbers = values.map(([, value]) => value).filter((value) => typeof value === "number");
  if (numbers.length === 0) return null;
  const sum = numbers.reduce((a, b) => a + b, 0);
  const mean = sum / numbers.length;
  const at = (time: number) =>
    Math.max(...values.filter((value) => value[0] === time).map(([, value]) => Number(value)));
  const times = values.map(([time]) => time);
  switch (name) {
    case "sum":
      return sum;
    case "mean":
      return mean;
    case "min":
      return Math.min(...numbers);
    case "max":
      return Math.max(...numbers);
    case "first":
      return at(Math.min(...times));
    case "last":
      return at(Math.max(...times));
    case "stdev":
      if (numbers.length < 2) return null;
      return Math.sqrt(numbers.reduce((total, value) => total + (value - mean) ** 2, 0) / (numbers.length - 1));
  }
}
