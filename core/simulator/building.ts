/** The profile `building`: the floors of office buildings, with room temperature and the vibration of the ventilation. */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import { approach, Bearing, Fluctuation } from "./dynamics.ts";
import type { Fault } from "./faults.ts";
import type { Process, Profile } from "./profile.ts";
import { officeOccupancy, outdoorTemperature } from "./surroundings.ts";

const FLOORS = 3;

/** Room temperature without people, °C, while the heating is set back and when it is not; each floor up adds a little. */
const NIGHT = 18.5;
const DAY = 21;
const PER_FLOOR = 0.5;
/** What the people add, K, and how much of what the outdoor temperature differs from 13 °C comes in. */
const PEOPLE = 1.5;
const LEAK = 0.12;
/** How much warmer the air gets when a heating valve sticks (K), and in what time constant (s). */
const OVERHEATING = 25;
const OVERHEATING_LAG = 120;
/** Fan speed of an empty floor as a share of full speed, and the seconds in which it follows. */
const FAN_AT_REST = 0.3;
const FAN_LAG = 60;
/** Standard deviation of the occupancy, as a share of what is planned, and the seconds in which it forgets. */
const FLUCTUATION = 0.1;
const FLUCTUATION_TIME = 600;

/**
 * People come and go; they warm their floor, and the ventilation blows as their number needs. Its vibration follows
 * within a minute and grows with the square of the speed, as unbalance does. The temperature follows within hours, with
 * the heating's day and night and a little of the weather.
 */
class Floor implements Process {
  readonly #height: number;
  /** Each floor differs a little from the next. */
  readonly #planDelay: number;
  readonly #offset: number;
  readonly #thermalLag: number;
  readonly #unbalance: number;
  readonly #bearing: Bearing;
  readonly #fluctuation: Fluctuation;

  #fixedOccupancy: number | null = null;
  #fixedOutdoor: number | null = null;
  #time: number;
  #roomTemperature: number;
  #overheating = 0;
  #fan: number;

  constructor(time: number, random: Random, index: number) {
    this.#height = index % FLOORS;
    this.#planDelay = random.between(-0.2, 0.2) * 3_600_000;
    this.#offset = random.between(-0.5, 0.5);
    this.#thermalLag = random.between(4000, 7000);
    this.#unbalance = random.between(0.6, 0.75);
    this.#bearing = new Bearing(random);
    this.#fluctuation = new Fluctuation(FLUCTUATION, FLUCTUATION_TIME, random);
    this.#time = time;
    this.#roomTemperature = this.#settledTemperature;
    this.#fan = this.#settledFan;
  }

  step(time: number, seconds: number, fault: Fault | null, random: Random): void {
    this.#time = time;
    this.#fluctuation.step(seconds, random);
    const valve = fault?.name === "overheating" ? OVERHEATING : 0;
    this.#overheating = approach(this.#overheating, valve, seconds, OVERHEATING_LAG);
    this.#roomTemperature = approach(this.#roomTemperature, this.#settledTemperature, seconds, this.#thermalLag);
    this.#fan = approach(this.#fan, this.#settledFan, seconds, FAN_LAG);
    this.#bearing.step(time, seconds, this.#fan, fault);
  }

  values(): Metrics {
    return {
      temperature: this.#roomTemperature + this.#overheating,
      vibration: 0.2 + this.#unbalance * this.#fan ** 2 + 5 * this.#bearing.wear ** 2,
    };
  }

  set(parameter: string, value: number | null): void {
    if (parameter === "occupancy") this.#fixedOccupancy = value;
    else if (parameter === "outdoor") this.#fixedOutdoor = value;
    else if (parameter === "wear") this.#bearing.wear = value ?? this.#bearing.wear;
  }

  parameters(): Record<string, number> {
    return { occupancy: this.#occupancy, outdoor: this.#outdoor, wear: this.#bearing.wear };
  }

  repair(): void {
    this.#bearing.wear = 0;
  }

  get #occupancy(): number {
    if (this.#fixedOccupancy !== null) return this.#fixedOccupancy;
    const planned = officeOccupancy(this.#time + this.#planDelay);
    return Math.min(1, Math.max(0, planned * (1 + this.#fluctuation.value)));
  }

  get #outdoor(): number {
    return this.#fixedOutdoor ?? outdoorTemperature(this.#time);
  }

  get #settledTemperature(): number {
    const heated = officeOccupancy(this.#time) > 0 ? DAY : NIGHT;
    return heated + this.#offset + PER_FLOOR * this.#height + LEAK * (this.#outdoor - 13) + PEOPLE * this.#occupancy;
  }

  get #settledFan(): number {
    return FAN_AT_REST + (1 - FAN_AT_REST) * this.#occupancy;
  }
}

/**
 * Healthy floors have 15 to 28 °C, and ventilation up to 1.8 mm/s RMS (ISO 10816-1, machines up to 15 kW: satisfactory up
 * to that, unacceptable above 4.5, which a bearing that breaks passes). Parameters: `occupancy` 0 to 1 and `outdoor`
 * temperature, °C (both null: automatic), `wear` 0 (new) to 0.95 (at 1 the bearing breaks).
 */
export const building: Profile = {
  sensors: [
    { name: "temperature", unit: "°C", healthy: [15, 28], range: [-40, 85], noise: 0.05, stepsPerUnit: 10 },
    { name: "vibration", unit: "mm/s", healthy: [0, 1.8], range: [0, 50], noise: 0.02, stepsPerUnit: 100 },
  ],
  faults: {
    overheating: "temperature",
    "bearing-wear": "vibration",
    drift: "temperature",
    spike: "vibration",
    noise: "temperature",
  },
  parameters: {
    occupancy: { minimum: 0, maximum: 1, automatic: true },
    outdoor: { minimum: -30, maximum: 50, automatic: true },
    wear: { minimum: 0, maximum: 0.95, automatic: false },
  },
  tags: (index) => ({ building: `B${Math.floor(index / FLOORS) + 1}`, floor: `${(index % FLOORS) + 1}` }),
  start: (time, random, index) => new Floor(time, random, index),
};
