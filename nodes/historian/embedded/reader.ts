/**
 * The reading half of an embedded store. What takes long is a generator that yields `undefined` now and then, so that
 * several questions can be answered in turns. Between two steps no statement is left open, so none holds up writing.
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { FIVE_MINUTES, HOUR, keptSince, type Level, levelFor, RAW } from "../../../core/history/levels.ts";
import { compareTags, compareTexts } from "../../../core/history/order.ts";
import { StatisticsTable } from "../../../core/history/statistics.ts";
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
} from "../../../core/history/types.ts";
import { QueryError } from "../../lib/historian.ts";
import type { Retention } from "../engine.ts";
import { Block, type Column, placeOf } from "./block.ts";
import { ChunkBuilder } from "./chunk-builder.ts";
import { attempt, blockLength, droppedBefore, openForReading } from "./file.ts";
import { Interval } from "./interval.ts";
import { Summary, summaryColumns } from "./summary.ts";

/** Bytes of blocks that are read in one step: few at first, for often only the newest are asked for. */
const FIRST_PAGE_BYTES = 2 ** 14;
const PAGE_BYTES = 2 ** 20;

interface Field {
  id: number;
  name: string;
  isText: boolean;
}

interface TagSet {
  id: number;
  /** Without those that are missing. */
  tags: PointTags;
  /** In the order of their names. */
  fields: Field[];
}

/** A block where it belongs. */
interface PlacedBlock {
  /** Its beginning, ms since 1970. */
  start: number;
  block: Block;
}

interface State {
  raw_since: number | null;
  names_version: number;
}

interface BlockRow {
  block: number;
  data: Uint8Array;
}

type Steps<T, R = void> = Generator<T | undefined, R>;

/** Reads a store's file, which a StoreWriter has made. Its methods throw StoreUnavailable and QueryError. */
export class StoreReader {
  readonly #file: string;
  readonly #retention: Retention;
  readonly #database: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;
  /** In the order of the bytes of their tags. */
  #tagSets = new Map<Measurement, TagSet[]>();
  #namesVersion = -1;

  constructor(file: string, retention: Retention) {
    this.#file = file;
    this.#retention = retention;
    this.#database = openForReading(file);
    this.#sql = attempt(file, () => prepare(this.#database));
  }

  close(): void {
    this.#database.close();
  }

  check(): { version: string; bytes: number } {
    const { version } = this.#sql.version.get() as { version: string };
    const sizes = [this.#file, `${this.#file}-wal`].map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
    return { version: `SQLite ${version}`, bytes: sizes.reduce((sum, size) => sum + size) };
  }

  catalogue(): Catalogue {
    const tags = TAGS.map((tag) => [tag, this.#texts(`SELECT DISTINCT ${tag} FROM tag_sets WHERE ${tag} <> ''`)]);
    const fields = MEASUREMENTS.map((measurement) => [
      measurement,
      this.#texts("SELECT name FROM fields WHERE measurement = ? AND is_text = 0", measurement),
    ]);
    return { tags: Object.fromEntries(tags), fields: Object.fromEntries(fields) };
  }

  /** Points, one chunk a step. */
  *rows(selection: Selection, { limitPerSeries = Infinity, newestFirst = false }: RowOptions = {}): Steps<Chunk> {
    for (const { id, tags, fields } of this.#selected(selection)) {
      const builder = new ChunkBuilder(tags, fields);
      let left = limitPerSeries;
      for (const placed of this.#blocks(RAW, id, selection.from, selection.to, newestFirst)) {
        if (!placed) {
          yield;
          continue;
        }
        const { start, block } = placed;
        const { offsets } = block;
        const begin = placeOf(offsets, selection.from - start);
        const end = placeOf(offsets, selection.to - start);
        const columns = fields.map((field) => block.column(field.id));
        for (let index = 0; index < end - begin && left > 0; index++) {
          const place = newestFirst ? end - 1 - index : begin + index;
          if (builder.add(start + (offsets[place] as number), columns, place)) left--;
          if (builder.isFull) yield builder.take();
        }
        if (left <= 0) break;
      }
      yield builder.isEmpty ? undefined : builder.take();
    }
  }

  /** The last value of each field of each set of tags. */
  *latest(selection: Selection): Steps<never, Chunk[]> {
    const { from, to } = selection;
    const chunks: Chunk[] = [];
    for (const { id, tags, fields } of this.#selected(selection)) {
      const found = this.#lastValues(id, fields, from, to);
      for (const [time, values] of [...found].sort(([a], [b]) => a - b)) {
        chunks.push({ tags, times: [time], fields: [...values.keys()], values: [...values.values()].map((v) => [v]) });
      }
      yield;
    }
    return chunks;
  }

  /** Numbers over intervals. */
  *aggregate(query: AggregateQuery): Steps<never, Aggregate[]> {
    if (query.every !== undefined && !(query.every > 0)) throw new QueryError("an interval must be longer than 0 ms");
    const now = Date.now();
    const { raw_since } = this.#state();
    const rawSince = Math.max(keptSince(this.#retention.retentionDays, now), droppedBefore(raw_since, now));
    const level = levelFor(query, rawSince);
    const groups = new Groups(query, level !== RAW);
    for (const { id, tags, fields } of this.#selected(query)) {
      const raw = level === RAW ? fields : fields.filter(({ isText }) => isText);
      if (raw.length > 0) {
        for (const placed of this.#blocks(RAW, id, query.from, query.to)) {
          if (placed) groups.addRaw(tags, raw, placed, query.from, query.to);
          else yield;
        }
      }
      const rolledUp = level === RAW ? [] : fields.filter(({ isText }) => !isText);
      if (rolledUp.length > 0) this.#inSnapshot(() => this.#addRolledUp(groups, level, id, tags, rolledUp, query));
      yield;
    }
    return groups.result();
  }

  /** What is known of all numbers. */
  *statistics(query: StatisticsQuery): Steps<never, Statistics[]> {
    const { from, to, limit = Infinity } = query;
    const table = new StatisticsTable(query);
    for (const { id, tags, fields } of this.#selected(query)) {
      const numbers = fields
        .filter(({ isText }) => !isText)
        .map((field) => ({ id: field.id, key: table.keyOf(tags, field.name) }));
      if (numbers.length === 0) continue;
      for (const placed of this.#blocks(RAW, id, from, to)) {
        if (!placed) {
          yield;
          continue;
        }
        const { start, block } = placed;
        const begin = placeOf(block.offsets, from - start);
        const end = placeOf(block.offsets, to - start);
        for (const { id, key } of numbers) {
          const column = block.column(id);
          if (column) table.add(key, column, begin, end);
        }
      }
      if (table.size > limit) throw new QueryError(tooMany(limit, "results"));
      yield;
    }
    const results: Statistics[] = [];
    for (const result of table.results()) {
      results.push(result);
      yield;
    }
    return results;
  }

  /** What is rolled up comes from there, hours whose roll-up is missing or wrong from what was written. */
  #addRolledUp(groups: Groups, level: Level, id: number, tags: PointTags, fields: Field[], range: Selection): void {
    const { from, to } = range;
    const stale = (this.#sql.stale.all(id, Math.floor(from / HOUR), Math.ceil(to / HOUR)) as { hour: number }[]).map(
      ({ hour }) => hour,
    );
    const isStale = new Set(stale);
    for (const placed of this.#blocks(level, id, from, to)) {
      if (placed) groups.addRollUp(tags, fields, placed, from, to, (time) => isStale.has(Math.floor(time / HOUR)));
    }
    for (const hour of stale) {
      const begin = Math.max(from, hour * HOUR);
      const end = Math.min(to, (hour + 1) * HOUR);
      for (const placed of this.#blocks(RAW, id, begin, end)) {
        if (placed) groups.addRaw(tags, fields, placed, begin, end);
      }
    }
  }

  #lastValues(id: number, fields: readonly Field[], from: number, to: number): Map<number, Map<string, FieldValue>> {
    const found = new Map<number, Map<string, FieldValue>>();
    const first = Math.floor(from / FIVE_MINUTES);
    let missing = [...fields];
    let last = Math.ceil(to / FIVE_MINUTES) - 1;
    while (missing.length > 0 && last >= first) {
      const row = this.#sql.newestBlock.get(id, first, last) as unknown as BlockRow | undefined;
      if (!row) break;
      const start = row.block * FIVE_MINUTES;
      const block = new Block(row.data);
      const end = placeOf(block.offsets, to - start);
      const begin = placeOf(block.offsets, from - start);
      const columns = missing.map((field) => block.column(field.id));
      missing = missing.filter(({ name }, index) => {
        const place = lastPlace(columns[index], begin, end);
        if (place < 0) return true;
        const time = start + (block.offsets[place] as number);
        const values = found.get(time) ?? new Map<string, FieldValue>();
        found.set(time, values.set(name, columns[index]?.[place] as FieldValue));
        return false;
      });
      last = Math.max(...missing.map((field) => Math.min(this.#lastBlock(id, field), row.block - 1)));
    }
    return found;
  }

  #lastBlock(tagSet: number, { id }: Field): number {
    const row = this.#sql.lastBlock.get(tagSet, id) as { last_block: number } | undefined;
    return row?.last_block ?? -Infinity;
  }

  #state(): State {
    return this.#sql.state.get() as unknown as State;
  }

  /** Blocks with times of a range, page by page, with `undefined` between two pages. */
  *#blocks(level: Level, id: number, from: number, to: number, newestFirst = false): Steps<PlacedBlock> {
    const length = blockLength(level);
    const statement = newestFirst ? this.#sql.blocksBackwards : this.#sql.blocks;
    let first = Math.floor(from / length);
    let last = Math.ceil(to / length) - 1;
    for (let limit = FIRST_PAGE_BYTES; ; limit = Math.min(4 * limit, PAGE_BYTES)) {
      const page: BlockRow[] = [];
      let bytes = 0;
      for (const row of statement.iterate(level, id, first, last) as Iterable<unknown> as Iterable<BlockRow>) {
        page.push(row);
        bytes += row.data.length;
        if (bytes >= limit) break;
      }
      for (const { block, data } of page) yield { start: block * length, block: new Block(data) };
      const end = page.at(-1);
      if (bytes < limit || !end) return;
      if (newestFirst) last = end.block - 1;
      else first = end.block + 1;
      yield;
    }
  }

  /** Sets of tags with the fields that are meant, if they have any of these. */
  *#selected({ measurement, fields, tags = {} }: Selection): Generator<TagSet> {
    this.#renewNames();
    const names = fields && new Set(fields);
    const wanted = TAGS.flatMap((tag) => (tags[tag] ? [[tag, new Set(tags[tag])] as const] : []));
    for (const tagSet of this.#tagSets.get(measurement) ?? []) {
      if (!wanted.every(([tag, values]) => values.has(tagSet.tags[tag] ?? ""))) continue;
      const chosen = names ? tagSet.fields.filter(({ name }) => names.has(name)) : tagSet.fields;
      if (chosen.length > 0) yield { ...tagSet, fields: chosen };
    }
  }

  #renewNames(): void {
    this.#inSnapshot(() => {
      const { names_version } = this.#state();
      if (names_version === this.#namesVersion) return;
      const fields = new Map<number, Field>();
      for (const row of this.#sql.fields.iterate() as Iterable<unknown>) {
        const { id, name, is_text } = row as { id: number; name: string; is_text: number };
        fields.set(id, { id, name, isText: is_text === 1 });
      }
      const known = new Map<number, TagSet>();
      this.#tagSets = new Map();
      for (const row of this.#sql.tagSets.iterate() as Iterable<unknown>) {
        const { id, measurement, ...names } = row as { id: number; measurement: Measurement } & Record<Tag, string>;
        const tags: PointTags = {};
        for (const tag of TAGS) if (names[tag]) tags[tag] = names[tag];
        const tagSet = { id, tags, fields: [] };
        known.set(id, tagSet);
        const others = this.#tagSets.get(measurement);
        if (others) others.push(tagSet);
        else this.#tagSets.set(measurement, [tagSet]);
      }
      for (const row of this.#sql.series.iterate() as Iterable<unknown>) {
        const { tag_set, field } = row as { tag_set: number; field: number };
        known.get(tag_set)?.fields.push(fields.get(field) as Field);
      }
      this.#namesVersion = names_version;
    });
  }

  /** Does something while what others write stays unseen. */
  #inSnapshot(work: () => void): void {
    this.#database.exec("BEGIN");
    try {
      work();
    } finally {
      this.#database.exec("ROLLBACK");
    }
  }

  #texts(sql: string, ...values: string[]): string[] {
    return this.#database
      .prepare(`${sql} ORDER BY 1`)
      .all(...values)
      .map((row) => String(Object.values(row)[0]));
  }
}

/** The intervals of each field of each group. */
class Groups {
  readonly #query: AggregateQuery;
  readonly #isRolledUp: boolean;
  readonly #groups = new Map<string, { tags: PointTags; fields: Map<string, Map<number, Interval>> }>();
  #intervals = 0;

  constructor(query: AggregateQuery, isRolledUp: boolean) {
    this.#query = query;
    this.#isRolledUp = isRolledUp;
  }

  addRaw(tags: PointTags, fields: readonly Field[], { start, block }: PlacedBlock, from: number, to: number): void {
    const { offsets } = block;
    const begin = placeOf(offsets, from - start);
    const end = placeOf(offsets, to - start);
    for (const { id, name, isText } of fields) {
      const column = block.column(id);
      if (!column) continue;
      const intervals = this.#intervalsOf(tags, name);
      let interval: Interval | undefined;
      let until = -Infinity;
      for (let place = begin; place < end; place++) {
        const value = column[place];
        if (value === null || Number.isNaN(value)) continue;
        const time = start + (offsets[place] as number);
        if (time >= until || !interval) {
          const beginning = this.#beginningOf(time);
          interval = this.#intervalAt(intervals, beginning);
          until = beginning + (this.#query.every ?? Infinity);
        }
        if (isText) interval.addText();
        else interval.addNumber(value as number, time);
      }
    }
  }

  addRollUp(
    tags: PointTags,
    fields: readonly Field[],
    { start, block }: PlacedBlock,
    from: number,
    to: number,
    isStale: (time: number) => boolean,
  ): void {
    for (const { id, name } of fields) {
      const [counts, sums, mins, maxs] = summaryColumns(id).map((column) => block.column(column));
      if (!counts || !sums || !mins || !maxs) continue;
      const intervals = this.#intervalsOf(tags, name);
      const summary = new Summary();
      for (const [place, offset] of block.offsets.entries()) {
        const time = start + offset;
        if (time < from || time >= to || Number.isNaN(counts[place]) || isStale(time)) continue;
        summary.count = counts[place] as number;
        summary.sum = sums[place] as number;
        summary.min = mins[place] as number;
        summary.max = maxs[place] as number;
        this.#intervalAt(intervals, this.#beginningOf(time)).addSummary(summary);
      }
    }
  }

  result(): Aggregate[] {
    const results: Aggregate[] = [];
    const groups = [...this.#groups.values()].sort((a, b) => compareTags(a.tags, b.tags));
    for (const { tags, fields } of groups) {
      for (const [field, intervals] of [...fields].sort(([a], [b]) => compareTexts(a, b))) {
        if (intervals.size === 0) continue;
        const sorted = [...intervals].sort(([a], [b]) => a - b);
        const column = (name: AggregateFunction) =>
          sorted.map(([, interval]) => interval.value(name, this.#isRolledUp));
        results.push({
          tags,
          field,
          times: sorted.map(([time]) => time),
          columns: Object.fromEntries(this.#query.functions.map((name) => [name, column(name)])),
        });
      }
    }
    return results;
  }

  #beginningOf(time: number): number {
    const { every, from } = this.#query;
    return every === undefined ? from : Math.floor(time / every) * every;
  }

  #intervalsOf(tags: PointTags, field: string): Map<number, Interval> {
    const { groupBy } = this.#query;
    const key = JSON.stringify(groupBy.map((tag) => tags[tag]));
    let group = this.#groups.get(key);
    if (!group) {
      group = { tags: Object.fromEntries(groupBy.map((tag) => [tag, tags[tag] ?? ""])), fields: new Map() };
      this.#groups.set(key, group);
    }
    let intervals = group.fields.get(field);
    if (!intervals) {
      intervals = new Map();
      group.fields.set(field, intervals);
    }
    return intervals;
  }

  #intervalAt(intervals: Map<number, Interval>, beginning: number): Interval {
    let interval = intervals.get(beginning);
    if (!interval) {
      const { limit = Infinity } = this.#query;
      if (++this.#intervals > limit) {
        throw new QueryError(tooMany(limit, "intervals"));
      }
      interval = new Interval();
      intervals.set(beginning, interval);
    }
    return interval;
  }
}

function tooMany(limit: number, what: "intervals" | "results"): string {
  return `the answer has more than ${limit} ${what}: ask for longer intervals, a shorter range, or fewer devices or metrics`;
}

/** The last place with a value from `begin` to before `end`, or -1. */
function lastPlace(column: Column | undefined, begin: number, end: number): number {
  if (!column) return -1;
  for (let place = end - 1; place >= begin; place--) {
    const value = column[place];
    if (value !== null && !Number.isNaN(value)) return place;
  }
  return -1;
}

function prepare(database: DatabaseSync) {
  const statement = (sql: string) => database.prepare(sql);
  const range = "WHERE level = ? AND tag_set = ? AND block BETWEEN ? AND ? ORDER BY block";
  return {
    version: statement("SELECT sqlite_version() AS version"),
    state: statement("SELECT raw_since, names_version FROM state"),
    fields: statement("SELECT id, name, is_text FROM fields"),
    tagSets: statement(`SELECT id, measurement, device, location, detector, condition, change FROM tag_sets
      ORDER BY measurement, device, location, detector, condition, change`),
    series: statement("SELECT tag_set, field FROM series JOIN fields ON id = field ORDER BY name"),
    lastBlock: statement("SELECT last_block FROM series WHERE tag_set = ? AND field = ?"),
    blocks: statement(`SELECT block, data FROM blocks ${range}`),
    blocksBackwards: statement(`SELECT block, data FROM blocks ${range} DESC`),
    newestBlock: statement(`SELECT block, data FROM blocks
      WHERE level = ${RAW} AND tag_set = ? AND block BETWEEN ? AND ? ORDER BY block DESC LIMIT 1`),
    stale: statement("SELECT hour FROM stale_hours WHERE tag_set = ? AND hour >= ? AND hour < ?"),
  };
}
