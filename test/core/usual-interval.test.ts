import assert from "node:assert/strict";
import { UsualInterval } from "../../core/usual-interval.ts";
import { random } from "./oracle.ts";

/** What is estimated after messages with these intervals, s. */
function estimate(seconds: number[], interval = new UsualInterval()): number | undefined {
  let time = 0;
  interval.push(time);
  for (const each of seconds) {
    time += each * 1000;
    interval.push(time);
  }
  return interval.value === undefined ? undefined : interval.value / 1000;
}

const repeat = (count: number, ...seconds: number[]) => Array.from({ length: count }, () => seconds).flat();

describe("the usual interval of a device", () => {
  it("is not known before five intervals, and is then the longest of them", () => {
    assert.equal(estimate([]), undefined);
    assert.equal(estimate([5, 5, 5, 5]), undefined);
    assert.equal(estimate([5, 4, 7, 5, 5]), 7);
  });

  it("is exactly that of a regular device, whatever came before", () => {
    assert.equal(estimate([60, ...repeat(50, 5)]), 5);
    assert.equal(estimate(repeat(100, 5)), 5);
  });

  it("follows a device that becomes slower within a dozen messages, and one that becomes faster", () => {
    assert.equal(estimate([...repeat(50, 1), ...repeat(12, 60)]), 60);
    assert.equal(estimate([...repeat(50, 60), ...repeat(31, 1)]), 1);
  });

  it("hardly changes with one long absence", () => {
    assert.equal(estimate([...repeat(50, 5), 86_400]), 7.5);
    assert.equal(estimate([...repeat(50, 5), 86_400, 5, 5, 5]), 5);
  });

  it("takes messages within a second for one", () => {
    assert.equal(estimate(repeat(30, 0, 0.1, 0.3, 4.6)), 5);
    assert.equal(estimate(repeat(100, 0.5)), 1);
  });

  it("is near the pause of a device that sends three messages in a group", () => {
    const interval = estimate(repeat(100, 2, 2, 56)) ?? 0;
    assert.ok(interval > 25 && interval <= 56, `${interval}`);
  });

  it("stays within the intervals of an irregular device", () => {
    const next = random(1);
    const interval = estimate(Array.from({ length: 1000 }, () => 4 + 2 * next())) ?? 0;
    assert.ok(interval > 4 && interval < 6, `${interval}`);
  });

  it("goes on as it was once it is restored", () => {
    for (const seconds of [[], [5], repeat(20, 3, 9)]) {
      const whole = new UsualInterval();
      estimate(seconds, whole);
      const restored = UsualInterval.from(JSON.parse(JSON.stringify(whole)));
      for (const time of [500_000, 512_000, 513_000]) {
        whole.push(time);
        restored.push(time);
      }
      assert.deepEqual(restored, whole);
    }
  });

  it("does not take any other state", () => {
    for (const state of [null, {}, [], [1, 2], ["1", 2, 3], [1, Number.NaN, 3], [1, 2, "3"]]) {
      assert.throws(() => UsualInterval.from(state), TypeError);
    }
  });
});
