/** Keeps the state of a node's devices where a restart finds it: in files of our own, or in a context store. */
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Where shards of text are kept. */
export interface ShardStore {
  /** All shards that were ever written, one after another. One that cannot be read gives the Error in place of its text. */
  read(): AsyncIterable<string | Error>;
  write(shard: number, text: string): Promise<void>;
}

/** One record: a device, when it was last seen, and its state as plain JSON. */
export type SavedEntry = [deviceId: string, lastSeen: number, state: unknown];

/**
 * Devices share this many files, of which only those with changes are written: few enough that a thousand devices do not
 * make a thousand files, many enough that one changed device does not write ten thousand.
 */
const SHARDS = 64;

/** Longest time that saving and restoring work without letting other work of the event loop through, ms. */
const SLICE = 2;

/** Which shard a device belongs to: FNV-1a over its name. */
export function shardOf(deviceId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < deviceId.length; i++) hash = Math.imul(hash ^ deviceId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

/**
 * Saves the shards that have changed since they were last saved, and restores them all.
 *
 * The text of a shard is a line for its kind and version, then a line a device. It is made in slices of a few
 * milliseconds, so that ten thousand devices never hold up the event loop.
 */
export class Persistence {
  readonly #store: ShardStore;
  readonly #kind: string;
  readonly #version: number;
  readonly #members: Set<string>[] = Array.from({ length: SHARDS }, () => new Set());
  /** By shard, 1 if it is to be written: every reading sets one. */
  readonly #changed = new Uint8Array(SHARDS);
  readonly #save: (deviceId: string) => SavedEntry;
  #running: Promise<void> | undefined;

  /** `kind` names the node's type, `version` the form of its states; `save` gives the present record of a device. */
  constructor(store: ShardStore, kind: string, version: number, save: (deviceId: string) => SavedEntry) {
    this.#store = store;
    this.#kind = kind;
    this.#version = version;
    this.#save = save;
  }

  /** Takes a device in and gives its shard, with which `touch` is told of changes at no cost. */
  add(deviceId: string): number {
    const shard = shardOf(deviceId);
    this.#members[shard]?.add(deviceId);
    this.touch(shard);
    return shard;
  }

  delete(deviceId: string): void {
    const shard = shardOf(deviceId);
    if (this.#members[shard]?.delete(deviceId)) this.touch(shard);
  }

  touch(shard: number): void {
    this.#changed[shard] = 1;
  }

  /** Writes all that has changed. A shard that cannot be written stays changed; the first error is thrown at the end. */
  async save(): Promise<void> {
    // Whoever asked for the save that runs now is told how that ends.
    while (this.#running) await this.#running.catch(() => {});
    this.#running = this.#saveChanged().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #saveChanged(): Promise<void> {
    let failure: unknown;
    for (const [shard, isChanged] of this.#changed.slice().entries()) {
      if (!isChanged) continue;
      this.#changed[shard] = 0;
      try {
        await this.#store.write(shard, await this.#textOf(shard));
      } catch (error) {
        this.touch(shard);
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #textOf(shard: number): Promise<string> {
    const lines = [JSON.stringify({ kind: this.#kind, version: this.#version })];
    let sliceEnd = performance.now() + SLICE;
    for (const deviceId of this.#members[shard] ?? []) {
      if (performance.now() > sliceEnd) {
        await nextTurn();
        sliceEnd = performance.now() + SLICE;
        // A device may have been forgotten meanwhile.
        if (!this.#members[shard]?.has(deviceId)) continue;
      }
      lines.push(JSON.stringify(this.#save(deviceId)));
    }
    // Saving many small shards in a row must not hold up the loop either.
    await nextTurn();
    return `${lines.join("\n")}\n`;
  }

  /**
   * Gives each saved record to `restore` with the version it was written by. What cannot be read or restored goes to
   * `fail` and is left out. Takes no device in: that is left to `restore`.
   */
  async restore(restore: (entry: SavedEntry, version: number) => void, fail: (error: Error) => void): Promise<void> {
    let sliceEnd = performance.now() + SLICE;
    for await (const text of this.#store.read()) {
      if (text instanceof Error) {
        fail(text);
        continue;
      }
      const [header = "", ...lines] = text.split("\n");
      const version = this.#versionOf(header, fail);
      if (version === undefined) continue;
      for (const line of lines) {
        if (line === "") continue;
        try {
          restore(parseEntry(line), version);
        } catch (error) {
          fail(error instanceof Error ? error : new Error(String(error)));
        }
        if (performance.now() > sliceEnd) {
          await nextTurn();
          sliceEnd = performance.now() + SLICE;
        }
      }
    }
    this.#changed.fill(0);
  }

  #versionOf(header: string, fail: (error: Error) => void): number | undefined {
    try {
      const { kind, version } = JSON.parse(header);
      if (kind !== this.#kind) fail(new Error(`the saved state is not of a ${this.#kind}`));
      else if (Number.isInteger(version) && version >= 1 && version <= this.#version) return version;
      else fail(new Error(`the saved state is of version ${version}, which this node does not know`));
    } catch {
      fail(new Error("the saved state is damaged"));
    }
    return undefined;
  }
}

function parseEntry(line: string): SavedEntry {
  const entry: unknown = JSON.parse(line);
  if (Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1])) return entry as SavedEntry;
  throw new Error("a saved record is damaged");
}

/** Writes a file beside the old one and puts it in its place, so that a crash leaves one of them. Makes the folder. */
export async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, name);
  const part = `${file}.part`;
  const handle = await open(part, "w");
  try {
    await handle.writeFile(text);
    // Otherwise a power cut could leave the new name with nothing in it.
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(part, file);
}

/** Shards as files of one folder. */
export class FileStore implements ShardStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async *read(): AsyncGenerator<string | Error> {
    const names = await readdir(this.#folder).catch((error) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names.filter((name) => name.endsWith(".jsonl"))) {
      yield await readFile(join(this.#folder, name), "utf8").catch((error: Error) => error);
    }
  }

  async write(shard: number, text: string): Promise<void> {
    await writeWhole(this.#folder, `${String(shard).padStart(2, "0")}.jsonl`, text);
  }
}

/** The part of Node-RED's context that is used. */
export interface Context {
  get(keys: string[], store: string, done: (error: Error | null | undefined, ...values: unknown[]) => void): void;
  set(key: string, value: unknown, store: string, done: (error?: Error | null) => void): void;
}

/** Shards as values of a node's context, in a store that the settings name. */
export class ContextStore implements ShardStore {
  readonly #context: Context;
  readonly #name: string;

  constructor(context: Context, name: string) {
    this.#context = context;
    this.#name = name;
  }

  async *read(): AsyncGenerator<string> {
    const values = await new Promise<unknown[]>((resolve, reject) => {
      const keys = Array.from({ length: SHARDS }, (_, shard) => keyOf(shard));
      this.#context.get(keys, this.#name, (error, ...values) => (error ? reject(error) : resolve(values)));
    });
    for (const value of values) if (typeof value === "string") yield value;
  }

  write(shard: number, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#context.set(keyOf(shard), text, this.#name, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function keyOf(shard: number): string {
  return `devices${shard}`;
}
