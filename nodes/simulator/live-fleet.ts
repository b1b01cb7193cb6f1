/** A simulated fleet that runs by the clock. */
import { type DeviceStatus, Fleet, type FleetOptions } from "../../core/simulator/fleet.ts";
import { Transport } from "../../core/simulator/transport.ts";
import { oneOf } from "../lib/options.ts";
import { options, PROFILES } from "./options.ts";
import type { Consumer, Simulation, SimulationState } from "./simulation.ts";

/** Devices that are due within this time share a tick, ms. Readings carry the time when they were due all the same. */
const SHORTEST_TICK = 20;

/** Timers end at 2³¹ ms. */
const LONGEST_WAIT = 86_400_000;

/** What can be changed of the fleet as a whole. */
const CHANGEABLE = {
  profile: oneOf("machine", [...PROFILES]),
  devices: options.devices,
  intervalSeconds: options.intervalSeconds,
};

/** One timer for the whole fleet. After a stop, or a sleep of the machine, each device gives its latest reading only. */
export class LiveFleet implements Simulation {
  #fleet: Fleet;
  #transport: Transport;
  #options: FleetOptions;
  readonly #consumer: Consumer;
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(options: FleetOptions, consumer: Consumer) {
    this.#options = options;
    this.#consumer = consumer;
    this.#fleet = new Fleet(options, Date.now());
    this.#transport = new Transport(options.seed, options.intervalSeconds);
  }

  get state(): SimulationState {
    const { profile, devices, intervalSeconds } = this.#options;
    return { state: this.#isRunning ? "running" : "stopped", profile, devices, intervalSeconds, sent: this.#sent };
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#wait(0);
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  restart(deviceId?: string): void {
    this.#fleet.restart(deviceId, Date.now());
  }

  set(deviceId: string, parameter: string, value: number | null): void {
    this.#fleet.set(deviceId, parameter, value);
  }

  change(parameter: string, value: unknown): void {
    if (!Object.hasOwn(CHANGEABLE, parameter)) {
      throw new Error(`without a deviceId, set takes ${Object.keys(CHANGEABLE).join(", ")}, not ${parameter}`);
    }
    if (value === undefined || value === null) throw new Error(`${parameter} needs a value`);
    const name = parameter as keyof typeof CHANGEABLE;
    let parsed: number | string;
    try {
      parsed = CHANGEABLE[name].parse(value);
    } catch (error) {
      throw new Error(`${name} ${(error as Error).message}`);
    }
    this.#options = { ...this.#options, [name]: parsed };
    this.#fleet = new Fleet(this.#options, Date.now());
    this.#transport = new Transport(this.#options.seed, this.#options.intervalSeconds);
    if (this.#isRunning) this.#wait(0);
  }

  fault(deviceId: string, fault: string, seconds?: number): void {
    this.#fleet.startFault(deviceId, fault, seconds, Date.now());
  }

  devices(): DeviceStatus[] {
    return this.#fleet.status(Date.now());
  }

  close(): void {
    this.stop();
  }

  /** Waits for the next tick, at least so many ms. */
  #wait(shortest: number): void {
    const wait = Math.min(this.#fleet.nextDue(), this.#transport.nextDue()) - Date.now();
    clearTimeout(this.#timer);
    const milliseconds = Math.ceil(Math.min(LONGEST_WAIT, Math.max(shortest, wait)));
    this.#timer = setTimeout(() => void this.#tick(), milliseconds);
  }

  async #tick(): Promise<void> {
    const now = Date.now();
    const sent = this.#transport.send(this.#fleet.tick(now), now);
    this.#sent += sent.length;
    if (sent.length > 0) await this.#consumer.take(sent);
    if (this.#isRunning) this.#wait(Math.min(SHORTEST_TICK, (this.#options.intervalSeconds * 1000) / 2));
  }
}
