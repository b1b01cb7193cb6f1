import { integer, list, number, registryOptions, stateOptions, text } from "../lib/options.ts";

const { maxDevices, forgetAfterHours } = stateOptions;

export const options = {
  name: text(""),
  points: integer(300, { min: 16, max: 10_000 }),
  preferred: list(["temp*", "vibration*", "battery*"]),
  charts: integer(4, { min: 1, max: 12 }),
  intervalSeconds: number(1, { min: 0.2, max: 60 }),
  ...registryOptions,
  maxDevices,
  forgetAfterHours,
};
