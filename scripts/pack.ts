/**
 * Puts the application's flows among the examples while the package is packed: `prepack` runs this file, `postpack` runs
 * it with `--clean`. So Import › Examples offers them, and flows/ stays the only place where they are edited.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FlowNode, formatFlow, readFlowFiles } from "../app/flow-files.ts";
import { FlowFolder } from "../app/flow-folder.ts";

const root = join(import.meta.dirname, "..");
const flows = join(root, "flows");
const folder = join(root, "examples", "Application");

await rm(folder, { recursive: true, force: true });
if (!process.argv.includes("--clean")) await copyFlows();

async function copyFlows(): Promise<void> {
  const { name, version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const files = await readFlowFiles(flows);
  const copy = (file: string, flow: FlowNode[], needed = flow) => {
    // The editor offers to install the palettes that a flow names here.
    const modules = Object.assign({}, ...needed.map((node) => node.modules), { [name]: version });
    const nodes = flow.map((node) => (node.type === "global-config" ? { ...node, modules } : node));
    return writeFile(join(folder, `${file}.json`), formatFlow(nodes));
  };
  await mkdir(folder, { recursive: true });
  for (const [file, flow] of files) await copy(file, flow);
  await copy("00 - Whole application", await new FlowFolder(flows).load(), [...files.values()].flat());
}
