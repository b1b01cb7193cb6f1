/** live-series: keeps the recent past of each device, and tells each page that asks of what it has chosen. */
import { firstMetrics, type LiveLimit, LiveSeries, type Position } from "../../core/live-series.ts";
import type { Maintenance } from "../../core/types.ts";
import { type DeviceEntry, DeviceTable } from "../lib/device-table.ts";
import { type Page, Pages } from "../lib/pages.ts";
import { isUnlisted } from "../lib/registry.ts";
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
  /** What it was told of the device, as text. */
  told: string;
  positions: Map<string, Position>;
}

/** A device to choose. */
interface Offered {
  deviceId: string;
  name?: string;
}

/** What is to be said of the device that is shown. */
interface Present extends Offered {
  location?: string;
  maintenance?: Maintenance;
  /** Of the latest reading; one that is bad is not drawn. */
  quality?: "stale" | "bad";
  isUnheard?: true;
  /** There is a list of devices, and it is not on it. */
  isUnlisted?: true;
}

export default define("live-series", options, (host) => {
  const { registry } = host;
  const { points, preferred, charts, intervalSeconds } = host.settings;
  const newTable = () => new DeviceTable<LiveSeries>(host.settings, () => host.changed());
  let devices = newTable();
  const pages = new Pages<Shown>();
  let timer: NodeJS.Timeout | undefined;
  let unwatch: (() => void) | undefined;
  /** All devices that were heard of or are listed, in the order of their ids; their number tells lists apart. */
  let offered: Offered[] = [];
  let list = 0;
  let isListOld = true;

  return {
    isSink: true,

    analyse(reading) {
      const now = Date.now();
      const entry = devices.get(reading.deviceId) ?? addDevice(reading.deviceId, now);
      entry.lastSeen = now;
      entry.state.push(reading);
      return false;
    },

    commands: {
      watch(args, message) {
        const choice = choiceOf(args);
        const state = { choice, deviceId: undefined, offered: "", told: "", positions: new Map() };
        const page = pages.watch(message, choice, state, Date.now());
        if (!page) return;
        refreshList();
        sendAll(page);
        host.changed();
      },

      leave(_args, message) {
        pages.leave(message);
        host.changed();
      },

      limits(args) {
        const { deviceId, limits } = limitsOf(args);
        // Those for all may be in force for anyone: whoever shows a device asks again when he is sent it anew.
        if (deviceId === undefined) sendAnew();
        else devices.get(deviceId)?.state.setLimits(limits);
      },

      reset() {
        devices = newTable();
        isListOld = true;
        sendAnew();
        host.changed();
      },
    },

    status() {
      const text = [host.translate("status.devices", { count: devices.size })];
      if (pages.size > 0) text.push(host.translate("status.pages", { count: pages.size }));
      return { fill: devices.size > 0 ? "green" : "grey", shape: "dot", text: text.join(", ") };
    },

    ready() {
      unwatch = registry?.watch(() => {
        isListOld = true;
      });
      timer = setInterval(tick, intervalSeconds * 1000);
    },

    close() {
      clearInterval(timer);
      unwatch?.();
    },
  };

  function addDevice(deviceId: string, now: number): DeviceEntry<LiveSeries> {
    const entry = devices.add(deviceId, new LiveSeries(points), now);
    isListOld = true;
    return entry;
  }

  function sendAnew(): void {
    for (const { state } of pages.present(Date.now())) state.offered = "";
  }

  function tick(): void {
    refreshList();
    for (const page of pages.present(Date.now())) {
      if (page.state.offered === offerOf(page.state)) sendNew(page);
      else sendAll(page);
    }
    host.changed();
  }

  function refreshList(): void {
    if (!isListOld) return;
    isListOld = false;
    const order = new Intl.Collator("en", { numeric: true });
    const heard = Array.from(devices.values(), ({ deviceId }) => deviceId);
    const listed = Array.from(registry?.records() ?? [], ({ deviceId }) => deviceId);
    const present = [...new Set([...heard, ...listed])].sort(order.compare).map(offer);
    if (JSON.stringify(present) !== JSON.stringify(offered)) list++;
    offered = present;
  }

  function offer(deviceId: string): Offered {
    const name = registry?.get(deviceId)?.name;
    return { deviceId, ...(name !== undefined && { name }) };
  }

  function presentOf(deviceId: string): Present {
    const series = devices.get(deviceId)?.state;
    const record = registry?.get(deviceId);
    const maintenance = registry?.maintenance(deviceId, Date.now());
    return {
      ...offer(deviceId),
      ...(record?.location !== undefined && { location: record.location }),
      ...(maintenance && { maintenance }),
      ...(series?.quality && { quality: series.quality }),
      ...(!series && { isUnheard: true }),
      ...(isUnlisted(registry, deviceId) && { isUnlisted: true }),
    };
  }

  /** All that a page can choose from: when it changes, the page is sent anew. */
  function offerOf({ deviceId }: Shown): string {
    const series = deviceId === undefined ? undefined : devices.get(deviceId)?.state;
    return `${list} ${series?.offer}`;
  }

  function sendAll({ envelope, state: page }: Page<Shown>): void {
    const firstHeard = offered.find((each) => devices.get(each.deviceId))?.deviceId;
    const { deviceId = page.deviceId ?? firstHeard, metrics: chosen } = page.choice;
    const series = deviceId === undefined ? undefined : devices.get(deviceId)?.state;
    const metrics = series?.metrics ?? [];
    const known = new Set(metrics.map(({ name }) => name));
    const wanted = chosen?.filter((name) => known.has(name)) ?? [];
    const shown = wanted.length > 0 ? wanted : firstMetrics([...known], preferred, charts);
    page.deviceId = deviceId;
    page.offered = offerOf(page);
    page.told = "";
    const parts = series?.charts(shown) ?? [];
    page.positions = new Map(parts.map(({ id, position }) => [id, position]));
    const payload = {
      deviceId,
      isKnown: series !== undefined,
      ...newsOf(page),
      devices: offered,
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
    const news = newsOf(page);
    if (parts.length > 0 || news.device) {
      host.send({ ...envelope, payload: { deviceId: page.deviceId, charts: parts, ...news } });
    }
  }

  /** What is to be said of the device, unless the page was told so. */
  function newsOf(page: Shown): { device?: Present } {
    if (page.deviceId === undefined) return {};
    const device = presentOf(page.deviceId);
    const text = JSON.stringify(device);
    if (text === page.told) return {};
    page.told = text;
    return { device };
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

/** The limits of a health score, as that answers its command `limits`; a rule about a fall has none to draw. */
function limitsOf(args: unknown): { deviceId: string | undefined; limits: LiveLimit[] } {
  const { deviceId, limits } = (typeof args === "object" && args !== null ? args : {}) as Record<string, unknown>;
  if (!Array.isArray(limits)) throw new Error("limits takes { deviceId, limits }, as the health score node sends it");
  const rows = limits.flatMap((row): LiveLimit[] => {
    const { metric, flag, comparison, limit } = (typeof row === "object" && row !== null ? row : {}) as Record<
      string,
      unknown
    >;
    const isLine = typeof metric === "string" && typeof limit === "number" && /^[<>]=?$/.test(String(comparison));
    return isLine ? [{ metric, name: String(flag), value: limit }] : [];
  });
  return { deviceId: typeof deviceId === "string" ? deviceId : undefined, limits: rows };
}
