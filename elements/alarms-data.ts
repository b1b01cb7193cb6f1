/** The messages of a list of alarms. Those of the nodes fleet-status and device-alarms are of this form. */
import type { AlarmFiguresReport } from "../core/alarm-figures.ts";
import type { JournalLine } from "../core/journal.ts";
import type { Alarm } from "../core/types.ts";
import type { Role } from "./parts.ts";

/** What has become of alarms. */
export interface AlarmsNews {
  /** When it was sent, ms since 1970: ages are counted from it. */
  timestamp: number;
  /** True if `alarms` are all that there are, in place of those before. */
  isWhole?: boolean;
  /** Each device of which an alarm has changed, with all of its alarms. */
  alarms: { deviceId: string; alarms: Alarm[] }[];
  /** What is new in the journal. */
  lines: JournalLine[];
  /** A viewer is shown no buttons; without a role they are shown. */
  role?: Role;
}

/** How the alarm system does. */
export interface AlarmFiguresNews {
  figures: AlarmFiguresReport;
}

export type AlarmsMessage = AlarmsNews | AlarmFiguresNews;

/** What somebody has chosen to see and hear. It can be kept, and given back to another element. */
export interface AlarmsChoice {
  severity?: string;
  state?: string;
  search?: string;
  hasSound?: boolean;
}
