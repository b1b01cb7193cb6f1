/** device-alarms: turns readings, windows and status events into alarms with a life. */
import { AlarmFigures } from "../../core/alarm-figures.ts";
import { AlarmSystem } from "../../core/alarm-system.ts";
import type { DeviceAlarms } from "../../core/device-alarms.ts";
import { isAlarm, isStatusEvent, isWindowResult } from "../../core/events.ts";
import type { Alarm } from "../../core/types.ts";
import { SettingError } from "../lib/options.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

const TICK_INTERVAL = 1000;

/** Between two reports of the figures, in ticks: when an alarm has changed, and when none has. */
const NEWS_INTERVAL = 5;
const FIGURES_INTERVAL = 60;

/** Between two looks at which devices have open alarms, in ticks. */
const KEEP_INTERVAL = 60;

/** So many alarms are sent in one turn of the event loop, a few milliseconds' work; the rest of a storm follows. */
const SLICE = 200;

export default define<typeof options, DeviceAlarms>("device-alarms", options, (host) => {
  const { devices, registry, settings } = host;
  const system = openSystem();
  let figures = new AlarmFigures();
  let timer: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | undefined;
  let ticks = 0;
  let ticksSinceFigures = 0;
  let hasNews = false;
  let outbox: Alarm[] = [];
  let sentThisTurn = 0;
  let isClosed = false;

  return {
    isSink: true,

    state: {
      version: 1,
      create: () => system.createDevice(),
      save: (device) => device.toJSON(),
      restore: (saved) => system.restoreDevice(saved),
    },

    // Limits are settings, which a reset does not take away.
    common: {
      save: () => ({ limits: system.toJSON(), figures: figures.toJSON(), unsent: [...outbox] }),
      restore(saved) {
        const { limits, figures: counted, unsent } = saved as Record<string, unknown>;
        system.restore(limits);
        figures = AlarmFigures.from(counted);
        if (Array.isArray(unsent)) outbox = unsent.filter(isAlarm);
      },
      reset() {
        figures = new AlarmFigures();
      },
    },

    analyse(reading, state) {
      system.push({ deviceId: reading.deviceId, state }, reading, Date.now());
      return false;
    },

    takeEvent(event) {
      if (isStatusEvent(event)) system.pushStatus(host.device(event.deviceId), event, Date.now());
      else if (isWindowResult(event)) system.pushWindow(host.device(event.group), event, Date.now());
      else return false;
      return true;
    },

    commands: {
      ack: (args) => system.acknowledge(args, Date.now()),
      shelve: (args) => system.shelve(args, Date.now()),
      unshelve: (args) => system.unsilence("shelved", args, Date.now()),
      suppress: (args) => system.suppress(args, Date.now()),
      unsuppress: (args) => system.unsilence("suppressed", args, Date.now()),
      "out-of-service": (args) => system.takeOutOfService(args, Date.now()),
      "in-service": (args) => system.unsilence("outOfService", args, Date.now()),

      reset(args) {
        if (namesAlarms(args)) system.reset(args, Date.now());
        else forget(args);
      },

      set(args) {
        system.setLimit(args);
        host.touch();
        host.changed();
      },

      list(_args, message, send) {
        send([null, null, { ...message, payload: [...system.open()] }]);
      },

      figures(_args, message, send) {
        send([null, null, { ...message, payload: figures.figures(system.open(), Date.now()) }]);
      },
    },

    status() {
      const counts = { critical: 0, warning: 0, info: 0 };
      let isUrgent = false;
      for (const { severity, state } of system.alarms()) {
        if (state === "normal") continue;
        counts[severity]++;
        isUrgent ||= severity === "critical" && state !== "acknowledged";
      }
      const texts: string[] = [];
      if (counts.critical > 0) texts.push(host.translate("status.critical", { count: counts.critical }));
      if (counts.warning > 0) texts.push(host.translate("status.warning", { count: counts.warning }));
      if (counts.info > 0) texts.push(host.translate("status.info", { count: counts.info }));
      const isQuiet = texts.length === 0;
      if (isQuiet) texts.push(host.translate("status.quiet"));
      if (system.limitCount > 0) texts.push(host.translate("status.limits", { count: system.limitCount }));
      const isKept = settings.stateStore !== "memory";
      if (!isKept) texts.push(host.translate("status.forgets"));
      const fill = isUrgent ? "red" : isQuiet && isKept ? "green" : "yellow";
      return { fill, shape: "dot", text: texts.join(", ") };
    },

    ready() {
      sendSlice();
      system.begin(Date.now());
      unwatch = registry?.watch(() => system.review());
      timer = setInterval(tick, TICK_INTERVAL);
    },

    close() {
      isClosed = true;
      clearInterval(timer);
      unwatch?.();
      host.touch();
    },
  };

  function openSystem(): AlarmSystem {
    try {
      return new AlarmSystem(settings, devices, registry, journal);
    } catch (error) {
      throw error instanceof RangeError ? new SettingError(`conditions: ${error.message}`) : error;
    }
  }

  /** What people are told of must still be known after a crash. */
  function journal(alarm: Alarm): void {
    figures.push(alarm);
    hasNews = true;
    if (devices.get(alarm.deviceId)) host.device(alarm.deviceId);
    host.saveSoon();
    host.changed();
    if (isClosed || outbox.length > 0 || sentThisTurn >= SLICE) outbox.push(alarm);
    else send(alarm);
  }

  function send(alarm: Alarm): void {
    if (sentThisTurn++ === 0) setImmediate(sendSlice);
    const message = { topic: alarm.alarmId, payload: alarm };
    host.send(alarm.isAnnunciated ? [message, message] : message);
  }

  /** What is left when the node closes, which would reach nobody, is saved and sent by the next run. */
  function sendSlice(): void {
    sentThisTurn = 0;
    if (!isClosed) for (const alarm of outbox.splice(0, SLICE)) send(alarm);
  }

  function tick(): void {
    const now = Date.now();
    system.tick(now);
    if (++ticks % KEEP_INTERVAL === 0) keepOpen();
    if (++ticksSinceFigures < (hasNews ? NEWS_INTERVAL : FIGURES_INTERVAL)) return;
    ticksSinceFigures = 0;
    hasNews = false;
    host.send([null, null, { topic: "figures", payload: figures.figures(system.open(), now) }]);
  }

  /** A device that is silent for long must not take its alarm with it when another one wants its place. */
  function keepOpen(): void {
    for (const { deviceId, state } of devices.values()) {
      for (const { isOpen } of state.alarms.values()) if (isOpen) host.device(deviceId);
    }
    host.touch();
  }

  /** The common command reset; alarms that stand are over with it. */
  function forget(args: unknown): void {
    const { by, ...rest } = (args ?? {}) as { by?: unknown; deviceId?: unknown };
    const alarms = [...system.alarms(typeof rest.deviceId === "string" ? rest.deviceId : undefined)];
    host.reset(rest);
    for (const alarm of alarms) alarm.close(Date.now(), typeof by === "string" ? by : undefined);
  }
});

function namesAlarms(args: unknown): boolean {
  if (typeof args === "string") return args !== "";
  return typeof args === "object" && args !== null && (Array.isArray(args) || "alarmId" in args);
}
