/**
 * The one place that registers a node, reads its settings, takes its messages, handles its errors, shows its status,
 * keeps its state per device and cleans up. A node's own file holds its idea and nothing else.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import type { Node, NodeAPI, NodeDef, NodeMessage, NodeStatus } from "node-red";
import { contentOf, type Format, plainReading, type Refuse, type Take, toReadings } from "../../core/reading.ts";
import type { Reading } from "../../core/types.ts";
import { type ConfigHandle, configHandle } from "./config-node.ts";
import { type DeviceEntry, DeviceTable } from "./device-table.ts";
import { type Options, parseAll, SettingError, type Settings } from "./options.ts";
import { type Context, ContextStore, FileStore, Persistence, type ShardStore } from "./persistence.ts";
import { credentialsOf, type RawConfig, rawSettings } from "./raw-settings.ts";
import type { Registry } from "./registry.ts";
import { announce } from "./running.ts";
import { removeAbandoned, stateFolder } from "./state-folders.ts";
import { StatusLine } from "./status.ts";
import { serveElements } from "./web-elements.ts";

/** A Node-RED message, as our nodes see it. */
export interface Message {
  topic?: unknown;
  payload?: unknown;
  /** A word; its arguments are in the payload. */
  command?: unknown;
  [name: string]: unknown;
}

/** A message, or one for each output, where null sends nothing and an array sends several. */
export type Outgoing = Message | (Message | Message[] | null)[];
export type Send = (message: Outgoing) => void;

/** What a node has to work with. */
export interface Host<O extends Options, S> {
  readonly RED: NodeAPI;
  readonly node: Node;
  readonly type: string;
  readonly settings: Settings<O>;
  /** What the node keeps of each device; empty for a node without `state`. */
  readonly devices: Pick<DeviceTable<S>, "get" | "values" | "size">;
  /** The entry of a device, made if there is none; it counts as heard of and changed. Throws if there is no room. */
  device(deviceId: string): DeviceEntry<S>;
  /** Tells that the node's `common` state has changed and is to be saved. Cheap. */
  touch(): void;
  /** Tells that what has changed is to be saved within a second: what was told must not get lost. Cheap. */
  saveSoon(): void;
  /** The command `reset` that every node with state has, for a node with one of its own. */
  reset(args: unknown): void;
  /** Sends on the node's own account, not in answer to a message. */
  send(message: Outgoing): void;
  /** Tells that what `status` says may have changed. Cheap. */
  changed(): void;
  /** The text of a key of the node's locale. */
  translate(key: string, values?: Record<string, string | number>): string;
  /** The configuration node that a reference names, or undefined if it names none. */
  config<T>(option: keyof O & string): T | undefined;
  /** The device-registry of a node that has the option for it, if one is named. */
  readonly registry: Registry | undefined;
}

/** The state that a node keeps of each device. */
export interface DeviceState<S> {
  /** The form of what `save` gives; `restore` is told by which one a record was written. */
  readonly version: number;
  create(): S;
  /** Plain JSON, made at once and not changed later. */
  save(state: S): unknown;
  /** Throws if the record is of no use. */
  restore(saved: unknown, version: number): S;
}

/** The state that a node keeps beside that of its devices, or instead of it. */
export interface CommonState {
  /** Plain JSON, made at once and not changed later. */
  save(): unknown;
  /** Throws if it is of no use. The version is that of the devices' states; without these, 1. */
  restore(saved: unknown, version: number): void;
  /** Called when all devices are reset. */
  reset?(): void;
}

export type Command = (args: unknown, message: Message, send: Send) => void | Promise<void>;

/** What a node does. */
export interface Behaviour<S> {
  readonly state?: DeviceState<S>;
  readonly common?: CommonState;
  /** The name under which a reading finds its state; without it, its device. Throws if there is none. */
  keyOf?(reading: Reading): string;
  /**
   * Adds to a reading what the node has to say of it. The reading goes on to output 1, and if this returns true, to
   * output 2 as well. Throws, with the state as before, if it can't.
   */
  analyse?(reading: Reading, state: S): boolean;
  /** True if readings end here: nothing that comes in goes on, the node sends on its own account only. */
  readonly isSink?: boolean;
  /**
   * Of a sink: takes a payload, or an element of one, that is no reading, and returns true; false leaves it to
   * `analyse`. Throws, with the state as before, if it can't.
   */
  takeEvent?(payload: unknown, message: Message): boolean;
  /**
   * Of a sink: called once a message has been taken, which is done when the promise is fulfilled. What it throws refuses
   * the message as a whole.
   */
  accepted?(): Promise<void>;
  /** What is known of the format of a message's readings. Throws if the message can't be taken. */
  format?(message: Message): Format;
  /** True if output 2 takes what is refused, as `{ reason, payload }`. Where nothing is wired to it, it is an error. */
  readonly hasDeadLetters?: boolean;
  /** Takes a message in the node's own way, instead of `analyse`. */
  receive?(message: Message, send: Send): void | Promise<void>;
  readonly commands?: Readonly<Record<string, Command>>;
  /** Takes a word that is none of its commands, to refuse it in the node's own way; it should throw. */
  refuseCommand?(command: string, args: unknown, message: Message, send: Send): void | Promise<void>;
  /** The present status; without it, the number of devices. */
  status?(): NodeStatus;
  /** The status while a configuration node that is used reports a problem; without one, a red ring with the reason. */
  problemStatus?(): NodeStatus | undefined;
  /** Called once the state of a former run is back, before the first message. */
  ready?(): void;
  close?(): void | Promise<void>;
}

/** How often changed state is written, ms. A round that takes long is followed by a pause of the same kind. */
const SAVE_INTERVAL = 3000;

/** How soon it is written after a command or an alarm, ms: what an operator has said must not get lost. */
const COMMAND_SAVE_DELAY = 500;

/** The name under which the common state is saved. No device has it. */
const COMMON = "";

/** Declares a node. `start` may throw a SettingError for settings that contradict each other. */
export function define<O extends Options, S = undefined>(
  type: string,
  options: O,
  start: (host: Host<O, S>) => Behaviour<S>,
): (RED: NodeAPI) => void {
  return (RED) => {
    tidyOnceStarted(RED);
    serveElements(RED);
    announce(RED);
    RED.nodes.registerType(
      type,
      function (this: Node, config: NodeDef & RawConfig) {
        RED.nodes.createNode(this, config);
        try {
          new Runner(RED, this, type, options, config, start);
        } catch (error) {
          if (!(error instanceof SettingError)) throw error;
          this.status({ fill: "red", shape: "ring", text: error.message });
          this.error(error.message);
        }
      },
      { credentials: credentialsOf(options) },
    );
  };
}

const tidied = new WeakSet<NodeAPI["events"]>();

/** Whichever node's type comes first sees to it, once, that the state of nodes that are gone does not pile up. */
function tidyOnceStarted({ events, nodes, settings, log }: NodeAPI): void {
  if (tidied.has(events)) return;
  tidied.add(events);
  events.once("flows:started", () => {
    const ids: string[] = [];
    nodes.eachNode(({ id }) => ids.push(id));
    const { userDir } = settings;
    if (userDir) removeAbandoned(userDir, ids, Date.now()).catch((error) => log.warn(asError(error).message));
  });
}

interface Refused {
  reason: string;
  payload: unknown;
  isPartial: boolean;
}

type Done = (error?: Error) => void;

class Runner<O extends Options, S> implements Host<O, S> {
  readonly RED: NodeAPI;
  readonly node: Node;
  readonly type: string;
  readonly settings: Settings<O>;
  readonly devices: DeviceTable<S>;
  readonly registry: Registry | undefined;
  readonly #behaviour: Behaviour<S>;
  readonly #persistence: Persistence | undefined;
  readonly #statusLine: StatusLine;
  readonly #handles: ConfigHandle<unknown>[] = [];
  readonly #unwatch: (() => void)[] = [];
  #saveTimer: NodeJS.Timeout | undefined;
  #saveProblem: string | undefined;
  #isSaveUrgent = false;
  /** Messages that came before the state of the former run was back. */
  #waiting: (() => void)[] | undefined;
  #refusedCount = 0;
  #isClosed = false;

  constructor(
    RED: NodeAPI,
    node: Node,
    type: string,
    options: O,
    config: RawConfig,
    start: (host: Host<O, S>) => Behaviour<S>,
  ) {
    this.RED = RED;
    this.node = node;
    this.type = type;
    this.settings = parseAll(options, rawSettings(node, config));
    const { maxDevices = 1, forgetAfterHours = 0 } = this.settings as Settings<Options> & Partial<StateSettings>;
    this.devices = new DeviceTable({ maxDevices, forgetAfterHours }, (entry) =>
      this.#persistence?.delete(entry.deviceId),
    );
    this.#statusLine = new StatusLine(node, () => this.#status());
    this.registry = "registry" in options ? this.config<Registry>("registry") : undefined;
    this.#behaviour = start(this);
    this.#persistence = this.#openPersistence();
    for (const handle of this.#handles) this.#unwatch.push(handle.watch(() => this.changed()));
    node.on("input", (message, send, done) => this.#input(message as Message, send as Send, done));
    node.on("close", (done: () => void) => {
      this.#close()
        .catch((error) => node.error(error))
        .finally(done);
    });
    if (this.#persistence) this.#restore(this.#persistence);
    else this.#isReady();
  }

  send(message: Outgoing): void {
    this.node.send(message as NodeMessage);
  }

  changed(): void {
    this.#statusLine.update();
  }

  device(deviceId: string): DeviceEntry<S> {
    const { state } = this.#behaviour;
    if (!state) throw new Error("this node keeps no devices");
    const now = Date.now();
    const entry = this.devices.get(deviceId) ?? this.#addDevice(deviceId, state.create(), now);
    this.#hear(entry, now);
    return entry;
  }

  touch(): void {
    if (this.#behaviour.common) this.#persistence?.add(COMMON);
  }

  translate(key: string, values: Record<string, string | number> = {}): string {
    return this.RED._(key, values);
  }

  config<T>(option: keyof O & string): T | undefined {
    const id = this.settings[option];
    if (typeof id !== "string" || id === "") return undefined;
    const handle = configHandle<T>(this.RED, option, id);
    if (handle.value === undefined) throw new SettingError(`${option}: ${handle.problem}`);
    this.#handles.push(handle);
    return handle.value;
  }

  // --- messages

  #input(message: Message, send: Send, done: Done): void {
    if (this.#waiting) this.#waiting.push(() => this.#take(message, send, done));
    else this.#take(message, send, done);
  }

  #take(message: Message, send: Send, done: Done): void {
    try {
      const result = this.#handle(message, send);
      if (!(result instanceof Promise)) this.#end(done);
      else
        result.then(
          () => this.#end(done),
          (error) => this.#end(done, asError(error)),
        );
    } catch (error) {
      this.#end(done, asError(error));
    }
  }

  #end(done: Done, error?: Error): void {
    // Node-RED copies a message for its Catch and Complete nodes and fails with one that is nested thousands deep.
    try {
      done(error);
    } catch (failure) {
      this.node.error(asError(failure));
    }
  }

  #handle(message: Message, send: Send): void | Promise<void> {
    const { analyse, receive, isSink } = this.#behaviour;
    if (message.command !== undefined) return this.#command(message, send);
    if (isSink) return this.#absorb(message);
    if (analyse) return this.#analyse(message, send);
    if (receive) return this.#behaviour.receive?.(message, send);
    throw new Error(`this node takes only commands: ${this.#commandNames()}`);
  }

  /** Analyses the readings of a message and sends them on in it. */
  #analyse(message: Message, send: Send): void {
    const { payload, topic } = message;
    const now = Date.now();
    const plain = this.#behaviour.format ? undefined : plainReading(payload, { topic, now });
    if (plain && !this.#hasDeadLetters) {
      this.#analysePlain(plain, message, send, now);
      return;
    }
    const refused: Refused[] = [];
    const selected: Reading[] = [];
    const readings = this.#readings(
      message,
      now,
      (reason, payload, isPartial) => refused.push({ reason, payload, isPartial }),
      (reading) => {
        if (this.#analyseOne(reading, now)) selected.push(reading);
      },
    );
    if (refused.length > 0) {
      this.#refusedCount += refused.length;
      this.changed();
    }
    if (readings !== undefined) message.payload = readings;
    if (refused.length > 0 && this.#hasDeadLetters) {
      const letters = refused.map(({ reason, payload }) => ({ ...message, payload: { reason, payload } }));
      send([readings === undefined ? null : message, letters]);
    } else if (readings === undefined) {
      throw new Error(refusal(refused, 0));
    } else {
      send(
        selected.length === 0
          ? message
          : [message, Array.isArray(readings) ? { ...message, payload: selected } : message],
      );
      if (refused.length > 0) this.#report(refused, message, payload);
    }
  }

  /** The short way of what comes most: one reading that needs no conversion. */
  #analysePlain(reading: Reading, message: Message, send: Send, now: number): void {
    let isSelected: boolean;
    try {
      isSelected = this.#analyseOne(reading, now);
    } catch (error) {
      this.#refusedCount++;
      this.changed();
      throw asError(error);
    }
    message.payload = reading;
    send(isSelected ? [message, message] : message);
  }

  /** Takes readings and events, in their order. */
  #absorb(message: Message): void | Promise<void> {
    const { takeEvent, format, accepted } = this.#behaviour;
    const { payload, topic } = message;
    if (this.#absorbPlain(message)) return accepted?.();
    const content = contentOf(payload);
    const elements = Array.isArray(content) && content.length > 0 ? content : [content];
    const isArray = elements === content;
    const now = Date.now();
    const refused: Refused[] = [];
    const refuse: Refuse = (reason, payload, isPartial) => refused.push({ reason, payload, isPartial });
    let taken = 0;
    const take: Take = (reading) => {
      this.#analyseOne(reading, now);
      taken++;
    };
    for (const element of elements) {
      try {
        if (takeEvent?.(element, message)) taken++;
        else toReadings(isArray ? [element] : element, { topic, now }, refuse, format?.(message), take);
      } catch (error) {
        refuse(asError(error).message, element, false);
      }
    }
    if (refused.length === 0) return accepted?.();
    this.#refusedCount += refused.length;
    this.changed();
    if (taken === 0) throw new Error(refusal(refused, 0));
    const report = () =>
      this.node.error(refusal(refused, taken), {
        ...message,
        payload: isArray ? refused.map((each) => each.payload) : payload,
      } as NodeMessage);
    if (accepted) return accepted().then(report);
    report();
  }

  /** The short way of what comes most: one event, or one reading that needs no conversion. False for anything else. */
  #absorbPlain(message: Message): boolean {
    const { takeEvent, format } = this.#behaviour;
    const { payload, topic } = message;
    if (typeof payload === "string" || Array.isArray(payload) || payload instanceof Uint8Array) return false;
    try {
      if (takeEvent?.(payload, message)) return true;
      const now = Date.now();
      const reading = format ? undefined : plainReading(payload, { topic, now });
      if (reading) this.#analyseOne(reading, now);
      return reading !== undefined;
    } catch (error) {
      this.#refusedCount++;
      this.changed();
      throw asError(error);
    }
  }

  #readings(message: Message, now: number, refuse: Refuse, take: Take): Reading | Reading[] | undefined {
    try {
      const format = this.#behaviour.format?.(message);
      return toReadings(message.payload, { topic: message.topic, now }, refuse, format, take);
    } catch (error) {
      refuse(asError(error).message, message.payload, false);
      return undefined;
    }
  }

  #analyseOne(reading: Reading, now: number): boolean {
    const { analyse, state, keyOf } = this.#behaviour;
    if (!state) return analyse?.(reading, undefined as S) ?? false;
    const deviceId = keyOf ? keyOf(reading) : reading.deviceId;
    let entry = this.devices.get(deviceId);
    if (entry === undefined) {
      // A device whose first reading is refused does not stay.
      entry = this.#addDevice(deviceId, state.create(), now);
      try {
        return analyse?.(reading, entry.state) ?? false;
      } catch (error) {
        this.#removeDevice(deviceId);
        throw error;
      }
    }
    const isSelected = analyse?.(reading, entry.state) ?? false;
    this.#hear(entry, now);
    return isSelected;
  }

  #hear(entry: DeviceEntry<S>, now: number): void {
    entry.lastSeen = now;
    if (entry.shard !== undefined) this.#persistence?.touch(entry.shard);
  }

  get #hasDeadLetters(): boolean {
    const { wires } = this.node as Node & { wires?: string[][] };
    return this.#behaviour.hasDeadLetters === true && (wires?.[1]?.length ?? 0) > 0;
  }

  /** Gives a Catch node exactly what was refused of a message whose rest goes on. */
  #report(refused: Refused[], message: Message, payload: unknown): void {
    const readings = message.payload;
    this.node.error(refusal(refused, Array.isArray(readings) ? readings.length : 1), {
      ...message,
      payload: Array.isArray(readings) ? refused.map((each) => each.payload) : payload,
    } as NodeMessage);
  }

  // --- commands

  #command(message: Message, send: Send): void | Promise<void> {
    const { commands = {}, state } = this.#behaviour;
    const { command } = message;
    this.saveSoon();
    if (typeof command === "string") {
      if (Object.hasOwn(commands, command)) return commands[command]?.(message.payload, message, send);
      if (state && command === "reset") return this.reset(message.payload);
      if (this.registry && command === "maintenance") return this.registry.maintain(message.payload, Date.now());
      const { refuseCommand } = this.#behaviour;
      if (refuseCommand) return refuseCommand(command, message.payload, message, send);
    }
    throw new Error(`unknown command ${inspect(command)}: this node takes ${this.#commandNames()}`);
  }

  #commandNames(): string {
    const { commands = {}, state } = this.#behaviour;
    const common = [...(state ? ["reset"] : []), ...(this.registry ? ["maintenance"] : [])];
    return [...new Set([...Object.keys(commands), ...common])].join(", ") || "none";
  }

  reset(args: unknown): void {
    const given = typeof args === "object" && args !== null ? args : {};
    const deviceId = "deviceId" in given ? given.deviceId : undefined;
    if (deviceId === undefined) {
      // A slip such as { device: "R1" } must not forget them all.
      if (Object.keys(given).length > 0) throw new Error("reset takes { deviceId }, or nothing for all devices");
      for (const { deviceId } of [...this.devices.values()]) this.#removeDevice(deviceId);
      this.#behaviour.common?.reset?.();
      this.touch();
    } else if (typeof deviceId !== "string" || !this.#removeDevice(deviceId)) {
      throw new Error(`there is no device ${inspect(deviceId)} to reset`);
    }
  }

  // --- devices and their state

  #addDevice(deviceId: string, state: S, now: number): DeviceEntry<S> {
    const entry = this.devices.add(deviceId, state, now);
    if (this.#persistence) entry.shard = this.#persistence.add(deviceId);
    this.changed();
    return entry;
  }

  #removeDevice(deviceId: string): boolean {
    this.#persistence?.delete(deviceId);
    this.changed();
    return this.devices.delete(deviceId);
  }

  #openPersistence(): Persistence | undefined {
    const { state, common } = this.#behaviour;
    const { stateStore } = this.settings as Settings<Options> & Partial<StateSettings>;
    if (!(state ?? common) || stateStore === undefined || stateStore === "memory") return undefined;
    const store = this.#openStore(stateStore);
    return (
      store &&
      new Persistence(store, this.type, state?.version ?? 1, (deviceId) => {
        if (deviceId === COMMON) return [COMMON, 0, common?.save()];
        const entry = this.devices.get(deviceId);
        return [deviceId, entry?.lastSeen ?? 0, entry && state?.save(entry.state)];
      })
    );
  }

  #openStore(name: string): ShardStore | undefined {
    if (name !== "file") {
      const { contextStorage } = this.RED.settings as { contextStorage?: object };
      const names = Object.keys(contextStorage ?? { default: {} });
      if (names.includes(name)) return new ContextStore(this.node.context() as unknown as Context, name);
      throw new SettingError(`stateStore: must be one of ${["file", "memory", ...names].join(", ")}`);
    }
    const { userDir } = this.RED.settings;
    if (userDir) return new FileStore(stateFolder(userDir, this.node.id));
    this.node.warn("Node-RED has no user directory: the state is kept in memory only, a restart forgets it");
    return undefined;
  }

  #restore(persistence: Persistence): void {
    this.#waiting = [];
    const failures: Error[] = [];
    const { state, common } = this.#behaviour;
    persistence
      .restore(
        ([deviceId, lastSeen, saved], version) => {
          if (deviceId === COMMON) {
            common?.restore(saved, version);
            this.touch();
          } else if (state) this.#addDevice(deviceId, state.restore(saved, version), lastSeen);
        },
        (error) => failures.push(error),
      )
      .catch((error) => failures.push(asError(error)))
      .then(() => {
        if (this.#isClosed) return;
        if (failures.length > 0) {
          const parts = failures.length === 1 ? "a part" : `${failures.length} parts`;
          this.node.error(
            `${parts} of the saved state cannot be used, its devices start afresh: ${failures[0]?.message}`,
          );
        }
        this.#scheduleSave(persistence);
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        this.#isReady();
        for (const take of waiting) take();
      })
      .catch((error) => this.node.error(asError(error)));
  }

  #isReady(): void {
    this.#behaviour.ready?.();
    this.changed();
  }

  #scheduleSave(persistence: Persistence, delay = SAVE_INTERVAL): void {
    clearTimeout(this.#saveTimer);
    const timer = setTimeout(async () => {
      this.#isSaveUrgent = false;
      await this.#save(persistence);
      // Unless a command has asked for the next one, or the node is closed.
      if (this.#saveTimer === timer) this.#scheduleSave(persistence);
    }, delay);
    timer.unref();
    this.#saveTimer = timer;
  }

  saveSoon(): void {
    if (!this.#persistence || this.#isSaveUrgent || this.#isClosed) return;
    this.#isSaveUrgent = true;
    this.#scheduleSave(this.#persistence, COMMAND_SAVE_DELAY);
  }

  async #save(persistence: Persistence): Promise<void> {
    const before = this.#saveProblem;
    this.#saveProblem = await persistence.save().then(
      () => undefined,
      (error) => asError(error).message,
    );
    if ((this.#saveProblem === undefined) === (before === undefined)) return;
    if (this.#saveProblem !== undefined) this.node.error(`the state cannot be saved: ${this.#saveProblem}`);
    this.changed();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    for (const unwatch of this.#unwatch) unwatch();
    try {
      await this.#behaviour.close?.();
    } finally {
      // What is on its way to this node still comes, and teaches it.
      await nextTurn();
      // What was saved before is whole; half of it, restored so far, must not take its place.
      if (this.#waiting === undefined) {
        if (this.#persistence) await this.#save(this.#persistence);
      } else if (this.#waiting.length > 0) {
        this.node.warn(`${this.#waiting.length} messages were lost: they came while the state was being restored`);
      }
      this.#statusLine.close();
    }
  }

  // --- status

  #status(): NodeStatus {
    const problem = this.#handles.find((handle) => handle.problem !== undefined)?.problem;
    if (problem !== undefined) {
      return this.#behaviour.problemStatus?.() ?? { fill: "red", shape: "ring", text: problem };
    }
    if (this.#saveProblem !== undefined)
      return { fill: "yellow", shape: "ring", text: this.translate("status.unsaved") };
    if (this.#behaviour.status) return this.#behaviour.status();
    if (!this.#behaviour.state) {
      if (this.#refusedCount === 0) return {};
      return { fill: "yellow", shape: "ring", text: this.translate("status.refused", { count: this.#refusedCount }) };
    }
    const count = this.devices.size;
    return { fill: count > 0 ? "green" : "grey", shape: "dot", text: this.translate("status.devices", { count }) };
  }
}

interface StateSettings {
  stateStore: string;
  maxDevices: number;
  forgetAfterHours: number;
}

/** What was refused beside `good` readings, and why. */
function refusal(refused: Refused[], good: number): string {
  const whole = refused.filter(({ isPartial }) => !isPartial).length;
  const partial = refused.length - whole;
  const total = good + whole;
  if (total === 1) return (partial > 0 ? "refused in part: " : "") + reasons(refused);
  return `refused ${whole} of ${total} readings${partial > 0 ? `, and ${partial} in part` : ""}: ${reasons(refused)}`;
}

/** The different reasons with how often each occurs, the first few of them. */
function reasons(refused: Refused[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of refused) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].slice(0, 3).map(([reason, count]) => (count > 1 ? `${reason} (${count} times)` : reason));
  return texts.join("; ") + (counts.size > 3 ? "; …" : "");
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
