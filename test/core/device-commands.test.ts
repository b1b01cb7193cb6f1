import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type CommandLine,
  type DeviceCommandOptions,
  DeviceCommands,
  isCommandAnswer,
  MAX_ARGUMENTS_LENGTH,
  MAX_PENDING_COMMANDS,
} from "../../core/device-commands.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;
const HOUR = 3_600_000;

const SET = { deviceId: "R1", command: "set", by: "Anna", parameter: "load", value: 0.5 };
const SENT = {
  deviceId: "R1",
  command: "set",
  commandId: "c1",
  by: "Anna",
  arguments: { parameter: "load", value: 0.5 },
  sentAt: NOW,
};
const OK = { commandId: "c1", ok: true };
const FAILED = { commandId: "c1", ok: false, error: "no such parameter" };

const options = (more: Partial<DeviceCommandOptions> = {}) => ({ timeoutSeconds: 10, commands: [], ...more });
const copyOf = (commands: DeviceCommands) => DeviceCommands.from(options(), JSON.parse(JSON.stringify(commands)));

function withCommand(): DeviceCommands {
  const commands = new DeviceCommands(options());
  commands.send(SET, "c1", NOW);
  return commands;
}

describe("DeviceCommands", () => {
  it("give a command its id, and the journal a line", () => {
    const { toDevice, line } = new DeviceCommands(options()).send(SET, "c1", NOW);
    assert.deepEqual(toDevice, { command: "set", commandId: "c1", by: "Anna", parameter: "load", value: 0.5 });
    assert.deepEqual(line, { ...SENT, outcome: "sent", timestamp: NOW });
  });

  it("need not know who gives the command", () => {
    const { toDevice, line } = new DeviceCommands(options()).send({ deviceId: "R1", command: "restart" }, "c1", NOW);
    assert.deepEqual(toDevice, { command: "restart", commandId: "c1" });
    assert.ok(!("by" in line));
  });

  it("take any text for the name of a device, a command or an argument", () => {
    for (const name of ["__proto__", "a/b+c#", "toString"]) {
      const request = JSON.parse(`{"deviceId":${JSON.stringify(name)},"command":${JSON.stringify(name)}}`);
      Object.defineProperty(request, name, { value: 1, enumerable: true });
      const commands = new DeviceCommands(options());
      const { toDevice, line } = commands.send(request, name, NOW);
      assert.deepEqual([line.deviceId, line.command, toDevice.commandId], [name, name, name]);
      assert.equal(Object.getOwnPropertyDescriptor(toDevice, name)?.value, 1);
      assert.deepEqual(copyOf(commands).answer({ commandId: name, ok: true }, NOW)?.arguments, line.arguments);
    }
  });

  it("say that a device has done it, or why it could not", () => {
    const now = NOW + 1500;
    const answered = { ...SENT, answeredAt: now, seconds: 1.5, timestamp: now };
    assert.deepEqual(withCommand().answer(OK, now), { ...answered, outcome: "done" });
    assert.deepEqual(withCommand().answer(FAILED, now), {
      ...answered,
      outcome: "failed",
      error: "no such parameter",
    });
    assert.equal(withCommand().answer({ commandId: "c1", ok: false }, now)?.error, "it gives no reason");
    assert.equal(withCommand().answer({ ...FAILED, error: "x".repeat(1e6) }, now)?.error?.length, 1000);
  });

  it("say once that a device has not answered in time", () => {
    const commands = withCommand();
    assert.deepEqual(commands.tick(NOW + 10 * SECOND - 1), []);
    const now = NOW + 10 * SECOND;
    assert.deepEqual(commands.tick(now), [{ ...SENT, outcome: "timeout", seconds: 10, timestamp: now }]);
    assert.deepEqual([commands.tick(now + SECOND), commands.waiting], [[], 0]);
  });

  it("recognise a late answer, before and after it was missed, for an hour", () => {
    const early = withCommand();
    assert.equal(early.answer(OK, NOW + 10 * SECOND)?.outcome, "answered-late");
    assert.deepEqual(early.tick(NOW + 10 * SECOND), []);
    const late = withCommand();
    late.tick(NOW + 10 * SECOND);
    const line = late.answer(FAILED, NOW + 12 * SECOND);
    assert.deepEqual([line?.outcome, line?.error, line?.seconds], ["answered-late", "no such parameter", 12]);
    const forgotten = withCommand();
    forgotten.tick(NOW + HOUR + 1);
    assert.equal(forgotten.answer(OK, NOW + HOUR + 1), undefined);
  });

  it("pass over answers to nobody's question, and second ones", () => {
    const commands = withCommand();
    for (const commandId of ["c2", undefined, 1])
      assert.equal(commands.answer({ commandId, ok: true }, NOW), undefined);
    assert.ok(commands.answer(OK, NOW));
    assert.equal(commands.answer(OK, NOW), undefined);
  });

  it("give up a command from a time that has yet to come, when the clock is set back", () => {
    const commands = withCommand();
    assert.deepEqual(
      commands.tick(NOW - HOUR).map(({ outcome, seconds }) => [outcome, seconds]),
      [["timeout", 0]],
    );
  });

  it("tell answers, which may lack the id, from commands", () => {
    const others = [SET, { ...SET, commandId: "c1" }, { ...SET, ok: "true" }, null, "c1", [OK]];
    assert.deepEqual(others.filter(isCommandAnswer), []);
    assert.ok(isCommandAnswer({ ...SET, ...OK }));
    assert.ok(isCommandAnswer({ ...SET, ok: true }));
  });

  const wrong: [string, unknown, RegExp][] = [
    ["no object", "restart", /^a command is \{ deviceId, command/],
    ["no device", { command: "restart" }, /^a command is/],
    ["an empty device", { deviceId: "", command: "restart" }, /^a command is/],
    ["a device that is no text", { deviceId: 7, command: "restart" }, /^a command is/],
    ["a name that is too long", { deviceId: "x".repeat(257), command: "restart" }, /^a command is/],
    ["no word", { deviceId: "R1" }, /^a command is/],
    ["an author who is no text", { ...SET, by: 7 }, /^by must be/],
    ["an id of its own", { ...SET, commandId: "c9" }, /^commandId is given here/],
    [
      "a word that is not allowed",
      { ...SET, command: "explode" },
      /^the command "explode" is not allowed, only restart, set/,
    ],
    ["a device that is not listed", { ...SET, deviceId: "R9" }, /^there is no device "R9"/],
    ["endless arguments", { ...SET, value: "x".repeat(MAX_ARGUMENTS_LENGTH) }, /at most$/],
  ];
  for (const [name, request, reason] of wrong) {
    it(`refuse ${name}, and stay as they were`, () => {
      const accepts = (deviceId: string) => deviceId === "R1";
      const commands = new DeviceCommands(options({ commands: ["restart", "set"], accepts }));
      commands.send(SET, "c1", NOW);
      const before = JSON.stringify(commands);
      assert.throws(() => commands.send(request, "c2", NOW), { message: reason });
      assert.equal(JSON.stringify(commands), before);
    });
  }

  it("refuse a command while too many wait, and remember only as many that had no answer", () => {
    const commands = new DeviceCommands(options());
    const send = (round: number, now: number) => {
      for (let i = 0; i < MAX_PENDING_COMMANDS; i++) commands.send(SET, `${round}-${i}`, now);
    };
    send(1, NOW);
    assert.throws(() => commands.send(SET, "more", NOW), /wait for an answer already/);
    assert.equal(commands.tick(NOW + 10 * SECOND).length, MAX_PENDING_COMMANDS);
    send(2, NOW + 10 * SECOND);
    commands.tick(NOW + 20 * SECOND);
    assert.equal(commands.toJSON().unanswered.length, MAX_PENDING_COMMANDS);
    assert.equal(commands.answer({ commandId: "1-9999", ok: true }, NOW + 20 * SECOND), undefined);
    assert.ok(commands.answer({ commandId: "2-0", ok: true }, NOW + 20 * SECOND));
  });

  it("say of every command what became of it, once, whatever happens in between", () => {
    const steps = fc.array(
      fc.record({
        pause: fc.integer({ min: 0, max: 6 * SECOND }),
        event: fc.constantFrom("send", "send", "answer", "answer", "tick", "restart"),
        which: fc.nat({ max: 40 }),
        ok: fc.boolean(),
      }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(steps, (steps) => {
        let commands = new DeviceCommands(options());
        let now = NOW;
        let sent = 0;
        const lines: CommandLine[] = [];
        for (const { pause, event, which, ok } of steps) {
          now += pause;
          if (event === "send") lines.push(commands.send(SET, `c${sent++}`, now).line);
          else if (event === "tick") lines.push(...commands.tick(now));
          else if (event === "restart") commands = copyOf(commands);
          else {
            const line = commands.answer({ commandId: `c${which}`, ok }, now);
            if (line) lines.push(line);
          }
        }
        lines.push(...commands.tick(now + 10 * SECOND));
        assert.equal(commands.waiting, 0);
        for (let id = 0; id < sent; id++) {
          const [first, second, third, ...more] = lines.filter(({ commandId }) => commandId === `c${id}`);
          const { sentAt = 0 } = first ?? {};
          const isInTime = (second?.timestamp ?? 0) - sentAt < 10 * SECOND;
          assert.equal(first?.outcome, "sent");
          assert.ok(
            (isInTime ? ["done", "failed"] : ["timeout", "answered-late"]).includes(second?.outcome ?? ""),
            `${second?.outcome} after ${second?.seconds} s`,
          );
          if (third) assert.deepEqual([second?.outcome, third.outcome], ["timeout", "answered-late"]);
          assert.deepEqual(more, []);
        }
      }),
    );
  });

  it("refuse to be restored from anything else", () => {
    const list = (sent: object) => ({ waiting: [], unanswered: [sent] });
    const wrong = [
      null,
      {},
      { waiting: [] },
      list({}),
      list({ ...SENT, commandId: 1 }),
      list({ ...SENT, by: 1 }),
      list({ ...SENT, arguments: [] }),
      list({ ...SENT, sentAt: null }),
    ];
    DeviceCommands.from(options(), list(SENT));
    for (const state of wrong) {
      assert.throws(() => DeviceCommands.from(options(), state), TypeError, JSON.stringify(state));
    }
  });
});
