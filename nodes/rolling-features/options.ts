import { flag, list, metricOptions, number, oneOf, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  ...metricOptions,
  window: oneOf("count", ["count", "time"]),
  size: number(5, { min: 0.001, max: 31_536_000 }),
  features: list(
    ["mean"],
    [
      "mean",
      "stdev",
      "min",
      "max",
      "range",
      "median",
      "sum",
      "delta",
      "ratePerSecond",
      "slopePerSecond",
      "ewma",
      "rms",
      "crestFactor",
      "skewness",
      "kurtosis",
    ],
  ),
  timeOfDay: flag(false),
  missing: oneOf("skip", ["skip", "forward-fill"]),
  ...stateOptions,
};
