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
    const key = lineKey(line);
    if (key === undefined || this.#lines.has(key)) return false;
    this.#lines.set(key, line);
    this.#count++;
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= this.#capacity) break;
      this.#lines.delete(oldest);
    }
    return true;
  }

  /**
   * Takes lines from before those that are there, the oldest first, as far as there is room. Those that were there count as
   * new again, so that all come in their order. Cost: O(capacity + lines).
   */
  precede(lines: readonly JournalLine[]): void {
    const present = new Map(this.#lines);
    const earlier = lines.filter((line) => !present.has(lineKey(line) ?? ""));
    const room = this.#capacity - present.size;
    if (earlier.length === 0 || room === 0) return;
    this.#lines.clear();
    for (const line of earlier.slice(-room)) this.push(line);
    for (const [key, line] of present) this.#lines.set(key, line);
    this.#count += present.size;
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

/** What makes a line one of its kind; undefined for an alarm that tells no change, which is none. */
export function lineKey(line: JournalLine): string | undefined {
  if ("outcome" in line) return `${line.outcome} ${line.commandId}`;
  if (line.change === undefined || line.timestamp === undefined) return undefined;
  return `${line.change} ${line.timestamp} ${line.alarmId}`;
}
