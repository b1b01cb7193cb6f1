/** What the nodes that store and ask of history ask of a historian, whatever its engine. */
import type {
  Aggregate,
  AggregateQuery,
  Catalogue,
  Chunk,
  RowOptions,
  Selection,
  Statistics,
  StatisticsQuery,
} from "../../core/history/types.ts";

/** A line that the store does not take, and never will. */
export interface RefusedLine {
  /** Its place in what was written, from 0. */
  index: number;
  /** The line itself, without its end. */
  line: string;
  reason: string;
}

/** Thrown when the store does not answer, or not now: the same lines may be written later. */
export class StoreUnavailable extends Error {
  /** How long the store asks to be left alone, s. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, retryAfterSeconds?: number) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Thrown when a question makes no sense to the store, or its answer would be too large. The message says what to do. */
export class QueryError extends Error {}

/** A store of points. Each method may throw StoreUnavailable; those that ask, a QueryError. */
export interface Historian {
  readonly engine: "embedded" | "influxdb";
  /** Which store this is: two historians of one store have the same. A path or an address, without secrets. */
  readonly location: string;
  /**
   * Writes lines of line protocol (each ended by a line feed, times in ms), at once and durably. What it refuses is
   * returned, everything else is written. Writing the same again changes nothing.
   */
  write(lines: Uint8Array): Promise<RefusedLine[]>;
  /**
   * Points in constant memory: set of tags after set of tags (in the order of the bytes of their values, tag by tag in
   * the order of TAGS), and within one in the order of time. A set of tags may come in several chunks, of at most 10,000
   * instants each.
   */
  rows(selection: Selection, options?: RowOptions): AsyncIterable<Chunk>;
  /**
   * The answer is exact. It comes from the coarsest level of roll-up that gives it, so `from` and `to` are to be
   * multiples of `every`. Groups are in the order of `rows`, fields ascending within one.
   */
  aggregate(query: AggregateQuery): Promise<Aggregate[]>;
  /**
   * Of all that is kept as it was written, in one pass and bounded memory: of more than 100,000 numbers of a group, or
   * 2,000,000 of all, only some are in the sample; all else is exact. In the order of `aggregate`.
   */
  statistics(query: StatisticsQuery): Promise<Statistics[]>;
  /** The last value of each field of each set of tags since `from`, as chunks of one instant for each different time. */
  latest(selection: Selection, signal?: AbortSignal): Promise<Chunk[]>;
  catalogue(): Promise<Catalogue>;
  /** Since when everything is kept as it was written, ms since 1970; before that, only what was rolled up. */
  rawSince(now: number): number;
  /** Asks the store how it is: its version, and if the historian knows, its size. */
  check(): Promise<{ version: string; bytes?: number }>;
}
