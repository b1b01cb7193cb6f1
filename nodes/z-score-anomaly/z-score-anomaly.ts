/** z-score-anomaly: readings that lie too many deviations away from what their device usually shows. */
import { ZScoreDetector } from "../../core/z-score.ts";
import { defineDetector } from "../lib/detector.ts";
import { options } from "./options.ts";

export default defineDetector("z-score-anomaly", options, {
  version: 1,
  create: (name, settings) => new ZScoreDetector(name, settings),
  restore: (name, settings, saved) => ZScoreDetector.from(name, settings, saved),
});
