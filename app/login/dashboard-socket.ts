/** What pages of the dashboard may say on their sockets: obeys the session and the role, and says who it was. */
import type { IncomingMessage } from "node:http";
import { type AuditEntry, type AuditTrail, actor, shown } from "./audit.ts";
import { may, rightOfWidget, rightToSend, SOCKET_EVENTS } from "./rights.ts";
import type { User } from "./users.ts";
import type { NodeRed, Widgets } from "./widgets.ts";

/** The event by which a page sends a widget's value. */
const VALUE = "update-value";

/** Widgets whose message may be anything. */
const FREE = new Set(["ui_template", "ui_toast"]);

/** What is used here of a socket of socket.io. */
export interface DashboardSocket {
  id: string;
  request: IncomingMessage;
  conn: { close(): void };
  on(event: "disconnect", listener: () => void): unknown;
  use(check: (packet: unknown[]) => void): unknown;
  listeners(event: string): ((...args: unknown[]) => void)[];
  emit(event: string, value: object): unknown;
}

/** Who is at a socket, asked anew each time. */
export type WhoIs = () => User | undefined;

/** Checks what comes on the sockets of a dashboard. */
export class DashboardSockets {
  readonly #users = new Map<string, WhoIs>();
  readonly #widgets: () => Widgets | undefined;
  readonly #audit: AuditTrail;

  constructor(widgets: () => Widgets | undefined, audit: AuditTrail) {
    this.#widgets = widgets;
    this.#audit = audit;
  }

  /** Takes a socket in. From now on nothing comes through that its user may not do. */
  add(socket: DashboardSocket, whoIs: WhoIs): void {
    this.#users.set(socket.id, whoIs);
    socket.on("disconnect", () => this.#users.delete(socket.id));
    // It never hands on to the dashboard what was said: that is done here, where an error can be caught.
    socket.use(([name, ...args]) => {
      const user = whoIs();
      const event = String(name);
      if (!user) socket.conn.close();
      else if (event === VALUE) this.#value(socket, user, args[0]);
      else if (may(user.role, SOCKET_EVENTS.get(event))) this.#pass(socket, user, event, args);
    });
  }

  /** Every message that a widget sends because of a page says who is at it; a simple widget's carries nothing else. */
  signMessages(red: NodeRed): void {
    const name = "onSend.device-analytics-login";
    if (red.hooks.has(name)) return;
    red.hooks.add(name, (events) => {
      for (const { msg, source } of events) {
        if (!msg || !source.node.type.startsWith("ui_")) continue;
        const user = this.#users.get(String(msg.socketid))?.();
        if (user) Object.assign(msg, { by: user.name, role: user.role });
      }
    });
  }

  #value(socket: DashboardSocket, user: User, data: unknown): void {
    const widget = isRecord(data) ? this.#widgets()?.find(String(data.id)) : undefined;
    if (!isRecord(data) || !widget) return;
    const right = rightToSend(rightOfWidget(widget), FREE.has(widget.type), [data.value, data.msg]);
    const deed = { action: "command", target: widget.name, detail: shown(data.msg ?? data.value) };
    if (!may(user.role, right)) {
      this.#record(socket, user, { ...deed, outcome: "refused", reason: `needs the role ${right}` });
      socket.emit("show-toast", { ...REFUSAL, message: `This needs the role ${right}; you are ${user.role}.` });
      return;
    }
    data.socketid = socket.id;
    if (isRecord(data.msg)) Object.assign(data.msg, { by: user.name, role: user.role, socketid: socket.id });
    // To look is no deed.
    if (right !== "viewer") this.#record(socket, user, { ...deed, outcome: "ok" });
    this.#pass(socket, user, VALUE, [data]);
  }

  /** Some values break a widget, which must not end Node-RED. */
  #pass(socket: DashboardSocket, user: User, event: string, args: unknown[]): void {
    try {
      for (const listener of socket.listeners(event)) listener(...args);
    } catch (error) {
      const detail = shown(args[0]);
      this.#record(socket, user, { action: event, detail, outcome: "failed", reason: (error as Error).message });
    }
  }

  #record(
    socket: DashboardSocket,
    user: User,
    deed: Pick<AuditEntry, "action" | "outcome"> & Partial<AuditEntry>,
  ): void {
    this.#audit.record({ ...deed, ...actor(socket.request, user) });
  }
}

const REFUSAL = { title: "Not allowed", highlight: "#d55e00", displayTime: 4000, position: "top right" };

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
