/** Readings that are counted exactly: each has a device and a number, and is sent until somebody has acknowledged it. */
import { strict as assert } from "node:assert";
import type { Reading } from "../../core/types.ts";
import type { Engine } from "../../nodes/historian/engine.ts";

/** Readings of a message. */
const SIZE = 50;

const DEVICES = 20;

/** Numbers of a device are so far from each other in time, ms. */
const DISTANCE = 1000;

export interface NumberedMessage {
  id: number;
  payload: Reading[];
}

/** Makes messages and keeps each until it is acknowledged. */
export class Producer {
  /** Makes no new ones. */
  isFinished = false;
  /** Those that are not acknowledged, by id. */
  readonly waiting = new Map<number, NumberedMessage>();
  readonly #start: number;
  #next = 0;
  #acknowledged = 0;

  /** `start`: time of the first readings, ms since 1970. */
  constructor(start: number) {
    this.#start = start;
  }

  /** Readings that were acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  make(): NumberedMessage {
    const id = this.#next++;
    const payload = Array.from({ length: SIZE }, (_, place) => this.#reading(id * SIZE + place));
    const message = { id, payload };
    this.waiting.set(id, message);
    return message;
  }

  acknowledge(id: number): void {
    if (this.waiting.delete(id)) this.#acknowledged += SIZE;
  }

  #reading(index: number): Reading {
    const number = Math.floor(index / DEVICES);
    return {
      deviceId: `D${index % DEVICES}`,
      timestamp: this.#start + number * DISTANCE,
      metrics: { number, half: number / 2 },
    };
  }

  /**
   * Compares the store with what was acknowledged. What was sent and not acknowledged may be there or not.
   *
   * @returns how many acknowledged readings are missing
   */
  async missingIn(store: Engine): Promise<number> {
    const found = new Map<string, Set<number>>();
    const selection = { measurement: "readings", from: this.#start, to: this.#start + 1e10 } as const;
    let stored = 0;
    for await (const { tags, times, fields, values } of store.rows(selection)) {
      const { device = "" } = tags;
      if (!/^D\d+$/.test(device)) continue;
      const numbers = found.get(device) ?? new Set();
      found.set(device, numbers);
      for (const [place, time] of times.entries()) {
        const number = values[fields.indexOf("number")]?.[place] as number;
        assert.equal(time, this.#start + number * DISTANCE, "a reading is stored at a time that is not its own");
        assert.equal(values[fields.indexOf("half")]?.[place], number / 2, "a reading is not stored as a whole");
        assert.ok(!numbers.has(number), `${device} has number ${number} twice`);
        numbers.add(number);
        stored++;
      }
    }
    let missing = 0;
    for (let index = 0; index < this.#next * SIZE; index++) {
      if (this.waiting.has(Math.floor(index / SIZE))) continue;
      if (!found.get(`D${index % DEVICES}`)?.has(Math.floor(index / DEVICES))) missing++;
    }
    assert.ok(stored <= this.#next * SIZE, `${stored} stored of ${this.#next * SIZE} that were sent`);
    if (this.waiting.size === 0) assert.equal(stored, this.#acknowledged - missing);
    await this.#assertRollUps(store, stored);
    return missing;
  }

  /** What is rolled up counts the same. */
  async #assertRollUps(store: Engine, stored: number): Promise<void> {
    const every = 3_600_000;
    const from = Math.floor(this.#start / every) * every;
    const to = from + 2000 * every;
    const query = {
      measurement: "readings",
      fields: ["number"],
      from,
      to,
      every,
      groupBy: [],
      functions: ["count"],
    } as const;
    let count = 0;
    for (const { columns } of await store.aggregate(query)) {
      count += (columns.count ?? []).reduce<number>((sum, value) => sum + (value ?? 0), 0);
    }
    assert.equal(count, stored, "the roll-ups count otherwise");
  }
}
