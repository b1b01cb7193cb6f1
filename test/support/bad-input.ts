/** What devices send that they should not, and odd things that are right nevertheless. */

/** A time that is past for every test, ms since 1970. */
const TIME = Date.UTC(2024, 1, 29, 12);

export interface OddInput {
  what: string;
  topic?: string;
  payload: unknown;
  /** Devices whose readings go on. */
  passed: string[];
  /** What is refused, as a whole or in part. */
  refused: unknown[];
  /** Why, the first time. */
  reason?: RegExp;
}

const reading = (deviceId: string, more: object = {}) => ({
  deviceId,
  timestamp: TIME,
  metrics: { temperature: 20 },
  ...more,
});
const metrics = (values: object) => reading("R1", { metrics: values });
const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`m${i}`, i]));

/** Refused as a whole. */
function bad(what: string, payload: unknown, reason: RegExp, topic?: string): OddInput {
  return { what, payload, passed: [], refused: [payload], reason, ...(topic !== undefined && { topic }) };
}

/** Goes on without a metric. */
function halfBad(what: string, payload: unknown, reason: RegExp): OddInput {
  return { what, payload, passed: ["R1"], refused: [payload], reason };
}

function good(what: string, payload: unknown, device = "R1"): OddInput {
  return { what, payload, passed: [device], refused: [] };
}

const mixed = (): unknown[] => [
  reading("R2"),
  null,
  "hello",
  { temperature: 20 },
  reading("R3", { timestamp: "nonsense" }),
  metrics({ temperature: Number.NaN }),
  [reading("R4")],
  reading("R5", { metrics: { temperature: 20, humidity: "wet" } }),
  { device_id: "R6", temperature: 20 },
];

/** The same for every node that takes readings; new ones at each call, for nodes write into readings. */
export const oddInputs = (): OddInput[] => [
  bad("null", null, /null is not a reading/),
  bad("nothing at all", undefined, /undefined is not a reading/),
  bad("text", "hello", /"hello" is text that is not JSON/),
  bad("empty text", "", /"" is text that is not JSON/),
  bad("an empty array", [], /an empty array holds no reading/),
  bad("NaN", Number.NaN, /NaN is not a finite number/, "R1"),
  bad("Infinity", Infinity, /Infinity is not a finite number/, "R1"),
  bad("a number of no device", 20, /needs the name of its device/),
  bad("a metric that is NaN", metrics({ temperature: Number.NaN }), /temperature: NaN is not a finite number/),
  bad("a metric that is infinite", metrics({ temperature: -Infinity }), /-Infinity is not a finite number/),
  halfBad("one of two metrics that is NaN", metrics({ a: 1, b: Number.NaN }), /b: NaN is not a finite number/),
  halfBad("one of two metrics that is infinite", metrics({ a: 1, b: Infinity }), /b: Infinity is not a finite/),
  halfBad("one of two metrics that is text", metrics({ a: 1, b: "warm" }), /b: "warm" is not a finite number/),
  bad("nested objects", metrics({ temperature: { value: { celsius: 20 } } }), /temperature: an object is not a finite/),
  halfBad("nested objects beside a metric", { id: "R1", a: 1, b: { c: { d: 1 } } }, /b: an object is not a finite/),
  bad("a missing device", { temperature: 20 }, /no device/),
  bad("a device that is no name", reading("R1", { deviceId: { name: "R1" } }), /the device an object is not a name/),
  bad("a device of an empty name", reading(""), /the device "" is not a name|no device/),
  good("a device named __proto__", reading("__proto__"), "__proto__"),
  good("a device named constructor", reading("constructor"), "constructor"),
  good("a device named a/b+c#", reading("a/b+c#"), "a/b+c#"),
  halfBad("a metric named __proto__", '{"id":"R1","a":1,"__proto__":2}', /cannot be named "__proto__"/),
  good("a time in seconds", { id: "R1", timestamp: TIME / 1000, temperature: 20 }),
  good("a time as ISO text", reading("R1", { timestamp: "2024-02-29T12:00:00Z" })),
  good("a time as ISO text without a zone", reading("R1", { timestamp: "2024-02-29 12:00:00" })),
  bad("a time that is nonsense", reading("R1", { timestamp: "yesterday" }), /"yesterday" is not a time/),
  bad("a time that is NaN", reading("R1", { timestamp: Number.NaN }), /NaN is not a time/),
  bad("10,000 metrics", metrics(many), /10000 metrics in one reading, at most 1000 are taken/),
  bad("a quality that nobody knows", reading("R1", { quality: "so-so" }), /it must be good, stale or bad/),
  mixedArray(mixed()),
];

function mixedArray(payload: unknown[]): OddInput {
  return {
    what: "a mixed array",
    payload,
    passed: ["R2", "R5", "R6"],
    refused: payload.slice(1, 8),
    reason: /null is not a reading/,
  };
}
