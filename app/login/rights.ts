/**
 * Who may do what: the one table of it, for HTTP routes, for what a dashboard's socket may say, and for commands. What
 * stands in no row is refused, or left to administrators.
 */

/** What a user may do; each role may also do what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** The least that somebody must be. */
export type Right = Role | "anyone";

/** Whether somebody may do what needs this right; without a role, only what anyone may; what has no right, nobody. */
export function may(role: Role | undefined, right: Right | undefined): boolean {
  if (right === undefined) return false;
  return right === "anyone" || (role !== undefined && ROLES.indexOf(role) >= ROLES.indexOf(right));
}

/** Whether a text is the name of a role. */
export const isRole = (text: unknown): text is Role => ROLES.some((role) => role === text);

/** Where things are below the HTTP root: `/ui` and `/admin`, without a slash at the end. */
export interface Places {
  dashboard: string;
  editor: string;
  /** Paths of the flows' own that need no login, for they have something else. A slash at the end means all below. */
  open: readonly string[];
}

const EVERYTHING = "*";

interface Route {
  /** The exact path; with a slash at its end, all paths that begin so, save for the root. */
  path: string;
  /** Who may look (GET, HEAD). */
  read: Right;
  /** Who may send something (POST); as `change` when absent. */
  post?: Right;
  /** Who may change something (all other methods); administrators when absent. */
  change?: Right;
  /** Changes carry no token; those of a browser must come from a page of this server all the same. */
  withoutToken?: true;
}

/** The first row whose path fits decides. */
function routesOf({ dashboard, editor, open }: Places): Route[] {
  const root = dashboard.replace(/\/[^/]*$/, "");
  return [
    { path: `${dashboard}/login`, read: "anyone", post: "anyone" },
    { path: `${dashboard}/session`, read: "anyone" },
    { path: `${dashboard}/session.js`, read: "anyone" },
    { path: `${dashboard}/logout`, read: "viewer", post: "viewer" },
    { path: `${dashboard}/users`, read: "admin", post: "admin" },
    { path: `${dashboard}/socket.io/`, read: "viewer", post: "viewer", withoutToken: true },
    { path: `${dashboard}/`, read: "viewer" },
    { path: dashboard, read: "viewer" },
    { path: `${root}/device-analytics/`, read: "viewer" },
    { path: `${root}/history.csv`, read: "viewer" },
    ...(editor === "" ? [] : [{ path: "/", read: "viewer" } as const]),
    ...open.map((path): Route => ({ path, read: "anyone", change: "anyone", withoutToken: true })),
    // The editor, and whatever else the flows offer.
    { path: EVERYTHING, read: "admin", change: "admin" },
  ];
}

/** What a request needs. */
export interface Demand {
  right: Right;
  isWrite: boolean;
  needsToken: boolean;
}

/** Finds what a request to a path, without its query, needs. */
export function demandsAt(places: Places): (method: string, path: string) => Demand {
  const routes = routesOf(places);
  return (method, path) => {
    const isWrite = method !== "GET" && method !== "HEAD";
    const route = routes.find((each) => fits(each.path, path));
    const right = isWrite ? (method === "POST" && route?.post) || route?.change : route?.read;
    return { right: right ?? "admin", isWrite, needsToken: isWrite && !route?.withoutToken };
  };
}

function fits(pattern: string, path: string): boolean {
  if (pattern === EVERYTHING || pattern === path) return true;
  return pattern.length > 1 && pattern.endsWith("/") && path.startsWith(pattern);
}

/** What a page of the dashboard may say on its socket, beside values for widgets. What is not here is refused. */
export const SOCKET_EVENTS: ReadonlyMap<string, Role> = new Map([
  ["ui-replay-state", "viewer"],
  ["ui-change", "viewer"],
  ["ui-collapse", "viewer"],
  ["ui-refresh", "viewer"],
  ["ui-audio", "viewer"],
  ["ui-params", "viewer"],
]);

/** What a widget needs that says nothing else. */
export const WIDGET: Role = "operator";

/** What commands need, wherever they are given. What is not here is an operator's. */
const COMMANDS = new Map<string, (args: Record<string, unknown>) => Role>([
  ["watch", () => "viewer"],
  ["list", () => "viewer"],
  ["status", () => "viewer"],
  ["figures", () => "viewer"],
  // Of history. No file is written by it.
  ["query", () => "viewer"],
  // A limit of one device is an operator's, that of all devices is not.
  ["set", (args) => ("limit" in args && isAll(args.deviceId) ? "admin" : "operator")],
  // To reset an alarm is an operator's, to forget all that was learnt is not.
  ["reset", (args) => ("alarmId" in args || !isAll(args.deviceId) ? "operator" : "admin")],
]);

const isAll = (deviceId: unknown) => typeof deviceId !== "string" || deviceId === "" || deviceId === "*";

/**
 * What a client needs to be to send this value for a widget.
 *
 * @param widget what the widget itself needs
 * @param isFree whether its message may be anything at all, as that of a template: then one without a command is an operator's
 */
export function rightToSend(widget: Role, isFree: boolean, value: unknown): Role {
  const commands = commandsIn(value, 0);
  return [widget, ...commands, ...(isFree && commands.length === 0 ? [WIDGET] : [])].reduce(higher);
}

const higher = (a: Role, b: Role) => (may(a, b) ? a : b);

/** Commands stand in a message or its payload, which may be an array of them. What hides deeper is an admin's. */
function commandsIn(value: unknown, depth: number): Role[] {
  if (typeof value !== "object" || value === null) return [];
  if (depth > 4) return ["admin"];
  if (Array.isArray(value)) return value.flatMap((each) => commandsIn(each, depth + 1));
  const { command, payload } = value as Record<string, unknown>;
  const inner = commandsIn(payload, depth + 1);
  if (command === undefined) return inner;
  const given = typeof payload === "object" && payload !== null ? payload : {};
  const args = { ...value, ...given };
  return [COMMANDS.get(String(command))?.(args) ?? "operator", ...inner];
}

/** A widget as it stands in the flow. */
export interface Widget {
  type: string;
  name: string;
  className: string;
  groupClassName: string;
}

/**
 * What a widget needs: the role that its class or else its group's class names, such as `role-viewer` or `role-admin`, a
 * field that every widget and group of the dashboard has in the editor.
 */
export function rightOfWidget({ className, groupClassName }: Widget): Role {
  return roleIn(className) ?? roleIn(groupClassName) ?? WIDGET;
}

function roleIn(className: string): Role | undefined {
  const [, role] = /(?:^|\s)role-(\w+)(?!\S)/.exec(className) ?? [];
  return isRole(role) ? role : undefined;
}
