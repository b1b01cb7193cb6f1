/** What is asked of a field over an interval. */
import type { AggregateFunction } from "../../../core/history/types.ts";
import type { Summary } from "./summary.ts";

/** Values of one interval, in any order, added up. Of several first or last ones, the greatest counts, as in InfluxDB. */
export class Interval {
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;
  /** Mean and sum of squared differences to it (Welford 1962). */
  #mean = 0;
  #squares = 0;
  #first = 0;
  #firstTime = Infinity;
  #last = 0;
  #lastTime = -Infinity;
  #isNumeric = false;
  /** Whether more than sums of roll-ups is known. */
  #isRaw = true;

  addNumber(value: number, time: number): void {
    this.#isNumeric = true;
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    const step = value - this.#mean;
    this.#mean += step / this.#count;
    this.#squares += step * (value - this.#mean);
    if (time < this.#firstTime || (time === this.#firstTime && value > this.#first)) {
      this.#first = value;
      this.#firstTime = time;
    }
    if (time > this.#lastTime || (time === this.#lastTime && value > this.#last)) {
      this.#last = value;
      this.#lastTime = time;
    }
  }

  addText(): void {
    this.#count++;
  }

  addSummary({ count, sum, min, max }: Summary): void {
    this.#isNumeric = true;
    this.#isRaw = false;
    this.#count += count;
    this.#sum += sum;
    if (min < this.#min) this.#min = min;
    if (max > this.#max) this.#max = max;
  }

  /** `null` when it is not known or not defined. `rolledUp` says that only what roll-ups keep is asked for. */
  value(name: AggregateFunction, isRolledUp: boolean): number | null {
    if (name === "count") return this.#count;
    const value = this.#isNumeric ? this.#number(name, this.#isRaw && !isRolledUp) : Number.NaN;
    return Number.isFinite(value) ? value : null;
  }

  #number(name: AggregateFunction, isRaw: boolean): number {
    switch (name) {
      case "mean":
        return this.#sum / this.#count;
      case "min":
        return this.#min;
      case "max":
        return this.#max;
      case "sum":
        return this.#sum;
      case "stdev":
        return isRaw && this.#count > 1 ? Math.sqrt(this.#squares / (this.#count - 1)) : Number.NaN;
      case "first":
        return isRaw ? this.#first : Number.NaN;
      case "last":
        return isRaw ? this.#last : Number.NaN;
      default:
        return Number.NaN;
    }
  }
}
