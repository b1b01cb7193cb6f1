/** window-aggregate: sums readings up in windows of their own time, and sets apart those that come too late. */
import { nameFilter } from "../../core/names.ts";
import { type Grouping, groupingBy } from "../../core/windows/grouping.ts";
import { planWindows, type WindowOptions, type WindowPlan } from "../../core/windows/plan.ts";
import { WindowGroup } from "../../core/windows/window-group.ts";
import type { ClosedWindow } from "../../core/windows/window-summary.ts";
import { SettingError } from "../lib/options.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** How often the node looks for groups that have fallen silent, ms. */
const TICK = 1000;

export default define<typeof options, WindowGroup>("window-aggregate", options, (host) => {
  const { settings, devices } = host;
  const { plan, grouping } = plansOf(settings);
  const accepts = nameFilter(settings.metrics);
  /** Results that are to be sent; one array for all, emptied at once. */
  const closed: ClosedWindow[] = [];
  let lateCount = 0;
  let timer: NodeJS.Timeout | undefined;

  return {
    isSink: true,
    keyOf: grouping.groupOf,

    state: {
      version: 1,
      create: () => new WindowGroup(plan),
      save: (windows) => windows.toJSON(),
      restore: (saved) => WindowGroup.from(plan, saved),
    },

    analyse(reading, windows) {
      windows.tags ??= grouping.tagsOf(reading);
      const bySeconds = windows.push(reading, Date.now(), accepts, closed);
      if (closed.length > 0) sendResults(grouping.groupOf(reading), windows);
      if (bySeconds === undefined) return false;
      reading.late = { bySeconds };
      lateCount++;
      host.changed();
      host.send([null, { topic: reading.deviceId, payload: reading }]);
      return false;
    },

    commands: {
      flush() {
        closeEach((windows) => windows.flush(closed));
      },
    },

    status() {
      const texts = [host.translate("status.groups", { count: devices.size })];
      if (lateCount > 0) texts.push(host.translate("status.late", { count: lateCount }));
      const fill = devices.size === 0 ? "grey" : lateCount > 0 ? "yellow" : "green";
      return { fill, shape: "dot", text: texts.join(", ") };
    },

    ready() {
      // Each tick counts as its period, however late it is: readings that wait for a busy or suspended machine to take them
      // are not silence.
      timer = setInterval(() => closeEach((windows) => windows.tick(TICK, closed)), TICK);
    },

    close() {
      clearInterval(timer);
    },
  };

  function closeEach(close: (windows: WindowGroup) => void): void {
    for (const { deviceId, state } of devices.values()) {
      close(state);
      if (closed.length === 0) continue;
      // Marks the group as changed.
      host.device(deviceId);
      sendResults(deviceId, state);
    }
  }

  function sendResults(group: string, { tags }: WindowGroup): void {
    for (const window of closed.splice(0)) {
      host.send([{ topic: group, payload: { group, ...(tags && { tags: { ...tags } }), ...window } }, null]);
    }
  }
});

function plansOf(settings: WindowOptions & { groupBy: string[] }): { plan: WindowPlan; grouping: Grouping } {
  try {
    return { plan: planWindows(settings), grouping: groupingBy(settings.groupBy) };
  } catch (error) {
    throw error instanceof RangeError ? new SettingError(error.message) : error;
  }
}
