/** Starts the application: broker, Node-RED with its flows, and a clean end. */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import RED from "node-red";
import { AuditTopic } from "./audit-topic.ts";
import { type Broker, startBroker } from "./broker.ts";
import { drain } from "./drain.ts";
import { FlowFolder, type FlowStore } from "./flow-folder.ts";
import { FlowOverlay } from "./flow-overlay.ts";
import { say, warn } from "./log.ts";
import { Login } from "./login/login.ts";
import type { NodeRed } from "./login/widgets.ts";
import { checkBroker } from "./mqtt-check.ts";
import { help, type Mode, type Options, readOptions, StartError } from "./options.ts";
import { settings } from "./settings.ts";
import { flowStorage, moveEdits } from "./storage.ts";

const sessionScript = new URL("../dist/elements/session.js", import.meta.url);
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
  const { userDir, mqttUrl, environment, host } = options;
  await mkdir(userDir, { recursive: true }).catch((error: Error) => {
    throw new StartError(`--user-dir: ${userDir} cannot be used: ${error.message}`);
  });
  const server = options.tls ? createTlsServer(options.tls) : createServer();
  const port = await listen(server, options);
  const broker = mqttUrl ? undefined : await startEmbeddedBroker(options);
  const problem = mqttUrl && (await checkBroker(mqttUrl, environment.MQTT_USER ?? "", environment.MQTT_PASSWORD ?? ""));
  if (problem) warn(`${mqttUrl} cannot be reached: ${problem}. Trying again until it is there`);

  const store = await openFlows(options);
  Object.assign(process.env, environment, broker?.access, { MQTT_URL: broker?.url ?? mqttUrl });
  const trail = new AuditTopic(environment.PLANT_NAME ?? "");
  const login = new Login({
    userDir,
    sessionHours: options.sessionHours,
    warn,
    onAudit: (entry) => trail.publish(entry),
    script: sessionScript,
  });
  const password = await login.firstUser(options.adminPassword);
  // Flows can read the environment.
  delete process.env.ADMIN_PASSWORD;
  // Node-RED and all that its nodes serve stand behind the login: this server never listens itself.
  const site = createServer();
  // Its types know no login by cookies.
  RED.init(site, settings(options, port, flowStorage(store), login) as unknown as Parameters<typeof RED.init>[1]);
  RED.httpNode.use("/admin", RED.httpAdmin);
  RED.httpNode.get("/", (_request, response) => response.redirect("/ui"));
  site.on("request", RED.httpNode);
  login.attach(RED as unknown as NodeRed);
  server.on("request", (request, response) => {
    login.gate(request, response, () => site.emit("request", request, response));
  });
  server.on("upgrade", (request, socket, head) => {
    login.upgrade(request, socket, () => site.emit("upgrade", request, socket, head));
  });
  const running = flowsRunning();
  await RED.start();
  trail.connect(process.env);
  const failure = await running;
  if (failure) warn(failure);

  stopOnSignal(async () => {
    await drain();
    await RED.stop();
    server.close();
    server.closeAllConnections();
    login.close();
    await trail.close();
    await broker?.close();
  });
  const address = new URL(`${options.tls ? "https" : "http"}://${/:/.test(host) ? `[${host}]` : host}:${port}`).origin;
  if (!options.tls && !isLoopback(host)) {
    warn(
      `HOST is ${host}: passwords cross the network unencrypted. Give TLS_CERT and TLS_KEY, or put a proxy in front`,
    );
  }
  say(summary(options, address, broker?.url, password));
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

const isLoopback = (host: string) => /^(127\.[\d.]+|::1|localhost)$/.test(host);

async function listen(server: Server, { host, port }: Options): Promise<number> {
  server.listen(port, host);
  await once(server, "listening").catch(portError(port, "--port"));
  return (server.address() as AddressInfo).port;
}

/** On this machine alone, or with users wherever the application listens. */
function startEmbeddedBroker({ mqttUsers, mqttPort, host, environment }: Options): Promise<Broker> {
  const access = mqttUsers === undefined ? undefined : { host, file: mqttUsers, plant: environment.PLANT_NAME ?? "" };
  return startBroker(mqttPort, warn, access).catch(portError(mqttPort, "--mqtt-port"));
}

/** Says in one line why a port cannot be used. */
function portError(port: number, option: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error instanceof StartError) throw error;
    const { code, message } = error;
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") throw new StartError("HOST is no address of this machine");
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

function summary(
  { mode, mqttUrl, influxUrl, replay, userDir }: Options,
  address: string,
  embedded: string | undefined,
  password: string | undefined,
): string {
  const feed =
    replay && `${replay.file}, ${replay.speed === 0 ? "as fast as it is taken" : `${replay.speed} × recorded speed`}`;
  const rows = [
    ["dashboard", `${address}/ui`],
    ["editor", `${address}/admin`],
    ["MQTT broker", mqttUrl ?? `${embedded} (embedded)`],
    ["history", influxUrl ?? "SQLite (embedded)"],
    ["data", feed ?? "simulated devices"],
    ...(password ? [["log in as", `admin, password ${password} (shown this once)`]] : []),
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
