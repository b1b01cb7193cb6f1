import assert from "node:assert/strict";
import fc from "fast-check";
import { sampleCorrelation } from "simple-statistics";
import { CorrelationMatrix } from "../../../core/history/correlation.ts";

const chunkOf = (values: Record<string, (number | null)[]>) => ({
  tags: {},
  times: Object.values(values)[0]?.map((_, row) => row) ?? [],
  fields: Object.keys(values),
  values: Object.values(values),
});

describe("a correlation matrix", () => {
  it("is that of simple-statistics over the instants that two fields have in common, in any chunks", () => {
    const cell = fc.option(fc.integer({ min: -100, max: 100 }), { freq: 4 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 40 }), fc.nat({ max: 40 }), (rows, cut) => {
        const matrix = new CorrelationMatrix(["a", "b", "c"]);
        for (const part of [rows.slice(0, cut), rows.slice(cut)]) {
          const column = (place: number) => part.map((row) => row[place] ?? null);
          // In another order than that of the matrix, as a store may have it.
          matrix.add(chunkOf({ c: column(2), a: column(0), b: column(1) }));
        }
        const result = matrix.result();
        for (const a of [0, 1, 2]) {
          for (const b of [0, 1, 2]) {
            const pairs = rows.filter((row) => row[a] !== null && row[b] !== null);
            const [x, y] = [a, b].map((place) => pairs.map((row) => row[place] as number)) as [number[], number[]];
            const isDefined = pairs.length >= 3 && new Set(x).size > 1 && new Set(y).size > 1;
            const actual = result.matrix[a]?.[b];
            assert.equal(result.counts[a]?.[b], pairs.length);
            if (!isDefined) assert.equal(actual, null);
            else assert.ok(Math.abs((actual ?? NaN) - sampleCorrelation(x, y)) < 1e-9);
          }
        }
      }),
    );
  });

  it("stays exact for values like 10⁹ ± 0.1", () => {
    const x = Array.from({ length: 1000 }, (_, row) => 1e9 + 0.1 * Math.sin(row));
    const matrix = new CorrelationMatrix(["x", "y"]);
    matrix.add(chunkOf({ x, y: x.map((value) => 2 * value + 1e8) }));
    assert.ok(Math.abs((matrix.result().matrix[0]?.[1] ?? NaN) - 1) < 1e-6);
  });

  it("passes over texts, and over fields that are not there", () => {
    const matrix = new CorrelationMatrix(["x", "y"]);
    matrix.add({ tags: {}, times: [1, 2, 3], fields: ["x"], values: [[1, "two", 3]] });
    assert.deepEqual(matrix.result().counts, [
      [2, 0],
      [0, 0],
    ]);
  });
});
