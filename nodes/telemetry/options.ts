import { list, number, oneOf, registryOptions, table, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  ...registryOptions,
  deviceFromTopic: text(""),
  deviceProperty: text(""),
  timestampProperty: text(""),
  timestampUnit: oneOf("auto", ["auto", "s", "ms", "iso"]),
  maxFutureSeconds: number(60, { min: 0 }),
  tagProperties: list(),
  conversions: table({
    property: text("", { required: true }),
    metric: text(""),
    factor: number(1),
    offset: number(0),
    unit: text(""),
  }),
};
