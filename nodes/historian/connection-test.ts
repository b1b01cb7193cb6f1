/** The button "Test connection" of the form: asks the store that the form describes, and says what is wrong with it. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Node, NodeAPI } from "node-red";
import { isEnvironment, parseAll } from "../lib/options.ts";
import { fileOf, openEngine } from "./open-engine.ts";
import { options } from "./options.ts";

/** What a form holds in place of a secret that is stored. */
const STORED = "__PWRD__";

/** Answers `POST /device-analytics/historian/test` of the editor: `{ id, settings }` gives `{ version }` or `{ problem }`. */
export function serveConnectionTest(RED: NodeAPI): void {
  // Only for those who may deploy: they could send the stored secrets to any address by that.
  const isAllowed = RED.auth.needsPermission("flows.write");
  RED.httpAdmin.post("/device-analytics/historian/test", isAllowed, (request, response) => {
    tryOut(RED, request.body).then(
      (version) => response.json({ version }),
      (error) => response.json({ problem: error instanceof Error ? error.message : String(error) }),
    );
  });
}

async function tryOut(RED: NodeAPI, body: { id?: unknown; settings?: unknown }): Promise<string> {
  const id = String(body.id);
  const { userDir } = RED.settings;
  const settings = parseAll(options, effective(RED, id, { ...(body.settings as Record<string, unknown>) }));
  if (settings.engine === "influxdb") return await versionOf(settings, userDir, id);
  const file = fileOf(settings.file, userDir, id);
  if (await exists(file)) return await versionOf({ ...settings, file }, userDir, id);
  return await inScratch(dirname(file), (folder) =>
    versionOf({ ...settings, file: join(folder, basename(file)) }, userDir, id),
  );
}

/** What counts in place of stored secrets and environment variables, as far as it is known. */
function effective(RED: NodeAPI, id: string, form: Record<string, unknown>): Record<string, unknown> {
  const stored = (RED.nodes.getCredentials(id) ?? {}) as Record<string, unknown>;
  // What is not deployed yet knows no environment but that of the process.
  const node = (RED.nodes.getNode(id) ?? {}) as Node;
  return Object.fromEntries(
    Object.entries(form).map(([name, entered]) => {
      const value = entered === STORED ? stored[name] : entered;
      return [name, (isEnvironment(value) && RED.util.getSetting(node, value.trim().slice(2, -1))) || value];
    }),
  );
}

async function versionOf(...engine: Parameters<typeof openEngine>): Promise<string> {
  const opened = openEngine(...engine);
  try {
    return (await opened.check()).version;
  } finally {
    await opened.close();
  }
}

/** Lends a folder beside what does not exist yet, on the same disk, and leaves nothing of it. */
async function inScratch<T>(folder: string, use: (folder: string) => Promise<T>): Promise<T> {
  let parent = folder;
  while (!(await exists(parent)) && parent !== dirname(parent)) parent = dirname(parent);
  const scratch = await mkdtemp(join(parent, ".device-analytics-"));
  try {
    return await use(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
