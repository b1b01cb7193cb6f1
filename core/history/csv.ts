/** Points as CSV (RFC 4180), a row an instant, safe to be opened with a spreadsheet. */
import { MAX_TIMESTAMP } from "../timestamp.ts";
import type { Chunk, FieldValue, Tag } from "./types.ts";

/** What a spreadsheet takes for the beginning of a formula, after OWASP's "CSV Injection". */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const QUOTED = /[",\r\n]|^\s|\s$/;

/** The mark by which spreadsheets know UTF-8. */
export const BYTE_ORDER_MARK = "\uFEFF";

/** The columns of a table: the time, tags, then fields. */
export interface Columns {
  tags: readonly Tag[];
  fields: readonly string[];
  /** Fields that are times, ms since 1970. */
  times?: readonly string[];
}

/** The first line, with its end. */
export function csvHeader({ tags, fields }: Columns): string {
  return line(["time", ...tags, ...fields].map(csvText));
}

/** The lines of a chunk, each with its end; times in ISO 8601, UTC. Fields that have no column are left out. */
export function csvLines({ tags, fields, times = [] }: Columns, chunk: Chunk): string {
  const begin = tags.map((tag) => csvText(chunk.tags[tag] ?? ""));
  const places = new Map(chunk.fields.map((field, place) => [field, place]));
  const columns = fields.map((field) => ({
    values: chunk.values[places.get(field) ?? -1],
    cellOf: times.includes(field) ? timeCell : csvCell,
  }));
  return chunk.times
    .map((time, row) => {
      const cells = columns.map(({ values, cellOf }) => cellOf(values?.[row] ?? null));
      return line([isoTime(time), ...begin, ...cells]);
    })
    .join("");
}

function csvCell(value: FieldValue | null): string {
  if (value === null) return "";
  return typeof value === "number" ? String(value) : csvText(value);
}

function timeCell(value: FieldValue | null): string {
  return typeof value === "number" && Math.abs(value) <= MAX_TIMESTAMP ? isoTime(value) : csvCell(value);
}

function isoTime(time: number): string {
  return new Date(time).toISOString();
}

/** A text as a cell. One that a spreadsheet would take for a formula gets an apostrophe, which makes it text. */
export function csvText(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return safe !== text || QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function line(cells: string[]): string {
  return `${cells.join(",")}\r\n`;
}
