/**
 * The one place that registers a node, reads its settings, takes its messages, handles its errors, shows its status,
 * keeps its state per device and cleans up. A node's own file holds its idea and nothing else.
 */
import { join } from "node:path";
import type { Node, NodeAPI, NodeDef, NodeMessage, NodeStatus } from "node-red";
import { type Format, toReadings } from "../../core/reading.ts";
import type { Reading } from "../../core/types.ts";
import { type ConfigHandle, configHandle } from "./config-node.ts";
import { type DeviceEntry, DeviceTable } from "./device-table.ts";
import { type Options, parseAll, SettingError, type Settings } from "./options.ts";
import { type Context, ContextStore, FileStore, Persistence, type ShardStore } from "./persistence.ts";
import { credentialsOf, type RawConfig, rawSettings } from "./raw-settings.ts";
import { StatusLine } from "./status.ts";

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
  /** Sends on the node's own account, not in answer to a message. */
  send(message: Outgoing): void;
  /** Tells that what `status` says may have changed. Cheap. */
  changed(): void;
  /** The text of a key of the node's locale. */
  translate(key: string, values?: Record<string, string | number>): string;
  /** The configuration node that a reference names, or undefined if it names none. */
  config<T>(option: keyof O & string): T | undefined;
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

export type Command = (args: unknown, message: Message, send: Send) => void | Promise<void>;

/** What a node does. */
export interface Behaviour<S> {
  readonly state?: DeviceState<S>;
  /**
   * Adds to a reading what the node has to say of it. The reading goes on to output 1, and if this returns true, to
   * output 2 as well. Throws, with the state as before, if it can't.
   */
  analyse?(reading: Reading, state: S): boolean;
  /** What is known of the format of a message's readings. Throws if the message can't be taken. */
  format?(message: Message): Format;
  /** True if output 2 takes what is refused, as `{ reason, payload }`. Where nothing is wired to it, it is an error. */
  readonly hasDeadLetters?: boolean;
  /** Takes a message in the node's own way, instead of `analyse`. */
  receive?(message: Message, send: Send): void | Promise<void>;
  readonly commands?: Readonly<Record<string, Command>>;
  /** The present status; without it, the number of devices. */
  status?(): NodeStatus;
  /** Called once the state of a former run is back, before the first message. */
  ready?(): void;
  close?(): void | Promise<void>;
}

/** How often changed state is written, ms. A round that takes long is followed by a pause of the same kind. */
const SAVE_INTERVAL = 3000;

/** Declares a node. `start` may throw a SettingError for settings that contradict each other. */
export function define<O extends Options, S = undefined>(
  type: string,
  options: O,
  start: (host: Host<O, S>) => Behaviour<S>,
): (RED: NodeAPI) => void {
  return (RED) => {
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

interface Refused {
  reason: string;
  payload: unknown;
}

/** An entry of the table that knows where it is saved. */
type Kept<S> = DeviceEntry<S> & { shard?: number };

class Runner<O extends Options, S> implements Host<O, S> {
  readonly RED: NodeAPI;
  readonly node: Node;
  readonly type: string;
  readonly settings: Settings<O>;
  readonly devices: DeviceTable<S>;
  readonly #behaviour: Behaviour<S>;
  readonly #persistence: Persistence | undefined;
  readonly #statusLine: StatusLine;
  readonly #handles: ConfigHandle<unknown>[] = [];
  readonly #unwatch: (() => void)[] = [];
  #saveTimer: NodeJS.Timeout | undefined;
  #saveProblem: string | undefined;
  /** Messages that came before the state of the former run was back. */
  #waiting: (() => void)[] | undefined;
  /** What was refused of the message at hand. */
  #refused: Refused[] = [];
  #refusedCount = 0;

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

  #input(message: Message, send: Send, done: (error?: Error) => void): void {
    if (this.#waiting) this.#waiting.push(() => this.#take(message, send, done));
    else this.#take(message, send, done);
  }

  #take(message: Message, send: Send, done: (error?: Error) => void): void {
    try {
      const { analyse, receive } = this.#behaviour;
      if (message.command !== undefined) finish(this.#command(message, send), done);
      else if (analyse) this.#analyse(message, send, done);
      else if (receive) finish(this.#behaviour.receive?.(message, send), done);
      else throw new Error(`this node takes only commands: ${this.#commandNames().join(", ")}`);
    } catch (error) {
      done(asError(error));
    }
  }

  #analyse(message: Message, send: Send, done: (error?: Error) => void): void {
    const { payload } = message;
    const outgoing = this.#pass(message);
    const refused = this.#takeRefused();
    if (refused.length > 0 && this.#hasDeadLetters) {
      const letters = refused.map(({ reason, payload }) => ({ ...message, payload: { reason, payload } }));
      send([outgoing === undefined ? null : message, letters]);
    } else if (outgoing === undefined) {
      const isOne = refused.length === 1 && !Array.isArray(payload);
      throw new Error(isOne ? refused[0]?.reason : `all ${refused.length} readings refused: ${reasons(refused)}`);
    } else {
      send(outgoing);
      if (refused.length > 0) this.#report(refused, message, payload);
    }
    done();
  }

  /** Analyses the readings of a message and puts them into it. Gives what is to be sent, or undefined if none is good. */
  #pass(message: Message): Outgoing | undefined {
    const now = Date.now();
    const readings = this.#readings(message, now);
    if (readings === undefined) return undefined;
    return Array.isArray(readings) ? this.#passAll(readings, message, now) : this.#passOne(readings, message, now);
  }

  #passOne(reading: Reading, message: Message, now: number): Outgoing | undefined {
    try {
      const isSelected = this.#analyseOne(reading, now);
      message.payload = reading;
      return isSelected ? [message, message] : message;
    } catch (error) {
      this.#refuse(asError(error).message, message.payload);
      return undefined;
    }
  }

  #passAll(readings: Reading[], message: Message, now: number): Outgoing | undefined {
    const good: Reading[] = [];
    const selected: Reading[] = [];
    for (const reading of readings) {
      try {
        if (this.#analyseOne(reading, now)) selected.push(reading);
        good.push(reading);
      } catch (error) {
        this.#refuse(asError(error).message, reading);
      }
    }
    if (good.length === 0) return undefined;
    message.payload = good;
    return selected.length > 0 ? [message, { ...message, payload: selected }] : message;
  }

  #readings(message: Message, now: number): Reading | Reading[] | undefined {
    try {
      const format = this.#behaviour.format?.(message);
      return toReadings(message.payload, { topic: message.topic, now }, this.#refuse, format);
    } catch (error) {
      this.#refuse(asError(error).message, message.payload);
      return undefined;
    }
  }

  #analyseOne(reading: Reading, now: number): boolean {
    const { analyse, state } = this.#behaviour;
    const { deviceId } = reading;
    let entry = this.devices.get(deviceId) as Kept<S> | undefined;
    if (entry === undefined && state) {
      // A device whose first reading is refused does not stay.
      entry = this.#addDevice(deviceId, state.create(), now);
      try {
        return analyse?.(reading, entry.state) ?? false;
      } catch (error) {
        this.#removeDevice(deviceId);
        throw error;
      }
    }
    const isSelected = analyse?.(reading, entry?.state as S) ?? false;
    if (entry) {
      entry.lastSeen = now;
      if (entry.shard !== undefined) this.#persistence?.touch(entry.shard);
    }
    return isSelected;
  }

  #refuse = (reason: string, payload: unknown): void => {
    this.#refused.push({ reason, payload });
  };

  #takeRefused(): Refused[] {
    const refused = this.#refused;
    if (refused.length === 0) return refused;
    this.#refused = [];
    this.#refusedCount += refused.length;
    this.changed();
    return refused;
  }

  get #hasDeadLetters(): boolean {
    const { wires } = this.node as Node & { wires?: string[][] };
    return this.#behaviour.hasDeadLetters === true && (wires?.[1]?.length ?? 0) > 0;
  }

  /** Gives a Catch node exactly what was refused of a message whose rest goes on. */
  #report(refused: Refused[], message: Message, payload: unknown): void {
    const isArray = Array.isArray(message.payload);
    const total = Array.isArray(payload) ? ` of ${payload.length}` : "";
    this.node.error(`refused ${isArray ? `${refused.length}${total} readings: ` : ""}${reasons(refused)}`, {
      ...message,
      payload: isArray ? refused.map((each) => each.payload) : payload,
    } as NodeMessage);
  }

  // --- commands

  #command(message: Message, send: Send): void | Promise<void> {
    const { commands = {}, state } = this.#behaviour;
    const { command } = message;
    if (typeof command === "string") {
      if (Object.hasOwn(commands, command)) return commands[command]?.(message.payload, message, send);
      if (state && command === "reset") return this.#reset(message.payload);
    }
    throw new Error(`unknown command ${JSON.stringify(command)}: there are ${this.#commandNames().join(", ")}`);
  }

  #commandNames(): string[] {
    const names = Object.keys(this.#behaviour.commands ?? {});
    return this.#behaviour.state ? [...names, "reset"] : names;
  }

  #reset(args: unknown): void {
    const deviceId = typeof args === "object" && args !== null && "deviceId" in args ? args.deviceId : undefined;
    if (deviceId === undefined) {
      for (const { deviceId } of [...this.devices.values()]) this.#removeDevice(deviceId);
    } else if (typeof deviceId !== "string" || !this.#removeDevice(deviceId)) {
      throw new Error(`there is no device ${JSON.stringify(deviceId)} to reset`);
    }
  }

  // --- devices and their state

  #addDevice(deviceId: string, state: S, now: number): Kept<S> {
    const entry: Kept<S> = this.devices.add(deviceId, state, now);
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
    const { state } = this.#behaviour;
    const { stateStore } = this.settings as Settings<Options> & Partial<StateSettings>;
    if (!state || stateStore === undefined || stateStore === "memory") return undefined;
    const store = this.#openStore(stateStore);
    return (
      store &&
      new Persistence(store, this.type, state.version, (deviceId) => {
        const entry = this.devices.get(deviceId);
        return [deviceId, entry?.lastSeen ?? 0, entry && state.save(entry.state)];
      })
    );
  }

  #openStore(name: string): ShardStore | undefined {
    if (name !== "file") {
      const names = Object.keys((this.RED.settings as { contextStorage?: object }).contextStorage ?? { default: {} });
      if (names.includes(name)) return new ContextStore(this.node.context() as unknown as Context, name);
      throw new SettingError(`stateStore: there is no context store "${name}", only ${names.join(", ")}`);
    }
    const { userDir } = this.RED.settings;
    if (userDir) return new FileStore(join(userDir, "device-analytics", encodeURIComponent(this.node.id)));
    this.node.warn("Node-RED has no user directory: the state is kept in memory only, a restart forgets it");
    return undefined;
  }

  #restore(persistence: Persistence): void {
    this.#waiting = [];
    const failures: Error[] = [];
    const { state } = this.#behaviour;
    persistence
      .restore(
        ([deviceId, lastSeen, saved], version) => {
          if (state) this.#addDevice(deviceId, state.restore(saved, version), lastSeen);
        },
        (error) => failures.push(error),
      )
      .catch((error) => failures.push(asError(error)))
      .then(() => {
        if (failures.length > 0) {
          const count = failures.length === 1 ? "a part" : `${failures.length} parts`;
          this.node.error(`${count} of the saved state cannot be used and starts afresh: ${failures[0]?.message}`);
        }
        this.#scheduleSave(persistence);
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        this.#isReady();
        for (const take of waiting) take();
      });
  }

  #isReady(): void {
    this.#behaviour.ready?.();
    this.changed();
  }

  #scheduleSave(persistence: Persistence): void {
    this.#saveTimer = setTimeout(async () => {
      await this.#save(persistence);
      if (this.#saveTimer !== undefined) this.#scheduleSave(persistence);
    }, SAVE_INTERVAL);
    this.#saveTimer.unref();
  }

  async #save(persistence: Persistence): Promise<void> {
    const before = this.#saveProblem;
    this.#saveProblem = await persistence.save().then(
      () => undefined,
      (error) => asError(error).message,
    );
    if (this.#saveProblem === before) return;
    if (this.#saveProblem !== undefined) this.node.error(`the state cannot be saved: ${this.#saveProblem}`);
    this.changed();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    for (const unwatch of this.#unwatch) unwatch();
    await this.#behaviour.close?.();
    // What was saved before is whole; half of it, restored so far, must not take its place.
    if (this.#waiting === undefined) {
      if (this.#persistence) await this.#save(this.#persistence);
    } else if (this.#waiting.length > 0) {
      this.node.warn(`${this.#waiting.length} messages were lost: they came while the state was being restored`);
    }
    this.#statusLine.close();
  }

  // --- status

  #status(): NodeStatus {
    const problem = this.#handles.find((handle) => handle.problem !== undefined)?.problem;
    if (problem !== undefined) return { fill: "red", shape: "ring", text: problem };
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

function finish(result: void | Promise<void>, done: (error?: Error) => void): void {
  if (result instanceof Promise)
    result.then(
      () => done(),
      (error) => done(asError(error)),
    );
  else done();
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
