/** Which store `npm start` keeps its history in, for programs beside it. */
import { join } from "node:path";
import type { Engine } from "../nodes/historian/engine.ts";
import { openEngine } from "../nodes/historian/open-engine.ts";
import { options } from "../nodes/historian/options.ts";
import { parseAll, SettingError } from "../nodes/lib/options.ts";
import { FlowOverlay } from "./flow-overlay.ts";
import { warn } from "./log.ts";
import { StartError } from "./options.ts";

const shippedFlows = join(import.meta.dirname, "..", "flows");

/** Settings of a historian that are the flow's own, and not those of the engine that the environment chooses. */
const FROM_FLOW = ["file", "retentionDays", "archiveDays"] as const;

/**
 * The engine of the first historian in the flows, not opened yet: as the environment says, an InfluxDB at INFLUX_URL or a
 * file in the user directory. It has the flow's retention, for what one keeps shorter than the other would be lost.
 *
 * @throws StartError
 */
export async function openHistory(userDir: string, env: NodeJS.ProcessEnv): Promise<Engine> {
  const flow = await new FlowOverlay(shippedFlows, join(userDir, "flows"), warn).load().catch((error: Error) => {
    throw new StartError(error.message);
  });
  const node = flow.find(({ type }) => type === "historian");
  const raw: Record<string, unknown> = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, option.value]),
  );
  // What the flow takes from the environment is there in other words.
  for (const name of FROM_FLOW) if (node?.[name] !== undefined && !isVariable(node[name])) raw[name] = node[name];
  const { INFLUX_URL, INFLUX_DATABASE, INFLUX_USER, INFLUX_PASSWORD, INFLUX_TOKEN } = env;
  raw.engine = INFLUX_URL ? "influxdb" : "embedded";
  if (INFLUX_URL) raw.url = INFLUX_URL;
  if (INFLUX_DATABASE) raw.database = INFLUX_DATABASE;
  if (INFLUX_USER) raw.username = INFLUX_USER;
  if (INFLUX_PASSWORD) raw.password = INFLUX_PASSWORD;
  if (INFLUX_TOKEN) raw.token = INFLUX_TOKEN;
  try {
    return openEngine(parseAll(options, raw), userDir, node?.id ?? "historian");
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    throw new StartError(`The historian has a wrong setting: ${error.message}`);
  }
}

function isVariable(value: unknown): boolean {
  return typeof value === "string" && /^\$\{\w+\}$/.test(value);
}
