/** The latest lines of the journal: what happened to alarms, and what became of commands. */
import type { CommandLine } from "./device-commands.ts";
import type { Alarm } from "./types.ts";

/** A change of an alarm, which has `change` and `timestamp`; or a step of a command. */
export type JournalLine = Alarm | CommandLine;

/**
 * Keeps the last `capacity` lines, each once, however often it comes: an alarm is told on a topic of its own as well.
 *
 * Cost: O(1) a line; `since` and `of` O(capacity). Memory: O(capacity).
 */
export class Journal {
  readonly #capacity: number;
  /** By what makes a line one of its kind, in the order of their arrival. */
  readonly #lines = new Map<string, JournalLine>();
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many lines there ever were: the position behind the last one. */
  get count(): number {
    return this.#count;
  }

  /** Takes a line. False if it is none, or is there already. */
  push(line: JournalLine): boolean {
    const key = keyOf(line);
    if (key === undefined || this.#lines.has(key)) return false;
    this.#lines.set(key, line);
    this.#count++;
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= this.#capacity) break;
      this.#lines.delete(oldest);
    }
    return true;
  }

  /** The lines that have come since a position, of those that are left. */
  since(position: number): JournalLine[] {
    const added = Math.min(this.#count - position, this.#lines.size);
    return added > 0 ? [...this.#lines.values()].slice(-added) : [];
  }

  /** The lines about a device. */
  of(deviceId: string): JournalLine[] {
    return [...this.#lines.values()].filter((line) => line.deviceId === deviceId);
  }
}

function keyOf(line: JournalLine): string | undefined {
  if ("outcome" in line) return `${line.outcome} ${line.commandId}`;
  if (line.change === undefined || line.timestamp === undefined) return undefined;
  return `${line.change} ${line.timestamp} ${line.alarmId}`;
}
