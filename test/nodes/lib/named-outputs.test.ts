import assert from "node:assert/strict";
import { movedOutputs, outputNames } from "../../../nodes/lib/named-outputs.ts";

describe("the outputs that a table names", () => {
  const named = { table: "routes", columns: ["output", "escalateTo"] };

  it("are each once, in the order in which the rows name them", () => {
    const rows = [{ output: " a ", escalateTo: "b" }, { output: "b" }, { output: "", escalateTo: 7 }, { output: "a" }];
    assert.deepEqual(outputNames(named, rows), ["a", "b", "7"]);
  });

  it("keep their wires by name, and if that is changed, by the first cell that held it", () => {
    const moved = (former: string[], present: string[], cells: [string, string][]) =>
      movedOutputs(former, present, cells);
    assert.deepEqual(moved(["a", "b", "c"], ["c", "a"], []), [1, -1, 0]);
    assert.deepEqual(moved(["a", "b"], ["x", "b"], [["a", "x"]]), [0, 1]);
    assert.deepEqual(
      moved(
        ["a"],
        ["x", "y"],
        [
          ["a", "x"],
          ["a", "y"],
        ],
      ),
      [0],
      "one of two",
    );
    assert.deepEqual(
      moved(
        ["a", "b"],
        ["x"],
        [
          ["a", "x"],
          ["b", "x"],
        ],
      ),
      [0, -1],
      "two of one",
    );
    assert.deepEqual(
      moved(
        ["a", "b"],
        ["b", "a"],
        [
          ["a", "b"],
          ["b", "a"],
        ],
      ),
      [1, 0],
      "names that are exchanged",
    );
    assert.deepEqual(moved(["a", "b"], ["b"], [["a", "b"]]), [-1, 0], "a name that there was");
    assert.deepEqual(moved(["a"], [], [["a", ""]]), [-1]);
  });
});
