/** A proxy between a client and a real HTTP server, which can misbehave as networks and servers do. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request: it goes on, gets this answer, loses its connection, or is never answered. */
export type Fate = "pass" | "reset" | "hang" | { status: number; headers?: Record<string, string>; body?: string };

export interface HttpProxy extends AsyncDisposable {
  url: string;
  /** Requests so far, as `POST /write`. */
  requests: string[];
  /** Decides on each request; all pass at first. */
  fate: (path: string, body: string) => Fate;
  /** Headers of answers that are replaced. */
  headers: Record<string, string>;
}

/** Starts a proxy before an address; `await using` ends it and all connections through it. */
export async function startHttpProxy(target: string): Promise<HttpProxy> {
  const server = createServer(async (incoming, outgoing) => {
    const path = incoming.url?.split("?")[0] ?? "";
    proxy.requests.push(`${incoming.method} ${path}`);
    const body = await bodyOf(incoming).catch(() => undefined);
    if (body === undefined) return;
    const fate = proxy.fate(path, body.toString());
    if (fate === "hang") return;
    if (fate === "reset") return incoming.socket.resetAndDestroy();
    if (fate !== "pass") return outgoing.writeHead(fate.status, fate.headers).end(fate.body);
    const { method, headers } = incoming;
    const forwarded = request(new URL(incoming.url ?? "/", target), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...proxy.headers });
      answer.pipe(outgoing);
    });
    forwarded.once("error", () => incoming.socket.resetAndDestroy());
    outgoing.once("close", () => forwarded.destroy());
    forwarded.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: HttpProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    fate: () => "pass",
    headers: {},
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts);
}
