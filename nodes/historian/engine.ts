/** What an engine has beyond what the nodes see of it. It opens its store with the first use. */
import type { Historian } from "../lib/historian.ts";

export interface Engine extends Historian {
  /** Rolls up what is due, drops what is too old and gives its space back. Called once a minute, never twice at once. */
  maintain(now: number): Promise<void>;
  close(): Promise<void>;
}

/** How long what is kept, days; 0 is for ever. */
export interface Retention {
  /** Everything as it was written. */
  retentionDays: number;
  /** Roll-ups: mean, min, max, sum and count of readings, and how many anomalies, of 5 minutes and of an hour. */
  archiveDays: number;
}
