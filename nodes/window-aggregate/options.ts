import { integer, list, metricOptions, number, oneOf, stateOptions, text } from "../lib/options.ts";

const LONGEST = 31_622_400;

export const options = {
  name: text(""),
  ...metricOptions,
  window: oneOf("tumbling", ["tumbling", "hopping", "session", "count"]),
  sizeSeconds: number(60, { min: 0.001, max: LONGEST }),
  hopSeconds: number(10, { min: 0.001, max: LONGEST }),
  gapSeconds: number(30, { min: 0.001, max: LONGEST }),
  countSize: integer(100, { min: 1, max: 1_000_000 }),
  timeZone: text("UTC", { required: true }),
  groupBy: list(["deviceId"]),
  functions: list(
    ["count", "mean", "min", "max", "stdev"],
    [
      "count",
      "mean",
      "min",
      "max",
      "stdev",
      "sum",
      "median",
      "p05",
      "p95",
      "p99",
      "first",
      "last",
      "range",
      "slopePerSecond",
      "anomalyCount",
    ],
  ),
  maxOutOfOrderSeconds: number(0, { min: 0, max: LONGEST }),
  allowedLatenessSeconds: number(0, { min: 0, max: LONGEST }),
  idleSeconds: number(0, { min: 0, max: LONGEST }),
  ...stateOptions,
};
