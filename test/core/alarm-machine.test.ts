/** The alarm machine under arbitrary events and commands, with a restart after each step or without any. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Alarm } from "../../core/types.ts";
import { condition, Harness } from "./alarm-harness.ts";

const DEVICES = ["G1", "R1", "a/b+c#"];
/** Two of them hang on the first. */
const RECORDS = DEVICES.map((deviceId) => (deviceId === "G1" ? { deviceId } : { deviceId, parent: "G1" }));
const CONDITIONS = [
  condition({ name: "hot", severity: "warning" }),
  condition({ name: "hot", severity: "critical", limit: 85, resetLimit: 80 }),
  condition({ name: "latching", match: "vibration", limit: 2, resetLimit: undefined, latch: true }),
  condition({
    name: "slow",
    severity: "info",
    occurrences: 2,
    withinReadings: 3,
    onDelaySeconds: 2,
    offDelaySeconds: 3,
  }),
  condition({ name: "offline", source: "offline", match: "" }),
];
const NAMES = [...new Set(CONDITIONS.map(({ name }) => name))];

/** What is really so, by a computation of its own. */
interface Model {
  status: Map<string, string>;
  /** By device and condition: the conditions without occurrences and delays. */
  holds: Map<string, boolean>;
  /** Alarms at the upper of two levels. */
  isUpper: Set<string>;
}

/** The same events for one system that is never restarted, and one that is after each step. */
interface Real {
  steady: Harness;
  restarted: Harness;
  /** By alarm: what the annunciations so far have made people believe. */
  believed: Map<string, boolean>;
  seen: number;
}

type Step = fc.Command<Model, Real>;

const key = (device: string, name: string) => `${encodeURIComponent(device)}/${name}`;
const isOut = (model: Model, device: string) => (model.status.get(device) ?? "online") !== "online";
const isSilenced = ({ shelved, suppressed, outOfService }: Alarm) => Boolean(shelved || suppressed || outOfService);
const isStanding = ({ state }: Alarm) => ["unacknowledged", "acknowledged", "latched"].includes(state);

function step(text: string, act: (harness: Harness) => void, change: (model: Model) => void = () => {}): Step {
  return {
    check: () => true,
    run(model, real) {
      change(model);
      act(real.steady);
      act(real.restarted);
      real.restarted.restart();
      verify(model, real);
    },
    toString: () => text,
  };
}

function verify(model: Model, real: Real): void {
  const { steady, restarted, believed } = real;
  // Which of two devices a tick visits first is no promise.
  assert.deepEqual(byId(restarted.journal), byId(steady.journal), "a restart repeats nothing and forgets nothing");
  const open = [...steady.system.open()];
  assert.deepEqual(byId(restarted.system.open()), byId(open));
  assert.equal(new Set(open.map(({ alarmId }) => alarmId)).size, open.length, "one alarm per device and condition");

  for (; real.seen < steady.journal.length; real.seen++) {
    const line = steady.journal[real.seen] as Alarm;
    if (!line.isAnnunciated) continue;
    assert.ok(!isSilenced(line), `${line.alarmId} is silenced, and is told`);
    assert.ok(!steady.maintenance(line.deviceId), `${line.deviceId} is in maintenance, and ${line.alarmId} is told`);
    if (line.condition !== "offline") assert.ok(!isOut(model, line.deviceId), `${line.deviceId} is out of reach`);
    assert.ok(line.deviceId === "G1" || !isOut(model, "G1"), "the parent is out of reach");
    believed.set(line.alarmId, isStanding(line));
  }
  const last = new Map(steady.journal.map((line) => [line.alarmId, line]));
  for (const alarm of steady.system.alarms()) {
    const now = alarm.toAlarm();
    const line = last.get(now.alarmId);
    // Inhibition of an alarm that is normal is no change.
    const { change: _, timestamp: _t, isAnnunciated: _a, by: _by, suppressed: before, ...told } = line as Alarm;
    const { suppressed, ...present } = now;
    assert.deepEqual(present, told, "the journal tells all");
    if (now.state !== "normal") assert.deepEqual(Boolean(suppressed), Boolean(before), "the journal tells of silence");
    assert.equal(now.state !== "normal" || isSilencedByPeople(alarm.toJSON()), alarm.isOpen, "open alarms are listed");
    if (!isSilenced(now)) {
      assert.equal(believed.get(now.alarmId) ?? false, isStanding(now), `${now.alarmId}: people know what is so`);
    }
  }
  for (const [id, holds] of model.holds) {
    const alarm = open.find(({ alarmId }) => alarmId === id);
    const isActive = alarm?.state === "unacknowledged" || alarm?.state === "acknowledged";
    assert.equal(isActive, holds, `${id} is active while its condition holds`);
  }
}

const byId = (alarms: Iterable<Alarm>) =>
  [...alarms].sort((a, b) => Number(a.alarmId > b.alarmId) - Number(a.alarmId < b.alarmId));
const isSilencedByPeople = ({ shelved, suppressed, outOfService }: object & Partial<Alarm>) =>
  Boolean(shelved || suppressed || outOfService);

const devices = fc.constantFrom(...DEVICES);
const alarmIds = fc.tuple(devices, fc.constantFrom(...NAMES)).map(([device, name]) => key(device, name));

const reading = fc
  .record({
    device: devices,
    temperature: fc.constantFrom(60, 71, 76, 82, 90),
    vibration: fc.constantFrom(1, 3),
    kind: fc.constantFrom("good", "good", "good", "good", "bad", "maintained"),
  })
  .map(({ device, temperature, vibration, kind }) =>
    step(
      `${device} sends ${temperature}, ${vibration} (${kind})`,
      (harness) => {
        const { now } = harness;
        harness.read(device, temperature, {
          metrics: { temperature, vibration },
          ...(kind === "bad" && { quality: "bad" as const }),
          ...(kind === "maintained" && { maintenance: { since: now, until: now + 5000 } }),
        });
      },
      (model) => {
        if (kind === "bad" || isOut(model, device) || isOut(model, "G1")) return;
        const hot = key(device, "hot");
        // What leaves the upper level is as if it came from below.
        const isKept = model.isUpper.has(hot) ? temperature >= 80 : model.holds.get(hot) && temperature >= 70;
        if (temperature > 85 || (model.isUpper.has(hot) && temperature >= 80)) model.isUpper.add(hot);
        else model.isUpper.delete(hot);
        model.holds.set(hot, temperature > 75 || isKept === true);
        model.holds.set(key(device, "latching"), vibration > 2);
      },
    ),
  );

const status = fc.tuple(devices, fc.constantFrom("online", "offline", "unknown")).map(([device, status]) =>
  step(
    `${device} is ${status}`,
    (harness) => harness.status(device, status as "online"),
    (model) => {
      model.status.set(device, status);
      // A device that hangs on another must be offline for a while.
      if (status !== "unknown" && device === "G1") model.holds.set(key(device, "offline"), status === "offline");
    },
  ),
);

const time = fc.integer({ min: 1, max: 40 }).map((seconds) => step(`${seconds} s`, (harness) => harness.pass(seconds)));

const maintenance = fc
  .tuple(devices, fc.integer({ min: 0, max: 50 }))
  .map(([device, seconds]) =>
    step(`${device} in maintenance for ${seconds} s`, (harness) => harness.maintain(device, seconds)),
  );

/** Commands on an alarm that was never raised, or a reset of one that stands, must fail with nothing done. */
function command(
  name: string,
  act: (harness: Harness, args: object) => void,
  ids: fc.Arbitrary<object>,
): fc.Arbitrary<Step> {
  return ids.map((args) =>
    step(`${name} ${JSON.stringify(args)}`, (harness) => {
      const before = harness.journal.length;
      try {
        act(harness, { ...args, by: "Ada" });
      } catch (error) {
        assert.match((error as Error).message, /^there is no (alarm|device)|can't be reset/);
        assert.ok(harness.journal.slice(before).every(({ by }) => by !== "Ada"));
      }
    }),
  );
}

const named = alarmIds.map((alarmId) => ({ alarmId }));
const filtered = fc.oneof(
  named,
  fc.record({ deviceId: devices }),
  fc.record({ condition: fc.constantFrom(...NAMES) }),
  fc.constant({ severity: "critical" }),
  fc.constant({ all: true }),
);
const shelvings = fc.oneof(
  fc.tuple(filtered, fc.integer({ min: 1, max: 60 })).map(([selection, seconds]) => ({ ...selection, seconds })),
  filtered.map((selection) => ({ ...selection, oneShot: true })),
);

const steps: fc.Arbitrary<Step>[] = [
  reading,
  reading,
  reading,
  status,
  time,
  maintenance,
  command("ack", ({ system, now }, args) => system.acknowledge(args, now), filtered),
  command("reset", ({ system, now }, args) => system.reset(args, now), named),
  command("shelve", ({ system, now }, args) => system.shelve(args, now), shelvings),
  command("unshelve", ({ system, now }, args) => system.unsilence("shelved", args, now), filtered),
  command("suppress", ({ system, now }, args) => system.suppress(args, now), filtered),
  command("unsuppress", ({ system, now }, args) => system.unsilence("suppressed", args, now), filtered),
  command("out-of-service", ({ system, now }, args) => system.takeOutOfService(args, now), filtered),
  command("in-service", ({ system, now }, args) => system.unsilence("outOfService", args, now), filtered),
];

describe("the alarm machine", function () {
  this.timeout(60_000);

  for (const severityMayFall of [false, true]) {
    it(`keeps its promises in whatever order events and commands come, severity ${severityMayFall ? "falling" : "kept"}`, () => {
      fc.assert(
        fc.property(fc.commands(steps, { maxCommands: 60, size: "max" }), (commands) => {
          const open = () => new Harness(CONDITIONS, { severityMayFall, records: RECORDS });
          fc.modelRun(
            () => ({
              model: { status: new Map(), holds: new Map(), isUpper: new Set<string>() },
              real: { steady: open(), restarted: open(), believed: new Map(), seen: 0 },
            }),
            commands,
          );
        }),
        { numRuns: 300 },
      );
    });
  }
});
