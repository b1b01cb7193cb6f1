/** Answers as a chart takes them: one series for each set of tags and field. */
import type { Aggregate, AggregateFunction, Chunk, FieldValue, PointTags } from "./types.ts";

/** Values of one field over time; either each as it was written, or functions of intervals, which begin at `times`. */
export type Series = PointTags & {
  field: string;
  /** ms since 1970, ascending. */
  times: number[];
  values?: FieldValue[];
} & { [name in AggregateFunction]?: (number | null)[] };

/** The tags that have a value. */
export function presentTags(tags: PointTags): PointTags {
  return Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== ""));
}

export function seriesOf({ tags, field, times, columns }: Aggregate): Series {
  return { ...presentTags(tags), field, times, ...columns };
}

/** Collects the points of chunks by set of tags and field. */
export class PointSeries {
  /** All values. */
  count = 0;
  /** Values of the longest series. */
  longest = 0;
  /** The series by set of tags, then by field. */
  readonly #sets = new Map<string, Map<string, Series & { values: FieldValue[] }>>();

  /** O(its values) */
  add({ tags, times, fields, values }: Chunk): void {
    const present = presentTags(tags);
    const key = JSON.stringify(present);
    const set = this.#sets.get(key) ?? new Map<string, Series & { values: FieldValue[] }>();
    this.#sets.set(key, set);
    for (const [place, field] of fields.entries()) {
      const series = set.get(field) ?? { ...present, field, times: [], values: [] };
      for (const [row, value] of values[place]?.entries() ?? []) {
        if (value === null) continue;
        series.times.push(times[row] as number);
        series.values.push(value);
        this.count++;
      }
      if (series.times.length > 0) set.set(field, series);
      this.longest = Math.max(this.longest, series.times.length);
    }
  }

  /** Sets of tags in the order in which they came, fields ascending within one. */
  result(): Series[] {
    return [...this.#sets.values()].flatMap((set) => [...set.values()].sort((a, b) => (a.field < b.field ? -1 : 1)));
  }
}
