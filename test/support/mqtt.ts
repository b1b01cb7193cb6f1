/** MQTT clients for tests. */
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";

/** A message as it was received, its payload parsed from JSON when it is looked at. */
export class Received<T> {
  readonly topic: string;
  readonly #payload: Buffer;

  constructor(topic: string, payload: Buffer) {
    this.topic = topic;
    this.#payload = payload;
  }

  get text(): string {
    return String(this.#payload);
  }

  get payload(): T {
    return JSON.parse(this.text);
  }
}

/** A client that keeps what it receives. */
export interface TestClient<T> extends AsyncDisposable {
  received: Received<T>[];
  /** Subscribes with QoS 1; fulfilled when the broker has taken the subscription. */
  subscribe(topic: string): Promise<void>;
  /** Publishes with QoS 1, as JSON unless it is text; fulfilled when the broker has it. */
  publish(topic: string, payload: unknown, retain?: boolean): Promise<void>;
  /** Waits until so many messages have come on a topic, and gives them. Throws after ten seconds. */
  messages(topic: string, count?: number): Promise<Received<T>[]>;
}

/** Connects to a broker; `await using` disconnects at the end of the block. */
export async function connectClient<T>(url: string, options: IClientOptions = {}): Promise<TestClient<T>> {
  const client: MqttClient = await connectAsync(url, options);
  const result: TestClient<T> = {
    received: [],
    async subscribe(topic) {
      await client.subscribeAsync(topic, { qos: 1 });
    },
    async publish(topic, payload, retain = false) {
      await client.publishAsync(topic, typeof payload === "string" ? payload : JSON.stringify(payload), {
        qos: 1,
        retain,
      });
    },
    async messages(topic, count = 1) {
      const end = Date.now() + 10_000;
      for (;;) {
        const found = result.received.filter((message) => message.topic === topic);
        if (found.length >= count) return found;
        if (Date.now() > end) throw new Error(`${found.length} of ${count} messages on ${topic} within 10 s`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
  client.on("message", (topic, payload) => result.received.push(new Received<T>(topic, payload)));
  return result;
}
