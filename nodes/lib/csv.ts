/** What all nodes that read CSV files share. */

/** The one of the usual delimiters that occurs most often in the header. */
export function delimiterOf(beginning: string): string {
  const [header = ""] = beginning.trimStart().split("\n", 1);
  const count = (delimiter: string) => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}
