/** The embedded MQTT broker: for this machine alone, sessions in memory, what waits for a session bounded. */
import { once } from "node:events";
import { createRequire } from "node:module";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { Aedes } from "aedes";

/** Messages kept for one session that is away or behind; later ones are not, as in mosquitto. */
const MAX_WAITING = 10_000;

/** Longest time that a client may leave its connection full before it is cut off, ms. */
const DRAIN_TIMEOUT = 10_000;

/** What is used here of the store that the broker keeps sessions in. */
interface SessionStore {
  outgoingEnqueueCombi(sessions: { clientId: string }[], packet: object): Promise<void>;
  outgoingUpdate(client: { id: string }, packet: object): Promise<void>;
  outgoingClearMessageId(client: { id: string }, packet: object): Promise<object | undefined>;
}

const createStore = createRequire(createRequire(import.meta.url).resolve("aedes"))(
  "aedes-persistence",
) as () => SessionStore;

/** A running broker. */
export interface Broker {
  url: string;
  close(): Promise<void>;
}

/**
 * Starts a broker on this machine's loopback address. Throws when the port is taken.
 *
 * @param warn is told once of each session that falls so far behind that messages are not kept for it
 */
export async function startBroker(port: number, warn: (text: string) => void): Promise<Broker> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const persistence = boundedStore(createStore(), warn);
  const broker = await Aedes.createBroker({ persistence, drainTimeout: DRAIN_TIMEOUT, queueLimit: 1000 });
  server.on("connection", (socket: Socket) => broker.handle(socket));
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

/**
 * The same store, with at most MAX_WAITING unacknowledged messages a session. What is not kept is still sent to a client
 * that is there.
 */
function boundedStore(store: SessionStore, warn: (text: string) => void): SessionStore {
  const waiting = new Map<string, number>();
  const behind = new Set<string>();
  const enqueue = store.outgoingEnqueueCombi.bind(store);
  const update = store.outgoingUpdate.bind(store);
  const clear = store.outgoingClearMessageId.bind(store);

  const hasRoom = (clientId: string) => {
    const count = waiting.get(clientId) ?? 0;
    if (count < MAX_WAITING) waiting.set(clientId, count + 1);
    else if (!behind.has(clientId)) {
      behind.add(clientId);
      warn(`MQTT client ${clientId} has not taken ${MAX_WAITING} messages; no more are kept for it until it does`);
    }
    return count < MAX_WAITING;
  };

  return Object.assign(store, {
    outgoingEnqueueCombi(sessions: { clientId: string }[], packet: object) {
      return enqueue(
        sessions.filter(({ clientId }) => hasRoom(clientId)),
        packet,
      );
    },
    async outgoingUpdate(client: { id: string }, packet: object) {
      // The store refuses a packet that it does not hold, and the broker would then cut the client off.
      await update(client, packet).catch(() => undefined);
    },
    async outgoingClearMessageId(client: { id: string }, packet: object) {
      const cleared = await clear(client, packet);
      if (!cleared) return undefined;
      const count = (waiting.get(client.id) ?? 1) - 1;
      waiting.set(client.id, count);
      if (count < MAX_WAITING / 2) behind.delete(client.id);
      return cleared;
    },
  });
}
