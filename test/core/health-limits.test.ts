import assert from "node:assert/strict";
import fc from "fast-check";
import { HealthLimits } from "../../core/health-limits.ts";
import type { HealthRule } from "../../core/health-score.ts";

const rule = (flag: string, limit: number): HealthRule => ({ flag, metric: "x", comparison: ">", limit, penalty: 10 });
const RULES = [rule("a", 1), rule("b", 2), rule("level", 3), rule("level", 4)];

describe("HealthLimits", () => {
  it("are the rules' own, until some are set for all devices or for one, which goes first", () => {
    const limits = new HealthLimits(RULES, 10);
    assert.deepEqual(limits.of("R1"), [1, 2, 3, 4]);
    limits.set("a", 10);
    limits.set("a", 20, "R1");
    limits.set("b", 30, "R1");
    limits.set("b", 40);
    assert.deepEqual([limits.of("R1"), limits.of("R2"), limits.count], [[20, 30, 3, 4], [10, 40, 3, 4], 4]);
  });

  it("fall back step by step when they are removed", () => {
    const limits = new HealthLimits(RULES, 10);
    limits.set("a", 10);
    limits.set("a", 20, "R1");
    limits.set("a", null, "R1");
    assert.equal(limits.has("R1"), false);
    assert.equal(limits.of("R1")[0], 10);
    limits.set("a", null);
    assert.deepEqual([limits.of("R1")[0], limits.count], [1, 0]);
    limits.set("a", null, "R1");
    assert.equal(limits.count, 0);
  });

  it("are the listed ones where none are set, even when the list changes", () => {
    const limits = new HealthLimits(RULES, 10);
    const listed = { a: 10, b: 20, level: 30, other: 40 };
    assert.deepEqual(limits.of("R1", listed), [10, 20, 3, 4]);
    assert.equal(limits.of("R1", listed), limits.of("R1", listed), "made once");
    limits.set("a", 100);
    assert.deepEqual(limits.of("R1", listed), [100, 20, 3, 4]);
    limits.set("b", 200, "R1");
    assert.deepEqual(limits.of("R1", listed), [100, 200, 3, 4]);
    assert.deepEqual(limits.of("R2", listed), [100, 20, 3, 4]);
    limits.set("a", null);
    assert.deepEqual(limits.of("R1", listed), [10, 200, 3, 4]);
    assert.deepEqual(limits.of("R1", { a: 11 }), [11, 200, 3, 4]);
    assert.deepEqual(limits.of("R1"), [1, 200, 3, 4]);
  });

  it("are not taken from what every object has", () => {
    assert.deepEqual(new HealthLimits([rule("constructor", 1)], 10).of("R1", {}), [1]);
  });

  it("may be 0 and below", () => {
    const limits = new HealthLimits(RULES, 10);
    limits.set("a", 0, "R1");
    limits.set("b", -5, "R1");
    assert.deepEqual(limits.of("R1").slice(0, 2), [0, -5]);
  });

  it("can't be set for a flag that no rule raises, or several", () => {
    const limits = new HealthLimits(RULES, 10);
    assert.throws(() => limits.set("c", 1), { message: 'no rule raises the flag "c": the rules raise a, b, level' });
    assert.throws(() => limits.set("level", 1), {
      message: '2 rules raise the flag "level": only the limit of a single one can be set',
    });
    assert.throws(() => new HealthLimits([], 10).set("a", 1), /the rules raise none/);
    assert.equal(limits.count, 0);
  });

  it("are kept for so many devices and no more", () => {
    const limits = new HealthLimits(RULES, 2);
    limits.set("a", 1, "R1");
    limits.set("a", 1, "R2");
    assert.throws(() => limits.set("a", 1, "R3"), { message: "2 devices have limits of their own already" });
    limits.set("a", null, "R3");
    limits.set("b", 1, "R2");
    limits.set("a", null, "R1");
    limits.set("a", 7, "R3");
    assert.deepEqual([limits.of("R1")[0], limits.of("R3")[0]], [1, 7]);
  });

  it("keep devices and flags apart that are named like what every object has", () => {
    const limits = new HealthLimits([rule("constructor", 1), rule("__proto__", 2)], 10);
    limits.set("__proto__", 5, "__proto__");
    assert.deepEqual(
      [limits.of("__proto__"), limits.of("constructor")],
      [
        [1, 5],
        [1, 2],
      ],
    );
    const restored = HealthLimits.from([rule("__proto__", 2)], 10, JSON.parse(JSON.stringify(limits)));
    assert.deepEqual(restored.of("__proto__"), [5]);
  });

  it("are at any time what the commands so far say, after a restart too", () => {
    const device = fc.constantFrom(undefined, "R1", "R2");
    const command = fc.tuple(fc.constantFrom("a", "b"), fc.option(fc.integer({ min: 0, max: 9 })), device);
    fc.assert(
      fc.property(fc.array(command), (commands) => {
        let limits = new HealthLimits(RULES, 10);
        const set = new Map<string, number>();
        for (const [flag, limit, deviceId] of commands) {
          limits.set(flag, limit, deviceId);
          if (limit === null) set.delete(`${deviceId}/${flag}`);
          else set.set(`${deviceId}/${flag}`, limit);
          limits = HealthLimits.from(RULES, 10, JSON.parse(JSON.stringify(limits)));
          for (const each of ["R1", "R2", "R3"]) {
            const expected = RULES.map(
              ({ flag, limit }) => set.get(`${each}/${flag}`) ?? set.get(`undefined/${flag}`) ?? limit,
            );
            assert.deepEqual(limits.of(each), expected);
          }
          assert.equal(limits.count, set.size);
        }
      }),
    );
  });

  it("leave out what can't be set any more when they are restored", () => {
    const before = new HealthLimits([rule("a", 1), rule("b", 2), rule("level", 3)], 10);
    for (const flag of ["a", "b", "level"]) before.set(flag, 9, "R1");
    const after = HealthLimits.from([rule("b", 2), rule("level", 3), rule("level", 4)], 10, before.toJSON());
    assert.deepEqual([after.of("R1"), after.count], [[9, 3, 4], 1]);
  });

  it("refuse to be restored from anything else", () => {
    const wrong = [null, {}, { all: [] }, { all: [["a"]], devices: [] }, { all: [], devices: [["R1", [["a", "1"]]]] }];
    for (const state of wrong) assert.throws(() => HealthLimits.from(RULES, 10, state), TypeError);
  });
});
