/** 10,000 devices that send once a second over MQTT: what the chain of our nodes costs beside empty nodes. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startMosquitto } from "../../test/support/mosquitto.ts";
import type { FlowFigures } from "./load-flow.ts";
import type { PublisherSettings } from "./load-publisher.ts";
import { judged, progress, type Row } from "./report.ts";

const DEVICES = 10_000;
const SECONDS = 60;
/** What has not come when nothing has come for so long is lost, ms. */
const QUIET = 10_000;
/** As people set it on small machines. Without, the engine tidies up late, and memory tells more of that than of need. */
const MEMORY_LIMIT = "--max-old-space-size=256";

/** Broker, publisher and Node-RED are processes of their own, on loopback ports. */
export async function measureLoad(): Promise<Row[]> {
  const ours = await run("ours");
  const empty = await run("empty");
  const name = `${DEVICES.toLocaleString("en")} devices × 1/s over MQTT for ${SECONDS} s`;
  const lost = DEVICES * SECONDS - ours.received;
  const emptyLost = DEVICES * SECONDS - empty.received;
  const above = ours.megabytes - empty.megabytes;
  return [
    { name: `${name}: lost`, value: lost, unit: "readings", beside: emptyLost, target: { atMost: 0 } },
    { name: `${name}: loop delay, p99`, value: ours.delay, unit: "ms", beside: empty.delay, target: { atMost: 50 } },
    { name: `${name}: more memory than empty nodes`, value: above, unit: "MB", target: { atMost: 150 } },
    { name: `${name}: processor time`, value: ours.processor, unit: "%", beside: empty.processor },
  ].map(judged);
}

async function run(kind: "ours" | "empty"): Promise<FlowFigures> {
  progress(`${DEVICES} devices over MQTT, ${SECONDS} s, ${kind === "ours" ? "our nodes" : "empty nodes"}`);
  await using broker = await startMosquitto();
  const flow = new Helper("load-flow.ts", [String(broker.port), kind]);
  const settings: PublisherSettings = { url: broker.url, devices: DEVICES, seconds: SECONDS };
  const publisher = new Helper("load-publisher.ts", [JSON.stringify(settings)]);
  try {
    // The publisher sends probes until the first one has passed the flow.
    await flow.answer();
    publisher.send("start");
    flow.send("start");
    await publisher.answer();
    return await allReceived(flow);
  } finally {
    await publisher.stop();
    await flow.stop();
  }
}

async function allReceived(flow: Helper): Promise<FlowFigures> {
  let figures: FlowFigures | undefined;
  for (let since = performance.now(); ; await delay(500)) {
    flow.send("figures");
    const latest = (await flow.answer()) as FlowFigures;
    if (latest.received !== figures?.received) since = performance.now();
    figures = latest;
    if (latest.received === DEVICES * SECONDS || performance.now() - since > QUIET) return latest;
  }
}

/** A process of this folder, with which messages are exchanged in turns. */
class Helper {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #failure: Promise<never>;

  constructor(program: string, args: string[]) {
    this.#child = fork(join(import.meta.dirname, program), args, { execArgv: [MEMORY_LIMIT] });
    this.#exit = once(this.#child, "exit");
    this.#failure = this.#exit.then(() => {
      throw new Error(`${program} has ended`);
    });
    this.#failure.catch(() => {});
  }

  send(message: string): void {
    this.#child.send(message);
  }

  /** Waits for the next message. Throws when the process ends instead. */
  async answer(): Promise<unknown> {
    const given = new AbortController();
    const message = once(this.#child, "message", { signal: given.signal });
    try {
      return (await Promise.race([message, this.#failure]))[0];
    } finally {
      given.abort();
    }
  }

  /** It ends when it is let go. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exit;
  }
}
