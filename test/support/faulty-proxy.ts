/** A real HTTP proxy before a server, which does to requests what networks and servers do on bad days. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

/** What becomes of a request. */
export type Fault =
  | { kind: "none" }
  /** It takes longer, both ways. */
  | { kind: "slow"; milliseconds: number }
  /** The answer is another, and the server never hears of it. */
  | { kind: "answer"; status: number; headers?: Record<string, string> }
  /** The connection is reset before the server hears of it, */
  | { kind: "reset" }
  /** or once the server has done it, so that nobody knows. */
  | { kind: "reset-after" }
  /** The server hears of half of it, and the connection ends. */
  | { kind: "half" }
  /** Half-open: nothing comes back any more, though the connection stands. */
  | { kind: "silent" };

export interface FaultyProxy extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  url: string;
  /** What becomes of requests from now on. */
  fault: Fault;
  /** How many requests came, by the kind of fault that they met. */
  met: Map<Fault["kind"], number>;
}

/** Starts a proxy to an HTTP server on a port of this machine. */
export async function startFaultyProxy(targetPort: number): Promise<FaultyProxy> {
  const server = createServer((incoming, response) => {
    const { fault } = proxy;
    proxy.met.set(fault.kind, (proxy.met.get(fault.kind) ?? 0) + 1);
    void serve(incoming, response, fault, targetPort).catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: { kind: "none" },
    met: new Map(),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return proxy;
}

async function serve(incoming: IncomingMessage, response: ServerResponse, fault: Fault, port: number): Promise<void> {
  const { socket } = incoming;
  if (fault.kind === "reset") {
    socket.resetAndDestroy();
    return;
  }
  const body = await buffer(incoming);
  if (fault.kind === "answer") {
    response.writeHead(fault.status, fault.headers).end(JSON.stringify({ error: "not now" }));
    return;
  }
  if (fault.kind === "silent") return;
  if (fault.kind === "slow") await delay(fault.milliseconds / 2);
  const { method, url, headers } = incoming;
  const outgoing = request({
    host: "127.0.0.1",
    port,
    method,
    path: url,
    headers: { ...headers, connection: "close" },
  });
  if (fault.kind === "half") {
    outgoing.on("error", () => undefined);
    outgoing.write(body.subarray(0, body.length / 2), () => outgoing.destroy());
    socket.resetAndDestroy();
    return;
  }
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  const content = await buffer(answer);
  if (fault.kind === "slow") await delay(fault.milliseconds / 2);
  if (fault.kind === "reset-after") {
    socket.resetAndDestroy();
    return;
  }
  const { "transfer-encoding": _, connection: __, ...kept } = answer.headers;
  response.writeHead(answer.statusCode ?? 502, { ...kept, "content-length": content.length }).end(content);
}
