/** Readings per second of the analytics alone, without Node-RED. */
import { planFeatures, RollingFeatures } from "../../core/rolling-features.ts";
import { ZScoreDetector } from "../../core/z-score.ts";
import { readings } from "./readings.ts";
import { judged, type Row, undisturbed } from "./report.ts";

const DEVICES = 100;
const ROUNDS = 60;
const BATCHES_PER_ROUND = 60;

/** Arrays of 1000 through rolling-features and z-score-anomaly, 4 metrics a reading. */
export function measureCore(): Row {
  const plan = planFeatures({
    window: "count",
    size: 20,
    features: ["mean", "stdev", "min", "max"],
    timeOfDay: false,
    missing: "skip",
  });
  const detection = {
    method: "standard",
    windowSize: 20,
    threshold: 3,
    baseline: "previous",
    minimumSamples: 10,
    direction: "both",
    learning: "normal-only",
    relearnAfter: 20,
    minimumDeviation: 0,
  } as const;
  const devices = Array.from({ length: DEVICES }, () => ({
    features: new RollingFeatures(plan),
    detector: new ZScoreDetector("z-score-anomaly", detection),
  }));
  let batches = 0;
  const round = () => {
    let elapsed = 0;
    for (let count = 0; count < BATCHES_PER_ROUND; count++) {
      const batch = readings(batches++, DEVICES);
      const start = performance.now();
      for (const [index, reading] of batch.entries()) devices[index % DEVICES]?.features.push(reading);
      for (const [index, reading] of batch.entries()) {
        const verdict = devices[index % DEVICES]?.detector.push(reading);
        if (verdict) reading.verdicts = { [verdict.detector]: verdict };
      }
      elapsed += performance.now() - start;
    }
    return (BATCHES_PER_ROUND * 1000 * 1000) / elapsed;
  };
  const rates = Array.from({ length: ROUNDS }, round);
  return judged({
    name: "core: rolling-features and z-score-anomaly, arrays of 1000",
    value: undisturbed(rates),
    unit: "readings/s",
    target: { atLeast: 1_000_000 },
  });
}
