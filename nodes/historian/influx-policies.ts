/** The database of an InfluxDB 1.x and its retention policies of our own: which are wanted, which are missing. */
import { InfluxDB, type IPoolOptions, ResultError } from "influx";
import { HOUR } from "../../core/history/levels.ts";
import { QueryError, StoreUnavailable } from "../lib/historian.ts";
import type { Retention } from "./engine.ts";
import { type InfluxConnection, type InfluxSettings, reasonIn } from "./influx-connection.ts";
import { identifier } from "./influxql.ts";

/** Holds everything as it was written. */
export const RAW_POLICY = "device_analytics_raw";

/** Holds the roll-ups. */
export const ARCHIVE_POLICY = "device_analytics_archive";

const DAY = 24 * HOUR;

/** Waiting is up to who writes. */
const NO_BACKOFF: NonNullable<IPoolOptions["backoff"]> = {
  getDelay: () => 0,
  next: () => NO_BACKOFF,
  reset: () => NO_BACKOFF,
};

interface Policy {
  name: string;
  /** ms; 0 is for ever. */
  duration: number;
  /** Length of a shard, which is what is dropped at once, ms. */
  shard: number;
}

/** Looks after the database and the policies; policies of others are never touched. */
export class InfluxPolicies {
  readonly #connection: InfluxConnection;
  readonly #client: InfluxDB;
  readonly #database: string;
  readonly #username: string;
  readonly #wanted: Policy[];

  constructor(connection: InfluxConnection, settings: InfluxSettings & Retention) {
    const { database, username, retentionDays, archiveDays } = settings;
    const { url, headers, agent } = connection;
    const isSecure = url.protocol === "https:";
    this.#connection = connection;
    this.#database = database;
    this.#username = username;
    this.#wanted = [
      policy(RAW_POLICY, retentionDays, 7),
      policy(ARCHIVE_POLICY, longer(retentionDays, archiveDays), 30),
    ];
    this.#client = new InfluxDB({
      hosts: [
        {
          host: url.hostname,
          port: Number(url.port) || (isSecure ? 443 : 80),
          path: url.pathname.replace(/\/+$/, ""),
          protocol: isSecure ? "https" : "http",
          options: { headers, agent },
        },
      ],
      database,
      // Anything else than no user at all would replace our header.
      username: null as never,
      pool: { maxRetries: 0, requestTimeout: 10_000, backoff: NO_BACKOFF },
    });
  }

  /**
   * Creates what is missing, and gives since when everything is kept as it was written: when it is to be kept for longer
   * than before, what has been dropped does not come back. That is kept as a point of `raw_since`.
   *
   * @throws StoreUnavailable, with what an administrator is to do where the user may not
   */
  async ensure(): Promise<number> {
    const { statements, kept } = await this.#missing();
    await this.#run(statements, statements);
    if (kept > 0) {
      const now = Date.now();
      await this.#connection.write([Buffer.from(`raw_since value=${now - kept} ${now}\n`)], ARCHIVE_POLICY);
    }
    let since = -Infinity;
    const source = [this.#database, ARCHIVE_POLICY, "raw_since"].map(identifier).join(".");
    for await (const { values } of this.#connection.query([`SELECT max("value") FROM ${source}`])) {
      since = Number(values[0]?.[1]);
    }
    return since;
  }

  /** Throws StoreUnavailable if `ensure` would. Changes nothing. */
  async check(): Promise<void> {
    const { statements } = await this.#missing();
    // Who may list the users may do anything.
    if (statements.length > 0) await this.#run(["SHOW USERS"], statements);
  }

  /** Throws StoreUnavailable if the database is not there. */
  async requireDatabase(): Promise<void> {
    if (!(await this.#hasDatabase())) throw this.#connection.failure(404, `there is no database "${this.#database}"`);
  }

  /** Statements that create or change what is not as wanted; `kept`: how long raw data is kept until that changes, ms. */
  async #missing(): Promise<{ statements: string[]; kept: number }> {
    const database = identifier(this.#database);
    const statements: string[] = [];
    let kept = 0;
    const hasDatabase = await this.#hasDatabase();
    if (!hasDatabase) statements.push(`CREATE DATABASE ${database}`);
    const present = hasDatabase ? await this.#ask(this.#client.showRetentionPolicies(this.#database)) : [];
    for (const { name, duration, shard } of this.#wanted) {
      const found = present.find((policy) => policy.name === name);
      const length = duration === 0 ? "INF" : `${duration}ms`;
      const sentence = `RETENTION POLICY ${identifier(name)} ON ${database} DURATION ${length}`;
      if (!found) {
        statements.push(`CREATE ${sentence} REPLICATION 1 SHARD DURATION ${shard}ms`);
        continue;
      }
      const before = milliseconds(found.duration);
      if (before === duration && milliseconds(found.shardGroupDuration) === shard) continue;
      statements.push(`ALTER ${sentence} SHARD DURATION ${shard}ms`);
      if (name === RAW_POLICY) kept = before;
    }
    return { statements, kept };
  }

  async #hasDatabase(): Promise<boolean> {
    return (await this.#ask(this.#client.getDatabaseNames())).includes(this.#database);
  }

  /** Runs statements; where they are forbidden, an administrator is to run those that are `needed`. */
  async #run(statements: string[], needed: string[]): Promise<void> {
    for (const statement of statements) {
      await this.#client.query(statement, { method: "POST" }).catch((error) => {
        if (statusOf(error) !== 403) throw this.#meaning(error);
        const grant = this.#username
          ? [`GRANT ALL ON ${identifier(this.#database)} TO ${identifier(this.#username)}`]
          : [];
        throw new StoreUnavailable(
          `the user may not prepare the database; an administrator is to run once: ${[...needed, ...grant].join("; ")}`,
        );
      });
    }
  }

  #ask<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error) => {
      throw this.#meaning(error);
    });
  }

  #meaning(error: Error): Error {
    const status = statusOf(error) ?? (error instanceof ResultError ? 200 : undefined);
    if (status === undefined) return this.#connection.explain(error);
    const reason = reasonIn(error.message.replace(/^.*?(error occurred|InfluxDB): /s, ""));
    const failure = this.#connection.failure(status, reason);
    // Nobody has asked a question here: a setting is wrong, such as the name of the database.
    return failure instanceof QueryError ? new StoreUnavailable(failure.message) : failure;
  }
}

/** Status of the response that the client has made an error of. */
function statusOf(error: Error): number | undefined {
  return (error as { res?: { statusCode?: number } }).res?.statusCode;
}

/** InfluxDB's own choice of shards, save for what is kept for long: `days` then. */
function policy(name: string, keptDays: number, days: number): Policy {
  const shard = keptDays === 0 || keptDays > 180 ? days * DAY : keptDays < 2 ? HOUR : DAY;
  return { name, duration: Math.round(keptDays * DAY), shard };
}

/** The longer of two whiles, of which 0 is for ever. */
function longer(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}

/** A duration as InfluxDB writes it, such as `720h0m0s`, in ms. */
function milliseconds(duration: string): number {
  const units: Record<string, number> = { h: HOUR, m: 60_000, s: 1000, ms: 1 };
  let sum = 0;
  for (const [, count, unit] of duration.matchAll(/([\d.]+)(ms|h|m|s)/g))
    sum += Number(count) * (units[unit ?? ""] ?? 0);
  return sum;
}
