/** Where nodes keep the files of their state, and the removal of those that no node will ask for again. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Time after which the state of a node that is gone is not wanted back, ms. */
const KEEP = 90 * 24 * 3_600_000;

/** The folder of a node, which holds nothing but its state. */
export function stateFolder(userDir: string, nodeId: string): string {
  return join(rootOf(userDir), encodeURIComponent(nodeId));
}

/**
 * Removes the folders of nodes that are not in the flows and have not written for 90 days: a flow that was deleted by
 * mistake may well come back. `nodeIds` are all ids in the flows, those of disabled nodes included.
 */
export async function removeAbandoned(userDir: string, nodeIds: Iterable<string>, now: number): Promise<void> {
  const known = new Set(Array.from(nodeIds, encodeURIComponent));
  const names = await readdir(rootOf(userDir)).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names) {
    if (isOfFlows(name, known)) continue;
    const folder = join(rootOf(userDir), name);
    // A file that is written is renamed within the folder, which changes the folder.
    if (now - (await stat(folder)).mtimeMs > KEEP) await rm(folder, { recursive: true, force: true });
  }
}

/** True for a node of the flows, and for one inside an instance of a subflow, whose id is `<instance>-<node>`. */
function isOfFlows(name: string, known: ReadonlySet<string>): boolean {
  for (let end = name.length; end > 0; end = name.lastIndexOf("-", end - 1)) {
    if (known.has(name.slice(0, end))) return true;
  }
  return false;
}

function rootOf(userDir: string): string {
  return join(userDir, "device-analytics", "state");
}
