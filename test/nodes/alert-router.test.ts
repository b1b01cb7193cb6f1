import assert from "node:assert/strict";
import { mock } from "node:test";
import type { Alarm } from "../../core/types.ts";
import alertRouter from "../../nodes/alert-router/alert-router.ts";
import { newFolder } from "../support/folders.ts";
import { LoopProbe } from "../support/loop-probe.ts";
import { type NodeOptions, startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 3);
const SECOND = 1000;

interface Alert {
  kind: string;
  to: string;
  severity: string;
  title: string;
  text: string;
  alarm: Alarm;
  count: number;
}

const raised = (deviceId = "P7", more: object = {}) => ({
  alarmId: `${deviceId}/overheating`,
  deviceId,
  condition: "overheating",
  severity: "critical",
  state: "unacknowledged",
  change: "raised",
  timestamp: START,
  raisedAt: START,
  isAnnunciated: true,
  ...more,
});
const over = (deviceId = "P7") => raised(deviceId, { state: "normal", change: "returned", isAnnunciated: false });
const acknowledged = (deviceId = "P7") =>
  raised(deviceId, { state: "acknowledged", change: "acknowledged", isAnnunciated: false });

/** Output 2 is "on call", 3 "boss", 4 "mail". */
const ROUTES = [
  {
    ...{ severity: "critical", devices: "P*", conditions: "", output: "on call", continue: false },
    ...{ repeatSeconds: "60", escalateAfterSeconds: "90", escalateTo: "boss" },
  },
  { severity: "warning", devices: "", output: "mail" },
];

describe("alert-router", () => {
  let node: TestNode;
  let userDir: string;
  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START });
    userDir = newFolder();
  });
  afterEach(async () => {
    await node.stop();
    mock.timers.reset();
  });

  async function start(settings: object = {}, options: NodeOptions = {}): Promise<void> {
    node = await startNode(
      alertRouter,
      { type: "alert-router", stateStore: "memory", routes: ROUTES, limitPerMinute: "0", ...settings },
      { outputs: 4, ...options },
    );
  }

  /** Starts a node that keeps its state in files, and waits until it has read them. */
  async function startOnFiles(settings: object = {}): Promise<void> {
    await start({ stateStore: "file", ...settings }, { settings: { userDir } });
    node.send({ command: "list" });
    await node.arrival(1);
  }

  const send = (payload: unknown, more: object = {}) => node.send({ payload, ...more });
  const pass = (seconds: number) => {
    for (let second = 0; second < seconds; second++) mock.timers.tick(SECOND);
  };
  const alerts = (output: number) => node.output(output).map(({ payload }) => payload as Alert);
  const kinds = (output: number) => alerts(output).map(({ kind }) => kind);

  it("sends an alarm in words to the output of its route", async () => {
    await start();
    send([raised(), raised("Q1"), raised("Q2", { severity: "info" })]);
    const [message] = node.output(2);
    const { isAnnunciated, ...alarm } = raised();
    assert.equal(message?.topic, "P7/overheating");
    const { title, text, ...payload } = alerts(2)[0] as Alert;
    assert.deepEqual(payload, { kind: "alarm", to: "on call", severity: "critical", alarm });
    assert.ok(title.length > 0 && text.length > title.length);
    assert.deepEqual(
      alerts(4).map(({ to, alarm }) => [to, alarm.deviceId]),
      [["mail", "Q1"]],
    );
    assert.deepEqual(
      alerts(1).map(({ to, alarm }) => [to, alarm.deviceId]),
      [["", "Q2"]],
    );
    assert.equal(node.completed().length, 1);
    assert.deepEqual(node.caught(), []);
  });

  it("repeats and escalates until somebody acknowledges, and says when it is over", async () => {
    await start();
    send(raised());
    pass(130);
    assert.deepEqual([kinds(2), kinds(3)], [["alarm", "repeat", "repeat"], ["escalation"]]);
    send(acknowledged());
    pass(600);
    send(over());
    send(over());
    assert.deepEqual([kinds(2).slice(3), kinds(3).slice(1), kinds(4)], [["normal"], ["normal"], []]);
  });

  it("takes an empty payload on the topic of an alarm for its end", async () => {
    await start();
    send(raised("P/7"));
    send("", { topic: "plant/alarms/P%2F7/overheating" });
    send(Buffer.alloc(0), { topic: "plant/alarms/P9/overheating" });
    assert.deepEqual(kinds(2), ["alarm", "normal"]);
    assert.deepEqual(node.caught(), []);
  });

  it("gives a Catch node what is no alarm, and takes the rest", async () => {
    await start();
    const wrong = [{ ...raised(), state: "loud" }, null, [], { deviceId: "P7", temperature: 80 }];
    send([raised(), ...wrong, JSON.stringify(raised("P8")), raised("P9")]);
    assert.deepEqual(node.caught()[0]?.payload, [...wrong, JSON.stringify(raised("P8"))]);
    assert.equal(kinds(2).length, 2);
    send(JSON.stringify(raised("P8")));
    assert.equal(kinds(2).length, 3, "alone, JSON text is understood");
    for (const payload of ["fire", 7, undefined, {}]) send(payload);
    assert.match(node.reasons()[1] ?? "", /'fire' is not an alarm/);
    assert.equal(node.reasons().length, 5);
  });

  it("tells of the storm in a summary, and shows that it does", async () => {
    await start({ limitPerMinute: "3" });
    for (let i = 0; i < 10; i++) send(raised(`P${i}`));
    pass(5);
    assert.deepEqual(kinds(2), ["alarm", "alarm", "alarm", "summary"]);
    const { title, text, ...summary } = alerts(2)[3] as Alert;
    assert.deepEqual(summary, {
      ...{ kind: "summary", to: "on call", count: 7, severity: "critical" },
      counts: [
        { kind: "alarm", severity: "critical", condition: "overheating", count: 7, devices: ["P3", "P4", "P5"] },
      ],
    });
    assert.ok(title.length > 0 && text.length > title.length);
    assert.ok(node.statuses().some(({ fill, text }) => fill === "yellow" && text === "status.pending, status.limited"));
    pass(1);
    assert.deepEqual(node.statuses().at(-1), { fill: "green", shape: "dot", text: "status.pending" });
  });

  it("gives others messages that they may change", async () => {
    await start({ routes: [{ output: "a", repeatSeconds: 1, continue: true }, { output: "b" }] });
    send(raised());
    const [alert] = alerts(2);
    Object.assign(alert?.alarm ?? {}, { name: "changed" });
    pass(1);
    assert.deepEqual([alerts(3)[0]?.alarm.name, alerts(2)[1]?.alarm.name], [undefined, undefined]);
  });

  const wrong: [string, object, RegExp][] = [
    ["a time zone that there is not", { timeZone: "Europe/Nowhere" }, /^timeZone: there is no 'Europe\/Nowhere'/],
    [
      "an escalation to nobody",
      { routes: [ROUTES[1], { ...ROUTES[0], escalateTo: "" }] },
      /^routes: row 2: escalateTo: must name an output/,
    ],
    ["a route to nobody", { routes: [{ output: " " }] }, /^routes: row 1: output: must not be empty/],
  ];
  for (const [what, settings, reason] of wrong) {
    it(`does not start with ${what}`, async () => {
      await start(settings);
      assert.match(node.statuses()[0]?.text ?? "", reason);
    });
  }

  describe("with commands", () => {
    it("lists what is pending, in the message that asks", async () => {
      await start();
      send([raised(), raised("Q1"), raised("Q2")]);
      send(over("Q1"));
      node.send({ command: "list", socketid: "abc" });
      const [answer] = node.output(1);
      assert.equal(answer?.socketid, "abc");
      const { isAnnunciated, ...alarm } = raised();
      assert.deepEqual(answer?.payload, [
        {
          ...{ alarm, outputs: ["on call"], isSilenced: false },
          reminders: [
            { kind: "repeat", output: "on call", seconds: 60, at: START + 60 * SECOND },
            { kind: "escalation", output: "boss", seconds: 90, at: START + 90 * SECOND },
          ],
        },
        {
          alarm: { ...alarm, alarmId: "Q2/overheating", deviceId: "Q2" },
          outputs: ["mail"],
          reminders: [],
          isSilenced: false,
        },
      ]);
    });

    it("forgets one device, or all and what outputs were told", async () => {
      await start({ limitPerMinute: "2" });
      send([raised("P1"), raised("P2"), raised("P3")]);
      node.send({ command: "reset", payload: { deviceId: "P1" } });
      send(over("P1"));
      node.send({ command: "reset" });
      pass(600);
      assert.deepEqual(kinds(2), ["alarm", "alarm"]);
      send(raised("P1"));
      assert.equal(kinds(2).length, 3);
    });

    it("refuses others", async () => {
      await start();
      node.send({ command: "ack" });
      assert.equal(node.reasons()[0], "unknown command 'ack': this node takes list, reset");
    });
  });

  describe("after a restart", () => {
    it("goes on with repeats and escalations, and tells the end to whoever was told", async () => {
      await startOnFiles();
      send([raised("P1"), raised("P2")]);
      pass(30);
      await node.stop();
      await startOnFiles();
      send(raised("P1"));
      pass(30);
      assert.deepEqual(kinds(2), ["repeat", "repeat"]);
      await node.stop();
      mock.timers.tick(60 * SECOND);
      await startOnFiles();
      send([over("P1"), acknowledged("P2")]);
      pass(60);
      assert.deepEqual([kinds(2), kinds(3)], [["normal"], []]);
      send(over("P2"));
      assert.deepEqual(kinds(2), ["normal", "normal"]);
      assert.deepEqual(node.logged(), []);
    });

    it("still knows what it has held back", async () => {
      await startOnFiles({ limitPerMinute: "1" });
      send([raised("P1"), raised("P2")]);
      await node.stop();
      await startOnFiles({ limitPerMinute: "1" });
      send(raised("P3"));
      pass(5);
      assert.deepEqual(
        alerts(2).map(({ kind, count }) => [kind, count]),
        [["summary", 2]],
      );
    });
  });

  it("sends nothing any more once it is closed", async () => {
    await start({ limitPerMinute: "1" });
    send([raised("P1"), raised("P2")]);
    await node.stop();
    pass(600);
    assert.equal(node.output(2).length, 1);
  });
});

describe("alert-router in a storm of 10,000 alarms at once", () => {
  const LIMIT = 20;
  let node: TestNode;
  afterEach(() => node.stop());

  it("keeps to the limit, counts the rest, and never holds up the event loop", async () => {
    mock.timers.enable({ apis: ["Date"], now: Date.now() });
    try {
      const settings = { type: "alert-router", routes: ROUTES, limitPerMinute: LIMIT, stateStore: "file" };
      node = await startNode(alertRouter, settings, { outputs: 4, settings: { userDir: newFolder() } });
      node.send({ command: "list" });
      await node.arrival(1);
      const probe = new LoopProbe();
      for (let i = 0; i < 10_000; i++) {
        node.send({ payload: raised(`${i % 2 ? "P" : "Q"}${i}`) });
        if (i % 100 === 0) await new Promise(setImmediate);
      }
      mock.timers.tick(5 * SECOND);
      while (node.output(2).length + node.output(4).length < 2 * LIMIT + 2) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const longest = probe.stop();
      for (const output of [2, 4]) {
        const alerts = node.output(output).map(({ payload }) => payload as Alert);
        assert.equal(alerts.filter(({ kind }) => kind === "alarm").length, LIMIT);
        assert.deepEqual(
          alerts.slice(LIMIT).map(({ kind, count }) => [kind, count]),
          [["summary", 5000 - LIMIT]],
        );
      }
      assert.deepEqual(node.caught(), []);
      assert.ok(longest < 50, `${longest} ms`);
    } finally {
      mock.timers.reset();
    }
  });
});
