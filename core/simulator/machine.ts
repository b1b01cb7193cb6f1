/** The profile `machine`: a battery-driven machine on shift work, with temperature, vibration, speed and battery. */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import { approach, Bearing, Fluctuation } from "./dynamics.ts";
import type { Fault } from "./faults.ts";
import type { Process, Profile } from "./profile.ts";
import { dailyCycle, shiftDemand } from "./surroundings.ts";

const SECONDS_PER_HOUR = 3600;

/** Seconds in which the load follows the demand, and the speed the load. */
const LOAD_LAG = 20;
const SPEED_LAG = 4;
/** Standard deviation of the demand's slow fluctuation, and the seconds in which it forgets. */
const FLUCTUATION = 0.08;
const FLUCTUATION_TIME = 600;
/** Where the temperature ends without cooling (°C), and in what time constant (s), whatever the load. */
const OVERHEATED = 89;
const OVERHEATING_LAG = 60;
/** Charge that a failed cell takes with it, points. */
const CELL = 20;
/** Battery drain, points per hour, at rest and in addition at full load; and charging. */
const DRAIN_AT_REST = 2;
const DRAIN_OF_LOAD = 14;
const CHARGE = 90;

/** Temperature of the hall, °C: coldest at 3 and warmest at 15 o'clock UTC. */
function hallTemperature(time: number): number {
  return 24 + 3 * dailyCycle(time, 15);
}

/**
 * The load follows demand: the shift plan with a fluctuation, or an operator's choice. Speed follows load within
 * seconds, temperature within minutes (first-order lag over the hall's daily cycle), vibration follows speed and wear.
 * The battery drains with load; when it is low the machine stands still, its drive idling, until it is charged.
 */
class Machine implements Process {
  /** Each machine differs a little from the next. */
  readonly #shiftDelay: number;
  readonly #selfHeating: number;
  readonly #loadHeating: number;
  readonly #thermalLag: number;
  readonly #roughness: number;
  readonly #chargeBelow: number;
  readonly #bearing: Bearing;
  readonly #fluctuation: Fluctuation;

  #fixedLoad: number | null = null;
  #fixedAmbient: number | null = null;
  #load: number;
  #speed: number;
  #ambient: number;
  #temperature: number;
  #battery: number;
  #lostCharge = 0;
  #isCharging = false;

  constructor(time: number, random: Random) {
    this.#shiftDelay = random.between(-0.2, 0.2) * SECONDS_PER_HOUR * 1000;
    this.#selfHeating = random.between(11, 13);
    this.#loadHeating = random.between(26, 30);
    this.#thermalLag = random.between(180, 300);
    this.#roughness = random.between(0.1, 0.12);
    this.#chargeBelow = random.between(36, 44);
    this.#battery = random.between(50, 95);
    this.#bearing = new Bearing(random);
    this.#fluctuation = new Fluctuation(FLUCTUATION, FLUCTUATION_TIME, random);
    this.#load = this.#demand(time);
    this.#speed = this.#settledSpeed();
    this.#ambient = hallTemperature(time);
    this.#temperature = this.#settledTemperature();
  }

  step(time: number, seconds: number, fault: Fault | null, random: Random): void {
    this.#fluctuation.step(seconds, random);
    this.#load = approach(this.#load, this.#demand(time), seconds, LOAD_LAG);
    this.#speed = approach(this.#speed, this.#settledSpeed(), seconds, SPEED_LAG);
    this.#ambient = this.#fixedAmbient ?? hallTemperature(time);
    this.#temperature =
      fault?.name === "overheating"
        ? approach(this.#temperature, OVERHEATED, seconds, OVERHEATING_LAG)
        : approach(this.#temperature, this.#settledTemperature(), seconds, this.#thermalLag);
    this.#bearing.step(time, seconds, this.#load, fault);
    this.#stepBattery(seconds, fault);
  }

  values(): Metrics {
    return {
      temperature: this.#temperature,
      vibration: 0.26 + this.#roughness * this.#speed + 1.6 * this.#bearing.wear,
      speed: this.#speed,
      battery: this.#charge,
    };
  }

  set(parameter: string, value: number | null): void {
    if (parameter === "load") this.#fixedLoad = value;
    else if (parameter === "ambient") this.#fixedAmbient = value;
    else if (parameter === "wear") this.#bearing.wear = value ?? this.#bearing.wear;
    else if (parameter === "battery") this.#battery = value ?? this.#battery;
  }

  parameters(): Record<string, number> {
    return { load: this.#load, ambient: this.#ambient, wear: this.#bearing.wear, battery: this.#charge };
  }

  repair(): void {
    this.#bearing.wear = 0;
  }

  /** What the battery can give, percent. */
  get #charge(): number {
    return Math.max(0, this.#battery - this.#lostCharge);
  }

  #demand(time: number): number {
    if (this.#isCharging) return 0;
    if (this.#fixedLoad !== null) return this.#fixedLoad;
    return Math.min(1, Math.max(0.05, shiftDemand(time + this.#shiftDelay) + this.#fluctuation.value));
  }

  #settledSpeed(): number {
    return 0.6 + 4.2 * this.#load;
  }

  #settledTemperature(): number {
    return this.#ambient + this.#selfHeating + this.#loadHeating * this.#load;
  }

  #stepBattery(seconds: number, fault: Fault | null): void {
    const perHour = this.#isCharging ? CHARGE : -DRAIN_AT_REST - DRAIN_OF_LOAD * this.#load;
    this.#battery = Math.min(100, Math.max(0, this.#battery + (perHour * seconds) / SECONDS_PER_HOUR));
    this.#lostCharge = fault?.name === "battery-drop" ? CELL : 0;
    if (this.#charge <= this.#chargeBelow) this.#isCharging = true;
    else if (this.#battery >= 95) this.#isCharging = false;
  }
}

/**
 * Healthy machines stay below 75 °C and 1.5 g and above 30 % battery. Parameters: `load` 0 to 1 and `ambient` °C
 * (both null: automatic), `wear` 0 (new) to 0.95 (at 1 the bearing breaks), `battery` percent.
 */
export const machine: Profile = {
  sensors: [
    { name: "temperature", unit: "°C", healthy: [30, 90], range: [-40, 150], noise: 0.15, stepsPerUnit: 10 },
    { name: "vibration", unit: "g", healthy: [0.2, 2], range: [0, 16], noise: 0.015, stepsPerUnit: 1000 },
    { name: "speed", unit: "m/s", healthy: [0.5, 5], range: [0, 10], noise: 0.015, stepsPerUnit: 100 },
    { name: "battery", unit: "%", healthy: [20, 100], range: [0, 100], noise: 0.05, stepsPerUnit: 10 },
  ],
  faults: {
    overheating: "temperature",
    "bearing-wear": "vibration",
    "battery-drop": "battery",
    drift: "temperature",
    spike: "vibration",
    noise: "speed",
  },
  parameters: {
    load: { minimum: 0, maximum: 1, automatic: true },
    ambient: { minimum: -20, maximum: 60, automatic: true },
    wear: { minimum: 0, maximum: 0.95, automatic: false },
    battery: { minimum: 0, maximum: 100, automatic: false },
  },
  start: (time, random) => new Machine(time, random),
};
