/** The Node-RED of load.ts: takes readings from MQTT through our nodes or empty ones, and counts what comes out. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Reading } from "../../core/types.ts";
import { setupOf } from "./nodes.ts";
import { startRuntime } from "./runtime.ts";
import { CHAIN, type Setup } from "./trials.ts";

export interface FlowFigures {
  /** Readings, each counted once. */
  received: number;
  /** By how much turns of the event loop were late, ms; 99 of 100 were better. */
  delay: number;
  /** The most memory of the process (RSS) while readings came. */
  megabytes: number;
  /** Of one processor, percent. */
  processor: number;
}

/** How often the event loop and the memory are looked at, ms. */
const DELAY_PERIOD = 10;
const MEMORY_PERIOD = 500;

const [port, kind] = process.argv.slice(2);
const setups = CHAIN.map((type): Setup => (kind === "ours" ? setupOf(type) : { type: "bench-empty" }));
const runtime = await startRuntime();
process.once("disconnect", () => runtime.stop().finally(() => process.exit()));
await runtime.deploy([
  { id: "broker", type: "mqtt-broker", broker: "127.0.0.1", port, clientid: "bench-flow", protocolVersion: "4" },
  {
    id: "in",
    type: "mqtt in",
    broker: "broker",
    topic: "bench/telemetry/+",
    qos: "1",
    datatype: "auto-detect",
    wires: [["node0"]],
  },
  ...setups.map((setup, index) => ({ ...setup, id: `node${index}`, wires: [[`node${index + 1}`]] })),
  { id: `node${setups.length}`, type: "bench-sink", wires: [] },
]);

const latest = new Map<string, number>();
let received = 0;
let isReady = false;
runtime.node(`node${setups.length}`).count = ({ payload }) => {
  if (!isReady) {
    isReady = true;
    process.send?.("ready");
  }
  const { deviceId, timestamp } = payload as Reading;
  // Neither a probe, whose time is 0, nor one that the broker has sent twice.
  if (timestamp <= (latest.get(deviceId) ?? 0)) return;
  latest.set(deviceId, timestamp);
  received++;
};

const delays = monitorEventLoopDelay({ resolution: DELAY_PERIOD });
let megabytes = 0;
let start = performance.now();
let usage = process.cpuUsage();
process.on("message", (message) => {
  if (message === "start") {
    delays.enable();
    start = performance.now();
    usage = process.cpuUsage();
    setInterval(() => {
      megabytes = Math.max(megabytes, process.memoryUsage.rss() / 1e6);
    }, MEMORY_PERIOD);
    return;
  }
  const { user, system } = process.cpuUsage(usage);
  const processor = (user + system) / (performance.now() - start) / 10;
  // What is recorded is the time between two looks.
  const delay = Math.max(0, delays.percentile(99) / 1e6 - DELAY_PERIOD);
  process.send?.({ received, delay, megabytes, processor } satisfies FlowFigures);
});
