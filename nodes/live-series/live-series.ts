/** live-series: keeps the recent past of each device, and tells each page that asks of what it has chosen. */
import { firstMetrics, LiveSeries, type Position } from "../../core/live-series.ts";
import { DeviceTable } from "../lib/device-table.ts";
import { type Page, Pages } from "../lib/pages.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** What a page has chosen; what is missing is chosen for it. */
interface Choice {
  deviceId?: string;
  metrics?: string[];
}

interface Shown {
  choice: Choice;
  /** The device that is shown; undefined until there is one. */
  deviceId: string | undefined;
  /** What it could choose from when all was sent: when that changes, all is sent again. */
  offered: string;
  positions: Map<string, Position>;
}

export default define("live-series", options, (host) => {
  const { points, preferred, charts, intervalSeconds } = host.settings;
  const newTable = () => new DeviceTable<LiveSeries>(host.settings, () => host.changed());
  let devices = newTable();
  const pages = new Pages<Shown>();
  let timer: NodeJS.Timeout | undefined;
  let names: string[] = [];

  return {
    isSink: true,

    analyse(reading) {
      const now = Date.now();
      const entry = devices.get(reading.deviceId) ?? devices.add(reading.deviceId, new LiveSeries(points), now);
      entry.lastSeen = now;
      entry.state.push(reading);
      return false;
    },

    commands: {
      watch(args, message) {
        const choice = choiceOf(args);
        const state = { choice, deviceId: undefined, offered: "", positions: new Map() };
        const page = pages.watch(message, choice, state, Date.now());
        if (!page) return;
        refreshNames();
        sendAll(page);
        host.changed();
      },

      leave(_args, message) {
        pages.leave(message);
        host.changed();
      },

      reset() {
        devices = newTable();
        for (const { state } of pages.present(Date.now())) state.offered = "";
        host.changed();
      },
    },

    status() {
      const text = [host.translate("status.devices", { count: devices.size })];
      if (pages.size > 0) text.push(host.translate("status.pages", { count: pages.size }));
      return { fill: devices.size > 0 ? "green" : "grey", shape: "dot", text: text.join(", ") };
    },

    ready() {
      timer = setInterval(tick, intervalSeconds * 1000);
    },

    close() {
      clearInterval(timer);
    },
  };

  function tick(): void {
    refreshNames();
    for (const page of pages.present(Date.now())) {
      if (page.state.offered === offerOf(page.state)) sendNew(page);
      else sendAll(page);
    }
    host.changed();
  }

  function refreshNames(): void {
    if (names.length === devices.size && names.every((name) => devices.get(name))) return;
    const order = new Intl.Collator("en", { numeric: true });
    names = Array.from(devices.values(), ({ deviceId }) => deviceId).sort(order.compare);
  }

  /** All that a page can choose from: when it changes, the page is sent anew. */
  function offerOf({ deviceId }: Shown): string {
    const series = deviceId === undefined ? undefined : devices.get(deviceId)?.state;
    return `${names.length} ${series?.offer}`;
  }

  function sendAll({ envelope, state: page }: Page<Shown>): void {
    const { deviceId = names[0], metrics: chosen } = page.choice;
    const series = deviceId === undefined ? undefined : devices.get(deviceId)?.state;
    const metrics = series?.metrics ?? [];
    const known = new Set(metrics.map(({ name }) => name));
    const wanted = chosen?.filter((name) => known.has(name)) ?? [];
    const shown = wanted.length > 0 ? wanted : firstMetrics([...known], preferred, charts);
    page.deviceId = deviceId;
    page.offered = offerOf(page);
    const parts = series?.charts(shown) ?? [];
    page.positions = new Map(parts.map(({ id, position }) => [id, position]));
    const payload = {
      deviceId,
      isKnown: series !== undefined,
      devices: names,
      metrics,
      shown,
      charts: parts.map(({ id, chart }) => ({ id, data: chart })),
    };
    host.send({ ...envelope, payload });
  }

  function sendNew({ envelope, state: page }: Page<Shown>): void {
    const series = page.deviceId === undefined ? undefined : devices.get(page.deviceId)?.state;
    const parts: { id: string; data: object }[] = [];
    for (const [id, position] of page.positions) {
      const news = series?.since(id, position);
      if (!news) continue;
      page.positions.set(id, news.position);
      parts.push({ id, data: news.append });
    }
    if (parts.length > 0) host.send({ ...envelope, payload: { deviceId: page.deviceId, charts: parts } });
  }
});

function choiceOf(args: unknown): Choice {
  const { deviceId, metrics } = (typeof args === "object" && args !== null ? args : {}) as Record<string, unknown>;
  const isList = Array.isArray(metrics) && metrics.every((name) => typeof name === "string");
  return {
    ...(typeof deviceId === "string" && deviceId !== "" && { deviceId }),
    ...(isList && { metrics: (metrics as string[]).slice(0, 12) }),
  };
}
