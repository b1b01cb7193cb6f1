import { integer, metricOptions, number, registryOptions, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  ...metricOptions,
  intervalSeconds: number(1, { min: 0.1, max: 3600 }),
  recentSeconds: integer(300, { min: 1, max: 86_400 }),
  ...registryOptions,
  ...stateOptions,
};
