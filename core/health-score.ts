/** The health of one device: points that rules take off 100. Limits that were set by command live in health-limits.ts. */
import { type Comparison, isBeyond } from "./comparison.ts";
import type { Health, HealthContributor, Reading } from "./types.ts";
import { mainVerdict } from "./verdicts.ts";

/** A rule takes `penalty` points off and raises `flag` while a metric is beyond a limit. */
export interface HealthRule {
  flag: string;
  metric: string;
  /** `drop`: the metric fell by more than the limit since the reading before. */
  comparison: Comparison | "drop";
  /** In the unit of the metric. */
  limit: number;
  /** Points, from 0. */
  penalty: number;
}

export interface HealthOptions {
  /** Rules of one flag are its levels: of those that match, the one with the largest penalty counts, once. */
  rules: readonly HealthRule[];
  /** `sum`: all penalties count. `worst`: the largest counts, of the second a half, of the third a quarter, … */
  combine: "sum" | "worst";
  /** Points for the flag "anomaly", raised while any detector says so; 0 for none. */
  anomalyPenalty: number;
  /** Scores below are a warning. */
  warningBelow: number;
  /** Scores below are critical. */
  criticalBelow: number;
}

/** What is known of a device, as plain JSON. */
export interface HealthState {
  metrics: [metric: string, value: number, timestamp: number, fall?: number][];
  judged?: Judged;
  status?: Health["status"];
}

/** The verdict at the latest time for which there is one. */
interface Judged {
  timestamp: number;
  isAnomaly: boolean;
  score: number;
  threshold: number;
}

interface Measured {
  value: number;
  timestamp: number;
  /** How far the value fell to this one; negative if it rose, undefined for a first one. */
  fall: number | undefined;
}

/**
 * Scores the readings of one device in the order in which they arrive.
 *
 * A rule whose metric is missing in a reading goes by the metric's latest value, so that devices that send each metric
 * in a reading of its own have one health and not one a metric. In the same way readings with one timestamp share their
 * verdicts, and a reading without verdicts leaves the anomaly as it was. A reading that is older than its predecessor,
 * or its duplicate, says nothing of a fall. Readings of bad quality change nothing.
 *
 * Cost of a reading: O(rules). Memory: O(metrics that rules name).
 */
export class HealthScore {
  readonly #options: HealthOptions;
  readonly #metrics = new Map<string, Measured>();
  #judged: Judged | undefined;
  #status: Health["status"] | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /**
   * Restores what `toJSON` gave; what concerns metrics that no rule names is left out.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(options: HealthOptions, state: unknown): HealthScore {
    requireState(state);
    const score = new HealthScore(options);
    for (const [metric, value, timestamp, fall] of state.metrics) {
      if (options.rules.some((rule) => rule.metric === metric)) score.#metrics.set(metric, { value, timestamp, fall });
    }
    if (options.anomalyPenalty > 0) score.#judged = state.judged;
    score.#status = state.status;
    return score;
  }

  /** The status at the latest reading that had a health. */
  get status(): Health["status"] | undefined {
    return this.#status;
  }

  /**
   * The health after a reading.
   *
   * @param limits limits in force, one a rule; those of the rules themselves by default
   * @returns undefined for a reading of bad quality, and as long as no rule's metric and no verdict has come
   */
  push(reading: Reading, limits?: readonly number[]): Health | undefined {
    if (reading.quality === "bad") return undefined;
    this.#measure(reading);
    this.#judge(reading);
    if (this.#metrics.size === 0 && this.#judged === undefined) return undefined;
    const health = this.#health(limits, reading.units);
    this.#status = health.status;
    return health;
  }

  toJSON(): HealthState {
    return {
      metrics: Array.from(this.#metrics, ([metric, { value, timestamp, fall }]) =>
        fall === undefined ? [metric, value, timestamp] : [metric, value, timestamp, fall],
      ),
      ...(this.#judged && { judged: this.#judged }),
      ...(this.#status && { status: this.#status }),
    };
  }

  #measure({ metrics, timestamp }: Reading): void {
    // A metric that several rules name is measured again for each, as its own duplicate.
    for (const { metric } of this.#options.rules) {
      const value = metrics[metric];
      // A rule may name what every object has, such as "constructor".
      if (typeof value !== "number") continue;
      const known = this.#metrics.get(metric);
      if (known === undefined) {
        this.#metrics.set(metric, { value, timestamp, fall: undefined });
      } else {
        if (timestamp > known.timestamp || (timestamp === known.timestamp && value !== known.value)) {
          known.fall = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, known.value - value));
        }
        known.value = value;
        known.timestamp = timestamp;
      }
    }
  }

  #judge(reading: Reading): void {
    const verdict = this.#options.anomalyPenalty > 0 ? mainVerdict(reading) : undefined;
    if (verdict === undefined) return;
    const { timestamp } = reading;
    if (!verdict.isAnomaly && this.#judged?.timestamp === timestamp) return;
    const { isAnomaly, score, threshold } = verdict;
    this.#judged = { timestamp, isAnomaly, score, threshold };
  }

  #health(limits: readonly number[] | undefined, units: Reading["units"]): Health {
    const { rules, combine, anomalyPenalty, warningBelow, criticalBelow } = this.#options;
    const contributors: HealthContributor[] = [];
    for (let index = 0; index < rules.length; index++) {
      const { flag, metric, comparison, limit: ownLimit, penalty } = rules[index] as HealthRule;
      const measured = this.#metrics.get(metric);
      const value = comparison === "drop" ? measured?.fall : measured?.value;
      const limit = limits?.[index] ?? ownLimit;
      if (value === undefined || !isBeyond(value, comparison === "drop" ? ">" : comparison, limit)) continue;
      const unit = units?.[metric];
      add(contributors, { flag, penalty, value, limit, ...(typeof unit === "string" && { unit }) });
    }
    if (this.#judged?.isAnomaly) {
      const { score: value, threshold: limit } = this.#judged;
      add(contributors, { flag: "anomaly", penalty: anomalyPenalty, value, limit });
    }
    if (contributors.length > 1) contributors.sort((a, b) => b.penalty - a.penalty);
    let score = 100;
    let share = 1;
    for (const contributor of contributors) {
      contributor.penalty *= share;
      score -= contributor.penalty;
      if (combine === "worst") share /= 2;
    }
    score = Math.max(0, score);
    const status = score < criticalBelow ? "critical" : score < warningBelow ? "warning" : "healthy";
    return { score, status, flags: contributors.map(({ flag }) => flag), contributors };
  }
}

/** Adds what a rule found, unless a worse level of its flag is there. */
function add(contributors: HealthContributor[], contributor: HealthContributor): void {
  const index = contributors.findIndex(({ flag }) => flag === contributor.flag);
  const other = contributors[index];
  if (other === undefined) contributors.push(contributor);
  else if (contributor.penalty > other.penalty) contributors[index] = contributor;
}

function requireState(state: unknown): asserts state is HealthState {
  const { metrics, judged, status } = (isRecord(state) ? state : {}) as Record<string, unknown>;
  const areMetrics = Array.isArray(metrics) && metrics.every(isMetric);
  const areVerdicts = judged === undefined || isJudged(judged);
  const isStatus = [undefined, "healthy", "warning", "critical"].includes(status as Health["status"]);
  if (!(areMetrics && areVerdicts && isStatus)) throw new TypeError("it is not the state of a health score");
}

function isMetric(entry: unknown): boolean {
  if (!Array.isArray(entry)) return false;
  const [metric, value, timestamp, fall = 0] = entry;
  return typeof metric === "string" && [value, timestamp, fall].every(Number.isFinite);
}

function isJudged(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { isAnomaly, timestamp, score, threshold } = value;
  return typeof isAnomaly === "boolean" && [timestamp, score, threshold].every(Number.isFinite);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
