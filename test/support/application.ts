/** The application as its users start it: in a process of its own, on free ports, with a user directory of its own. */
import { cpSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { FlowNode } from "../../app/flow-files.ts";
import type { Child } from "./child.ts";
import { startChild } from "./child.ts";
import { newFolder } from "./folders.ts";
import { ADMIN, logIn, type Session } from "./session.ts";

const root = join(import.meta.dirname, "..", "..");

export interface ApplicationOptions {
  command?: "start" | "edit";
  /** Options of the command, beside the ports and the user directory. */
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** A new one when absent. */
  userDir?: string;
  /** How many of its flows connect to a broker; those of the checkout, unless the user has removed some. */
  clients?: number;
  /** A copy of the checkout to run instead of this one; see `copyCheckout`. */
  checkout?: string;
}

export interface Application extends Child {
  /** `http://127.0.0.1:port` */
  url: string;
  /** Address of the broker that it uses. */
  mqttUrl: string;
  userDir: string;
  /** Somebody who has logged in as administrator, the first time that it is asked for. */
  admin(): Promise<Session>;
  /** The flow that it runs, and its revision. */
  flow(): Promise<{ rev: string; flows: FlowNode[] }>;
  /** Deploys a flow as the editor does, and starts all nodes again, or only those that have changed. */
  deploy(flow: FlowNode[], type?: "full" | "nodes"): Promise<void>;
}

/** Environment that would change what the application does. */
const NEUTRAL = {
  ADMIN_PASSWORD: ADMIN.password,
  SESSION_HOURS: "",
  HOST: "",
  TLS_CERT: "",
  TLS_KEY: "",
  MQTT_USERS: "",
  MQTT_URL: "",
  MQTT_USER: "",
  MQTT_PASSWORD: "",
  INFLUX_URL: "",
  INFLUX_DATABASE: "",
  INFLUX_USER: "",
  INFLUX_PASSWORD: "",
  INFLUX_TOKEN: "",
  PLANT_NAME: "",
  INIT_CWD: "",
  NODE_EXTRA_CA_CERTS: "",
  SLACK_WEBHOOK_URL: "",
  TEAMS_WEBHOOK_URL: "",
  WEBHOOK_URL: "",
  WEBHOOK_TOKEN: "",
  SMS_GATEWAY_URL: "",
  SMS_GATEWAY_TOKEN: "",
  SMS_TO: "",
  MAIL_TO: "",
};

/** Starts `npm start` or `npm run edit`, as a process of which nothing is known yet. */
export function launch({
  command = "start",
  args = [],
  env = {},
  checkout = root,
}: ApplicationOptions = {}): Promise<Child> {
  return startChild(process.execPath, [join(checkout, "app", `${command}.ts`), ...args], {
    env: { ...NEUTRAL, ...env },
  });
}

/** Starts the application and waits until its flows run; `await using` stops it at the end of the block. */
export async function startApplication(options: ApplicationOptions = {}): Promise<Application> {
  const userDir = options.userDir ?? newFolder();
  const ports = options.env?.MQTT_URL ? ["--port", "0"] : ["--port", "0", "--mqtt-port", "0"];
  const child = await launch({ ...options, args: [...ports, "--user-dir", userDir, ...(options.args ?? [])] });
  const [, url = ""] = await child.waitFor(/editor +(https?:\S+)\/admin/, 30_000).catch(async (error) => {
    await child.stop("SIGKILL");
    throw error;
  });
  const [, mqttUrl = ""] = await child.waitFor(/MQTT broker +(\S+)/);
  // What is published before they have subscribed for the first time, they never hear.
  const clients = options.env?.MQTT_URL ? 0 : (options.clients ?? clientsIn(options.checkout ?? root));
  await child.waitFor(new RegExp(`(?:Connected to broker: [^]*?){${clients}}`), 30_000);
  const headers = { "Node-RED-API-Version": "v2", "Content-Type": "application/json" };
  let admin: Promise<Session> | undefined;

  const application: Application = {
    ...child,
    url,
    mqttUrl,
    userDir,
    admin() {
      admin ??= logIn(url);
      return admin;
    },
    async flow() {
      const response = await (await application.admin()).fetch("/admin/flows", { headers });
      return (await response.json()) as { rev: string; flows: FlowNode[] };
    },
    async deploy(flows, type = "full") {
      const { rev } = await application.flow();
      const body = JSON.stringify({ flows, rev });
      const response = await (await application.admin()).fetch("/admin/flows", {
        method: "POST",
        headers: { ...headers, "Node-RED-Deployment-Type": type },
        body,
      });
      if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
    },
  };
  return application;
}

/** How many clients of a broker the flows of a checkout are. */
function clientsIn(checkout: string): number {
  const ids = readdirSync(join(checkout, "flows"))
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => JSON.parse(readFileSync(join(checkout, "flows", file), "utf8")) as FlowNode[])
    .flatMap(({ type, clientid }) => (type === "mqtt-broker" ? [clientid] : []));
  return new Set(ids).size;
}

/** A copy of the checkout whose flow files a test may change; it shares the installed packages. */
export function copyCheckout(): string {
  const folder = newFolder();
  const parts = readdirSync(root).filter((name) => !name.startsWith(".") && name !== "node_modules");
  for (const name of parts) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}
