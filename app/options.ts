/** What the command line and the environment ask of the launcher. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { parseArgs } from "node:util";
import { problemOf } from "./login/passwords.ts";

/** A reason not to start, put so that the user can act on it in one line. */
export class StartError extends Error {}

/** `start` runs the shipped flows with the user's edits over them, `edit` works on the shipped files themselves. */
export type Mode = "start" | "edit";

export interface Options {
  mode: Mode;
  /** Address to listen on. */
  host: string;
  port: number;
  /** Certificate and key, in PEM; undefined for plain HTTP. */
  tls: { cert: string; key: string } | undefined;
  /** Of the user `admin`, made at the first start; a random one when undefined. */
  adminPassword: string | undefined;
  sessionHours: number;
  mqttPort: number;
  /** File of the users of the embedded broker; undefined when it takes nobody but this machine. */
  mqttUsers: string | undefined;
  userDir: string;
  /** A real broker's address, without user and password; undefined for the embedded one. */
  mqttUrl: string | undefined;
  /** A real InfluxDB's address; undefined for the embedded historian. */
  influxUrl: string | undefined;
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
  ADMIN_PASSWORD   of the user admin, who is made at the first start; otherwise a random one
                   is printed there. npm run users -- --help tells how to make more users
  SESSION_HOURS    how long somebody stays logged in (12)
  HOST             address to listen on: 0.0.0.0 or :: for all of this machine (127.0.0.1)
  TLS_CERT, TLS_KEY  files of a certificate with its chain and of its key, in PEM, for HTTPS
  MQTT_USERS       file of users, as mosquitto_passwd makes it: then the embedded broker, too,
                   listens on HOST and lets in only them
  MQTT_URL         mqtt://, mqtts://, ws:// or wss:// address of your own broker, with
                   user:password@ or with MQTT_USER and MQTT_PASSWORD beside it
  NODE_EXTRA_CA_CERTS  file of the authority that signed the broker's certificate
  INFLUX_URL       http:// or https:// address of an InfluxDB that keeps the history, with
                   INFLUX_DATABASE (device_analytics), INFLUX_USER and INFLUX_PASSWORD, or INFLUX_TOKEN
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
  if (env.MQTT_USERS && env.MQTT_URL) {
    throw new StartError("MQTT_USERS is for the embedded broker, and MQTT_URL names another: give one of them");
  }
  const folder = values["user-dir"] ? fromCaller(values["user-dir"], env) : join(root, ".device-analytics");
  const mqtt = env.MQTT_URL ? brokerAddress(env.MQTT_URL, env) : undefined;
  const replay = readReplay(values.replay, values.speed, env);
  return {
    mode,
    host: env.HOST || "127.0.0.1",
    port: port("--port", values.port ?? "1880"),
    tls: readTls(env),
    adminPassword: adminPassword(env.ADMIN_PASSWORD),
    sessionHours: sessionHours(env.SESSION_HOURS || "12"),
    mqttPort: port("--mqtt-port", values["mqtt-port"] ?? "1883"),
    mqttUsers: env.MQTT_USERS ? fromCaller(env.MQTT_USERS, env) : undefined,
    userDir: mode === "edit" ? join(folder, "edit") : folder,
    mqttUrl: mqtt?.url,
    influxUrl: env.INFLUX_URL ? influxAddress(env.INFLUX_URL) : undefined,
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
export function fromCaller(path: string, env: NodeJS.ProcessEnv): string {
  return resolve(env.INIT_CWD ?? "", path);
}

function port(option: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65535)
    throw new StartError(`${option} must be a number from 0 to 65535, not ${text}`);
  return number;
}

function readTls(env: NodeJS.ProcessEnv): Options["tls"] {
  if (!env.TLS_CERT && !env.TLS_KEY) return undefined;
  if (!env.TLS_CERT || !env.TLS_KEY) throw new StartError("TLS_CERT and TLS_KEY go together: give both");
  const read = (name: string, path: string) => {
    try {
      return readFileSync(fromCaller(path, env), "utf8");
    } catch (error) {
      throw new StartError(`${name} cannot be read: ${(error as Error).message}`);
    }
  };
  const tls = { cert: read("TLS_CERT", env.TLS_CERT), key: read("TLS_KEY", env.TLS_KEY) };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new StartError(`TLS_CERT and TLS_KEY cannot be used: ${(error as Error).message}`);
  }
  return tls;
}

function adminPassword(password: string | undefined): string | undefined {
  if (!password) return undefined;
  const problem = problemOf(password);
  if (problem) throw new StartError(`ADMIN_PASSWORD will not do: ${problem}`);
  return password;
}

function sessionHours(text: string): number {
  const hours = Number(text);
  if (!(hours > 0 && hours <= 8760))
    throw new StartError(`SESSION_HOURS must be a number above 0, to 8760, not ${text}`);
  return hours;
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

function influxAddress(text: string): string {
  const url = URL.parse(text);
  if (!url?.hostname || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new StartError(
      "INFLUX_URL must be an address such as https://influx.example:8086; who logs in stands in INFLUX_USER and INFLUX_PASSWORD",
    );
  }
  return url.href.replace(/\/$/, "");
}
