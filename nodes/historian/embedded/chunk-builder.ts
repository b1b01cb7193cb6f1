/** Collects instants of one set of tags into chunks. */
import type { Chunk, FieldValue, PointTags } from "../../../core/history/types.ts";
import type { Column } from "./block.ts";

/** Instants of a chunk at most. */
const MAX_INSTANTS = 10_000;

/** Fills chunks, one after another. */
export class ChunkBuilder {
  readonly #tags: PointTags;
  readonly #names: string[];
  #times: number[] = [];
  #values: (FieldValue | null)[][];

  constructor(tags: PointTags, fields: readonly { name: string }[]) {
    this.#tags = tags;
    this.#names = fields.map(({ name }) => name);
    this.#values = fields.map(() => []);
  }

  get isEmpty(): boolean {
    return this.#times.length === 0;
  }

  get isFull(): boolean {
    return this.#times.length >= MAX_INSTANTS;
  }

  /** Adds what the columns, one a field, have at a place. False if that is nothing. */
  add(time: number, columns: readonly (Column | undefined)[], place: number): boolean {
    let hasValue = false;
    for (const column of columns) hasValue ||= hasValueAt(column, place);
    if (!hasValue) return false;
    this.#times.push(time);
    for (let field = 0; field < columns.length; field++) {
      const column = columns[field];
      const value = hasValueAt(column, place) ? (column?.[place] as FieldValue) : null;
      this.#values[field]?.push(value);
    }
    return true;
  }

  /** The chunk, without fields that have no value in it. */
  take(): Chunk {
    const used = this.#names.map((_, field) => this.#values[field]?.some((value) => value !== null) ?? false);
    const chunk = {
      tags: this.#tags,
      times: this.#times,
      fields: this.#names.filter((_, field) => used[field]),
      values: this.#values.filter((_, field) => used[field]),
    };
    this.#times = [];
    this.#values = this.#names.map(() => []);
    return chunk;
  }
}

function hasValueAt(column: Column | undefined, place: number): boolean {
  const value = column?.[place];
  return value !== undefined && value !== null && !Number.isNaN(value);
}
