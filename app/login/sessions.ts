/** The sessions of those who are logged in: bounded, and kept in a file over a restart. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type Session, type SessionData, Store } from "express-session";

/** Sessions at most; the oldest ends when there is one more. */
const MAX_SESSIONS = 1000;

/** So long a change may wait to be saved, ms. */
const SAVE_AFTER = 500;

declare module "express-session" {
  interface SessionData {
    /** Who has logged in: the user's name and version, see users.ts. */
    user: { name: string; version: string };
    /** When it ends, ms since 1970. */
    until: number;
  }
}

/** A request of which express-session has found the session. */
export interface SessionRequest extends IncomingMessage {
  session: Session & Partial<SessionData>;
  sessionID: string;
  /** As Express keeps it where it cuts off the beginning of `url`. */
  originalUrl?: string;
}

/** A store for express-session. The file holds hashes of the session ids, so that it opens no session to who reads it. */
export class SessionFile extends Store {
  readonly #path: string;
  readonly #warn: (text: string) => void;
  readonly #sessions: Map<string, SessionData>;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, warn: (text: string) => void) {
    super();
    this.#path = path;
    this.#warn = warn;
    this.#sessions = this.#load();
  }

  /** A session that has not ended. */
  find(id: string): SessionData | undefined {
    const session = this.#sessions.get(keyOf(id));
    return session && session.until > Date.now() ? session : undefined;
  }

  override get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    const session = this.find(id);
    callback(null, session ? structuredClone(session) : null);
  }

  override set(id: string, session: SessionData, callback?: (error?: unknown) => void): void {
    const now = Date.now();
    for (const [key, { until }] of this.#sessions) if (!(until > now)) this.#sessions.delete(key);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MAX_SESSIONS && oldest) this.#sessions.delete(oldest);
    this.#sessions.set(keyOf(id), JSON.parse(JSON.stringify(session)));
    this.#changed();
    callback?.();
  }

  override destroy(id: string, callback?: (error?: unknown) => void): void {
    if (this.#sessions.delete(keyOf(id))) this.#changed();
    callback?.();
  }

  /** Saves what is not yet saved. */
  close(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#save();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => this.#save(), SAVE_AFTER).unref();
  }

  #save(): void {
    this.#timer = undefined;
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify([...this.#sessions]), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#warn(`sessions cannot be kept over a restart: ${(error as Error).message}`);
    }
  }

  #load(): Map<string, SessionData> {
    try {
      return new Map(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.#warn(`${this.#path} cannot be read, so all must log in again: ${(error as Error).message}`);
      return new Map();
    }
  }
}

const keyOf = (id: string) => createHash("sha256").update(id).digest("base64url");
