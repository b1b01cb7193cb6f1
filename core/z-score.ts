/** The z-score detector of one device: how far each metric lies from its own recent values, in deviations. */

import type { Baseline, BaselineState, Comparison, ExponentialState, WindowState } from "./baseline.ts";
import { MAX_MAGNITUDE } from "./baseline.ts";
import { ExponentialMoments } from "./exponential-moments.ts";
import { MAX_METRICS, requireRoom } from "./limits.ts";
import type { MetricFilter } from "./names.ts";
import { SortedWindow } from "./sorted-window.ts";
import { isTrusted } from "./trust.ts";
import type { MetricVerdict, Reading, Verdict } from "./types.ts";
import { WindowMoments } from "./window-moments.ts";

/** The largest score in size; also what a value gets that differs from a perfectly flat baseline. */
export const MAX_SCORE = 1e6;

export interface ZScoreOptions {
  /**
   * `standard`: mean and sample deviation of the window; `robust`: median and 1.4826 × median absolute deviation of the
   * window; `ewma`: exponentially weighted mean and deviation.
   */
  method: "standard" | "robust" | "ewma";
  /** Readings in the window; of `ewma` the span, whose newest value weighs 2 / (span + 1). From 2 on. */
  windowSize: number;
  /** Deviations beyond which a value is an anomaly. 0 to MAX_SCORE. */
  threshold: number;
  /** Compare with the values before this reading, or with those including it. */
  baseline: "previous" | "including";
  /** No verdict while the baseline holds fewer values. A full window is always enough, and two are the least. */
  minimumSamples: number;
  /** Which side of the expected value is watched. */
  direction: "both" | "above" | "below";
  /** `normal-only`: anomalies don't enter the baseline, until there are `relearnAfter` in a row. */
  learning: "all" | "normal-only";
  /** Anomalies in a row of a metric that show a new level: its baseline starts anew from exactly those. From 1 on. */
  relearnAfter: number;
  /** Floor of the deviation, in the unit of the metric. 0 to MAX_MAGNITUDE. */
  minimumDeviation: number;
}

/** What a detector has learnt, as plain JSON: by metric its baseline, and the latest anomalies if there are some in a row. */
export interface ZScoreState {
  metrics: [metric: string, baseline: BaselineState, anomalies?: number[]][];
}

/** Where a comparison is written to: one for all, as each is read at once. */
const comparison: Comparison = { count: 0, expected: 0, difference: 0, deviation: 0 };

/**
 * Detects values that lie further from the centre of a metric's baseline than `threshold` deviations.
 *
 * A value that differs from a flat baseline (deviation 0) scores ±MAX_SCORE, an equal one 0. A reading may lack metrics:
 * each has a baseline of its own, that of its newest values. Readings that are not to be trusted,
 * see trust.ts, teach nothing and get no verdict.
 *
 * Cost a metric: O(1) amortised, `robust` O(log windowSize) and a memmove; 16 × windowSize bytes, `ewma` none.
 */
export class ZScoreDetector {
  readonly name: string;
  readonly #options: Readonly<ZScoreOptions>;
  /** Values that a baseline must hold for a verdict. */
  readonly #required: number;
  readonly #baselines = new Map<string, Baseline>();
  /** Latest anomalies in a row, of the metrics that have some, when only normal values are learnt. */
  #anomalies: Map<string, number[]> | undefined;

  /**
   * @param name stands in the verdicts
   * @throws RangeError when an option is out of its range
   */
  constructor(name: string, options: Readonly<ZScoreOptions>) {
    const { method, windowSize, threshold, minimumSamples, relearnAfter, minimumDeviation } = options;
    requireInteger("windowSize", windowSize, 2);
    requireInteger("minimumSamples", minimumSamples, 0);
    requireInteger("relearnAfter", relearnAfter, 1);
    requireNumber("threshold", threshold, MAX_SCORE);
    requireNumber("minimumDeviation", minimumDeviation, MAX_MAGNITUDE);
    this.name = name;
    this.#options = options;
    this.#required = Math.max(2, method === "ewma" ? minimumSamples : Math.min(minimumSamples, windowSize));
  }

  /**
   * Restores what `toJSON` gave, so that the detector goes on as if it had never stopped. With other options it takes
   * over what it can: of a larger window the newest values that fit; nothing where sums can't become values.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   * @throws RangeError when an option is out of its range
   */
  static from(name: string, options: Readonly<ZScoreOptions>, state: unknown): ZScoreDetector {
    requireState(state);
    const detector = new ZScoreDetector(name, options);
    for (const [metric, baseline, anomalies] of state.metrics) {
      const restored = restoreBaseline(options, baseline);
      if (restored) detector.#baselines.set(metric, restored);
      if (restored && anomalies && options.learning === "normal-only") {
        detector.#anomalies ??= new Map();
        detector.#anomalies.set(metric, anomalies.slice());
      }
    }
    return detector;
  }

  /**
   * What `push` would return. Changes nothing.
   *
   * @throws RangeError when the device would have more than MAX_METRICS metrics
   */
  score(reading: Reading, accepts?: MetricFilter): Verdict | undefined {
    return this.#run(reading, accepts, false);
  }

  /**
   * Judges the reading, then learns from it.
   *
   * @returns undefined while no metric of the reading has a baseline of `minimumSamples` values
   * @throws RangeError when the device would have more than MAX_METRICS metrics; nothing is learnt then
   */
  push(reading: Reading, accepts?: MetricFilter): Verdict | undefined {
    return this.#run(reading, accepts, true);
  }

  toJSON(): ZScoreState {
    return {
      metrics: Array.from(this.#baselines, ([metric, baseline]) => {
        const anomalies = this.#anomalies?.get(metric);
        return anomalies ? [metric, baseline.toJSON(), anomalies.slice()] : [metric, baseline.toJSON()];
      }),
    };
  }

  #run(reading: Reading, accepts: MetricFilter | undefined, learns: boolean): Verdict | undefined {
    if (!isTrusted(reading)) return undefined;
    const values = reading.metrics;
    requireRoom(this.#baselines, values, accepts);
    let metrics: Record<string, MetricVerdict> | undefined;
    let isAnomaly = false;
    let score = 0;
    for (const name in values) {
      // Readings have no such metric (see reading.ts); here it would become the prototype of the verdict's metrics.
      if (name === "__proto__" || (accepts && !accepts(name))) continue;
      const value = values[name] as number;
      const baseline = this.#baselines.get(name);
      const verdict = baseline && this.#judge(baseline, value);
      if (verdict) {
        metrics ??= {};
        metrics[name] = verdict;
        isAnomaly ||= verdict.isAnomaly;
        score = Math.max(score, Math.abs(verdict.score));
      }
      if (learns) this.#learn(name, value, baseline, verdict);
    }
    if (!metrics) return undefined;
    // Built up, as each metric's: the engine comes to take literals here for objects that live long, and under load they
    // pile up among those until it looks there.
    const verdict = {} as Verdict;
    verdict.detector = this.name;
    verdict.isAnomaly = isAnomaly;
    verdict.score = score;
    verdict.threshold = this.#options.threshold;
    verdict.metrics = metrics;
    return verdict;
  }

  #judge(baseline: Baseline, value: number): MetricVerdict | undefined {
    const { threshold, direction, minimumDeviation } = this.#options;
    baseline.compare(bounded(value), this.#options.baseline === "including", comparison);
    if (comparison.count < this.#required) return undefined;
    const { expected, difference } = comparison;
    const deviation = Math.max(comparison.deviation, minimumDeviation);
    const ratio = difference === 0 ? 0 : difference / deviation;
    const score = Math.max(-MAX_SCORE, Math.min(MAX_SCORE, ratio));
    const size = direction === "above" ? score : direction === "below" ? -score : Math.abs(score);
    const verdict = {} as MetricVerdict;
    verdict.value = value;
    verdict.expected = expected;
    if (direction !== "above") verdict.lower = expected - threshold * deviation;
    if (direction !== "below") verdict.upper = expected + threshold * deviation;
    verdict.score = score;
    verdict.isAnomaly = size > threshold;
    return verdict;
  }

  #learn(name: string, value: number, baseline: Baseline | undefined, verdict: MetricVerdict | undefined): void {
    const learnt = bounded(value);
    if (verdict?.isAnomaly && this.#options.learning === "normal-only") {
      this.#setAside(name, learnt);
    } else if (baseline) {
      baseline.push(learnt);
      this.#anomalies?.delete(name);
    } else {
      this.#baselines.set(name, startBaseline(this.#options, [learnt]));
    }
  }

  /** Keeps an anomaly out of the baseline, unless it completes a row: then the row is the new baseline. */
  #setAside(name: string, value: number): void {
    this.#anomalies ??= new Map();
    const row = this.#anomalies.get(name) ?? [];
    row.push(value);
    if (row.length < this.#options.relearnAfter) {
      this.#anomalies.set(name, row);
    } else {
      this.#anomalies.delete(name);
      this.#baselines.set(name, startBaseline(this.#options, row));
    }
  }
}

/** The value that statistics count. */
function bounded(value: number): number {
  return Math.max(-MAX_MAGNITUDE, Math.min(MAX_MAGNITUDE, value));
}

function startBaseline({ method, windowSize }: Readonly<ZScoreOptions>, values: readonly number[]): Baseline {
  const baseline =
    method === "standard"
      ? new WindowMoments(windowSize)
      : method === "robust"
        ? new SortedWindow(windowSize)
        : new ExponentialMoments(windowSize);
  for (const value of values) baseline.push(value);
  return baseline;
}

/** @returns undefined when the state holds sums and the method needs values */
function restoreBaseline(options: Readonly<ZScoreOptions>, state: BaselineState): Baseline | undefined {
  const { method, windowSize } = options;
  if ("values" in state) {
    return method === "standard" ? WindowMoments.from(windowSize, state) : startBaseline(options, state.values);
  }
  return method === "ewma" ? ExponentialMoments.from(windowSize, state) : undefined;
}

function requireInteger(option: string, value: number, minimum: number): void {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new RangeError(`${option} must be an integer from ${minimum} on`);
  }
}

function requireNumber(option: string, value: number, maximum: number): void {
  if (!(value >= 0 && value <= maximum)) throw new RangeError(`${option} must be a number from 0 to ${maximum}`);
}

function requireState(state: unknown): asserts state is ZScoreState {
  const metrics = isRecord(state) ? state.metrics : undefined;
  if (!Array.isArray(metrics)) throw new TypeError('the state of a z-score detector has "metrics"');
  if (metrics.length > MAX_METRICS) throw new TypeError(`the state has more than ${MAX_METRICS} metrics`);
  for (const entry of metrics) {
    const [metric, baseline, anomalies]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof metric !== "string") throw new TypeError("the state has a metric without a name");
    if (
      !(isWindowState(baseline) || isExponentialState(baseline)) ||
      !(anomalies === undefined || isValues(anomalies))
    ) {
      throw new TypeError(`the state of metric ${JSON.stringify(metric)} can't be read`);
    }
  }
}

function isWindowState(state: unknown): state is WindowState {
  if (!isRecord(state) || !isValues(state.values)) return false;
  const { values, newer } = state;
  return newer === undefined || (Number.isInteger(newer) && Number(newer) >= 0 && Number(newer) <= values.length - 2);
}

function isExponentialState(state: unknown): state is ExponentialState {
  if (!isRecord(state) || !isValues(state.mean) || state.mean.length !== 2) return false;
  const { count, weight, pairs, squares } = state;
  if (!Number.isInteger(count) || ![weight, pairs, squares].every(Number.isFinite)) return false;
  return Number(weight) >= 1 && Number(squares) >= 0 && (count === 1 || (Number(count) > 1 && Number(pairs) > 0));
}

/** True for values that `bounded` has let through. */
function isValues(values: unknown): values is number[] {
  return (
    Array.isArray(values) && values.every((value) => typeof value === "number" && Math.abs(value) <= MAX_MAGNITUDE)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
