/** The result of a measurement, and the one table of all of them. */
import { quantile } from "simple-statistics";

/** One line of the table, and one object of the JSON file. */
export interface Row {
  name: string;
  /** Undefined when it could not be measured. */
  value?: number;
  unit: string;
  /** The same of what it is compared with. */
  beside?: number;
  /** The median of the ratios of value and `beside`, measured in turns. */
  ratio?: number;
  /** What is to be reached, by the ratio if there is one, or else by the value. */
  target?: { atLeast: number } | { atMost: number };
  /** Undefined without a target. */
  isMet?: boolean;
}

/** Of the rates of many rounds, the one that the best tenth reaches: what else the machine does slows the others. */
export function undisturbed(rates: number[]): number {
  return Math.round(quantile(rates, 0.9));
}

/** Completes a row by whether its target is met. */
export function judged(row: Row): Row {
  const { target, value, ratio = value } = row;
  if (!target || ratio === undefined) return row;
  return { ...row, isMet: "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost };
}

/** Tells what is being measured, on standard error, so that standard output has the table alone. */
export function progress(text: string): void {
  console.error(`… ${text}`);
}

/** The table as text. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ name, value, unit, beside, ratio, target, isMet }) => [
    name,
    written(value),
    unit,
    written(beside),
    ratio?.toFixed(2) ?? "",
    !target ? "" : "atLeast" in target ? `≥ ${written(target.atLeast)}` : `≤ ${written(target.atMost)}`,
    isMet === undefined ? "" : isMet ? "yes" : "NO",
  ]);
  const all = [["", "value", "unit", "beside", "ratio", "target", "met"], ...lines];
  const isText = (column: number) => column === 0 || column === 2;
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0))) ?? [];
  const pad = (cell: string, column: number) =>
    isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return all.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function written(value: number | undefined): string {
  return value?.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 }) ?? "";
}
