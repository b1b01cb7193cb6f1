import { flag, integer, list, number, oneOf, stateOptions, table, text } from "../lib/options.ts";

const seconds = () => number(0, { min: 0, max: 604_800 });

export const options = {
  name: text(""),
  routes: table(
    {
      severity: oneOf("warning", ["info", "warning", "critical"]),
      devices: list(),
      conditions: list(),
      output: text("", { required: true }),
      repeatSeconds: seconds(),
      escalateAfterSeconds: seconds(),
      escalateTo: text(""),
      continue: flag(false),
    },
    [
      { severity: "critical", output: "on call", repeatSeconds: 600 },
      { severity: "warning", output: "operators" },
    ],
  ),
  limitPerMinute: integer(10, { min: 0, max: 10_000 }),
  timeZone: text("UTC", { required: true }),
  ...stateOptions,
};
