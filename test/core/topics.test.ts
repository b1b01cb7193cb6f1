import assert from "node:assert/strict";
import fc from "fast-check";
import { deviceInTopic, sparkplugStatus, toLevel } from "../../core/topics.ts";

describe("toLevel", () => {
  it("encodes what has a meaning in topics", () => {
    assert.equal(toLevel("a/b+c#"), "a%2Fb%2Bc%23");
    assert.equal(toLevel("press 7 (hall 3)"), "press%207%20(hall%203)");
    assert.equal(toLevel("$SYS"), "%24SYS");
    assert.equal(toLevel("100%"), "100%25");
  });

  it("makes one level of any name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        const level = toLevel(name);
        return !/[/+#\s\0]/.test(level) && deviceInTopic("plant/+")(`plant/${level}`) === (name || undefined);
      }),
      { seed: 1 },
    );
  });

  it("replaces half a surrogate pair, which has no encoding", () => {
    assert.equal(toLevel("pump \ud83d"), "pump%20%EF%BF%BD");
    assert.equal(toLevel("pump 😀"), "pump%20%F0%9F%98%80");
  });
});

describe("deviceInTopic", () => {
  it("finds the device where the first + stands", () => {
    const deviceIn = deviceInTopic("plant/+/telemetry");
    assert.equal(deviceIn("plant/R1/telemetry"), "R1");
    assert.equal(deviceIn("plant/a%2Fb%2Bc%23/telemetry"), "a/b+c#");
    assert.equal(deviceIn("plant/constructor/telemetry"), "constructor");
    assert.equal(deviceInTopic("+")("R1"), "R1");
    assert.equal(deviceInTopic("/+")("/R1"), "R1");
  });

  it("takes further ones for any level, and a last # for any levels", () => {
    assert.equal(deviceInTopic("+/+/telemetry")("R1/hall/telemetry"), "R1");
    const deviceIn = deviceInTopic("plant/+/#");
    assert.equal(deviceIn("plant/R1"), "R1");
    assert.equal(deviceIn("plant/R1/a/b"), "R1");
    assert.equal(deviceIn("plant"), undefined);
  });

  it("gives nothing for a topic that does not fit", () => {
    const deviceIn = deviceInTopic("plant/+/telemetry");
    for (const topic of ["", "plant", "plant/R1", "plant/R1/status", "plant/R1/telemetry/x", "other/R1/telemetry"]) {
      assert.equal(deviceIn(topic), undefined, topic);
    }
    assert.equal(deviceIn("plant//telemetry"), undefined, "an empty level names no device");
  });

  it("takes a name as it is when it is not encoded", () => {
    assert.equal(deviceInTopic("plant/+")("plant/100%"), "100%");
    assert.equal(deviceInTopic("plant/+")("plant/%E0%A4%A"), "%E0%A4%A");
  });
});

describe("sparkplugStatus", () => {
  it("tells births and deaths of edge nodes and devices", () => {
    const status = (topic: unknown) => sparkplugStatus(topic, 5);
    assert.deepEqual(status("spBv1.0/plant/NDEATH/gateway"), { deviceId: "gateway", status: "offline", timestamp: 5 });
    assert.deepEqual(status("spBv1.0/plant/NBIRTH/gateway"), { deviceId: "gateway", status: "online", timestamp: 5 });
    assert.deepEqual(status("spBv1.0/plant/DDEATH/gateway/R 1"), { deviceId: "R 1", status: "offline", timestamp: 5 });
    assert.deepEqual(status("spBv1.0/plant/DBIRTH/gateway/R1"), { deviceId: "R1", status: "online", timestamp: 5 });
  });

  it("tells nothing by any other topic", () => {
    const topics = [
      "NDATA/gateway",
      "DDATA/gateway/R1",
      "DDEATH/gateway",
      "NDEATH/gateway/R1",
      "NDEATH/",
      "NDEATH/a/b/c",
    ];
    for (const topic of [...topics.map((end) => `spBv1.0/plant/${end}`), "NDEATH/gateway", "", undefined, 5]) {
      assert.equal(sparkplugStatus(topic, 5), undefined, `${topic}`);
    }
  });
});
