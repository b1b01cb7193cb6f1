import assert from "node:assert/strict";
import { Journal, type JournalLine } from "../../core/journal.ts";
import type { Alarm } from "../../core/types.ts";

const NOW = Date.UTC(2026, 2, 1, 12);

function alarm(timestamp: number, more: Partial<Alarm> = {}): Alarm {
  const named = { alarmId: "P1/hot", deviceId: "P1", condition: "hot" };
  return { ...named, severity: "critical", state: "unacknowledged", change: "raised", timestamp, ...more };
}

function command(outcome: "sent" | "done", deviceId = "P1"): JournalLine {
  return { deviceId, command: "restart", commandId: "1", arguments: {}, outcome, sentAt: NOW, timestamp: NOW };
}

describe("Journal", () => {
  it("takes each line once, however often it comes", () => {
    const journal = new Journal(10);
    assert.equal(journal.push(alarm(NOW)), true);
    assert.equal(journal.push(alarm(NOW)), false);
    for (const line of [alarm(NOW + 1), alarm(NOW, { change: "returned" }), alarm(NOW, { alarmId: "P2/hot" })]) {
      assert.equal(journal.push(line), true);
    }
    assert.equal(journal.push(command("sent")), true);
    assert.equal(journal.push(command("done")), true);
    assert.equal(journal.push(command("done")), false);
    assert.equal(journal.count, 6);
  });

  it("takes an alarm that tells no change for no line", () => {
    const { change: _, ...standing } = alarm(NOW);
    assert.equal(new Journal(10).push(standing), false);
  });

  it("gives what has come since a position, in the order of its arrival", () => {
    const journal = new Journal(10);
    journal.push(alarm(NOW + 5));
    const position = journal.count;
    assert.deepEqual(journal.since(position), []);
    journal.push(alarm(NOW));
    assert.deepEqual(journal.since(position), [alarm(NOW)]);
    assert.deepEqual(journal.since(0), [alarm(NOW + 5), alarm(NOW)]);
  });

  it("keeps only so many, the latest, and gives all of them when more than that have come", () => {
    const journal = new Journal(3);
    for (let n = 0; n < 10; n++) journal.push(alarm(NOW + n));
    assert.equal(journal.count, 10);
    assert.deepEqual(journal.since(0), [alarm(NOW + 7), alarm(NOW + 8), alarm(NOW + 9)]);
    assert.deepEqual(journal.since(9), [alarm(NOW + 9)]);
  });

  it("takes the past before what it has, as far as there is room, and gives all of it anew", () => {
    const journal = new Journal(4);
    journal.push(alarm(NOW));
    journal.push(alarm(NOW + 1));
    const position = journal.count;
    journal.precede([alarm(NOW - 3), alarm(NOW - 2), alarm(NOW - 1), alarm(NOW)]);
    const lines = [alarm(NOW - 2), alarm(NOW - 1), alarm(NOW), alarm(NOW + 1)];
    assert.deepEqual(journal.since(0), lines);
    assert.deepEqual(journal.since(position), lines);
    const after = journal.count;
    journal.precede([alarm(NOW - 4)]);
    assert.deepEqual(journal.since(after), []);
  });

  it("gives the lines about a device", () => {
    const journal = new Journal(10);
    journal.push(alarm(NOW));
    journal.push(command("sent", "P2"));
    assert.deepEqual(journal.of("P2"), [command("sent", "P2")]);
    assert.deepEqual(journal.of("P3"), []);
  });
});
