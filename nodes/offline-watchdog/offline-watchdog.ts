/** offline-watchdog: reports devices that fall silent, those that are back, and the outage of all of them. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { isStatusEvent } from "../../core/events.ts";
import { sparkplugStatus } from "../../core/topics.ts";
import type { Maintenance, StatusEvent } from "../../core/types.ts";
import { TICK_PERIOD, Watchdog, WatchedDevice } from "../../core/watchdog.ts";
import { define, type Message } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** Events of this device are about the connection to all; a watchdog finds out for itself. */
const CONNECTION = "*";

/** How often the watched time is saved, ms: all that a crash takes from the silence of devices. */
const SAVE_INTERVAL = 60_000;

/** Events that are sent in one go, a few milliseconds' work. */
const SLICE = 200;

export default define<typeof options, WatchedDevice>("offline-watchdog", options, (host) => {
  const { devices, registry, settings } = host;
  let watchdog = new Watchdog(settings);
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;
  let size = 0;
  let isReporting = false;
  let isClosed = false;
  let unwatch: (() => void) | undefined;

  return {
    isSink: true,

    state: {
      version: 1,
      create: () => watchdog.watch(),
      save: (device) => device.toJSON(),
      restore: (saved) => WatchedDevice.from(saved),
    },

    common: {
      save: () => watchdog.toJSON(),
      restore: (saved) => {
        watchdog = Watchdog.from(settings, saved);
      },
    },

    // What is heard while the node closes could not be reported any more; the next reading can.
    analyse({ deviceId, maintenance }, device) {
      if (isClosed) return false;
      const now = Date.now();
      noteMaintenance(device, registry?.maintenance(deviceId, now) ?? maintenance);
      report(watchdog.hear({ deviceId, state: device }, now));
      return false;
    },

    takeEvent(payload, { topic, status }) {
      const now = Date.now();
      if (payload === undefined && isNodeStatus(status)) {
        const isConnected = connectionIn(status);
        if (isConnected !== undefined) connect(isConnected);
        return true;
      }
      const event = sparkplugStatus(topic, now) ?? payload;
      if (!isStatusEvent(event)) return false;
      if (event.deviceId === CONNECTION || isClosed) return true;
      report(watchdog.pushStatus(host.device(event.deviceId), event, now));
      return true;
    },

    commands: {
      connection(args) {
        const { connected } = (args ?? {}) as { connected?: unknown };
        if (typeof connected !== "boolean") {
          throw new Error(`connected is ${inspect(connected)}, connection takes { connected: true } or false`);
        }
        connect(connected);
      },

      list(_args, message, send) {
        const { command, ...rest } = message;
        return inSlices(watchdog.list(devices), (event) => send({ ...rest, ...messageOf(event) }));
      },
    },

    status() {
      const counts = { online: 0, offline: 0, unknown: 0 };
      for (const { state } of devices.values()) if (state.status) counts[state.status]++;
      const texts = [host.translate("status.online", { count: counts.online })];
      if (counts.offline > 0) texts.push(host.translate("status.offline", { count: counts.offline }));
      if (counts.unknown > 0) texts.push(host.translate("status.unknown", { count: counts.unknown }));
      if (!watchdog.isConnected) texts.unshift(host.translate("status.disconnected"));
      const isKept = settings.stateStore !== "memory";
      if (!isKept) texts.push(host.translate("status.forgets"));
      const isWell = watchdog.isConnected && isKept && counts.offline + counts.unknown === 0;
      const fill = watchdog.isOutage ? "red" : !isWell ? "yellow" : devices.size === 0 ? "grey" : "green";
      return { fill, shape: watchdog.isConnected ? "dot" : "ring", text: texts.join(", ") };
    },

    ready() {
      watchdog.begin(devices, Date.now());
      consultRegistry();
      unwatch = registry?.watch(consultRegistry);
      timer = setInterval(tick, TICK_PERIOD);
    },

    close() {
      isClosed = true;
      clearInterval(timer);
      unwatch?.();
      host.touch();
    },
  };

  function tick(): void {
    if (isReporting) return;
    // A device that was reset is expected again if the registry has it.
    if (devices.size < size) consultRegistry();
    size = devices.size;
    ticks++;
    if (ticks % (SAVE_INTERVAL / TICK_PERIOD) === 0) host.touch();
    const rest = inSlices(watchdog.tick(devices, Date.now()), (event) => {
      if (event.deviceId === CONNECTION) host.touch();
      else host.device(event.deviceId);
      report(event);
    });
    isReporting = rest !== undefined;
    rest?.then(() => {
      isReporting = false;
    });
  }

  /** Takes events in such a way that thousands at once don't hold up others. What is left on close is still news then. */
  function inSlices(events: Iterator<StatusEvent>, take: (event: StatusEvent) => void): Promise<void> | undefined {
    for (let i = 0; i < SLICE; i++) {
      const { value, done } = events.next();
      if (done) return undefined;
      take(value);
    }
    return nextTurn().then(() => (isClosed ? undefined : inSlices(events, take)));
  }

  function connect(isConnected: boolean): void {
    watchdog.connect(isConnected, Date.now());
    host.changed();
  }

  function report(event: StatusEvent | undefined): void {
    if (event === undefined) return;
    host.changed();
    host.send(messageOf(event));
  }

  /** Expects the devices that the registry has, and takes from it what it knows of each. */
  function consultRegistry(): void {
    if (registry === undefined) return;
    const now = Date.now();
    try {
      for (const { deviceId } of registry.records()) if (!devices.get(deviceId)) host.device(deviceId);
    } catch (error) {
      host.node.error(error);
    }
    for (const { deviceId, state } of devices.values()) {
      state.intervalSeconds = registry.get(deviceId)?.intervalSeconds;
      noteMaintenance(state, registry.maintenance(deviceId, now));
    }
  }
});

function noteMaintenance(device: WatchedDevice, maintenance: Maintenance | undefined): void {
  device.maintainedUntil = maintenance?.until ?? 0;
}

function messageOf(event: StatusEvent): Message {
  return { topic: event.deviceId, payload: event, retain: true };
}

interface NodeStatus {
  fill?: unknown;
  shape?: unknown;
  source?: { type?: unknown };
}

/** True for what a core status node says of a node. */
function isNodeStatus(status: unknown): status is NodeStatus {
  return typeof status === "object" && status !== null && ("fill" in status || "source" in status);
}

/** Whether an mqtt node is connected, by its status; undefined if that says nothing, or is that of another node. */
function connectionIn({ fill, shape, source }: NodeStatus): boolean | undefined {
  const type = source?.type;
  if (typeof type === "string" && !type.startsWith("mqtt")) return undefined;
  if (fill === "green") return true;
  return shape === "ring" && (fill === "red" || fill === "yellow") ? false : undefined;
}
