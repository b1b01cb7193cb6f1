/** A Node-RED of its own, in which this package is installed the way its users install it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../support/child.ts";
import { freePort } from "../support/ports.ts";

const root = join(import.meta.dirname, "..", "..");

/** A node, tab or configuration node as it stands in a flow file. */
export interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

export interface NodeRed {
  /** `http://127.0.0.1:port` */
  url: string;
  /** Waits until the flows have started once more: with what was deployed since the last call. */
  started(): Promise<void>;
  /** What is deployed. */
  flow(): Promise<FlowNode[]>;
  stop(): Promise<void>;
}

/** Starts Node-RED with a flow, and waits until it runs. */
export async function startNodeRed(flow: FlowNode[], env: NodeJS.ProcessEnv = {}): Promise<NodeRed> {
  const userDir = mkdtempSync(join(tmpdir(), "device-analytics-editor-"));
  const modules = join(userDir, "node_modules", "@device-analytics");
  mkdirSync(modules, { recursive: true });
  symlinkSync(root, join(modules, "node-red"));
  const port = await freePort();
  const settings = {
    uiHost: "127.0.0.1",
    uiPort: port,
    flowFile: "flows.json",
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { palette: { allowInstall: false } },
    editorTheme: { tours: false, projects: { enabled: false } },
  };
  writeFileSync(join(userDir, "settings.cjs"), `module.exports = ${JSON.stringify(settings)};`);
  writeFileSync(join(userDir, "flows.json"), JSON.stringify(flow));
  const program = join(root, "node_modules", "node-red", "red.js");
  const child = await startChild(process.execPath, [program, "-u", userDir, "-s", join(userDir, "settings.cjs")], {
    env,
  });
  const stop = async () => {
    await child.stop();
    rmSync(userDir, { recursive: true });
  };
  let starts = 0;
  const started = async () => {
    starts++;
    await child.waitFor(new RegExp(`(?:Started flows[^]*?){${starts}}`), 30_000);
  };
  try {
    await started();
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    started,
    async flow() {
      const response = await fetch(`${url}/flows`);
      return (await response.json()) as FlowNode[];
    },
    stop,
  };
}
