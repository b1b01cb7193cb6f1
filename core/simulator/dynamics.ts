/** How the quantities of every simulated process move: with lag, around a level, and worn down. */
import type { Random } from "../random.ts";
import type { Fault } from "./faults.ts";

/** A first-order lag: where `value` is after `seconds` on its way to `target`. Exact, so stable at any length. */
export function approach(value: number, target: number, seconds: number, timeConstant: number): number {
  return target + (value - target) * Math.exp(-seconds / timeConstant);
}

/**
 * A fluctuation around zero that forgets (Ornstein and Uhlenbeck 1930), unlike a random walk, which strays ever farther.
 * Normal with a given standard deviation; its autocorrelation falls to 1/e in `timeConstant` seconds. Exact at any step.
 */
export class Fluctuation {
  readonly #deviation: number;
  readonly #timeConstant: number;
  #value: number;

  constructor(deviation: number, timeConstant: number, random: Random) {
    this.#deviation = deviation;
    this.#timeConstant = timeConstant;
    this.#value = deviation * random.gaussian();
  }

  get value(): number {
    return this.#value;
  }

  step(seconds: number, random: Random): void {
    const memory = Math.exp(-seconds / this.#timeConstant);
    this.#value = memory * this.#value + this.#deviation * Math.sqrt(1 - memory * memory) * random.gaussian();
  }
}

/** Wear of normal use ends here, in this time constant of full load: 30 days, in seconds. */
const WORN_IN = 0.2;
const WEAR_TIME = 30 * 86_400;

/** The wear of a bearing, 0 (new) to 1 (broken): slow in normal use, running away under the fault `bearing-wear`. */
export class Bearing {
  wear: number;

  constructor(random: Random) {
    this.wear = random.between(0, 0.15);
  }

  /** @param load share of full load that it runs under */
  step(time: number, seconds: number, load: number, fault: Fault | null): void {
    if (fault?.name === "bearing-wear") {
      // Soundness falls with the root of the time that is left: ever faster, and gone exactly when that is over.
      const left = fault.until - time;
      this.wear = 1 - (1 - this.wear) * Math.sqrt(left / (left + seconds * 1000));
    } else if (this.wear < WORN_IN) {
      this.wear = approach(this.wear, WORN_IN, seconds * load, WEAR_TIME);
    }
  }
}
