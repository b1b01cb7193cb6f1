/** The devices of load.ts: sends readings to a broker at a steady pace, and tells when the broker has them all. */
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync } from "mqtt";
import type { Reading } from "../../core/types.ts";
import { reading } from "./readings.ts";

export interface PublisherSettings {
  url: string;
  devices: number;
  seconds: number;
}

/** The time of readings that don't count, ms since 1970. */
const PROBE_TIME = 0;

/** How often it sends what is due, and how often a probe before the start, ms. */
const PERIOD = 10;
const PROBE_PERIOD = 100;

process.once("disconnect", () => process.exit());
const { url, devices, seconds } = JSON.parse(process.argv[2] ?? "") as PublisherSettings;
const client = await connectAsync(url);
let isStarted = false;
process.once("message", () => {
  isStarted = true;
});
const publish = (message: Reading) =>
  client.publishAsync(`bench/telemetry/${message.deviceId}`, JSON.stringify(message), { qos: 1 });
while (!isStarted) {
  await publish(reading(0, devices, PROBE_TIME));
  await delay(PROBE_PERIOD);
}

const begin = Date.now();
const start = performance.now();
let unacknowledged = 0;
for (let index = 0; index < devices * seconds; await delay(PERIOD)) {
  const due = Math.min(devices * seconds, ((performance.now() - start) / 1000) * devices);
  for (; index < due; index++) {
    unacknowledged++;
    publish(reading(index, devices, begin)).then(() => {
      unacknowledged--;
    });
  }
}
while (unacknowledged > 0) await delay(PERIOD);
process.send?.("sent");
