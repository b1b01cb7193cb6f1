/** A historian as simple as can be: it keeps points in an array and computes with simple-statistics what is asked. */
import { max, mean, min, sampleStandardDeviation, sum } from "simple-statistics";
import { parseLine } from "../../core/history/lines.ts";
import {
  type Aggregate,
  type AggregateFunction,
  type AggregateQuery,
  type Catalogue,
  type Chunk,
  type FieldValue,
  MEASUREMENTS,
  type Point,
  type PointTags,
  type RowOptions,
  type Selection,
  type Statistics,
  type StatisticsQuery,
  TAGS,
} from "../../core/history/types.ts";
import type { Historian, RefusedLine } from "../../nodes/lib/historian.ts";

const FUNCTIONS: Record<Exclude<AggregateFunction, "count">, (values: number[]) => number | null> = {
  mean,
  min,
  max,
  sum,
  stdev: (values) => (values.length > 1 ? sampleStandardDeviation(values) : null),
  first: (values) => values[0] ?? null,
  last: (values) => values.at(-1) ?? null,
};

interface Group {
  tags: PointTags;
  field: string;
  values: [time: number, value: FieldValue][];
}

export class MemoryHistorian implements Historian {
  readonly engine = "embedded";
  readonly location = "memory";
  /** By measurement, tags and time. */
  readonly #points = new Map<string, Point>();

  async write(lines: Uint8Array): Promise<RefusedLine[]> {
    for (const line of new TextDecoder().decode(lines).split("\n").filter(Boolean)) {
      const point = parseLine(line);
      const key = JSON.stringify([point.measurement, keyOf(point.tags), point.timestamp]);
      const fields = new Map([...(this.#points.get(key)?.fields ?? []), ...point.fields]);
      this.#points.set(key, { ...point, fields });
    }
    return [];
  }

  async *rows(selection: Selection, { limitPerSeries = Infinity, newestFirst = false }: RowOptions = {}) {
    for (const points of this.#sets(selection)) {
      if (newestFirst) points.reverse();
      const chosen = points.slice(0, limitPerSeries);
      // Small chunks, so that nobody relies on there being one.
      for (let first = 0; first < chosen.length; first += 100) yield chunkOf(chosen.slice(first, first + 100));
    }
  }

  async statistics(query: StatisticsQuery): Promise<Statistics[]> {
    const { limit = Infinity } = query;
    const functions = ["count", "mean", "stdev", "min", "max"] as const;
    const found = await this.aggregate({ ...query, functions });
    const numbers = found.filter(({ columns }) => typeof columns.mean?.[0] === "number");
    if (numbers.length > limit) throw new Error(`more than ${limit} results`);
    return numbers.map(({ tags, field, columns }) => {
      const value = (name: (typeof functions)[number]) => columns[name]?.[0] as number;
      const isOf = (point: Point) => query.groupBy.every((tag) => (point.tags[tag] ?? "") === tags[tag]);
      const points = this.#sets({ ...query, fields: [field] })
        .flat()
        .filter(isOf);
      const sample = points.map(({ fields }) => fields.get(field)).filter((each) => typeof each === "number");
      return {
        tags,
        field,
        count: value("count"),
        mean: value("mean"),
        stdev: value("stdev"),
        min: value("min"),
        max: value("max"),
        sample: Float64Array.from(sample).sort(),
      };
    });
  }

  async aggregate({ every, groupBy, functions, limit = Infinity, ...selection }: AggregateQuery): Promise<Aggregate[]> {
    const groups = new Map<string, Group>();
    for (const { tags, timestamp, fields } of this.#sets(selection).flat()) {
      const own = Object.fromEntries(groupBy.map((tag) => [tag, tags[tag] ?? ""]));
      for (const [field, value] of fields) {
        const key = keyOf(own) + JSON.stringify(field);
        const group: Group = groups.get(key) ?? { tags: own, field, values: [] };
        groups.set(key, group);
        group.values.push([timestamp, value]);
      }
    }
    const found = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
    let count = 0;
    return found.map(([, { tags, field, values }]) => {
      values.sort(([a], [b]) => a - b);
      const startOf = (time: number) => (every === undefined ? selection.from : Math.floor(time / every) * every);
      const times = [...new Set(values.map(([time]) => startOf(time)))];
      count += times.length;
      if (count > limit) throw new Error(`more than ${limit} intervals`);
      const columns = functions.map((name) => {
        const column = times.map((start) => {
          const own = values.filter(([time]) => startOf(time) === start).map(([, value]) => value);
          const numbers = own.filter((value): value is number => typeof value === "number");
          if (name === "count") return own.length;
          return numbers.length > 0 ? FUNCTIONS[name](numbers) : null;
        });
        return [name, column];
      });
      return { tags, field, times, columns: Object.fromEntries(columns) };
    });
  }

  async latest(selection: Selection): Promise<Chunk[]> {
    return this.#sets(selection).flatMap((points) => {
      const last = new Map<string, [time: number, value: FieldValue]>();
      for (const { timestamp, fields } of points)
        for (const [name, value] of fields) last.set(name, [timestamp, value]);
      return Array.from(last, ([field, [time, value]]) => ({
        tags: points[0]?.tags ?? {},
        times: [time],
        fields: [field],
        values: [[value]],
      }));
    });
  }

  async catalogue(): Promise<Catalogue> {
    const points = [...this.#points.values()];
    const sorted = (names: string[]) => [...new Set(names)].sort();
    return {
      tags: Object.fromEntries(
        TAGS.map((tag) => [tag, sorted(points.flatMap(({ tags }) => tags[tag] ?? []))]),
      ) as Catalogue["tags"],
      fields: Object.fromEntries(
        MEASUREMENTS.map((measurement) => {
          const own = points.filter((point) => point.measurement === measurement);
          const numeric = own.flatMap(({ fields }) => [...fields].filter(([, value]) => typeof value === "number"));
          return [measurement, sorted(numeric.map(([name]) => name))];
        }),
      ) as Catalogue["fields"],
    };
  }

  rawSince(): number {
    return -Infinity;
  }

  async check(): Promise<{ version: string }> {
    return { version: "memory" };
  }

  /** The chosen points by set of tags, in the order of time. */
  #sets({ measurement, fields, from, to, tags = {} }: Selection): Point[][] {
    const sets = new Map<string, Point[]>();
    for (const point of this.#points.values()) {
      const isMeant =
        point.measurement === measurement &&
        point.timestamp >= from &&
        point.timestamp < to &&
        TAGS.every((tag) => tags[tag]?.includes(point.tags[tag] ?? "") ?? true);
      const chosen = new Map([...point.fields].filter(([name]) => fields?.includes(name) ?? true));
      if (!isMeant || chosen.size === 0) continue;
      const key = keyOf(point.tags);
      sets.set(key, [...(sets.get(key) ?? []), { ...point, fields: chosen }]);
    }
    const ascending = [...sets].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return ascending.map(([, points]) => points.sort((a, b) => a.timestamp - b.timestamp));
  }
}

/** What orders sets of tags as their values' bytes do: no name holds U+0000. */
function keyOf(tags: PointTags): string {
  return TAGS.map((tag) => tags[tag] ?? "").join("\0");
}

function chunkOf(points: Point[]): Chunk {
  const fields = [...new Set(points.flatMap(({ fields }) => [...fields.keys()]))];
  return {
    tags: points[0]?.tags ?? {},
    times: points.map(({ timestamp }) => timestamp),
    fields,
    values: fields.map((field) => points.map((point) => point.fields.get(field) ?? null)),
  };
}
