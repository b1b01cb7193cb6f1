import assert from "node:assert/strict";
import fc from "fast-check";
import { AlarmLevels, type LevelRule } from "../../core/alarm-levels.ts";
import { WatchedTime } from "../../core/watched-time.ts";

const rule = (more: Partial<LevelRule> = {}): LevelRule => ({
  occurrences: 1,
  withinReadings: 1,
  onDelaySeconds: 0,
  offDelaySeconds: 0,
  ...more,
});

/** Levels with a limit each, of which they let go at their reset limit, as a reading's value goes. */
function follow(limits: [limit: number, reset: number][], rules: LevelRule[], values: number[]): number[] {
  const levels = new AlarmLevels(rules, new WatchedTime());
  const bits = (isSet: (level: [number, number]) => boolean) =>
    limits.reduce((mask, level, index) => mask | (Number(isSet(level)) << index), 0);
  return values.map((value) => {
    levels.push(
      bits(([limit]) => value > limit),
      bits(([limit, reset]) => value > limit || value >= reset),
    );
    return levels.level;
  });
}

describe("AlarmLevels", () => {
  it("rise at their limits and fall at their reset limits", () => {
    const limits: [number, number][] = [
      [60, 50],
      [70, 60],
      [80, 70],
    ];
    const values = [61, 73, 64, 85, 62, 56, 47];
    assert.deepEqual(follow(limits, [rule(), rule(), rule()], values), [0, 1, 1, 2, 0, 0, -1]);
  });

  it("are entered by so many of the latest readings, and left when none of so many holds", () => {
    const values = [1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1];
    const rules = [rule({ occurrences: 3, withinReadings: 5 })];
    assert.deepEqual(follow([[0.5, 0.5]], rules, values), [-1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, -1, -1]);
  });

  it("are those that counting over all readings gives", () => {
    const rules = fc.array(
      fc.record({ withinReadings: fc.integer({ min: 1, max: 6 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      { minLength: 1, maxLength: 3 },
    );
    const samples = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 60 });
    fc.assert(
      fc.property(rules, samples, (given, samples) => {
        const rules = given.map(({ withinReadings, share }) =>
          rule({ withinReadings, occurrences: 1 + Math.floor(share * (withinReadings - 1)) }),
        );
        const levels = new AlarmLevels(rules, new WatchedTime());
        const history: [beyond: number, holding: number][] = [];
        let level = -1;
        let enteredAt = 0;
        const has = (mask: number, index: number) => ((mask >> index) & 1) === 1;
        const isEntered = (index: number) => {
          const { occurrences = 0, withinReadings = 0 } = rules[index] ?? {};
          return history.slice(-withinReadings).filter(([beyond]) => has(beyond, index)).length >= occurrences;
        };
        const enter = (next: number) => {
          level = next;
          enteredAt = history.length;
        };
        for (const [beyond, more] of samples) {
          history.push([beyond, beyond | more]);
          levels.push(beyond, beyond | more);
          const highest = [2, 1, 0].find((index) => index < rules.length && index > level && isEntered(index));
          const { withinReadings = 0 } = rules[level] ?? {};
          const recent = history.slice(enteredAt).slice(-withinReadings);
          if (highest !== undefined) enter(highest);
          else if (
            level >= 0 &&
            recent.length === withinReadings &&
            !recent.some(([, holding]) => has(holding, level))
          ) {
            enter([2, 1, 0].find((index) => index < level && isEntered(index)) ?? -1);
          }
          assert.equal(levels.level, level);
        }
      }),
    );
  });

  it("count readings of one instant as one", () => {
    const levels = new AlarmLevels([rule({ occurrences: 2, withinReadings: 2 })], new WatchedTime());
    levels.push(1, 1);
    levels.push(1, 1, true);
    levels.push(0, 0, true);
    assert.equal(levels.level, -1);
    levels.push(0, 0);
    levels.push(1, 1, true);
    assert.equal(levels.level, 0);
  });

  describe("with delays", () => {
    const rules = [rule({ onDelaySeconds: 5, offDelaySeconds: 3 })];
    let time: WatchedTime;
    let levels: AlarmLevels;
    let now: number;
    const pass = (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        now += 1000;
        time.advance(now);
        levels.tick();
      }
    };
    beforeEach(() => {
      now = 1e12;
      time = new WatchedTime();
      time.advance(now);
      levels = new AlarmLevels(rules, time);
    });

    it("must last to be entered, and be gone as long to be left", () => {
      levels.push(1, 1);
      pass(4);
      levels.push(0, 0);
      levels.push(1, 1);
      pass(4);
      assert.deepEqual([levels.level, levels.isPending], [-1, true]);
      pass(1);
      assert.deepEqual([levels.level, levels.isPending], [0, false]);
      levels.push(0, 0);
      pass(2);
      levels.push(0, 1);
      levels.push(0, 0);
      pass(2);
      assert.equal(levels.level, 0);
      pass(1);
      assert.deepEqual([levels.level, levels.isPending], [-1, false]);
    });

    it("are not cut short by a clock that is set or a process that stood still", () => {
      levels.push(1, 1);
      now += 3_600_000;
      pass(1);
      now -= 7_200_000;
      pass(2);
      assert.equal(levels.level, -1);
      pass(2);
      assert.equal(levels.level, 0);
    });

    it("wait on after a restart for what is left", () => {
      levels.push(1, 1);
      pass(4);
      const state = JSON.parse(JSON.stringify(levels));
      time = new WatchedTime();
      time.advance(now);
      levels = AlarmLevels.from(rules, time, state);
      assert.equal(levels.level, -1);
      pass(1);
      assert.equal(levels.level, 0);
    });
  });

  it("take up other rules as far as it goes, and refuse what is no state", () => {
    const levels = new AlarmLevels([rule(), rule()], new WatchedTime());
    levels.push(3, 3);
    const other = AlarmLevels.from([rule()], new WatchedTime(), JSON.parse(JSON.stringify(levels)));
    assert.equal(other.level, 0);
    for (const state of [null, {}, { ...levels.toJSON(), level: "high" }, { ...levels.toJSON(), beyond: [1] }]) {
      assert.throws(() => AlarmLevels.from([rule()], new WatchedTime(), state), TypeError);
    }
  });
});
