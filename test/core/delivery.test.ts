import assert from "node:assert/strict";
import fc from "fast-check";
import { Delivery, type DeliveryOptions, type Due, MAX_CONTENT } from "../../core/delivery.ts";
import type { Outcome } from "../../core/delivery-outcome.ts";
import { Random } from "../../core/random.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const SECOND = 1000;
const HOUR = 3600 * SECOND;

const OPTIONS: DeliveryOptions = {
  firstRetrySeconds: 5,
  factor: 2,
  maximumRetrySeconds: 60,
  jitterPercent: 0,
  maximumAttempts: 10,
  timeoutSeconds: 30,
  maxAgeHours: 24,
  maxPending: 100,
  maxInFlight: 10,
};

const delivered: Outcome = { result: "delivered" };
const refused: Outcome = { result: "refused", reason: "no" };
const failed = (retryAfterSeconds?: number): Outcome => ({
  result: "failed",
  reason: "busy",
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
});

const make = (options: Partial<DeliveryOptions> = {}) => new Delivery({ ...OPTIONS, ...options }, new Random(1));
const sent = ({ attempts }: Due) => attempts.map(({ id, attempt }) => `${id}${attempt}`);
const lost = ({ givenUp }: Due) => givenUp.map(({ id, attempts, reason }) => [id, attempts, reason]);
const restarted = (delivery: Delivery, options: Partial<DeliveryOptions> = {}) =>
  Delivery.from({ ...OPTIONS, ...options }, new Random(1), JSON.parse(JSON.stringify(delivery)));

/** Fails each attempt at once, and gives the seconds between one and the next. */
function waits(delivery: Delivery, count: number): number[] {
  delivery.push("a", "x", NOW);
  delivery.tick(NOW);
  let now = NOW;
  return Array.from({ length: count }, (_, index) => {
    delivery.settle("a", index + 1, failed(), now);
    const seconds = delivery.nextInSeconds(now) ?? assert.fail();
    assert.deepEqual(sent(delivery.tick(now + seconds * SECOND - 1)), []);
    now += Math.ceil(seconds * SECOND);
    assert.deepEqual(sent(delivery.tick(now)), [`a${index + 2}`]);
    return seconds;
  });
}

describe("the delivery of messages", () => {
  it("sends at once what comes in, once", () => {
    const delivery = make();
    delivery.push("a", "text", NOW);
    assert.deepEqual(delivery.tick(NOW), { attempts: [{ id: "a", content: "text", attempt: 1 }], givenUp: [] });
    assert.deepEqual(delivery.tick(NOW + SECOND), { attempts: [], givenUp: [] });
    delivery.settle("a", 1, delivered, NOW + SECOND);
    assert.equal(delivery.size, 0);
    assert.deepEqual(delivery.tick(NOW + HOUR), { attempts: [], givenUp: [] });
  });

  it("waits longer and longer after failures, up to the longest wait", () => {
    assert.deepEqual(waits(make(), 6), [5, 10, 20, 40, 60, 60]);
  });

  it("waits for a finite time after any number of failures", () => {
    const delivery = make({ maximumAttempts: 0, factor: 100 });
    assert.deepEqual(waits(delivery, 400).slice(-1), [60]);
  });

  it("varies its waits at random, within the jitter", () => {
    const seconds = waits(make({ jitterPercent: 20, maximumAttempts: 0, factor: 1 }), 200);
    assert.ok(seconds.every((each) => each >= 4 && each <= 6));
    assert.ok(Math.min(...seconds) < 4.1 && Math.max(...seconds) > 5.9);
  });

  it("takes an attempt without an outcome in time for a failure", () => {
    const delivery = make();
    delivery.push("a", "x", NOW);
    delivery.tick(NOW);
    assert.equal(delivery.inFlight, 1);
    delivery.tick(NOW + 30 * SECOND - 1);
    assert.equal(delivery.inFlight, 1);
    delivery.tick(NOW + 30 * SECOND);
    assert.equal(delivery.inFlight, 0);
    assert.deepEqual(sent(delivery.tick(NOW + 35 * SECOND)), ["a2"]);
    assert.equal([...delivery.pending()][0]?.reason, "no outcome within 30 s");
  });

  it("gives up after so many attempts, with the reason of the last", () => {
    const delivery = make({ maximumAttempts: 2 });
    delivery.push("a", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, failed(), NOW);
    delivery.tick(NOW + 5 * SECOND);
    delivery.settle("a", 2, failed(), NOW + 5 * SECOND);
    assert.deepEqual(lost(delivery.tick(NOW + 5 * SECOND)), [["a", 2, "busy"]]);
    assert.equal(delivery.size, 0);
  });

  it("gives up at once what is refused", () => {
    const delivery = make();
    delivery.push("a", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, refused, NOW);
    assert.deepEqual(lost(delivery.tick(NOW)), [["a", 1, "no"]]);
  });

  it("gives up what is too old, but waits for the outcome of what is in flight", () => {
    const delivery = make({ maximumAttempts: 0, maxAgeHours: 1 });
    delivery.push("a", "x", NOW);
    delivery.push("b", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, failed(3600 - 5), NOW);
    delivery.settle("b", 1, failed(), NOW);
    const due = NOW + HOUR - 5 * SECOND;
    assert.deepEqual(sent(delivery.tick(due)), ["a2", "b2"]);
    delivery.settle("a", 2, failed(), due);
    assert.deepEqual(lost(delivery.tick(NOW + HOUR)), [["a", 2, "not delivered within 1 h: busy"]]);
    delivery.settle("b", 2, delivered, NOW + HOUR);
    assert.equal(delivery.size, 0);
  });

  it("makes room for a new message by the oldest that is not in flight", () => {
    const delivery = make({ maxPending: 3, maxInFlight: 1 });
    for (const id of ["a", "b", "c"]) delivery.push(id, "x", NOW);
    assert.deepEqual(sent(delivery.tick(NOW)), ["a1"]);
    delivery.push("d", "x", NOW);
    assert.deepEqual(lost(delivery.tick(NOW)), [["b", 0, "3 newer messages are waiting"]]);
    assert.deepEqual(
      Array.from(delivery.pending(), ({ id }) => id),
      ["a", "c", "d"],
    );
    const small = make({ maxPending: 1 });
    small.push("a", "x", NOW);
    small.tick(NOW);
    small.push("b", "x", NOW);
    assert.deepEqual([lost(small.tick(NOW)).length, small.inFlight, small.size], [1, 1, 1]);
  });

  it("has only so many in flight, and sends the others in their order", () => {
    const delivery = make({ maxInFlight: 2 });
    for (const id of ["a", "b", "c", "d"]) delivery.push(id, "x", NOW);
    assert.deepEqual(sent(delivery.tick(NOW)), ["a1", "b1"]);
    delivery.settle("b", 1, delivered, NOW);
    assert.deepEqual(sent(delivery.tick(NOW)), ["c1"]);
    delivery.settle("a", 1, failed(), NOW);
    assert.deepEqual(sent(delivery.tick(NOW)), ["d1"]);
    assert.deepEqual(sent(delivery.tick(NOW + 5 * SECOND)), []);
    delivery.settle("c", 1, delivered, NOW + 5 * SECOND);
    assert.deepEqual(sent(delivery.tick(NOW + 5 * SECOND)), ["a2"]);
  });

  it("refuses what is no notification any more, with nothing changed", () => {
    const delivery = make({ maxPending: 1 });
    delivery.push("a", "x".repeat(MAX_CONTENT), NOW);
    assert.throws(() => delivery.push("b", "x".repeat(MAX_CONTENT + 1), NOW), RangeError);
    assert.deepEqual(lost(delivery.tick(NOW)), []);
    assert.equal(delivery.size, 1);
  });

  it("holds all up for as long as a receiver asks, for a day at most", () => {
    const delivery = make();
    delivery.push("a", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, failed(120), NOW);
    delivery.push("b", "x", NOW + SECOND);
    assert.deepEqual(sent(delivery.tick(NOW + 120 * SECOND - 1)), []);
    assert.equal(delivery.nextInSeconds(NOW + 20 * SECOND), 100);
    assert.deepEqual(sent(delivery.tick(NOW + 120 * SECOND)), ["a2", "b1"]);
    const patient = make({ maxAgeHours: 100 });
    patient.push("a", "x", NOW);
    patient.tick(NOW);
    patient.settle("a", 1, failed(1e12), NOW);
    assert.deepEqual(sent(patient.tick(NOW + 24 * HOUR)), ["a2"]);
  });

  it("waits for no less than its own wait when a receiver asks for less", () => {
    const delivery = make();
    delivery.push("a", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, failed(0), NOW);
    assert.equal(delivery.nextInSeconds(NOW), 5);
  });

  it("tries all that waits when it is told to", () => {
    const delivery = make();
    delivery.push("a", "x", NOW);
    delivery.push("b", "x", NOW);
    delivery.tick(NOW);
    delivery.settle("a", 1, failed(600), NOW);
    delivery.retry(NOW + SECOND);
    assert.deepEqual(sent(delivery.tick(NOW + SECOND)), ["a2"]);
  });

  describe("takes outcomes that are out of order:", () => {
    it("a delivery that is confirmed late", () => {
      const delivery = make();
      delivery.push("a", "x", NOW);
      delivery.tick(NOW);
      delivery.tick(NOW + 30 * SECOND);
      delivery.settle("a", 1, delivered, NOW + 31 * SECOND);
      assert.equal(delivery.size, 0);
      delivery.push("b", "x", NOW);
      delivery.tick(NOW);
      delivery.tick(NOW + 30 * SECOND);
      delivery.tick(NOW + 35 * SECOND);
      delivery.settle("b", 1, delivered, NOW + 36 * SECOND);
      assert.deepEqual([delivery.size, delivery.inFlight], [0, 0]);
    });

    it("a delivery after a failure of the same attempt, which is none", () => {
      const delivery = make();
      delivery.push("a", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("a", 1, failed(), NOW);
      delivery.settle("a", 1, delivered, NOW);
      assert.equal(delivery.size, 1);
      delivery.tick(NOW + 5 * SECOND);
      delivery.tick(NOW + 35 * SECOND);
      delivery.settle("a", 2, failed(), NOW + 36 * SECOND);
      delivery.settle("a", 2, delivered, NOW + 36 * SECOND);
      assert.equal(delivery.size, 1, "neither when both come late");
    });

    it("a failure that is late, or told twice", () => {
      const delivery = make({ maximumAttempts: 3 });
      delivery.push("a", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("a", 1, failed(), NOW);
      delivery.settle("a", 1, failed(), NOW);
      assert.equal(delivery.nextInSeconds(NOW), 5);
      delivery.tick(NOW + 5 * SECOND);
      delivery.settle("a", 1, refused, NOW + 6 * SECOND);
      assert.equal(delivery.inFlight, 1);
    });

    it("those of messages that are not waited for any longer", () => {
      const delivery = make();
      delivery.settle("a", 1, failed(), NOW);
      delivery.settle("a", 1, delivered, NOW);
      assert.deepEqual(delivery.tick(NOW), { attempts: [], givenUp: [] });
    });
  });

  describe("when the clock is set", () => {
    it("back by an hour, waits no longer for it", () => {
      const delivery = make({ maxAgeHours: 0.5 });
      delivery.push("a", "x", NOW);
      delivery.push("b", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("a", 1, failed(), NOW);
      const back = NOW - HOUR;
      assert.deepEqual(sent(delivery.tick(back)), []);
      assert.equal(delivery.nextInSeconds(back), 5);
      assert.deepEqual(sent(delivery.tick(back + 5 * SECOND)), ["a2"]);
      delivery.tick(back + 30 * SECOND);
      assert.deepEqual(sent(delivery.tick(back + 35 * SECOND)), ["b2"]);
      assert.deepEqual(
        lost(delivery.tick(back + HOUR)).map(([id]) => id),
        ["a", "b"],
      );
    });

    it("on by an hour, loses nothing", () => {
      const delivery = make();
      delivery.push("a", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("a", 1, failed(), NOW);
      assert.deepEqual(sent(delivery.tick(NOW + HOUR)), ["a2"]);
    });
  });

  describe("after a restart", () => {
    it("goes on with what waits, and tries again what was in flight", () => {
      const delivery = make();
      delivery.push("a", "text", NOW);
      delivery.push("b", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("b", 1, failed(), NOW);
      const next = restarted(delivery);
      assert.deepEqual([next.size, next.inFlight], [2, 0]);
      assert.deepEqual(sent(next.tick(NOW + 5 * SECOND)), ["b2"]);
      assert.deepEqual(next.tick(NOW + 30 * SECOND).attempts, [{ id: "a", content: "text", attempt: 2 }]);
    });

    it("on a clock that was set back meanwhile, waits no longer for it", () => {
      const delivery = make();
      delivery.push("a", "x", NOW);
      delivery.tick(NOW);
      delivery.settle("a", 1, failed(), NOW);
      assert.deepEqual(sent(restarted(delivery).tick(NOW - HOUR)), []);
      const next = restarted(delivery);
      next.tick(NOW - HOUR);
      assert.deepEqual(sent(next.tick(NOW - HOUR + 5 * SECOND)), ["a2"]);
    });

    it("keeps what is more than it may keep now until something new comes", () => {
      const delivery = make();
      for (const id of ["a", "b", "c"]) delivery.push(id, "x", NOW);
      const next = restarted(delivery, { maxPending: 2 });
      assert.equal(next.size, 3);
      next.push("d", "x", NOW);
      assert.equal(next.size, 2);
    });

    it("refuses a state that is none", () => {
      const good = { id: "a", content: "x", addedAt: 1, attempts: 0, isInFlight: false, due: 1, failedAttempt: 0 };
      const states = [null, 1, {}, { now: 1 }, { now: 1, pending: [null] }, { now: 1, pending: [{ ...good, id: 1 }] }];
      for (const state of [...states, { now: null, pending: [good] }, { now: 1, pending: [{ ...good, due: null }] }]) {
        assert.throws(() => Delivery.from(OPTIONS, new Random(1), state), TypeError);
      }
    });
  });

  it("delivers every message or gives it up, whatever the outcomes, also over restarts", () => {
    const outcome = fc.constantFrom<Outcome | "restart" | undefined>(
      delivered,
      failed(),
      failed(7),
      refused,
      undefined,
      "restart",
    );
    const step = fc.record({ pushes: fc.nat(3), seconds: fc.integer({ min: -60, max: 60 }), outcome, pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const options = { maxPending: 5, maxInFlight: 2, maximumAttempts: 4, jitterPercent: 50 };
        let delivery = make(options);
        let now = NOW;
        let count = 0;
        const open = new Set<string>();
        let inFlight: { id: string; attempt: number }[] = [];
        const work = () => {
          const { attempts, givenUp } = delivery.tick(now);
          for (const { id } of givenUp) assert.ok(open.delete(id), `${id} is given up once`);
          for (const each of attempts) {
            assert.ok(open.has(each.id), `${each.id} is sent though it is done with`);
            assert.ok(each.attempt <= 4);
            inFlight = [...inFlight.filter(({ id }) => id !== each.id), each];
          }
          assert.ok(delivery.inFlight <= 2 && delivery.size <= 5);
          assert.deepEqual([...open].sort(), Array.from(delivery.pending(), ({ id }) => id).sort());
        };
        for (const { pushes, seconds, outcome, pick } of steps) {
          now += seconds * SECOND;
          for (let n = 0; n < pushes; n++) {
            open.add(`m${count}`);
            delivery.push(`m${count++}`, "x", now);
          }
          work();
          const attempt = inFlight[pick % Math.max(inFlight.length, 1)];
          if (outcome === "restart") delivery = restarted(delivery, options);
          else if (outcome && attempt && open.has(attempt.id)) {
            const wasKnown = [...delivery.pending()].some(({ id, failedAttempt }) => {
              return id === attempt.id && failedAttempt < attempt.attempt;
            });
            delivery.settle(attempt.id, attempt.attempt, outcome, now);
            if (outcome === delivered && wasKnown) open.delete(attempt.id);
          }
          work();
        }
        for (let n = 0; n < 400 && delivery.size > 0; n++) {
          now += 30 * SECOND;
          work();
        }
        assert.equal(delivery.size, 0, "all is done with in the end");
      }),
    );
  });
});
