/** That it does not matter which engine a historian has. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { EmbeddedHistorian } from "../../../nodes/historian/embedded.ts";
import { InfluxHistorian } from "../../../nodes/historian/influx.ts";
import { newFolder } from "../../support/folders.ts";
import { rowsOf } from "../../support/history-oracle.ts";
import { startInfluxd } from "../../support/influxd.ts";
import { aggregations, assertAggregates, collect, histories, linesOf, selections } from "./contract.ts";

const HOUR = 3_600_000;

describe("both engines", () => {
  it("give the same answers, before and after they have rolled up", async function () {
    this.timeout(60_000);
    await using influxd = await startInfluxd();
    let stores = 0;
    const cases = histories.chain((points) =>
      fc.tuple(
        fc.constant(points),
        fc.array(selections(points), { minLength: 4, maxLength: 8 }),
        fc.array(aggregations(points), { minLength: 4, maxLength: 8 }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([points, questions, aggregated]) => {
        const retention = { retentionDays: 0, archiveDays: 0 };
        const database = `d${stores++}`;
        const credentials = { username: "", password: "", token: "" };
        const influx = new InfluxHistorian({ url: influxd.url, database, ...credentials, ...retention });
        const embedded = new EmbeddedHistorian({ file: join(newFolder(), "history.sqlite"), ...retention });
        const both = [influx, embedded];
        try {
          for (const engine of both) assert.deepEqual(await engine.write(linesOf(points)), []);
          for (const isRolledUp of [false, true]) {
            if (isRolledUp) for (const engine of both) await engine.maintain(Date.now() + 2 * HOUR);
            for (const question of questions) {
              assert.deepEqual(rowsOf(await collect(influx, question)), rowsOf(await collect(embedded, question)));
              assert.deepEqual(rowsOf(await influx.latest(question)), rowsOf(await embedded.latest(question)));
            }
            for (const query of aggregated) {
              assertAggregates(await influx.aggregate(query), await embedded.aggregate(query));
            }
          }
          assert.deepEqual(await influx.catalogue(), await embedded.catalogue());
        } finally {
          for (const engine of both) await engine.close();
        }
      }),
      { numRuns: 10 },
    );
  });
});
