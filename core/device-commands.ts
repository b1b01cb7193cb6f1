/** Commands that operators give to devices, and what becomes of each. */
import { MAX_NAME_LENGTH } from "./limits.ts";

/** Commands that may wait for an answer at once; as many are remembered for a late one. */
export const MAX_PENDING_COMMANDS = 10_000;

/** Characters of a command's arguments as JSON. */
export const MAX_ARGUMENTS_LENGTH = 4000;

/** Characters of a device's reason that are kept. */
const MAX_ERROR_LENGTH = 1000;

/** How long a late answer is recognised, ms. */
const REMEMBERED = 3_600_000;

export interface DeviceCommandOptions {
  /** How long a device may take to answer. */
  timeoutSeconds: number;
  /** The words that are allowed; empty for all. */
  commands: readonly string[];
  /** Tells whether a device may be given commands; without it, any may. */
  accepts?: ((deviceId: string) => boolean) | undefined;
}

/** What a device gets. A device that answers repeats the `commandId`. */
export interface CommandToDevice {
  command: string;
  commandId: string;
  /** Who asked for it. */
  by?: string;
  [argument: string]: unknown;
}

/** What a device says of a command. */
export interface CommandAnswer {
  /** Absent in the answer to a command of somebody who gives none. */
  commandId?: unknown;
  ok: boolean;
  /** Why it could not be done. */
  error?: unknown;
}

/** What became of a command: a line of the journal. Times in ms since 1970. */
export interface CommandLine {
  deviceId: string;
  command: string;
  commandId: string;
  by?: string;
  arguments: Record<string, unknown>;
  /** After `timeout` only `answered-late` may follow, with an `error` if the device could not do it. */
  outcome: "sent" | "done" | "failed" | "timeout" | "answered-late";
  error?: string;
  sentAt: number;
  answeredAt?: number;
  /** From the command to the answer, or to the end of the wait. */
  seconds?: number;
  /** When this was found. */
  timestamp: number;
}

type SentCommand = Pick<CommandLine, "deviceId" | "command" | "commandId" | "by" | "arguments" | "sentAt">;

/** Commands without an answer, as plain JSON. */
export interface DeviceCommandsState {
  waiting: SentCommand[];
  unanswered: SentCommand[];
}

/**
 * True for what a device says of a command; anything else is a command for one. An answer repeats the command, so that
 * one which is taken for a command would be obeyed twice.
 */
export function isCommandAnswer(payload: unknown): payload is CommandAnswer {
  return isRecord(payload) && typeof payload.ok === "boolean";
}

/**
 * Keeps the commands that wait for an answer, and those that have had none in time.
 *
 * Time is in ms since 1970. When it is set back beyond the sending of a command, nobody knows how long it waits: it is
 * as if it had waited for too long.
 *
 * Cost: O(1) a command or answer; a tick O(commands without an answer). Memory: at most MAX_PENDING_COMMANDS of each
 * kind, with MAX_ARGUMENTS_LENGTH characters each.
 */
export class DeviceCommands {
  readonly #options: DeviceCommandOptions;
  /** By commandId, in the order of sending. */
  readonly #waiting = new Map<string, SentCommand>();
  readonly #unanswered = new Map<string, SentCommand>();

  constructor(options: DeviceCommandOptions) {
    this.#options = options;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(options: DeviceCommandOptions, state: unknown): DeviceCommands {
    requireState(state);
    const commands = new DeviceCommands(options);
    for (const sent of state.waiting) commands.#waiting.set(sent.commandId, sent);
    for (const sent of state.unanswered) commands.#unanswered.set(sent.commandId, sent);
    return commands;
  }

  /** How many commands wait for an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a command `{ deviceId, command, by?, …arguments }`, which from then on waits for an answer.
   *
   * @param commandId one that no other command has
   * @returns what to send, and the line of the journal
   * @throws Error when it makes no sense, is not allowed, or too many wait already; nothing is changed then
   */
  send(request: unknown, commandId: string, now: number): { toDevice: CommandToDevice; line: CommandLine } {
    const { deviceId, command, by, ...args } = isRecord(request) ? request : {};
    if (!isName(deviceId) || !isName(command)) {
      throw new TypeError("a command is { deviceId, command, by, … }, with the names of a device and of a command");
    }
    if (by !== undefined && !isName(by)) throw new TypeError("by must be the name of who gives the command");
    if (args.commandId !== undefined) throw new TypeError("commandId is given here, a command must not bring its own");
    const { commands, accepts } = this.#options;
    if (commands.length > 0 && !commands.includes(command)) {
      throw new RangeError(`the command ${JSON.stringify(command)} is not allowed, only ${commands.join(", ")}`);
    }
    if (accepts && !accepts(deviceId)) throw new RangeError(`there is no device ${JSON.stringify(deviceId)}`);
    if (JSON.stringify(args).length > MAX_ARGUMENTS_LENGTH) {
      throw new RangeError(`the arguments of a command may have ${MAX_ARGUMENTS_LENGTH} characters at most`);
    }
    if (this.#waiting.size >= MAX_PENDING_COMMANDS) {
      throw new RangeError(`${MAX_PENDING_COMMANDS} commands wait for an answer already`);
    }
    const author = by !== undefined && { by };
    const sent: SentCommand = { deviceId, command, commandId, ...author, arguments: args, sentAt: now };
    this.#waiting.set(commandId, sent);
    return {
      toDevice: { ...args, command, commandId, ...author },
      line: { ...sent, outcome: "sent", timestamp: now },
    };
  }

  /** Takes an answer that comes at `now`. Gives the line of the journal, or undefined if the command is not known. */
  answer({ commandId, ok, error }: CommandAnswer, now: number): CommandLine | undefined {
    if (typeof commandId !== "string") return undefined;
    const waiting = this.#waiting.get(commandId);
    const sent = waiting ?? this.#unanswered.get(commandId);
    if (sent === undefined) return undefined;
    this.#waiting.delete(commandId);
    this.#unanswered.delete(commandId);
    const isLate = waiting === undefined || this.#isOverdue(waiting, now);
    return {
      ...sent,
      outcome: isLate ? "answered-late" : ok ? "done" : "failed",
      ...(!ok && { error: reasonOf(error) }),
      answeredAt: now,
      seconds: secondsSince(sent, now),
      timestamp: now,
    };
  }

  /** Gives the lines of the commands that have waited for too long. */
  tick(now: number): CommandLine[] {
    const lines: CommandLine[] = [];
    for (const [commandId, sent] of this.#waiting) {
      if (!this.#isOverdue(sent, now)) continue;
      this.#waiting.delete(commandId);
      this.#unanswered.set(commandId, sent);
      lines.push({ ...sent, outcome: "timeout", seconds: secondsSince(sent, now), timestamp: now });
    }
    for (const [commandId, { sentAt }] of this.#unanswered) {
      if (this.#unanswered.size > MAX_PENDING_COMMANDS || now - sentAt > REMEMBERED) this.#unanswered.delete(commandId);
    }
    return lines;
  }

  toJSON(): DeviceCommandsState {
    return { waiting: [...this.#waiting.values()], unanswered: [...this.#unanswered.values()] };
  }

  #isOverdue({ sentAt }: SentCommand, now: number): boolean {
    return now < sentAt || now - sentAt >= this.#options.timeoutSeconds * 1000;
  }
}

function secondsSince({ sentAt }: SentCommand, now: number): number {
  return Math.max(0, now - sentAt) / 1000;
}

function reasonOf(error: unknown): string {
  return typeof error === "string" && error !== "" ? error.slice(0, MAX_ERROR_LENGTH) : "it gives no reason";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH;
}

function requireState(state: unknown): asserts state is DeviceCommandsState {
  const isSent = (sent: unknown) =>
    isRecord(sent) &&
    [sent.deviceId, sent.command, sent.commandId, sent.by ?? "nobody"].every(isName) &&
    isRecord(sent.arguments) &&
    Number.isFinite(sent.sentAt);
  const isList = (list: unknown) => Array.isArray(list) && list.every(isSent);
  if (!(isRecord(state) && isList(state.waiting) && isList(state.unanswered))) {
    throw new TypeError("these are not the commands of devices");
  }
}
