import { flag, numberPairs, optionalNumber, pairs, table, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  file: text(""),
  strict: flag(false),
  devices: table({
    deviceId: text("", { required: true }),
    name: text(""),
    location: text(""),
    tags: pairs(),
    intervalSeconds: optionalNumber({ min: 0.001 }),
    limits: numberPairs(),
    parent: text(""),
    advice: text(""),
  }),
};
