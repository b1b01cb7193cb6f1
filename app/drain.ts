/** Lets flows finish what they have taken from MQTT before they stop. */
import { setTimeout as delay } from "node:timers/promises";
import type { MqttClient } from "mqtt";
import RED from "node-red";

/** When no node has received anything in so many looks, so far apart in ms, no message is on its way any more. */
const QUIET_LOOKS = 10;
const LOOK = 20;

/** But flows with sources of their own may never be quiet; so long they have, ms. */
const LONGEST = 5000;

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
  const end = Date.now() + LONGEST;
  let received = 0;
  // Without a parameter, Node-RED would wait for it to call back.
  RED.hooks.add("onReceive.drain", (_event) => {
    received++;
  });
  for (let quiet = 0; quiet < QUIET_LOOKS && Date.now() < end; quiet++) {
    const before = received;
    await delay(LOOK);
    if (received > before) quiet = 0;
  }
}
