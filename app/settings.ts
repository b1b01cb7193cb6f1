/** Node-RED's settings for this application. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import RED from "node-red";
import { logHandler } from "./log.ts";
import type { Options } from "./options.ts";
import type { flowStorage } from "./storage.ts";

const root = join(import.meta.dirname, "..");

/** Settings of a Node-RED that listens on `port` of this machine alone. */
export function settings({ userDir }: Options, port: number, storageModule: ReturnType<typeof flowStorage>) {
  return {
    uiHost: "127.0.0.1",
    uiPort: port,
    httpAdminRoot: "/admin/",
    httpNodeRoot: "/",
    userDir,
    // The package itself, under its own name: no link or copy of it in the user directory.
    nodesDir: root,
    flowFile: join(userDir, "flows.json"),
    storageModule,
    credentialSecret: credentialSecret(userDir),
    contextStorage: { default: { module: "localfilesystem" } },
    mqttReconnectTime: 2000,
    telemetry: { enabled: false, updateNotification: false },
    logging: { console: { level: "info" as const, metrics: false, audit: false, handler: () => logHandler(expected) } },
    editorTheme: {
      page: { title: "Device Analytics" },
      header: { title: "Device Analytics" },
      tours: false,
      projects: { enabled: false },
    },
  };
}

/** Node-RED warns of this when a user directory is new. */
const expected = () => [String(RED.log._("nodes.credentials.encryptedNotFound"))];

/** The key of the stored credentials, made once for a user directory. */
function credentialSecret(userDir: string): string {
  const path = join(userDir, "credential-secret");
  try {
    writeFileSync(path, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(path, "utf8");
}
