import { flag, integer, number, oneOf, text } from "../lib/options.ts";

/** Kinds of devices that can be simulated. */
export const PROFILES = ["machine", "environment", "electrical", "building", "server"] as const;

export const options = {
  name: text(""),
  profile: oneOf("machine", [...PROFILES, "replay"]),
  devices: integer(4, { min: 1, max: 100_000 }),
  devicePrefix: text("R"),
  intervalSeconds: number(5, { min: 0.01, max: 86_400 }),
  jitterPercent: number(0, { min: 0, max: 100 }),
  seed: integer(1),
  faultsPerDeviceDay: number(0, { min: 0, max: 100_000 }),
  file: text(""),
  speed: number(1, { min: 0 }),
  loop: flag(false),
  timestamps: oneOf("now", ["now", "original"]),
  emit: oneOf("each", ["each", "batch"]),
  autoStart: flag(true),
};
