/** Starts the application: broker, Node-RED with its flows, and a clean end. */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import RED from "node-red";
import { startBroker } from "./broker.ts";
import { drain } from "./drain.ts";
import { FlowFolder, type FlowStore } from "./flow-folder.ts";
import { FlowOverlay } from "./flow-overlay.ts";
import { say, warn } from "./log.ts";
import { checkBroker } from "./mqtt-check.ts";
import { help, type Mode, type Options, readOptions, StartError } from "./options.ts";
import { settings } from "./settings.ts";
import { flowStorage, moveEdits } from "./storage.ts";

const shippedFlows = join(import.meta.dirname, "..", "flows");

/** Signals within this time after the first are the same Ctrl-C: npm passes on what the terminal sent to all, ms. */
const SAME_SIGNAL = 1000;

/** Runs the application until a signal ends it. What cannot start says why in one line, and ends with exit code 1. */
export async function run(mode: Mode): Promise<void> {
  try {
    const options = readOptions(mode, process.argv.slice(2), process.env);
    if (options) await start(options);
    else say(help);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

async function start(options: Options): Promise<void> {
  const { userDir, mqttUrl, environment } = options;
  await mkdir(userDir, { recursive: true }).catch((error: Error) => {
    throw new StartError(`--user-dir: ${userDir} cannot be used: ${error.message}`);
  });
  const server = createServer();
  const port = await listen(server, options.port);
  const broker = mqttUrl
    ? undefined
    : await startBroker(options.mqttPort, warn).catch(portError(options.mqttPort, "--mqtt-port"));
  const problem = mqttUrl && (await checkBroker(mqttUrl, environment.MQTT_USER ?? "", environment.MQTT_PASSWORD ?? ""));
  if (problem) warn(`${mqttUrl} cannot be reached: ${problem}. Trying again until it is there`);

  const store = await openFlows(options);
  Object.assign(process.env, environment, { MQTT_URL: broker?.url ?? mqttUrl });
  RED.init(server, settings(options, port, flowStorage(store)));
  RED.httpNode.use("/admin", RED.httpAdmin);
  RED.httpNode.get("/", (_request, response) => response.redirect("/ui"));
  server.on("request", RED.httpNode);
  const running = flowsRunning();
  await RED.start();
  const failure = await running;
  if (failure) warn(failure);

  stopOnSignal(async () => {
    await drain();
    await RED.stop();
    server.close();
    server.closeAllConnections();
    await broker?.close();
  });
  say(summary(options, `http://127.0.0.1:${port}`, broker?.url));
}

/** Where the flows come from; it is sure that they can be read. */
async function openFlows({ mode, userDir, resetFlows }: Options): Promise<FlowStore> {
  const edits = join(userDir, "flows");
  if (resetFlows) {
    const backup = await moveEdits(userDir, edits, new Date());
    say(`The flows are as shipped; ${backup ? `your edits are kept in ${backup}` : "there were no edits"}`);
  }
  const store = mode === "edit" ? new FlowFolder(shippedFlows) : new FlowOverlay(shippedFlows, edits, warn);
  await store.load().catch((error: Error) => {
    throw new StartError(error.message);
  });
  return store;
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening").catch(portError(port, "--port"));
  return (server.address() as AddressInfo).port;
}

/** Says in one line why a port cannot be used. */
function portError(port: number, option: string): (error: NodeJS.ErrnoException) => never {
  return ({ code, message }) => {
    if (code === "EADDRINUSE") throw new StartError(`Port ${port} is taken: choose another with ${option}`);
    if (code === "EACCES") throw new StartError(`Port ${port} needs more rights: choose another with ${option}`);
    throw new StartError(`Port ${port} cannot be used: ${message}`);
  };
}

/** Waits until the flows run. Gives the reason if they cannot. */
function flowsRunning(): Promise<string | undefined> {
  return new Promise((resolve) => {
    RED.events.once("flows:started", () => resolve(undefined));
    RED.events.on(
      "runtime-event",
      ({ id, payload }: { id: string; payload?: { state?: string; error?: string; types?: string[] } }) => {
        if (id !== "runtime-state" || !payload?.state) return;
        const types = payload.types ? `: there is no ${payload.types.join(", ")}` : "";
        resolve(`The flows do not run (${payload.error ?? payload.state}${types}). Mend them in the editor`);
      },
    );
  });
}

function summary({ mode, mqttUrl, replay, userDir }: Options, address: string, embedded: string | undefined): string {
  const feed =
    replay && `${replay.file}, ${replay.speed === 0 ? "as fast as it is taken" : `${replay.speed} × recorded speed`}`;
  const rows = [
    ["dashboard", `${address}/ui`],
    ["editor", `${address}/admin`],
    ["MQTT broker", mqttUrl ?? `${embedded} (embedded)`],
    ["data", feed ?? "simulated devices"],
    [mode === "edit" ? "flow files" : "your files", mode === "edit" ? `${shippedFlows} (Deploy writes them)` : userDir],
  ];
  const lines = rows.map(([name, value]) => `  ${name?.padEnd(12)} ${value}`);
  return ["", "Device Analytics is running. Ctrl-C stops it.", ...lines, ""].join("\n");
}

/** Ends cleanly on the first signal, and at once on a later one. */
function stopOnSignal(stop: () => Promise<void>): void {
  let since: number | undefined;
  const end = async () => {
    if (since !== undefined) {
      if (Date.now() - since > SAME_SIGNAL) process.exit(1);
      return;
    }
    since = Date.now();
    say("Stopping ...");
    await stop();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
}
