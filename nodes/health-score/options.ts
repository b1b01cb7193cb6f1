import { number, oneOf, registryOptions, stateOptions, table, text } from "../lib/options.ts";

const points = (value: number) => number(value, { min: 0, max: 100 });

export const options = {
  name: text(""),
  rules: table(
    {
      flag: text("", { required: true }),
      metric: text("", { required: true }),
      comparison: oneOf(">", [">", ">=", "<", "<=", "drop"]),
      limit: number(0),
      penalty: points(10),
    },
    [
      { flag: "overheating", metric: "temperature", comparison: ">", limit: 75, penalty: 30 },
      { flag: "high-vibration", metric: "vibration", comparison: ">", limit: 1.5, penalty: 20 },
      { flag: "low-battery", metric: "battery", comparison: "<", limit: 30, penalty: 20 },
      { flag: "battery-drop", metric: "battery", comparison: "drop", limit: 10, penalty: 10 },
    ],
  ),
  combine: oneOf("sum", ["sum", "worst"]),
  anomalyPenalty: points(0),
  warningBelow: points(80),
  criticalBelow: points(50),
  ...registryOptions,
  ...stateOptions,
};
