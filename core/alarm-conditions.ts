/** The table of conditions: which there are, and what a reading, a window or a status event says of each. */

import { SEVERITIES } from "./alarm.ts";
import type { LevelRule } from "./alarm-levels.ts";
import { isBeyond } from "./comparison.ts";
import { ownOf } from "./names.ts";
import type { Reading, Severity, Verdict, WindowResult } from "./types.ts";
import { mainVerdict, verdictOf } from "./verdicts.ts";

/** A row of the table: one level of a condition. */
export interface AlarmCondition extends LevelRule {
  /** Rows of the same name are levels of one alarm, told apart by their severity. */
  readonly name: string;
  readonly source: "metric" | "flag" | "health" | "anomaly" | "offline" | "remainingUsefulLife";
  /** Which metric (of a window: `metric.function`), flag, detector or quantile; empty for any or the usual one. */
  readonly match: string;
  readonly comparison: ">" | ">=" | "<" | "<=";
  readonly limit: number;
  /** Beyond the limit as long as the value has not passed this; the limit itself if absent. */
  readonly resetLimit?: number | undefined;
  readonly severity: Severity;
  /** True if the alarm stands until it is reset. */
  readonly latch: boolean;
  /** What to do. */
  readonly advice: string;
}

/** A condition with its levels, the mildest first. */
export interface Condition {
  readonly name: string;
  readonly source: AlarmCondition["source"];
  readonly match: string;
  /** True if its levels have limits. Other sources only say that something is so. */
  readonly hasLimits: boolean;
  readonly levels: readonly AlarmCondition[];
}

/** What is said of a condition: a value to be compared with limits, or whether it is so. */
export interface Sample {
  isSo: boolean;
  value: number | undefined;
  limit: number | undefined;
  metric: string | undefined;
  unit: string | undefined;
}

/**
 * Puts the rows of a table together.
 *
 * @throws RangeError when rows contradict each other
 */
export function conditionsOf(rows: readonly AlarmCondition[]): Condition[] {
  const byName = new Map<string, AlarmCondition[]>();
  rows.forEach((row, index) => {
    const levels = byName.get(row.name) ?? [];
    const problem = problemOf(row, levels);
    if (problem) throw new RangeError(`row ${index + 1}: ${problem}`);
    byName.set(row.name, [...levels, row]);
  });
  return Array.from(byName, ([name, levels]) => {
    const { source, match } = levels[0] as AlarmCondition;
    const hasLimits = source === "metric" || source === "health" || source === "remainingUsefulLife";
    levels.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
    return { name, source, match, hasLimits, levels };
  });
}

function problemOf(row: AlarmCondition, levels: readonly AlarmCondition[]): string | undefined {
  const { name, source, match, comparison, limit, resetLimit, occurrences, withinReadings, severity } = row;
  if ((source === "metric" || source === "flag") && match === "") return `match must name the ${source}`;
  if (occurrences > withinReadings) return "occurrences must not be above withinReadings";
  if (resetLimit !== undefined && (comparison[0] === ">" ? resetLimit > limit : resetLimit < limit)) {
    return "resetLimit must lie on the good side of limit";
  }
  const [first] = levels;
  if (first && (first.source !== source || first.match !== match || first.comparison !== comparison)) {
    return `the levels of ${name} must have the same source, match and comparison`;
  }
  if (levels.some((level) => level.severity === severity)) return `${name} has a level ${severity} already`;
  return undefined;
}

/** Writes what a reading says of a condition into `sample`. False if it says nothing. */
export function measureReading(condition: Condition, reading: Reading, sample: Sample): boolean {
  const { source, match } = condition;
  switch (source) {
    case "metric":
      return setValue(sample, reading.metrics[match], match, ownOf(reading.units, match));
    case "health":
      return setValue(sample, reading.health?.score);
    case "remainingUsefulLife": {
      const life = (reading as { remainingUsefulLife?: unknown }).remainingUsefulLife;
      return isRecord(life) && setValue(sample, life[match || "p50"]);
    }
    case "flag": {
      const health: unknown = reading.health;
      if (!isRecord(health) || !Array.isArray(health.flags)) return false;
      const { contributors } = health;
      const found: unknown = Array.isArray(contributors) && contributors.find((each) => each?.flag === match);
      const unit = isRecord(found) && typeof found.unit === "string" ? found.unit : undefined;
      setValue(sample, isRecord(found) ? found.value : undefined, undefined, unit);
      sample.limit = isRecord(found) ? numberOf(found.limit) : undefined;
      sample.isSo = health.flags.includes(match);
      return true;
    }
    case "anomaly": {
      const verdict = match === "" ? mainVerdict(reading) : verdictOf(reading, match);
      if (verdict === undefined) return false;
      setValue(sample, verdict.score, verdict.isAnomaly ? worstMetric(verdict) : undefined);
      sample.limit = verdict.threshold;
      sample.isSo = verdict.isAnomaly;
      return true;
    }
    case "offline":
      return false;
  }
}

/** Writes what a window says of a condition into `sample`. False if it says nothing. */
export function measureWindow({ source, match }: Condition, { metrics }: WindowResult, sample: Sample): boolean {
  const dot = match.lastIndexOf(".");
  if (source !== "metric" || dot < 0) return false;
  const found: unknown = metrics[match.slice(0, dot)];
  return isRecord(found) && setValue(sample, found[match.slice(dot + 1)], match);
}

/** Writes into `sample` that something is so, or not, for how many seconds. */
export function measureFact(isSo: boolean, seconds: number | undefined, sample: Sample): void {
  setValue(sample, seconds, undefined, seconds === undefined ? undefined : "s");
  sample.isSo = isSo;
}

/** True if a value is beyond a limit, or has not yet passed the level's reset limit, which moves with the limit. */
export function isHolding(value: number, level: AlarmCondition, limit: number): boolean {
  const { comparison, resetLimit } = level;
  if (isBeyond(value, comparison, limit)) return true;
  if (resetLimit === undefined) return false;
  const reset = limit === level.limit ? resetLimit : limit + (resetLimit - level.limit);
  return comparison[0] === ">" ? value >= reset : value <= reset;
}

/** A property may be what every object has, such as "constructor", or foreign: then it is no value. */
function setValue(sample: Sample, value: unknown, metric?: string, unit?: string): boolean {
  sample.value = numberOf(value);
  sample.limit = undefined;
  sample.metric = metric;
  sample.unit = unit;
  return sample.value !== undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function worstMetric({ metrics }: Verdict): string | undefined {
  let worst: string | undefined;
  let highest = -1;
  for (const metric in metrics) {
    const size = Math.abs(numberOf(metrics[metric]?.score) ?? 0);
    if (metrics[metric]?.isAnomaly && size > highest) [worst, highest] = [metric, size];
  }
  return worst;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
