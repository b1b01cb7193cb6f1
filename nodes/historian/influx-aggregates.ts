/** Puts together what several statements say of the same intervals, some of them rolled up and some not. */
import { compareTags, compareTexts, tagsKey } from "../../core/history/order.ts";
import type { Aggregate, AggregateFunction, AggregateQuery, PointTags } from "../../core/history/types.ts";
import { QueryError } from "../lib/historian.ts";

/** What is known of a field in an interval. */
type Cell = Partial<Record<AggregateFunction, number>>;

interface Column {
  field: string;
  part: AggregateFunction;
}

/** The intervals of one group and field by their beginnings. */
interface Track {
  tags: PointTags;
  field: string;
  cells: Map<number, Cell>;
}

/** The answer to one query as it comes together. Counts and sums of parts of an interval add up. */
export class AggregateTable {
  readonly #query: AggregateQuery;
  readonly #tracks = new Map<string, Track>();
  #count = 0;

  constructor(query: AggregateQuery) {
    this.#query = query;
  }

  /**
   * Adds rows of one group: a time and then one value for each column.
   *
   * @throws QueryError when there are more intervals than the query wants
   */
  add(tags: PointTags, columns: readonly Column[], rows: readonly (readonly (number | string | null)[])[]): void {
    const { every, from } = this.#query;
    const key = tagsKey(tags);
    const tracks = columns.map(({ field }) => this.#track(key, tags, field));
    for (const [time, ...values] of rows) {
      const start = every === undefined ? from : Math.floor(Number(time) / every) * every;
      for (const [place, value] of values.entries()) {
        const track = tracks[place];
        const column = columns[place];
        if (typeof value !== "number" || !track || !column) continue;
        if (column.part === "count" && value === 0) continue;
        put(this.#cell(track, start), column.part, value);
      }
    }
  }

  /** All groups and fields that have a value, in order. */
  result(): Aggregate[] {
    const { groupBy, functions } = this.#query;
    return [...this.#tracks.values()]
      .filter(({ cells }) => cells.size > 0)
      .sort((a, b) => compareTags(a.tags, b.tags) || compareTexts(a.field, b.field))
      .map(({ tags, field, cells }) => {
        const sorted = [...cells].sort(([a], [b]) => a - b);
        const columns = functions.map((name) => [name, sorted.map(([, cell]) => outcome(cell, name))]);
        return {
          tags: Object.fromEntries(groupBy.map((tag) => [tag, tags[tag] ?? ""])),
          field,
          times: sorted.map(([time]) => time),
          columns: Object.fromEntries(columns),
        };
      });
  }

  #track(key: string, tags: PointTags, field: string): Track {
    const name = `${key}${field}`;
    let track = this.#tracks.get(name);
    if (!track) {
      track = { tags, field, cells: new Map() };
      this.#tracks.set(name, track);
    }
    return track;
  }

  #cell({ cells }: Track, start: number): Cell {
    let cell = cells.get(start);
    if (!cell) {
      const { limit = Infinity } = this.#query;
      if (++this.#count > limit) {
        throw new QueryError(
          `the answer has more than ${limit} intervals: ask for longer ones, a shorter range or fewer devices`,
        );
      }
      cell = {};
      cells.set(start, cell);
    }
    return cell;
  }
}

function put(cell: Cell, part: AggregateFunction, value: number): void {
  const before = cell[part];
  if (before === undefined) cell[part] = value;
  else if (part === "count" || part === "sum") cell[part] = before + value;
  else if (part === "min") cell[part] = Math.min(before, value);
  else if (part === "max") cell[part] = Math.max(before, value);
}

function outcome(cell: Cell, name: AggregateFunction): number | null {
  const { sum, count } = cell;
  if (name === "mean" && cell.mean === undefined && sum !== undefined && count !== undefined) return sum / count;
  return cell[name] ?? null;
}
