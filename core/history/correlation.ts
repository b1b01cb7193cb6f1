/** How strongly metrics go together. */
import type { Chunk } from "./types.ts";

/** Instants that two metrics must have in common. */
const MIN_COUNT = 3;

/** Numbers that are kept of a pair: how many, both means, both sums of squares, and the sum of products. */
const WIDTH = 6;

export interface Correlations {
  fields: string[];
  /** Pearson's coefficient of each field (row) with each (column), from −1 to 1; null where it is not defined. */
  matrix: (number | null)[][];
  /** At how many instants both have a value. */
  counts: number[][];
}

/**
 * Pearson's correlation of each two of some fields, over the instants at which both have a number. One pass, with the
 * co-moments of Welford 1962 and Pébay 2008, so that 10⁹ ± 0.1 is as exact as 0 ± 0.1. A pair with fewer than 3 instants in
 * common, or with a constant, has none.
 *
 * Cost: O(fields²) an instant.
 */
export class CorrelationMatrix {
  readonly #fields: readonly string[];
  readonly #moments: Float64Array;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    this.#moments = new Float64Array((WIDTH * fields.length * (fields.length + 1)) / 2);
  }

  /** Takes in the points of a chunk. */
  add({ times, fields, values }: Chunk): void {
    const columns = this.#fields.map((field) => values[fields.indexOf(field)]);
    for (let row = 0; row < times.length; row++) this.#addRow(columns, row);
  }

  result(): Correlations {
    const places = this.#fields.map((_, place) => place);
    return {
      fields: [...this.#fields],
      matrix: places.map((a) => places.map((b) => this.#coefficient(a, b))),
      counts: places.map((a) => places.map((b) => this.#moments[this.#slot(a, b)] as number)),
    };
  }

  #addRow(columns: (Chunk["values"][number] | undefined)[], row: number): void {
    for (let a = 0; a < columns.length; a++) {
      const x = columns[a]?.[row];
      if (typeof x !== "number") continue;
      for (let b = 0; b <= a; b++) {
        const y = columns[b]?.[row];
        if (typeof y === "number") this.#addPair(this.#slot(a, b), x, y);
      }
    }
  }

  #addPair(slot: number, x: number, y: number): void {
    const moments = this.#moments;
    const count = (moments[slot] as number) + 1;
    const dx = x - (moments[slot + 1] as number);
    const dy = y - (moments[slot + 2] as number);
    const share = (count - 1) / count;
    moments[slot] = count;
    moments[slot + 1] = (moments[slot + 1] as number) + dx / count;
    moments[slot + 2] = (moments[slot + 2] as number) + dy / count;
    moments[slot + 3] = (moments[slot + 3] as number) + dx * dx * share;
    moments[slot + 4] = (moments[slot + 4] as number) + dy * dy * share;
    moments[slot + 5] = (moments[slot + 5] as number) + dx * dy * share;
  }

  #coefficient(a: number, b: number): number | null {
    const slot = this.#slot(a, b);
    const [count = 0, , , squaresX = 0, squaresY = 0, products = 0] = this.#moments.subarray(slot, slot + WIDTH);
    const coefficient = products / (Math.sqrt(squaresX) * Math.sqrt(squaresY));
    if (count < MIN_COUNT || !Number.isFinite(coefficient)) return null;
    return a === b ? 1 : Math.max(-1, Math.min(1, coefficient));
  }

  #slot(a: number, b: number): number {
    const [low, high] = a < b ? [a, b] : [b, a];
    return WIDTH * ((high * (high + 1)) / 2 + low);
  }
}
