/** The profile `server`: water-cooled servers, with temperature, CPU, coolant pressure, fan vibration, network traffic. */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import { approach, Bearing, Fluctuation } from "./dynamics.ts";
import type { Fault } from "./faults.ts";
import type { Process, Profile } from "./profile.ts";
import { dailyCycle } from "./surroundings.ts";

/** Traffic of the link at full load, Mbit/s. */
const LINK = 900;
/** Standard deviation of the traffic as a share of that, and the seconds in which it forgets. */
const BURSTS = 0.08;
const BURST_TIME = 180;
/** CPU at rest and in addition at full traffic, percent; other work; and the seconds in which requests are worked off. */
const CPU_AT_REST = 6;
const CPU_OF_TRAFFIC = 72;
const OTHER_WORK = 2;
const OTHER_WORK_TIME = 60;
const CPU_LAG = 15;
/** What the coolant is warmer than the room, K, at rest and in addition at full CPU; and the processor than the coolant. */
const COOLANT_AT_REST = 4;
const COOLANT_OF_CPU = 12;
const PROCESSOR_AT_REST = 8;
const PROCESSOR_OF_CPU = 24;
const PROCESSOR_LAG = 15;
/** Where the coolant ends when its pump fails (°C), and in what time constant (s), whatever the load. */
const OVERHEATED = 72;
const OVERHEATING_LAG = 60;
/** The fan of the radiator: slowest below 25 °C, full speed at 40 °C of the coolant. */
const SLOWEST_FAN = 0.25;
const FAN_LAG = 5;
/** Pressure of the closed loop at 20 °C, and how it grows with the coolant's expansion, bar and bar/K. */
const FILLED = 1.15;
const EXPANSION = 0.016;

/** Temperature of the server room, °C. */
function roomTemperature(time: number): number {
  return 22 + dailyCycle(time, 15);
}

/**
 * Traffic makes the processor work within seconds; it heats itself within seconds and the coolant within minutes. With
 * the coolant's temperature go the pressure in its closed loop and the fan of its radiator, and with the fan's speed its
 * vibration, by the square, as unbalance does.
 */
class Server implements Process {
  /** Each server differs a little from the next. */
  readonly #peakHour: number;
  readonly #popularity: number;
  readonly #coolantLag: number;
  readonly #filled: number;
  readonly #unbalance: number;
  readonly #bearing: Bearing;
  readonly #bursts: Fluctuation;
  readonly #otherWork: Fluctuation;

  #fixedTraffic: number | null = null;
  #fixedAmbient: number | null = null;
  #traffic: number;
  #ambient: number;
  #cpu: number;
  #coolant: number;
  #temperature: number;
  #fan: number;

  constructor(time: number, random: Random) {
    this.#peakHour = random.between(14, 16);
    this.#popularity = random.between(0.4, 0.5);
    this.#coolantLag = random.between(200, 280);
    this.#filled = FILLED + random.between(-0.05, 0.05);
    this.#unbalance = random.between(0.5, 0.6);
    this.#bearing = new Bearing(random);
    this.#bursts = new Fluctuation(BURSTS, BURST_TIME, random);
    this.#otherWork = new Fluctuation(OTHER_WORK, OTHER_WORK_TIME, random);
    this.#traffic = this.#demand(time);
    this.#ambient = roomTemperature(time);
    this.#cpu = this.#settledCpu;
    this.#coolant = this.#settledCoolant;
    this.#temperature = this.#settledTemperature;
    this.#fan = this.#settledFan;
  }

  step(time: number, seconds: number, fault: Fault | null, random: Random): void {
    this.#bursts.step(seconds, random);
    this.#otherWork.step(seconds, random);
    this.#traffic = this.#demand(time);
    this.#ambient = this.#fixedAmbient ?? roomTemperature(time);
    this.#cpu = approach(this.#cpu, this.#settledCpu, seconds, CPU_LAG);
    this.#coolant =
      fault?.name === "overheating"
        ? approach(this.#coolant, OVERHEATED, seconds, OVERHEATING_LAG)
        : approach(this.#coolant, this.#settledCoolant, seconds, this.#coolantLag);
    this.#temperature = approach(this.#temperature, this.#settledTemperature, seconds, PROCESSOR_LAG);
    this.#fan = approach(this.#fan, this.#settledFan, seconds, FAN_LAG);
    this.#bearing.step(time, seconds, this.#fan, fault);
  }

  values(): Metrics {
    return {
      temperature: this.#temperature,
      cpu: this.#cpu,
      pressure: this.#filled + EXPANSION * (this.#coolant - 20),
      vibration: 0.15 + this.#unbalance * this.#fan ** 2 + 4 * this.#bearing.wear ** 2,
      networkTraffic: LINK * this.#traffic,
    };
  }

  set(parameter: string, value: number | null): void {
    if (parameter === "traffic") this.#fixedTraffic = value;
    else if (parameter === "ambient") this.#fixedAmbient = value;
    else if (parameter === "wear") this.#bearing.wear = value ?? this.#bearing.wear;
  }

  parameters(): Record<string, number> {
    return { traffic: this.#traffic, ambient: this.#ambient, wear: this.#bearing.wear };
  }

  repair(): void {
    this.#bearing.wear = 0;
  }

  #demand(time: number): number {
    const usual = this.#popularity + 0.25 * dailyCycle(time, this.#peakHour);
    return this.#fixedTraffic ?? Math.min(1, Math.max(0.02, usual + this.#bursts.value));
  }

  get #settledCpu(): number {
    return Math.min(100, Math.max(0, CPU_AT_REST + CPU_OF_TRAFFIC * this.#traffic + this.#otherWork.value));
  }

  get #settledCoolant(): number {
    return this.#ambient + COOLANT_AT_REST + (COOLANT_OF_CPU * this.#cpu) / 100;
  }

  get #settledTemperature(): number {
    return this.#coolant + PROCESSOR_AT_REST + (PROCESSOR_OF_CPU * this.#cpu) / 100;
  }

  get #settledFan(): number {
    return Math.min(1, Math.max(SLOWEST_FAN, SLOWEST_FAN + ((1 - SLOWEST_FAN) * (this.#coolant - 25)) / 15));
  }
}

/**
 * Healthy servers stay below 75 °C (processors slow themselves down at 95 to 100), at 1.0 to 1.8 bar in the closed loop
 * and up to 1.8 mm/s RMS at the fan (ISO 10816-1, machines up to 15 kW: satisfactory). The link is one of 1 Gbit/s.
 * Parameters: `traffic` 0 to 1 and `ambient` °C (both null: automatic), `wear` 0 (new) to 0.95 (at 1 the fan's bearing
 * breaks).
 */
export const server: Profile = {
  sensors: [
    { name: "temperature", unit: "°C", healthy: [25, 75], range: [0, 125], noise: 0.2, stepsPerUnit: 10 },
    { name: "cpu", unit: "%", healthy: [0, 100], range: [0, 100], noise: 0.5, stepsPerUnit: 10 },
    { name: "pressure", unit: "bar", healthy: [1, 1.8], range: [0, 6], noise: 0.003, stepsPerUnit: 1000 },
    { name: "vibration", unit: "mm/s", healthy: [0, 1.8], range: [0, 50], noise: 0.015, stepsPerUnit: 100 },
    { name: "networkTraffic", unit: "Mbit/s", healthy: [0, 1000], range: [0, 2000], noise: 3, stepsPerUnit: 10 },
  ],
  faults: {
    overheating: "temperature",
    "bearing-wear": "vibration",
    drift: "pressure",
    spike: "networkTraffic",
    noise: "temperature",
  },
  parameters: {
    traffic: { minimum: 0, maximum: 1, automatic: true },
    ambient: { minimum: 0, maximum: 45, automatic: true },
    wear: { minimum: 0, maximum: 0.95, automatic: false },
  },
  start: (time, random) => new Server(time, random),
};
