import { number, oneOf, registryOptions, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  timeoutSeconds: number(15, { min: 1, max: 31_536_000 }),
  timeout: oneOf("fixed", ["fixed", "learned"]),
  learnedFactor: number(3, { min: 1, max: 100 }),
  startupGraceSeconds: number(10, { min: 0, max: 3600 }),
  groupOutagePercent: number(80, { min: 1, max: 100 }),
  ...registryOptions,
  ...stateOptions,
};
