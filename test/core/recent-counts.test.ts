import assert from "node:assert/strict";
import fc from "fast-check";
import { RecentCounts } from "../../core/recent-counts.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;

describe("RecentCounts", () => {
  it("count each kind of event for as long as the window, the present step included", () => {
    const counts = new RecentCounts(300, 2);
    counts.add(0, NOW);
    counts.add(0, NOW + 10 * SECOND);
    counts.add(1, NOW + 299 * SECOND);
    assert.deepEqual([counts.total(0, NOW + 299 * SECOND), counts.total(1, NOW + 299 * SECOND)], [2, 1]);
    assert.equal(counts.total(0, NOW + 300 * SECOND), 1);
    assert.equal(counts.total(0, NOW + 310 * SECOND), 0);
    assert.equal(counts.total(1, NOW + 598 * SECOND), 1);
    assert.equal(counts.total(1, NOW + 599 * SECOND), 0);
  });

  it("are equal to a count of all events, for windows of any length", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 2 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.constantFrom(1, 7, 300, 3600), steps, (seconds, steps) => {
        const counts = new RecentCounts(seconds, 3);
        const width = (seconds * SECOND) / 300;
        const bucketOf = (time: number) => Math.floor(time / width);
        const events: [kind: number, time: number][] = [];
        let now = NOW;
        for (const [step, kind] of steps) {
          now += step * width * 0.7;
          counts.add(kind, now);
          events.push([kind, now]);
          for (const each of [0, 1, 2]) {
            const recent = events.filter(([kind, time]) => kind === each && bucketOf(time) > bucketOf(now) - 300);
            assert.equal(counts.total(each, now), recent.length);
          }
        }
      }),
    );
  });

  it("go on after a restart, and grow old in between", () => {
    const counts = new RecentCounts(300, 2);
    for (let second = 0; second < 500; second++) counts.add(second % 3 === 0 ? 1 : 0, NOW + second * SECOND);
    const restored = RecentCounts.from(300, 2, JSON.parse(JSON.stringify(counts)));
    for (let second = 499; second < 900; second += 7) {
      for (const kind of [0, 1]) {
        assert.equal(restored.total(kind, NOW + second * SECOND), counts.total(kind, NOW + second * SECOND));
      }
    }
    assert.equal(RecentCounts.from(300, 2, counts.toJSON()).total(0, NOW + 10_000 * SECOND), 0);
  });

  it("wait for a clock that is set back, and start anew if it is by more than the window", () => {
    const counts = new RecentCounts(300, 1);
    counts.add(0, NOW);
    counts.add(0, NOW - 100 * SECOND);
    assert.equal(counts.total(0, NOW - 100 * SECOND), 2);
    assert.equal(counts.total(0, NOW + 299 * SECOND), 2);
    counts.add(0, NOW - 3600 * SECOND);
    assert.equal(counts.total(0, NOW - 3600 * SECOND), 1);
  });

  it("refuse to be restored from anything else", () => {
    const wrong = [
      null,
      {},
      { latest: 5 },
      { latest: 5, buckets: [[5]] },
      { latest: 5, buckets: [[6, 1]] },
      { latest: 500, buckets: [[200, 1]] },
      { latest: 5, buckets: [[5, -1]] },
    ];
    for (const state of wrong) assert.throws(() => RecentCounts.from(300, 1, state), TypeError, JSON.stringify(state));
  });
});
