import { integer, list, number, oneOf, reference, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  historian: reference("historian"),
  record: list(["readings", "verdicts", "health"], ["readings", "features", "verdicts", "health"]),
  batchSize: integer(5000, { min: 1, max: 50_000 }),
  flushSeconds: number(1, { min: 0.1, max: 60 }),
  spoolFolder: text(""),
  spoolLimitMegabytes: integer(512, { min: 1, max: 1_000_000 }),
  spoolLimitHours: number(168, { min: 0.1, max: 87_600 }),
  whenFull: oneOf("drop-oldest", ["drop-oldest", "refuse"]),
  fsync: oneOf("interval", ["always", "interval", "never"]),
};
