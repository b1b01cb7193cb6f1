/** The profile `electrical`: one phase of the supply of a machine shop, with voltage and current. */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import { approach, Bearing, Fluctuation } from "./dynamics.ts";
import type { Fault } from "./faults.ts";
import type { Process, Profile } from "./profile.ts";
import { dailyCycle, shiftDemand } from "./surroundings.ts";

/** Current without load, and in addition at full load and of a broken bearing, A. */
const IDLE = 3;
const FULL_LOAD = 42;
const FRICTION = 30;
/** Seconds in which the load follows the demand: motors start. */
const LOAD_LAG = 3;
/** Standard deviation of the demand, and the seconds in which it forgets: machines start and stop. */
const SWITCHING = 0.1;
const SWITCHING_TIME = 120;
/** The grid without this load, V: its mean, how much lower it is at 19 o'clock UTC, and how it fluctuates. */
const GRID = 234;
const EVENING_SAG = 1.5;
const GRID_FLUCTUATION = 1;
const GRID_FLUCTUATION_TIME = 1800;

/**
 * The load follows the shift plan and the starting and stopping of machines; it draws current, and current lowers the
 * voltage by the line's impedance, half of what IEC 60725 takes as the reference (0.47 Ω). The grid behind it has slow
 * changes and a daily cycle of its own. A bearing that wears makes its motor draw more.
 */
class Feeder implements Process {
  /** Each feeder differs a little from the next. */
  readonly #shiftDelay: number;
  readonly #tap: number;
  readonly #impedance: number;
  readonly #bearing: Bearing;
  readonly #switching: Fluctuation;
  readonly #grid: Fluctuation;

  #fixedLoad: number | null = null;
  #load: number;
  #source: number;

  constructor(time: number, random: Random) {
    this.#shiftDelay = random.between(-0.2, 0.2) * 3_600_000;
    this.#tap = random.between(-1.5, 1.5);
    this.#impedance = random.between(0.18, 0.24);
    this.#bearing = new Bearing(random);
    this.#switching = new Fluctuation(SWITCHING, SWITCHING_TIME, random);
    this.#grid = new Fluctuation(GRID_FLUCTUATION, GRID_FLUCTUATION_TIME, random);
    this.#load = this.#demand(time);
    this.#source = this.#sourceAt(time);
  }

  step(time: number, seconds: number, fault: Fault | null, random: Random): void {
    this.#switching.step(seconds, random);
    this.#grid.step(seconds, random);
    this.#load = approach(this.#load, this.#demand(time), seconds, LOAD_LAG);
    this.#source = this.#sourceAt(time);
    this.#bearing.step(time, seconds, this.#load, fault);
  }

  values(): Metrics {
    const current = IDLE + FULL_LOAD * this.#load + FRICTION * this.#bearing.wear ** 2;
    return { voltage: this.#source - this.#impedance * current, current };
  }

  set(parameter: string, value: number | null): void {
    if (parameter === "load") this.#fixedLoad = value;
    else if (parameter === "wear") this.#bearing.wear = value ?? this.#bearing.wear;
  }

  parameters(): Record<string, number> {
    return { load: this.#load, wear: this.#bearing.wear };
  }

  repair(): void {
    this.#bearing.wear = 0;
  }

  #demand(time: number): number {
    const planned = shiftDemand(time + this.#shiftDelay) + this.#switching.value;
    return this.#fixedLoad ?? Math.min(1, Math.max(0.05, planned));
  }

  #sourceAt(time: number): number {
    return GRID + this.#tap + this.#grid.value - EVENING_SAG * dailyCycle(time, 19);
  }
}

/**
 * Healthy feeders have 207 to 253 V (EN 50160: 230 V ± 10 %) and draw up to 50 A; a bearing that wears out adds 30 A.
 * Parameters: `load` 0 to 1 (null: automatic), `wear` 0 (new) to 0.95 (at 1 the motor is blocked and the feeder trips).
 */
export const electrical: Profile = {
  sensors: [
    { name: "voltage", unit: "V", healthy: [207, 253], range: [0, 400], noise: 0.1, stepsPerUnit: 10 },
    { name: "current", unit: "A", healthy: [0, 50], range: [0, 100], noise: 0.1, stepsPerUnit: 100 },
  ],
  faults: {
    "bearing-wear": "current",
    drift: "voltage",
    spike: "voltage",
    noise: "current",
  },
  parameters: {
    load: { minimum: 0, maximum: 1, automatic: true },
    wear: { minimum: 0, maximum: 0.95, automatic: false },
  },
  start: (time, random) => new Feeder(time, random),
};
