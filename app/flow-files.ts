/** Flow files: one importable file a concern, made from and merged into the single flow that Node-RED works with. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A node, tab, group, subflow or configuration node as Node-RED stores it. */
export interface FlowNode {
  id: string;
  type: string;
  /** The tab or subflow that it stands in; configuration nodes for all tabs have none. */
  z?: string;
  label?: string;
  [property: string]: unknown;
}

/** Flow files by name, without `.json`. */
export type FlowFiles = Map<string, FlowNode[]>;

/** What several tabs can share, by id: a configuration node alone, or a subflow with its nodes. */
export type SharedNodes = Map<string, FlowNode[]>;

const FIRST_PROPERTIES = ["id", "type", "z", "g", "d", "label", "name"];
const LAST_PROPERTIES = ["x", "y", "w", "h", "wires"];
const SECTIONS = ["tab", "group", "junction"];

/** Reads a folder's flow files, in the order of their names; none when there is no such folder. Throws on a broken file. */
export async function readFlowFiles(folder: string): Promise<FlowFiles> {
  const files: FlowFiles = new Map();
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names.filter((name) => /^[^_.].*\.json$/.test(name)).sort()) {
    files.set(name.slice(0, -".json".length), await readFlowFile(join(folder, name)));
  }
  return files;
}

/** Reads one flow file. Throws when it holds no flow. */
export async function readFlowFile(path: string): Promise<FlowNode[]> {
  const flow = await readJson(path);
  const isNode = (node: Partial<FlowNode> | null) => typeof node?.id === "string" && typeof node.type === "string";
  if (!Array.isArray(flow) || !flow.every(isNode))
    throw new Error(`${path} is not a flow: it must be an array of nodes`);
  return flow;
}

/** Reads a JSON file. Throws an error that names it. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The text of a flow file, nodes in the given order: the same flow always gives the same text, whoever made it. */
export function formatFlow(flow: readonly FlowNode[]): string {
  return `${JSON.stringify(flow.map(orderProperties), null, 2)}\n`;
}

function orderProperties(node: FlowNode): FlowNode {
  const rank = (property: string) => {
    const last = LAST_PROPERTIES.indexOf(property);
    return last < 0 ? rankIn(FIRST_PROPERTIES, property) : FIRST_PROPERTIES.length + 1 + last;
  };
  const byRank = (a: string, b: string) => rank(a) - rank(b) || (a < b ? -1 : 1);
  const ordered = Object.keys(node).sort(byRank);
  return Object.fromEntries(ordered.map((property) => [property, node[property]])) as FlowNode;
}

/** The position in a list; what it does not name comes after all that it names. */
function rankIn(list: readonly string[], item: string): number {
  const position = list.indexOf(item);
  return position < 0 ? list.length : position;
}

/** Writes a file so that a crash leaves the old or the new one whole; a file that has this text already is left alone. */
export async function writeText(path: string, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text, { flush: true });
  await rename(`${path}.new`, path);
}

/** Writes a text, or removes its file when there is none. */
export async function writeOrRemove(path: string, text: string | undefined): Promise<void> {
  if (text === undefined) await rm(path, { force: true });
  else await writeText(path, text);
}

/** The nodes that stand outside of tabs. */
export function sharedNodes(flow: readonly FlowNode[]): SharedNodes {
  const tabs = new Set(flow.filter((node) => node.type === "tab").map((tab) => tab.id));
  const subflows = new Set(flow.filter((node) => node.type === "subflow").map((subflow) => subflow.id));
  const shared: SharedNodes = new Map();
  for (const node of flow) {
    if (node.type === "tab" || (node.z && tabs.has(node.z))) continue;
    const owner = node.z && subflows.has(node.z) ? node.z : node.id;
    shared.set(owner, [...(shared.get(owner) ?? []), node]);
  }
  return shared;
}

/** The tabs of a flow and what stands in them: tabs first, then groups, then nodes. */
export function tabNodes(flow: readonly FlowNode[]): FlowNode[] {
  const tabs = flow.filter((node) => node.type === "tab").map((tab) => tab.id);
  const tab = (node: FlowNode) => rankIn(tabs, node.type === "tab" ? node.id : (node.z ?? ""));
  const section = (node: FlowNode) => rankIn(SECTIONS, node.type);
  return flow.filter((node) => tab(node) < tabs.length).sort((a, b) => section(a) - section(b) || tab(a) - tab(b));
}

/** Ids of the shared nodes that these nodes need, directly or through one another, of the settings for all flows and, for pages, of the dashboard. */
export function neededBy(nodes: readonly FlowNode[], shared: SharedNodes): Set<string> {
  const needed = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value === "string") {
      const id = value.replace(/^subflow:/, "");
      const found = shared.get(id);
      if (!found || needed.has(id)) return;
      needed.add(id);
      visit(found);
    } else if (value !== null && typeof value === "object") {
      for (const inner of Object.values(value)) visit(inner);
    }
  };
  visit(nodes);
  for (const [id, nodes] of shared) if (nodes[0]?.type === "global-config") visit(id);
  // The theme and sizes of a dashboard are referred to by nothing, but go with its pages.
  const hasPages = [...needed].some((id) => shared.get(id)?.[0]?.type === "ui_tab");
  for (const [id, nodes] of shared) if (hasPages && nodes[0]?.type === "ui_base") visit(id);
  return needed;
}

/** Shared nodes in an order of their own, whatever the order that they were found in: subflows first, then by type. */
export function pickShared(shared: SharedNodes, ids: Iterable<string>): FlowNode[] {
  const key = ([node]: FlowNode[]) => `${node?.type === "subflow" ? 0 : 1} ${node?.type} ${node?.id}`;
  const picked = [...ids].map((id) => shared.get(id) ?? []);
  return picked.sort((a, b) => (key(a) < key(b) ? -1 : 1)).flat();
}

/**
 * Splits a flow into its files. `fileOf` names the file of a tab, and `homeOf` that of shared nodes which no tab needs;
 * without a home these are left out.
 */
export function splitFlow(
  flow: readonly FlowNode[],
  fileOf: (tab: FlowNode) => string,
  homeOf: (id: string, files: FlowFiles) => string | undefined = () => undefined,
): FlowFiles {
  const shared = sharedNodes(flow);
  const fileOfTab = new Map(flow.filter((node) => node.type === "tab").map((tab) => [tab.id, fileOf(tab)]));
  const files: FlowFiles = new Map();
  for (const name of new Set(fileOfTab.values())) {
    const isHere = (node: FlowNode) => fileOfTab.get(node.type === "tab" ? node.id : (node.z ?? "")) === name;
    files.set(name, tabNodes(flow.filter(isHere)));
  }
  const needs = new Map([...files].map(([name, nodes]) => [name, neededBy(nodes, shared)]));
  const needed = new Set([...needs.values()].flatMap((ids) => [...ids]));
  for (const id of shared.keys()) {
    if (!needed.has(id)) needs.get(homeOf(id, files) ?? "")?.add(id);
  }
  for (const [name, nodes] of files) nodes.push(...pickShared(shared, needs.get(name) ?? []));
  return files;
}

/** The flow that these files hold together: what stands in several of them is taken from the first. */
export function mergeFiles(files: FlowFiles): FlowNode[] {
  const nodes = new Map<string, FlowNode>();
  for (const node of [...files.values()].flat()) if (!nodes.has(node.id)) nodes.set(node.id, node);
  return [...nodes.values()];
}

/** Which file each tab stands in. */
export function filesByTab(files: FlowFiles): Map<string, string> {
  const tabs = [...files].flatMap(([name, nodes]) =>
    nodes.filter((node) => node.type === "tab").map((tab) => [tab.id, name] as const),
  );
  return new Map(tabs);
}

/** A file name for a new tab, made from its label, that is not taken yet. */
export function newFileName(label: string, isTaken: (name: string) => boolean): string {
  const plain = label.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.match(/[a-z0-9]+/g) ?? ["flow"];
  const slug = words.join("-").slice(0, 60);
  for (let number = 1; ; number++) {
    const name = number === 1 ? slug : `${slug}-${number}`;
    if (!isTaken(name)) return name;
  }
}

/** Puts the tabs of a flow into this order of ids; tabs that it does not name follow. */
export function orderTabs(flow: readonly FlowNode[], order: readonly string[]): FlowNode[] {
  const tabs = flow.filter((node) => node.type === "tab").sort((a, b) => rankIn(order, a.id) - rankIn(order, b.id));
  return [...tabs, ...flow.filter((node) => node.type !== "tab")];
}
