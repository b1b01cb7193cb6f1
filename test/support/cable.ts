/** A cable between clients and a server on this machine, which can be pulled out. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Cable extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  url: string;
  /** Where it leads; connections that stand stay where they are. */
  port: number;
  /** Ends all connections, and takes none until it is plugged in again. */
  pull(): void;
  plugIn(): void;
}

/** Lays a cable to a port of this machine; `await using` takes it away. */
export async function layCable(port: number): Promise<Cable> {
  const sockets = new Set<Socket>();
  let isPulled = false;
  const server = createServer((near) => {
    if (isPulled) return near.resetAndDestroy();
    const far = connect(cable.port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one
        .on("error", () => other.destroy())
        .on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const pull = () => {
    isPulled = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const cable: Cable = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    port,
    pull,
    plugIn() {
      isPulled = false;
    },
    async [Symbol.asyncDispose]() {
      pull();
      server.close();
      await once(server, "close");
    },
  };
  return cable;
}
