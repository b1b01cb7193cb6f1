import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader, LineWriter } from "../../../core/history/lines.ts";
import { type HistoryEvent, isHistoryEvent, PointWriter } from "../../../core/history/points.ts";
import type { Alarm, Reading, StatusEvent, WindowResult } from "../../../core/types.ts";

const NOW = 1_700_000_000_000;
const reading: Reading = { deviceId: "P7", timestamp: NOW, metrics: { temperature: 62.5, vibration: 2 } };
const alarm: Alarm = {
  alarmId: "P7/hot",
  deviceId: "P7",
  condition: "hot",
  severity: "warning",
  state: "unacknowledged",
  change: "raised",
  timestamp: NOW,
  isAnnunciated: true,
  value: 81,
  limit: 80,
  unit: "°C",
  metric: "temperature",
  advice: 'see "manual"\npage 7',
  location: "hall 3",
  raisedAt: NOW,
  count: 2,
};

/** A point as plain JSON. */
type Plain = [measurement: string, tags: object, fields: [string, number | string][], timestamp: number];

function pointsOf(writer: LineWriter): Plain[] {
  const points: Plain[] = [];
  new LineReader().read(
    writer.take(),
    ({ measurement, tags, fields, values, timestamp }) => {
      points.push([measurement, tags, fields.map((name, place) => [name, values[place] ?? ""]), timestamp]);
    },
    (_index, line, reason) => assert.fail(`${reason}: ${line}`),
  );
  return points;
}

function ofReadings(...readings: Reading[]): Plain[] {
  const lines = new LineWriter();
  const points = new PointWriter(lines);
  for (const each of readings) points.reading(each);
  return pointsOf(lines);
}

function ofEvent(event: HistoryEvent): Plain[] {
  assert.ok(isHistoryEvent(event));
  const lines = new LineWriter();
  new PointWriter(lines).event(event, NOW + 1);
  return pointsOf(lines);
}

describe("a reading in history", () => {
  it("is its metrics, by device and location", () => {
    const fields: [string, number][] = [
      ["temperature", 62.5],
      ["vibration", 2],
    ];
    assert.deepEqual(
      ofReadings(reading, { ...reading, timestamp: NOW + 0.7, tags: { location: "hall 3", line: "2" } }),
      [
        ["readings", { device: "P7" }, fields, NOW],
        ["readings", { device: "P7", location: "hall 3" }, fields, NOW],
      ],
    );
  });

  it("is only what is asked for", () => {
    const whole: Reading = {
      ...reading,
      features: { temperature: { mean: 61 } },
      verdicts: { z: { detector: "z", isAnomaly: false, score: 0, threshold: 3, metrics: {} } },
      health: { score: 100, status: "healthy", flags: [], contributors: [] },
    };
    for (const part of ["readings", "features", "verdicts", "health"] as const) {
      const lines = new LineWriter();
      new PointWriter(lines, [part]).reading(whole);
      assert.deepEqual(
        pointsOf(lines).map(([measurement]) => measurement),
        [part],
      );
    }
  });

  it("tells its quality unless that is good, and keeps bad values apart from others", () => {
    const [good, stale, bad] = (["good", "stale", "bad"] as const).map((quality) => {
      const [point] = ofReadings({ ...reading, quality });
      return point?.[2] ?? [];
    });
    assert.deepEqual(stale, [...(good ?? []), ["_quality", "stale"]]);
    assert.deepEqual(bad, [...(good ?? []).map(([name, value]) => [`_bad.${name}`, value]), ["_quality", "bad"]]);
  });

  it("brings along its features, verdicts and health", () => {
    const points = ofReadings({
      ...reading,
      tags: { location: "hall 3" },
      features: { temperature: { mean: 60, slopePerSecond: 0.1 }, time: { hour: 7 } },
      verdicts: {
        "z-score": {
          detector: "z-score",
          isAnomaly: true,
          score: 4.5,
          threshold: 3,
          metrics: {
            temperature: { value: 62.5, expected: 50, upper: 60, score: 4.5, isAnomaly: true },
            vibration: { value: 2, expected: 2, lower: 1, upper: 3, score: 0, isAnomaly: false },
          },
        },
      },
      health: { score: 40, status: "critical", flags: ["hot", "anomaly"], contributors: [] },
    });
    const tags = { device: "P7", location: "hall 3" };
    assert.deepEqual(points.slice(1), [
      [
        "features",
        tags,
        [
          ["temperature.mean", 60],
          ["temperature.slopePerSecond", 0.1],
          ["time.hour", 7],
        ],
        NOW,
      ],
      [
        "verdicts",
        { ...tags, detector: "z-score" },
        [
          ["isAnomaly", 1],
          ["score", 4.5],
          ["threshold", 3],
          ["temperature.upper", 60],
          ["temperature.score", 4.5],
          ["vibration.lower", 1],
          ["vibration.upper", 3],
          ["vibration.score", 0],
        ],
        NOW,
      ],
      [
        "health",
        tags,
        [
          ["score", 40],
          ["status", "critical"],
          ["flags", "hot,anomaly"],
        ],
        NOW,
      ],
    ]);
  });

  it("passes over what nobody has checked and is not what it should be", () => {
    const strange = {
      ...reading,
      features: { temperature: { mean: "60", max: Number.NaN }, x: 7, y: null },
      verdicts: { a: { detector: "a" }, b: 7, c: { isAnomaly: false, score: 1, threshold: 2, metrics: [null] } },
      health: { score: "40" },
    } as unknown as Reading;
    assert.deepEqual(
      ofReadings(strange).map(([measurement, , fields]) => [measurement, fields.length]),
      [
        ["readings", 2],
        ["verdicts", 3],
      ],
    );
  });

  it("is refused as a whole when a part of it can't be stored", () => {
    const lines = new LineWriter();
    const points = new PointWriter(lines);
    const long = "x".repeat(257);
    points.reading(reading);
    const refused: [Reading, RegExp][] = [
      [{ ...reading, metrics: { temperature: 1, _quality: 1 } }, /can't be named _quality/],
      [{ ...reading, metrics: { temperature: 1, "_bad.x": 1 } }, /can't begin with _bad\./],
      [{ ...reading, metrics: {} }, /at least one field/],
      [{ ...reading, tags: { location: long } }, /at most 256/],
      [{ ...reading, features: { temperature: { [long]: 1 } } }, /at most 256/],
    ];
    for (const [each, reason] of refused) assert.throws(() => points.reading(each), reason);
    points.reading(reading);
    assert.equal(lines.count, 2);
    assert.equal(pointsOf(lines).length, 2);
  });

  it("keeps hostile names apart", () => {
    const name = fc.oneof(
      fc.constantFrom("__proto__", "constructor", "time", "a,b", "a b=c", "a\nb", "a\\", '"', "%0A"),
      fc.string({ minLength: 1, maxLength: 20 }),
    );
    const any = fc.record({
      deviceId: name,
      location: fc.option(name),
      metrics: fc.uniqueArray(name, { minLength: 1 }),
    });
    const lines = new LineWriter();
    const points = new PointWriter(lines);
    fc.assert(
      fc.property(fc.array(any), (readings) => {
        const expected: Plain[] = [];
        for (const { deviceId, location, metrics } of readings) {
          const values = Object.fromEntries(metrics.map((metric, place) => [metric, place]));
          const tags = location === null ? {} : { tags: { location } };
          points.reading({ deviceId, timestamp: NOW, metrics: values, ...tags });
          const device = { device: deviceId, ...(location !== null && { location }) };
          expected.push(["readings", device, Object.entries(values), NOW]);
        }
        assert.deepEqual(pointsOf(lines), expected);
      }),
    );
  });
});

describe("an event in history", () => {
  it("is a status, with the time at hand when it has none", () => {
    const status: StatusEvent = { deviceId: "P7", status: "offline", lastSeen: 1, silentSeconds: 30, timestamp: NOW };
    const fields = [
      ["status", "offline"],
      ["lastSeen", 1],
      ["silentSeconds", 30],
    ];
    assert.deepEqual(ofEvent(status), [["status", { device: "P7" }, fields, NOW]]);
    assert.deepEqual(ofEvent({ deviceId: "P7", status: "offline" } as StatusEvent), [
      ["status", { device: "P7" }, fields.slice(0, 1), NOW + 1],
    ]);
  });

  it("is a window, of a device, of a location or of both", () => {
    const window: WindowResult = {
      group: "P7",
      windowStart: NOW,
      windowEnd: NOW + 60_000,
      count: 60,
      anomalyCount: 1,
      isUpdate: false,
      metrics: { temperature: { mean: 60, max: 70 } },
    };
    const fields = [
      ["count", 60],
      ["anomalyCount", 1],
      ["windowEnd", NOW + 60_000],
      ["temperature.mean", 60],
      ["temperature.max", 70],
    ];
    const tagsOf = (each: Partial<WindowResult>) => ofEvent({ ...window, ...each })[0]?.[1];
    assert.deepEqual(ofEvent(window), [["windows", { device: "P7" }, fields, NOW]]);
    assert.deepEqual(tagsOf({ group: "hall 3", tags: { location: "hall 3" } }), { location: "hall 3" });
    const both = { group: "hall 3/2", tags: { location: "hall 3", line: "2" } };
    assert.deepEqual(tagsOf(both), { device: "hall 3/2", location: "hall 3" });
    assert.deepEqual(tagsOf({ group: "2", tags: { line: "2" } }), { device: "2" });
  });

  it("is an entry of the alarm journal", () => {
    assert.deepEqual(ofEvent(alarm), [
      [
        "alarms",
        { change: "raised", condition: "hot", device: "P7", location: "hall 3" },
        [
          ["alarmId", "P7/hot"],
          ["severity", "warning"],
          ["state", "unacknowledged"],
          ["unit", "°C"],
          ["metric", "temperature"],
          ["advice", 'see "manual"\npage 7'],
          ["value", 81],
          ["limit", 80],
          ["count", 2],
          ["raisedAt", NOW],
          ["isAnnunciated", 1],
        ],
        NOW,
      ],
    ]);
    const shelved = ofEvent({
      ...alarm,
      change: "shelved",
      shelved: { since: NOW, by: "Kim", reason: "cleaning" },
      by: "Kim",
    });
    const fields = new Map(shelved[0]?.[2]);
    assert.deepEqual([fields.get("by"), fields.get("reason")], ["Kim", "cleaning"]);
  });

  it("is no alarm that tells of no change", () => {
    const { change, ...standing } = alarm;
    assert.throws(() => ofEvent(standing), /no entry of a journal/);
  });

  it("is no reading", () => {
    assert.equal(isHistoryEvent(reading), false);
    assert.equal(isHistoryEvent({ deviceId: "P7", status: "online", temperature: 60 }), false);
  });

  it("has its texts cut where they are longer than any store takes", () => {
    const [point] = ofEvent({ ...alarm, advice: "x".repeat(100_000) });
    assert.equal(String(new Map(point?.[2]).get("advice")).length, 10_000);
  });
});

describe("an entry of the audit trail in history", () => {
  it("tells who did what, from where, and what came of it", () => {
    const entry = {
      timestamp: NOW,
      by: "Kim",
      role: "operator",
      from: "10.0.0.7",
      action: "login",
      outcome: "refused",
    };
    assert.deepEqual(ofEvent({ ...entry, reason: "wrong password" }), [
      [
        "audit",
        { condition: "login", change: "refused" },
        [
          ["by", "Kim"],
          ["role", "operator"],
          ["from", "10.0.0.7"],
          ["reason", "wrong password"],
        ],
        NOW,
      ],
    ]);
  });

  it("is a command to a device too, with what was asked for", () => {
    const line = {
      timestamp: NOW,
      deviceId: "P7",
      command: "set",
      commandId: "1",
      arguments: { limit: 80 },
      by: "Kim",
    };
    const [point] = ofEvent({ ...line, outcome: "failed", error: "no such limit" });
    assert.deepEqual(point?.[1], { device: "P7", condition: "set", change: "failed" });
    const fields = new Map(point?.[2]);
    assert.deepEqual([fields.get("detail"), fields.get("reason")], ['{"limit":80}', "no such limit"]);
  });
});
