/** The nodes that this package registers, with what the tests of the editor need to know of each. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Options } from "../../nodes/lib/options.ts";

export interface RegisteredNode {
  type: string;
  options: Options;
  /** The first line of its help, without mark-up. */
  purpose: string;
}

const root = join(import.meta.dirname, "..", "..");
const require = createRequire(import.meta.url);

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Every registered node. */
export const nodes: RegisteredNode[] = Object.keys(manifest["node-red"].nodes).map((type) => {
  const folder = join(root, "nodes", type);
  const [firstLine = ""] = readFileSync(join(folder, "help.md"), "utf8").split("\n", 1);
  return { type, options: require(join(folder, "options.ts")).options, purpose: firstLine.replaceAll(/[`*]/g, "") };
});
