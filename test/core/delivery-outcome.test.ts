import assert from "node:assert/strict";
import { outcomeOf } from "../../core/delivery-outcome.ts";

const NOW = Date.UTC(2026, 2, 1, 12);

const result = (statusCode: unknown, headers?: object) => outcomeOf({ statusCode, headers }, NOW);

describe("the outcome of an attempt", () => {
  it("is a delivery for a status of 200 to 299, and for a message without status and error", () => {
    for (const status of [200, 202, 204, 299, "200"]) assert.deepEqual(result(status), { result: "delivered" });
    assert.deepEqual(outcomeOf({}, NOW), { result: "delivered" });
    assert.deepEqual(outcomeOf({ error: null, statusCode: null }, NOW), { result: "delivered" });
  });

  it("is a failure for a status that may be another one next time", () => {
    for (const status of [408, 425, 429, 500, 502, 503, 504, 599]) {
      assert.deepEqual(result(status), { result: "failed", reason: `answered with status ${status}` });
    }
  });

  it("is a failure for a network error in place of a status", () => {
    assert.deepEqual(result("ECONNREFUSED"), { result: "failed", reason: "ECONNREFUSED" });
  });

  it("is a failure for an error, whatever else the message holds", () => {
    const error = { message: "no response", source: { id: "x" } };
    assert.deepEqual(outcomeOf({ error, statusCode: 200 }, NOW), { result: "failed", reason: "no response" });
    assert.deepEqual(outcomeOf({ error: "broken" }, NOW), { result: "failed", reason: "broken" });
  });

  it("is a refusal for any other status", () => {
    for (const status of [100, 302, 304, 400, 401, 403, 404, 410, 422]) {
      assert.deepEqual(result(status), { result: "refused", reason: `answered with status ${status}` });
    }
  });

  it("tells how long to wait, by seconds or by a date", () => {
    const seconds = (value: unknown) => {
      const outcome = result(429, { "retry-after": value });
      return outcome.result === "failed" ? outcome.retryAfterSeconds : assert.fail();
    };
    assert.equal(seconds("120"), 120);
    assert.equal(seconds(" 0 "), 0);
    assert.equal(seconds("Sun, 01 Mar 2026 12:01:30 GMT"), 90);
    assert.equal(seconds("Sun, 01 Mar 2026 11:00:00 GMT"), 0);
    for (const nonsense of ["", "soon", 12, null, {}]) assert.equal(seconds(nonsense), undefined);
  });
});
