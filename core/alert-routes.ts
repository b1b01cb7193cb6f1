/** Which outputs an alarm is sent to: a table of routes, read from the top. */
import { nameFilter } from "./names.ts";
import type { Alarm, Severity } from "./types.ts";

/** How bad an alarm is, as a number to compare. */
export const SEVERITY_RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };

export interface Route {
  /** The least severity that it takes. */
  severity: Severity;
  /** Which devices and conditions it takes, `*` standing for any characters; an empty list means all. */
  devices: readonly string[];
  conditions: readonly string[];
  /** Name of the output that is told. */
  output: string;
  /** How often it is told again while nobody acknowledges; 0 for never. */
  repeatSeconds: number;
  /** After what time without acknowledgement `escalateTo` is told as well; 0 for never. */
  escalateAfterSeconds: number;
  escalateTo: string;
  /** True if the rows below it are asked as well. */
  continue: boolean;
}

/** Reads a table of routes. Cost: O(rows) an alarm; the patterns remember their answers. */
export class AlertRoutes {
  readonly #rows: { route: Route; takes: (alarm: Alarm) => boolean }[];

  constructor(routes: readonly Route[]) {
    this.#rows = routes.map((route) => {
      const isDevice = nameFilter(route.devices);
      const isCondition = nameFilter(route.conditions);
      const least = SEVERITY_RANK[route.severity];
      const takes = ({ severity, deviceId, condition }: Alarm) =>
        SEVERITY_RANK[severity] >= least && isDevice?.(deviceId) !== false && isCondition?.(condition) !== false;
      return { route, takes };
    });
  }

  /** The routes that take an alarm: the first one, and as long as they say `continue`, the next ones. */
  of(alarm: Alarm): Route[] {
    const taken: Route[] = [];
    for (const { route, takes } of this.#rows) {
      if (!takes(alarm)) continue;
      taken.push(route);
      if (!route.continue) break;
    }
    return taken;
  }
}
