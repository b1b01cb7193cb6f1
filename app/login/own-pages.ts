/** The login's own pages: log in, log out, who is there, the users. */
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type AuditTrail, actor } from "./audit.ts";
import { localPath, redirect, send, sendJson, sendPage } from "./http.ts";
import { loginPage, logoutPage, usersPage } from "./pages.ts";
import type { PasswordCheck } from "./password-check.ts";
import { may } from "./rights.ts";
import type { SessionRequest } from "./sessions.ts";
import type { Tokens } from "./tokens.ts";
import { type User, UserError, type UserFile } from "./users.ts";

/** Answers a request that is allowed; the form is there when something is to be changed. */
export type Page = (
  request: SessionRequest,
  response: ServerResponse,
  user: User | undefined,
  form: Map<string, string> | undefined,
) => Promise<void> | void;

/** What the pages are made with. */
export interface PageParts {
  /** Where the dashboard is, beside which the pages stand, and the editor. */
  dashboard: string;
  editor: string;
  /** So long a session lasts. */
  hours: number;
  /** Path of the script that pages load. */
  script: string;
  users: UserFile;
  check: PasswordCheck;
  tokens: Tokens;
  audit: AuditTrail;
  /** Is told when sessions may have ended. */
  changed(): void;
}

export class OwnPages {
  readonly #parts: PageParts;

  constructor(parts: PageParts) {
    this.#parts = parts;
  }

  /** The page at a path, if it is one of the login's own. */
  find(path: string): Page | undefined {
    const { dashboard } = this.#parts;
    return path.startsWith(`${dashboard}/`) ? this.#pages.get(path.slice(dashboard.length + 1)) : undefined;
  }

  /** GET: the form; POST: logs in. */
  readonly #login: Page = async (request, response, user, form) => {
    const query = new URLSearchParams((request.originalUrl ?? request.url ?? "").split("?")[1] ?? "");
    const home = `${this.#parts.dashboard}/`;
    const next = localPath(form?.get("next") ?? query.get("next") ?? undefined, home);
    if (!form) {
      if (user) return redirect(response, 302, next);
      return sendPage(response, 200, loginPage(this.#parts.tokens.forPage(request, response, user), next, ""));
    }
    const name = (form.get("name") ?? "").slice(0, 64);
    const isScript = request.headers.accept === "application/json";
    const answer = (status: number, problem: string) => {
      if (isScript) return sendJson(response, status, { error: problem });
      return sendPage(
        response,
        status,
        loginPage(this.#parts.tokens.forPage(request, response, user), next, name, problem),
      );
    };
    const outcome = await this.#parts.check.check(request, name, form.get("password") ?? "");
    if ("waitSeconds" in outcome) {
      response.setHeader("Retry-After", outcome.waitSeconds);
      return answer(429, `Too many failed logins. Try again in ${outcome.waitSeconds} s.`);
    }
    if ("problem" in outcome) {
      if (outcome.problem === "busy") return answer(503, "Too many are logging in at once. Try again.");
      return answer(401, "Wrong name or password.");
    }
    await this.#begin(request, response, outcome.user);
    if (isScript) return sendJson(response, 200, this.#about(request, outcome.user));
    redirect(response, 303, next);
  };

  /** Begins a session under a new id, so that nobody can have known it before. */
  async #begin(request: SessionRequest, response: ServerResponse, user: User): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      request.session.regenerate((error: unknown) => (error ? reject(error) : resolve())),
    );
    request.session.user = { name: user.name, version: user.version };
    request.session.until = Date.now() + this.#parts.hours * 3_600_000;
    this.#parts.tokens.begin(request, response, user, this.#parts.hours * 3600);
  }

  readonly #logout: Page = async (request, response, user, form) => {
    if (!user) return redirect(response, 302, `${this.#parts.dashboard}/login`);
    if (!form) return sendPage(response, 200, logoutPage(this.#parts.tokens.forPage(request, response, user), user));
    this.#parts.audit.record({ ...actor(request, user), action: "logout", outcome: "ok" });
    await new Promise<void>((resolve) => request.session.destroy(() => resolve()));
    this.#parts.tokens.end(request, response);
    this.#parts.changed();
    redirect(response, 303, `${this.#parts.dashboard}/login`);
  };

  /** GET: who is logged in, for scripts; the token with which to log in when nobody is. */
  readonly #session: Page = (request, response, user) => {
    if (user) sendJson(response, 200, this.#about(request, user));
    else sendJson(response, 200, { token: this.#parts.tokens.forPage(request, response, user) });
  };

  #about(request: SessionRequest, user: User): object {
    const seconds = ((request.session.until ?? 0) - Date.now()) / 1000;
    const editor = may(user.role, "admin") ? `${this.#parts.editor}/` : undefined;
    return { name: user.name, role: user.role, token: this.#parts.tokens.of(request, user), seconds, editor };
  }

  readonly #sendScript: Page = (_request, response) => {
    response.setHeader("Cache-Control", "no-cache");
    send(response, 200, "text/javascript; charset=utf-8", readFileSync(this.#parts.script));
  };

  /** GET: the users; POST: changes one. */
  readonly #changeUsers: Page = async (request, response, user, form) => {
    if (!user) return;
    const token = this.#parts.tokens.forPage(request, response, user);
    const show = (status: number, done?: string, problem?: string) =>
      sendPage(response, status, usersPage(token, user, this.#parts.users.list(), done, problem));
    if (!form) return show(200);
    const [action = "", name = ""] = ["action", "name"].map((field) => form.get(field));
    const entry = { ...actor(request, user), action: "user", target: name.slice(0, 64), detail: action };
    try {
      const done = await this.#changeUser(user, action, name, form);
      this.#parts.audit.record({ ...entry, outcome: "ok" });
      this.#parts.changed();
      show(200, done);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#parts.audit.record({ ...entry, outcome: "failed", reason: error.message });
      show(400, undefined, `Nothing was changed: ${error.message}.`);
    }
  };

  async #changeUser(self: User, action: string, name: string, form: Map<string, string>): Promise<string> {
    const isSelf = this.#parts.users.find(name)?.name === self.name;
    if (isSelf && (action === "remove" || action === "role")) throw new UserError("another admin must do this to you");
    switch (action) {
      case "add":
        await this.#parts.users.add(name, form.get("role") ?? "", form.get("password") ?? "");
        return `${name} can log in now.`;
      case "role":
        this.#parts.users.setRole(name, form.get("role") ?? "");
        return `${name} is ${form.get("role")} now.`;
      case "password":
        await this.#parts.users.setPassword(name, form.get("password") ?? "");
        return `${name} has a new password, and must log in with it.`;
      case "remove":
        this.#parts.users.remove(name);
        return `${name} is removed.`;
      default:
        throw new UserError("there is no such action");
    }
  }

  readonly #pages: ReadonlyMap<string, Page> = new Map([
    ["login", this.#login],
    ["logout", this.#logout],
    ["users", this.#changeUsers],
    ["session", this.#session],
    ["session.js", this.#sendScript],
  ]);
}
