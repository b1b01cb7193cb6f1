/** `npm run simulate`: the simulator or a replay without Node-RED, publishing to a broker and obeying commands from there. */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, type MqttClient } from "mqtt";
import type { Sent } from "../core/simulator/transport.ts";
import { deviceInTopic, toLevel } from "../core/topics.ts";
import { number, type Option, OptionError, oneOf, parseAll, type Settings } from "../nodes/lib/options.ts";
import { LiveFleet } from "../nodes/simulator/live-fleet.ts";
import { options, PROFILES } from "../nodes/simulator/options.ts";
import { RecordedFleet } from "../nodes/simulator/recorded-fleet.ts";
import { type Consumer, obey, type Simulation, type SimulationState } from "../nodes/simulator/simulation.ts";
import { say, warn } from "./log.ts";
import { checkBroker } from "./mqtt-check.ts";
import { readOptions, StartError } from "./options.ts";

/** So many messages at most wait for the broker's acknowledgement, or a tick of the fleet if that is larger. */
const MAX_IN_FLIGHT = 256;

/** For so long the end waits for acknowledgements, ms. */
const PATIENCE = 5000;

/** How often a terminal shows the progress, ms. */
const PROGRESS_INTERVAL = 1000;

const DEFAULT_URL = "mqtt://127.0.0.1:1883";

/** Names on the command line of the node's options, whose rules and defaults hold here too. */
const NODE_OPTIONS = {
  devices: "devices",
  prefix: "devicePrefix",
  interval: "intervalSeconds",
  jitter: "jitterPercent",
  seed: "seed",
  "faults-per-day": "faultsPerDeviceDay",
  replay: "file",
  speed: "speed",
  loop: "loop",
} as const satisfies Record<string, keyof typeof options>;

const PROFILE = oneOf("machine", PROFILES);
const SECONDS = number(0, { min: 0 });

const help = `Usage: npm run simulate -- [options]

  --profile NAME      kind of simulated devices: ${PROFILES.join(", ")} (${PROFILE.value})
  --devices N         how many (${options.devices.value})
  --prefix TEXT       begin of their names (${options.devicePrefix.value})
  --interval S        seconds between two readings of a device (${options.intervalSeconds.value})
  --jitter P          percent by which that varies (${options.jitterPercent.value})
  --seed N            the same seed gives the same data (${options.seed.value})
  --faults-per-day X  faults that start by themselves, per device and day (${options.faultsPerDeviceDay.value})
  --replay FILE       play recorded data (CSV or JSON lines, also gzipped) instead
  --speed X           speed of the replay, 0 = as fast as possible (${options.speed.value})
  --loop              play it again and again
  --seconds N         end after so long
  --url URL           address of the broker, in place of MQTT_URL (${DEFAULT_URL})
  --plant NAME        first level of all topics, in place of PLANT_NAME (plant)
  --help

User and password of the broker are in its address, or in MQTT_USER and MQTT_PASSWORD.

It publishes on NAME/telemetry/<device>, obeys what comes on NAME/command/<device>, such as
{"command":"fault","fault":"overheating","seconds":120}, and answers on NAME/answer/<device>.
The device * stands for all of them.
`;

interface Invocation {
  settings: Settings<typeof options>;
  /** 0: until it has played, or is stopped. */
  seconds: number;
  url: string;
  user: string;
  password: string;
  plant: string;
}

/** Reads arguments and environment. Gives undefined when help is asked for; throws a StartError for what is wrong. */
function readInvocation(args: string[], env: NodeJS.ProcessEnv): Invocation | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  // The launcher's rules for files, addresses and names hold here too.
  const launcher = readOptions("start", values.replay === undefined ? [] : ["--replay", String(values.replay)], {
    ...env,
    MQTT_URL: String(values.url || env.MQTT_URL || DEFAULT_URL),
    PLANT_NAME: String(values.plant || env.PLANT_NAME || ""),
  });
  const file = launcher?.replay?.file;
  const raw: Record<string, unknown> = {
    profile: file === undefined ? check("profile", PROFILE, values.profile) : "replay",
  };
  for (const [name, option] of Object.entries(NODE_OPTIONS)) {
    raw[option] = check<unknown>(name, options[option], name === "replay" ? file : values[name]);
  }
  const { MQTT_USER: user = "", MQTT_PASSWORD: password = "", PLANT_NAME: plant = "" } = launcher?.environment ?? {};
  const url = launcher?.mqttUrl ?? DEFAULT_URL;
  const seconds = check("seconds", SECONDS, values.seconds);
  return { settings: parseAll(options, raw), seconds, url, user, password, plant };
}

function parse(args: string[]): Record<string, string | boolean | undefined> {
  const names = [...Object.keys(NODE_OPTIONS), "profile", "seconds", "url", "plant"].filter((name) => name !== "loop");
  try {
    return parseArgs({
      args,
      options: {
        ...Object.fromEntries(names.map((name) => [name, { type: "string" } as const])),
        loop: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\n/);
    throw new StartError(`${reason} (--help lists the options)`);
  }
}

function check<T>(name: string, option: Option<T>, value: unknown): T {
  try {
    return option.parse(value);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new StartError(`--${name} ${error.message}, not ${value}`);
  }
}

/** Publishes what devices send, each on its topic. While the broker is away, what it has not acknowledged waits. */
class Publisher implements Consumer {
  sent = 0;
  acknowledged = 0;
  refused = 0;
  readonly #client: MqttClient;
  readonly #plant: string;
  #waiting: { below: number; resolve: () => void } | undefined;

  constructor(client: MqttClient, plant: string) {
    this.#client = client;
    this.#plant = plant;
  }

  take(sent: Sent[]): Promise<void> | undefined {
    for (const each of sent) void this.#publish(each);
    return this.#fewerThan(MAX_IN_FLIGHT);
  }

  async drained(): Promise<void> {
    await this.#fewerThan(1);
  }

  async #publish({ deviceId, payload }: Sent): Promise<void> {
    // What is malformed may be text that is no JSON.
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    this.sent++;
    try {
      await this.#client.publishAsync(`${this.#plant}/telemetry/${toLevel(deviceId)}`, text, { qos: 1 });
      this.acknowledged++;
    } catch {
      this.refused++;
    }
    if (this.inFlight < (this.#waiting?.below ?? 0)) this.#waiting?.resolve();
  }

  /** Readings that the broker has neither acknowledged nor refused. */
  get inFlight(): number {
    return this.sent - this.acknowledged - this.refused;
  }

  #fewerThan(count: number): Promise<void> | undefined {
    if (this.inFlight < count) return undefined;
    return new Promise((resolve) => {
      this.#waiting = { below: count, resolve };
    });
  }
}

/** Runs until it has played, until its time is over, or until a signal. Throws a StartError for what ends it before. */
async function simulate({ settings, seconds, url, user, password, plant }: Invocation): Promise<void> {
  const problem = await checkBroker(url, user, password);
  let end: (error?: Error) => void = () => undefined;
  const isOver = new Promise<void>((resolve, reject) => {
    end = (error) => (error ? reject(new StartError(error.message)) : resolve());
  });
  const stop = () => end();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  if (problem !== undefined) warn(`${url} is not there (${problem}): trying until it is`);
  const client = connect(url, { username: user, password });
  const publisher = new Publisher(client, plant);
  const refused = (reason: string) => warn(`not all records can be taken, such as ${reason}`);
  const simulation =
    settings.profile === "replay"
      ? new RecordedFleet(settings, publisher, { ended: end, refused }, 1)
      : new LiveFleet(settings, publisher);
  watch(client, url, problem === undefined, end);
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : undefined;
  const progress = showProgress(simulation, publisher);
  try {
    await Promise.race([isOver, obeyCommands(client, plant, simulation)]);
    await simulation.start();
    await isOver;
  } catch (error) {
    throw new StartError((error as Error).message);
  } finally {
    clearTimeout(timer);
    clearInterval(progress);
    const { state } = simulation;
    simulation.close();
    await Promise.race([publisher.drained(), delay(PATIENCE, undefined, { ref: false })]);
    if (publisher.inFlight > 0) process.exitCode = 1;
    await client.endAsync(!client.connected || publisher.inFlight > 0);
    say(`${process.stdout.isTTY ? "\n" : ""}${summary(state, publisher)}`);
  }
}

/** Tells when the connection is lost and back; ends when the broker will not have us. */
function watch(client: MqttClient, url: string, wasThere: boolean, end: (error: Error) => void): void {
  let isThere = wasThere;
  client.on("close", () => {
    if (isThere && !client.disconnecting) warn(`${url} is away: trying until it is back`);
    isThere = false;
  });
  client.on("connect", () => {
    if (!isThere) warn(`${url} is there`);
    isThere = true;
  });
  client.on("error", ({ code, message }: Error & { code?: unknown }) => {
    // Those of the network have names.
    if (typeof code === "number") end(new Error(`${url} refuses the connection: ${message}`));
  });
}

/** Subscribes to commands, which takes until the broker is there. */
async function obeyCommands(client: MqttClient, plant: string, simulation: Simulation): Promise<void> {
  const deviceIn = deviceInTopic(`${plant}/command/+`);
  client.on("message", async (topic, payload) => {
    const deviceId = deviceIn(topic) ?? "";
    const { command, ...args } = objectIn(payload.toString());
    const outcome = await obey(simulation, command, { ...args, deviceId });
    client.publish(`${plant}/answer/${toLevel(deviceId)}`, JSON.stringify(outcome), { qos: 1 });
  });
  await new Promise<void>((resolve) => client.once("connect", () => resolve()));
  // If the connection is lost meanwhile, the client subscribes when it is back.
  await client.subscribeAsync(`${plant}/command/+`, { qos: 1 }).catch(({ message }) => {
    if (client.connected) warn(`the broker gives no commands: ${message}`);
  });
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const content = JSON.parse(text);
    return typeof content === "object" && content !== null ? content : {};
  } catch {
    return {};
  }
}

/** Shows on a terminal how far it has come. */
function showProgress(simulation: Simulation, publisher: Publisher): NodeJS.Timeout | undefined {
  if (!process.stdout.isTTY) return undefined;
  return setInterval(() => {
    const { state } = simulation;
    const what = state.devices === undefined ? `${state.percent} %` : `${state.devices} devices`;
    process.stdout.write(`\r${what}: ${summary(state, publisher)} `);
  }, PROGRESS_INTERVAL);
}

function summary({ refused = 0 }: SimulationState, publisher: Publisher): string {
  return `${publisher.sent} sent, ${publisher.acknowledged} acknowledged, ${publisher.refused + refused} refused`;
}

try {
  const invocation = readInvocation(process.argv.slice(2), process.env);
  if (invocation) await simulate(invocation);
  else say(help);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
