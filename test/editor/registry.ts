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
  /** Of a configuration node: a node that refers to it, and the option by which it does. */
  user?: { type: string; option: string };
}

const root = join(import.meta.dirname, "..", "..");
const require = createRequire(import.meta.url);

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const types = Object.keys(manifest["node-red"].nodes);
const optionsOf = (type: string): Options => require(join(root, "nodes", type, "options.ts")).options;

/** Every registered node. */
export const nodes: RegisteredNode[] = types.map((type) => {
  const [firstLine = ""] = readFileSync(join(root, "nodes", type, "help.md"), "utf8").split("\n", 1);
  const [user] = types
    .flatMap((type) =>
      Object.entries(optionsOf(type)).map(([option, { type: refersTo }]) => ({ type, option, refersTo })),
    )
    .filter(({ refersTo }) => refersTo === type);
  return { type, options: optionsOf(type), purpose: firstLine.replaceAll(/[`*]/g, ""), ...(user && { user }) };
});
