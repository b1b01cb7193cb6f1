/** health-score: how well each device is, by rules that take points off 100. */
import { inspect } from "node:util";
import { HealthLimits } from "../../core/health-limits.ts";
import { HealthScore } from "../../core/health-score.ts";
import { SettingError } from "../lib/options.ts";
import { define, type Message, type Send } from "../lib/runtime.ts";
import { options } from "./options.ts";

export default define<typeof options, HealthScore>("health-score", options, (host) => {
  const { settings, devices, registry } = host;
  const { rules, maxDevices } = settings;
  if (settings.criticalBelow > settings.warningBelow) {
    throw new SettingError("criticalBelow: must not be above warningBelow");
  }
  let limits = new HealthLimits(rules, maxDevices);

  return {
    state: {
      version: 1,
      create: () => new HealthScore(settings),
      save: (score) => score.toJSON(),
      restore: (saved) => HealthScore.from(settings, saved),
    },

    // Limits are settings, which neither a reset nor a device that is forgotten may take away.
    common: {
      save: () => limits.toJSON(),
      restore: (saved) => {
        limits = HealthLimits.from(rules, maxDevices, saved);
      },
    },

    analyse(reading, device) {
      const before = device.status ?? "healthy";
      const listed = registry?.get(reading.deviceId)?.limits;
      const health = device.push(reading, limits.of(reading.deviceId, listed));
      if (health === undefined) return false;
      reading.health = health;
      if (health.status === before) return false;
      host.changed();
      return true;
    },

    commands: {
      set(args, message, send) {
        const { deviceId, flag, limit, by } = typeof args === "object" && args !== null ? (args as SetArguments) : {};
        if (deviceId !== undefined && !isKnown(deviceId)) throw new Error(`there is no device ${inspect(deviceId)}`);
        if (typeof flag !== "string") throw new Error(`flag is ${inspect(flag)}, it must be the flag of a rule`);
        if (limit !== null && !(typeof limit === "number" && Number.isFinite(limit))) {
          throw new Error(`limit is ${inspect(limit)}, it must be a number, or null for the rule's own`);
        }
        limits.set(flag, limit, deviceId);
        host.touch();
        host.changed();
        answer(deviceId, message, send, by);
      },

      limits(args, message, send) {
        const { deviceId } = typeof args === "object" && args !== null ? (args as SetArguments) : {};
        if (deviceId !== undefined && typeof deviceId !== "string") {
          throw new Error(`deviceId is ${inspect(deviceId)}, it must be the name of a device`);
        }
        answer(deviceId, message, send);
      },
    },

    status() {
      const counts = { healthy: 0, warning: 0, critical: 0 };
      for (const { state } of devices.values()) if (state.status) counts[state.status]++;
      const texts = [host.translate("status.devices", { count: devices.size })];
      if (counts.critical > 0) texts.push(host.translate("status.critical", { count: counts.critical }));
      if (counts.warning > 0) texts.push(host.translate("status.warning", { count: counts.warning }));
      if (limits.count > 0) texts.push(host.translate("status.limits", { count: limits.count }));
      const isWell = counts.critical + counts.warning === 0;
      const fill = devices.size === 0 ? "grey" : counts.critical > 0 ? "red" : isWell ? "green" : "yellow";
      return { fill, shape: "dot", text: texts.join(", ") };
    },
  };

  /** Says which limits are in force for a device, or for all that have none of their own. */
  function answer(deviceId: string | undefined, message: Message, send: Send, by?: unknown): void {
    const listed = deviceId === undefined ? undefined : registry?.get(deviceId)?.limits;
    const inForce = limits.of(deviceId ?? "", listed);
    const rows = rules.map(({ flag, metric, comparison, penalty }, index) => {
      const own = limits.setFor(flag, deviceId);
      const isSettable = limits.isSettable(flag);
      return { flag, metric, comparison, penalty, limit: inForce[index], isSettable, isSet: own !== undefined };
    });
    send([null, null, { ...message, payload: { deviceId, limits: rows, by } }]);
  }

  function isKnown(deviceId: unknown): deviceId is string {
    return typeof deviceId === "string" && (devices.get(deviceId) !== undefined || limits.has(deviceId));
  }
});

interface SetArguments {
  deviceId?: unknown;
  flag?: unknown;
  limit?: unknown;
  by?: unknown;
}
