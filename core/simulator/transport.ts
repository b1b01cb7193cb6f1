/** The faults of transport: what becomes of readings on their way. The readings themselves are right, and say so. */
import { Random } from "../random.ts";
import type { Reading } from "../types.ts";
import type { FaultName } from "./faults.ts";

const TRANSPORT_FAULTS: ReadonlySet<string> = new Set<FaultName>(["late", "out-of-order", "duplicate", "malformed"]);

/** What arrives. */
export interface Sent {
  /** Whose it is. */
  deviceId: string;
  /** A Reading, or what is left of one that was malformed: broken text, or an object that is no Reading. */
  payload: unknown;
}

/** A late reading is held back for this, s; it differs from fault to fault. */
const DELAY_SECONDS = [20, 60] as const;
/** So many readings at most are held back for a device; above that the oldest goes early. */
const MAX_HELD = 1000;
/** So many readings change their order among each other. */
const GROUP = 4;

interface Held {
  reading: Reading;
  /** When it was given, ms since 1970. */
  time: number;
}

/** The way of one device. */
interface Route {
  random: Random;
  /** The fault that its last reading told of, and when that began. */
  fault: string | null;
  since: number | null;
  /** How long readings are held back, ms. */
  delay: number;
  held: Held[];
}

/**
 * Where readings go on their way to whoever takes them. One whose `truth` tells a fault of transport meets it:
 *
 * - `late`: held back for 20 to 60 seconds, then sent as it was, in order;
 * - `out-of-order`: sent after up to three that are younger; groups of four are sent at once, none in its place;
 * - `duplicate`: sent twice;
 * - `malformed`: broken, in one of six ways that devices and gateways have.
 *
 * All others are sent at once. What is held back goes before the first reading after the fault, or when its time is over,
 * so every reading is sent exactly once but for the duplicates. Costs O(readings + devices that hold something back); holds
 * a minute's readings of the devices whose readings are late, and at most 1000 of each.
 *
 * @example
 * const readings = fleet.tick(now);
 * for (const { deviceId, payload } of transport.send(readings, now)) publish(deviceId, payload);
 */
export class Transport {
  readonly #seed: number;
  readonly #longestGroup: number;
  readonly #routes = new Map<string, Route>();
  /** Those that hold something back; a few may hold nothing any more. */
  readonly #holding = new Set<Route>();

  /**
   * @param seed a whole number: the same seed and readings are sent in the same way
   * @param intervalSeconds between two readings of a device
   */
  constructor(seed: number, intervalSeconds: number) {
    this.#seed = seed;
    // The jitter may double the interval.
    this.#longestGroup = 2 * GROUP * intervalSeconds * 1000;
  }

  /** When something that is held back will be due, ms since 1970; Infinity if nothing is. */
  nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { held, delay } of this.#holding) {
      if (held[0] !== undefined) next = Math.min(next, held[0].time + delay);
    }
    return next;
  }

  /** What arrives at `now`, ms since 1970: readings that were held back, and then these. */
  send(readings: readonly Reading[], now: number): Sent[] {
    const sent: Sent[] = [];
    for (const route of this.#holding) {
      release(route, now, sent);
      if (route.held.length === 0) this.#holding.delete(route);
    }
    for (const reading of readings) this.#take(reading, now, sent);
    return sent;
  }

  #take(reading: Reading, now: number, sent: Sent[]): void {
    const { deviceId, truth } = reading;
    const route = this.#routeOf(deviceId, truth?.fault ?? null, truth?.since ?? null, sent);
    switch (route?.fault) {
      case "late":
        this.#hold(route, reading, now);
        if (route.held.length > MAX_HELD) sent.push(toSent((route.held.shift() as Held).reading));
        break;
      case "out-of-order":
        this.#hold(route, reading, now);
        if (route.held.length === GROUP) flush(route, sent);
        break;
      case "duplicate":
        sent.push(toSent(reading), toSent(structuredClone(reading)));
        break;
      case "malformed":
        sent.push({ deviceId, payload: malformed(reading, route.random) });
        break;
      default:
        sent.push(toSent(reading));
    }
  }

  #hold(route: Route, reading: Reading, time: number): void {
    route.held.push({ reading, time });
    this.#holding.add(route);
  }

  /** The way of a device that has or had a fault of transport; what the last fault held back goes when that is over. */
  #routeOf(deviceId: string, fault: string | null, since: number | null, sent: Sent[]): Route | undefined {
    let route = this.#routes.get(deviceId);
    if (route === undefined) {
      if (fault === null || !TRANSPORT_FAULTS.has(fault)) return undefined;
      route = { random: new Random(this.#seed, hash(deviceId)), fault: null, since: null, delay: 0, held: [] };
      this.#routes.set(deviceId, route);
    }
    if (fault !== route.fault || since !== route.since) {
      flush(route, sent);
      route.fault = fault;
      route.since = since;
      if (fault === "late") route.delay = Math.round(route.random.between(...DELAY_SECONDS) * 1000);
      else if (fault === "out-of-order") route.delay = this.#longestGroup;
    }
    return route;
  }
}

function toSent(reading: Reading): Sent {
  return { deviceId: reading.deviceId, payload: reading };
}

/** Sends what was held back for its time, or the whole group. A clock set back is no reason to hold it for longer. */
function release(route: Route, now: number, sent: Sent[]): void {
  const { held, delay } = route;
  const young = held.findIndex(({ time }) => now >= time && now < time + delay);
  if (young === 0) return;
  if (young === -1 || route.fault === "out-of-order") flush(route, sent);
  else for (const { reading } of held.splice(0, young)) sent.push(toSent(reading));
}

/** Sends all that is held back. */
function flush(route: Route, sent: Sent[]): void {
  const readings = route.held.map(({ reading }) => reading);
  route.held = [];
  if (route.fault === "out-of-order") shuffle(readings, route.random);
  for (const reading of readings) sent.push(toSent(reading));
}

/** Puts no item where it was (Sattolo 1986: a permutation of one cycle). */
function shuffle(items: unknown[], random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * last);
    [items[last], items[other]] = [items[other], items[last]];
  }
}

/**
 * What arrives of a reading that is broken. Nothing in it can be used, unless it lacks only the device and the receiver
 * knows that from elsewhere.
 */
function malformed(reading: Reading, random: Random): unknown {
  const { metrics, units, timestamp } = reading;
  const replaced = (toValue: (name: string) => unknown) => ({
    ...reading,
    metrics: Object.fromEntries(Object.keys(metrics).map((name) => [name, toValue(name)])),
  });
  switch (Math.floor(random.next() * 6)) {
    case 0: {
      // A buffer that was too small.
      const text = JSON.stringify(reading);
      return text.slice(0, 1 + Math.floor(random.next() * (text.length - 1)));
    }
    case 1: // A serialiser that writes what JSON does not have.
      return JSON.stringify(replaced(() => "NaN")).replaceAll('"NaN"', "NaN");
    case 2: // Numbers made for a display.
      return replaced((name) => `${metrics[name]} ${units?.[name] ?? ""}`);
    case 3: // A device that does not know its name.
      return { ...reading, deviceId: {} };
    case 4: // A list without the names.
      return { ...reading, metrics: Object.values(metrics) };
    default: // A time made for people.
      return { ...reading, timestamp: new Date(timestamp).toUTCString() };
  }
}

/** A number of 32 bits for a name (FNV-1a of Fowler, Noll and Vo). */
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
