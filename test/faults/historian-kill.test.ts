/** Node-RED is killed under load: what historian-write had acknowledged is in the store in the end, and nothing twice. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../core/random.ts";
import { openEngine } from "../../nodes/historian/open-engine.ts";
import { embeddedStore, influxStore, type TestStore } from "../nodes/historian-write/stores.ts";
import { newFolder } from "../support/folders.ts";
import { type Influxd, startInfluxd } from "../support/influxd.ts";
import { type NodeRedProcess, startNodeRedProcess } from "../support/node-red-process.ts";
import { Producer } from "./numbered.ts";

/** How often it is killed; `npm run test:faults` does so more often. */
const KILLS = Number(process.env.HISTORIAN_KILLS ?? 4);

/** Longest life, ms. */
const LIFE = 1500;

/** Messages that wait for their acknowledgement at a time. */
const WINDOW = 20;

interface Figures {
  added: number;
  spooled: number;
}

describe("a Node-RED that is killed under load", function () {
  this.timeout(30_000 + KILLS * 15_000);
  let influxd: Influxd | undefined;

  after(async () => {
    await influxd?.stop();
  });

  for (const [engine, fsync] of [
    ["embedded", "interval"],
    ["influxdb", "always"],
  ] as const) {
    it(`${KILLS} times has lost nothing that was acknowledged, and stored nothing twice, with the engine ${engine}`, async () => {
      if (engine === "influxdb") influxd ??= await startInfluxd();
      const store: TestStore = influxd && engine === "influxdb" ? influxStore(influxd) : embeddedStore();
      const settings = store.settings;
      const seed = Date.now() % 2 ** 31;
      const random = new Random(seed);
      const userDir = newFolder();
      const producer = new Producer(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 86_400_000);
      const start = () =>
        startNodeRedProcess(
          userDir,
          ["historian", "historian-write"],
          [
            { id: "store", type: "historian", ...settings },
            { id: "source", type: "from-test", wires: [["write"]] },
            {
              id: "write",
              type: "historian-write",
              historian: "store",
              flushSeconds: "0.1",
              fsync,
              wires: [["figures"], []],
            },
            { id: "figures", type: "to-test", wires: [] },
            { id: "complete", type: "complete", scope: ["write"], wires: [["done"]] },
            { id: "done", type: "to-test", wires: [] },
          ],
        );
      const acknowledgedPerLife: number[] = [];
      for (let kills = 0; kills < KILLS; kills++) {
        const before = producer.acknowledged;
        const nodeRed = await start();
        const producing = produce(nodeRed, producer, () => true);
        await delay(random.next() * LIFE);
        await nodeRed.stop("SIGKILL");
        await producing;
        acknowledgedPerLife.push(producer.acknowledged - before);
      }
      // The last life is as long as it takes.
      const nodeRed = await start();
      const before = producer.acknowledged;
      await produce(nodeRed, producer, () => false);
      await drained(nodeRed, producer.acknowledged - before);
      await nodeRed.stop();
      const reader = openEngine(settings as unknown as Parameters<typeof openEngine>[0], undefined, "");
      assert.equal(await producer.missingIn(reader), 0, `lost with the seed ${seed}`);
      await reader.close();
      await store[Symbol.asyncDispose]();
      assert.equal(producer.waiting.size, 0);
      const busy = acknowledgedPerLife.filter((count) => count > 0).length;
      assert.ok(busy >= KILLS / 2, `there was little load: ${acknowledgedPerLife}`);
    });
  }
});

/**
 * Sends what is not acknowledged, and new messages as long as they are wanted, until Node-RED ends or all are
 * acknowledged.
 */
async function produce(nodeRed: NodeRedProcess, producer: Producer, wantsMore: () => boolean): Promise<void> {
  nodeRed.send([...producer.waiting.values()]);
  const fill = () => {
    while (wantsMore() && producer.waiting.size < WINDOW) nodeRed.send([producer.make()]);
  };
  fill();
  try {
    for (let count = 1; producer.waiting.size > 0; count++) {
      const message = (await nodeRed.received("done", count))[count - 1] as unknown as { id: number };
      producer.acknowledge(message.id);
      fill();
    }
  } catch (error) {
    if (!/Node-RED has ended|channel closed|EPIPE/i.test(String(error))) throw error;
  }
}

/** Waits until so many readings were added, and nothing is in the spool. */
async function drained(nodeRed: NodeRedProcess, wanted: number): Promise<void> {
  for (let count = 1; ; count++) {
    const message = (await nodeRed.received("figures", count))[count - 1] as unknown as { payload: Figures };
    const { added, spooled } = message.payload;
    if (added >= wanted && spooled === 0) return;
  }
}
