import assert from "node:assert/strict";
import { nameFilter, ownOf } from "../../core/names.ts";

const meant = (list: string[], name: string) => nameFilter(list)?.(name);

describe("nameFilter", () => {
  it("means every name when the list is empty or holds a lone *", () => {
    assert.equal(nameFilter([]), undefined);
    assert.equal(nameFilter(["temperature", "*"]), undefined);
  });

  it("means exactly the names of the list", () => {
    const list = ["temperature", "vibration"];
    assert.equal(meant(list, "temperature"), true);
    assert.equal(meant(list, "vibration"), true);
    for (const name of ["", "temp", "temperatures", "Temperature", "constructor"])
      assert.equal(meant(list, name), false);
  });

  it("takes * for any characters, none included", () => {
    assert.equal(meant(["vibration*"], "vibration"), true);
    assert.equal(meant(["vibration*"], "vibration_x"), true);
    assert.equal(meant(["*_x"], "vibration_x"), true);
    assert.equal(meant(["a*c*e"], "abcde"), true);
    assert.equal(meant(["a*c*e"], "abcd"), false);
    assert.equal(meant(["a*c"], "a\nc"), true);
  });

  it("takes all other characters as they are", () => {
    assert.equal(meant(["a.b"], "axb"), false);
    assert.equal(meant(["a.b"], "a.b"), true);
    assert.equal(meant(["[x](y)+?^$|{1}\\"], "[x](y)+?^$|{1}\\"), true);
  });

  it("gives the same answer when it is asked again, and for more names than it remembers", () => {
    const accepts = nameFilter(["even*"]);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 12_000; i++) assert.equal(accepts?.(i % 2 === 0 ? `even${i}` : `odd${i}`), i % 2 === 0);
    }
  });
});

describe("ownOf", () => {
  it("gives what a record has, and nothing that it inherits", () => {
    const units = JSON.parse('{ "level": "m", "__proto__": "bar" }');
    assert.deepEqual(
      ["level", "__proto__", "constructor", "flow"].map((name) => ownOf(units, name)),
      ["m", "bar", undefined, undefined],
    );
    assert.equal(ownOf(undefined, "level"), undefined);
  });
});
