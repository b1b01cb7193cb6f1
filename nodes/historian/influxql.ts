/** Text of InfluxQL, the language in which an InfluxDB is asked. Names of the store are in; nothing foreign gets out of its quotes. */
import { encodeName } from "../../core/history/lines.ts";
import { type Selection, TAGS, type Tag } from "../../core/history/types.ts";

/** Times that InfluxDB can hold, ms since 1970: 64 bits of ns. */
const MIN_TIME = -9_223_372_036_854;
const MAX_TIME = 9_223_372_036_854;

/** All tags as what results are grouped by. */
export const ALL_TAGS = TAGS.map((tag) => identifier(tag)).join();

/** A name of a database, a policy, a measurement or a field as it stands in a statement. */
export function identifier(name: string): string {
  return `"${escaped(name).replaceAll('"', '\\"')}"`;
}

/** A text as it stands in a statement. */
export function literal(text: string): string {
  return `'${escaped(text).replaceAll("'", "\\'")}'`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** A field by the name that it has outside of the store, even where a tag has the same. */
export function field(name: string): string {
  return `${identifier(encodeName(name))}::field`;
}

/** The condition that the time is in a range; `from` is included, `to` is not. */
export function within(from: number, to: number): string {
  return `time >= ${time(from)} AND time < ${time(to)}`;
}

function time(timestamp: number): string {
  return `${Math.ceil(Math.min(Math.max(timestamp, MIN_TIME), MAX_TIME))}ms`;
}

/** The condition that tags have one of these values; "" without any. */
export function tagged(tags: Selection["tags"] = {}): string {
  return TAGS.filter((tag) => tags[tag])
    .map((tag) => ` AND (${tags[tag]?.map((value) => isTagged(tag, value)).join(" OR ")})`)
    .join("");
}

function isTagged(tag: Tag, value: string): string {
  return `${identifier(tag)}::tag = ${literal(encodeName(value))}`;
}
