/** The rolling features of one device: numbers that sum up the latest values of each metric, added to its readings. */

import { MAX_METRICS, requireRoom } from "./limits.ts";
import {
  type Feature,
  isMetricState,
  MetricFeatures,
  type MetricPlan,
  type MetricState,
  planMetric,
} from "./metric-features.ts";
import type { MetricFilter } from "./names.ts";
import { ALWAYS_PRESENT, isUsual, withReading } from "./presence.ts";
import { timeOfDay } from "./time-of-day.ts";
import { MAX_TIMESTAMP } from "./timestamp.ts";
import type { Features, Reading } from "./types.ts";

export interface FeatureOptions {
  /** What `size` counts: readings that have the metric, or seconds. */
  window: "count" | "time";
  /** Readings from 2 to MAX_VALUES, or seconds above 0. */
  size: number;
  features: readonly Feature[];
  /** Adds `features.time` (see TimeOfDay). */
  timeOfDay: boolean;
  /** What a reading without a metric means for that metric: nothing, or its latest value once more. */
  missing: "skip" | "forward-fill";
}

/** What is worked out of a reading. One plan serves any number of devices. */
export interface FeaturePlan {
  readonly metric: MetricPlan;
  readonly hasTimeOfDay: boolean;
  readonly fillsGaps: boolean;
}

/** What is known of a device, as plain JSON. */
export interface FeatureState {
  /** Of windows of time: when they end, ms since 1970. */
  newest?: number;
  /** How many readings in a row were too late. */
  late?: number;
  metrics: [metric: string, state: MetricState, presence?: number][];
}

/** After so many readings in a row that are too late, the device's clock is taken to have been set back. */
const LATE_LIMIT = 3;

/** The newest time of a device that has sent nothing: times are not negative. */
const NEVER = -1;

/** How many readings before the first one with a metric are filled at most: as many as isUsual allows after it. */
const BACK_FILL_LIMIT = 8;

/** @throws RangeError when the size is not possible */
export function planFeatures({ window, size, features, timeOfDay, missing }: Readonly<FeatureOptions>): FeaturePlan {
  return {
    metric: planMetric(window, size, features),
    hasTimeOfDay: timeOfDay,
    fillsGaps: missing === "forward-fill",
  };
}

/**
 * Adds features to the readings of one device: `reading.features[metric][feature]`, beside what is there already.
 *
 * A window of a number of readings takes a metric's values in the order in which they arrive. A window of time holds
 * those of (t − size, t], where t is the newest time that a reading of the device has had. A reading that is too late
 * for it gets no features and changes nothing; but the third of these in a row starts the device's windows anew, for its
 * clock has been set back. A reading of bad quality gets nothing and changes nothing.
 *
 * `forward-fill`: a reading that lacks a metric which at least half of the device's latest 16 readings had (this one
 * included, and those from before the metric was new as if they had had it) counts with the metric's latest value. Only
 * the features tell of it, the reading's metrics stay as they were measured.
 *
 * Cost of a reading: see MetricFeatures for each of its metrics; with `forward-fill` O(metrics of the device).
 */
export class RollingFeatures {
  readonly #plan: FeaturePlan;
  readonly #metrics = new Map<string, MetricFeatures>();
  /** By metric, when gaps are filled. */
  readonly #presences: Map<string, number> | undefined;
  #newest = NEVER;
  #late = 0;

  constructor(plan: FeaturePlan) {
    this.#plan = plan;
    if (plan.fillsGaps) this.#presences = new Map();
  }

  /**
   * Restores what `toJSON` gave, so that it goes on as if it had never stopped. With another plan it takes over what it
   * can: of a larger window the newest values that fit, and nothing where there are no times and times are needed.
   *
   * @throws TypeError when `state` is not what `toJSON` gives
   */
  static from(plan: FeaturePlan, state: unknown): RollingFeatures {
    requireState(state);
    const restored = new RollingFeatures(plan);
    for (const [name, metricState, presence = ALWAYS_PRESENT] of state.metrics) {
      const metric = MetricFeatures.from(plan.metric, metricState);
      if (!metric) continue;
      restored.#metrics.set(name, metric);
      restored.#presences?.set(name, presence);
    }
    if (plan.metric.isTimed) {
      restored.#newest = state.newest ?? NEVER;
      restored.#late = state.late ?? 0;
    }
    return restored;
  }

  /**
   * Takes in a reading and adds the features to it.
   *
   * @param batch the device's latest readings in the array that this one is part of, which it joins: with
   *   `forward-fill`, those that lack a metric that is new to the device get features as if they had its first value
   * @throws RangeError when the device would have more than MAX_METRICS metrics; nothing is changed then
   */
  push(reading: Reading, accepts?: MetricFilter, batch?: Reading[]): void {
    if (reading.quality === "bad") return;
    requireRoom(this.#metrics, reading.metrics, accepts);
    if (this.#isInTime(reading.timestamp, batch)) this.#takeIn(reading, accepts, batch);
    if (this.#plan.hasTimeOfDay) addFeatures(reading, { time: timeOfDay(reading.timestamp) });
  }

  toJSON(): FeatureState {
    const state: FeatureState = {
      metrics: Array.from(this.#metrics, ([name, metric]) => {
        const presence = this.#presences?.get(name);
        return presence === undefined ? [name, metric.toJSON()] : [name, metric.toJSON(), presence];
      }),
    };
    if (this.#newest > NEVER) state.newest = this.#newest;
    if (this.#late > 0) state.late = this.#late;
    return state;
  }

  /** Moves the end of a window of time. False if the reading is too late for it. */
  #isInTime(timestamp: number, batch: Reading[] | undefined): boolean {
    const { isTimed, span } = this.#plan.metric;
    if (!isTimed) return true;
    if (timestamp > this.#newest - span) {
      if (timestamp > this.#newest) this.#newest = timestamp;
      this.#late = 0;
      return true;
    }
    if (++this.#late < LATE_LIMIT) return false;
    this.#late = 0;
    this.#newest = timestamp;
    this.#metrics.clear();
    this.#presences?.clear();
    batch?.splice(0);
    return true;
  }

  #takeIn(reading: Reading, accepts: MetricFilter | undefined, batch: Reading[] | undefined): void {
    const { metrics, timestamp } = reading;
    const horizon = this.#newest - this.#plan.metric.span;
    let found: Features | undefined;
    for (const name in metrics) {
      // Readings have no such metric (see reading.ts); here it would become the prototype of the features.
      if (name === "__proto__" || (accepts && !accepts(name))) continue;
      const value = metrics[name] as number;
      const metric = this.#metrics.get(name) ?? this.#addMetric(name, value, batch);
      found ??= {};
      found[name] = metric.push(value, timestamp, horizon);
    }
    if (found) addFeatures(reading, found);
    if (this.#presences) this.#fillGaps(this.#presences, reading, accepts, horizon);
    if (!batch) return;
    if (batch.length === BACK_FILL_LIMIT) batch.shift();
    batch.push(reading);
  }

  #addMetric(name: string, value: number, batch: Reading[] = []): MetricFeatures {
    const metric = new MetricFeatures(this.#plan.metric);
    this.#metrics.set(name, metric);
    if (this.#presences) {
      this.#presences.set(name, ALWAYS_PRESENT);
      const before = batch.slice(batch.findLastIndex(({ metrics }) => Object.hasOwn(metrics, name)) + 1);
      for (const reading of before) {
        const { timestamp } = reading;
        addFeatures(reading, { [name]: metric.push(value, timestamp, timestamp - this.#plan.metric.span) });
      }
    }
    return metric;
  }

  #fillGaps(
    presences: Map<string, number>,
    reading: Reading,
    accepts: MetricFilter | undefined,
    horizon: number,
  ): void {
    for (const [name, metric] of this.#metrics) {
      const isPresent = Object.hasOwn(reading.metrics, name);
      const presence = withReading(presences.get(name) ?? ALWAYS_PRESENT, isPresent);
      presences.set(name, presence);
      if (isPresent || !isUsual(presence) || (accepts && !accepts(name))) continue;
      addFeatures(reading, { [name]: metric.push(metric.latest, reading.timestamp, horizon) });
    }
  }
}

/** Adds features to a reading, beside those that it has. */
function addFeatures(reading: Reading, found: Features): void {
  const { features } = reading;
  if (typeof features !== "object" || features === null) reading.features = found;
  else for (const name of Object.keys(found)) features[name] = { ...features[name], ...found[name] };
}

function requireState(state: unknown): asserts state is FeatureState {
  if (!isRecord(state) || !Array.isArray(state.metrics))
    throw new TypeError('the state of rolling features has "metrics"');
  const { newest, late, metrics } = state;
  if (metrics.length > MAX_METRICS) throw new TypeError(`the state has more than ${MAX_METRICS} metrics`);
  if (!(isAbsentOr(newest, MAX_TIMESTAMP) && isAbsentOr(late, LATE_LIMIT - 1))) {
    throw new TypeError("the times of the state can't be read");
  }
  for (const entry of metrics) {
    const [name, metric, presence]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof name !== "string") throw new TypeError("the state has a metric without a name");
    if (!(isMetricState(metric) && isAbsentOr(presence, ALWAYS_PRESENT))) {
      throw new TypeError(`the state of metric ${JSON.stringify(name)} can't be read`);
    }
  }
}

function isAbsentOr(value: unknown, largest: number): boolean {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= largest);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
