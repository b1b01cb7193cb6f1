/**
 * Loaded before a program with `--import`: on SIGUSR2 its clock is stepped by the milliseconds in the file that
 * CLOCK_STEP names. Its timers run on, as they do when a machine's clock is set.
 */
import { readFileSync } from "node:fs";

const RealDate = Date;
let step = 0;

globalThis.Date = new Proxy(RealDate, {
  construct(target, args, newTarget) {
    return Reflect.construct(target, args.length === 0 ? [RealDate.now() + step] : args, newTarget);
  },
  get(target, name) {
    return name === "now" ? () => RealDate.now() + step : Reflect.get(target, name);
  },
});

process.on("SIGUSR2", () => {
  step = Number(readFileSync(process.env.CLOCK_STEP, "utf8"));
});
