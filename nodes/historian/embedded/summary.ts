/** What values of a field add up to, as it stands in a roll-up. */

/** Columns of a roll-up for each field, side by side: count, sum, least and greatest value. */
const COLUMNS = 4;

/** Count, sum, least and greatest of some values. */
export class Summary {
  count = 0;
  sum = 0;
  min = Infinity;
  max = -Infinity;

  /** Takes in one value, or what others add up to. */
  add(count: number, sum: number, min: number, max: number): void {
    this.count += count;
    this.sum += sum;
    if (min < this.min) this.min = min;
    if (max > this.max) this.max = max;
  }

  /** In the order of `summaryColumns`. */
  get values(): number[] {
    return [this.count, this.sum, this.min, this.max];
  }
}

/** The columns of a roll-up's block that hold the summaries of a field. */
export function summaryColumns(field: number): number[] {
  return Array.from({ length: COLUMNS }, (_, column) => COLUMNS * field + column);
}
