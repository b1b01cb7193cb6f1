/**
 * The embedded MQTT broker: for this machine alone unless it has users, sessions in memory, what waits for a session
 * bounded.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { Aedes, type Client } from "aedes";
import { type MqttUsers, readMqttUsers } from "./mqtt-users.ts";

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

/** Where a broker listens for the users of a file, and the first level of the topics that they may write. */
export interface BrokerAccess {
  host: string;
  file: string;
  plant: string;
}

/** A running broker. */
export interface Broker {
  url: string;
  /** With what the application itself connects, where the broker has users. */
  access: { MQTT_USER: string; MQTT_PASSWORD: string } | undefined;
  close(): Promise<void>;
}

/**
 * Starts a broker on this machine's loopback address, or with users wherever they are let in. Throws when the port is
 * taken, and a StartError when the users cannot be read.
 *
 * @param warn is told once of each session that falls so far behind that messages are not kept for it
 */
export async function startBroker(port: number, warn: (text: string) => void, access?: BrokerAccess): Promise<Broker> {
  const users = access && readMqttUsers(access.file);
  const self = { MQTT_USER: "device-analytics", MQTT_PASSWORD: randomBytes(24).toString("base64url") };
  const server = createServer();
  server.listen(port, access?.host ?? "127.0.0.1");
  await once(server, "listening");
  const persistence = boundedStore(createStore(), warn);
  const rules = users && access && rulesFor(users, self, access.plant);
  const broker = await Aedes.createBroker({ persistence, drainTimeout: DRAIN_TIMEOUT, queueLimit: 1000, ...rules });
  server.on("connection", (socket: Socket) => broker.handle(socket));
  return {
    url: `mqtt://${nearest(access?.host)}:${(server.address() as AddressInfo).port}`,
    access: access && self,
    async close() {
      server.close();
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

/** The address at which this machine itself reaches what listens on a host. */
function nearest(host = "127.0.0.1"): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Lets in the application itself, which may do all, and the users of the file, who may hear everything and say what
 * devices say: telemetry and answers. What else is on the topics can so be believed.
 */
function rulesFor(users: MqttUsers, self: NonNullable<Broker["access"]>, plant: string) {
  const own = new WeakSet<object>();
  const writable = [`${plant}/telemetry/`, `${plant}/answer/`];
  return {
    authenticate(
      client: Client,
      name: string | undefined,
      password: Buffer | undefined,
      done: (error: null, isIn: boolean) => void,
    ) {
      const isSelf = name === self.MQTT_USER && String(password) === self.MQTT_PASSWORD;
      if (isSelf) own.add(client);
      done(null, isSelf || (name !== undefined && password !== undefined && users.isUser(name, password)));
    },
    authorizePublish(client: Client | null, { topic }: { topic: string }, done: (error?: Error | null) => void) {
      const isAllowed = client === null || own.has(client) || writable.some((start) => topic.startsWith(start));
      done(isAllowed ? null : new Error(`devices may not publish on ${topic}`));
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
