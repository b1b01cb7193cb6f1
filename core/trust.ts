/** Which readings count. */
import type { Reading } from "./types.ts";

/** True for a reading that may teach a baseline and alarm somebody. */
export function isTrusted({ quality, maintenance }: Reading): boolean {
  return quality !== "bad" && maintenance === undefined;
}
