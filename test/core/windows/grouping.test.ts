import assert from "node:assert/strict";
import fc from "fast-check";
import type { Tags } from "../../../core/types.ts";
import { groupingBy } from "../../../core/windows/grouping.ts";

const reading = (tags?: Tags) => ({ deviceId: "R1", timestamp: 0, metrics: { a: 1 }, ...(tags && { tags }) });

describe("groupingBy", () => {
  it("takes each device for a group", () => {
    const grouping = groupingBy(["deviceId"]);
    assert.equal(grouping.groupOf(reading({ hall: "3" })), "R1");
    assert.equal(grouping.tagsOf(reading()), undefined);
  });

  it("takes the value of a tag for the name of the group", () => {
    const grouping = groupingBy(["hall"]);
    assert.equal(grouping.groupOf(reading({ hall: "a/b %" })), "a/b %");
    assert.deepEqual(grouping.tagsOf(reading({ hall: "a/b %", type: "pump" })), { hall: "a/b %" });
  });

  it("joins the values of several tags, so that no two groups have the same name", () => {
    const grouping = groupingBy(["hall", "type"]);
    assert.equal(grouping.groupOf(reading({ hall: "3", type: "oil pump" })), "3/oil pump");
    const value = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom("a", "/", "%", "2", "F", "ü") });
    const property = fc.property(value, value, (hall, type) => {
      const group = grouping.groupOf(reading({ hall, type }));
      assert.deepEqual(group.split("/").map(decodeURIComponent), [hall, type]);
      assert.deepEqual(grouping.tagsOf(reading({ hall, type })), { hall, type });
    });
    fc.assert(property, { seed: 1 });
  });

  it("refuses a reading that lacks a tag", () => {
    const reason = /^Error: the reading of R1 has no tag "constructor" to be grouped by$/;
    assert.throws(() => groupingBy(["constructor"]).groupOf(reading()), reason);
    assert.throws(() => groupingBy(["hall", "constructor"]).groupOf(reading({ hall: "3" })), reason);
    assert.throws(() => groupingBy(["hall"]).groupOf(reading({ hall: "" })), /has no tag "hall"/);
  });

  it("refuses names that are too long", () => {
    assert.throws(() => groupingBy(["hall"]).groupOf(reading({ hall: "x".repeat(257) })), /has 257 characters/);
  });

  it("refuses to group by nothing, and by devices and tags at once", () => {
    assert.throws(() => groupingBy([]), RangeError);
    assert.throws(() => groupingBy(["deviceId", "hall"]), RangeError);
  });
});
