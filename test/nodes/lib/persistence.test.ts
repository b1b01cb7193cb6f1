import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileStore, Persistence, type SavedEntry, type ShardStore, shardOf } from "../../../nodes/lib/persistence.ts";

/** A node's table of states, and its persistence. */
class Keeper {
  readonly states = new Map<string, unknown>();
  readonly persistence: Persistence;
  readonly failures: string[] = [];
  readonly versions = new Set<number>();

  constructor(store: ShardStore, kind = "counter", version = 1) {
    this.persistence = new Persistence(store, kind, version, (deviceId) => [deviceId, 7, this.states.get(deviceId)]);
  }

  set(deviceId: string, state: unknown): void {
    this.states.set(deviceId, state);
    this.persistence.touch(this.persistence.add(deviceId));
  }

  delete(deviceId: string): void {
    this.states.delete(deviceId);
    this.persistence.delete(deviceId);
  }

  save(): Promise<void> {
    return this.persistence.save();
  }

  async restore(): Promise<this> {
    const take = ([deviceId, lastSeen, state]: SavedEntry, version: number) => {
      assert.equal(lastSeen, 7);
      this.versions.add(version);
      this.set(deviceId, state);
    };
    await this.persistence.restore(take, ({ message }) => this.failures.push(message));
    return this;
  }
}

/** A store in memory that counts what is written, and fails when it is told to. */
class MemoryStore implements ShardStore {
  readonly shards = new Map<number, string>();
  readonly written: number[] = [];
  failure: Error | undefined;

  async *read(): AsyncGenerator<string> {
    yield* this.shards.values();
  }

  async write(shard: number, text: string): Promise<void> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
    this.written.push(shard);
    this.shards.set(shard, text);
  }
}

const NAMES = ["R1", "__proto__", "constructor", "a/b+c#", "", "line\nbreak", "泵 7", "\ud83d"];

describe("Persistence", () => {
  it("gives back every device with its state and the version that wrote it", async () => {
    const store = new MemoryStore();
    const first = new Keeper(store, "counter", 3);
    for (const name of NAMES) first.set(name, { of: name, values: [1.1, -0.3] });
    await first.save();
    const second = await new Keeper(store, "counter", 4).restore();
    assert.deepEqual(new Map([...second.states].sort()), new Map([...first.states].sort()));
    assert.deepEqual([...second.versions], [3]);
    assert.deepEqual(second.failures, []);
  });

  it("writes only what has changed", async () => {
    const store = new MemoryStore();
    const keeper = new Keeper(store);
    for (let i = 0; i < 1000; i++) keeper.set(`R${i}`, i);
    await keeper.save();
    assert.equal(store.written.length, store.shards.size);
    store.written.length = 0;
    await keeper.save();
    assert.deepEqual(store.written, []);
    keeper.set("R7", "new");
    await keeper.save();
    assert.deepEqual(store.written, [shardOf("R7")]);
    store.written.length = 0;
    await (await new Keeper(store).restore()).save();
    assert.deepEqual(store.written, [], "what was just restored has not changed");
  });

  it("spreads devices evenly, so that one that changed does not write many others", () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 6400; i++) counts.set(shardOf(`R${i}`), (counts.get(shardOf(`R${i}`)) ?? 0) + 1);
    assert.equal(counts.size, 64);
    assert.ok(Math.max(...counts.values()) < 200);
  });

  it("keeps no device that was deleted", async () => {
    const store = new MemoryStore();
    const keeper = new Keeper(store);
    for (const name of NAMES) keeper.set(name, 1);
    await keeper.save();
    for (const name of NAMES) keeper.delete(name);
    keeper.delete("unknown");
    await keeper.save();
    assert.equal((await new Keeper(store).restore()).states.size, 0);
  });

  it("tells of a shard that cannot be written, writes the others, and tries again", async () => {
    const store = new MemoryStore();
    const keeper = new Keeper(store);
    for (const name of NAMES) keeper.set(name, 1);
    store.failure = new Error("disk full");
    await assert.rejects(keeper.save(), { message: "disk full" });
    store.failure = undefined;
    await keeper.save();
    assert.equal((await new Keeper(store).restore()).states.size, NAMES.length);
  });

  it("saves what changed during a save with the next one, whether that one failed or not", async () => {
    for (const failure of [undefined, new Error("disk full")]) {
      const store = new MemoryStore();
      store.failure = failure;
      const keeper = new Keeper(store);
      keeper.set("R1", "old");
      const running = keeper.save().catch(({ message }) => message);
      keeper.set("R1", "new");
      keeper.set("R2", "new");
      const next = keeper.save();
      assert.equal(await running, failure?.message);
      store.failure = undefined;
      await next;
      assert.deepEqual(Object.fromEntries((await new Keeper(store).restore()).states), { R1: "new", R2: "new" });
    }
  });

  it("forgets a device that is deleted while its shard is being written", async () => {
    const store = new MemoryStore();
    const keeper = new Keeper(store);
    for (let i = 0; i < 20_000; i++) keeper.set(`R${i}`, "x".repeat(200));
    const running = keeper.save();
    for (let i = 0; i < 20_000; i++) if (i !== 5) keeper.delete(`R${i}`);
    await running;
    await keeper.save();
    assert.deepEqual([...(await new Keeper(store).restore()).states.keys()], ["R5"]);
  });
});

describe("the state in files", () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), "device-analytics-")), "state", "node");
  });
  afterEach(() => rmSync(join(folder, "..", ".."), { recursive: true }));

  const fileOf = (deviceId: string) => join(folder, `${String(shardOf(deviceId)).padStart(2, "0")}.jsonl`);

  /** Saves two devices of one shard and one of another, and gives their names. */
  async function saved(): Promise<[string, string, string]> {
    const keeper = new Keeper(new FileStore(folder));
    const beside =
      Array.from({ length: 1000 }, (_, i) => `S${i}`).find((name) => shardOf(name) === shardOf("R1")) ?? "";
    for (const name of ["R1", beside, "R2"]) keeper.set(name, { of: name });
    assert.notEqual(shardOf("R1"), shardOf("R2"));
    await keeper.save();
    return ["R1", beside, "R2"];
  }

  /** What a restart finds, and what it complains of. */
  async function found() {
    const { states, failures } = await new Keeper(new FileStore(folder)).restore();
    return { devices: [...states.keys()].sort(), failures };
  }

  it("is there again, and none is there at first", async () => {
    assert.deepEqual(await found(), { devices: [], failures: [] });
    const names = await saved();
    assert.deepEqual(await found(), { devices: names.sort(), failures: [] });
  });

  it("is written beside the old one first, and what a crash left of that is ignored", async () => {
    const names = await saved();
    assert.ok(readdirSync(folder).every((name) => /^\d\d\.jsonl$/.test(name)));
    writeFileSync(`${fileOf("R1")}.part`, '{"kind":"counter","version":1}\n["R9",');
    assert.deepEqual(await found(), { devices: names.sort(), failures: [] });
  });

  const damages: [string, (text: string) => string, RegExp][] = [
    ["a torn line", (text) => text.slice(0, -10), /JSON/],
    ["a line of another shape", (text) => text.replace(/\n.*\n$/, '\n{"R1":1}\n'), /record is damaged/],
    ["a line without a time", (text) => text.replace(/\n.*\n$/, '\n["R1",null,{}]\n'), /record is damaged/],
  ];
  for (const [what, damage, reason] of damages) {
    it(`loses no other device by ${what}`, async () => {
      const [first, second, other] = await saved();
      writeFileSync(fileOf(first), damage(readFileSync(fileOf(first), "utf8")));
      const { devices, failures } = await found();
      assert.deepEqual(devices, [first, other].sort(), `all but ${second}`);
      assert.equal(failures.length, 1);
      assert.match(failures[0] ?? "", reason);
    });
  }

  const strange: [string, string, RegExp][] = [
    ["is empty", "", /damaged/],
    ["has no header", '["R1",7,{}]\n', /not of a counter/],
    ["has a header that is null", 'null\n["R1",7,{}]\n', /damaged/],
    ["is of another kind of node", '{"kind":"other","version":1}\n["R1",7,{}]\n', /not of a counter/],
    [
      "is of a later version",
      '{"kind":"counter","version":2}\n["R1",7,{}]\n',
      /version 2, which this node does not know/,
    ],
    ["is of no version", '{"kind":"counter"}\n["R1",7,{}]\n', /version undefined/],
    ["is of a version that never was", '{"kind":"counter","version":0}\n["R1",7,{}]\n', /version 0/],
    ["is not text", "\u0000\u0001\ufffd", /damaged/],
  ];
  for (const [what, text, reason] of strange) {
    it(`leaves out a file that ${what}, and that alone`, async () => {
      const [first, , other] = await saved();
      writeFileSync(fileOf(first), text);
      const { devices, failures } = await found();
      assert.deepEqual(devices, [other]);
      assert.equal(failures.length, 1);
      assert.match(failures[0] ?? "", reason);
    });
  }

  it("leaves out a file that cannot be read, and that alone", async () => {
    const [first, , other] = await saved();
    rmSync(fileOf(first));
    mkdirSync(fileOf(first));
    const { devices, failures } = await found();
    assert.deepEqual(devices, [other]);
    assert.match(failures[0] ?? "", /EISDIR/);
  });

  it("leaves out a record that the node itself cannot use, and that alone", async () => {
    const names = await saved();
    const failures: string[] = [];
    const restored: string[] = [];
    await new Persistence(new FileStore(folder), "counter", 1, () => ["", 0, null]).restore(
      ([deviceId]) => {
        if (deviceId === "R1") throw new TypeError("no such metric");
        restored.push(deviceId);
      },
      ({ message }) => failures.push(message),
    );
    assert.deepEqual(failures, ["no such metric"]);
    assert.deepEqual(restored.sort(), names.slice(1).sort());
  });

  it("is an error when its folder cannot be read at all", async () => {
    mkdirSync(join(folder, ".."), { recursive: true });
    writeFileSync(folder, "");
    const keeper = new Keeper(new FileStore(folder));
    await assert.rejects(keeper.restore(), { code: "ENOTDIR" });
    keeper.set("R1", 1);
    await assert.rejects(keeper.save(), /EEXIST|ENOTDIR/);
  });
});
