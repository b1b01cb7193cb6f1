/** The dashboard for Grafana: it can be imported, and each of its queries finds what historian-write has stored. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LineWriter } from "../../core/history/lines.ts";
import { PointWriter } from "../../core/history/points.ts";
import type { Reading } from "../../core/types.ts";
import { InfluxHistorian } from "../../nodes/historian/influx.ts";
import { type Influxd, startInfluxd } from "../support/influxd.ts";

interface Variable {
  name: string;
  type: string;
  query: string;
  regex?: string;
  allValue?: string;
}

interface Query {
  rawQuery?: boolean;
  query: string;
  datasource?: { uid: string };
}

interface Dashboard {
  __inputs: { name: string; type: string; value?: string; pluginId?: string }[];
  __requires: { type: string; id: string; version: string }[];
  id: null;
  schemaVersion: number;
  templating: { list: Variable[] };
  annotations: { list: Query[] };
  panels: { id: number; title: string; description: string; targets: Query[] }[];
}

const HOUR = 3_600_000;
const NOW = Date.now();
const DEVICES = ["P7", "a/b+c#.*(1)"];
const dashboard = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "..", "examples", "grafana", "device-analytics.json"), "utf8"),
) as Dashboard;

const queries: [title: string, query: string][] = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ query }): [string, string] => [title, query])),
  ...dashboard.annotations.list.map(({ query }): [string, string] => ["Annotations", query]),
];
const variables = dashboard.templating.list.filter(({ type }) => type === "query");

describe("the dashboard for Grafana", function () {
  this.timeout(60_000);
  let influxd: Influxd;

  before(async () => {
    influxd = await startInfluxd();
    const retention = { retentionDays: 30, archiveDays: 365 };
    const access = { url: influxd.url, database: "plant", username: "", password: "", token: "" };
    const historian = new InfluxHistorian({ ...access, ...retention });
    const lines = new LineWriter();
    const points = new PointWriter(lines);
    for (const [place, deviceId] of DEVICES.entries()) {
      for (let age = 0; age < 5 * HOUR; age += 60_000) points.reading(readingOf(deviceId, NOW - age, place));
      points.event({ deviceId, status: "online", timestamp: NOW }, NOW);
      const window = { windowStart: NOW - HOUR, windowEnd: NOW, count: 60, anomalyCount: 1, isUpdate: false };
      points.event({ group: deviceId, ...window, metrics: { temperature: { mean: 60 } } }, NOW);
      const alarm = { alarmId: `${deviceId}/hot`, deviceId, condition: "hot", severity: "warning" } as const;
      points.event({ ...alarm, state: "unacknowledged", change: "raised", timestamp: NOW, value: 81, limit: 80 }, NOW);
    }
    assert.deepEqual(await historian.write(lines.take()), []);
    // Hours that were just written are left alone for a while.
    await historian.maintain(Date.now() + 60_000);
    await historian.close();
  });
  after(() => influxd.stop());

  function readingOf(deviceId: string, timestamp: number, place: number): Reading {
    const verdict = { detector: "z-score", isAnomaly: place === 0, score: 2, threshold: 3, metrics: {} };
    return {
      deviceId,
      timestamp,
      metrics: { temperature: 60 + place, speed: 2 },
      quality: "stale",
      verdicts: { "z-score": verdict },
      health: { score: 90, status: "healthy", flags: [], contributors: [] },
    };
  }

  /** A query as Grafana sends it: with these values of the variables that can be chosen, or all. */
  function filled(query: string, chosen: Record<string, string[]> = {}): string {
    const inputs = new Map(dashboard.__inputs.map(({ name, value }) => [`\${${name}}`, value ?? ""]));
    const escaped = (value: string) => value.replace(/[\\^$*+?.()|{}[\]/]/g, "\\$&");
    let text = query.replaceAll("$timeFilter", `time >= ${NOW - 6 * HOUR}ms AND time <= ${NOW + 1}ms`);
    text = text.replaceAll("$__interval", "5m").replaceAll("$hours", "1h");
    for (const { name, type, query, allValue = "" } of dashboard.templating.list) {
      const values = chosen[name];
      const value =
        type === "constant" ? (inputs.get(query) ?? query) : values ? `(${values.map(escaped).join("|")})` : allValue;
      text = text.replaceAll(`$${name}`, () => value);
    }
    assert.ok(!/\$(?!\/)/.test(text), `${text} has a variable that nobody knows`);
    return text;
  }

  const count = async (query: string, chosen?: Record<string, string[]>) => {
    const series = await influxd.query(filled(query, chosen), "plant");
    return series.reduce((sum, { values }) => sum + values.length, 0);
  };

  it("asks for its data source when it is imported, and names no other", () => {
    assert.equal(dashboard.id, null);
    assert.ok(dashboard.schemaVersion >= 36);
    const sources = dashboard.__inputs.filter(({ type }) => type === "datasource");
    assert.deepEqual(
      sources.map(({ name, pluginId }) => [name, pluginId]),
      [["DS_HISTORIAN", "influxdb"]],
    );
    const used = JSON.stringify(dashboard).match(/"uid":"[^"]*"/g) ?? [];
    assert.deepEqual(new Set(used), new Set([`"uid":"\${DS_HISTORIAN}"`]));
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { description, targets } of dashboard.panels) {
      assert.ok(description !== "" && targets.every(({ rawQuery }) => rawQuery));
    }
  });

  for (const { name, query, regex = "" } of variables) {
    it(`offers each ${name} to choose`, async () => {
      const [series] = await influxd.query(filled(query), "plant");
      // Of names with values Grafana takes the values.
      const place = series?.columns.includes("value") ? 1 : 0;
      const offered = (series?.values ?? []).map((row) => String(row[place]));
      const [, pattern] = /^\/(.*)\/$/.exec(regex) ?? [];
      const kept = offered.filter((value) => pattern === undefined || new RegExp(pattern).test(value));
      assert.deepEqual(kept.sort(), name === "device" ? DEVICES : ["speed", "temperature"]);
    });
  }

  for (const [title, query] of queries) {
    it(`finds rows with "${title}": ${query.slice(0, 50)}`, async () => {
      assert.ok((await count(query)) > 0);
      const chosen = { device: DEVICES.slice(1), metric: ["temperature"] };
      const some = await count(query, chosen);
      assert.ok(some > 0, filled(query, chosen));
      if (query.includes("$device")) assert.ok(some < (await count(query)));
      if (query.includes("$device")) assert.equal(await count(query, { device: ["none"], metric: ["temperature"] }), 0);
    });
  }
});
