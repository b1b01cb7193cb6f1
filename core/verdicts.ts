/** What the detectors say of a reading, taken together. */
import { ownOf } from "./names.ts";
import type { MetricVerdict, Reading, Verdict } from "./types.ts";

/**
 * The verdict that speaks for all: the first that is an anomaly, else any; undefined if no detector has judged the
 * reading. What is not a verdict is passed over, for nobody has checked what stands there. Cost: O(detectors).
 */
export function mainVerdict({ verdicts }: Reading): Verdict | undefined {
  let main: Verdict | undefined;
  for (const detector in verdicts) {
    const verdict: unknown = verdicts[detector];
    if (!isVerdict(verdict)) continue;
    if (verdict.isAnomaly) return verdict;
    main = verdict;
  }
  return main;
}

/** The verdict of one detector, or undefined. */
export function verdictOf({ verdicts }: Reading, detector: string): Verdict | undefined {
  const verdict: unknown = verdicts?.[detector];
  return isVerdict(verdict) ? verdict : undefined;
}

/** What the detectors say of a metric: the first that knows it, or the first that finds it anomalous. */
export function metricVerdict(verdicts: Reading["verdicts"], metric: string): MetricVerdict | undefined {
  let first: MetricVerdict | undefined;
  for (const name in verdicts) {
    const own = ownOf(verdicts[name]?.metrics, metric);
    if (own?.isAnomaly) return own;
    first ??= own;
  }
  return first;
}

function isVerdict(value: unknown): value is Verdict {
  if (typeof value !== "object" || value === null) return false;
  const { isAnomaly, score, threshold } = value as Record<string, unknown>;
  return typeof isAnomaly === "boolean" && Number.isFinite(score) && Number.isFinite(threshold);
}
