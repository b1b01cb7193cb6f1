/** Lets flows finish what they have taken from MQTT before they stop. */
import { setTimeout as delay } from "node:timers/promises";
import type { MqttClient } from "mqtt";
import RED from "node-red";

/** Time for messages on their way through the flows, ms. */
const ON_THE_WAY = 200;

/** What is used here of Node-RED's own view of the running flows. */
interface RunningNodes {
  eachNode(visit: (config: { id: string; type: string }) => void): void;
  getNode(id: string): { client?: MqttClient } | null;
}

/**
 * Takes no more messages from MQTT, and waits for those that were taken.
 *
 * Node-RED acknowledges what arrives while its nodes close, and drops it. What is not acknowledged, a broker keeps for a
 * persistent session and sends again.
 */
export async function drain(): Promise<void> {
  const nodes = RED.nodes as unknown as RunningNodes;
  nodes.eachNode(({ id, type }) => {
    const client = type === "mqtt-broker" ? nodes.getNode(id)?.client : undefined;
    if (!client) return;
    client.removeAllListeners("message");
    client.handleMessage = (_packet, acknowledge) => acknowledge(new Error("stopping"));
  });
  await delay(ON_THE_WAY);
}
