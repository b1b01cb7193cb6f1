/** Passwords, kept as scrypt hashes (RFC 7914) that name their own cost. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";

/** Cost: 32 MiB and some 0.2 s each, what OWASP's password storage cheat sheet asks of scrypt. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
const MAX_MEMORY = 64 * 2 ** 20;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

const MIN_LENGTH = 10;
const MAX_LENGTH = 1000;

/** Passwords at most that wait to be checked, one at a time, so that guesses neither fill the memory nor all processors. */
const MAX_WAITING = 16;

/** Why a password will not do; undefined when it will. */
export function problemOf(password: string): string | undefined {
  if (password.length < MIN_LENGTH) return `a password has at least ${MIN_LENGTH} characters`;
  return password.length > MAX_LENGTH ? `a password has at most ${MAX_LENGTH} characters` : undefined;
}

/** A new password that nobody guesses: 20 characters, 119 bits, without those that are easily mistaken. */
export function randomPassword(): string {
  const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_";
  const isFair = (byte: number) => byte < 256 - (256 % letters.length);
  const bytes = [...randomBytes(60)].filter(isFair).slice(0, 20);
  return bytes.length === 20 ? bytes.map((byte) => letters[byte % letters.length]).join("") : randomPassword();
}

/** The hash that is kept: `scrypt$N$r$p$salt$hash`, the last two in base64url. */
export async function hashOf(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64url"), hash.toString("base64url")].join("$");
}

/** Of no password: what those who do not exist are compared with, so that they take as long as others. */
const nobody = `scrypt$${COST.N}$${COST.r}$${COST.p}$${"A".repeat(22)}$${"A".repeat(43)}`;

/** Too many passwords wait to be checked. */
export class BusyError extends Error {}

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Whether a password is the one that was hashed; takes as long for a user who does not exist (`undefined`). Throws a
 * BusyError when too many wait.
 */
export async function isPassword(password: string, kept: string | undefined): Promise<boolean> {
  if (waiting >= MAX_WAITING) throw new BusyError("too many logins at once");
  waiting++;
  const check = last.then(() => compare(password, kept ?? nobody));
  last = check.catch(() => undefined).finally(() => waiting--);
  return (await check) && kept !== undefined;
}

async function compare(password: string, kept: string): Promise<boolean> {
  const [kind, N, r, p, salt = "", hash = ""] = kept.split("$");
  if (kind !== "scrypt" || password.length > MAX_LENGTH) return false;
  const expected = Buffer.from(hash, "base64url");
  const found = await derive(password, Buffer.from(salt, "base64url"), { N: Number(N), r: Number(r), p: Number(p) });
  return expected.length === found.length && timingSafeEqual(expected, found);
}

function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
  const text = password.normalize("NFKC");
  return new Promise((resolve, reject) =>
    scrypt(text, salt, HASH_BYTES, { ...cost, maxmem: MAX_MEMORY }, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
}
