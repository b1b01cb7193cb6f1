import { list, number, registryOptions, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  ...registryOptions,
  timeoutSeconds: number(10, { min: 0.1, max: 86_400 }),
  commands: list(),
  stateStore: stateOptions.stateStore,
};
