/**
 * The shipped flow files with the user's edits over them: what `npm start` works on.
 *
 * Only what the user changed is kept, in a folder of its own, so that all else follows an upgrade:
 * - `<name>.json` a file whose tabs were changed, whole, and it wins; an empty one stands for tabs that were deleted
 * - `_shared.json` changed configuration nodes and subflows, so that a new broker address leaves the tabs as shipped
 * - `_shipped.json` which shipped version each of these was made from, to tell when an upgrade brings another
 * - `tab-order.txt` the order of the tabs
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { FlowFiles, FlowNode, SharedNodes } from "./flow-files.ts";
import {
  filesByTab,
  formatFlow,
  mergeFiles,
  neededBy,
  newFileName,
  orderTabs,
  pickShared,
  readFlowFile,
  readFlowFiles,
  readJson,
  sharedNodes,
  splitFlow,
  tabNodes,
  writeOrRemove,
} from "./flow-files.ts";
import type { FlowStore } from "./flow-folder.ts";
import { fileNamer, flowPath, readTabOrder, writeTabOrder } from "./flow-folder.ts";

const SHARED = "_shared.json";
const ORIGINS = "_shipped.json";

/** Digests of shipped versions, by the name of the file or the id of the shared node that the user changed. */
type Origins = Record<string, string>;

export class FlowOverlay implements FlowStore {
  readonly #shipped: string;
  readonly #folder: string;
  readonly #notice: (text: string) => void;

  /** `notice` is told, once, when an upgrade brings a new version of something that the user has changed. */
  constructor(shipped: string, folder: string, notice: (text: string) => void) {
    this.#shipped = shipped;
    this.#folder = folder;
    this.#notice = notice;
  }

  async load(): Promise<FlowNode[]> {
    await this.#makeWay();
    await this.#reportUpgrades();
    return orderTabs(await this.#flow(), await readTabOrder(this.#folder));
  }

  async save(flow: FlowNode[]): Promise<void> {
    const { shipped, edited, origins } = await this.#read();
    const kept: Origins = {};
    const keep = (key: string, original: string | undefined) => {
      if (original !== undefined) kept[key] = origins[key] ?? digest(original);
    };

    const fileOf = fileNamer(flow, new Map([...shipped, ...edited]), (name) => shipped.has(name));
    const files = splitFlow(flow, fileOf);
    for (const name of new Set([...shipped.keys(), ...edited.keys(), ...files.keys()])) {
      const nodes = files.get(name) ?? [];
      const original = textOfTabs(shipped.get(name));
      const isChanged = textOfTabs(nodes) !== (original ?? textOfTabs([]));
      if (isChanged) keep(name, original);
      await writeOrRemove(flowPath(this.#folder, name), isChanged ? formatFlow(nodes) : undefined);
    }

    const shared = sharedNodes(flow);
    const original = sharedNodes(mergeFiles(shipped));
    const changed = [...shared.keys()].filter((id) => textOf(shared.get(id)) !== textOf(original.get(id)));
    for (const id of changed) keep(id, textOf(original.get(id)));
    await writeOrRemove(
      join(this.#folder, SHARED),
      changed.length > 0 ? formatFlow(pickShared(shared, changed)) : undefined,
    );

    await this.#writeOrigins(kept);
    await writeTabOrder(this.#folder, flow, await this.#flow());
  }

  /** The flow, its tabs in the order that they are shipped in. */
  async #flow(): Promise<FlowNode[]> {
    const { shipped, edited, shared } = await this.#read();
    const original = sharedNodes(mergeFiles(shipped));
    const all = new Map([...sharedNodes(mergeFiles(edited)), ...original, ...shared]);
    for (const [id, [node]] of shared) {
      if (node?.type === "global-config") all.set(id, [withNewSettings(node, original.get(id)?.[0])]);
    }
    const tabs = tabNodes(mergeFiles(new Map([...shipped, ...edited])));
    const needed = new Set([...neededBy(tabs, all), ...shared.keys()]);
    return orderTabs([...tabs, ...pickShared(all, needed)], await readTabOrder(this.#shipped));
  }

  async #read(): Promise<{ shipped: FlowFiles; edited: FlowFiles; shared: SharedNodes; origins: Origins }> {
    const shared = join(this.#folder, SHARED);
    const origins = join(this.#folder, ORIGINS);
    return {
      shipped: await readFlowFiles(this.#shipped),
      edited: await readFlowFiles(this.#folder),
      shared: existsSync(shared) ? sharedNodes(await readFlowFile(shared)) : new Map(),
      origins: existsSync(origins) ? ((await readJson(origins)) as Origins) : {},
    };
  }

  async #writeOrigins(origins: Origins): Promise<void> {
    const isEmpty = Object.keys(origins).length === 0;
    await writeOrRemove(join(this.#folder, ORIGINS), isEmpty ? undefined : `${JSON.stringify(origins, null, 2)}\n`);
  }

  /** A file of the user's own gives way, under another name, to one that an upgrade ships under the same name. */
  async #makeWay(): Promise<void> {
    const { shipped, edited, origins } = await this.#read();
    const shippedTabs = filesByTab(shipped);
    for (const [name, nodes] of edited) {
      const isEdit =
        origins[name] !== undefined || nodes.length === 0 || nodes.some((node) => shippedTabs.has(node.id));
      if (!shipped.has(name) || isEdit) continue;
      const free = newFileName(name, (other) => shipped.has(other) || edited.has(other));
      await rename(flowPath(this.#folder, name), flowPath(this.#folder, free));
    }
  }

  async #reportUpgrades(): Promise<void> {
    const { shipped, edited, shared, origins } = await this.#read();
    const original = sharedNodes(mergeFiles(shipped));
    const present = { ...origins };
    const compare = (key: string, description: string, text: string | undefined) => {
      if (text === undefined || origins[key] === digest(text)) return;
      this.#notice(`There is a new version of ${description}. Yours is kept, in ${this.#folder}`);
      present[key] = digest(text);
    };
    for (const name of edited.keys()) compare(name, `${name}.json`, textOfTabs(shipped.get(name)));
    for (const [id, [node]] of shared) {
      if (node?.type !== "global-config") compare(id, `${node?.name || id} (${node?.type})`, textOf(original.get(id)));
    }
    await this.#writeOrigins(present);
  }
}

/** The user's settings for all flows, and those that have been shipped since. */
function withNewSettings(mine: FlowNode, shipped: FlowNode | undefined): FlowNode {
  const variables = (node: FlowNode | undefined) => (node?.env ?? []) as { name: string }[];
  const names = new Set(variables(mine).map((variable) => variable.name));
  return {
    ...mine,
    env: [...variables(mine), ...variables(shipped).filter((variable) => !names.has(variable.name))],
    modules: { ...(mine.modules as object), ...(shipped?.modules as object) },
  };
}

const textOf = (nodes: FlowNode[] | undefined) => nodes && formatFlow(nodes);

/** Without the frames of groups, which the editor works out from the fonts that it finds. */
const textOfTabs = (nodes: FlowNode[] | undefined) => nodes && formatFlow(tabNodes(nodes).map(withoutFrame));

function withoutFrame(node: FlowNode): FlowNode {
  if (node.type !== "group") return node;
  const { x: _x, y: _y, w: _w, h: _h, ...group } = node;
  return group as FlowNode;
}

const digest = (text: string) => createHash("sha256").update(text).digest("hex");
