/**
 * A historian in an InfluxDB: 1.x, or 2.x and 3.x by their API of 1.x.
 *
 * With 1.x it looks after a retention policy `device_analytics_raw`, in which everything lies as it was written (the
 * measurements, tags and fields of core/history/types.ts), together with marks `rollup_due` of hours that are to be
 * rolled up, and one `device_analytics_archive` with the roll-ups `readings_5m` and `readings_1h`, tags device and
 * location, fields `count_temperature`, `sum_…`, `min_…`, `max_…` and `mean_…`, and the same of `isAnomaly` in
 * `verdicts_5m` and `verdicts_1h`. Policies of others are left alone. 2.x and 3.x know no policies of ours: everything lies
 * where the database leads to, and nothing is rolled up.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { HOUR, keptSince, type Level, levelFor, RAW, ROLLED_UP_MEASUREMENTS } from "../../core/history/levels.ts";
import { decodeName, encodeName } from "../../core/history/lines.ts";
import { compareTags, compareTexts, tagsKey } from "../../core/history/order.ts";
import { StatisticsTable } from "../../core/history/statistics.ts";
import {
  type Aggregate,
  type AggregateFunction,
  type AggregateQuery,
  type Catalogue,
  type Chunk,
  type FieldValue,
  MEASUREMENTS,
  type Measurement,
  type PointTags,
  type RowOptions,
  type Selection,
  type Statistics,
  type StatisticsQuery,
  TAGS,
  type Tag,
} from "../../core/history/types.ts";
import { QueryError, type RefusedLine, StoreUnavailable } from "../lib/historian.ts";
import type { Engine, Retention } from "./engine.ts";
import { AggregateTable } from "./influx-aggregates.ts";
import { InfluxConnection, type InfluxSettings, type Series, type WriteAnswer } from "./influx-connection.ts";
import { ARCHIVE_POLICY, InfluxPolicies, RAW_POLICY } from "./influx-policies.ts";
import { InfluxRollUps, marksOf, ROLL_UPS, rollUpMeasurement } from "./influx-rollups.ts";
import { ALL_TAGS, field, identifier, tagged, within } from "./influxql.ts";

const LINE_FEED = 0x0a;

/** How often refused lines are divided with both halves written at once. */
const PARALLEL_DEPTH = 3;

/** Sets of tags that are asked for in one request. */
const SETS_AT_ONCE = 100;

/** Fields that are asked for in one statement. */
const FIELDS_AT_ONCE = 50;

/** What functions are called in InfluxQL. */
const INFLUX_NAMES: Partial<Record<AggregateFunction, string>> = { stdev: "stddev" };

/** What a roll-up is asked for, so that the rest follows from it. */
const PARTS: Partial<Record<AggregateFunction, AggregateFunction[]>> = {
  mean: ["sum"],
  sum: ["sum"],
  min: ["min"],
  max: ["max"],
};

interface Column {
  field: string;
  part: AggregateFunction;
}

/** One statement of an aggregation, and what its columns after the time are. */
interface AggregateStatement {
  text: string;
  columns: Column[];
}

/** What of an aggregation is the same at all levels. `step`: length of the intervals that are asked for, ms. */
interface Question extends Pick<AggregateQuery, "measurement" | "tags" | "groupBy"> {
  step: number | undefined;
  parts: AggregateFunction[];
}

/** History in an InfluxDB. It opens with the first use, and anew after it was away. */
export class InfluxHistorian implements Engine {
  readonly engine = "influxdb";
  readonly location: string;
  readonly #database: string;
  readonly #retentionDays: number;
  readonly #connection: InfluxConnection;
  readonly #policies: InfluxPolicies;
  readonly #rollUps: InfluxRollUps;
  #opening: Promise<void> | undefined;
  /** Whether this is 1.x, where policies are looked after. */
  #hasPolicies = true;

  /** Throws a SettingError. */
  constructor(settings: InfluxSettings & Retention) {
    this.#database = settings.database;
    this.#retentionDays = settings.retentionDays;
    this.#connection = new InfluxConnection(settings);
    this.#policies = new InfluxPolicies(this.#connection, settings);
    this.#rollUps = new InfluxRollUps(this.#connection, settings.database);
    this.location = this.#connection.location;
  }

  async check(): Promise<{ version: string }> {
    const version = await this.#version();
    await (this.#hasPolicies ? this.#policies.check() : this.#policies.requireDatabase());
    return { version };
  }

  rawSince(now: number): number {
    return this.#hasPolicies ? Math.max(keptSince(this.#retentionDays, now), this.#rollUps.since) : -Infinity;
  }

  write(lines: Uint8Array): Promise<RefusedLine[]> {
    return this.#use(async () => {
      const marks = this.#marks(lines);
      if (lines.length === 0 || (await this.#post(lines, marks)).status === 204) return [];
      const refused = await this.#divide(lines, 0, 0);
      // Again, with a new stamp: an hour may have been rolled up while its lines were sought.
      await this.#post(this.#marks(lines));
      return refused;
    });
  }

  async *rows(selection: Selection, { limitPerSeries, newestFirst, signal }: RowOptions = {}): AsyncIterable<Chunk> {
    if (isEmpty(selection)) return;
    await this.#open();
    const select = `SELECT ${selection.fields?.map(field) ?? "*::field"} FROM ${this.#source(selection.measurement)}`;
    const range = within(selection.from, selection.to);
    const order = newestFirst ? " ORDER BY time DESC" : "";
    const limit = limitPerSeries === undefined ? "" : ` LIMIT ${limitPerSeries}`;
    // InfluxDB has an order of its own for sets of tags: they are found first, and asked for one after the other.
    const sets: PointTags[] = [];
    const finding = `${select} WHERE ${range}${tagged(selection.tags)} GROUP BY ${ALL_TAGS} LIMIT 1`;
    for await (const { tags } of this.#query([finding], signal)) sets.push(pointTags(tags));
    sets.sort(compareTags);
    for (let start = 0; start < sets.length; start += SETS_AT_ONCE) {
      const asked = sets.slice(start, start + SETS_AT_ONCE);
      const statements = asked.map((tags) => `${select} WHERE ${range}${tagged(exactly(tags))}${order}${limit}`);
      for await (const series of this.#query(statements, signal)) yield chunkOf(asked[series.statement] ?? {}, series);
    }
  }

  async latest(selection: Selection, signal?: AbortSignal): Promise<Chunk[]> {
    if (isEmpty(selection)) return [];
    await this.#open();
    const names = selection.fields ?? [...(await this.#fields(selection.measurement, signal)).keys()];
    const condition = `${within(selection.from, selection.to)}${tagged(selection.tags)} GROUP BY ${ALL_TAGS}`;
    const source = this.#source(selection.measurement);
    const found = new Map<string, { tags: PointTags; instants: Map<number, Map<string, FieldValue>> }>();
    for (let start = 0; start < names.length; start += FIELDS_AT_ONCE) {
      const asked = names.slice(start, start + FIELDS_AT_ONCE);
      const statements = asked.map((name) => `SELECT last(${field(name)}) FROM ${source} WHERE ${condition}`);
      for await (const { statement, tags, values } of this.#query(statements, signal)) {
        const set = getOrAdd(found, tagsKey(tags), () => ({ tags: pointTags(tags), instants: new Map() }));
        for (const [time, value] of values) {
          const instant = getOrAdd(set.instants, Number(time), () => new Map<string, FieldValue>());
          instant.set(asked[statement] ?? "", decoded(value ?? ""));
        }
      }
    }
    const sets = [...found.values()].sort((a, b) => compareTags(a.tags, b.tags));
    return sets.flatMap(({ tags, instants }) =>
      [...instants]
        .sort(([a], [b]) => a - b)
        .map(([time, fields]) => ({
          tags,
          times: [time],
          fields: [...fields.keys()],
          values: [...fields.values()].map((value) => [value]),
        })),
    );
  }

  async aggregate(query: AggregateQuery): Promise<Aggregate[]> {
    if (isEmpty(query)) return [];
    await this.#open();
    const { from, to, every, functions, signal } = query;
    const kinds = await this.#fields(query.measurement, signal);
    const names = [...new Set(query.fields ?? kinds.keys())];
    const numbers = names.filter((name) => kinds.get(name) === "number");
    const texts = names.filter((name) => kinds.get(name) === "text");
    const level = this.#hasPolicies ? levelFor(query, this.rawSince(Date.now())) : RAW;
    const statements = this.#statements({ ...query, step: every, parts: ["count"] }, RAW, texts, from, to);
    if (level === RAW) {
      const question = { ...query, step: every, parts: [...new Set<AggregateFunction>(["count", ...functions])] };
      statements.push(...this.#statements(question, RAW, numbers, from, to));
    } else {
      // Whole buckets; one counts for the interval in which it begins.
      const start = Math.ceil(from / level) * level;
      const end = Math.ceil(to / level) * level;
      const step = every !== undefined && every % level !== 0 ? level : every;
      const parts = new Set<AggregateFunction>(["count", ...functions.flatMap((name) => PARTS[name] ?? [])]);
      const question = { ...query, step, parts: [...parts] };
      for (const piece of await this.#use(() => this.#rollUps.pieces(query.measurement, start, end, signal))) {
        statements.push(...this.#statements(question, piece.isRolledUp ? level : RAW, numbers, piece.from, piece.to));
      }
    }
    if (statements.length === 0) return [];
    const table = new AggregateTable(query);
    for await (const { statement, tags, values } of this.#query(
      statements.map(({ text }) => text),
      signal,
    )) {
      table.add(pointTags(tags), statements[statement]?.columns ?? [], values);
    }
    return table.result();
  }

  async statistics(query: StatisticsQuery): Promise<Statistics[]> {
    const { limit = Infinity } = query;
    const table = new StatisticsTable(query);
    for await (const chunk of this.rows(query, query)) {
      table.addChunk(chunk);
      if (table.size > limit) {
        throw new QueryError(`the answer has more than ${limit} results: ask for fewer devices or metrics`);
      }
    }
    const results: Statistics[] = [];
    for (const result of table.results()) {
      results.push(result);
      // Each is sorted, so that others have their turn in between.
      await nextTurn();
    }
    return results;
  }

  async catalogue(): Promise<Catalogue> {
    await this.#open();
    const tags = new Map<string, Set<string>>(TAGS.map((tag) => [tag, new Set()]));
    const fields = {} as Record<Measurement, string[]>;
    const rollUps = ROLLED_UP_MEASUREMENTS.flatMap((name) => ROLL_UPS.map((level) => rollUpMeasurement(name, level)));
    const sources = [...MEASUREMENTS, ...rollUps].map(identifier).join();
    const statement = `SHOW TAG VALUES FROM ${sources} WITH KEY IN (${ALL_TAGS})`;
    for await (const { values } of this.#query([statement])) {
      for (const [tag, value] of values) tags.get(String(tag))?.add(decodeName(String(value)));
    }
    for (const measurement of MEASUREMENTS) {
      const kinds = await this.#fields(measurement);
      fields[measurement] = [...kinds.keys()].filter((name) => kinds.get(name) === "number").sort(compareTexts);
    }
    const sorted = TAGS.map((tag) => [tag, [...(tags.get(tag) ?? [])].sort(compareTexts)]);
    return { tags: Object.fromEntries(sorted) as Record<Tag, string[]>, fields };
  }

  maintain(now: number): Promise<void> {
    return this.#use(async () => {
      if (this.#hasPolicies) await this.#rollUps.rollUp(now);
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #marks(lines: Uint8Array): Uint8Array {
    return this.#hasPolicies ? marksOf(lines, Date.now()) : new Uint8Array(0);
  }

  #post(...lines: Uint8Array[]): Promise<WriteAnswer> {
    return this.#connection.write(lines, this.#hasPolicies ? RAW_POLICY : "");
  }

  /**
   * Writes lines that were refused together, by halves, down to those that are refused alone: which they are, and how
   * many, InfluxDB does not tell reliably, and good ones may have been dropped with them. `first`: place of the first one.
   */
  async #divide(lines: Uint8Array, first: number, depth: number): Promise<RefusedLine[]> {
    const middle = lines.lastIndexOf(LINE_FEED, Math.max(0, (lines.length >> 1) - 1)) + 1 || endOfLine(lines);
    const head = lines.subarray(0, middle);
    const tail = lines.subarray(middle);
    const part = async (lines: Uint8Array, first: number) => {
      const { status, reason } = await this.#post(lines);
      if (status === 204) return [];
      if (endOfLine(lines) < lines.length) return await this.#divide(lines, first, depth + 1);
      const line = Buffer.from(lines).toString().replace(/\n$/, "");
      return [{ index: first, line, reason: aboutOneLine(reason) }];
    };
    if (tail.length === 0) return await part(head, first);
    const next = first + countLines(head);
    if (depth < PARALLEL_DEPTH) return (await Promise.all([part(head, first), part(tail, next)])).flat();
    return [...(await part(head, first)), ...(await part(tail, next))];
  }

  /** Names of the fields of a measurement, and what they hold. */
  async #fields(measurement: Measurement, signal?: AbortSignal): Promise<Map<string, "number" | "text">> {
    const rolledUp = this.#hasPolicies && ROLLED_UP_MEASUREMENTS.find((name) => name === measurement);
    const rollUp = rolledUp ? rollUpMeasurement(rolledUp, HOUR) : undefined;
    const sources = [this.#source(measurement), ...(rollUp === undefined ? [] : [this.#source(measurement, HOUR)])];
    const kinds = new Map<string, "number" | "text">();
    for await (const { name, values } of this.#query([`SHOW FIELD KEYS FROM ${sources}`], signal)) {
      for (const [key, type] of values) {
        const isNumber = type === "float" || type === "integer";
        if (name === rollUp && !String(key).startsWith("sum_")) continue;
        const field = decodeName(name === rollUp ? String(key).slice("sum_".length) : String(key));
        if (isNumber || !kinds.has(field)) kinds.set(field, isNumber ? "number" : "text");
      }
    }
    return kinds;
  }

  /** Statements that ask for parts of fields over a range at a level. */
  #statements(
    question: Question,
    level: Level,
    names: readonly string[],
    from: number,
    to: number,
  ): AggregateStatement[] {
    const { measurement, tags, groupBy, step, parts } = question;
    const groups = groupBy.map((tag) => `${identifier(tag)}::tag`);
    if (step !== undefined) groups.push(`time(${step}ms)`);
    const grouping = groups.length === 0 ? "" : ` GROUP BY ${groups}${step === undefined ? "" : " fill(none)"}`;
    const rest = `FROM ${this.#source(measurement, level)} WHERE ${within(from, to)}${tagged(tags)}${grouping}`;
    const statements: AggregateStatement[] = [];
    for (let start = 0; start < names.length; start += FIELDS_AT_ONCE) {
      const asked = names.slice(start, start + FIELDS_AT_ONCE);
      const columns = asked.flatMap((name) => parts.map((part) => ({ field: name, part })));
      statements.push({ text: `SELECT ${columns.map((column) => expression(column, level))} ${rest}`, columns });
    }
    return statements;
  }

  #source(measurement: Measurement, level: Level = RAW): string {
    if (!this.#hasPolicies) return identifier(measurement);
    const names = level === RAW ? [RAW_POLICY, measurement] : [ARCHIVE_POLICY, rollUpMeasurement(measurement, level)];
    return [this.#database, ...names].map(identifier).join(".");
  }

  async *#query(statements: readonly string[], signal?: AbortSignal): AsyncGenerator<Series> {
    try {
      yield* this.#connection.query(statements, signal);
    } catch (error) {
      throw this.#away(error);
    }
  }

  /** Does something in the opened store. */
  async #use<T>(action: () => Promise<T>): Promise<T> {
    await this.#open();
    try {
      return await action();
    } catch (error) {
      throw this.#away(error);
    }
  }

  /** What comes back after it was away may be another, or empty: it is opened anew. */
  #away(error: unknown): unknown {
    if (error instanceof StoreUnavailable) this.#opening = undefined;
    return error;
  }

  #open(): Promise<void> {
    this.#opening ??= this.#prepare().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #prepare(): Promise<void> {
    await this.#version();
    if (this.#hasPolicies) this.#rollUps.since = await this.#policies.ensure();
    else await this.#policies.requireDatabase();
  }

  async #version(): Promise<string> {
    const version = await this.#connection.version();
    if (version.startsWith("0.")) throw new StoreUnavailable(`InfluxDB ${version} is too old: 1.0 or later is needed`);
    this.#hasPolicies = version.startsWith("1.");
    return version;
  }
}

/** True if nothing can be selected. */
function isEmpty({ fields, tags = {}, from, to }: Selection): boolean {
  return from >= to || fields?.length === 0 || TAGS.some((tag) => tags[tag]?.length === 0);
}

/** Tags as they are outside of the store; empty ones are none. */
function pointTags(tags: Record<string, string>): PointTags {
  const result: PointTags = {};
  for (const tag of TAGS) if (tags[tag]) result[tag] = decodeName(tags[tag]);
  return result;
}

/** The condition to have these tags and no others. */
function exactly(tags: PointTags): Selection["tags"] {
  return Object.fromEntries(TAGS.map((tag) => [tag, [tags[tag] ?? ""]]));
}

/** A piece of an answer in columns, without those that hold nothing. */
function chunkOf(tags: PointTags, { columns, values }: Series): Chunk {
  const fields: string[] = [];
  const data: (FieldValue | null)[][] = [];
  for (const [place, column] of columns.entries()) {
    if (place === 0) continue;
    const cells = values.map((row) => decoded(row[place] ?? null));
    if (cells.every((cell) => cell === null)) continue;
    fields.push(decodeName(column));
    data.push(cells);
  }
  return { tags, times: values.map(([time]) => Number(time)), fields, values: data };
}

function decoded<T extends FieldValue | null>(value: T): T | string {
  return typeof value === "string" ? decodeName(value) : value;
}

/** A part of a field at a level. What has been counted and summed for buckets is summed. */
function expression({ field: name, part }: Column, level: Level): string {
  if (level === RAW) return `${INFLUX_NAMES[part] ?? part}(${field(name)})`;
  return `${part === "count" ? "sum" : part}(${identifier(`${part}_${encodeName(name)}`)}::field)`;
}

/** What the server says, without what it says of a whole batch. */
function aboutOneLine(reason: string): string {
  return reason.replace(/^partial write: /, "").replace(/ dropped=\d+$/, "");
}

function endOfLine(lines: Uint8Array): number {
  const feed = lines.indexOf(LINE_FEED);
  return feed < 0 ? lines.length : feed + 1;
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let feed = lines.indexOf(LINE_FEED); feed >= 0; feed = lines.indexOf(LINE_FEED, feed + 1)) count++;
  return count;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
