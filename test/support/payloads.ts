/** Arbitrary payloads: anything at all, and things that look much like readings without being right. */
import fc from "fast-check";

const oddNames = fc.constantFrom(
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "a/b+c#",
  "value",
  "unit",
);
const knownNames = fc.constantFrom(
  ...["deviceId", "device_id", "id", "timestamp", "ts", "time", "metrics", "units", "tags", "quality", "verdicts"],
  ...["sensor_type", "metric", "location", "type", "temperature", "vibration"],
);
const names = fc.oneof(knownNames, oddNames, fc.string());

const scalars = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.string(),
  fc.constantFrom(null, undefined, Number.NaN, Infinity, "good", "bad", "R1", "2024-02-29T12:00:00Z", 1_700_000_000),
);

const anything = fc.anything({
  key: names,
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withBoxedValues: true,
});

const flat = entriesOf(fc.oneof({ weight: 5, arbitrary: scalars }, { weight: 1, arbitrary: anything }));

const metrics = entriesOf(
  fc.oneof({ weight: 4, arbitrary: fc.double({ noNaN: true }) }, { weight: 1, arbitrary: scalars }),
);

const nearlyReadings = fc
  .record(
    {
      deviceId: fc.oneof({ weight: 4, arbitrary: fc.string() }, { weight: 1, arbitrary: scalars }),
      timestamp: fc.oneof(fc.nat({ max: 2e9 }), fc.double(), scalars),
      metrics: fc.oneof({ weight: 5, arbitrary: metrics }, { weight: 1, arbitrary: anything }),
      units: fc.oneof(flat, anything),
      tags: fc.oneof(flat, anything),
      quality: fc.oneof(fc.constantFrom("good", "stale", "bad", "Uncertain"), scalars),
      verdicts: anything,
    },
    { requiredKeys: ["metrics"] },
  )
  .map((reading) => reading as unknown);

const single = fc.oneof(nearlyReadings, flat, anything, scalars);

/** Objects with own properties of these names, even of one named `__proto__`, as JSON.parse makes them. */
function entriesOf(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.array(fc.tuple(names, values), { maxLength: 8 }).map((entries) => Object.fromEntries(entries));
}

/** JSON of a value, as text or as bytes; of what has no JSON, `null`. */
function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return "null";
  }
}

/** A payload as a broken or malicious device might send it. */
export const payloads: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: single },
  { weight: 3, arbitrary: fc.array(single, { maxLength: 6 }) },
  { weight: 1, arbitrary: single.map(json) },
  { weight: 1, arbitrary: fc.array(single, { maxLength: 3 }).map((values) => Buffer.from(json(values))) },
);
