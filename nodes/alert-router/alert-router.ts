/** alert-router: sends alarms where they belong, in words, and again while nobody acknowledges them. */
import { inspect } from "node:util";
import { AlertRouter, type Delivery, DeviceAlerts, UNROUTED } from "../../core/alert-router.ts";
import { isAlarm } from "../../core/events.ts";
import { alarmInTopic } from "../../core/topics.ts";
import { outputNames } from "../lib/named-outputs.ts";
import { SettingError } from "../lib/options.ts";
import { define, type Message } from "../lib/runtime.ts";
import { AlertText } from "./alert-text.ts";
import { options } from "./options.ts";
import { routeOutputs } from "./outputs.ts";

const TICK = 1000;

export default define<typeof options, DeviceAlerts>("alert-router", options, (host) => {
  const { settings, devices } = host;
  const { routes, timeZone } = settings;
  for (const [index, { escalateAfterSeconds, escalateTo }] of routes.entries()) {
    if (escalateAfterSeconds > 0 && escalateTo === "") {
      throw new SettingError(
        `routes: row ${index + 1}: escalateTo: must name an output, as escalateAfterSeconds is set`,
      );
    }
  }
  const words = wordsIn(timeZone);
  const outputs = [UNROUTED, ...outputNames(routeOutputs, routes)];
  const known = new Set(outputs);
  let router = new AlertRouter(settings);
  let timer: NodeJS.Timeout | undefined;

  return {
    isSink: true,

    state: {
      version: 1,
      create: () => new DeviceAlerts(),
      save: (device) => device.toJSON(),
      restore: (saved) => DeviceAlerts.from(saved, known),
    },

    common: {
      save: () => router.toJSON(),
      restore: (saved) => {
        router = AlertRouter.from(settings, saved, known);
      },
      reset: () => {
        router = new AlertRouter(settings);
      },
    },

    takeEvent(event, { topic }) {
      const now = Date.now();
      // A retained alarm that is back to normal is cleared from its topic.
      const over = event === "" ? alarmInTopic(topic) : undefined;
      if (over !== undefined) {
        if (devices.get(over.deviceId)) tell(router.end(host.device(over.deviceId).state, over.condition, now), now);
      } else if (isAlarm(event)) {
        if (event.state !== "normal" || devices.get(event.deviceId)) {
          tell(router.push(host.device(event.deviceId).state, event, now), now);
        }
      } else {
        throw new TypeError(`${inspect(event, { depth: 0 })} is not an alarm`);
      }
      host.saveSoon();
      host.changed();
      return true;
    },

    commands: {
      list(_args, message, send) {
        send({
          ...message,
          payload: Array.from(devices.values(), ({ state }) => state.toJSON())
            .flat()
            .filter(isPending),
        });
      },
    },

    status() {
      let count = 0;
      for (const { state } of devices.values()) for (const told of state.told.values()) if (isPending(told)) count++;
      const text = host.translate("status.pending", { count });
      if (!router.isLimited) return { fill: count > 0 ? "green" : "grey", shape: "dot", text };
      return { fill: "yellow", shape: "dot", text: `${text}, ${host.translate("status.limited")}` };
    },

    ready() {
      timer = setInterval(tick, TICK);
    },

    close() {
      clearInterval(timer);
    },
  };

  function wordsIn(timeZone: string): AlertText {
    try {
      return new AlertText((key, values) => host.translate(key, values), timeZone);
    } catch {
      throw new SettingError(`timeZone: there is no ${inspect(timeZone)}, it must be one like Europe/Berlin`);
    }
  }

  function tick(): void {
    const now = Date.now();
    const deliveries = router.tick(states(), now);
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) if (delivery.kind !== "summary") host.device(delivery.alarm.deviceId);
    tell(deliveries, now);
    host.saveSoon();
    host.changed();
  }

  function* states(): Iterable<DeviceAlerts> {
    for (const { state } of devices.values()) yield state;
  }

  function tell(deliveries: readonly Delivery[], now: number): void {
    if (settings.limitPerMinute > 0) host.touch();
    for (const delivery of deliveries) {
      const messages: (Message | null)[] = outputs.map(() => null);
      messages[outputs.indexOf(delivery.output)] = messageOf(delivery, now);
      host.send(messages);
    }
  }

  function messageOf(delivery: Delivery, now: number): Message {
    const { kind, output: to } = delivery;
    if (delivery.kind === "summary") {
      const { summary } = delivery;
      return { topic: "summary", payload: { kind, to, ...words.summary(summary), ...summary } };
    }
    const { alarm } = delivery;
    const { severity } = alarm;
    return { topic: alarm.alarmId, payload: { kind, to, ...words.alert(delivery.kind, alarm, now), severity, alarm } };
  }
});

function isPending({ endedAt }: { endedAt?: number }): boolean {
  return endedAt === undefined;
}
