/** A simulated fleet: when each device measures, what its sensors show, which faults come and go. */
import { Random } from "../random.ts";
import type { Reading, Truth } from "../types.ts";
import { building } from "./building.ts";
import { electrical } from "./electrical.ts";
import { environment } from "./environment.ts";
import { distort, FAULTS, type Fault, type FaultName } from "./faults.ts";
import { machine } from "./machine.ts";
import type { Process, Profile } from "./profile.ts";
import { server } from "./server.ts";

const PROFILES: ReadonlyMap<string, Profile> = new Map(
  Object.entries({ machine, environment, electrical, building, server }),
);

const MS_PER_DAY = 86_400_000;
/** The physics advances in steps of at most this. */
const STEP_SECONDS = 60;
/** Of a longer gap only the last six hours are simulated: nothing but wear remembers what was before. */
const LONGEST_GAP_MS = 6 * 3_600_000;
/** A restarting device is silent for this, or for two intervals if that is longer. */
const RESTART_MS = 10_000;
/** A device that broke by itself is restarted after this; one that an operator broke waits for an operator. */
const REPAIR_MS = 600_000;
/** Random streams are kept apart by device and purpose: eight for each device, of which these are in use. */
const STREAMS_PER_DEVICE = 8;
const PHYSICS_STREAM = 0;
const FAULT_STREAM = 1;
const SCHEDULE_STREAM = 2;

export interface FleetOptions {
  /** Kind of device: `machine`, `environment`, `electrical`, `building` or `server`. */
  profile: string;
  /** How many; their ids are the prefix and a number from 1. */
  devices: number;
  devicePrefix: string;
  /** A whole number; the same seed and calls give the same data. */
  seed: number;
  /** Seconds between two readings of a device. */
  intervalSeconds: number;
  /** By how much of the interval that may vary, 0 to 100. */
  jitterPercent: number;
  /** How often a fault starts by itself, per device and day (a Poisson process). */
  faultsPerDeviceDay: number;
}

export interface DeviceStatus extends Truth {
  deviceId: string;
  /** Silent: restarting, or without connection. */
  state: "running" | "silent" | "broken";
  /** Present value of every parameter. */
  parameters: Record<string, number>;
}

interface Device {
  deviceId: string;
  index: number;
  process: Process;
  physics: Random;
  faults: Random;
  schedule: Random;
  /** When the next reading is due, ms since 1970. */
  due: number;
  /** How far the physics has come. */
  time: number;
  /** When a fault will start by itself. */
  nextFault: number;
  /** When the last restart was over. */
  silentUntil: number;
  fault: Fault | null;
}

/** Refuses what is not a number from minimum to maximum. */
function checkNumber(name: string, value: unknown, minimum: number, maximum: number, alternative = ""): void {
  if (typeof value === "number" && value >= minimum && value <= maximum) return;
  throw new RangeError(`${name} must be a number from ${minimum} to ${maximum}${alternative}, not ${value}`);
}

/** What is wrong with the device at this time. A fault that breaks the device has no end. */
function faultAt({ fault }: Device, time: number): Fault | null {
  if (fault === null || time < fault.since) return null;
  return time < fault.until || FAULTS[fault.name].end === "breaks" ? fault : null;
}

function isBroken(fault: Fault | null, time: number): boolean {
  return fault !== null && FAULTS[fault.name].end === "breaks" && time >= fault.until;
}

function truthOf(fault: Fault | null, time: number): Truth {
  if (fault === null) return { fault: null, since: null, remainingSeconds: null };
  const remainingSeconds = fault.until === Number.POSITIVE_INFINITY ? null : Math.max(0, fault.until - time) / 1000;
  return { fault: fault.name, since: fault.since, remainingSeconds };
}

/** Moves a device in time, as when the clock was set. */
function shift(device: Device, ms: number): void {
  device.due += ms;
  device.time += ms;
  device.nextFault += ms;
  device.silentUntil += ms;
  if (device.fault === null) return;
  device.fault.since += ms;
  device.fault.until += ms;
}

/**
 * A fleet of devices that behave and fail like real ones and tell the truth about it. All times are ms since 1970.
 *
 * Every device draws from random streams of its own, so neither other devices nor faults elsewhere change its data.
 *
 * @example
 * const fleet = new Fleet(options, now);
 * while (fleet.nextDue() <= end) send(fleet.tick(fleet.nextDue()));
 */
export class Fleet {
  readonly #profile: Profile;
  readonly #faultNames: FaultName[];
  readonly #intervalMs: number;
  readonly #jitter: number;
  readonly #faultsPerMs: number;
  readonly #devices = new Map<string, Device>();
  #nextDue: number;

  /**
   * @param startTime when all devices give their first reading
   * @throws RangeError for an unknown profile or a number out of range
   */
  constructor(options: FleetOptions, startTime: number) {
    const profile = PROFILES.get(options.profile);
    if (profile === undefined) {
      throw new RangeError(`unknown profile "${options.profile}": known are ${[...PROFILES.keys()].join(", ")}`);
    }
    checkNumber("devices", options.devices, 1, 1_000_000);
    checkNumber("intervalSeconds", options.intervalSeconds, 0.001, 86_400);
    checkNumber("jitterPercent", options.jitterPercent, 0, 100);
    checkNumber("faultsPerDeviceDay", options.faultsPerDeviceDay, 0, 86_400);
    this.#profile = profile;
    this.#faultNames = (Object.keys(FAULTS) as FaultName[]).filter(
      (name) => FAULTS[name].scope === "device" || profile.faults[name] !== undefined,
    );
    this.#intervalMs = options.intervalSeconds * 1000;
    this.#jitter = options.jitterPercent / 100;
    this.#faultsPerMs = options.faultsPerDeviceDay / MS_PER_DAY;
    this.#nextDue = startTime;
    for (let index = 0; index < options.devices; index++) {
      const deviceId = `${options.devicePrefix}${index + 1}`;
      const physics = new Random(options.seed, index * STREAMS_PER_DEVICE + PHYSICS_STREAM);
      const device: Device = {
        deviceId,
        index,
        process: profile.start(startTime, physics, index),
        physics,
        faults: new Random(options.seed, index * STREAMS_PER_DEVICE + FAULT_STREAM),
        schedule: new Random(options.seed, index * STREAMS_PER_DEVICE + SCHEDULE_STREAM),
        due: startTime,
        time: startTime,
        nextFault: startTime,
        silentUntil: startTime,
        fault: null,
      };
      this.#scheduleFault(device, startTime);
      this.#devices.set(deviceId, device);
    }
  }

  /** When the next device is due. O(1). */
  nextDue(): number {
    return this.#nextDue;
  }

  /**
   * The readings of all devices that are due, in the order of the devices. Their timestamps are when they were due, so
   * a late call changes no data; a device that is overdue by more than an interval gives one reading, its latest. If
   * `now` lies so far back that the clock must have been set, the devices go on from there.
   *
   * O(devices), and O(gap) for a gap of up to six hours.
   */
  tick(now: number): Reading[] {
    const readings: Reading[] = [];
    const longest = this.#intervalMs * (1 + this.#jitter);
    let nextDue = Number.POSITIVE_INFINITY;
    for (const device of this.#devices.values()) {
      if (device.due > now + longest) shift(device, now - device.due);
      if (device.due <= now) {
        device.due += this.#intervalMs * Math.floor((now - device.due) / this.#intervalMs);
        const reading = this.#advance(device, Math.round(device.due));
        if (reading !== null) readings.push(reading);
        device.due += this.#spacing(device);
      }
      if (device.due < nextDue) nextDue = device.due;
    }
    this.#nextDue = nextDue;
    return readings;
  }

  /**
   * Restarts one device, or all: silent for ten seconds or two intervals, whichever is longer, then back without fault
   * and mended. What it has heated up cools down in its own time.
   *
   * @throws RangeError for an unknown device
   */
  restart(deviceId: string | undefined, now: number): void {
    const devices = deviceId === undefined ? this.#devices.values() : [this.#find(deviceId)];
    for (const device of devices) this.#restart(device, now);
  }

  /**
   * Sets a parameter of a device; the profile says which there are.
   *
   * @param value null makes it automatic again, where the parameter is automatic at first
   * @throws RangeError for an unknown device or parameter, or a value out of range
   */
  set(deviceId: string, parameter: string, value: number | null): void {
    const device = this.#find(deviceId);
    const { parameters } = this.#profile;
    const known = Object.hasOwn(parameters, parameter) ? parameters[parameter] : undefined;
    if (known === undefined) {
      throw new RangeError(`unknown parameter "${parameter}": known are ${Object.keys(parameters).join(", ")}`);
    }
    if (!(known.automatic && value === null)) {
      checkNumber(parameter, value, known.minimum, known.maximum, known.automatic ? " or null (automatic)" : "");
    }
    device.process.set(parameter, value);
  }

  /**
   * Starts a fault, in place of one that is there.
   *
   * @param seconds until it ends, for `bearing-wear` until the device breaks; undefined: until a restart, or for
   *   `bearing-wear` as long as one that starts by itself
   * @throws RangeError for an unknown device or fault, seconds that are not positive, or a device that is broken
   */
  startFault(deviceId: string, fault: string, seconds: number | undefined, now: number): void {
    const device = this.#find(deviceId);
    const name = this.#faultNames.find((known) => known === fault);
    if (name === undefined) {
      throw new RangeError(`unknown fault "${fault}": known are ${this.#faultNames.join(", ")}`);
    }
    if (seconds !== undefined && !(Number.isFinite(seconds) && seconds > 0)) {
      throw new RangeError(`seconds must be a positive number, not ${seconds}`);
    }
    if (isBroken(device.fault, now)) throw new RangeError(`device "${deviceId}" is broken: restart it first`);
    const untilEnd = FAULTS[name].end === "breaks" ? this.#duration(device, name) : Number.POSITIVE_INFINITY;
    device.fault = this.#fault(name, now, seconds ?? untilEnd, true);
  }

  /** How each device is. O(devices). */
  status(now: number): DeviceStatus[] {
    return Array.from(this.#devices.values(), (device) => {
      const fault = faultAt(device, now);
      const isSilent = now < device.silentUntil || fault?.name === "dropout";
      return {
        deviceId: device.deviceId,
        state: isBroken(fault, now) ? "broken" : isSilent ? "silent" : "running",
        ...truthOf(fault, now),
        parameters: device.process.parameters(),
      };
    });
  }

  #find(deviceId: string): Device {
    const device = this.#devices.get(deviceId);
    if (device !== undefined) return device;
    const ids = [...this.#devices.keys()];
    const known = ids.length === 1 ? `${ids[0]}` : `${ids[0]} to ${ids.at(-1)}`;
    throw new RangeError(`unknown device "${deviceId}": this fleet has ${known}`);
  }

  #restart(device: Device, now: number): void {
    device.fault = null;
    device.silentUntil = now + Math.max(RESTART_MS, 2 * this.#intervalMs);
    device.process.repair();
  }

  /** Milliseconds to the device's next reading. */
  #spacing(device: Device): number {
    if (this.#jitter === 0) return this.#intervalMs;
    return Math.max(1, this.#intervalMs * (1 + this.#jitter * device.schedule.between(-1, 1)));
  }

  /** Brings one device to `time` and reads its sensors; null while it is silent. */
  #advance(device: Device, time: number): Reading | null {
    this.#changeFault(device, time);
    const fault = faultAt(device, time);
    if (isBroken(fault, time)) {
      device.time = time;
      return null;
    }
    this.#step(device, time, fault);
    const metrics = device.process.values();
    for (const { name, noise } of this.#profile.sensors) {
      metrics[name] = (metrics[name] as number) + noise * device.physics.gaussian();
    }
    if (time < device.silentUntil || fault?.name === "dropout") return null;
    if (fault !== null) distort(metrics, fault, time, device.faults);
    const units: Record<string, string> = {};
    for (const { name, unit, range, stepsPerUnit } of this.#profile.sensors) {
      const shown = Math.min(range[1], Math.max(range[0], metrics[name] as number));
      metrics[name] = Math.round(shown * stepsPerUnit) / stepsPerUnit;
      units[name] = unit;
    }
    const reading: Reading = {
      deviceId: device.deviceId,
      timestamp: time,
      metrics,
      units,
      truth: truthOf(fault, time),
    };
    if (this.#profile.tags !== undefined) reading.tags = this.#profile.tags(device.index);
    return reading;
  }

  /** Ends the fault whose time is over, starts one whose time has come, restarts what broke by itself. */
  #changeFault(device: Device, time: number): void {
    const { fault } = device;
    if (fault !== null && isBroken(fault, time)) {
      if (!fault.isInjected && time >= fault.until + REPAIR_MS) this.#restart(device, time);
    } else if (fault !== null && time >= fault.until) {
      device.fault = null;
    }
    if (time < device.nextFault) return;
    if (device.fault === null && time >= device.silentUntil) {
      const name = this.#faultNames[Math.floor(device.faults.next() * this.#faultNames.length)] as FaultName;
      device.fault = this.#fault(name, time, this.#duration(device, name), false);
    }
    this.#scheduleFault(device, time);
  }

  #fault(name: FaultName, since: number, seconds: number, isInjected: boolean): Fault {
    const metric = this.#profile.faults[name];
    const sensor = this.#profile.sensors.find((known) => known.name === metric);
    return { name, since, until: since + seconds * 1000, isInjected, sensor };
  }

  #duration(device: Device, name: FaultName): number {
    return Math.round(device.faults.between(...FAULTS[name].seconds));
  }

  /** Waiting times of a Poisson process are exponential. */
  #scheduleFault(device: Device, time: number): void {
    device.nextFault =
      this.#faultsPerMs === 0
        ? Number.POSITIVE_INFINITY
        : time - Math.log(1 - device.faults.next()) / this.#faultsPerMs;
  }

  #step(device: Device, time: number, fault: Fault | null): void {
    const elapsed = Math.min(Math.max(0, time - device.time), LONGEST_GAP_MS);
    const steps = Math.max(1, Math.ceil(elapsed / 1000 / STEP_SECONDS));
    for (let step = 1; step <= steps; step++) {
      const at = time - elapsed + (elapsed * step) / steps;
      const acting = fault !== null && at >= fault.since ? fault : null;
      device.process.step(at, elapsed / 1000 / steps, acting, device.physics);
    }
    device.time = time;
  }
}
