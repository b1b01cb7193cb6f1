/** The audit trail: who did what, when, from where, and what came of it. A file of JSON lines, and whoever listens. */
import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { addressOf } from "./http.ts";
import type { User } from "./users.ts";

/** One thing that somebody did or tried. */
export interface AuditEntry {
  /** ms since 1970. */
  timestamp: number;
  /** The user's name, as it was given if nobody has logged in. */
  by: string;
  role?: string | undefined;
  /** `login`, `logout`, `command`, `user`, or an HTTP method and path. */
  action: string;
  /** On what: a widget, a user. */
  target?: string | undefined;
  /** The command or value, shortened. */
  detail?: string | undefined;
  /** Network address. */
  from: string;
  outcome: "ok" | "refused" | "failed";
  reason?: string | undefined;
}

/** A file has at most so many bytes; then it becomes the first of the older ones. */
const MAX_BYTES = 5_000_000;
const OLDER_FILES = 4;

/** Entries at most of one user in a second, so that nobody washes away what stands here; more are counted and left out. */
const MAX_A_SECOND = 20;
/** Entries at most that wait to be written. */
const MAX_WAITING = 1000;
const WRITE_AFTER = 100;

/** An audit trail in a file, `audit.jsonl`, with older ones `audit.1.jsonl` to `audit.4.jsonl` beside it. */
export class AuditTrail {
  readonly #path: string;
  readonly #warn: (text: string) => void;
  readonly #listen: (entry: AuditEntry) => void;
  #waiting: string[] = [];
  #dropped = 0;
  /** Entries of each user in this second. */
  readonly #counts = new Map<string, number>();
  #second = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, warn: (text: string) => void, listen: (entry: AuditEntry) => void) {
    this.#path = path;
    this.#warn = warn;
    this.#listen = listen;
    mkdirSync(dirname(path), { recursive: true });
  }

  record(entry: Omit<AuditEntry, "timestamp">): void {
    const dated = { timestamp: Date.now(), ...entry };
    if (this.#waiting.length >= MAX_WAITING || !this.#hasRoom(dated)) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(JSON.stringify(dated));
    this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER).unref();
    this.#listen(dated);
  }

  /** Writes what is not yet written. */
  close(): void {
    clearTimeout(this.#timer);
    this.#write();
  }

  #hasRoom({ by, timestamp }: AuditEntry): boolean {
    const second = Math.floor(timestamp / 1000);
    if (second !== this.#second) this.#counts.clear();
    this.#second = second;
    const count = (this.#counts.get(by) ?? 0) + 1;
    this.#counts.set(by, count);
    return count <= MAX_A_SECOND;
  }

  #write(): void {
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const text = `${this.#waiting.join("\n")}\n`;
    this.#waiting = [];
    try {
      if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) + text.length > MAX_BYTES) this.#rotate();
      appendFileSync(this.#path, text, { mode: 0o600 });
    } catch (error) {
      this.#warn(`the audit trail cannot be written: ${(error as Error).message}`);
    }
    if (this.#dropped > 0) this.#warn(`${this.#dropped} entries of the audit trail were too many at once`);
    this.#dropped = 0;
  }

  #rotate(): void {
    const older = (n: number) => this.#path.replace(/(?=\.jsonl$)/, n === 0 ? "" : `.${n}`);
    for (let n = OLDER_FILES - 1; n >= 0; n--) {
      if (statSync(older(n), { throwIfNoEntry: false })) renameSync(older(n), older(n + 1));
    }
  }
}

/** Who it is of, and from where. */
export function actor(request: IncomingMessage, { name, role }: User): Pick<AuditEntry, "by" | "role" | "from"> {
  return { by: name, role, from: addressOf(request) };
}

/** A value as an entry shows it: JSON, shortened. */
export function shown(value: unknown): string | undefined {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text && text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
