/** What a kind of device must offer to be simulated. Each kind is a file of its own, such as machine.ts. */
import type { Random } from "../random.ts";
import type { Metrics, Tags } from "../types.ts";
import type { Fault, FaultName } from "./faults.ts";

/** One measured quantity and the sensor behind it. All figures are in `unit`. */
export interface Sensor {
  /** Name of the metric. */
  name: string;
  unit: string;
  /** Between which values a healthy device stays. */
  healthy: readonly [number, number];
  /** Between which values the sensor can show anything; beyond it shows the limit. */
  range: readonly [number, number];
  /** Standard deviation of the sensor's noise. */
  noise: number;
  /** Steps per unit of the sensor's output, e.g. 10 for one decimal. */
  stepsPerUnit: number;
}

/** A quantity that an operator may set. */
export interface Parameter {
  minimum: number;
  maximum: number;
  /** Whether null is allowed: the device then chooses by itself again. */
  automatic: boolean;
}

/** A kind of device: one constant, shared by all devices of a fleet. */
export interface Profile {
  sensors: readonly Sensor[];
  /** Which faults this kind can have, and the metric that shows each. Faults of the whole device need no entry. */
  faults: Partial<Record<FaultName, string>>;
  /** What an operator may set, by name. */
  parameters: Readonly<Record<string, Parameter>>;
  /** Tags of the device with this index, from 0. */
  tags?(index: number): Tags;
  /** The device with this index, in the state that it would have settled in at `time` (ms since 1970). */
  start(time: number, random: Random, index: number): Process;
}

/** What happens inside one device: its physics, without sensors. */
export interface Process {
  /**
   * Advances to `time` (ms since 1970), which is `seconds` (0 to 60) after the last step. Stable at any length.
   * Draws the same number of random numbers whatever the fault, so that a fault changes nothing but its effect.
   *
   * @param fault what is wrong during this step, or null
   */
  step(time: number, seconds: number, fault: Fault | null, random: Random): void;
  /** The true value of each sensor's metric, in a new object in the order of the sensors. */
  values(): Metrics;
  /** Sets a parameter to a value that was checked; null is automatic. */
  set(parameter: string, value: number | null): void;
  /** The present value of each parameter. */
  parameters(): Record<string, number>;
  /** Mends what a restart mends. */
  repair(): void;
}
