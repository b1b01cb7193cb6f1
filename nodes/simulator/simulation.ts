/** What every simulated fleet can do, and the commands for it: the same in the node and on the command line. */
import type { DeviceStatus } from "../../core/simulator/fleet.ts";
import type { Sent } from "../../core/simulator/transport.ts";

/** Where a simulation stands: plain JSON. */
export interface SimulationState {
  state: "stopped" | "running" | "finished" | "failed";
  profile: string;
  /** Readings that were sent. */
  sent: number;
  /** Of a simulated fleet: how many devices it has. */
  devices?: number;
  /** Of a simulated fleet: seconds between two readings of a device. */
  intervalSeconds?: number;
  /** Of a replay: the file, and how far it has come. */
  file?: string;
  /** How much of the file was played, 0 to 100. */
  percent?: number;
  /** How often the file was played to its end. */
  rounds?: number;
  /** Records that could not be taken, and those of which only some metrics could. */
  refused?: number;
  partlyRefused?: number;
  /** Why the first of these was refused. */
  reason?: string;
  /** Messages that the nodes behind did not complete, and that were waited for no longer. */
  uncompleted?: number;
  /** Why it failed. */
  error?: string;
}

/** A fleet of devices, simulated or recorded. What can't be done throws an Error and changes nothing. */
export interface Simulation {
  readonly state: SimulationState;
  /** Starts, or goes on after `stop`. Leaves what is finished as it is. */
  start(): void | Promise<void>;
  stop(): void;
  /** Restarts one device, or all of them. */
  restart(deviceId?: string): void | Promise<void>;
  set(deviceId: string, parameter: string, value: number | null): void;
  /** Goes on with another fleet, of which one option is changed. */
  change(parameter: string, value: unknown): void;
  fault(deviceId: string, fault: string, seconds?: number): void;
  /** How each device is; undefined where that is not known. */
  devices(): DeviceStatus[] | undefined;
  close(): void;
}

/** Takes what a simulation sends. */
export interface Consumer {
  /** Takes what devices send. More comes when the promise is fulfilled, or at once without one. */
  take(sent: Sent[]): Promise<void> | undefined;
  /** A replay begins or goes on. */
  open?(): void;
  /** A replay stops or ends: whoever waits shall wait no longer. */
  close?(): void;
  /** Fulfilled when all that was taken has reached its end. */
  drained?(): Promise<void>;
  /** How much was given up, because nothing happened to it for long. */
  readonly uncompleted?: number;
}

/** What came of a command, with its arguments. */
export interface Outcome {
  command: unknown;
  ok: boolean;
  /** Why it could not be done. */
  error?: string;
  state: SimulationState;
  /** Answer to `status`, of a simulated fleet. */
  devices?: DeviceStatus[];
  [argument: string]: unknown;
}

export const COMMANDS = ["start", "stop", "restart", "set", "fault", "status"] as const;

type Arguments = Record<string, unknown>;

/**
 * Carries out a command; never throws. The outcome repeats the arguments, so that whoever asked finds his own marks in
 * it. Arguments are an object, or anything but text and arrays for none. The device `*` means all.
 */
export async function obey(simulation: Simulation, command: unknown, args: unknown): Promise<Outcome> {
  const isObject = typeof args === "object" && args !== null && !Array.isArray(args);
  const given = isObject ? (args as Arguments) : {};
  try {
    if (!isObject && (Array.isArray(args) || (typeof args === "string" && args !== ""))) {
      throw new Error(`the arguments of ${command} must be an object`);
    }
    const result = await carryOut(simulation, command, given);
    return { ...given, command, ok: true, ...result, state: simulation.state };
  } catch (error) {
    return { ...given, command, ok: false, error: (error as Error).message, state: simulation.state };
  }
}

async function carryOut(
  simulation: Simulation,
  command: unknown,
  args: Arguments,
): Promise<{ devices?: DeviceStatus[] } | undefined> {
  const deviceId = args.deviceId === "*" ? undefined : args.deviceId;
  switch (command) {
    case "start":
    case "stop":
      if (deviceId !== undefined) throw new Error(`${command} is for all devices, it takes no deviceId`);
      await simulation[command]();
      return;
    case "restart":
      await simulation.restart(deviceId === undefined ? undefined : textOf("deviceId", deviceId));
      return;
    case "set": {
      const { value } = args;
      if (deviceId === undefined) {
        simulation.change(textOf("parameter", args.parameter), value);
        return;
      }
      if (typeof value !== "number" && value !== null) throw new Error("value must be a number or null");
      simulation.set(textOf("deviceId", deviceId), textOf("parameter", args.parameter), value);
      return;
    }
    case "fault": {
      const { seconds = null } = args;
      if (typeof seconds !== "number" && seconds !== null) throw new Error("seconds must be a number");
      simulation.fault(textOf("deviceId", deviceId), textOf("fault", args.fault), seconds ?? undefined);
      return;
    }
    case "status": {
      const devices = simulation.devices();
      if (devices === undefined) return;
      if (deviceId === undefined) return { devices };
      const device = devices.find((each) => each.deviceId === deviceId);
      if (device === undefined) throw new Error(`unknown device ${JSON.stringify(deviceId)}`);
      return { devices: [device] };
    }
    default:
      throw new Error(`unknown command ${JSON.stringify(command)}: there are ${COMMANDS.join(", ")}`);
  }
}

function textOf(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${name} must be ${name === "deviceId" ? "the name of a device" : "text"}`);
}
