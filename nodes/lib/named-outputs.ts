/** Outputs that the rows of a table name: which ones there are, and where their wires go when the table is edited. */

type Row = Readonly<Record<string, unknown>>;

/** The table of a node, and those of its columns that name outputs. */
export interface NamedOutputs {
  readonly table: string;
  readonly columns: readonly string[];
}

/** The names of the outputs, each once, in the order in which the rows name them. Blank cells name none. */
export function outputNames({ columns }: NamedOutputs, rows: readonly Row[]): string[] {
  const names = rows.flatMap((row) => columns.map((column) => nameIn(row[column])));
  return [...new Set(names)].filter((name) => name !== "");
}

/**
 * Where each of the former outputs is now: its place, or -1 if there is none of its name any more. Wires follow names,
 * and when a name is gone, the first cell that held it tells what it has become.
 *
 * @param cells what each cell of those columns held and holds, row by row, without the rows that were deleted
 */
export function movedOutputs(
  former: readonly string[],
  present: readonly string[],
  cells: readonly (readonly [before: unknown, now: unknown])[],
): number[] {
  const taken = new Set(former.filter((name) => present.includes(name)));
  return former.map((name) => {
    if (present.includes(name)) return present.indexOf(name);
    const renamed = cells
      .filter(([before]) => nameIn(before) === name)
      .map(([, now]) => nameIn(now))
      .find((now) => now !== "" && !taken.has(now));
    if (renamed === undefined) return -1;
    taken.add(renamed);
    return present.indexOf(renamed);
  });
}

function nameIn(cell: unknown): string {
  return typeof cell === "string" || typeof cell === "number" ? String(cell).trim() : "";
}
