import assert from "node:assert/strict";
import { mean, quantile, sampleCorrelation, sampleKurtosis, sampleStandardDeviation } from "simple-statistics";
import { Random } from "../../core/random.ts";

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);

describe("Random", () => {
  it("gives the numbers of PractRand's sfc32", () => {
    const random = new Random(2 + 2 ** 32);
    const published = [0x03b80bb8, 0xa87dbc7e, 0x1787178c, 0x4c7b7234, 0xc65dade2, 0x2c692349, 0xf52c2153, 0xdf098072];
    assert.deepEqual(
      draw(8, () => random.next() * 2 ** 32),
      published,
    );
    assert.equal(new Random(0).next() * 2 ** 32, 0xfb52c520);
  });

  it("is uniform in [0, 1)", () => {
    const random = new Random(1);
    const counts = new Array<number>(100).fill(0);
    for (const value of draw(100_000, () => random.next())) {
      const bin = Math.floor(value * 100);
      counts[bin] = (counts[bin] ?? Number.NaN) + 1;
    }
    assert.equal(counts.length, 100);
    const chiSquared = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // The 0.1 % and 99.9 % quantiles of chi-squared with 99 degrees of freedom.
    assert.ok(chiSquared > 61 && chiSquared < 149, `${chiSquared}`);
  });

  it("stays between the limits that are asked for", () => {
    const random = new Random(1);
    const values = draw(10_000, () => random.between(-3, 5));
    assert.ok(Math.min(...values) >= -3 && Math.max(...values) < 5);
    assert.ok(Math.abs(mean(values) - 1) < 0.1);
  });

  it("gives normal numbers", () => {
    const random = new Random(3);
    const values = draw(200_000, () => random.gaussian());
    assert.ok(Math.abs(mean(values)) < 0.01);
    assert.ok(Math.abs(sampleStandardDeviation(values) - 1) < 0.01);
    assert.ok(Math.abs(sampleKurtosis(values)) < 0.05);
    assert.ok(Math.abs(quantile(values, 0.975) - 1.96) < 0.02);
    assert.ok(values.every((value) => Math.abs(value) < 6.7));
  });

  it("gives unrelated numbers for neighbouring seeds and streams", () => {
    const numbers = (seed: number, stream: number) => {
      const random = new Random(seed, stream);
      return draw(20_000, () => random.next());
    };
    const first = numbers(1, 0);
    for (const other of [numbers(2, 0), numbers(1, 1), numbers(-1, 0), numbers(1 + 2 ** 32, 0)]) {
      assert.ok(Math.abs(sampleCorrelation(first, other)) < 0.03);
    }
  });

  it("goes on from its stored state", () => {
    const random = new Random(5, 6);
    draw(17, () => random.gaussian());
    const copy = Random.from(JSON.parse(JSON.stringify(random)));
    assert.deepEqual(
      draw(10, () => copy.gaussian()),
      draw(10, () => random.gaussian()),
    );
  });

  it("refuses a seed that is no whole number", () => {
    assert.throws(() => new Random(1.5), /the seed must be a whole number, not 1.5/);
    assert.throws(() => new Random(Number.NaN), /whole number/);
  });
});
