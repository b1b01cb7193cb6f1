/** Node-RED's storage module: its own for settings, sessions and credentials, ours for flows. */
import type { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { FlowNode } from "./flow-files.ts";
import type { FlowStore } from "./flow-folder.ts";

type Credentials = Record<string, string>;

/** What is used here of Node-RED's runtime. */
interface Runtime {
  events: EventEmitter;
  nodes: {
    getCredentials(id: string): Credentials | undefined;
    addCredentials(id: string, credentials: Credentials): Promise<void>;
  };
}

interface StorageModule {
  init(settings: object, runtime: Runtime): Promise<void>;
  getFlows(): Promise<FlowNode[]>;
  saveFlows(flow: FlowNode[]): Promise<void>;
}

/** The file that Node-RED's storage keeps credentials in, named after the flow file that it would write. */
const CREDENTIALS = "flows_cred.json";

const nodeRed = createRequire(createRequire(import.meta.url).resolve("node-red"));
const localFiles = nodeRed("@node-red/runtime/lib/storage/localfilesystem") as StorageModule;

/**
 * A storage module that keeps flows in `store`.
 *
 * Credentials stay encrypted in the user directory, save for those that only name an environment variable, such as
 * `${BROKER_PASSWORD}`: these are no secret and belong to the flow.
 */
export function flowStorage(store: FlowStore): StorageModule {
  let runtime: Runtime;
  let references = new Map<string, Credentials>();

  const addReferences = () => {
    for (const [id, credentials] of references) {
      if (!runtime.nodes.getCredentials(id)) void runtime.nodes.addCredentials(id, credentials);
    }
  };

  return {
    ...localFiles,
    async init(settings, nodeRedRuntime) {
      runtime = nodeRedRuntime;
      runtime.events.on("flows:starting", addReferences);
      await localFiles.init(settings, runtime);
    },
    async getFlows() {
      const flow = await store.load();
      references = new Map(
        flow.flatMap((node) => (node.credentials ? [[node.id, node.credentials as Credentials]] : [])),
      );
      return flow.map(({ credentials: _, ...node }) => node as FlowNode);
    },
    async saveFlows(flow) {
      await store.save(
        flow.map((node) => {
          const credentials = referencesIn(runtime.nodes.getCredentials(node.id) ?? {});
          return Object.keys(credentials).length > 0 ? { ...node, credentials } : node;
        }),
      );
    },
  };
}

function referencesIn(credentials: Credentials): Credentials {
  const isReference = (value: unknown) => typeof value === "string" && /^\$\{\w+\}$/.test(value);
  const found = Object.entries(credentials).filter(([, value]) => isReference(value));
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Moves the user's edits, with the credentials that belong to them, out of the way into a folder beside them.
 * Gives that folder, or undefined when there are none.
 */
export async function moveEdits(userDir: string, folder: string, now: Date): Promise<string | undefined> {
  if (!existsSync(folder)) return undefined;
  const backup = join(userDir, `flows-backup-${now.toISOString().replace(/\D/g, "-").slice(0, 19)}`);
  await rename(folder, backup);
  const credentials = join(userDir, CREDENTIALS);
  if (existsSync(credentials)) await rename(credentials, join(backup, CREDENTIALS));
  return backup;
}
