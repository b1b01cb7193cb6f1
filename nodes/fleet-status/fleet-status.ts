/**
 * fleet-status: the last state of each device and the fleet's figures, from readings, status events and alarms; and what
 * of it each page that asks is to show.
 */
import { type DeviceDetail, type DeviceRow, DeviceStatus, type DeviceSummary } from "../../core/device-status.ts";
import { isAlarm, isCommandLine, isStatusEvent } from "../../core/events.ts";
import { type FleetFigures, FleetStatus } from "../../core/fleet-status.ts";
import { Journal, type JournalLine } from "../../core/journal.ts";
import { nameFilter } from "../../core/names.ts";
import { alarmInTopic } from "../../core/topics.ts";
import type { Alarm } from "../../core/types.ts";
import { type Page, Pages } from "../lib/pages.ts";
import { isUnlisted } from "../lib/registry.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** Events of this device are about the connection to all; what follows for each of them is reported apart. */
const CONNECTION = "*";

/** Lines of the journal that are kept for pages. */
const JOURNAL_LINES = 500;

/** Metrics of a device that a list of all devices holds. */
const LISTED_METRICS = 8;

/** What a page shows, and how far it has been told of it. */
interface Shown {
  view: "devices" | "alarms";
  /** The device that it shows in full. */
  deviceId: string | undefined;
  /** Number of the list that it was sent as a whole. */
  list: number;
  devices: number;
  revision: number;
  journal: number;
}

/** A device of which nothing is known. */
const UNHEARD = new DeviceStatus();

export default define<typeof options, DeviceStatus>("fleet-status", options, (host) => {
  const { devices, registry } = host;
  const { intervalSeconds, recentSeconds, metrics } = host.settings;
  const fleetOptions = { recentSeconds, accepts: nameFilter(metrics) };
  let fleet = new FleetStatus(fleetOptions);
  let timer: NodeJS.Timeout | undefined;
  let isChanged = false;
  let sentFigures = "";
  let offlineDevices = 0;
  let devicesInMaintenance = 0;
  let unwatch: (() => void) | undefined;
  /** What is known of the connection to all devices: its alarms. */
  const connection = new DeviceStatus();
  const pages = new Pages<Shown>();
  const journal = new Journal(JOURNAL_LINES);
  /** Number of the latest change of a device, or of its alarms. */
  let revision = 0;
  /** Another list is sent as a whole. */
  let list = 1;

  return {
    isSink: true,

    state: {
      version: 1,
      create: () => new DeviceStatus(),
      save: (device) => device.toJSON(),
      restore: (saved) => DeviceStatus.from(saved),
    },

    common: {
      save: () => fleet.toJSON(),
      restore: (saved) => {
        fleet = FleetStatus.from(fleetOptions, saved);
      },
      reset: () => {
        fleet = new FleetStatus(fleetOptions);
        isChanged = true;
      },
    },

    analyse(reading, device) {
      fleet.push(device, reading, Date.now());
      note(device);
      return false;
    },

    takeEvent(event, { topic }) {
      if (isStatusEvent(event)) {
        if (event.deviceId === CONNECTION) return true;
        const { state } = host.device(event.deviceId);
        state.pushStatus(event);
        note(state);
      } else if (isAlarm(event)) {
        journal.push(event);
        takeAlarm(event);
      } else if (isCommandLine(event)) {
        journal.push(event);
      } else {
        // A retained alarm that is back to normal is cleared from its topic.
        const alarm = event === "" ? alarmInTopic(topic) : undefined;
        if (alarm === undefined) return false;
        const { deviceId, condition } = alarm;
        if (deviceId !== CONNECTION && !devices.get(deviceId)) return true;
        const state = stateOf(deviceId);
        state.clearAlarm(condition);
        noteAlarms(state);
      }
      return true;
    },

    commands: {
      status(_args, message, send) {
        const now = Date.now();
        send({ ...message, payload: { devices: summaries(now), figures: figuresAt(now) } });
      },

      watch(args, message) {
        const choice = choiceOf(args);
        const state = { ...choice, list: 0, devices: 0, revision: 0, journal: 0 };
        const page = pages.watch(message, choice, state, Date.now());
        if (page) tell(page, Date.now());
        host.changed();
      },

      alarms(args) {
        if (!Array.isArray(args) || !args.every(isAlarm)) throw new Error("alarms takes the list of all open alarms");
        const open = new Set(args.map(({ alarmId }) => alarmId));
        for (const { state } of withAlarms()) {
          for (const { alarmId, condition } of [...state.alarms]) {
            if (open.has(alarmId)) continue;
            state.clearAlarm(condition);
            noteAlarms(state);
          }
        }
        for (const alarm of args) takeAlarm(alarm);
      },

      journal(args) {
        const { lines } = (typeof args === "object" && args !== null ? args : {}) as { lines?: unknown };
        const isLine = (line: unknown): line is JournalLine => isAlarm(line) || isCommandLine(line);
        if (!Array.isArray(lines) || !lines.every(isLine)) {
          throw new Error("journal takes { lines }, as the historian query node answers the question journal");
        }
        journal.precede(lines);
      },

      leave(_args, message) {
        pages.leave(message);
        host.changed();
      },
    },

    status() {
      const text = [host.translate("status.devices", { count: devices.size })];
      if (offlineDevices > 0) text.push(host.translate("status.offline", { count: offlineDevices }));
      if (pages.size > 0) text.push(host.translate("status.pages", { count: pages.size }));
      if (devicesInMaintenance > 0) text.push(host.translate("status.maintenance", { count: devicesInMaintenance }));
      const fill = devices.size === 0 ? "grey" : offlineDevices > 0 ? "yellow" : "green";
      return { fill, shape: "dot", text: text.join(", ") };
    },

    ready() {
      isChanged = devices.size > 0 || registry !== undefined;
      sentFigures = lastingPart(figuresAt(Date.now()));
      unwatch = registry?.watch(() => {
        isChanged = true;
        list++;
      });
      timer = setInterval(tick, intervalSeconds * 1000);
    },

    close() {
      clearInterval(timer);
      unwatch?.();
      host.touch();
    },
  };

  function stateOf(deviceId: string): DeviceStatus {
    return deviceId === CONNECTION ? connection : host.device(deviceId).state;
  }

  function takeAlarm(alarm: Alarm): void {
    const state = stateOf(alarm.deviceId);
    if (state === connection) state.pushAlarm(alarm);
    else fleet.pushAlarm(state, alarm, Date.now());
    noteAlarms(state);
  }

  /** All that may have alarms. */
  function* withAlarms(): Iterable<{ deviceId: string; state: DeviceStatus }> {
    yield { deviceId: CONNECTION, state: connection };
    yield* devices.values();
  }

  function note(device: DeviceStatus): void {
    device.revision = ++revision;
    isChanged ||= device !== connection;
  }

  function noteAlarms(device: DeviceStatus): void {
    note(device);
    device.alarmRevision = revision;
  }

  function tick(): void {
    const now = Date.now();
    sendIfChanged(now);
    for (const page of pages.present(now)) tell(page, now);
  }

  function sendIfChanged(now: number): void {
    const figures = figuresAt(now);
    const lasting = lastingPart(figures);
    if (!isChanged && lasting === sentFigures) return;
    isChanged = false;
    sentFigures = lasting;
    offlineDevices = figures.offlineDevices;
    const payload = { devices: summaries(now), figures };
    devicesInMaintenance = payload.devices.filter(({ maintenance }) => maintenance).length;
    host.touch();
    host.changed();
    host.send({ payload });
  }

  /** A device that is being worked on counts neither as active nor as offline. */
  function figuresAt(now: number): FleetFigures {
    const counted: DeviceStatus[] = [];
    for (const { deviceId, state } of devices.values()) {
      if (!registry?.maintenance(deviceId, now)) counted.push(state);
    }
    return fleet.figures(counted, now);
  }

  /** Figures may change by time alone, when a device or an alarm is recent no more; but growing older is no news. */
  function lastingPart(figures: FleetFigures): string {
    return JSON.stringify({ ...figures, freshnessSeconds: undefined, devices: devices.size });
  }

  /** The devices that were heard of, then those that are only listed. */
  function summaries(now: number): DeviceSummary[] {
    const summarise = (deviceId: string, state: DeviceStatus) =>
      state.summary(deviceId, registry?.get(deviceId), registry?.maintenance(deviceId, now));
    const all = Array.from(devices.values(), ({ deviceId, state }) => summarise(deviceId, state));
    for (const { deviceId } of registry?.records() ?? []) {
      if (!devices.get(deviceId)) all.push(summarise(deviceId, UNHEARD));
    }
    return all;
  }

  /** Tells a page what is new to it; at least that the node is still there. */
  function tell({ envelope, state: page }: Page<Shown>, now: number): void {
    // A device that was reset, or that has made room, is to go from the list.
    const isWhole = page.list !== list || devices.size < page.devices;
    const since = isWhole ? -1 : page.revision;
    const lines = journal.since(page.journal);
    const news = page.view === "alarms" ? { ...alarmsSince(since), lines } : devicesSince(page, since, lines, now);
    Object.assign(page, { list, devices: devices.size, revision, journal: journal.count });
    host.send([null, { ...envelope, payload: { timestamp: now, isWhole, ...news } }]);
  }

  function devicesSince({ deviceId }: Shown, since: number, lines: readonly { deviceId: string }[], now: number) {
    const isNew = ({ state }: { state: DeviceStatus }) => state.revision > since;
    const rows = Array.from(devices.values())
      .filter(isNew)
      .map(({ deviceId, state }) => rowOf(deviceId, state, now));
    if (since < 0) {
      for (const { deviceId } of registry?.records() ?? []) {
        if (!devices.get(deviceId)) rows.push(rowOf(deviceId, UNHEARD, now));
      }
    }
    if (deviceId === undefined) return { devices: rows };
    const state = devices.get(deviceId)?.state ?? UNHEARD;
    const isTold = state.revision <= since && !lines.some((line) => line.deviceId === deviceId);
    return { devices: rows, ...(!isTold && { device: detailOf(deviceId, state, now) }) };
  }

  function rowOf(deviceId: string, state: DeviceStatus, now: number): DeviceRow {
    const record = registry?.get(deviceId);
    const {
      health,
      metrics,
      tags: _,
      ...summary
    } = state.summary(deviceId, record, registry?.maintenance(deviceId, now));
    const row: DeviceRow = {
      ...summary,
      metrics: Object.fromEntries(Object.entries(metrics).slice(0, LISTED_METRICS)),
    };
    if (health) row.health = health.score;
    if (row.lastSeen === undefined) row.isUnheard = true;
    if (isUnlisted(registry, deviceId)) row.isUnlisted = true;
    return row;
  }

  function detailOf(deviceId: string, state: DeviceStatus, now: number): DeviceDetail {
    const record = registry?.get(deviceId);
    const { metrics: _, ...summary } = state.summary(deviceId, record, registry?.maintenance(deviceId, now));
    return {
      ...summary,
      ...(record?.advice !== undefined && { advice: record.advice }),
      isKnown: state !== UNHEARD || record !== undefined,
      metrics: state.metricDetails(),
      alarms: [...state.alarms],
      lines: journal.of(deviceId),
    };
  }

  /** All alarms of each device of which one has changed. */
  function alarmsSince(since: number): { alarms: { deviceId: string; alarms: Alarm[] }[] } {
    const alarms: { deviceId: string; alarms: Alarm[] }[] = [];
    for (const { deviceId, state } of withAlarms()) {
      const isNew = since < 0 ? state.openAlarms > 0 : state.alarmRevision > since;
      if (isNew) alarms.push({ deviceId, alarms: [...state.alarms] });
    }
    return { alarms };
  }
});

function choiceOf(args: unknown): Pick<Shown, "view" | "deviceId"> {
  const { view, deviceId } = (typeof args === "object" && args !== null ? args : {}) as Record<string, unknown>;
  if (view !== undefined && view !== "devices" && view !== "alarms") throw new Error("view must be devices or alarms");
  return { view: view ?? "devices", deviceId: typeof deviceId === "string" && deviceId !== "" ? deviceId : undefined };
}
