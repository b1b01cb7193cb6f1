/** The writing half of an embedded store: lines become blocks, blocks are rolled up, and what is too old goes. */
import type { DatabaseSync } from "node:sqlite";
import {
  archiveSince,
  FIVE_MINUTES,
  HOUR,
  isRolledUp,
  keptSince,
  type Level,
  RAW,
  ROLLED_UP_MEASUREMENTS,
} from "../../../core/history/levels.ts";
import { type Line, LineReader } from "../../../core/history/lines.ts";
import { type FieldValue, type Measurement, type PointTags, TAGS } from "../../../core/history/types.ts";
import type { RefusedLine } from "../../lib/historian.ts";
import type { Retention } from "../engine.ts";
import { Block, type Instant, withInstants } from "./block.ts";
import { attempt, blockLength, droppedBefore, numberOf, openForWriting } from "./file.ts";
import { Summary, summaryColumns } from "./summary.ts";

/** How long maintenance may hold up writing at a time, ms. */
const SLICE_MILLISECONDS = 20;

/** Stale hours that are looked up at a time. */
const STALE_HOURS = 10_000;

/** Blocks of one set of tags that are dropped at a time. */
const DROPPED_BLOCKS = 200;

/** Pages that are given back at a time. */
const FREE_PAGES = 200;

/** Sets of tags that are held in memory; above, all are looked up anew. */
const MAX_KNOWN_TAG_SETS = 200_000;

const ROLLED_UP: readonly Measurement[] = ROLLED_UP_MEASUREMENTS;

interface Field {
  id: number;
  isText: boolean;
}

interface TagSet {
  id: number;
  isRolledUp: boolean;
  /** The last block of each field. */
  lastBlocks: Map<number, number>;
  /** What the lines at hand add, by block. */
  added: Map<number, Instant[]>;
}

/** What is known of lines with the same tags and fields. */
interface Layout {
  tagSet: TagSet;
  /** Their ids. */
  fields: readonly number[];
}

interface StaleHour {
  tag_set: number;
  hour: number;
  measurement: Measurement;
}

/** The only one that writes to a store's file. Its methods throw StoreUnavailable; then nothing of the call is written. */
export class StoreWriter {
  readonly #file: string;
  readonly #retention: Retention;
  readonly #database: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #reader = new LineReader();
  #dataVersion = 0;
  #fields = new Map<Measurement, Map<string, Field>>();
  #tagSets = new Map<string, TagSet>();
  #layouts = new WeakMap<Line, Layout>();
  /** The hours before which raw values and roll-ups have been dropped since this began. */
  #droppedBefore: readonly number[] = [];

  constructor(file: string, retention: Retention) {
    this.#file = file;
    this.#retention = retention;
    this.#database = openForWriting(file);
    this.#sql = attempt(file, () => prepare(this.#database));
  }

  /** Before which time raw values have been dropped, ms since 1970. Does not fall when they are to be kept for longer. */
  rawSince(now: number): number {
    const { raw_since } = this.#sql.state.get() as { raw_since: number | null };
    return droppedBefore(raw_since, now);
  }

  /** Writes lines in one transaction. What it returns is refused, the rest is on the disk then. */
  write(lines: Uint8Array, now: number): RefusedLine[] {
    return this.#transaction(() => {
      const oldest = Math.max(keptSince(this.#retention.retentionDays, now), this.rawSince(now));
      const refused: RefusedLine[] = [];
      const touched = new Set<TagSet>();
      let texts: string[] | undefined;
      this.#reader.read(
        lines,
        (line, index) => {
          const reason = line.timestamp < oldest ? tooOld(oldest) : this.#conflict(line);
          if (!reason) {
            touched.add(this.#add(line));
            return;
          }
          texts ??= Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString().split("\n");
          refused.push({ index, line: texts[index] ?? "", reason });
        },
        (index, line, reason) => refused.push({ index, line, reason }),
      );
      for (const tagSet of [...touched].sort((a, b) => a.id - b.id)) this.#store(tagSet);
      return refused;
    });
  }

  /** Rolls up hours that are over and drops what is too old. Yields between short transactions. */
  *maintain(now: number): Generator<undefined, void> {
    yield* this.#rollUpBefore(Math.floor(now / HOUR));
    const { retentionDays, archiveDays } = this.#retention;
    const raw = Math.floor(keptSince(retentionDays, now) / HOUR);
    const archive = Math.floor(archiveSince(retentionDays, archiveDays, now) / HOUR);
    if (raw === this.#droppedBefore[0] && archive === this.#droppedBefore[1]) return;
    if (raw * HOUR > this.rawSince(now)) {
      this.#transaction(() => {
        for (const stale of this.#staleBefore(raw)) this.#rollUp(stale);
        this.#sql.setRawSince.run(raw * HOUR);
      });
    }
    yield* this.#drop(RAW, raw * HOUR);
    yield* this.#drop(FIVE_MINUTES, archive * HOUR);
    yield* this.#drop(HOUR, archive * HOUR);
    this.#transaction(() => this.#dropNames(raw * HOUR, archive * HOUR));
    yield* this.#giveSpaceBack();
    this.#droppedBefore = [raw, archive];
  }

  close(): void {
    this.#database.close();
  }

  /** Why a line can't be stored. */
  #conflict({ measurement, fields, values }: Line): string | undefined {
    const known = this.#fields.get(measurement);
    const place = fields.findIndex((name, index) => {
      const field = known?.get(name);
      return field && field.isText !== (typeof values[index] === "string");
    });
    if (place < 0) return undefined;
    const [stored, given] = typeof values[place] === "string" ? ["numbers", "text"] : ["text", "numbers"];
    return `its field "${fields[place]}" holds ${stored} in ${measurement}, not ${given}`;
  }

  #add(line: Line): TagSet {
    const { tagSet, fields } = this.#layoutOf(line);
    const block = Math.floor(line.timestamp / FIVE_MINUTES);
    const instant = { offset: line.timestamp - block * FIVE_MINUTES, fields, values: line.values.slice() };
    const instants = tagSet.added.get(block);
    if (instants) instants.push(instant);
    else tagSet.added.set(block, [instant]);
    return tagSet;
  }

  #layoutOf(line: Line): Layout {
    let layout = this.#layouts.get(line);
    if (layout) return layout;
    const { measurement, tags, values } = line;
    const fields = line.fields.map((name, place) => this.#fieldOf(measurement, name, values[place] ?? 0).id);
    layout = { tagSet: this.#tagSetOf(measurement, tags), fields };
    this.#layouts.set(line, layout);
    return layout;
  }

  #fieldOf(measurement: Measurement, name: string, value: FieldValue): Field {
    const known = this.#fields.get(measurement) ?? new Map<string, Field>();
    this.#fields.set(measurement, known);
    let field = known.get(name);
    if (!field) {
      const isText = typeof value === "string";
      const { id } = this.#sql.addField.get(measurement, name, Number(isText)) as { id: number };
      field = { id, isText };
      known.set(name, field);
    }
    return field;
  }

  #tagSetOf(measurement: Measurement, tags: PointTags): TagSet {
    const names = [measurement, ...TAGS.map((tag) => tags[tag] ?? "")];
    const key = JSON.stringify(names);
    let tagSet = this.#tagSets.get(key);
    if (!tagSet) {
      const { id } = (this.#sql.tagSet.get(...names) ?? this.#sql.addTagSet.get(...names)) as { id: number };
      const series = this.#sql.series.all(id) as { field: number; last_block: number }[];
      const lastBlocks = new Map(series.map(({ field, last_block }) => [field, last_block]));
      tagSet = { id, isRolledUp: ROLLED_UP.includes(measurement), lastBlocks, added: new Map() };
      this.#tagSets.set(key, tagSet);
    }
    return tagSet;
  }

  #store(tagSet: TagSet): void {
    for (const [block, instants] of tagSet.added) {
      this.#put(RAW, tagSet.id, block, instants);
      if (tagSet.isRolledUp) this.#sql.markStale.run(tagSet.id, Math.floor((block * FIVE_MINUTES) / HOUR));
      for (const { fields } of instants) this.#noteFields(tagSet, block, fields);
    }
    tagSet.added.clear();
  }

  #noteFields({ id, lastBlocks }: TagSet, block: number, fields: readonly number[]): void {
    for (const field of fields) {
      const last = lastBlocks.get(field);
      if (last !== undefined && last >= block) continue;
      lastBlocks.set(field, block);
      this.#sql.putSeries.run(id, field, block);
      if (last === undefined) this.#sql.noteChangedNames.run();
    }
  }

  /** Adds instants to a block. */
  #put(level: Level, tagSet: number, block: number, instants: readonly Instant[]): void {
    const row = this.#sql.block.get(level, tagSet, block) as { data: Uint8Array } | undefined;
    this.#sql.putBlock.run(level, tagSet, block, withInstants(row && new Block(row.data), instants));
  }

  *#rollUpBefore(hour: number): Generator<undefined, void> {
    let after = { tag_set: 0, hour: 0 };
    for (;;) {
      const stale = this.#sql.staleAfter.all(hour, after.tag_set, after.tag_set, after.hour, STALE_HOURS);
      const last = stale.at(-1);
      if (!last) return;
      after = last as unknown as StaleHour;
      yield* this.#inSlices(stale as unknown as StaleHour[], (entry) => this.#rollUp(entry));
    }
  }

  #staleBefore(hour: number): StaleHour[] {
    return this.#sql.staleBefore.all(hour) as unknown as StaleHour[];
  }

  #rollUp({ tag_set, hour, measurement }: StaleHour): boolean {
    const fields = [...(this.#fields.get(measurement) ?? [])].filter(([name]) => isRolledUp(measurement, name));
    const ids = new Set(fields.map(([, { id }]) => id));
    const perHour = new Map<number, Summary>();
    const first = (hour * HOUR) / FIVE_MINUTES;
    const rows = this.#sql.blocks.all(RAW, tag_set, first, first + HOUR / FIVE_MINUTES) as unknown as {
      block: number;
      data: Uint8Array;
    }[];
    const buckets = rows.map(({ block, data }) => {
      const summaries = summarize(new Block(data), ids);
      for (const [field, { count, sum, min, max }] of summaries) {
        const whole = perHour.get(field) ?? new Summary();
        perHour.set(field, whole);
        whole.add(count, sum, min, max);
      }
      return instantOf((block - first) * FIVE_MINUTES, summaries);
    });
    if (perHour.size > 0) {
      this.#put(FIVE_MINUTES, tag_set, hour, buckets);
      const day = Math.floor(hour / 24);
      this.#put(HOUR, tag_set, day, [instantOf((hour - 24 * day) * HOUR, perHour)]);
    }
    this.#sql.unmarkStale.run(tag_set, hour);
    return false;
  }

  *#drop(level: Level, before: number): Generator<undefined, void> {
    if (before === -Infinity) return;
    const block = Math.floor(before / blockLength(level));
    const tagSets = this.#sql.tagSets.all() as { id: number }[];
    yield* this.#inSlices(
      tagSets,
      ({ id }) => this.#sql.drop.run(level, id, block, DROPPED_BLOCKS).changes === DROPPED_BLOCKS,
    );
  }

  #dropNames(rawSince: number, archivedSince: number): void {
    const raw = Math.floor(rawSince / FIVE_MINUTES);
    const archive = (Math.floor(archivedSince / blockLength(HOUR)) * blockLength(HOUR)) / FIVE_MINUTES;
    let changes = 0;
    if (raw > -Infinity) changes += Number(this.#sql.dropSeries.run(raw).changes);
    if (archive > -Infinity) changes += Number(this.#sql.dropRolledUpSeries.run(archive).changes);
    if (changes === 0) return;
    this.#database.exec(`
      DELETE FROM tag_sets WHERE id NOT IN (SELECT tag_set FROM series);
      DELETE FROM fields WHERE id NOT IN (SELECT field FROM series)`);
    this.#sql.noteChangedNames.run();
    this.#forget();
  }

  *#giveSpaceBack(): Generator<undefined, void> {
    let former = Infinity;
    for (;;) {
      const free = numberOf(this.#database, "PRAGMA freelist_count");
      if (free === 0 || free >= former) break;
      former = free;
      attempt(this.#file, () => this.#database.exec(`PRAGMA incremental_vacuum(${FREE_PAGES})`));
      yield;
    }
    attempt(this.#file, () => this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)"));
  }

  /** Does something with each item, and again as long as it returns true. */
  *#inSlices<T>(items: readonly T[], work: (item: T) => boolean): Generator<undefined, void> {
    for (let next = 0; next < items.length; ) {
      this.#transaction(() => {
        const end = performance.now() + SLICE_MILLISECONDS;
        while (next < items.length && performance.now() < end) if (!work(items[next] as T)) next++;
      });
      yield;
    }
  }

  #transaction<T>(work: () => T): T {
    return attempt(this.#file, () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        this.#forgetForeignChanges();
        const result = work();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        this.#forget();
        this.#rollBack();
        throw error;
      }
    });
  }

  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // After some errors, such as a full disk, SQLite has rolled back already.
    }
  }

  /** Another program may have removed names that are known here. */
  #forgetForeignChanges(): void {
    const { data_version } = this.#sql.dataVersion.get() as { data_version: number };
    const isKnown = this.#fields.size > 0 && this.#tagSets.size < MAX_KNOWN_TAG_SETS;
    if (data_version === this.#dataVersion && isKnown) return;
    this.#forget();
    this.#dataVersion = data_version;
    for (const row of this.#sql.fields.iterate()) {
      const { id, measurement, name, is_text } = row as {
        id: number;
        measurement: Measurement;
        name: string;
        is_text: number;
      };
      const known = this.#fields.get(measurement) ?? new Map<string, Field>();
      this.#fields.set(measurement, known.set(name, { id, isText: is_text === 1 }));
    }
  }

  #forget(): void {
    this.#fields = new Map();
    this.#tagSets = new Map();
    this.#layouts = new WeakMap();
  }
}

function prepare(database: DatabaseSync) {
  const statement = (sql: string) => database.prepare(sql);
  const rolledUp = ROLLED_UP.map((name) => `'${name}'`).join();
  const stale = "SELECT tag_set, hour, measurement FROM stale_hours JOIN tag_sets ON id = tag_set";
  return {
    dataVersion: statement("PRAGMA data_version"),
    state: statement("SELECT raw_since FROM state"),
    setRawSince: statement("UPDATE state SET raw_since = ?"),
    noteChangedNames: statement("UPDATE state SET names_version = names_version + 1"),
    fields: statement("SELECT id, measurement, name, is_text FROM fields"),
    addField: statement("INSERT INTO fields (measurement, name, is_text) VALUES (?, ?, ?) RETURNING id"),
    tagSets: statement("SELECT id FROM tag_sets"),
    tagSet: statement(`SELECT id FROM tag_sets
      WHERE measurement = ? AND device = ? AND location = ? AND detector = ? AND condition = ? AND change = ?`),
    addTagSet: statement(`INSERT INTO tag_sets (measurement, device, location, detector, condition, change)
      VALUES (?, ?, ?, ?, ?, ?) RETURNING id`),
    series: statement("SELECT field, last_block FROM series WHERE tag_set = ?"),
    putSeries: statement(`INSERT INTO series VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET last_block = excluded.last_block`),
    dropSeries: statement(`DELETE FROM series WHERE last_block < ?
      AND (SELECT measurement FROM tag_sets WHERE id = tag_set) NOT IN (${rolledUp})`),
    dropRolledUpSeries: statement(`DELETE FROM series WHERE last_block < ?
      AND (SELECT measurement FROM tag_sets WHERE id = tag_set) IN (${rolledUp})`),
    block: statement("SELECT data FROM blocks WHERE level = ? AND tag_set = ? AND block = ?"),
    blocks: statement(`SELECT block, data FROM blocks
      WHERE level = ? AND tag_set = ? AND block >= ? AND block < ? ORDER BY block`),
    putBlock: statement("INSERT INTO blocks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data"),
    drop: statement(`DELETE FROM blocks WHERE level = ?1 AND tag_set = ?2 AND block IN
      (SELECT block FROM blocks WHERE level = ?1 AND tag_set = ?2 AND block < ?3 ORDER BY block LIMIT ?4)`),
    markStale: statement("INSERT OR IGNORE INTO stale_hours VALUES (?, ?)"),
    unmarkStale: statement("DELETE FROM stale_hours WHERE tag_set = ? AND hour = ?"),
    staleBefore: statement(`${stale} WHERE hour < ?`),
    staleAfter: statement(`${stale}
      WHERE hour < ? AND tag_set >= ? AND (tag_set > ? OR hour > ?) ORDER BY tag_set, hour LIMIT ?`),
  };
}

function tooOld(oldest: number): string {
  return `it is from before ${new Date(oldest).toISOString()}, beyond the retention`;
}

/** What the numbers of some fields of a raw block add up to. */
function summarize(block: Block, fields: ReadonlySet<number>): Map<number, Summary> {
  const summaries = new Map<number, Summary>();
  for (const field of block.fields) {
    const column = fields.has(field) ? block.column(field) : undefined;
    if (!(column instanceof Float64Array)) continue;
    const summary = new Summary();
    for (const value of column) if (!Number.isNaN(value)) summary.add(1, value, value, value);
    if (summary.count > 0) summaries.set(field, summary);
  }
  return summaries;
}

/** An instant of a roll-up's block. */
function instantOf(offset: number, summaries: ReadonlyMap<number, Summary>): Instant {
  return {
    offset,
    fields: [...summaries.keys()].flatMap(summaryColumns),
    values: [...summaries.values()].flatMap(({ values }) => values),
  };
}
