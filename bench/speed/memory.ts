/** Bytes that a node keeps of a device. */
import { flowOf, setupOf, trials } from "./nodes.ts";
import { judged, progress, type Row } from "./report.ts";
import type { Runtime } from "./runtime.ts";
import { single } from "./trials.ts";

const DEVICES = 2000;
/** Messages about each device: twice what fills a window of 20. */
const MESSAGES = 40;
/** Messages sent before Node-RED gets a turn to deliver them. */
const BURST = 1000;
/** Memory that changes by less from one collection to the next, bytes. */
const STEADY = 10_000;

/** For each of our nodes with state: how much a reset frees for each device of 4 metrics and a window of 20. */
export async function measureMemory(runtime: Runtime): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [type, { message = single, isStore = false, isStateless = false }] of trials()) {
    if (isStateless) continue;
    progress(`${type}: memory a device`);
    const flow = flowOf([setupOf(type)], true);
    await runtime.deploy(flow);
    const source = runtime.node(flow[0]?.id ?? "");
    for (let index = 0; index < DEVICES * MESSAGES; index++) {
      source.send(message(index, DEVICES));
      if (index % BURST === 0) await turn();
    }
    const full = await used();
    source.send({ command: "reset" });
    const value = Math.round((full - (await used())) / DEVICES);
    if (runtime.errors.length > 0) throw new Error(`${type}: ${runtime.errors[0]}`);
    rows.push(
      judged({
        name: `${type}: state of a device`,
        value,
        unit: "bytes",
        ...(!isStore && { target: { atMost: 3000 } }),
      }),
    );
  }
  return rows;
}

/** Bytes in use once all that is not needed has been collected: nodes that are closed stay for a second or so. */
async function used(): Promise<number> {
  let bytes = Infinity;
  for (let steady = 0; steady < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const now = heapUsed + arrayBuffers;
    steady = Math.abs(now - bytes) < STEADY ? steady + 1 : 0;
    bytes = now;
  }
  return bytes;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
