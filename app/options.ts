/** What the command line and the environment ask of the launcher. */
import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

/** A reason not to start, put so that the user can act on it in one line. */
export class StartError extends Error {}

/** `start` runs the shipped flows with the user's edits over them, `edit` works on the shipped files themselves. */
export type Mode = "start" | "edit";

export interface Options {
  mode: Mode;
  port: number;
  mqttPort: number;
  userDir: string;
  /** A real broker's address, without user and password; undefined for the embedded one. */
  mqttUrl: string | undefined;
  /** Replayed instead of simulating. */
  replay: { file: string; speed: number } | undefined;
  resetFlows: boolean;
  /** What the flows find in their environment. */
  environment: Record<string, string>;
}

const root = join(import.meta.dirname, "..");

export const help = `Usage: npm start -- [options]     runs the application
       npm run edit -- [options]  opens the flow files in flows/ for editing

  --port N         port of the editor and the dashboard (1880)
  --mqtt-port N    port of the embedded MQTT broker (1883)
  --user-dir DIR   where edits, state and credentials are kept (.device-analytics)
  --replay FILE    feed recorded data (CSV or JSON lines) instead of the simulator
  --speed X        speed of the replay, 0 = as fast as possible (1)
  --reset-flows    bring back the shipped flows; your edits are moved to a backup
  --help

Environment
  MQTT_URL         mqtt://, mqtts://, ws:// or wss:// address of your own broker, with
                   user:password@ or with MQTT_USER and MQTT_PASSWORD beside it
  NODE_EXTRA_CA_CERTS  file of the authority that signed the broker's certificate
  PLANT_NAME       first level of all MQTT topics (plant)
  SLACK_WEBHOOK_URL, TEAMS_WEBHOOK_URL, WEBHOOK_URL, SMS_GATEWAY_URL, MAIL_TO
                   where notifications go; README.md has them all
`;

/** Reads arguments and environment. Gives undefined when help is asked for; throws a StartError for what is wrong. */
export function readOptions(mode: Mode, args: string[], env: NodeJS.ProcessEnv): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (values["reset-flows"] && mode === "edit")
    throw new StartError("--reset-flows is for npm start: git restores flows/");
  if (values["mqtt-port"] !== undefined && env.MQTT_URL) {
    throw new StartError("--mqtt-port is for the embedded broker, and MQTT_URL names another: give one of them");
  }
  const folder = values["user-dir"] ? fromCaller(values["user-dir"], env) : join(root, ".device-analytics");
  const mqtt = env.MQTT_URL ? brokerAddress(env.MQTT_URL, env) : undefined;
  const replay = readReplay(values.replay, values.speed, env);
  return {
    mode,
    port: port("--port", values.port ?? "1880"),
    mqttPort: port("--mqtt-port", values["mqtt-port"] ?? "1883"),
    userDir: mode === "edit" ? join(folder, "edit") : folder,
    mqttUrl: mqtt?.url,
    replay,
    resetFlows: values["reset-flows"] ?? false,
    environment: {
      PLANT_NAME: plantName(env.PLANT_NAME || "plant"),
      MQTT_USER: mqtt?.user ?? "",
      MQTT_PASSWORD: mqtt?.password ?? "",
      REPLAY_FILE: replay?.file ?? "",
      REPLAY_SPEED: String(replay?.speed ?? 1),
    },
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: "string" },
        "mqtt-port": { type: "string" },
        "user-dir": { type: "string" },
        replay: { type: "string" },
        speed: { type: "string" },
        "reset-flows": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\n/);
    throw new StartError(`${reason} (--help lists the options)`);
  }
}

/** A path as the caller means it: npm runs scripts in the package's folder, wherever it was called. */
function fromCaller(path: string, env: NodeJS.ProcessEnv): string {
  return resolve(env.INIT_CWD ?? "", path);
}

function port(option: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65535)
    throw new StartError(`${option} must be a number from 0 to 65535, not ${text}`);
  return number;
}

function readReplay(path: string | undefined, speed: string | undefined, env: NodeJS.ProcessEnv): Options["replay"] {
  if (path === undefined) {
    if (speed !== undefined) throw new StartError("--speed is the speed of a replay: it needs --replay FILE");
    return undefined;
  }
  const file = fromCaller(path, env);
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new StartError(`--replay: ${file} ${isMissing ? "does not exist" : "cannot be read"}`);
  }
  if (!statSync(file).isFile()) throw new StartError(`--replay: ${file} is not a file`);
  const factor = Number(speed ?? 1);
  if (speed?.trim() === "" || !Number.isFinite(factor) || factor < 0) {
    throw new StartError(`--speed must be a number from 0, not ${speed}`);
  }
  return { file, speed: factor };
}

function plantName(name: string): string {
  if (!/^[^+#\s/]+(\/[^+#\s/]+)*$/.test(name)) {
    throw new StartError("PLANT_NAME must be the start of an MQTT topic: without blanks, + and #, no / at either end");
  }
  return name;
}

/** Takes user and password off a broker's address, so that the address can be shown. No error tells any of it. */
function brokerAddress(text: string, env: NodeJS.ProcessEnv): { url: string; user: string; password: string } {
  const form = "MQTT_URL must be an address such as mqtts://user:password@broker.example:8883";
  const url = URL.parse(text);
  // A password with an unescaped / ? or # would be taken for a port and what follows it, and shown as such.
  const rest = `${url?.pathname}${url?.search}${url?.hash}`;
  const isTcp = /^mqtts?:$/.test(url?.protocol ?? "") && /^\/?$/.test(rest);
  const isWebSocket = /^wss?:$/.test(url?.protocol ?? "") && /^[^@?#]*$/.test(rest);
  if (!url?.hostname || !(isTcp || isWebSocket)) {
    throw new StartError(`${form} (mqtt, mqtts, ws or wss; special characters in a password as %xx)`);
  }
  try {
    const user = decodeURIComponent(url.username) || env.MQTT_USER || "";
    const password = decodeURIComponent(url.password) || env.MQTT_PASSWORD || "";
    url.username = "";
    url.password = "";
    return { url: url.href, user, password };
  } catch {
    throw new StartError(`${form}: a % in the user or password is written as %25`);
  }
}
