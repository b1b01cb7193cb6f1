import assert from "node:assert/strict";
import { isAlarm, isCommandLine, isStatusEvent, isWindowResult } from "../../core/events.ts";
import { alarmInTopic } from "../../core/topics.ts";

const STATUS = { deviceId: "R1", status: "offline", lastSeen: 1, silentSeconds: 15, timestamp: 2 };
const ALARM = { alarmId: "R1/hot", deviceId: "R1", condition: "hot", severity: "critical", state: "latched", count: 3 };

describe("a status event", () => {
  for (const [name, value] of Object.entries({
    "a whole one": STATUS,
    "one of a device that was never seen": { ...STATUS, lastSeen: null },
    "one that is written by hand": { deviceId: "R1", status: "online" },
    "one with more text": { ...STATUS, status: "unknown", reason: "no connection" },
  })) {
    it(`is ${name}`, () => assert.equal(isStatusEvent(value), true));
  }

  for (const [name, value] of Object.entries({
    "a reading": { deviceId: "R1", timestamp: 2, metrics: { status: 1 } },
    "a reading that tells its status": { deviceId: "R1", status: "online", temperature: 61 },
    "a nested reading that tells its status": { deviceId: "R1", status: "online", metrics: { temperature: 61 } },
    "one with another status": { ...STATUS, status: "asleep" },
    "one without a device": { ...STATUS, deviceId: "" },
    "one whose device is no text": { ...STATUS, deviceId: 5 },
    "one with an endless device": { ...STATUS, deviceId: "x".repeat(257) },
    "an alarm": ALARM,
    "an array": [STATUS],
    text: "offline",
    nothing: null,
  })) {
    it(`is not ${name}`, () => assert.equal(isStatusEvent(value), false));
  }
});

describe("an alarm", () => {
  it("is one in any state and of any severity", () => {
    for (const state of ["normal", "unacknowledged", "acknowledged", "returned-unacknowledged", "latched"]) {
      for (const severity of ["info", "warning", "critical"])
        assert.equal(isAlarm({ ...ALARM, state, severity }), true);
    }
  });

  for (const [name, value] of Object.entries({
    "one in another state": { ...ALARM, state: "loud" },
    "one of another severity": { ...ALARM, severity: "fatal" },
    "one without a name": { ...ALARM, alarmId: undefined },
    "one without a device": { ...ALARM, deviceId: undefined },
    "one with an endless condition": { ...ALARM, condition: "x".repeat(257) },
    "a status event": STATUS,
    "an array": [ALARM],
    nothing: null,
  })) {
    it(`is not ${name}`, () => assert.equal(isAlarm(value), false));
  }
});

describe("the topic of an alarm", () => {
  it("names its device and condition, encoded or not", () => {
    for (const prefix of ["plant", "site 4/plant", ""]) {
      assert.deepEqual(alarmInTopic(`${prefix}/alarms/a%2Fb/hot%20oil`), { deviceId: "a/b", condition: "hot oil" });
    }
    assert.deepEqual(alarmInTopic("alarms/R1/50%"), { deviceId: "R1", condition: "50%" });
  });

  it("is no other topic", () => {
    for (const topic of [
      "plant/status/R1",
      "plant/alarms/R1",
      "alarms//hot",
      "alarms/R1/",
      "x/alarms/R1/hot/y",
      "",
      undefined,
    ]) {
      assert.equal(alarmInTopic(topic), undefined, String(topic));
    }
  });
});

describe("a line about a command", () => {
  const line = { deviceId: "P1", command: "restart", commandId: "1", outcome: "sent", timestamp: 1 };

  it("says which command of which device, what became of it, and when", () => {
    assert.equal(isCommandLine(line), true);
    for (const name of Object.keys(line)) assert.equal(isCommandLine({ ...line, [name]: undefined }), false);
    for (const value of [STATUS, ALARM, null, "restart", [line]]) assert.equal(isCommandLine(value), false);
  });
});

describe("a result of a window", () => {
  const RESULT = { group: "hall 3", windowStart: 1, windowEnd: 2, metrics: { temperature: { mean: 61 } } };

  it("has a group, a beginning, an end and metrics", () => {
    assert.equal(isWindowResult(RESULT), true);
    for (const name of Object.keys(RESULT)) assert.equal(isWindowResult({ ...RESULT, [name]: undefined }), false);
    for (const value of [STATUS, ALARM, null, "hall 3", [RESULT]]) assert.equal(isWindowResult(value), false);
  });
});
