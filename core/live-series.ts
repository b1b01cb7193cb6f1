/** The recent past of one device, as the charts of a page take it. What a chart looks like is up to the page. */
import { nameFilter, ownOf } from "./names.ts";
import type { Reading, Verdict } from "./types.ts";
import { metricVerdict } from "./verdicts.ts";

/** A line of a chart, see elements/chart-data.ts. */
export interface LiveLine {
  name: string;
  role: "value" | "mean" | "lower" | "upper" | "anomaly" | "limit";
  unit?: string;
  values: (number | null)[];
}

/** A chart of one metric, of the health or of the anomaly score. */
export interface LiveChart {
  title: string;
  /** ms since 1970, ascending. */
  time: number[];
  series: LiveLine[];
  gapSeconds: number;
  maxPoints: number;
  range?: [number, number];
}

/** What has come since a chart was sent; the values by line, in their order. */
export interface LiveAppend {
  append: { time: number[]; values: (number | null)[][] };
}

/** How far a client has been told of a chart: the number of points that it was made of. */
export type Position = number;

/** More metrics than this are not kept of a device; nothing but a faulty one has so many. */
const MAX_METRICS = 200;

/** Scores beyond so many thresholds are drawn there: a flat signal's first wiggle scores 10⁶, and would dwarf all else. */
const SCORE_LIMIT = 5;

/** A silence of so many usual intervals is a gap. */
const GAP_INTERVALS = 5;

/** More limits than this are not drawn of a device. */
const MAX_LIMITS = 100;

/** A limit of a metric, drawn across its chart. */
export interface LiveLimit {
  metric: string;
  name: string;
  value: number;
}

const METRIC_LINES: [role: LiveLine["role"], name?: string][] = [
  ["value"],
  ["mean", "mean"],
  ["lower", "lower"],
  ["upper", "upper"],
  ["anomaly", "anomalies"],
];

interface Kept {
  points: Points;
  title: string;
  unit: string | undefined;
  lines: LiveLine["role"][];
  names: string[];
  range?: [number, number];
  limits: readonly LiveLimit[];
}

/** Titles of the charts that are of no metric; a metric of the same name has one of its own. */
export const HEALTH = "health";
export const SCORE = "anomaly score";

type AnalysedReading = Reading & { features?: Record<string, Record<string, unknown>> };

/**
 * Keeps the last `capacity` values of each metric of one device, with their rolling mean, limits of normal and
 * anomalies, and of its health and anomaly score; and the limits that somebody has set for it.
 *
 * Cost of a reading: O(its metrics). Memory: up to 28 bytes a value of a metric, taken as it is needed.
 */
export class LiveSeries {
  readonly #capacity: number;
  readonly #metrics = new Map<string, Kept>();
  readonly #health: Kept;
  readonly #score: Kept;
  #limits: readonly LiveLimit[] = [];
  /** Of the latest reading. */
  #quality: Reading["quality"];

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#health = this.#keep(HEALTH, undefined, ["value"], [HEALTH]);
    // With room for a line at the very top.
    this.#health.range = [0, 105];
    this.#score = this.#keep(SCORE, undefined, ["value", "limit", "anomaly"], ["score", "threshold", "anomalies"]);
  }

  /** The quality of the latest reading, unless that is good. */
  get quality(): "stale" | "bad" | undefined {
    return this.#quality === "good" ? undefined : this.#quality;
  }

  /** Names of the metrics with their units, in the order in which they first came. */
  get metrics(): { name: string; unit?: string }[] {
    return Array.from(this.#metrics, ([name, { unit }]) => ({ name, ...(unit && { unit }) }));
  }

  /** All that there are charts of, as one text: it changes when there is more to choose from, or other limits. */
  get offer(): string {
    return JSON.stringify([this.metrics, this.#limits, this.#health.points.length > 0, this.#score.points.length > 0]);
  }

  /** Draws these limits from now on, in place of those before. */
  setLimits(limits: readonly LiveLimit[]): void {
    this.#limits = limits.slice(0, MAX_LIMITS);
    for (const [name, kept] of this.#metrics) kept.limits = this.#limitsOf(name);
  }

  /** Takes a reading. One that is older than what is kept of a metric is left out there: a chart runs forward. */
  push(reading: AnalysedReading): void {
    const { timestamp, metrics, units, features, health, verdicts, quality } = reading;
    this.#quality = quality;
    if (quality === "bad") return;
    const verdict = worstOf(verdicts);
    for (const name in metrics) {
      const kept = this.#metrics.get(name) ?? this.#addMetric(name);
      if (!kept) continue;
      const value = metrics[name] as number;
      const own = metricVerdict(verdicts, name);
      kept.unit = ownOf(units, name) ?? kept.unit;
      const { points } = kept;
      if (!points.add(timestamp)) continue;
      points.set(0, value);
      points.set(1, ownOf(features, name)?.mean);
      points.set(2, own?.lower);
      points.set(3, own?.upper);
      points.set(4, own?.isAnomaly ? value : undefined);
    }
    if (health && this.#health.points.add(timestamp)) this.#health.points.set(0, health.score);
    if (verdict && this.#score.points.add(timestamp)) {
      const score = Math.min(Math.abs(verdict.score), SCORE_LIMIT * verdict.threshold);
      const { points } = this.#score;
      points.set(0, score);
      points.set(1, verdict.threshold);
      points.set(2, verdict.isAnomaly ? score : undefined);
    }
  }

  /** The charts of these metrics, then those of health and anomaly score, where there is anything of them. */
  charts(metrics: readonly string[]): { id: string; chart: LiveChart; position: Position }[] {
    return this.#chosen(metrics).map(([id, kept]) => ({
      id,
      chart: chartOf(kept, this.#capacity),
      position: kept.points.count,
    }));
  }

  /** What has come to a chart since a position. Undefined where the chart must be sent anew, or nothing has come. */
  since(id: string, position: Position): { append: LiveAppend; position: Position } | undefined {
    const kept = this.#byId(id);
    const added = kept ? kept.points.count - position : 0;
    if (!kept || added <= 0) return undefined;
    const from = Math.max(0, kept.points.length - added);
    const time = kept.points.times(from);
    const values = [
      ...kept.lines.map((_, line) => kept.points.line(line, from)),
      ...kept.limits.map(({ value }) => time.map(() => value)),
    ];
    return { append: { append: { time, values } }, position: kept.points.count };
  }

  #chosen(metrics: readonly string[]): [id: string, kept: Kept][] {
    const ids = [...metrics.map((name) => `metric ${name}`), SCORE, HEALTH];
    return ids.flatMap((id): [string, Kept][] => {
      const kept = this.#byId(id);
      return kept && kept.points.length > 0 ? [[id, kept]] : [];
    });
  }

  #byId(id: string): Kept | undefined {
    if (id === HEALTH) return this.#health;
    if (id === SCORE) return this.#score;
    return this.#metrics.get(id.slice("metric ".length));
  }

  #addMetric(name: string): Kept | undefined {
    if (this.#metrics.size >= MAX_METRICS) return undefined;
    const roles = METRIC_LINES.map(([role]) => role);
    const kept = this.#keep(
      name,
      undefined,
      roles,
      METRIC_LINES.map(([, title]) => title ?? name),
    );
    kept.limits = this.#limitsOf(name);
    this.#metrics.set(name, kept);
    return kept;
  }

  #limitsOf(name: string): LiveLimit[] {
    return this.#limits.filter(({ metric }) => metric === name);
  }

  #keep(title: string, unit: string | undefined, lines: LiveLine["role"][], names: string[]): Kept {
    return { title, unit, lines, names, limits: [], points: new Points(lines.length, this.#capacity) };
  }
}

/** Metrics to begin with: of those that are there, the preferred ones in their order, then the others. */
export function firstMetrics(names: readonly string[], preferred: readonly string[], count: number): string[] {
  const filters = preferred.map((pattern) => nameFilter([pattern]) ?? (() => true));
  const rank = (name: string) => {
    const index = filters.findIndex((isMeant) => isMeant(name));
    return index < 0 ? preferred.length : index;
  };
  return [...names].sort((a, b) => rank(a) - rank(b)).slice(0, count);
}

function chartOf({ title, unit, lines, names, limits, points, range }: Kept, capacity: number): LiveChart {
  const time = points.times(0);
  const lineOf = (name: string, role: LiveLine["role"], values: LiveLine["values"]): LiveLine => {
    return { name, role, ...(unit && { unit }), values };
  };
  const series = [
    ...lines.map((role, line) => lineOf(names[line] as string, role, points.line(line, 0))),
    ...limits.map(({ name, value }) =>
      lineOf(
        name,
        "limit",
        time.map(() => value),
      ),
    ),
  ];
  return { title, time, series, gapSeconds: gapSeconds(time), maxPoints: capacity, ...(range && { range }) };
}

function gapSeconds(time: number[]): number {
  const intervals = time.slice(1).map((now, index) => now - (time[index] as number));
  const usual = intervals.sort((a, b) => a - b)[intervals.length >> 1] ?? 60_000;
  return (GAP_INTERVALS * Math.max(usual, 1000)) / 1000;
}

function worstOf(verdicts: Reading["verdicts"]): Verdict | undefined {
  let worst: Verdict | undefined;
  for (const name in verdicts) {
    const verdict = verdicts[name] as Verdict;
    if (!Number.isFinite(verdict?.score)) continue;
    const isWorse =
      !worst ||
      (verdict.isAnomaly === worst.isAnomaly ? Math.abs(verdict.score) > Math.abs(worst.score) : verdict.isAnomaly);
    if (isWorse) worst = verdict;
  }
  return worst;
}

/** The last rows of times and values, in arrays that grow up to a capacity. */
class Points {
  readonly #capacity: number;
  readonly #lines: number;
  #times = new Float64Array(16);
  /** A value of each line, row after row: one array, for each costs some 200 bytes besides its content. */
  #values: Float32Array;
  /** The last row, from which the others go back. */
  #row = -1;
  #latest = -Infinity;
  #length = 0;
  #count = 0;

  constructor(lines: number, capacity: number) {
    this.#capacity = capacity;
    this.#lines = lines;
    this.#values = new Float32Array(16 * lines);
  }

  /** How many there are now. */
  get length(): number {
    return this.#length;
  }

  /** How many there ever were. */
  get count(): number {
    return this.#count;
  }

  /** Begins a row, whose values are then to be set; false if it is not later than the last one. */
  add(time: number): boolean {
    if (time <= this.#latest) return false;
    this.#latest = time;
    this.#count++;
    if (this.#length === this.#times.length && this.#length < this.#capacity) this.#grow();
    this.#row = this.#row + 1 === this.#times.length ? 0 : this.#row + 1;
    if (this.#length < this.#times.length) this.#length++;
    this.#times[this.#row] = time;
    return true;
  }

  /** Sets the value of a line in the last row; what is no number is none. */
  set(line: number, value: unknown): void {
    this.#values[this.#row * this.#lines + line] = typeof value === "number" ? value : Number.NaN;
  }

  times(from: number): number[] {
    return Array.from({ length: this.#length - from }, (_, row) => this.#times[this.#index(from + row)] as number);
  }

  /** The values of a line, to the seven digits that they are kept with. */
  line(number: number, from: number): (number | null)[] {
    return Array.from({ length: this.#length - from }, (_, row) => {
      const value = this.#values[this.#index(from + row) * this.#lines + number] as number;
      return Number.isFinite(value) ? Number(value.toPrecision(7)) : null;
    });
  }

  /** Where a row stands, 0 being the oldest. */
  #index(row: number): number {
    const size = this.#times.length;
    return (this.#row + size - this.#length + 1 + row) % size;
  }

  /** Only while nothing has made room yet, so that the rows stand in their order. */
  #grow(): void {
    const size = Math.min(this.#times.length * 2, this.#capacity);
    const times = new Float64Array(size);
    times.set(this.#times);
    this.#times = times;
    const values = new Float32Array(size * this.#lines);
    values.set(this.#values);
    this.#values = values;
  }
}
