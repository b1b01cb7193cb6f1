/** simulator: a fleet of devices that behave and fail like real ones, or the replay of a recorded one. */
import type { NodeMessage, NodeStatus } from "node-red";
import type { Sent } from "../../core/simulator/transport.ts";
import { SettingError } from "../lib/options.ts";
import { type Command, define, type Host, type Message, type Send } from "../lib/runtime.ts";
import { InFlight } from "./in-flight.ts";
import { LiveFleet } from "./live-fleet.ts";
import { options } from "./options.ts";
import { RecordedFleet } from "./recorded-fleet.ts";
import { COMMANDS, type Outcome, obey, type SimulationState } from "./simulation.ts";

/** How many readings of a replay go in a message, and how many such messages may be under way. */
const REPLAY = { each: { readings: 1, messages: 256 }, batch: { readings: 500, messages: 4 } };

/** How often the state is sent while readings are, ms. */
const PROGRESS_INTERVAL = 1000;

/** What output 2 sends: the state after a change, or what came of a command and the state after it. */
export type Report = { state: SimulationState } | Outcome;

type SimulatorHost = Host<typeof options, undefined>;

export default define("simulator", options, (host) => {
  const { RED, node, settings } = host;
  const simulation = settings.profile === "replay" ? recordedFleet(host, report) : liveFleet(host);

  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let reported = 0;

  /** Sends the state, and an error that no command is to blame for in such a way that a Catch node gets it too. */
  function report(error?: Error): void {
    if (isClosed) return;
    const payload: Report = { state: simulation.state };
    reported = payload.state.sent;
    if (error) node.error(error.message, { payload } as NodeMessage);
    host.send([null, { payload }]);
    host.changed();
  }

  async function begin(): Promise<void> {
    try {
      await simulation.start();
      report();
    } catch (error) {
      report(error as Error);
    }
  }

  /** Whoever gave a command may be far away: also one that can't be done gets its answer. */
  async function answer(name: string, args: unknown, { command: _, topic: __, ...message }: Message, send: Send) {
    const payload = await obey(simulation, name, args);
    const { deviceId, ok, error } = payload;
    send([null, { ...message, ...(typeof deviceId === "string" && { topic: deviceId }), payload }]);
    host.changed();
    if (!ok) throw new Error(error);
  }

  return {
    commands: Object.fromEntries(
      COMMANDS.map((name): [string, Command] => [name, (args, message, send) => answer(name, args, message, send)]),
    ),
    refuseCommand: answer,
    status: () => statusOf(simulation.state, host),
    ready() {
      timer = setInterval(() => simulation.state.sent !== reported && report(), PROGRESS_INTERVAL);
      // Any earlier, the nodes behind may not be there yet.
      if (settings.autoStart) RED.events.once("flows:started", begin);
    },
    close() {
      isClosed = true;
      clearInterval(timer);
      RED.events.off("flows:started", begin);
      simulation.close();
    },
  };
});

function liveFleet(host: SimulatorHost): LiveFleet {
  return new LiveFleet(host.settings, {
    take(sent) {
      for (const message of messagesOf(sent, host)) host.send([message, null]);
      return undefined;
    },
  });
}

function recordedFleet(host: SimulatorHost, report: (error?: Error) => void): RecordedFleet {
  const { RED, node, settings } = host;
  if (settings.file === "") throw new SettingError("file: a replay needs one");
  const { readings: batchSize, messages: limit } = REPLAY[settings.emit];
  const send = (sent: Sent[], _msgid: string) => {
    for (const message of messagesOf(sent, host)) host.send([{ ...message, _msgid }, null]);
    host.changed();
  };
  const inFlight = new InFlight(RED, node.id, limit, send, (count) =>
    node.warn(`${count} messages were not completed by the nodes behind, and are waited for no longer`),
  );
  const listener = {
    ended: report,
    refused(reason: string) {
      node.warn(`not all records can be taken, such as ${reason}`);
      report();
    },
  };
  return new RecordedFleet(settings, inFlight, listener, batchSize);
}

function messagesOf(sent: Sent[], { settings }: SimulatorHost): Message[] {
  if (settings.emit === "batch") return [{ payload: sent.map(({ payload }) => payload) }];
  return sent.map(({ deviceId, payload }) => ({ topic: deviceId, payload }));
}

function statusOf(simulation: SimulationState, host: SimulatorHost): NodeStatus {
  const { state, sent, devices, percent = 0, refused = 0, error = "" } = simulation;
  const refusal = refused > 0 ? `, ${host.translate("status.refused", { count: refused })}` : "";
  const text = (key: string, values: Record<string, number>) => host.translate(`status.${key}`, values) + refusal;
  if (state === "failed") return { fill: "red", shape: "ring", text: error };
  if (state === "stopped") return { fill: "grey", shape: "ring", text: text("stopped", {}) };
  if (state === "finished") return { fill: "blue", shape: "ring", text: text("finished", { count: sent }) };
  if (devices !== undefined) return { fill: "green", shape: "dot", text: text("devices", { count: devices }) };
  return { fill: "blue", shape: "dot", text: text("replaying", { count: sent, percent: Math.floor(percent) }) };
}
