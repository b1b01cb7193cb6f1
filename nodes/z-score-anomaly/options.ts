import { integer, metricOptions, number, oneOf, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  ...metricOptions,
  method: oneOf("standard", ["standard", "robust", "ewma"]),
  windowSize: integer(20, { min: 2, max: 100_000 }),
  threshold: number(2, { min: 0, max: 1_000_000 }),
  baseline: oneOf("previous", ["previous", "including"]),
  minimumSamples: integer(10, { min: 2, max: 100_000 }),
  direction: oneOf("both", ["both", "above", "below"]),
  learning: oneOf("all", ["all", "normal-only"]),
  relearnAfter: integer(20, { min: 2, max: 1000 }),
  minimumDeviation: number(0, { min: 0, max: 1e12 }),
  ...stateOptions,
};
