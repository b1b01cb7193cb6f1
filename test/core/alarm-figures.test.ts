import assert from "node:assert/strict";
import fc from "fast-check";
import { mean, median } from "simple-statistics";
import {
  AlarmFigures,
  type AlarmFiguresReport,
  MAX_ACKNOWLEDGEMENTS,
  MAX_COUNTED_ALARMS,
} from "../../core/alarm-figures.ts";
import type { Alarm, AlarmState, Severity } from "../../core/types.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** At the beginning of an hour. */
const NOW = Date.UTC(2026, 2, 1, 12);

const alarm = (alarmId: string, more: Partial<Alarm> = {}): Alarm => ({
  alarmId,
  deviceId: "R1",
  condition: "hot",
  severity: "warning",
  state: "unacknowledged",
  ...more,
});
const raised = (timestamp: number, alarmId = "R1/hot", severity: Severity = "warning") =>
  alarm(alarmId, { change: "raised", isAnnunciated: true, timestamp, raisedAt: timestamp, severity });
const acknowledged = (timestamp: number, seconds: number) =>
  alarm("R1/hot", { change: "acknowledged", timestamp, raisedAt: timestamp - seconds * SECOND });

function figuresOf(lines: Alarm[]): AlarmFigures {
  const figures = new AlarmFigures();
  for (const line of lines) figures.push(line);
  return figures;
}

const report = (lines: Alarm[], now: number, open: Alarm[] = []) => figuresOf(lines).figures(open, now);
const copyOf = (figures: AlarmFigures) => AlarmFigures.from(JSON.parse(JSON.stringify(figures)));
const times = (count: number, step: number, from = NOW) => Array.from({ length: count }, (_, i) => from + i * step);

describe("AlarmFigures", () => {
  describe("rates", () => {
    it("count what is annunciated when it is raised, and nothing else", () => {
      const lines = [
        raised(NOW),
        { ...raised(NOW), isAnnunciated: false },
        alarm("R1/hot", { change: "returned", isAnnunciated: true, timestamp: NOW }),
        alarm("R1/hot", { change: "severity", isAnnunciated: true, timestamp: NOW }),
      ];
      assert.equal(report(lines, NOW).alarms.lastDay, 1);
    });

    it("reach back ten minutes, an hour and a day", () => {
      const lines = [0, 1, 2, 60, 600].map((minute) => raised(NOW + minute * MINUTE));
      const figures = figuresOf(lines);
      const { last10Minutes, lastHour, lastDay, peakPer10Minutes } = figures.figures([], NOW + 605 * MINUTE).alarms;
      assert.deepEqual([last10Minutes, lastHour, lastDay, peakPer10Minutes], [1, 1, 5, 3]);
      const later = figures.figures([], NOW + DAY + 30 * SECOND).alarms;
      assert.deepEqual([later.last10Minutes, later.lastDay, later.peakPer10Minutes], [0, 4, 2]);
    });

    it("are averaged over the time that was watched, ten minutes at least", () => {
      const figures = figuresOf(times(12, 0).map((time) => raised(time)));
      assert.equal(figures.figures([], NOW).alarms.averagePer10Minutes, 12);
      assert.equal(figures.figures([], NOW + 2 * HOUR - MINUTE).alarms.averagePerHour, 6);
      assert.equal(figures.figures([], NOW + 4 * HOUR - MINUTE).alarms.averagePer10Minutes, 0.5);
    });

    it("tell the severities apart", () => {
      const lines = [raised(NOW, "a", "info"), raised(NOW, "b", "critical"), raised(NOW + MINUTE, "c", "critical")];
      assert.deepEqual(report(lines, NOW + MINUTE).alarms.bySeverity, { info: 1, warning: 0, critical: 2 });
    });
  });

  describe("a flood", () => {
    it("begins with the eleventh alarm in ten minutes", () => {
      const lines = times(11, 50 * SECOND).map((time) => raised(time));
      assert.deepEqual(report(lines.slice(0, 10), NOW + 500 * SECOND).flood, { count: 0, share: 0 });
      assert.equal(report(lines, NOW + 500 * SECOND).flood.since, NOW + 500 * SECOND);
    });

    it("ends with fewer than five in ten minutes, be it noticed then or later", () => {
      const lines = [
        ...times(7, 0).map((time) => raised(time)),
        ...times(5, 0, NOW + 5 * MINUTE).map((time) => raised(time)),
      ];
      const figures = figuresOf(lines);
      assert.deepEqual(figures.figures([], NOW + 15 * MINUTE - 1).flood, {
        since: NOW + 5 * MINUTE,
        count: 1,
        share: 10 / 15,
      });
      const over = { count: 1, share: 10 / 20 };
      assert.deepEqual(figures.figures([], NOW + 20 * MINUTE - 1).flood, over);
      assert.deepEqual(report(lines, NOW + 20 * MINUTE - 1).flood, over);
    });

    it("may go on for longer than a day", () => {
      const figures = figuresOf(times(26 * 60, MINUTE).map((time) => raised(time)));
      assert.deepEqual(figures.figures([], NOW + 26 * HOUR).flood, { count: 0, share: 0 }, "ten in ten minutes");
      const storm = figuresOf(times(26 * 120, MINUTE / 2).map((time) => raised(time)));
      assert.deepEqual(storm.figures([], NOW + 26 * HOUR - 1).flood, {
        since: NOW + 5 * MINUTE,
        count: 0,
        share: 1,
      });
    });
  });

  it("call an alarm chattering that is raised three times within a minute, for a day", () => {
    const lines = [
      ...[0, 30, 60].map((second) => raised(NOW + second * SECOND, "quick")),
      ...[100, 130, 161].map((second) => raised(NOW + second * SECOND, "slow")),
    ];
    const figures = figuresOf(lines);
    const expected = { count: 1, alarms: [{ alarmId: "quick", count: 3 }] };
    assert.deepEqual(figures.figures([], NOW + 3 * MINUTE).chattering, expected);
    assert.deepEqual(figures.figures([], NOW + DAY - 1).chattering, expected);
    assert.deepEqual(figures.figures([], NOW + DAY).chattering, { count: 0, alarms: [] });
  });

  it("list the ten most frequent alarms with their share of all", () => {
    const lines = Array.from({ length: 12 }, (_, i) =>
      times(i + 1, MINUTE).map((time) => raised(time, `a${i}`)),
    ).flat();
    const { mostFrequent } = report(
      lines.sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0)),
      NOW + HOUR,
    );
    assert.equal(mostFrequent.length, 10);
    assert.deepEqual(mostFrequent[0], { alarmId: "a11", count: 12, share: 12 / 78 });
    assert.equal(mostFrequent.at(-1)?.alarmId, "a2");
  });

  it("take any text for the name of an alarm", () => {
    for (const name of ["__proto__", "constructor", "a/b+c#/hot", ""]) {
      const figures = copyOf(figuresOf([raised(NOW, name)]));
      assert.deepEqual(figures.figures([], NOW).mostFrequent, [{ alarmId: name, count: 1, share: 1 }]);
    }
  });

  it("let the rarest alarms make room when there are too many", () => {
    const figures = new AlarmFigures();
    for (let i = 0; i < 3; i++) figures.push(raised(NOW, "often"));
    for (let i = 0; i < 3 * MAX_COUNTED_ALARMS; i++) figures.push(raised(NOW + i, `a${i}`));
    const { alarms, mostFrequent } = figures.figures([], NOW + MINUTE);
    assert.equal(alarms.lastDay, 3 * MAX_COUNTED_ALARMS + 3);
    assert.deepEqual(mostFrequent[0], { alarmId: "often", count: 3, share: 3 / alarms.lastDay });
    const kept = figures.toJSON().alarms.map(([alarmId]) => alarmId);
    assert.ok(kept.length <= MAX_COUNTED_ALARMS, `${kept.length} alarms are kept`);
    assert.ok(kept.includes(`a${3 * MAX_COUNTED_ALARMS - 1}`), "the latest is kept");
  });

  describe("the time to acknowledge", () => {
    it("has a mean, a median and a 95th percentile", () => {
      const lines = times(21, 10, 0).map((seconds) => acknowledged(NOW + seconds, seconds === 200 ? 410 : seconds));
      assert.deepEqual(report(lines, NOW + MINUTE).secondsToAcknowledge, {
        count: 21,
        mean: 110,
        median: 100,
        p95: 190,
      });
    });

    it("is that of the last day's latest", () => {
      assert.deepEqual(report([acknowledged(NOW, 5)], NOW + DAY).secondsToAcknowledge, { count: 0 });
      const lines = times(2 * MAX_ACKNOWLEDGEMENTS, 1).map((time, i) => acknowledged(time, i));
      const { count, mean } = report(lines, NOW + MINUTE).secondsToAcknowledge;
      assert.deepEqual([count, mean], [MAX_ACKNOWLEDGEMENTS, 1.5 * MAX_ACKNOWLEDGEMENTS - 0.5]);
    });
  });

  describe("of open alarms", () => {
    it("count severities and states", () => {
      const open = [
        alarm("a", { state: "acknowledged" }),
        alarm("b", { severity: "critical" }),
        alarm("c", { severity: "critical" }),
      ];
      assert.deepEqual(report([], NOW, open).open, {
        count: 3,
        bySeverity: { info: 0, warning: 1, critical: 2 },
        byState: { normal: 0, unacknowledged: 2, acknowledged: 1, "returned-unacknowledged": 0, latched: 0 },
      });
    });

    it("list as stale what stands for more than a day and is not silenced, the oldest first", () => {
      const old = (alarmId: string, more: Partial<Alarm> = {}) => alarm(alarmId, { raisedAt: NOW - DAY - 1, ...more });
      const silence = { since: NOW };
      const states: AlarmState[] = ["acknowledged", "returned-unacknowledged", "latched"];
      const open = [
        ...states.map((state) => old(state, { state })),
        old("oldest", { raisedAt: NOW - 3 * DAY }),
        old("younger", { raisedAt: NOW - DAY }),
        old("normal", { state: "normal" }),
        old("shelved", { shelved: silence }),
        old("suppressed", { suppressed: silence }),
        old("out of service", { outOfService: silence }),
        ...Array.from({ length: 20 }, (_, i) => old(`more ${i}`)),
      ];
      const { stale } = report([], NOW, open);
      assert.deepEqual([stale.count, stale.alarms.length], [24, 10]);
      assert.deepEqual(
        stale.alarms.slice(0, 4).map(({ alarmId }) => alarmId),
        ["oldest", ...states],
      );
    });
  });

  it("are equal to those of all lines, also across restarts and whenever they are asked for", () => {
    const steps = fc.array(
      fc.record({
        pause: fc.oneof(
          { weight: 20, arbitrary: fc.integer({ min: 0, max: 40 * SECOND }) },
          { weight: 3, arbitrary: fc.integer({ min: 0, max: 20 * MINUTE }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 * DAY }) },
        ),
        alarmId: fc.constantFrom("a", "b", "__proto__"),
        severity: fc.constantFrom("info" as const, "warning" as const, "critical" as const),
        waited: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
        event: fc.constantFrom("none", "none", "restart", "report"),
      }),
      { minLength: 1, maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: DAY }), (steps, start) => {
        let figures = new AlarmFigures();
        const lines: Line[] = [];
        let now = NOW + start;
        for (const { pause, alarmId, severity, waited, event } of steps) {
          now += pause;
          const line = waited === undefined ? raised(now, alarmId, severity) : acknowledged(now, waited);
          figures.push(line);
          lines.push(line as Line);
          if (event === "restart") figures = copyOf(figures);
          if (event === "report") close(figures.figures([], now), oracle(lines, now));
        }
        now += 7 * MINUTE;
        close(figures.figures([], now), oracle(lines, now));
      }),
    );
  });

  describe("when the clock is set back", () => {
    it("wait for it", () => {
      const { alarms, flood } = report([raised(NOW), raised(NOW - 5 * MINUTE)], NOW - 9 * MINUTE);
      assert.deepEqual([alarms.last10Minutes, flood.count], [2, 0]);
    });

    it("start anew if it is by more than ten minutes", () => {
      const figures = figuresOf(times(20, SECOND).map((time) => raised(time)));
      figures.push(acknowledged(NOW + MINUTE, 3));
      const { since, alarms, flood, mostFrequent, secondsToAcknowledge } = figures.figures([], NOW - HOUR);
      assert.deepEqual([since, alarms.lastDay, alarms.last10Minutes], [NOW - HOUR, 0, 0]);
      assert.deepEqual([flood, mostFrequent, secondsToAcknowledge], [{ count: 0, share: 0 }, [], { count: 0 }]);
    });
  });

  it("refuse a line without a time, and stay as they were", () => {
    const figures = figuresOf([raised(NOW)]);
    const before = JSON.stringify(figures);
    assert.throws(() => figures.push(alarm("a", { change: "raised", isAnnunciated: true })), TypeError);
    assert.equal(JSON.stringify(figures), before);
  });

  it("refuse to be restored from anything else", () => {
    const right = figuresOf([raised(NOW), acknowledged(NOW, 5)]).toJSON();
    const minute = NOW / MINUTE;
    const wrong = [
      null,
      {},
      { ...right, since: "now" },
      { ...right, floodSince: "now" },
      { ...right, minutes: [[minute, 1]] },
      { ...right, minutes: [[minute + 1, 1, 0, 0, 0, 0]] },
      { ...right, minutes: [[minute, -1, 0, 0, 0, 0]] },
      { ...right, alarms: [["a"]] },
      { ...right, alarms: [["a", [[[1]], [], null]]] },
      { ...right, alarms: [["a", [[], [1, 2, 3], null]]] },
      { ...right, alarms: [["a", [[], [], "now"]]] },
      { ...right, acknowledged: [[NOW]] },
    ];
    AlarmFigures.from(right);
    for (const state of wrong) assert.throws(() => AlarmFigures.from(state), TypeError, JSON.stringify(state));
  });
});

type Line = Alarm & { timestamp: number; raisedAt: number };

/** The figures from all lines, minute by minute. */
function oracle(lines: Line[], now: number): Partial<AlarmFiguresReport> {
  const minuteOf = (time: number) => Math.floor(time / MINUTE);
  const last = minuteOf(now);
  const all = lines.filter(({ change }) => change === "raised");
  const within = (minutes: number, end = last) =>
    all.filter(({ timestamp }) => minuteOf(timestamp) > end - minutes && minuteOf(timestamp) <= end);
  const since = lines[0]?.timestamp ?? now;
  const watched = Math.min(1440, last - minuteOf(since) + 1);

  let peak = 0;
  let floodSince: number | undefined;
  const flooded = new Set<number>();
  const began: number[] = [];
  for (let minute = minuteOf(since); minute <= last; minute++) {
    const inMinute = within(1, minute);
    const before = within(10, minute).length - inMinute.length;
    if (before < 5) floodSince = undefined;
    const eleventh = inMinute[Math.max(0, 10 - before)];
    if (floodSince === undefined && eleventh !== undefined) {
      floodSince = eleventh.timestamp;
      began.push(minute);
    }
    if (floodSince !== undefined) flooded.add(minute);
    const recent = within(10, minute).filter(({ timestamp }) => minuteOf(timestamp) > last - 1440);
    if (minute > last - 1440) peak = Math.max(peak, recent.length);
  }

  const hours = 23 + (now % HOUR) / HOUR;
  const counted = all.filter(({ timestamp }) => timestamp >= now - hours * HOUR - 1e-3);
  const ranked = [...new Set(counted.map(({ alarmId }) => alarmId))]
    .map((alarmId) => {
      const raises = counted.filter((each) => each.alarmId === alarmId).map(({ timestamp }) => timestamp);
      const every = all.filter((each) => each.alarmId === alarmId).map(({ timestamp }) => timestamp);
      const isChattering = every.some(
        (time, i) => time >= (raises[0] as number) && i >= 2 && time - (every[i - 2] as number) <= MINUTE,
      );
      return { alarmId, count: raises.length, isChattering };
    })
    .sort((a, b) => b.count - a.count || (a.alarmId < b.alarmId ? -1 : 1));
  const chattering = ranked.filter(({ isChattering }) => isChattering);

  const waits = lines
    .filter(({ change, timestamp }) => change === "acknowledged" && timestamp > now - DAY)
    .map(({ timestamp, raisedAt }) => (timestamp - raisedAt) / SECOND);
  const lastDay = within(1440);
  const average = (lastDay.length / Math.max(10, watched)) * 10;
  const severity = (name: Severity) => lastDay.filter((each) => each.severity === name).length;
  return {
    timestamp: now,
    since,
    alarms: {
      last10Minutes: within(10).length,
      lastHour: within(60).length,
      lastDay: lastDay.length,
      averagePer10Minutes: average,
      averagePerHour: average * 6,
      peakPer10Minutes: peak,
      bySeverity: { info: severity("info"), warning: severity("warning"), critical: severity("critical") },
    },
    flood: {
      ...(floodSince !== undefined && { since: floodSince }),
      count: began.filter((minute) => minute > last - 1440).length,
      share: [...flooded].filter((minute) => minute > last - 1440).length / watched,
    },
    chattering: { count: chattering.length, alarms: chattering.map(({ alarmId, count }) => ({ alarmId, count })) },
    mostFrequent: ranked.map(({ alarmId, count }) => ({ alarmId, count, share: count / counted.length })),
    secondsToAcknowledge:
      waits.length === 0
        ? { count: 0 }
        : {
            count: waits.length,
            mean: mean(waits),
            median: median(waits),
            p95: interpolated(waits, 0.95),
          },
  };
}

/** The value at a share of the way through a line that joins the sorted values at equal distances. */
function interpolated(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const weights = sorted.map((_, i) => Math.max(0, 1 - Math.abs(share * (sorted.length - 1) - i)));
  return sorted.reduce((sum, value, i) => sum + value * (weights[i] as number), 0);
}

/** Compares what the oracle knows, numbers to twelve digits. */
function close(actual: AlarmFiguresReport, expected: Partial<AlarmFiguresReport>): void {
  const rounded = (report: object) =>
    JSON.parse(JSON.stringify(report, (_, value) => (typeof value === "number" ? value.toPrecision(12) : value)));
  const { stale: _, open: __, ...counted } = actual;
  assert.deepEqual(rounded(counted), rounded(expected));
}
