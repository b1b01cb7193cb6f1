import { integer, number, stateOptions, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  firstRetrySeconds: number(5, { min: 0.1, max: 86_400 }),
  factor: number(2, { min: 1, max: 100 }),
  maximumRetrySeconds: number(600, { min: 0.1, max: 86_400 }),
  jitterPercent: number(20, { min: 0, max: 100 }),
  maximumAttempts: integer(10, { min: 0, max: 1_000_000 }),
  timeoutSeconds: number(30, { min: 0.1, max: 86_400 }),
  maxAgeHours: number(24, { min: 0.001, max: 8760 }),
  maxPending: integer(1000, { min: 1, max: 10_000 }),
  maxInFlight: integer(10, { min: 1, max: 1000 }),
  stateStore: stateOptions.stateStore,
};
