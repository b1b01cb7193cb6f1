import assert from "node:assert/strict";
import fc from "fast-check";
import { type HealthOptions, type HealthRule, HealthScore } from "../../core/health-score.ts";
import type { Health, Metrics, Reading, Verdict } from "../../core/types.ts";
import { options as nodeOptions } from "../../nodes/health-score/options.ts";

const DEFAULTS: HealthOptions = {
  rules: nodeOptions.rules.parse(undefined),
  combine: "sum",
  anomalyPenalty: 0,
  warningBelow: 80,
  criticalBelow: 50,
};
const WELL = { temperature: 60, vibration: 0.5, battery: 80 };

function reading(metrics: Metrics, timestamp = 0, more: Partial<Reading> = {}): Reading {
  return { deviceId: "R1", timestamp, metrics, ...more };
}

function verdict(isAnomaly: boolean, score = 3.5): Partial<Reading> {
  const verdicts: Record<string, Verdict> = { z: { detector: "z", isAnomaly, score, threshold: 3, metrics: {} } };
  return { verdicts };
}

/** The health after the last of some readings, taken one second after another. */
function healthAfter(options: Partial<HealthOptions>, ...series: Metrics[]): Health | undefined {
  const score = new HealthScore({ ...DEFAULTS, ...options });
  return series.map((metrics, index) => score.push(reading(metrics, index * 1000))).at(-1);
}

function rule(flag: string, limit: number, penalty: number, comparison: HealthRule["comparison"] = ">"): HealthRule {
  return { flag, metric: "x", comparison, limit, penalty };
}

describe("HealthScore with the default rules", () => {
  const all = { temperature: 76, vibration: 1.6, battery: 29 };
  const cases: [name: string, score: number, status: string, flags: string[], series: Metrics[]][] = [
    ["a device that is well", 100, "healthy", [], [WELL]],
    ["overheating", 70, "warning", ["overheating"], [{ ...WELL, temperature: 76 }]],
    ["high vibration", 80, "healthy", ["high-vibration"], [{ ...WELL, vibration: 1.6 }]],
    ["a low battery", 80, "healthy", ["low-battery"], [{ ...WELL, battery: 29 }]],
    ["a drop of the battery", 90, "healthy", ["battery-drop"], [WELL, { ...WELL, battery: 69 }]],
    ["all at once", 20, "critical", ["overheating", "high-vibration", "low-battery", "battery-drop"], [WELL, all]],
    ["values on their limits", 100, "healthy", [], [WELL, { temperature: 75, vibration: 1.5, battery: 70 }]],
    ["a battery on its limit", 100, "healthy", [], [{ ...WELL, battery: 30 }]],
  ];
  for (const [name, score, status, flags, series] of cases) {
    it(`gives ${score} for ${name}`, () => {
      const health = healthAfter({}, ...series);
      assert.deepEqual([health?.score, health?.status, health?.flags], [score, status, flags]);
    });
  }

  it("says what took how much off: the value or the size of the drop, and the limit", () => {
    assert.deepEqual(healthAfter({}, WELL, all)?.contributors, [
      { flag: "overheating", penalty: 30, value: 76, limit: 75 },
      { flag: "high-vibration", penalty: 20, value: 1.6, limit: 1.5 },
      { flag: "low-battery", penalty: 20, value: 29, limit: 30 },
      { flag: "battery-drop", penalty: 10, value: 51, limit: 10 },
    ]);
  });
});

describe("HealthScore", () => {
  const comparisons: [HealthRule["comparison"], below: boolean, on: boolean, above: boolean][] = [
    [">", false, false, true],
    [">=", false, true, true],
    ["<", true, false, false],
    ["<=", true, true, false],
  ];
  for (const [comparison, ...expected] of comparisons) {
    it(`compares with ${comparison}`, () => {
      const flags = [4.9, 5, 5.1].map((x) => healthAfter({ rules: [rule("f", 5, 10, comparison)] }, { x })?.flags);
      assert.deepEqual(
        flags,
        expected.map((isUp) => (isUp ? ["f"] : [])),
      );
    });
  }

  it("says the unit of what took something off, if the reading does", () => {
    const tested = new HealthScore(DEFAULTS);
    const hot = { temperature: 76, vibration: 1.6 };
    const units = { temperature: "°C" };
    const found = tested.push(reading(hot, 0, { units }))?.contributors;
    assert.deepEqual(
      found?.map(({ flag, unit }) => [flag, unit]),
      [
        ["overheating", "°C"],
        ["high-vibration", undefined],
      ],
    );
  });

  it("is a warning and critical below their scores, not on them", () => {
    const rules = [rule("f", 0, 20)];
    const statusAt = (penalty: number) =>
      healthAfter({ rules: [{ ...rules[0], penalty } as HealthRule] }, { x: 1 })?.status;
    assert.deepEqual([0, 20, 20.1, 50, 50.1].map(statusAt), ["healthy", "healthy", "warning", "warning", "critical"]);
  });

  it("never falls below 0", () => {
    const health = healthAfter({ rules: [rule("a", 0, 70), rule("b", 0, 60)] }, { x: 1 });
    assert.deepEqual([health?.score, health?.status], [0, "critical"]);
  });

  it("counts the worst penalty fully and the others by half, a quarter, …, wherever they stand in the table", () => {
    const rules = [rule("a", 0, 8), rule("b", 0, 40), rule("c", 0, 20), rule("d", 9, 90)];
    const health = healthAfter({ rules, combine: "worst" }, { x: 1 });
    assert.equal(health?.score, 100 - 40 - 10 - 2);
    assert.deepEqual(
      health?.contributors.map(({ flag, penalty }) => [flag, penalty]),
      [
        ["b", 40],
        ["c", 10],
        ["a", 2],
      ],
    );
  });

  it("takes rules of one flag as levels, of which the largest penalty counts once", () => {
    const rules = [rule("hot", 60, 10), rule("hot", 80, 40), rule("hot", 70, 25)];
    const contributors = [55, 65, 75, 85].map((x) => healthAfter({ rules }, { x })?.contributors);
    assert.deepEqual(contributors, [
      [],
      [{ flag: "hot", penalty: 10, value: 65, limit: 60 }],
      [{ flag: "hot", penalty: 25, value: 75, limit: 70 }],
      [{ flag: "hot", penalty: 40, value: 85, limit: 80 }],
    ]);
  });

  it("goes by given limits instead of the rules' own, at once also for values that came before", () => {
    const score = new HealthScore({ ...DEFAULTS, rules: [rule("f", 5, 10)] });
    assert.deepEqual(score.push(reading({ x: 7 }))?.flags, ["f"]);
    assert.deepEqual(score.push(reading({ y: 0 }), [7])?.flags, []);
    assert.deepEqual(score.push(reading({ y: 0 }), [6])?.contributors[0]?.limit, 6);
  });

  describe("with a rule for a drop", () => {
    const rules = [rule("drop", 10, 10, "drop")];
    const flagsOf = (...series: [x: number | undefined, timestamp: number][]) => {
      const score = new HealthScore({ ...DEFAULTS, rules });
      return series.map(([x, timestamp]) => score.push(reading(x === undefined ? { y: 0 } : { x }, timestamp))?.flags);
    };

    it("compares with the reading before, and has nothing to say of the first", () => {
      assert.deepEqual(flagsOf([50, 0], [40, 1], [29, 2], [19, 3], [90, 4]), [[], [], ["drop"], [], []]);
    });

    it("compares with the metric's own previous value when readings without it come between", () => {
      assert.deepEqual(flagsOf([50, 0], [undefined, 1], [39, 2], [undefined, 3]), [[], [], ["drop"], ["drop"]]);
    });

    it("takes no drop from a reading that has been overtaken, and goes on from it", () => {
      assert.deepEqual(flagsOf([20, 0], [99, 2], [20, 1], [99, 3], [80, 4]), [[], [], [], [], ["drop"]]);
    });

    it("keeps its flag when the reading comes twice", () => {
      assert.deepEqual(flagsOf([50, 0], [30, 1], [30, 1], [30, 2]), [[], ["drop"], ["drop"], []]);
    });

    it("finds a drop between two readings of the same millisecond", () => {
      assert.deepEqual(flagsOf([50, 0], [30, 0]), [[], ["drop"]]);
    });

    it("stays finite whatever the values", () => {
      const score = new HealthScore({ ...DEFAULTS, rules });
      score.push(reading({ x: 1e308 }, 0));
      assert.equal(score.push(reading({ x: -1e308 }, 1))?.contributors[0]?.value, Number.MAX_VALUE);
    });
  });

  it("goes by the last value of a metric that a reading lacks", () => {
    const score = new HealthScore(DEFAULTS);
    const scores = [{ temperature: 80 }, { vibration: 1.8 }, { battery: 50 }, { speed: 1 }, { temperature: 60 }].map(
      (metrics, index) => score.push(reading(metrics, index))?.score,
    );
    assert.deepEqual(scores, [70, 50, 50, 50, 80]);
  });

  it("gives the same health to readings of one metric each as to whole ones", () => {
    const metric = fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined });
    const whole = fc.record({ temperature: metric, vibration: metric, battery: metric });
    fc.assert(
      fc.property(fc.array(whole, { minLength: 1 }), (series) => {
        const wide = new HealthScore(DEFAULTS);
        const narrow = new HealthScore(DEFAULTS);
        for (const [timestamp, values] of series.entries()) {
          const given = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined);
          const expected = wide.push(reading(Object.fromEntries(given), timestamp));
          const actual = given.map(([name, value]) => narrow.push(reading({ [name]: value }, timestamp))).at(-1);
          if (given.length > 0) assert.deepEqual(actual, expected);
        }
      }),
    );
  });

  it("says nothing as long as nothing was there to judge", () => {
    const score = new HealthScore({ ...DEFAULTS, anomalyPenalty: 10 });
    assert.equal(score.push(reading({ speed: 3 })), undefined);
    assert.equal(score.status, undefined);
    assert.equal(score.push(reading({ speed: 3 }, 1, verdict(false)))?.score, 100);
    assert.equal(score.status, "healthy");
  });

  it("is not changed by a reading of bad quality", () => {
    const score = new HealthScore(DEFAULTS);
    score.push(reading(WELL));
    const before = JSON.stringify(score);
    assert.equal(score.push(reading({ temperature: 999 }, 1, { quality: "bad" })), undefined);
    assert.equal(JSON.stringify(score), before);
    assert.equal(score.push(reading({ temperature: 80 }, 1, { quality: "stale" }))?.score, 70);
  });

  it("takes rules for metrics that are named like what every object has", () => {
    const rules = ["constructor", "__proto__", "toString"].map((metric) => ({ ...rule(metric, 0, 10), metric }));
    const score = new HealthScore({ ...DEFAULTS, rules });
    assert.equal(score.push(reading({ x: 1 })), undefined);
    assert.deepEqual(score.push(reading({ toString: 1 } as unknown as Metrics))?.flags, ["toString"]);
  });

  describe("with a penalty for anomalies", () => {
    const score = () => new HealthScore({ ...DEFAULTS, anomalyPenalty: 15 });

    it("takes it off while a detector finds an anomaly, and says by how much", () => {
      const health = score().push(reading(WELL, 0, verdict(true, -4)));
      assert.equal(health?.score, 85);
      assert.deepEqual(health?.contributors, [{ flag: "anomaly", penalty: 15, value: -4, limit: 3 }]);
    });

    it("takes it off once, however many detectors say so", () => {
      const { z } = verdict(false).verdicts ?? {};
      const { z: a } = verdict(true, 7).verdicts ?? {};
      const verdicts = { z, a, b: a } as Record<string, Verdict>;
      assert.deepEqual(score().push(reading(WELL, 0, { verdicts }))?.contributors, [
        { flag: "anomaly", penalty: 15, value: 7, limit: 3 },
      ]);
    });

    it("keeps the anomaly while readings have no verdict, and until a later one is normal", () => {
      const tested = score();
      const scores = [verdict(true), {}, verdict(false)].map(
        (more, time) => tested.push(reading(WELL, time, more))?.score,
      );
      assert.deepEqual(scores, [85, 85, 100]);
    });

    it("lets readings of one time share their verdicts", () => {
      const tested = score();
      const push = (time: number, isAnomaly: boolean) => tested.push(reading(WELL, time, verdict(isAnomaly)))?.score;
      assert.deepEqual([push(5, true), push(5, false), push(6, false), push(6, true)], [85, 85, 100, 85]);
    });

    it("counts the larger of both where a rule's flag is called anomaly too", () => {
      const tested = new HealthScore({ ...DEFAULTS, rules: [rule("anomaly", 0, 40)], anomalyPenalty: 15 });
      assert.equal(tested.push(reading({ x: 1 }, 0, verdict(true)))?.score, 60);
      assert.equal(tested.push(reading({ x: 0 }, 1, verdict(true)))?.score, 85);
    });

    it("passes over what is no verdict", () => {
      for (const verdicts of [
        null,
        "anomaly",
        { z: null },
        { z: { isAnomaly: true } },
        { z: { isAnomaly: 1, score: 9 } },
      ]) {
        const health = score().push(reading(WELL, 0, { verdicts } as unknown as Partial<Reading>));
        assert.equal(health?.score, 100);
      }
    });

    it("looks at no verdict without it", () => {
      assert.equal(new HealthScore(DEFAULTS).push(reading(WELL, 0, verdict(true)))?.score, 100);
    });
  });
});

// --- against a naive computation

const someOptions: fc.Arbitrary<HealthOptions> = fc.record({
  rules: fc.array(
    fc.record({
      flag: fc.constantFrom("a", "b", "c"),
      metric: fc.constantFrom("x", "y"),
      comparison: fc.constantFrom(...([">", ">=", "<", "<=", "drop"] as const)),
      limit: fc.integer({ min: -3, max: 3 }),
      penalty: fc.integer({ min: 0, max: 60 }),
    }),
    { maxLength: 6 },
  ),
  combine: fc.constantFrom("sum", "worst"),
  anomalyPenalty: fc.constantFrom(0, 25),
  warningBelow: fc.constant(80),
  criticalBelow: fc.constant(50),
});
const someValue = fc.option(fc.integer({ min: -5, max: 5 }), { nil: undefined });
const someReadings = fc.array(
  fc.record({ x: someValue, y: someValue, isAnomaly: fc.option(fc.boolean()), isBad: fc.boolean() }),
  { minLength: 1, maxLength: 30 },
);

function* readingsOf(series: typeof someReadings extends fc.Arbitrary<infer T> ? T : never): Generator<Reading> {
  for (const [timestamp, { x, y, isAnomaly, isBad }] of series.entries()) {
    const metrics = { ...(x !== undefined && { x }), ...(y !== undefined && { y }) };
    const judged = isAnomaly === null ? {} : verdict(isAnomaly);
    yield reading(metrics, timestamp, { ...judged, ...(isBad && { quality: "bad" as const }) });
  }
}

/** The health by the words of the rules, from all readings so far. */
function naiveHealth(options: HealthOptions, past: Reading[]): Omit<Health, "contributors"> | undefined {
  const good = past.filter(({ quality }) => quality !== "bad");
  const valuesOf = (metric: string) => good.flatMap(({ metrics }) => metrics[metric] ?? []);
  const penalties = new Map<string, number>();
  const raise = (flag: string, penalty: number) => penalties.set(flag, Math.max(penalty, penalties.get(flag) ?? 0));
  for (const { flag, metric, comparison, limit, penalty } of options.rules) {
    const [before = Number.NaN, last = Number.NaN] = [undefined, ...valuesOf(metric)].slice(-2);
    const isUp = {
      ">": last > limit,
      ">=": last >= limit,
      "<": last < limit,
      "<=": last <= limit,
      drop: before - last > limit,
    }[comparison];
    if (isUp) raise(flag, penalty);
  }
  const judged = options.anomalyPenalty > 0 ? good.filter(({ verdicts }) => verdicts) : [];
  if (judged.at(-1)?.verdicts?.z?.isAnomaly) raise("anomaly", options.anomalyPenalty);
  if (judged.length === 0 && options.rules.every(({ metric }) => valuesOf(metric).length === 0)) return undefined;
  const found = [...penalties].sort((a, b) => b[1] - a[1]);
  const weights = found.map((_, index) => (options.combine === "worst" ? 0.5 ** index : 1));
  const lost = found.reduce((sum, [, penalty], index) => sum + penalty * (weights[index] as number), 0);
  const score = Math.max(0, 100 - lost);
  const status = score < 50 ? "critical" : score < 80 ? "warning" : "healthy";
  return { score, status, flags: found.map(([flag]) => flag) };
}

describe("HealthScore for any rules and readings", () => {
  it("is what the rules say in words", () => {
    fc.assert(
      fc.property(someOptions, someReadings, (options, series) => {
        const tested = new HealthScore(options);
        const past: Reading[] = [];
        for (const each of readingsOf(series)) {
          past.push(each);
          const health = tested.push(each);
          const expected = each.quality === "bad" ? undefined : naiveHealth(options, past);
          assert.equal(health?.score, expected?.score);
          assert.equal(health?.status, expected?.status);
          assert.deepEqual(health && [...health.flags].sort(), expected && [...expected.flags].sort());
          if (!health) continue;
          assert.deepEqual(
            health.contributors.map(({ flag }) => flag),
            health.flags,
          );
          const lost = health.contributors.reduce((sum, { penalty }) => sum + penalty, 0);
          assert.equal(health.score, Math.max(0, 100 - lost));
        }
      }),
    );
  });

  it("goes on after a restart as if there had been none", () => {
    fc.assert(
      fc.property(someOptions, someReadings, (options, series) => {
        const going = new HealthScore(options);
        let restarted = new HealthScore(options);
        for (const each of readingsOf(series)) {
          restarted = HealthScore.from(options, JSON.parse(JSON.stringify(restarted)));
          assert.deepEqual(restarted.push(each), going.push(each));
          assert.equal(restarted.status, going.status);
        }
      }),
    );
  });
});

describe("HealthScore from a saved state", () => {
  it("leaves out metrics that the rules no longer name, and verdicts that no longer count", () => {
    const before = new HealthScore({ ...DEFAULTS, anomalyPenalty: 10 });
    before.push(reading({ temperature: 80, battery: 20 }, 0, verdict(true)));
    const rules = DEFAULTS.rules.filter(({ metric }) => metric === "battery");
    const after = HealthScore.from({ ...DEFAULTS, rules }, JSON.parse(JSON.stringify(before)));
    assert.deepEqual(after.toJSON(), { metrics: [["battery", 20, 0]], status: "critical" });
  });

  it("refuses anything else", () => {
    const wrong = [
      null,
      [],
      "x",
      {},
      { metrics: {} },
      { metrics: [["x"]] },
      { metrics: [["x", null, 0]] },
      { metrics: [["x", 1, 0, "2"]] },
      { metrics: [], judged: {} },
      { metrics: [], status: "well" },
    ];
    for (const state of wrong) assert.throws(() => HealthScore.from(DEFAULTS, state), TypeError, JSON.stringify(state));
  });
});
