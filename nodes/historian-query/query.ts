/** What is asked of history, understood from the node's settings and a message. */
import { type Limits, parseLimit } from "../../core/history/distribution.ts";
import { checkedRange, parseInstant, parseLength, parseRange, type Range } from "../../core/history/intervals.ts";
import { calendarOf } from "../../core/windows/calendar.ts";
import { OptionError, type Settings } from "../lib/options.ts";
import { options } from "./options.ts";

type NodeSettings = Settings<typeof options>;

/** What a message may ask for otherwise than the settings: not who is asked, how often, and which file is written. */
const ASKABLE = [
  "queryType",
  "measurement",
  "metrics",
  "devices",
  "locations",
  "range",
  "every",
  "functions",
  "groupBy",
  "timeZone",
  "lower",
  "upper",
  "readingsPerDevice",
  "maxPoints",
  "limit",
] as const satisfies (keyof NodeSettings)[];

type Askable = Pick<NodeSettings, (typeof ASKABLE)[number]>;

/** A question, complete. Sent as `msg.query` it is understood as the same again. */
export interface HistoryQuery extends Omit<Askable, "range" | "every">, Range {
  /** Length of the intervals, ms; `all` is one interval. */
  every: number | "auto" | "raw" | "all";
}

/**
 * Understands a question.
 *
 * @param asked what the message asks for otherwise than the settings: an object, or nothing
 * @param now ms since 1970
 * @throws Error that names what is wrong
 */
export function queryOf(settings: NodeSettings, asked: unknown, now: number): HistoryQuery {
  const { from, to, ...others } = entriesOf(asked);
  const { range, every, ...query } = { ...pick(settings), ...parsed(others) };
  if (others.range !== undefined && (from ?? to) !== undefined) {
    throw new Error("msg.query: give either range, or from and to");
  }
  calendarOf(1, query.timeZone);
  if (query.functions.length === 0) throw new Error("functions: must hold at least one");
  limitsOf(query);
  const measurement = query.queryType === "readings" ? "readings" : query.measurement;
  return { ...query, measurement, every: intervalOf(every), ...rangeOf(range, from, to, now) };
}

/** The limits in question. Throws an Error that names the one that is wrong. */
export function limitsOf({ lower, upper }: Pick<HistoryQuery, "lower" | "upper">): Limits {
  const limit = (name: "lower" | "upper", text: string) => {
    try {
      return parseLimit(text);
    } catch (error) {
      throw error instanceof RangeError ? new RangeError(`${name}: ${error.message}`) : error;
    }
  };
  return { lower: limit("lower", lower), upper: limit("upper", upper) };
}

function entriesOf(asked: unknown): Record<string, unknown> {
  if (asked === undefined || asked === null) return {};
  if (typeof asked !== "object" || Array.isArray(asked)) throw new Error("msg.query: must be an object");
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined && value !== null));
}

function pick(settings: NodeSettings): Askable {
  return Object.fromEntries(ASKABLE.map((name) => [name, settings[name]])) as unknown as Askable;
}

function parsed(asked: Record<string, unknown>): Partial<Askable> {
  const entries = Object.entries(asked).map(([given, value]) => {
    const name = ASKABLE.find((each) => each === given);
    if (!name) {
      throw new Error(`msg.query: there is no ${JSON.stringify(given)}; it takes ${ASKABLE.join(", ")}, from, to`);
    }
    try {
      return [name, options[name].parse(value)];
    } catch (error) {
      throw error instanceof OptionError ? new Error(`msg.query.${name}: ${error.message}`) : error;
    }
  });
  return Object.fromEntries(entries);
}

function rangeOf(range: string, from: unknown, to: unknown, now: number): Range {
  if (from === undefined && to === undefined) return parseRange(range, now);
  const end = to === undefined ? now : instantOf("to", to, now);
  if (from !== undefined) return checkedRange(instantOf("from", from, now), end);
  const usual = parseRange(range, now);
  return checkedRange(Math.max(0, end - (usual.to - usual.from)), end);
}

function instantOf(name: string, value: unknown, now: number): number {
  const time = parseInstant(value, now);
  if (time === undefined) throw new Error(`msg.query.${name}: must be an ISO time, or ms since 1970`);
  return time;
}

function intervalOf(every: string): HistoryQuery["every"] {
  if (every === "auto" || every === "raw" || every === "all") return every;
  const length = parseLength(every);
  if (length === undefined) throw new Error("every: must be a length such as 5m, or auto, raw, or all");
  return length;
}
