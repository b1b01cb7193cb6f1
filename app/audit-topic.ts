/** Publishes the audit trail on MQTT, for the historian and whoever else keeps it. */
import { connect, type MqttClient } from "mqtt";
import type { AuditEntry } from "./login/audit.ts";

/** Entries at most that wait for the broker; later ones are in the file alone. */
const MAX_WAITING = 1000;

/** The topic `<plant>/audit`. What comes before `connect` waits. */
export class AuditTopic {
  readonly #plant: string;
  readonly #early: AuditEntry[] = [];
  #client: MqttClient | undefined;
  #waiting = 0;

  constructor(plant: string) {
    this.#plant = plant;
  }

  /** Connects as the flows do, with `MQTT_URL`, `MQTT_USER` and `MQTT_PASSWORD`. */
  connect({ MQTT_URL = "", MQTT_USER, MQTT_PASSWORD }: NodeJS.ProcessEnv): void {
    const access = MQTT_USER ? { username: MQTT_USER, password: MQTT_PASSWORD ?? "" } : {};
    this.#client = connect(MQTT_URL, { ...access, clientId: `${this.#plant}-audit`, reconnectPeriod: 2000 });
    // It tries again; the flows say that the broker is away.
    this.#client.on("error", () => undefined);
    for (const entry of this.#early.splice(0)) this.publish(entry);
  }

  publish(entry: AuditEntry): void {
    if (this.#waiting >= MAX_WAITING || this.#early.length >= MAX_WAITING) return;
    if (!this.#client) {
      this.#early.push(entry);
      return;
    }
    this.#waiting++;
    this.#client.publish(`${this.#plant}/audit`, JSON.stringify(entry), { qos: 1 }, () => {
      this.#waiting--;
    });
  }

  async close(): Promise<void> {
    await this.#client?.endAsync(!this.#client.connected);
  }
}
