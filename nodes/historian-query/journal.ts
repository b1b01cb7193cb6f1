/** The journal of alarms and commands as it was told, for pages that begin with the past. */
import { isAlarm, isCommandLine } from "../../core/events.ts";
import type { JournalLine } from "../../core/journal.ts";
import type { Historian } from "../lib/historian.ts";
import type { HistoryQuery } from "./query.ts";
import { selectionOf } from "./selection.ts";

/** What is stored of a line. */
type Stored = Record<string, unknown> & { timestamp: number };

/**
 * The newest lines within the range, at most `maxPoints`, the oldest first. What a store does not hold of a line is missing:
 * the sentence and the arguments of a command, and by whom and until when an alarm is shelved.
 *
 * Memory: twice as many lines.
 */
export async function journalLines(
  historian: Historian,
  query: HistoryQuery,
  signal: AbortSignal,
): Promise<JournalLine[]> {
  const { maxPoints } = query;
  let lines: JournalLine[] = [];
  for (const measurement of ["alarms", "audit"] as const) {
    const selection = await selectionOf(historian, { ...query, measurement, metrics: [] }, "values");
    if (!selection) continue;
    const options = { newestFirst: true, limitPerSeries: maxPoints, signal };
    for await (const { tags, times, fields, values } of historian.rows(selection, options)) {
      for (const [row, timestamp] of times.entries()) {
        const cells = fields.map((field, place) => [field, values[place]?.[row] ?? undefined]);
        const line = lineOf({ ...Object.fromEntries(cells), ...tags, timestamp });
        if (line) lines.push(line);
        if (lines.length >= 2 * maxPoints) lines = newest(lines, maxPoints);
      }
    }
  }
  return newest(lines, maxPoints);
}

function newest(lines: JournalLine[], count: number): JournalLine[] {
  return lines.sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0)).slice(-count);
}

/** Undefined for what is none: an audit trail has more than commands to devices. */
function lineOf({ device, condition, change, reason, isAnnunciated, ...stored }: Stored): JournalLine | undefined {
  const { timestamp, commandId } = stored;
  const line: object =
    commandId === undefined
      ? {
          ...stored,
          deviceId: device,
          condition,
          change,
          isAnnunciated: isAnnunciated === 1,
          ...(change === "shelved" && reason !== undefined && { shelved: { since: timestamp, reason } }),
        }
      : {
          ...stored,
          deviceId: device,
          command: condition,
          arguments: {},
          outcome: change,
          sentAt: timestamp,
          ...(reason !== undefined && { error: reason }),
        };
  return isAlarm(line) || isCommandLine(line) ? line : undefined;
}
