import assert from "node:assert/strict";
import fc from "fast-check";
import { AlertLimit } from "../../core/alert-limit.ts";
import { AlertRouter, type Delivery, DeviceAlerts, UNROUTED } from "../../core/alert-router.ts";
import type { Route } from "../../core/alert-routes.ts";
import type { Alarm, AlarmChange, Severity } from "../../core/types.ts";

const START = Date.UTC(2026, 2, 1, 3);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const route = (output: string, more: Partial<Route> = {}): Route => ({
  severity: "info",
  devices: [],
  conditions: [],
  output,
  repeatSeconds: 0,
  escalateAfterSeconds: 0,
  escalateTo: "",
  continue: false,
  ...more,
});

const raised = (more: Partial<Alarm> = {}): Alarm => {
  const { deviceId = "P7", condition = "overheating" } = more;
  return {
    alarmId: `${deviceId}/${condition}`,
    deviceId,
    condition,
    severity: "critical",
    state: "unacknowledged",
    change: "raised",
    timestamp: START,
    raisedAt: START,
    isAnnunciated: true,
    ...more,
  };
};
const changed = (change: AlarmChange, more: Partial<Alarm> = {}) =>
  raised({ change, isAnnunciated: false, timestamp: START + SECOND, ...more });
const acknowledged = (more: Partial<Alarm> = {}) => changed("acknowledged", { state: "acknowledged", ...more });
const returned = (more: Partial<Alarm> = {}) => changed("returned", { state: "normal", ...more });
const silence = { since: START };

/** A router with its devices and a clock. */
class Trial {
  now = START;
  readonly devices = new Map<string, DeviceAlerts>();
  readonly #options: { routes: Route[]; limitPerMinute: number };
  router: AlertRouter;

  constructor(routes: Route[], limitPerMinute = 0) {
    this.#options = { routes, limitPerMinute };
    this.router = new AlertRouter(this.#options);
  }

  /** What an alarm makes the outputs hear, as "output: kind". */
  push(alarm: Alarm): string[] {
    return inShort(this.router.push(this.#device(alarm.deviceId), alarm, this.now));
  }

  /** What they hear within so many seconds, tick by tick, with the second in which they do. */
  pass(seconds: number): string[] {
    return this.deliveriesIn(seconds).map(
      ([delivery, at]) => `${inShort([delivery])[0]} at ${(at - START) / SECOND} s`,
    );
  }

  deliveriesIn(seconds: number): [Delivery, at: number][] {
    const heard: [Delivery, number][] = [];
    for (let i = 0; i < seconds; i++) {
      this.now += SECOND;
      for (const each of this.router.tick(this.devices.values(), this.now)) heard.push([each, this.now]);
    }
    return heard;
  }

  /** Goes on as after a restart, with the outputs that there are then. */
  restart(outputs: string[]): void {
    const known = new Set(outputs);
    const again = <T>(state: T): unknown => JSON.parse(JSON.stringify(state));
    this.router = AlertRouter.from(this.#options, again(this.router), known);
    for (const [id, device] of this.devices) this.devices.set(id, DeviceAlerts.from(again(device), known));
  }

  #device(deviceId: string): DeviceAlerts {
    const device = this.devices.get(deviceId) ?? new DeviceAlerts();
    this.devices.set(deviceId, device);
    return device;
  }
}

function inShort(deliveries: Delivery[]): string[] {
  return deliveries.map((each) =>
    each.kind === "summary" ? `${each.output}: ${each.summary.count} more` : `${each.output}: ${each.kind}`,
  );
}

describe("AlertRouter", () => {
  describe("chooses the outputs", () => {
    it("of the first route that takes severity, device and condition", () => {
      const trial = new Trial([
        route("critical", { severity: "critical" }),
        route("pumps", { devices: ["P*", "Q1"], conditions: ["*heat*"] }),
        route("warnings", { severity: "warning" }),
      ]);
      const told = (alarm: Partial<Alarm>) => trial.push(raised({ ...alarm, raisedAt: START + trial.now++ }))[0];
      assert.equal(told({ severity: "critical" }), "critical: alarm");
      assert.equal(told({ deviceId: "P8", severity: "info" }), "pumps: alarm");
      assert.equal(told({ deviceId: "Q1", severity: "warning" }), "pumps: alarm");
      assert.equal(told({ deviceId: "Q2", severity: "warning" }), "warnings: alarm");
      assert.equal(told({ deviceId: "P9", condition: "offline", severity: "warning" }), "warnings: alarm");
      assert.equal(told({ deviceId: "Q2", severity: "info" }), `${UNROUTED}: alarm`);
    });

    it("of further routes as long as they are told to continue, each once", () => {
      const trial = new Trial([
        route("log", { continue: true }),
        route("sms", { severity: "critical", continue: true }),
        route("log", { continue: false }),
        route("never"),
      ]);
      assert.deepEqual(trial.push(raised()), ["log: alarm", "sms: alarm"]);
    });
  });

  describe("tells an alarm", () => {
    it("once, however often the same change comes", () => {
      const trial = new Trial([route("a", { repeatSeconds: 60 })]);
      assert.deepEqual(trial.push(raised()), ["a: alarm"]);
      assert.deepEqual(trial.push(raised()), []);
      trial.push(acknowledged());
      assert.deepEqual(trial.push(raised()), [], "a copy that comes late");
      assert.deepEqual(trial.pass(120), [], "which does not undo the acknowledgement");
      trial.push(returned());
      assert.deepEqual(trial.push(raised()), []);
      assert.deepEqual(trial.push(raised({ raisedAt: START + HOUR })), ["a: alarm"], "but this is another one");
    });

    it("again when it becomes worse, by the routes of the new severity", () => {
      const trial = new Trial([route("sms", { severity: "critical" }), route("mail", { repeatSeconds: 10 })]);
      assert.deepEqual(trial.push(raised({ severity: "info" })), ["mail: alarm"]);
      assert.deepEqual(trial.push(changed("severity", { severity: "critical", isAnnunciated: true })), ["sms: alarm"]);
      assert.deepEqual(trial.push(raised({ severity: "info" })), []);
      assert.deepEqual(trial.pass(60), [], "the former route repeats no more");
      assert.deepEqual(trial.push(returned()), ["mail: normal", "sms: normal"]);
    });

    it("not when it becomes less, but then again when it becomes worse once more", () => {
      const trial = new Trial([route("a")]);
      trial.push(raised());
      assert.deepEqual(trial.push(changed("severity", { severity: "info" })), []);
      assert.deepEqual(trial.push(changed("severity", { severity: "critical", isAnnunciated: true })), ["a: alarm"]);
    });

    it("only if it is annunciated; without that word, if it is unacknowledged and not silenced", () => {
      const trial = new Trial([route("a")]);
      assert.deepEqual(trial.push(raised({ isAnnunciated: false })), []);
      const plain = raised();
      delete plain.isAnnunciated;
      for (const reason of ["shelved", "suppressed", "outOfService"]) {
        assert.deepEqual(trial.push({ ...plain, [reason]: silence }), []);
      }
      assert.deepEqual(trial.push({ ...plain, state: "acknowledged" }), []);
      assert.deepEqual(trial.push({ ...plain, state: "latched" }), []);
      assert.deepEqual(trial.push({ ...plain, state: "returned-unacknowledged" }), []);
      assert.deepEqual(trial.push(plain), ["a: alarm"]);
      assert.deepEqual(trial.push(plain), []);
      assert.deepEqual(trial.push({ ...plain, state: "normal" }), ["a: normal"]);
    });

    it("anew each time that it comes without the time of its raise", () => {
      const trial = new Trial([route("a")]);
      const { raisedAt, timestamp, ...plain } = raised();
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(trial.push(plain), ["a: alarm"]);
        assert.deepEqual(trial.push(plain), []);
        assert.deepEqual(trial.push({ ...plain, state: "normal" }), ["a: normal"]);
      }
    });

    it("anew when it is annunciated after a silence", () => {
      const trial = new Trial([route("a", { repeatSeconds: 60 })]);
      trial.push(raised());
      assert.deepEqual(trial.push(changed("shelved", { shelved: silence })), []);
      assert.deepEqual(trial.pass(600), []);
      assert.deepEqual(trial.push(changed("unshelved", { isAnnunciated: true })), ["a: alarm"]);
      assert.deepEqual(trial.pass(60), ["a: repeat at 660 s"]);
    });

    it("keeps of it what an alarm is made of, and gives others a copy", () => {
      const trial = new Trial([route("a"), route("b")]);
      const foreign = { ...raised(), advice: "x".repeat(5000), value: null, limit: "high", extra: { deep: 1 } };
      const [delivery] = trial.router.push(new DeviceAlerts(), foreign as unknown as Alarm, START);
      assert.ok(delivery && delivery.kind !== "summary");
      const { isAnnunciated, ...rest } = raised();
      assert.deepEqual(delivery.alarm, { ...rest, advice: "x".repeat(1000) });
    });
  });

  describe("reminds", () => {
    const routes = [route("a", { repeatSeconds: 60, escalateAfterSeconds: 150, escalateTo: "boss" })];

    it("as long as nobody acknowledges, and tells another one, once, after some time", () => {
      const trial = new Trial(routes);
      trial.push(raised());
      assert.deepEqual(trial.pass(300), [
        "a: repeat at 60 s",
        "a: repeat at 120 s",
        "boss: escalation at 150 s",
        "a: repeat at 180 s",
        "a: repeat at 240 s",
        "a: repeat at 300 s",
      ]);
      assert.deepEqual(trial.push(returned()), ["a: normal", "boss: normal"]);
      assert.deepEqual(trial.pass(300), []);
    });

    const ends: [string, Alarm][] = [
      ["acknowledged", acknowledged()],
      ["shelved", changed("shelved", { shelved: silence })],
      ["suppressed", changed("suppressed", { suppressed: silence })],
      ["taken out of service", changed("out-of-service", { outOfService: silence })],
      ["latched", changed("returned", { state: "latched" })],
      ["gone, though nobody has seen it", changed("returned", { state: "returned-unacknowledged" })],
      ["back to normal", returned()],
    ];
    for (const [how, alarm] of ends) {
      it(`no more once it is ${how}`, () => {
        const trial = new Trial(routes);
        trial.push(raised());
        trial.pass(10);
        trial.push(alarm);
        assert.deepEqual(trial.pass(300), []);
      });
    }

    it("anew when an acknowledged alarm becomes worse", () => {
      const trial = new Trial(routes);
      trial.push(raised({ severity: "warning" }));
      trial.push(acknowledged({ severity: "warning" }));
      assert.deepEqual(trial.push(changed("severity", { isAnnunciated: true })), ["a: alarm"]);
      assert.deepEqual(trial.pass(60), ["a: repeat at 60 s"]);
    });

    it("once for all that was missed while the program stood still", () => {
      const trial = new Trial(routes);
      trial.push(raised());
      trial.now += HOUR;
      assert.deepEqual(trial.pass(1), ["a: repeat at 3601 s", "boss: escalation at 3601 s"]);
    });

    it("in time when the clock was set back", () => {
      const trial = new Trial(routes);
      trial.push(raised());
      trial.pass(5);
      trial.now -= HOUR;
      assert.equal(trial.pass(61).length, 1);
    });
  });

  describe("tells that it is back to normal", () => {
    it("each one who was told, once", () => {
      const trial = new Trial([route("a", { continue: true }), route("b")]);
      trial.push(raised());
      assert.deepEqual(trial.push(changed("returned", { state: "returned-unacknowledged" })), [
        "a: normal",
        "b: normal",
      ]);
      assert.deepEqual(trial.push(changed("acknowledged", { state: "normal" })), []);
      assert.deepEqual(trial.push(returned({ condition: "other" })), []);
    });

    it("also after it was shelved or acknowledged, and when nothing but its end is known", () => {
      const trial = new Trial([route("a")]);
      trial.push(raised());
      trial.push(changed("shelved", { shelved: silence }));
      assert.deepEqual(trial.push(returned({ shelved: silence })), ["a: normal"]);
      trial.push(raised({ raisedAt: START + 1 }));
      trial.push(acknowledged());
      const [device] = trial.devices.values();
      assert.deepEqual(inShort(trial.router.end(device as DeviceAlerts, "overheating", trial.now)), ["a: normal"]);
      assert.deepEqual(trial.router.end(device as DeviceAlerts, "overheating", trial.now), []);
      assert.deepEqual(trial.router.end(device as DeviceAlerts, "other", trial.now), []);
    });

    it("and then forgets it after an hour", () => {
      const trial = new Trial([route("a")]);
      trial.push(raised());
      trial.push(returned());
      const [device] = trial.devices.values();
      trial.pass(3599);
      assert.equal(device?.told.size, 1);
      trial.pass(1);
      assert.equal(device?.told.size, 0);
    });
  });

  describe("limits what an output gets", () => {
    it("and counts the rest in one summary a minute, the worst first", () => {
      const trial = new Trial([route("a")], 2);
      const push = (deviceId: string, condition: string, severity: Severity) =>
        trial.push(raised({ deviceId, condition, severity }));
      assert.deepEqual(push("P1", "hot", "info"), ["a: alarm"]);
      assert.deepEqual(push("P2", "hot", "info"), ["a: alarm"]);
      for (let i = 3; i <= 32; i++) push(`P${i}`, "hot", "warning");
      for (let i = 0; i < 5; i++) push("P1", `fire ${i % 2}`, i % 2 ? "critical" : "info");
      trial.push(returned({ deviceId: "P1", condition: "hot", severity: "info" }));
      const [[delivery, at] = [], ...others] = trial.deliveriesIn(60);
      assert.deepEqual(others, []);
      assert.equal(at, START + 5 * SECOND);
      assert.ok(delivery?.kind === "summary");
      assert.deepEqual(delivery.summary, {
        count: 33,
        severity: "critical",
        counts: [
          { kind: "alarm", severity: "critical", condition: "fire 1", count: 1, devices: ["P1"] },
          { kind: "alarm", severity: "warning", condition: "hot", count: 30, devices: ["P3", "P4", "P5"] },
          { kind: "alarm", severity: "info", condition: "fire 0", count: 1, devices: ["P1"] },
          { kind: "normal", severity: "info", condition: "hot", count: 1, devices: ["P1"] },
        ],
      });
      assert.deepEqual(push("P1", "new", "info"), ["a: alarm"]);
    });

    it("of each output by itself, and not at all with 0", () => {
      const both = [route("a", { continue: true }), route("b", { severity: "critical" })];
      const limited = new Trial(both, 1);
      assert.deepEqual(limited.push(raised({ severity: "info" })), ["a: alarm"]);
      assert.deepEqual(limited.push(raised({ deviceId: "P8" })), ["b: alarm"]);
      const free = new Trial(both);
      for (let i = 0; i < 1000; i++) assert.equal(free.push(raised({ deviceId: `P${i}` })).length, 2);
    });

    it("and tells those who were told by a summary that it is back to normal", () => {
      const trial = new Trial([route("a")], 1);
      trial.push(raised());
      trial.push(raised({ deviceId: "P8" }));
      trial.pass(120);
      assert.deepEqual(trial.push(returned({ deviceId: "P8" })), ["a: normal"]);
    });

    it("never lets more through in any minute, and loses none", () => {
      const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 * SECOND }), fc.boolean()), { maxLength: 200 });
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 5 }), steps, (perMinute, steps) => {
          let limit = new AlertLimit(perMinute);
          const sent: number[] = [];
          const summaries: number[] = [];
          let total = 0;
          let summed = 0;
          let now = START;
          const sum = () => {
            const summary = limit.summary(now);
            if (!summary) return;
            summaries.push(now);
            summed += summary.count;
          };
          for (const [pause, isRestart] of steps) {
            now += pause;
            sum();
            if (isRestart) limit = AlertLimit.from(perMinute, JSON.parse(JSON.stringify(limit)));
            if (limit.take("alarm", raised({ condition: `c${total % 3}` }), now)) sent.push(now);
            total++;
          }
          now += MINUTE;
          sum();
          assert.equal(sent.length + summed, total);
          for (const [i, time] of sent.entries()) assert.ok(time - (sent[i - perMinute] ?? -Infinity) >= MINUTE);
          for (const [i, time] of summaries.entries()) assert.ok(time - (summaries[i - 1] ?? -Infinity) >= MINUTE);
        }),
      );
    });

    it("with bounded memory, and without blocking when the clock is set back", () => {
      const limit = new AlertLimit(1);
      for (let i = 0; i < 1000; i++) limit.take("alarm", raised({ condition: `c${i}` }), START);
      const { counts = [], count } = limit.summary(START + 5 * SECOND) ?? {};
      assert.equal(count, 999);
      assert.deepEqual(counts[0], { kind: "alarm", severity: "critical", count: 899, devices: ["P7"] });
      assert.equal(counts.length, 101);
      assert.equal(limit.take("alarm", raised(), START - HOUR), true);
    });
  });

  describe("after a restart", () => {
    const routes = [route("a", { repeatSeconds: 60, escalateAfterSeconds: 150, escalateTo: "boss" })];

    it("goes on with repeats, escalations and the end of what was told", () => {
      const trial = new Trial(routes);
      trial.push(raised());
      trial.pass(70);
      trial.restart(["a", "boss"]);
      assert.deepEqual(trial.push(raised()), []);
      assert.deepEqual(trial.pass(80), ["a: repeat at 120 s", "boss: escalation at 150 s"]);
      trial.restart(["a", "boss"]);
      assert.deepEqual(trial.pass(60), ["a: repeat at 180 s"]);
      assert.deepEqual(trial.push(returned()), ["a: normal", "boss: normal"]);
      trial.restart(["a", "boss"]);
      assert.deepEqual([trial.push(returned()), trial.push(raised())], [[], []]);
    });

    it("has forgotten outputs that there are no more", () => {
      const trial = new Trial(routes);
      trial.push(raised());
      trial.push(raised({ deviceId: "P8" }));
      trial.restart(["boss", "c"]);
      assert.deepEqual(trial.pass(200), []);
      assert.deepEqual(trial.push(returned()), []);
    });

    it("keeps to the limit", () => {
      const trial = new Trial([route("a")], 1);
      trial.push(raised());
      trial.push(raised({ deviceId: "P8" }));
      trial.restart(["a"]);
      assert.deepEqual(trial.push(raised({ deviceId: "P9" })), []);
      assert.deepEqual(trial.pass(59), ["a: 2 more at 5 s"]);
      trial.now += SECOND;
      assert.deepEqual(trial.push(raised({ deviceId: "P10" })), ["a: alarm"]);
    });

    it("refuses a state that is none", () => {
      const outputs = new Set(["a"]);
      const told = { alarm: raised(), outputs: ["a"], reminders: [], isSilenced: false };
      assert.equal(DeviceAlerts.from([told], outputs).told.size, 1);
      for (const wrong of [{}, [null], [{ ...told, alarm: {} }], [{ ...told, reminders: [{ at: 1 }] }]]) {
        assert.throws(() => DeviceAlerts.from(wrong, outputs), TypeError);
      }
      const limits = { sent: [], held: [], summaryAt: 0 };
      const options = { routes: [], limitPerMinute: 1 };
      assert.equal(AlertRouter.from(options, [["a", limits]], outputs).isLimited, false);
      for (const wrong of [{}, [["a", {}]], [["a", { ...limits, held: [{}] }]]]) {
        assert.throws(() => AlertRouter.from(options, wrong, outputs), TypeError);
      }
    });
  });

  it("refuses an alarm too many of one device, unless others are over", () => {
    const trial = new Trial([route("a")]);
    for (let i = 0; i < 1000; i++) trial.push(raised({ condition: `c${i}` }));
    assert.throws(() => trial.push(raised()), /1000 open alarms already/);
    trial.push(returned({ condition: "c3" }));
    assert.deepEqual(trial.push(raised()), ["a: alarm"]);
  });

  it("takes any names for what they are", () => {
    const trial = new Trial([route("__proto__", { devices: ["__proto__"], conditions: ["constructor"] })], 1);
    const strange = raised({ deviceId: "__proto__", condition: "constructor" });
    assert.deepEqual(trial.push(strange), ["__proto__: alarm"]);
    trial.restart(["__proto__"]);
    trial.now += MINUTE;
    assert.deepEqual(trial.push({ ...strange, state: "normal" }), ["__proto__: normal"]);
  });

  it("tells everyone who was told of an alarm of its end exactly once, whatever happens", () => {
    const routes = [
      route("sms", { severity: "critical", continue: true, repeatSeconds: 7 }),
      route("mail", { severity: "warning", escalateAfterSeconds: 11, escalateTo: "boss" }),
    ];
    const event = fc.oneof(
      fc.record({
        what: fc.constant("raise" as const),
        severity: fc.constantFrom<Severity>("info", "warning", "critical"),
      }),
      fc.record({ what: fc.constantFrom("copy", "ack", "shelve", "unshelve", "clear", "clear", "restart") }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.integer({ min: 0, max: 20 })), { maxLength: 60 }), (steps) => {
        const trial = new Trial(routes);
        let alarm: Alarm | undefined;
        let last: Alarm | undefined;
        const told = new Set<string>();
        const hear = (heard: string[]) => {
          for (const text of heard) {
            const [output = "", kind = ""] = text.split(/: | at/);
            if (kind === "normal") assert.ok(told.delete(output), `${output} was not told, or twice of the end`);
            else told.add(output);
            if (kind === "repeat" || kind === "escalation") {
              assert.ok(alarm?.state === "unacknowledged" && !alarm.shelved, `${text} of ${alarm?.state}`);
            }
          }
        };
        const change = (next: Alarm) => {
          alarm = last = { ...next, timestamp: trial.now };
          hear(trial.push(alarm));
        };
        for (const [{ what, ...more }, seconds] of steps) {
          hear(trial.pass(seconds));
          trial.now++;
          if (what === "raise" && alarm === undefined) {
            change(raised({ ...more, raisedAt: trial.now }));
            assert.ok(told.size > 0);
          } else if (what === "copy" && last) assert.deepEqual(trial.push(last), []);
          else if (what === "ack" && alarm) change({ ...alarm, state: "acknowledged", isAnnunciated: false });
          else if (what === "shelve" && alarm) change({ ...alarm, shelved: silence, isAnnunciated: false });
          else if (what === "unshelve" && alarm?.shelved) {
            const { shelved, ...open } = alarm;
            change({ ...open, isAnnunciated: open.state === "unacknowledged" });
          } else if (what === "clear" && alarm) {
            change({ ...alarm, state: "normal", isAnnunciated: false });
            assert.deepEqual([...told], []);
            alarm = undefined;
          } else if (what === "restart") trial.restart(["sms", "mail", "boss", UNROUTED]);
        }
      }),
    );
  });
});
