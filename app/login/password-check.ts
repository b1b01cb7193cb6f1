/** Checks who logs in, slows those who guess, and writes both down. */
import type { AuditTrail } from "./audit.ts";
import { Backoff, type Limit } from "./backoff.ts";
import { addressOf } from "./http.ts";
import { BusyError } from "./passwords.ts";
import type { SessionRequest } from "./sessions.ts";
import type { Tokens } from "./tokens.ts";
import { keyOf, type User, type UserFile } from "./users.ts";

/** Those who guess are slowed by name and address, by address, and by name. */
const LIMITS = {
  both: { free: 5, longest: 900 },
  address: { free: 50, longest: 60 },
  name: { free: 20, longest: 60 },
};

/** What came of a login: the user, or else why not. */
export type LoginOutcome = { user: User } | { problem: "wrong" | "busy" } | { waitSeconds: number };

export class PasswordCheck {
  readonly #users: UserFile;
  readonly #tokens: Tokens;
  readonly #audit: AuditTrail;
  readonly #warn: (text: string) => void;
  readonly #backoff = new Backoff();

  constructor(users: UserFile, tokens: Tokens, audit: AuditTrail, warn: (text: string) => void) {
    this.#users = users;
    this.#tokens = tokens;
    this.#audit = audit;
    this.#warn = warn;
  }

  async check(request: SessionRequest, name: string, password: string): Promise<LoginOutcome> {
    const limits = this.#limits(request, name);
    const wait = this.#backoff.attempt(limits, Date.now());
    if (wait > 0) return { waitSeconds: Math.ceil(wait / 1000) };
    try {
      const user = await this.#users.identify(name, password);
      this.#record(name, addressOf(request), user, limits);
      return user ? { user } : { problem: "wrong" };
    } catch (error) {
      this.#backoff.cancelled(limits);
      if (error instanceof BusyError) return { problem: "busy" };
      throw error;
    }
  }

  #record(name: string, from: string, user: User | undefined, limits: readonly Limit[]): void {
    const { wait, refused } = this.#backoff.state(limits, Date.now());
    const meanwhile = refused > 0 ? `after ${refused} refused attempts` : undefined;
    if (user) {
      // Others may still be guessing at the name, or from this address.
      this.#backoff.succeeded(limits.slice(0, 1));
      this.#audit.record({ by: user.name, role: user.role, action: "login", from, outcome: "ok", reason: meanwhile });
      return;
    }
    const locked = wait > 0 ? `locked for ${Math.ceil(wait / 1000)} s` : undefined;
    const reason = ["wrong name or password", meanwhile, locked].filter(Boolean).join(", ");
    this.#audit.record({ by: name, action: "login", from, outcome: "failed", reason });
    if (locked) this.#warn(`login as ${JSON.stringify(name)} from ${from}: ${reason}`);
  }

  /**
   * What an attempt is counted by. A browser in which this user has logged in before is not slowed by what others guess
   * at the name.
   */
  #limits(request: SessionRequest, name: string): Limit[] {
    const user = keyOf(name);
    const address = addressOf(request);
    if (this.#tokens.isKnown(request, name)) return [{ key: `known ${address} ${user}`, ...LIMITS.both }];
    return [
      { key: `both ${address} ${user}`, ...LIMITS.both },
      { key: `address ${address}`, ...LIMITS.address },
      { key: `name ${user}`, ...LIMITS.name },
    ];
  }
}
