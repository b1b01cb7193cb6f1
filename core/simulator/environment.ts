/** The profile `environment`: indoor climate at five kinds of location, with temperature, humidity, air quality, pressure, CO₂. */
import type { Random } from "../random.ts";
import type { Metrics } from "../types.ts";
import { approach, Fluctuation } from "./dynamics.ts";
import type { Fault } from "./faults.ts";
import type { Process, Profile } from "./profile.ts";
import {
  airPressure,
  dailyCycle,
  officeOccupancy,
  outdoorDewPoint,
  outdoorTemperature,
  shiftDemand,
} from "./surroundings.ts";

/** What makes one kind of room different from the next. */
interface Location {
  name: string;
  /** What goes on there: people, machines or computers, 0 to 1. */
  activity(time: number): number;
  /** Temperature without activity when it is 13 °C outside, °C. */
  temperature: number;
  /** How much of what the outdoor temperature differs from that comes in. */
  leak: number;
  /** What full activity adds: K, hPa of vapour, ppm of CO₂, points of air quality. */
  heat: number;
  moisture: number;
  co2: number;
  pollution: number;
  /** Air quality without activity. */
  cleanAir: number;
  /** Difference to the outdoor air pressure, hPa: clean rooms are kept above it, laboratories below. */
  overpressure: number;
  /** Seconds in which the air is replaced (air changes per hour: 3600 ÷ this), and in which the temperature follows. */
  airChange: number;
  thermalLag: number;
}

const LOCATIONS: readonly Location[] = [
  {
    name: "server room",
    activity: (time) => 0.6 + 0.2 * dailyCycle(time, 15),
    temperature: 18,
    leak: 0.02,
    heat: 7,
    moisture: 0,
    co2: 20,
    pollution: 3,
    cleanAir: 12,
    overpressure: 0.2,
    airChange: 900,
    thermalLag: 400,
  },
  {
    name: "office",
    activity: officeOccupancy,
    temperature: 21,
    leak: 0.1,
    heat: 2.5,
    moisture: 3,
    co2: 520,
    pollution: 15,
    cleanAir: 28,
    overpressure: 0,
    airChange: 2000,
    thermalLag: 2400,
  },
  {
    name: "warehouse",
    activity: shiftDemand,
    temperature: 17,
    leak: 0.35,
    heat: 1,
    moisture: 0.5,
    co2: 80,
    pollution: 20,
    cleanAir: 38,
    overpressure: 0,
    airChange: 5000,
    thermalLag: 7200,
  },
  {
    name: "laboratory",
    activity: officeOccupancy,
    temperature: 20.5,
    leak: 0.02,
    heat: 1,
    moisture: 1,
    co2: 180,
    pollution: 10,
    cleanAir: 15,
    overpressure: -0.2,
    airChange: 600,
    thermalLag: 900,
  },
  {
    name: "manufacturing floor",
    activity: shiftDemand,
    temperature: 20,
    leak: 0.15,
    heat: 6,
    moisture: 2,
    co2: 250,
    pollution: 40,
    cleanAir: 45,
    overpressure: 0,
    airChange: 1200,
    thermalLag: 1800,
  },
];

/** CO₂ outdoors, ppm. */
const OUTDOOR_CO2 = 420;
/** Standard deviation of the activity, as a share of what is planned, and the seconds in which it forgets. */
const FLUCTUATION = 0.12;
const FLUCTUATION_TIME = 900;
/** How much warmer the air gets when the heating sticks or the cooling fails (K), and in what time constant (s). */
const OVERHEATING = 25;
const OVERHEATING_LAG = 120;

function locationOf(index: number): Location {
  return LOCATIONS[index % LOCATIONS.length] as Location;
}

/** Vapour pressure of saturated air, hPa, at a temperature in °C (Magnus formula, WMO-No. 8, within 0.3 % from 0 to 60). */
function saturation(temperature: number): number {
  return 6.112 * Math.exp((17.62 * temperature) / (243.12 + temperature));
}

/**
 * Activity gives off heat, vapour, CO₂ and particles; fresh air carries them off, so they follow activity with the lag
 * of the ventilation: people's CO₂ by its mass balance. Relative humidity is what vapour there is of what the air at its
 * temperature can hold, so it falls when the room is heated. Pressure is that of the weather.
 */
class Room implements Process {
  readonly #location: Location;
  /** Each room differs a little from the next of its kind. */
  readonly #planDelay: number;
  readonly #offset: number;
  readonly #tightness: number;
  readonly #fluctuation: Fluctuation;

  #fixedActivity: number | null = null;
  #fixedOutdoor: number | null = null;
  #time: number;
  #roomTemperature: number;
  #overheating = 0;
  #vapour: number;
  #airQuality: number;
  #co2: number;

  constructor(time: number, random: Random, index: number) {
    this.#location = locationOf(index);
    this.#planDelay = random.between(-0.2, 0.2) * 3_600_000;
    this.#offset = random.between(-0.5, 0.5);
    this.#tightness = random.between(0.9, 1.1);
    this.#fluctuation = new Fluctuation(FLUCTUATION, FLUCTUATION_TIME, random);
    this.#time = time;
    const settled = this.#settled();
    this.#roomTemperature = settled.temperature;
    this.#vapour = settled.vapour;
    this.#airQuality = settled.airQuality;
    this.#co2 = settled.co2;
  }

  step(time: number, seconds: number, fault: Fault | null, random: Random): void {
    this.#time = time;
    this.#fluctuation.step(seconds, random);
    const { thermalLag, airChange } = this.#location;
    const settled = this.#settled();
    const heater = fault?.name === "overheating" ? OVERHEATING : 0;
    this.#overheating = approach(this.#overheating, heater, seconds, OVERHEATING_LAG);
    this.#roomTemperature = approach(this.#roomTemperature, settled.temperature, seconds, thermalLag);
    this.#vapour = approach(this.#vapour, settled.vapour, seconds, airChange * this.#tightness);
    this.#airQuality = approach(this.#airQuality, settled.airQuality, seconds, airChange * this.#tightness);
    this.#co2 = approach(this.#co2, settled.co2, seconds, airChange * this.#tightness);
  }

  values(): Metrics {
    const temperature = this.#roomTemperature + this.#overheating;
    return {
      temperature,
      humidity: (100 * this.#vapour) / saturation(temperature),
      airQuality: this.#airQuality,
      pressure: airPressure(this.#time) + this.#location.overpressure,
      co2: this.#co2,
    };
  }

  set(parameter: string, value: number | null): void {
    if (parameter === "activity") this.#fixedActivity = value;
    else if (parameter === "outdoor") this.#fixedOutdoor = value;
  }

  parameters(): Record<string, number> {
    return { activity: this.#activity, outdoor: this.#outdoor };
  }

  repair(): void {
    // What stands in a room does not wear.
  }

  get #activity(): number {
    if (this.#fixedActivity !== null) return this.#fixedActivity;
    // In proportion to the plan: where nobody is planned to be, nobody is.
    const planned = this.#location.activity(this.#time + this.#planDelay);
    return Math.min(1, Math.max(0, planned * (1 + this.#fluctuation.value)));
  }

  get #outdoor(): number {
    return this.#fixedOutdoor ?? outdoorTemperature(this.#time);
  }

  /** Where everything would end if nothing changed any more. */
  #settled() {
    const { temperature, leak, heat, moisture, cleanAir, pollution, co2 } = this.#location;
    const activity = this.#activity;
    const emitted = activity * this.#tightness;
    return {
      temperature: temperature + this.#offset + leak * (this.#outdoor - 13) + heat * activity,
      vapour: saturation(outdoorDewPoint(this.#time)) + moisture * emitted,
      airQuality: cleanAir + pollution * emitted,
      co2: OUTDOOR_CO2 + co2 * emitted,
    };
  }
}

/**
 * Healthy rooms have 12 to 28 °C and 20 to 70 % humidity (EN 16798-1 for offices: 20–26 °C, 25–60 %; ASHRAE TC 9.9 for
 * server rooms: 18–27 °C), an air quality index of up to 100 (US EPA: 0–50 good, 51–100 moderate), and 400 to 1200 ppm
 * CO₂ (EN 16798-1, category II: 800 ppm above outdoors). An overheated one passes 30 °C. Parameters: `activity` 0 to 1
 * and `outdoor` temperature, °C (both null: automatic).
 */
export const environment: Profile = {
  sensors: [
    { name: "temperature", unit: "°C", healthy: [12, 28], range: [-40, 85], noise: 0.05, stepsPerUnit: 10 },
    { name: "humidity", unit: "%", healthy: [20, 70], range: [0, 100], noise: 0.2, stepsPerUnit: 10 },
    { name: "airQuality", unit: "AQI", healthy: [0, 100], range: [0, 500], noise: 0.8, stepsPerUnit: 1 },
    { name: "pressure", unit: "hPa", healthy: [970, 1050], range: [300, 1100], noise: 0.05, stepsPerUnit: 10 },
    { name: "co2", unit: "ppm", healthy: [400, 1200], range: [0, 5000], noise: 3, stepsPerUnit: 1 },
  ],
  faults: {
    overheating: "temperature",
    drift: "co2",
    spike: "airQuality",
    noise: "humidity",
  },
  parameters: {
    activity: { minimum: 0, maximum: 1, automatic: true },
    outdoor: { minimum: -30, maximum: 50, automatic: true },
  },
  tags: (index) => ({ location: locationOf(index).name }),
  start: (time, random, index) => new Room(time, random, index),
};
