/** device-command: sends operators' commands to devices, and says what became of each. */
import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { type CommandLine, DeviceCommands, isCommandAnswer } from "../../core/device-commands.ts";
import { deviceLabel } from "../../core/names.ts";
import { define, type Message } from "../lib/runtime.ts";
import { options } from "./options.ts";
import { sentence } from "./sentence.ts";

/** How often overdue answers are looked for, ms. */
const TICK = 250;

/** A command for this device is one for all. */
const ALL = "*";

export default define<typeof options, undefined>("device-command", options, (host) => {
  const { registry } = host;
  const commandOptions = {
    ...host.settings,
    accepts: (deviceId: string) => !registry?.isStrict || deviceId === ALL || registry.get(deviceId) !== undefined,
  };
  let commands = new DeviceCommands(commandOptions);
  /** Answers to commands of others, who share the topic. */
  let foreign = 0;
  let timer: NodeJS.Timeout | undefined;

  return {
    isSink: true,

    // What is kept belongs to commands, not to devices.
    state: { version: 1, create: () => undefined, save: () => undefined, restore: () => undefined },

    common: {
      save: () => commands.toJSON(),
      restore: (saved) => {
        commands = DeviceCommands.from(commandOptions, saved);
      },
      reset: () => {
        commands = new DeviceCommands(commandOptions);
        foreign = 0;
        host.changed();
      },
    },

    takeEvent(payload) {
      const now = Date.now();
      if (isCommandAnswer(payload)) {
        const line = commands.answer(payload, now);
        if (line) tell(line);
        else countForeign();
      } else {
        const { toDevice, line } = commands.send(payload, randomUUID(), now);
        // First, for the answer may come before this is over.
        tell(line);
        host.send([{ topic: line.deviceId, payload: toDevice }, null]);
      }
      return true;
    },

    refuseCommand(command) {
      throw new Error(
        `unknown command ${inspect(command)}: a command for a device stands in the payload, as { deviceId, command }`,
      );
    },

    status() {
      const { waiting } = commands;
      const text = [host.translate("status.waiting", { count: waiting })];
      if (foreign > 0) text.push(host.translate("status.foreign", { count: foreign }));
      return { fill: waiting > 0 ? "green" : "grey", shape: "dot", text: text.join(", ") };
    },

    ready() {
      timer = setInterval(() => {
        for (const line of commands.tick(Date.now())) tell(line);
      }, TICK);
    },

    close() {
      clearInterval(timer);
    },
  };

  function countForeign(): void {
    foreign++;
    host.changed();
  }

  /** Journals what has changed, and sees to it that it is not forgotten. */
  function tell(line: CommandLine): void {
    host.touch();
    host.saveSoon();
    host.changed();
    const { deviceId } = line;
    const named = { ...line, deviceId: deviceLabel({ deviceId, name: registry?.get(deviceId)?.name }) };
    const text = sentence(named, (key, values) => host.translate(key, values));
    const message: Message = { topic: line.deviceId, payload: { ...line, text } };
    host.send([null, message]);
  }
});
