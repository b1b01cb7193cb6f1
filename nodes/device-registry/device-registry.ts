/** device-registry: the list of devices, from a table or a file that is watched, and who is in maintenance. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DeviceRegistry } from "../../core/device-registry.ts";
import { type ConfigHost, configNode } from "../lib/config-node.ts";
import { SettingError } from "../lib/options.ts";
import { writeWhole } from "../lib/persistence.ts";
import type { Registry } from "../lib/registry.ts";
import { stateFolder } from "../lib/state-folders.ts";
import { readDevices, toRecords, watchDevices } from "./device-file.ts";
import { options } from "./options.ts";

/** How often it is looked whether a maintenance is over or is to be saved, ms. */
const TICK = 500;

const FILE = "maintenance.json";
const VERSION = 1;

type Host = ConfigHost<typeof options>;

export default configNode<typeof options, Registry>("device-registry", options, (host) => {
  const { file, devices, strict } = host.settings;
  if (file !== "" && devices.length > 0)
    throw new SettingError("file: the table lists devices too, use only one of both");
  const folder = folderOf(host);
  const registry = restored(strict, folder, host);
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const problems: Record<"list" | "save", string | undefined> = { list: undefined, save: undefined };
  let unwatch: (() => void) | undefined;
  let isSaved = true;
  let saving = Promise.resolve();

  if (file === "") {
    try {
      registry.setList(toRecords(devices));
    } catch (error) {
      throw new SettingError(`devices: ${messageOf(error)}`);
    }
  } else {
    // Watched before it is read, so that no change is missed.
    unwatch = watchDevices(file, () => readList() && tell());
    readList();
  }
  const timer = setInterval(() => {
    if (registry.expire(Date.now())) changeMaintenance();
    if (!isSaved) saving = saving.then(save);
  }, TICK);

  return {
    value: {
      isStrict: strict,
      get: (deviceId) => registry.get(deviceId),
      records: () => registry.records(),
      maintenance: (deviceId, now) => registry.maintenance(deviceId, now),
      maintain(args, now) {
        registry.maintain(args, now);
        changeMaintenance();
      },
      watch(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    async close() {
      clearInterval(timer);
      unwatch?.();
      // A command that is on its way still comes.
      await nextTurn();
      await saving;
      await save();
    },
  };

  function changeMaintenance(): void {
    isSaved = false;
    tell();
  }

  /** Reads the file, and tells whether there is a new list. A file that is no list leaves the one before. */
  function readList(): boolean {
    try {
      registry.setList(readDevices(file));
      settle("list", undefined);
      return true;
    } catch (error) {
      settle("list", messageOf(error));
      return false;
    }
  }

  async function save(): Promise<void> {
    if (isSaved || folder === undefined) return;
    isSaved = true;
    try {
      await writeWhole(folder, FILE, `${JSON.stringify({ version: VERSION, maintenances: registry })}\n`);
      settle("save", undefined);
    } catch (error) {
      isSaved = false;
      settle("save", `maintenances cannot be saved: ${messageOf(error)}`);
    }
  }

  function settle(kind: keyof typeof problems, problem: string | undefined): void {
    if (problem !== undefined && problem !== problems[kind]) host.node.error(problem);
    problems[kind] = problem;
    host.report(problems.list ?? problems.save);
  }
});

function folderOf({ RED, node }: Host): string | undefined {
  const { userDir } = RED.settings;
  if (userDir) return stateFolder(userDir, node.id);
  node.warn("Node-RED has no user directory: a restart forgets who is in maintenance");
  return undefined;
}

/** At once, not in the background: a device in maintenance must not alarm anybody while it is read. */
function restored(isStrict: boolean, folder: string | undefined, { node }: Host): DeviceRegistry {
  if (folder !== undefined) {
    try {
      const { version, maintenances } = JSON.parse(readFileSync(join(folder, FILE), "utf8"));
      if (version !== VERSION) throw new Error(`it is of version ${version}, which this node does not know`);
      return DeviceRegistry.from(isStrict, maintenances);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") node.error(`who is in maintenance cannot be read, nobody is now: ${messageOf(error)}`);
    }
  }
  return new DeviceRegistry(isStrict);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
