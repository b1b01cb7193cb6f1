/** What dashboard/main.ts measures: the application with all its flows, a broker, and a fleet that sends. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { connectAsync } from "mqtt";
import type { FleetFigures } from "../../core/fleet-status.ts";
import { startApplication } from "../../test/support/application.ts";
import { startChild } from "../../test/support/child.ts";
import { startMosquitto } from "../../test/support/mosquitto.ts";
import { FIGURES_LINE, type LoopFigures } from "./loop-meter.ts";

/** Devices that are made to overheat, so that there are anomalies and alarms, and for how long, s. */
const FAULTY = 20;
const FAULT_SECONDS = 3600;

const PREFIX = "unit";

/** By how much the time between two readings varies, percent: devices are not in step. */
const JITTER = 20;

/** What has not come when nothing has come for so long is lost, ms. */
const QUIET = 5000;

const generator = join(import.meta.dirname, "..", "..", "app", "simulate.ts");
const meter = pathToFileURL(join(import.meta.dirname, "loop-meter.ts"));

/** Where the readings are that the fleet has sent. */
export interface Arrival {
  sent: number;
  /** On the dashboard, in its figures of the fleet. */
  counted: number;
  /** In the store. */
  stored: number;
}

export interface Plant extends AsyncDisposable {
  url: string;
  /** The event loop of Node-RED since this was asked the last time. */
  loop(): Promise<LoopFigures>;
  /** Starts devices that send a reading each second, from a process of their own. */
  startFleet(devices: number): Promise<void>;
  /** Stops them, and waits until nothing more arrives. */
  stopFleet(): Promise<Arrival>;
}

/** Starts broker and application, in processes of their own. The few devices that the application simulates are stopped. */
export async function startPlant(): Promise<Plant> {
  const broker = await startMosquitto();
  const application = await startApplication({
    env: { MQTT_URL: broker.url, LOOP_METER: "on", NODE_OPTIONS: `--import ${meter}` },
  });
  const client = await connectAsync(broker.url);
  let counted = 0;
  let stored = 0;
  let changedAt = performance.now();
  let simulator: string | undefined;
  client.on("message", (topic, payload) => {
    const figures = JSON.parse(String(payload)) as FleetFigures & { written: number; state: string };
    const before = counted + stored;
    if (topic === "plant/simulator") simulator = figures.state;
    else if (topic === "plant/fleet") counted = figures.totalReadings;
    else stored = figures.written;
    if (counted + stored !== before) changedAt = performance.now();
  });
  await client.subscribeAsync(["plant/fleet", "plant/historian/readings", "plant/simulator"], { qos: 1 });
  // It starts by itself, some time after it is there.
  while (simulator !== "running") await delay(100);
  for (; simulator === "running"; await delay(500)) {
    await client.publishAsync("plant/command/*", JSON.stringify({ command: "stop" }), { qos: 1 });
  }
  const settled = async () => {
    for (changedAt = performance.now(); performance.now() - changedAt < QUIET; ) await delay(100);
  };
  await settled();
  const before = { counted, stored };

  let asked = 0;
  let fleet: Awaited<ReturnType<typeof startChild>> | undefined;
  return {
    url: application.url,
    async loop() {
      const line = new RegExp(`${FIGURES_LINE} ${++asked} (.*)`);
      process.kill(application.pid, "SIGUSR2");
      return JSON.parse((await application.waitFor(line))[1] ?? "");
    },
    async startFleet(devices) {
      const options = { devices, prefix: PREFIX, interval: 1, jitter: JITTER, url: broker.url };
      const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
      fleet = await startChild(process.execPath, [generator, ...args]);
      while (counted === before.counted) await delay(100);
      const fault = JSON.stringify({ command: "fault", fault: "overheating", seconds: FAULT_SECONDS });
      for (let n = 1; n <= FAULTY; n++) await client.publishAsync(`plant/command/${PREFIX}${n}`, fault, { qos: 1 });
    },
    async stopFleet() {
      await fleet?.stop();
      const [, sent] = /(\d+) acknowledged/.exec(fleet?.output() ?? "") ?? [];
      await settled();
      return { sent: Number(sent), counted: counted - before.counted, stored: stored - before.stored };
    },
    async [Symbol.asyncDispose]() {
      await fleet?.stop();
      await client.endAsync(true);
      await application.stop();
      await broker.stop();
    },
  };
}
