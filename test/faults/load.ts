/** A historian-write in this process that takes numbered readings, some thousand a second. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Reading } from "../../core/types.ts";
import type { Engine } from "../../nodes/historian/engine.ts";
import historian from "../../nodes/historian/historian.ts";
import { openEngine } from "../../nodes/historian/open-engine.ts";
import historianWrite from "../../nodes/historian-write/historian-write.ts";
import type { TestStore } from "../nodes/historian-write/stores.ts";
import { newFolder } from "../support/folders.ts";
import { startNode, type TestNode } from "../support/test-flow.ts";
import { type NumberedMessage, Producer } from "./numbered.ts";

/** Messages that wait for their acknowledgement at a time. */
const WINDOW = 10;

/** So many are made at once, and then none for a while, ms: 5000 readings a second, which any machine stands. */
const AT_ONCE = 2;
const PAUSE = 20;

export interface Figures {
  added: number;
  written: number;
  refused: number;
  dropped: number;
  damaged: number;
  spooled: number;
}

export interface Load extends AsyncDisposable {
  readonly producer: Producer;
  readonly figures: Figures;
  readonly node: TestNode;
  /** Messages that were refused, and are sent again. */
  readonly refused: number;
  /** Sends one reading beside the load. */
  send(reading: Reading): void;
  /** Instants of a device in the store; 0 if it does not answer. */
  count(device: string): Promise<number>;
  /** Makes no new messages, and waits until all are acknowledged. */
  finish(): Promise<void>;
  /** Finishes, waits until the spool is empty, and compares the store with what was acknowledged. */
  missingInTheEnd(): Promise<number>;
}

/** Waits until something is the case. */
export async function until(isTrue: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !(await isTrue()); await delay(20)) {
    assert.ok(performance.now() < end, `not within ${seconds} s: ${isTrue}`);
  }
}

/** An engine with the settings of a store. */
export function engineOf({ settings }: TestStore): Engine {
  return openEngine(settings as unknown as Parameters<typeof openEngine>[0], undefined, "");
}

/** Readings of the day before this hour, and of what follows. */
export function newProducer(): Producer {
  return new Producer(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 86_400_000);
}

/** Starts the node and its load; `await using` ends both. A producer of a former load goes on. */
export async function loadOn(store: TestStore, settings: object = {}, producer = newProducer()): Promise<Load> {
  const node = await startNode(
    historianWrite,
    { type: "historian-write", historian: "store", flushSeconds: "0.1", ...settings },
    {
      definitions: [historian],
      configs: [{ id: "store", type: "historian", ...store.settings }],
      settings: { userDir: newFolder(), runtimeSyncDelivery: false },
    },
  );
  const reader = engineOf(store);
  let isClosed = false;
  let refused = 0;
  let acknowledged = 0;
  let accepted = 0;
  let caught = 0;
  const send = (message: object) => node.send(structuredClone(message));
  /** Sends again what was refused, and what is new. */
  const producing = (async () => {
    for (const message of producer.waiting.values()) send(message);
    while (!isClosed) {
      for (const { id, payload } of node.completed().slice(acknowledged) as unknown as NumberedMessage[]) {
        acknowledged++;
        accepted += Array.isArray(payload) ? payload.length : 1;
        producer.acknowledge(id);
      }
      for (const { id } of node.caught().slice(caught) as unknown as { id: number }[]) {
        caught++;
        const message = producer.waiting.get(id);
        if (!message) continue;
        refused++;
        // One that is refused at once would be sent without an end.
        await delay(1);
        send(message);
      }
      const room = producer.isFinished ? 0 : WINDOW - producer.waiting.size;
      for (let made = 0; made < Math.min(room, AT_ONCE); made++) send(producer.make());
      await delay(PAUSE);
    }
  })();

  const load: Load = {
    producer,
    node,
    get figures() {
      const last = node.output(1).at(-1)?.payload as Figures | undefined;
      return last ?? { added: 0, written: 0, refused: 0, dropped: 0, damaged: 0, spooled: 0 };
    },
    get refused() {
      return refused;
    },
    send: (reading) => send({ id: -1, payload: reading }),
    async count(device) {
      let count = 0;
      const chunks = reader.rows({ measurement: "readings", from: 0, to: 8e15, tags: { device: [device] } });
      try {
        for await (const { times } of chunks) count += times.length;
      } catch {
        return 0;
      }
      return count;
    },
    async finish() {
      producer.isFinished = true;
      await until(() => producer.waiting.size === 0);
    },
    async missingInTheEnd() {
      await load.finish();
      await until(() => {
        const { added, spooled } = load.figures;
        return node.output(1).length > 0 && added === accepted && spooled === 0;
      });
      return await producer.missingIn(reader);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await producing;
      await node.stop();
      await reader.close();
      await store[Symbol.asyncDispose]();
    },
  };
  return load;
}
