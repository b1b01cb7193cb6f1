/** The users and their roles, in a file that the application and the command `users` share. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hashOf, isPassword, problemOf } from "./passwords.ts";
import { isRole, ROLES, type Role } from "./rights.ts";

export interface User {
  name: string;
  role: Role;
  /** Its hash; see passwords.ts. */
  password: string;
  /** Another one with each password, so that a session ends when the password changes. */
  version: string;
}

/** Where the users of a user directory are kept. */
export const fileOfUsers = (userDir: string) => join(userDir, "users.json");

/** A change that cannot be made, in a sentence. */
export class UserError extends Error {}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,62}[\p{L}\p{N}]?$/u;

/**
 * A file of users, read again when it has changed, readable for its owner only. Names differ by more than upper and lower
 * case. A file that cannot be read lets nobody in.
 */
export class UserFile {
  readonly #path: string;
  readonly #warn: (text: string) => void;
  #users = new Map<string, User>();
  /** Which state of the file was read last. */
  #seen = "";

  constructor(path: string, warn: (text: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** All of them, by name. */
  list(): User[] {
    return [...this.#read().values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): User | undefined {
    return this.#read().get(keyOf(name));
  }

  /** The user of this name and password. Takes as long for a name that is unknown. Throws a BusyError; see passwords.ts. */
  async identify(name: string, password: string): Promise<User | undefined> {
    const user = this.find(name);
    return (await isPassword(password, user?.password)) ? user : undefined;
  }

  async add(name: string, role: string, password: string): Promise<void> {
    if (!NAME.test(name))
      throw new UserError("a name has 1 to 64 letters, digits, blanks, and . _ @ - between its first and last letter");
    const user = { name: name.normalize("NFC"), role: roleOf(role), ...(await kept(password)) };
    this.#change((users) => {
      if (users.has(keyOf(name))) throw new UserError(`there is a user ${name} already`);
      users.set(keyOf(name), user);
    });
  }

  setRole(name: string, role: string): void {
    const next = roleOf(role);
    this.#change((users) => {
      users.set(keyOf(name), { ...existing(users, name), role: next });
    });
  }

  async setPassword(name: string, password: string): Promise<void> {
    const next = await kept(password);
    this.#change((users) => {
      users.set(keyOf(name), { ...existing(users, name), ...next });
    });
  }

  remove(name: string): void {
    this.#change((users) => {
      existing(users, name);
      users.delete(keyOf(name));
    });
  }

  /** Whether there is a file, be it as it may. */
  get exists(): boolean {
    return existsSync(this.#path);
  }

  #read(): Map<string, User> {
    const file = statSync(this.#path, { throwIfNoEntry: false });
    const seen = file ? `${file.mtimeMs} ${file.size} ${file.ino}` : "";
    if (seen === this.#seen) return this.#users;
    this.#seen = seen;
    try {
      this.#users = this.#load();
    } catch (error) {
      this.#users = new Map();
      this.#warn(`${(error as Error).message}, so nobody can log in`);
    }
    return this.#users;
  }

  #load(): Map<string, User> {
    if (!this.exists) return new Map();
    try {
      return usersIn(readFileSync(this.#path, "utf8"));
    } catch (error) {
      throw new UserError(`${this.#path} cannot be read: ${(error as Error).message}`);
    }
  }

  #change(change: (users: Map<string, User>) => void): void {
    const users = this.#load();
    const hadAdmin = hasAdmin(users);
    change(users);
    if (hadAdmin && !hasAdmin(users)) throw new UserError("there must be an admin");
    mkdirSync(dirname(this.#path), { recursive: true });
    const text = `${JSON.stringify([...users.values()], null, 2)}\n`;
    writeFileSync(`${this.#path}.new`, text, { mode: 0o600, flush: true });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** What names are told apart by: not by upper and lower case. */
export const keyOf = (name: string) => name.normalize("NFC").toLowerCase();

const hasAdmin = (users: Map<string, User>) => [...users.values()].some(({ role }) => role === "admin");

function roleOf(role: string): Role {
  if (isRole(role)) return role;
  throw new UserError(`the role is one of ${ROLES.join(", ")}, not ${role}`);
}

async function kept(password: string): Promise<Pick<User, "password" | "version">> {
  const problem = problemOf(password);
  if (problem) throw new UserError(problem);
  return { password: await hashOf(password), version: randomUUID() };
}

function existing(users: Map<string, User>, name: string): User {
  const user = users.get(keyOf(name));
  if (user) return user;
  throw new UserError(`there is no user ${name}`);
}

function usersIn(text: string): Map<string, User> {
  const users: unknown = JSON.parse(text);
  if (!Array.isArray(users) || !users.every(isUser)) throw new Error("it must be an array of users");
  return new Map(users.map((user) => [keyOf(user.name), user]));
}

function isUser(value: Partial<User> | null): value is User {
  return (
    [value?.name, value?.password, value?.version].every((each) => typeof each === "string") && isRole(value?.role)
  );
}
