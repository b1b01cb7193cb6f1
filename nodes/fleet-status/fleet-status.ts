/** fleet-status: the last state of each device and the fleet's figures, from readings, status events and alarms. */
import { DeviceStatus, type DeviceSummary } from "../../core/device-status.ts";
import { isAlarm, isStatusEvent } from "../../core/events.ts";
import { type FleetFigures, FleetStatus } from "../../core/fleet-status.ts";
import { nameFilter } from "../../core/names.ts";
import { alarmInTopic } from "../../core/topics.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** Events of this device are about the connection to all; what follows for each of them is reported apart. */
const CONNECTION = "*";

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
      isChanged = true;
      return false;
    },

    takeEvent(event, { topic }) {
      if (isStatusEvent(event)) {
        if (event.deviceId === CONNECTION) return true;
        host.device(event.deviceId).state.pushStatus(event);
      } else if (isAlarm(event)) {
        if (event.deviceId === CONNECTION) return true;
        fleet.pushAlarm(host.device(event.deviceId).state, event, Date.now());
      } else {
        // A retained alarm that is back to normal is cleared from its topic.
        const alarm = event === "" ? alarmInTopic(topic) : undefined;
        if (alarm === undefined) return false;
        if (devices.get(alarm.deviceId)) host.device(alarm.deviceId).state.clearAlarm(alarm.condition);
      }
      isChanged = true;
      return true;
    },

    commands: {
      status(_args, message, send) {
        const now = Date.now();
        send({ ...message, payload: { devices: summaries(now), figures: figuresAt(now) } });
      },
    },

    status() {
      const text = [host.translate("status.devices", { count: devices.size })];
      if (offlineDevices > 0) text.push(host.translate("status.offline", { count: offlineDevices }));
      if (devicesInMaintenance > 0) text.push(host.translate("status.maintenance", { count: devicesInMaintenance }));
      const fill = devices.size === 0 ? "grey" : offlineDevices > 0 ? "yellow" : "green";
      return { fill, shape: "dot", text: text.join(", ") };
    },

    ready() {
      isChanged = devices.size > 0 || registry !== undefined;
      sentFigures = lastingPart(figuresAt(Date.now()));
      unwatch = registry?.watch(() => {
        isChanged = true;
      });
      timer = setInterval(sendIfChanged, intervalSeconds * 1000);
    },

    close() {
      clearInterval(timer);
      unwatch?.();
      host.touch();
    },
  };

  function sendIfChanged(): void {
    const now = Date.now();
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
});
