/** The flow files of a folder, edited in place: what `npm run edit` works on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FlowFiles, FlowNode } from "./flow-files.ts";
import {
  filesByTab,
  formatFlow,
  mergeFiles,
  newFileName,
  orderTabs,
  readFlowFiles,
  splitFlow,
  writeOrRemove,
} from "./flow-files.ts";

/** Where the flow that Node-RED runs comes from and goes to. */
export interface FlowStore {
  load(): Promise<FlowNode[]>;
  save(flow: FlowNode[]): Promise<void>;
}

const TAB_ORDER = "tab-order.txt";

/** The ids of the tabs in the order that was chosen in the editor; empty when they stand in the order of their files. */
export async function readTabOrder(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, TAB_ORDER), "utf8").catch(() => "");
  return text.split("\n").filter((id) => id !== "");
}

/** Keeps the order of a flow's tabs, unless it is the one that they have by themselves. */
export async function writeTabOrder(
  folder: string,
  flow: readonly FlowNode[],
  natural: readonly FlowNode[],
): Promise<void> {
  const text = (nodes: readonly FlowNode[]) =>
    nodes.map((node) => (node.type === "tab" ? `${node.id}\n` : "")).join("");
  await writeOrRemove(join(folder, TAB_ORDER), text(flow) === text(natural) ? undefined : text(flow));
}

/** The path of a flow file. */
export const flowPath = (folder: string, name: string) => join(folder, `${name}.json`);

/**
 * Names the file of each tab of a flow: the one that it stands in, or for a new tab one named after its label.
 * `isTaken` holds names that a new tab can't have, beside those in use.
 */
export function fileNamer(
  flow: readonly FlowNode[],
  files: FlowFiles,
  isTaken = (_name: string) => false,
): (tab: FlowNode) => string {
  const known = filesByTab(files);
  const used = new Set(flow.flatMap((node) => known.get(node.id) ?? []));
  return (tab) => {
    const name = known.get(tab.id) ?? newFileName(tab.label ?? "", (name) => used.has(name) || isTaken(name));
    used.add(name);
    return name;
  };
}

export class FlowFolder implements FlowStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(): Promise<FlowNode[]> {
    return orderTabs(mergeFiles(await readFlowFiles(this.#folder)), await readTabOrder(this.#folder));
  }

  /** Writes the files that have changed. Shared nodes that no tab needs stay in the file that they stood in. */
  async save(flow: FlowNode[]): Promise<void> {
    const before = await readFlowFiles(this.#folder);
    const homeOf = (id: string, files: FlowFiles) =>
      [...before].find(([name, nodes]) => files.has(name) && nodes.some((node) => node.id === id))?.[0] ??
      [...files.keys()].sort()[0];
    const files = splitFlow(withFormerFrames(flow, mergeFiles(before)), fileNamer(flow, before), homeOf);
    for (const name of new Set([...before.keys(), ...files.keys()])) {
      const nodes = files.get(name);
      await writeOrRemove(flowPath(this.#folder, name), nodes && formatFlow(nodes));
    }
    await writeTabOrder(this.#folder, flow, mergeFiles(await readFlowFiles(this.#folder)));
  }
}

/**
 * Leaves the frames of groups as they were, unless something in them was moved: the editor works them out from the fonts
 * that it finds, so they differ from one machine to the next.
 */
function withFormerFrames(flow: readonly FlowNode[], before: readonly FlowNode[]): FlowNode[] {
  const former = new Map(before.map((node) => [node.id, node]));
  const present = new Map(flow.map((node) => [node.id, node]));
  const stays = (id: string): boolean => {
    const [old, now] = [former.get(id), present.get(id)];
    if (now?.type !== "group") return old?.x === now?.x && old?.y === now?.y;
    const members = now.nodes as string[];
    return String(old?.nodes) === String(members) && members.every(stays);
  };
  return flow.map((node) => {
    if (node.type !== "group" || !stays(node.id)) return node;
    const { x, y, w, h } = former.get(node.id) ?? node;
    return { ...node, x, y, w, h };
  });
}
