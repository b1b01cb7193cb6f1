/** Which points a question means: names with wildcards become those that there are. */
import { TEXT_FIELDS } from "../../core/history/points.ts";
import { isBadField } from "../../core/history/readings.ts";
import type { Catalogue, Measurement, Selection, Tag } from "../../core/history/types.ts";
import { nameFilter } from "../../core/names.ts";
import type { Historian } from "../lib/historian.ts";
import type { HistoryQuery } from "./query.ts";

/** The tags that tell points of a measurement apart. */
export function tagsOf(measurement: Measurement): Tag[] {
  if (measurement === "verdicts") return ["device", "location", "detector"];
  if (measurement === "alarms") return ["device", "location", "condition", "change"];
  if (measurement === "audit") return ["device", "condition", "change"];
  return ["device", "location"];
}

/**
 * The points that a query means.
 *
 * @param fields which fields there are to choose from: numbers; those and texts; or bad values, too, which are only meant
 * where they are named or all is
 * @returns undefined if it can mean none, as nothing has such a name
 */
export async function selectionOf(
  historian: Historian,
  query: Pick<HistoryQuery, "measurement" | "metrics" | "devices" | "locations" | "from" | "to">,
  fields: "numbers" | "values" | "all" = "numbers",
): Promise<(Selection & { fields: readonly string[] }) | undefined> {
  const { measurement, metrics, devices, locations, from, to } = query;
  let known: Catalogue | undefined;
  const catalogue = async () => {
    known ??= await historian.catalogue();
    return known;
  };
  // No catalogue holds them.
  const texts = fields === "numbers" ? [] : (TEXT_FIELDS[measurement] ?? []);
  const isListed = metrics.length > 0 && !metrics.some(isPattern);
  const numbers = async () =>
    (await catalogue()).fields[measurement].filter((field) => fields === "all" || !isBadField(field));
  const chosen = isListed ? metrics : meant(metrics, [...(await numbers()), ...texts]);
  const tags: Partial<Record<"device" | "location", string[]>> = {};
  for (const [tag, names] of [["device", devices] as const, ["location", locations] as const]) {
    if (names.length > 0) tags[tag] = names.some(isPattern) ? meant(names, (await catalogue()).tags[tag]) : names;
  }
  if ([chosen, ...Object.values(tags)].some((names) => names.length === 0)) return undefined;
  return { measurement, fields: [...new Set(chosen)], from, to, tags };
}

function isPattern(name: string): boolean {
  return name.includes("*");
}

/** The names that there are and that are meant. A name with an asterisk that there is means itself. */
function meant(names: readonly string[], known: readonly string[]): string[] {
  const exact = new Set(known);
  const literal = names.filter((name) => exact.has(name) || !isPattern(name));
  const patterns = names.filter((name) => !literal.includes(name));
  const isMeant = nameFilter(patterns) ?? (() => names.length === 0 || patterns.length > 0);
  return [...new Set([...literal, ...known.filter(isMeant)])];
}
