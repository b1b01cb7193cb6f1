/** The socket of a dashboard page, spoken by hand (Engine.IO 4 over polling), so that anything at all can be said on it. */
import type { Session } from "./session.ts";

const PATH = "/ui/socket.io/?EIO=4&transport=polling";

/** An event that came from the server. */
export type SocketEvent = [name: string, ...args: unknown[]];

export class PageSocket implements AsyncDisposable {
  readonly #session: Session;
  readonly #path: string;
  /** As the server calls it, in `socketid`. */
  id = "";
  readonly received: SocketEvent[] = [];

  private constructor(session: Session, sid: string) {
    this.#session = session;
    this.#path = `${PATH}&sid=${encodeURIComponent(sid)}`;
  }

  /** Connects. Throws when it is refused. */
  static async open(session: Session): Promise<PageSocket> {
    const opened = await session.fetch(PATH);
    if (opened.status !== 200) throw new Error(`refused: ${opened.status}`);
    const socket = new PageSocket(session, JSON.parse((await opened.text()).slice(1)).sid);
    await socket.#post("40");
    while (socket.id === "") await socket.poll();
    return socket;
  }

  /** Says something; gives the status of the request. */
  emit(...event: SocketEvent): Promise<number> {
    return this.#post(`42${JSON.stringify(event)}`);
  }

  /** Takes what the server has to say. Throws when it says nothing more. */
  async poll(): Promise<void> {
    const response = await this.#session.fetch(this.#path);
    if (response.status !== 200) throw new Error(`gone: ${response.status}`);
    for (const packet of (await response.text()).split("\u001e")) {
      if (packet.startsWith("40")) this.id = JSON.parse(packet.slice(2)).sid;
      else if (packet.startsWith("42")) this.received.push(JSON.parse(packet.slice(2)));
      else if (packet === "2") await this.#post("3");
      else if (packet === "1") throw new Error("closed");
    }
  }

  /** Waits until all that was said so far has been taken in or refused. */
  async settled(): Promise<void> {
    const count = () => this.received.filter(([name]) => name === "ui-replay-done").length;
    const before = count();
    await this.emit("ui-replay-state");
    while (count() === before) await this.poll();
  }

  async #post(packet: string): Promise<number> {
    const response = await this.#session.fetch(this.#path, {
      method: "POST",
      headers: { "Content-Type": "text/plain;charset=UTF-8", "X-CSRF-Token": "" },
      body: packet,
    });
    await response.text();
    return response.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#post("1").catch(() => undefined);
  }
}
