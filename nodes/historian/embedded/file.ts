/** The file of an embedded store: its tables, how it is opened, and what its errors mean. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { FIVE_MINUTES, HOUR, type Level, RAW } from "../../../core/history/levels.ts";
import { StoreUnavailable } from "../../lib/historian.ts";

/** "DvAn": tells files of ours from other SQLite files. */
const APPLICATION_ID = 0x4476416e;
const SCHEMA_VERSION = 2;

/** How long to wait for another program that holds the file, ms. */
const BUSY_MILLISECONDS = 5000;

/** So large that a block of some devices' readings fits in whole, bytes. */
const PAGE_SIZE = 16_384;

/** Space of a connection for pages of the file, KiB. */
const CACHE_KIBIBYTES = 65_536;

/** Size that the write-ahead log shrinks to once it is in the file, bytes. */
const LOG_LIMIT = 64 * 2 ** 20;

/**
 * - `tag_sets`: what points are told apart by; "" is a missing tag.
 * - `fields`: names and types of a measurement's fields.
 * - `series`: which fields a set of tags has, and the last raw block with a value of each.
 * - `blocks`: values, see block.ts. Level 0 holds them as they were written, in blocks of 5 minutes; level 300000 those of
 *   `readings` and `verdicts` rolled up per 5 minutes, in blocks of an hour; level 3600000 per hour, in blocks of a day.
 *   Block n of length l begins at n × l ms since 1970.
 * - `stale_hours`: hours of these whose roll-ups are missing or wrong. Marked in the transaction that writes them.
 * - `state`: since when everything is there as it was written, ms; and how often names were added or removed.
 */
const SCHEMA = `
CREATE TABLE tag_sets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  measurement TEXT NOT NULL,
  device TEXT NOT NULL,
  location TEXT NOT NULL,
  detector TEXT NOT NULL,
  condition TEXT NOT NULL,
  change TEXT NOT NULL,
  UNIQUE (measurement, device, location, detector, condition, change)
) STRICT;
CREATE TABLE fields (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  measurement TEXT NOT NULL,
  name TEXT NOT NULL,
  is_text INTEGER NOT NULL,
  UNIQUE (measurement, name)
) STRICT;
CREATE TABLE series (
  tag_set INTEGER NOT NULL,
  field INTEGER NOT NULL,
  last_block INTEGER NOT NULL,
  PRIMARY KEY (tag_set, field)
) STRICT, WITHOUT ROWID;
CREATE TABLE blocks (
  level INTEGER NOT NULL,
  tag_set INTEGER NOT NULL,
  block INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (level, tag_set, block)
) STRICT, WITHOUT ROWID;
CREATE TABLE stale_hours (
  tag_set INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  PRIMARY KEY (tag_set, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
  raw_since INTEGER,
  names_version INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (NULL, 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** What makes a file of the version before, which rolled up no verdicts, one of this: the hours of verdicts are due. */
const UPGRADE = `
INSERT OR IGNORE INTO stale_hours
  SELECT DISTINCT tag_set, (block - ((block % 12) + 12) % 12) / 12 FROM blocks JOIN tag_sets ON id = tag_set
  WHERE level = ${RAW} AND measurement = 'verdicts';
PRAGMA user_version = ${SCHEMA_VERSION};
`;

const BLOCK_LENGTHS: Record<Level, number> = { [RAW]: FIVE_MINUTES, [FIVE_MINUTES]: HOUR, [HOUR]: 24 * HOUR };

/** How long a block of a level is, ms. */
export function blockLength(level: Level): number {
  return BLOCK_LENGTHS[level];
}

/**
 * Opens the file for writing, and makes it if there is none. A file that isn't ours stays as it is.
 *
 * @throws StoreUnavailable when it can't be opened, is not ours or is damaged
 */
export function openForWriting(file: string): DatabaseSync {
  return attempt(file, () => {
    mkdirSync(dirname(file), { recursive: true });
    const database = connect(file, false);
    if (isEmpty(database)) create(database);
    else upgrade(database);
    requireOurs(file, database);
    database.exec(`PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${LOG_LIMIT}`);
    return database;
  });
}

/** Opens a file that is there for reading only. Throws StoreUnavailable as `openForWriting` does. */
export function openForReading(file: string): DatabaseSync {
  return attempt(file, () => {
    const database = connect(file, true);
    requireOurs(file, database);
    return database;
  });
}

/** Does something with the file; an error of the file becomes a StoreUnavailable that says what is wrong with it. */
export function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw meaning(file, error);
  }
}

/**
 * Before which time raw values have been dropped, ms since 1970. One to come was noted while the clock was wrong.
 *
 * @param rawSince as it stands in the table `state`
 */
export function droppedBefore(rawSince: number | null, now: number): number {
  return rawSince === null || rawSince > now ? -Infinity : rawSince;
}

/** What a statement gives that gives one number. */
export function numberOf(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}

/** What an error of the file means. */
export function meaning(file: string, error: unknown): unknown {
  // What a block can't be read for.
  if (error instanceof RangeError || error instanceof SyntaxError) return new StoreUnavailable(`${file} ${DAMAGED}`);
  if (!(error instanceof Error && "code" in error)) return error;
  const result = "errcode" in error ? Number(error.errcode) & 0xff : undefined;
  const reason = result === undefined ? undefined : REASONS.get(result);
  if (reason) return new StoreUnavailable(`${file} ${reason}`);
  return new StoreUnavailable(`${file} can't be used: ${error.message}`);
}

const DAMAGED = "is damaged: restore it from a copy, or move it away to begin a new one";

/** By SQLite's primary result code, https://www.sqlite.org/rescode.html */
const REASONS: ReadonlyMap<number, string> = new Map([
  [5, `has been locked by another program for ${BUSY_MILLISECONDS / 1000} s`],
  [8, "can't be written: it is read-only"],
  [11, DAMAGED],
  [13, "can't grow: the disk is full"],
  [14, "can't be opened: its folder is missing or may not be used"],
  [26, "is no SQLite file"],
]);

function connect(file: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(file, { readOnly });
  database.exec(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}; PRAGMA cache_size = -${CACHE_KIBIBYTES}`);
  return database;
}

function isEmpty(database: DatabaseSync): boolean {
  return ["SELECT count(*) FROM sqlite_schema", "PRAGMA application_id", "PRAGMA user_version"].every(
    (sql) => numberOf(database, sql) === 0,
  );
}

function create(database: DatabaseSync): void {
  database.exec(`PRAGMA page_size = ${PAGE_SIZE};
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE`);
  // Another program may have been faster.
  if (isEmpty(database)) database.exec(SCHEMA);
  database.exec("COMMIT");
}

function upgrade(database: DatabaseSync): void {
  const isFormer = () =>
    numberOf(database, "PRAGMA application_id") === APPLICATION_ID &&
    numberOf(database, "PRAGMA user_version") === SCHEMA_VERSION - 1;
  if (!isFormer()) return;
  database.exec("BEGIN IMMEDIATE");
  // Another program may have been faster.
  if (isFormer()) database.exec(UPGRADE);
  database.exec("COMMIT");
}

function requireOurs(file: string, database: DatabaseSync): void {
  if (numberOf(database, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new StoreUnavailable(`${file} is an SQLite file of another program`);
  }
  const version = numberOf(database, "PRAGMA user_version");
  if (version !== SCHEMA_VERSION) {
    throw new StoreUnavailable(
      `${file} has version ${version} of the historian's tables, this release knows ${SCHEMA_VERSION}`,
    );
  }
}
