/** fleet-status: the last state of each device and the fleet's figures, from readings, status events and alarms. */
import { DeviceStatus } from "../../core/device-status.ts";
import { isAlarm, isStatusEvent } from "../../core/events.ts";
import { type FleetFigures, FleetStatus } from "../../core/fleet-status.ts";
import { nameFilter } from "../../core/names.ts";
import { alarmInTopic } from "../../core/topics.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** Events of this device are about the connection to all; what follows for each of them is reported apart. */
const CONNECTION = "*";

export default define<typeof options, DeviceStatus>("fleet-status", options, (host) => {
  const { devices } = host;
  const { intervalSeconds, recentSeconds, metrics } = host.settings;
  const fleetOptions = { recentSeconds, accepts: nameFilter(metrics) };
  let fleet = new FleetStatus(fleetOptions);
  let timer: NodeJS.Timeout | undefined;
  let isChanged = false;
  let sentFigures = "";
  let offlineDevices = 0;

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
        send({ ...message, payload: summary(figuresAt(Date.now())) });
      },
    },

    status() {
      const text = [host.translate("status.devices", { count: devices.size })];
      if (offlineDevices > 0) text.push(host.translate("status.offline", { count: offlineDevices }));
      const fill = devices.size === 0 ? "grey" : offlineDevices > 0 ? "yellow" : "green";
      return { fill, shape: "dot", text: text.join(", ") };
    },

    ready() {
      isChanged = devices.size > 0;
      sentFigures = lastingPart(figuresAt(Date.now()));
      timer = setInterval(sendIfChanged, intervalSeconds * 1000);
    },

    close() {
      clearInterval(timer);
      host.touch();
    },
  };

  function sendIfChanged(): void {
    const figures = figuresAt(Date.now());
    const lasting = lastingPart(figures);
    if (!isChanged && lasting === sentFigures) return;
    isChanged = false;
    sentFigures = lasting;
    offlineDevices = figures.offlineDevices;
    host.touch();
    host.changed();
    host.send({ payload: summary(figures) });
  }

  function figuresAt(now: number): FleetFigures {
    return fleet.figures(
      Array.from(devices.values(), ({ state }) => state),
      now,
    );
  }

  /** Figures may change by time alone, when a device or an alarm is recent no more; but growing older is no news. */
  function lastingPart(figures: FleetFigures): string {
    return JSON.stringify({ ...figures, freshnessSeconds: undefined, devices: devices.size });
  }

  function summary(figures: FleetFigures) {
    return { devices: Array.from(devices.values(), ({ deviceId, state }) => state.summary(deviceId)), figures };
  }
});
