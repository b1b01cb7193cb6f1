/** When a value is beyond a limit. */

export type Comparison = ">" | ">=" | "<" | "<=";

/** True if a value is beyond a limit. */
export function isBeyond(value: number, comparison: Comparison, limit: number): boolean {
  switch (comparison) {
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
  }
}
