/** The disk of the spool is full or damaged, or the store refuses a point: what is lost is counted, to the reading. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../core/random.ts";
import { RAW_POLICY } from "../../nodes/historian/influx-policies.ts";
import { embeddedStore, influxStore, type TestStore } from "../nodes/historian-write/stores.ts";
import { newFolder } from "../support/folders.ts";
import { type Influxd, startInfluxd } from "../support/influxd.ts";
import { freePort } from "../support/ports.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { engineOf, loadOn, newProducer, until } from "./load.ts";

/** Size of the disk, bytes: some thousand readings. */
const DISK = 2 ** 19;

/** Readings that the store refuses. */
const ODD = 10;

/** Where a store would be that is away. */
const nowhere = async () => influxStore({ url: `http://127.0.0.1:${await freePort()}` } as Influxd);

describe("historian-write on a full disk", function () {
  this.timeout(90_000);

  it("refuses new readings, and has all that it acknowledged once the store is back", async () => {
    using disk = mountSmallDisk(DISK);
    await using influxd = await startInfluxd();
    await influxd.stop();
    const spoolFolder = join(disk.folder, "spool");
    await using load = await loadOn(influxStore(influxd), { spoolFolder, whenFull: "refuse" });
    await until(() => load.refused > 5);
    assert.match(load.node.reasons().at(-1) ?? "", /the disk of .* is full/);
    const { acknowledged } = load.producer;
    await influxd.start();
    await until(() => load.producer.acknowledged > acknowledged + 5000);
    assert.equal(await load.missingInTheEnd(), 0);
    assert.equal(load.figures.dropped, 0);
  });

  it("drops the oldest readings, and has all others once the store is back", async () => {
    using disk = mountSmallDisk(DISK);
    await using influxd = await startInfluxd();
    await influxd.stop();
    const spoolFolder = join(disk.folder, "spool");
    const limits = { spoolFolder, whenFull: "drop-oldest", spoolLimitMegabytes: "4" };
    await using load = await loadOn(influxStore(influxd), limits);
    await until(() => load.figures.dropped > 0);
    await influxd.start();
    const missing = await load.missingInTheEnd();
    assert.equal(missing, load.figures.dropped);
    assert.equal(load.refused, 0);
  });
});

describe("historian-write with a spool that was damaged between two runs", function () {
  this.timeout(90_000);
  let store: TestStore;
  let spoolFolder: string;

  const producer = newProducer();
  const whole = newFolder();

  before(async () => {
    spoolFolder = whole;
    await using load = await loadOn(await nowhere(), { spoolFolder, spoolLimitMegabytes: "4" }, producer);
    await until(() => segments().length >= 2);
    await load.finish();
  });
  beforeEach(() => {
    store = embeddedStore();
    spoolFolder = newFolder();
    cpSync(whole, spoolFolder, { recursive: true });
  });

  const segments = () =>
    readdirSync(spoolFolder)
      .filter((name) => name.endsWith(".segment"))
      .sort()
      .map((name) => join(spoolFolder, name));
  const edit = (path: string, change: (bytes: Buffer) => void) => {
    const bytes = readFileSync(path);
    change(bytes);
    writeFileSync(path, bytes);
  };
  const flip = (bytes: Buffer, place: number) => bytes.writeUInt8((bytes[place] ?? 0) ^ 4, place);
  const [first, last] = [() => segments()[0] ?? "", () => segments().at(-1) ?? ""];
  const random = new Random(7);
  const middleOf = (path: string) => Math.floor(statSync(path).size * (0.2 + 0.6 * random.next()));

  const kinds: [what: string, damage: () => void, losesAny: boolean][] = [
    ["nothing", () => undefined, false],
    ["a flipped bit", () => edit(first(), (bytes) => flip(bytes, middleOf(first()))), true],
    ["a zeroed part", () => edit(first(), (bytes) => bytes.fill(0, 50_000, 100_000)), true],
    ["a zeroed file", () => edit(first(), (bytes) => bytes.fill(0)), true],
    ["a torn end", () => truncateSync(last(), middleOf(last())), true],
    ["an emptied file", () => truncateSync(first(), 0), true],
    ["a missing file", () => rmSync(first()), true],
    ["no record of what is acknowledged", () => rmSync(join(spoolFolder, "acknowledged")), false],
    ["a damaged record of what is acknowledged", () => writeFileSync(join(spoolFolder, "acknowledged"), "%!"), false],
  ];
  for (const [what, damage, losesAny] of kinds) {
    it(`has lost and counted no more than what was hit: ${what}`, async () => {
      damage();
      await using load = await loadOn(store, { spoolFolder }, producer);
      const missing = await load.missingInTheEnd();
      assert.equal(missing, load.figures.damaged, `of ${producer.acknowledged}`);
      assert.equal(missing > 0, losesAny);
    });
  }
});

describe("historian-write with points that the store refuses among thousands", function () {
  this.timeout(90_000);

  for (const engine of ["embedded", "influxdb"]) {
    it(`stores all the others, and gives each of these once, with the engine ${engine}`, async () => {
      await using influxd = engine === "influxdb" ? await startInfluxd() : undefined;
      const store = influxd ? influxStore(influxd) : embeddedStore();
      await using load = await loadOn(store, { batchSize: "5000", flushSeconds: "1" });
      await until(() => load.figures.written > 0);
      const text = `readings,device=text odd="text" ${Date.now()}\n`;
      if (influxd) await influxd.write(text, "plant", RAW_POLICY);
      else {
        const writer = engineOf(store);
        await writer.write(Buffer.from(text));
        await writer.close();
      }
      const random = new Random(11);
      for (let sent = 0; sent < ODD; sent++) {
        await until(() => load.producer.acknowledged > sent * 500 + 500 * random.next());
        load.send({ deviceId: "odd", timestamp: Date.now() + sent, metrics: { odd: sent } });
      }
      assert.equal(await load.missingInTheEnd(), 0);
      const letters = load.node.output(2).map(({ payload }) => payload as { payload: { fields: { odd: number } } });
      assert.deepEqual(
        letters.map(({ payload }) => payload.fields.odd),
        Array.from({ length: ODD }, (_, index) => index),
      );
      assert.equal(load.figures.refused, ODD);
      assert.equal(await load.count("odd"), 0);
    });
  }
});
