/** Which engine the settings of a historian mean, and where its file lies. */
import { join } from "node:path";
import { SettingError, type Settings } from "../lib/options.ts";
import { EmbeddedHistorian } from "./embedded.ts";
import type { Engine } from "./engine.ts";
import { InfluxHistorian } from "./influx.ts";
import type { options } from "./options.ts";

/**
 * The engine of a historian, not opened yet. `nodeId` names the file that lies in the user directory.
 *
 * @throws SettingError when there is no place for the file, or the settings make no sense
 */
export function openEngine(settings: Settings<typeof options>, userDir: string | undefined, nodeId: string): Engine {
  if (settings.engine === "embedded")
    return new EmbeddedHistorian({ ...settings, file: fileOf(settings.file, userDir, nodeId) });
  return new InfluxHistorian(settings);
}

/** A file that is named counts as it is, a relative one from Node-RED's working directory. */
export function fileOf(file: string, userDir: string | undefined, nodeId: string): string {
  if (file !== "") return file;
  if (!userDir) throw new SettingError("file: must be named, for Node-RED has no user directory");
  return join(userDir, "device-analytics", "history", `${encodeURIComponent(nodeId)}.sqlite`);
}
