/** What the readings in a window add up to. */
import { MAX_METRICS, requireRoom } from "../limits.ts";
import type { MetricFilter } from "../names.ts";
import type { Reading, WindowResult } from "../types.ts";
import { mainVerdict } from "../verdicts.ts";
import { MetricSummary, type MetricSummaryState, type SummaryPlan } from "./metric-summary.ts";

/** A result, but for the name of the group that it is of. */
export type ClosedWindow = Omit<WindowResult, "group">;

/** A summary as plain JSON. */
export interface WindowSummaryState {
  count: number;
  anomalyCount: number;
  metrics: [name: string, state: MetricSummaryState][];
}

/** Counts readings and sums up each of their metrics. Cost and memory: see MetricSummary, for each metric. */
export class WindowSummary {
  readonly #plan: SummaryPlan;
  readonly #metrics = new Map<string, MetricSummary>();
  #count = 0;
  #anomalyCount = 0;

  constructor(plan: SummaryPlan) {
    this.#plan = plan;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not what `toJSON` gives with this plan
   */
  static from(plan: SummaryPlan, state: unknown): WindowSummary {
    const { count, anomalyCount, metrics } = (state ?? {}) as Record<keyof WindowSummaryState, unknown>;
    const isWhole = Number.isSafeInteger(count) && Number.isSafeInteger(anomalyCount) && Array.isArray(metrics);
    if (!isWhole) throw new TypeError("the state of a window can't be read");
    const summary = new WindowSummary(plan);
    summary.#count = Number(count);
    summary.#anomalyCount = Number(anomalyCount);
    for (const [name, metric] of metrics) summary.#metrics.set(String(name), MetricSummary.from(plan, metric));
    return summary;
  }

  /** Readings. */
  get count(): number {
    return this.#count;
  }

  /**
   * Takes in a reading.
   *
   * @throws RangeError when there would be more than MAX_METRICS metrics; nothing is changed then
   */
  push(reading: Reading, accepts: MetricFilter | undefined): void {
    const { metrics, timestamp } = reading;
    const isSummed = this.#plan.functions.length > 0;
    if (isSummed && this.#metrics.size > 0) requireRoom(this.#metrics, metrics, accepts);
    this.#count++;
    if (mainVerdict(reading)?.isAnomaly) this.#anomalyCount++;
    if (!isSummed) return;
    for (const name in metrics) {
      if (accepts && !accepts(name)) continue;
      this.#metric(name).push(metrics[name] as number, timestamp);
    }
  }

  /** Takes in all readings of another summary of the same plan, which stays as it is. Metrics beyond MAX_METRICS not. */
  merge(other: WindowSummary): void {
    this.#count += other.#count;
    this.#anomalyCount += other.#anomalyCount;
    for (const [name, metric] of other.#metrics) {
      if (this.#metrics.size < MAX_METRICS || this.#metrics.has(name)) this.#metric(name).merge(metric);
    }
  }

  /** The result of a window from `windowStart` to `windowEnd` with these readings. */
  result(windowStart: number, windowEnd: number, isUpdate: boolean): ClosedWindow {
    return {
      windowStart,
      windowEnd,
      count: this.#count,
      anomalyCount: this.#anomalyCount,
      isUpdate,
      metrics: Object.fromEntries(Array.from(this.#metrics, ([name, metric]) => [name, metric.result()])),
    };
  }

  toJSON(): WindowSummaryState {
    return {
      count: this.#count,
      anomalyCount: this.#anomalyCount,
      metrics: Array.from(this.#metrics, ([name, metric]) => [name, metric.toJSON()]),
    };
  }

  #metric(name: string): MetricSummary {
    let metric = this.#metrics.get(name);
    if (metric === undefined) {
      metric = new MetricSummary(this.#plan);
      this.#metrics.set(name, metric);
    }
    return metric;
  }
}
