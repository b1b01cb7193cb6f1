/** A small history with everything that can be told apart, under names as hostile as they come. */
import { LineWriter } from "../../core/history/lines.ts";
import type { FieldValue, Measurement, Point, PointTags } from "../../core/history/types.ts";
import { Random } from "../../core/random.ts";

/** The first instant, a quarter past ten. */
export const START = Date.UTC(2026, 2, 1, 10, 15);
export const END = START + 3 * 3_600_000;

export const DEVICES = [
  "P7",
  "a/b+c#",
  `it's "quoted", \\ = 'd`,
  "line\nbreak",
  "'; DROP DATABASE x; --",
  "__proto__",
  "🤖 é",
];

/** What a sensor shows that is broken. */
export const BAD_VALUE = -999;

/** Points as bytes of line protocol. */
export function linesOf(points: Iterable<Point>): Uint8Array {
  const writer = new LineWriter();
  for (const point of points) writer.add(point);
  return writer.take();
}

export function pointOf(
  measurement: Measurement,
  tags: PointTags,
  timestamp: number,
  fields: Record<string, FieldValue>,
  more: [name: string, value: FieldValue][] = [],
): Point {
  return { measurement, tags, timestamp, fields: new Map([...Object.entries(fields), ...more]) };
}

/** Three hours of readings every ten seconds or so, with verdicts, alarms and status events. */
export function history(): Point[] {
  const random = new Random(7);
  const points: Point[] = [];
  for (const [place, device] of DEVICES.entries()) {
    for (let time = START + place; time < END; time += 10_000) {
      const location = place % 3 === 0 ? undefined : time < START + 3_600_000 ? "hall 3" : "hall, 4";
      const tags = { device, ...(location && { location }) };
      const temperature = 60 + place + random.gaussian();
      // Not in an object, where it would be none.
      const prototype: [string, number][] = place === 0 ? [["__proto__", random.gaussian()]] : [];
      if (random.next() < 0.01) {
        points.push(pointOf("readings", tags, time, { "_bad.temperature": BAD_VALUE, _quality: "bad" }));
        continue;
      }
      points.push(
        pointOf(
          "readings",
          tags,
          time,
          {
            temperature,
            ...(random.next() < 0.8 && { 'vibration, "x"': temperature / 100 + 0.01 * random.gaussian() }),
            ...(random.next() < 0.01 && { _quality: "stale" }),
          },
          prototype,
        ),
      );
      points.push(
        pointOf("verdicts", { ...tags, detector: "z-score" }, time, {
          isAnomaly: Number(random.next() < 0.1),
          score: random.gaussian(),
          "temperature.score": random.gaussian(),
        }),
      );
    }
    points.push(
      pointOf("alarms", { device, condition: "over\theating", change: "raised" }, START + 60_000 * place, {
        alarmId: `${place}/over\theating`,
        severity: "critical",
        state: "unacknowledged",
        advice: '=HYPERLINK(1)\nline two, "quoted" \\',
        value: 81.5,
        raisedAt: START + 60_000 * place,
      }),
      pointOf("status", { device }, START + 120_000 * place, { status: "offline", silentSeconds: 15.5 }),
    );
  }
  return points;
}
