import {
  flag,
  integer,
  number,
  oneOf,
  optionalNumber,
  registryOptions,
  stateOptions,
  table,
  text,
} from "../lib/options.ts";

const delay = () => number(0, { min: 0, max: 86_400 });

const readings = () => integer(1, { min: 1, max: 1000 });

const usual = {
  match: "",
  comparison: ">",
  limit: 0,
  resetLimit: undefined,
  occurrences: 1,
  withinReadings: 1,
  onDelaySeconds: 0,
  offDelaySeconds: 0,
  severity: "warning",
  latch: false,
} as const;

export const options = {
  name: text(""),
  conditions: table(
    {
      name: text("", { required: true }),
      source: oneOf("metric", ["metric", "flag", "health", "anomaly", "offline", "remainingUsefulLife"]),
      match: text(""),
      comparison: oneOf(">", [">", ">=", "<", "<="]),
      limit: number(0),
      resetLimit: optionalNumber(),
      occurrences: readings(),
      withinReadings: readings(),
      onDelaySeconds: delay(),
      offDelaySeconds: delay(),
      severity: oneOf("warning", ["info", "warning", "critical"]),
      latch: flag(false),
      advice: text(""),
    },
    [
      {
        ...usual,
        name: "overheating",
        source: "flag",
        match: "overheating",
        severity: "critical",
        advice:
          "Reduce the load or stop the device. Check cooling, air filters and lubrication before it starts again.",
      },
      {
        ...usual,
        name: "high-vibration",
        source: "flag",
        match: "high-vibration",
        advice:
          "Slow the device down. Look for loose fixings, imbalance and worn bearings. Stop it if it grows louder.",
      },
      {
        ...usual,
        name: "low-battery",
        source: "flag",
        match: "low-battery",
        advice: "Send the device to charge, or change its battery, before it stops by itself.",
      },
      {
        ...usual,
        name: "battery-drop",
        source: "flag",
        match: "battery-drop",
        advice:
          "The charge fell at one go. Check the battery's contacts and age. Do not leave the device far from its charger.",
      },
      {
        ...usual,
        name: "anomaly",
        source: "anomaly",
        occurrences: 3,
        withinReadings: 5,
        advice: "The values are unlike those before. Compare the charts with a normal hour, then look at the device.",
      },
      {
        ...usual,
        name: "offline",
        source: "offline",
        severity: "critical",
        advice:
          "Check the power of the device, then its network. If others are silent too, check their gateway or the broker.",
      },
    ],
  ),
  severityMayFall: flag(false),
  maximumShelveSeconds: integer(28_800, { min: 1, max: 31_536_000 }),
  ...registryOptions,
  ...stateOptions,
};
