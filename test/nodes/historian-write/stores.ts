/** Stores of both engines for tests: how a historian is set to use one, and what it holds. */
import { join } from "node:path";
import type { Measurement } from "../../../core/history/types.ts";
import { EmbeddedHistorian } from "../../../nodes/historian/embedded.ts";
import type { Engine } from "../../../nodes/historian/engine.ts";
import { InfluxHistorian } from "../../../nodes/historian/influx.ts";
import { newFolder } from "../../support/folders.ts";
import { type Influxd, startInfluxd } from "../../support/influxd.ts";

const RETENTION = { retentionDays: 0, archiveDays: 0 };

/** Everything that a store holds of a measurement, each value as `device time field value`, in order. */
export interface TestStore extends AsyncDisposable {
  /** Settings of a historian. */
  settings: Record<string, unknown>;
  values(measurement: Measurement): Promise<string[]>;
  /** Instants of all sets of tags. */
  count(measurement: Measurement, device?: string): Promise<number>;
}

/** A file that does not exist yet. */
export function embeddedStore(): TestStore {
  const file = join(newFolder(), "history.sqlite");
  return storeOf({ engine: "embedded", file, ...RETENTION }, () => new EmbeddedHistorian({ file, ...RETENTION }));
}

/** A database of a running influxd, made by the historian. */
export function influxStore({ url }: Influxd, database = "plant"): TestStore {
  const settings = { url, database, username: "", password: "", token: "", ...RETENTION };
  return storeOf({ engine: "influxdb", ...settings }, () => new InfluxHistorian(settings));
}

/** One of its own. */
export async function ownInfluxStore(): Promise<TestStore & { influxd: Influxd }> {
  const influxd = await startInfluxd();
  return Object.assign(influxStore(influxd), {
    influxd,
    [Symbol.asyncDispose]: () => influxd[Symbol.asyncDispose](),
  });
}

function storeOf(settings: TestStore["settings"], open: () => Engine): TestStore {
  let opened: Engine | undefined;
  async function* chunks(measurement: Measurement, device?: string) {
    opened ??= open();
    yield* opened.rows({
      measurement,
      from: 0,
      to: 8e15,
      ...(device !== undefined && { tags: { device: [device] } }),
    });
  }
  return {
    settings,
    async values(measurement) {
      const values: string[] = [];
      for await (const { tags, times, fields, values: columns } of chunks(measurement)) {
        for (const [place, time] of times.entries()) {
          for (const [index, field] of fields.entries()) {
            const value = columns[index]?.[place];
            if (value !== null) values.push([tags.device, time, field, value].join(" "));
          }
        }
      }
      return values.sort();
    },
    async count(measurement, device) {
      let count = 0;
      for await (const { times } of chunks(measurement, device)) count += times.length;
      return count;
    },
    async [Symbol.asyncDispose]() {
      await opened?.close();
    },
  };
}
