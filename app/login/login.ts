/**
 * The login in front of a Node-RED: users, sessions, and who may do what, for HTTP, web sockets, the dashboard and the
 * editor. It knows nothing of the launcher, so that an existing Node-RED can use it in its settings.js.
 */
import { mkdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import session from "express-session";
import { whenRunning } from "../../nodes/lib/running.ts";
import { type AuditEntry, AuditTrail, actor, shown } from "./audit.ts";
import { type DashboardSocket, DashboardSockets } from "./dashboard-socket.ts";
import {
  formOf,
  inTheme,
  isFromHere,
  isSecure,
  pathOf,
  redirect,
  send,
  sendJson,
  sendPage,
  wantsPage,
} from "./http.ts";
import { OwnPages } from "./own-pages.ts";
import { refusalPage } from "./pages.ts";
import { PasswordCheck } from "./password-check.ts";
import { randomPassword } from "./passwords.ts";
import { demandsAt, may, type Places } from "./rights.ts";
import { secretIn } from "./secret.ts";
import { SessionFile, type SessionRequest } from "./sessions.ts";
import { SESSION_COOKIE, Tokens } from "./tokens.ts";
import { fileOfUsers, type User, UserFile } from "./users.ts";
import { type NodeRed, Widgets } from "./widgets.ts";

export interface LoginOptions {
  /** Folder for users, sessions, keys and the audit trail. */
  userDir: string;
  /** Where the dashboard and the editor are (`/ui`, `/admin`). */
  dashboard?: string;
  editor?: string;
  /** Paths of the flows' own that need no login (none); with a slash at the end, all that begin so. */
  open?: readonly string[];
  /** So long a session lasts (12). */
  sessionHours?: number;
  /** Is told what somebody must look after. */
  warn?: (text: string) => void;
  /** Is told of each entry of the audit trail. */
  onAudit?: (entry: AuditEntry) => void;
  /** The script of the pages: elements/session.js as it was built. */
  script?: URL;
}

type Next = () => void;
type ReadSession = (request: SessionRequest, response: ServerResponse, next: Next) => void;

/** How often open sockets are looked at, ms: so long at most one lives on when its session ends. */
const SWEEP_INTERVAL = 2000;

interface OpenSocket {
  isAllowed(): boolean;
  close(): void;
}

/** For settings.js: the login of the Node-RED that is about to start with these settings. */
export function createLogin(options: LoginOptions): Login {
  const login = new Login(options);
  whenRunning((RED) => login.attach(RED as unknown as NodeRed));
  process.once("exit", () => login.close());
  return login;
}

/** The login in front of one Node-RED. */
export class Login {
  readonly #users: UserFile;
  readonly #audit: AuditTrail;
  readonly #places: Places;
  readonly #demand: ReturnType<typeof demandsAt>;
  readonly #sessions: SessionFile;
  readonly #readSession: ReadSession;
  readonly #sockets: DashboardSockets;
  readonly #open = new Set<OpenSocket>();
  readonly #tokens: Tokens;
  readonly #pages: OwnPages;
  readonly #warn: (text: string) => void;
  /** The script of the pages; for `editorTheme.page.scripts` too, for it sends the token with what the editor changes. */
  readonly script: string;
  readonly #sweep: NodeJS.Timeout;
  #widgets: Widgets | undefined;

  constructor({
    userDir,
    dashboard = "/ui",
    editor = "/admin",
    open = [],
    sessionHours = 12,
    ...options
  }: LoginOptions) {
    const warn = options.warn ?? ((text) => console.warn(text));
    mkdirSync(userDir, { recursive: true });
    this.#places = { dashboard, editor, open };
    this.#demand = demandsAt(this.#places);
    this.#warn = warn;
    this.script = fileURLToPath(options.script ?? new URL("./elements/session.js", import.meta.url));
    this.#tokens = new Tokens(secretIn(join(userDir, "session-secret")));
    this.#users = new UserFile(fileOfUsers(userDir), warn);
    this.#audit = new AuditTrail(join(userDir, "audit.jsonl"), warn, options.onAudit ?? (() => undefined));
    this.#sessions = new SessionFile(join(userDir, "sessions.json"), warn);
    this.#sockets = new DashboardSockets(() => this.#widgets, this.#audit);
    this.#readSession = session({
      name: SESSION_COOKIE,
      secret: this.#tokens.sign("session"),
      store: this.#sessions,
      resave: false,
      saveUninitialized: false,
      cookie: { httpOnly: true, sameSite: "lax", secure: "auto", maxAge: sessionHours * 3_600_000 },
    }) as unknown as ReadSession;
    this.#pages = new OwnPages({
      dashboard,
      editor,
      hours: sessionHours,
      script: this.script,
      users: this.#users,
      check: new PasswordCheck(this.#users, this.#tokens, this.#audit, warn),
      tokens: this.#tokens,
      audit: this.#audit,
      changed: () => this.#closeEnded(),
    });
    this.#sweep = setInterval(() => this.#closeEnded(), SWEEP_INTERVAL).unref();
  }

  /** Makes the user `admin` where there never were users. Gives the password if it had to be made. */
  async firstUser(password: string | undefined): Promise<string | undefined> {
    if (this.#users.exists) return undefined;
    const made = password === undefined ? randomPassword() : undefined;
    await this.#users.add("admin", "admin", password ?? made ?? "");
    return made;
  }

  /** Knows the running Node-RED from now on: its widgets, and the messages that they send. */
  attach(red: NodeRed): void {
    this.#widgets ??= new Widgets(red);
    this.#sockets.signMessages(red);
  }

  /** Middleware for all of HTTP: answers what is its own, refuses what is not allowed, lets through the rest. */
  readonly gate = (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    const path = pathOf(request);
    setHeaders(request, response);
    if (path === undefined) {
      send(response, 400, "text/plain", "Bad request");
      return;
    }
    this.#readSession(request as SessionRequest, response, () => {
      this.#decide(request as SessionRequest, response, path, next).catch((error: Error) => {
        this.#warn(`login: ${error.stack}`);
        if (!response.headersSent) send(response, 500, "text/plain", "Something went wrong; see the log");
      });
    });
  };

  /** The same for requests that become web sockets. */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, next: Next): void => {
    // Node.js leaves it to who takes such a socket.
    socket.on("error", () => socket.destroy());
    const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    const path = pathOf(request);
    if (path === undefined) {
      refuse("400 Bad Request");
      return;
    }
    this.#identify(request, (whoIs) => {
      const { right } = this.#demand("GET", path);
      const user = whoIs();
      if (!user) return refuse("401 Unauthorized");
      if (!may(user.role, right) || !isFromHere(request)) return refuse("403 Forbidden");
      const stop = this.#watch({ isAllowed: () => may(whoIs()?.role, right), close: () => socket.destroy() });
      socket.once("close", stop);
      next();
    });
  };

  /** For `ui.ioMiddleware`: the sockets of the dashboard. */
  readonly ioMiddleware = (socket: DashboardSocket, next: Next): void => {
    this.#identify(socket.request, (whoIs) => {
      // Its page then tries again, until somebody has logged in.
      if (!whoIs() || !isFromHere(socket.request)) return socket.conn.close();
      const stop = this.#watch({ isAllowed: () => whoIs() !== undefined, close: () => socket.conn.close() });
      socket.on("disconnect", stop);
      this.#sockets.add(socket, whoIs);
      next();
    });
  };

  /** For `adminAuth`: who is logged in here as an administrator may use the editor. */
  readonly adminAuth = {
    tokenHeader: "cookie",
    tokens: (cookie: string): Promise<object | null> =>
      new Promise((resolve) => {
        this.#identify({ headers: { cookie }, url: "/", socket: {} } as IncomingMessage, (whoIs) => {
          const user = whoIs();
          resolve(user && may(user.role, "admin") ? { username: user.name, permissions: "*" } : null);
        });
      }),
    users: async (name: string): Promise<object | null> => {
      const user = this.#users.find(name);
      return user && may(user.role, "admin") ? { username: user.name, permissions: "*" } : null;
    },
  };

  /** Ends no session: they go on after a restart. */
  close(): void {
    clearInterval(this.#sweep);
    this.#sessions.close();
    this.#audit.close();
  }

  /** Finds out who a request is from, in a way that can be asked again as long as its socket lives. */
  #identify(request: IncomingMessage, then: (whoIs: () => User | undefined) => void): void {
    this.#readSession(request as SessionRequest, {} as ServerResponse, () => {
      const { sessionID } = request as SessionRequest;
      then(() => this.#userOf(this.#sessions.find(sessionID)));
    });
  }

  #userOf(data: Partial<session.SessionData> | undefined): User | undefined {
    const user = data?.user && Number(data.until) > Date.now() ? this.#users.find(data.user.name) : undefined;
    return user?.version === data?.user?.version ? user : undefined;
  }

  #watch(socket: OpenSocket): () => void {
    this.#open.add(socket);
    return () => this.#open.delete(socket);
  }

  #closeEnded(): void {
    for (const socket of this.#open) if (!socket.isAllowed()) socket.close();
  }

  async #decide(request: SessionRequest, response: ServerResponse, path: string, next: Next): Promise<void> {
    const { dashboard } = this.#places;
    const user = this.#userOf(request.session);
    const { right, isWrite, needsToken } = this.#demand(request.method ?? "", path);
    if (right !== "anyone" && !user) return this.#askToLogIn(request, response, path);
    if (!may(user?.role, right)) return this.#refuse(request, response, path, user, `This needs the role ${right}.`);
    if (isWrite && !isFromHere(request)) {
      return this.#refuse(request, response, path, user, "This was sent by a page of another server.");
    }
    const own = this.#pages.find(path);
    const isForm = own !== undefined && request.method === "POST";
    const form = isForm ? await formOf(request) : undefined;
    if (isForm && !form) return send(response, 413, "text/plain", "Too long");
    if (needsToken && !this.#tokens.isOf(request, user, form?.get("csrf") ?? request.headers["x-csrf-token"])) {
      return this.#refuse(request, response, path, user, "This page is out of date: load it again.");
    }
    if (own && isWrite && !form) return send(response, 405, "text/plain", "Not allowed");
    if (own) return own(request, response, user, form);
    if (user && isWrite && needsToken) this.#recordWhenDone(request, response, path, user);
    if ((path === `${dashboard}/` || path === `${dashboard}/index.html`) && this.#sendDashboard(response)) return;
    next();
  }

  #askToLogIn(request: SessionRequest, response: ServerResponse, path: string): void {
    const { dashboard } = this.#places;
    const to = `${dashboard}/login?next=${encodeURIComponent(request.originalUrl ?? request.url ?? "")}`;
    // At a 401 the dashboard loads its page anew, which would lose where it was.
    const isSocket = path.startsWith(`${dashboard}/socket.io/`);
    if (wantsPage(request)) redirect(response, 302, to);
    else sendJson(response, isSocket ? 403 : 401, { error: "nobody is logged in" });
  }

  #refuse(
    request: SessionRequest,
    response: ServerResponse,
    path: string,
    user: User | undefined,
    reason: string,
  ): void {
    // What nobody is refused says nothing of anybody, and could be sent without end.
    if (user) {
      this.#audit.record({ ...actor(request, user), action: actionOf(request, path), outcome: "refused", reason });
    }
    if (wantsPage(request) || this.#pages.find(path)) {
      sendPage(response, 403, refusalPage(reason, this.#places.dashboard));
    } else {
      sendJson(response, 403, { error: reason });
    }
  }

  #recordWhenDone(request: SessionRequest, response: ServerResponse, path: string, user: User): void {
    response.once("finish", () => {
      const { statusCode } = response;
      const outcome = statusCode < 400 ? "ok" : "failed";
      const reason = statusCode < 400 ? undefined : String(statusCode);
      this.#audit.record({ ...actor(request, user), action: actionOf(request, path), outcome, reason });
    });
  }

  /**
   * The dashboard's page with the script on it, in the chosen theme; false where it is not found, then the dashboard sends
   * it without.
   */
  #sendDashboard(response: ServerResponse): boolean {
    const path = findDashboard();
    if (!path) return false;
    const html = readFileSync(path, "utf8").replace(/<\/body>/, '<script src="session.js"></script></body>');
    response.setHeader("Cache-Control", "no-cache");
    send(response, 200, "text/html; charset=utf-8", inTheme(html, response.req));
    return true;
  }
}

const actionOf = ({ method }: IncomingMessage, path: string) => shown(`${method} ${path}`) ?? "";

function findDashboard(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("node-red-dashboard/dist/index.html");
  } catch {
    return undefined;
  }
}

function setHeaders(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("X-Frame-Options", "SAMEORIGIN");
  response.setHeader("Referrer-Policy", "same-origin");
  if (isSecure(request)) response.setHeader("Strict-Transport-Security", "max-age=31536000");
}
