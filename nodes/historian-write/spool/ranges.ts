/** A set of numbers, most of which lie below one mark. */

/** Ranges above the mark that are kept; of more, the shortest is forgotten. */
const MAX_RANGES = 100;

/** From a number on to another one, which is not included. */
export interface Range {
  from: number;
  to: number;
}

/** Whole numbers that are added as ranges: all below a mark, and some ranges above it. Cost: O(ranges). */
export class Ranges {
  /** All numbers below are in the set. */
  #mark: number;
  /** Apart from each other and from the mark, ascending. */
  #above: Range[] = [];

  constructor(mark: number) {
    this.#mark = mark;
  }

  /** Restores what `toNumbers` gave. */
  static from([mark = 0, ...numbers]: readonly number[]): Ranges {
    const ranges = new Ranges(mark);
    for (let place = 0; place + 1 < numbers.length; place += 2) {
      ranges.add({ from: numbers[place] as number, to: numbers[place + 1] as number });
    }
    return ranges;
  }

  /** The mark, and the beginning and end of each range above it. */
  toNumbers(): number[] {
    return [this.#mark, ...this.#above.flatMap(({ from, to }) => [from, to])];
  }

  /** The lowest number that is not in the set. */
  get mark(): number {
    return this.#mark;
  }

  /** The number after the highest one in the set. */
  get end(): number {
    return this.#above.at(-1)?.to ?? this.#mark;
  }

  /** Adds a range, and tells how many of its numbers are new. */
  add({ from, to }: Range): number {
    const added = this.missing({ from, to });
    if (added === 0) return 0;
    const joined = { from, to };
    const apart: Range[] = [];
    for (const range of this.#above) {
      if (range.to < from || range.from > to) apart.push(range);
      else {
        joined.from = Math.min(joined.from, range.from);
        joined.to = Math.max(joined.to, range.to);
      }
    }
    if (joined.from <= this.#mark) {
      this.#mark = joined.to;
      this.#above = apart;
      return added;
    }
    const place = apart.findIndex((range) => range.from > joined.from);
    apart.splice(place < 0 ? apart.length : place, 0, joined);
    if (apart.length > MAX_RANGES) apart.splice(shortest(apart), 1);
    this.#above = apart;
    return added;
  }

  /** How many numbers of a range are not in the set. */
  missing({ from, to }: Range): number {
    const start = Math.max(from, this.#mark);
    let missing = Math.max(0, to - start);
    for (const range of this.#above) {
      missing -= Math.max(0, Math.min(to, range.to) - Math.max(start, range.from));
    }
    return missing;
  }
}

function shortest(ranges: readonly Range[]): number {
  let found = 0;
  for (const [place, { from, to }] of ranges.entries()) {
    const best = ranges[found] as Range;
    if (to - from < best.to - best.from) found = place;
  }
  return found;
}
