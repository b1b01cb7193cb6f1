/** Node-RED's settings for this application. */
import { join } from "node:path";
import RED from "node-red";
import { logHandler } from "./log.ts";
import type { Login } from "./login/login.ts";
import { secretIn } from "./login/secret.ts";
import type { Options } from "./options.ts";
import type { flowStorage } from "./storage.ts";

const root = join(import.meta.dirname, "..");

/** Settings of a Node-RED at `port`, behind a login. */
export function settings(
  { userDir, host }: Options,
  port: number,
  storageModule: ReturnType<typeof flowStorage>,
  login: Login,
) {
  return {
    uiHost: host,
    uiPort: port,
    adminAuth: login.adminAuth,
    ui: { path: "ui", ioMiddleware: login.ioMiddleware },
    httpAdminRoot: "/admin/",
    httpNodeRoot: "/",
    userDir,
    // The package itself, under its own name: no link or copy of it in the user directory.
    nodesDir: root,
    flowFile: join(userDir, "flows.json"),
    storageModule,
    credentialSecret: secretIn(join(userDir, "credential-secret")),
    contextStorage: { default: { module: "localfilesystem" } },
    mqttReconnectTime: 2000,
    telemetry: { enabled: false, updateNotification: false },
    logging: { console: { level: "info" as const, metrics: false, audit: false, handler: () => logHandler(expected) } },
    editorTheme: {
      page: { title: "Device Analytics", scripts: [login.script] },
      header: { title: "Device Analytics" },
      logout: { redirect: "/ui/logout" },
      tours: false,
      projects: { enabled: false },
    },
  };
}

/** Node-RED warns of this when a user directory is new. */
const expected = () => [String(RED.log._("nodes.credentials.encryptedNotFound"))];
