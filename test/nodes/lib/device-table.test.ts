import assert from "node:assert/strict";
import { DeviceTable } from "../../../nodes/lib/device-table.ts";

const HOUR = 3_600_000;

/** A table of strings that tells what it forgets. */
function newTable(maxDevices: number, forgetAfterHours = 24) {
  const forgotten: string[] = [];
  const table = new DeviceTable<string>({ maxDevices, forgetAfterHours }, ({ deviceId }) => forgotten.push(deviceId));
  return { table, forgotten };
}

describe("DeviceTable", () => {
  it("keeps one entry a device, whatever its name", () => {
    const { table } = newTable(10);
    for (const name of ["R1", "__proto__", "constructor", "a/b+c#"]) {
      assert.equal(table.get(name), undefined);
      table.add(name, `state of ${name}`, 0);
    }
    assert.equal(table.size, 4);
    assert.equal(table.get("__proto__")?.state, "state of __proto__");
    assert.deepEqual(
      [...table.values()].map(({ deviceId }) => deviceId),
      ["R1", "__proto__", "constructor", "a/b+c#"],
    );
  });

  it("deletes a device", () => {
    const { table } = newTable(10);
    table.add("R1", "", 0);
    assert.equal(table.delete("R1"), true);
    assert.equal(table.delete("R1"), false);
    assert.equal(table.size, 0);
  });

  it("refuses a new device when it is full of active ones, and leaves those alone", () => {
    const { table, forgotten } = newTable(50);
    for (let i = 1; i <= 50; i++) table.add(`R${i}`, `state ${i}`, i);
    assert.throws(() => table.add("R51", "", 24 * HOUR - 1), {
      message:
        "R51 is refused: there are 50 devices already, and all of them are active. Raise maxDevices, or lower forgetAfterHours.",
    });
    assert.equal(table.size, 50);
    assert.equal(table.get("R51"), undefined);
    for (let i = 1; i <= 50; i++) assert.equal(table.get(`R${i}`)?.state, `state ${i}`);
    assert.deepEqual(forgotten, []);
  });

  it("forgets idle devices when it needs their room, and not before", () => {
    const { table, forgotten } = newTable(3, 1);
    table.add("idle", "", 0);
    table.add("idle too", "", 1);
    table.add("active", "", HOUR);
    assert.throws(() => table.add("new", "", HOUR - 1), RangeError);
    table.add("new", "", HOUR + 1);
    assert.deepEqual(forgotten, ["idle", "idle too"]);
    table.add("newer", "", 10 * HOUR);
    assert.equal(table.size, 3, "an idle device stays while there is room");
  });

  it("counts a device's silence from when it was last seen", () => {
    const { table, forgotten } = newTable(2, 1);
    const entry = table.add("R1", "", 0);
    table.add("R2", "", 0);
    entry.lastSeen = HOUR;
    table.add("R3", "", HOUR);
    assert.deepEqual(forgotten, ["R2"]);
  });

  it("does not search all devices again for each one that it refuses", () => {
    const { table } = newTable(1000, 1);
    for (let i = 0; i < 1000; i++) table.add(`R${i}`, "", 0);
    let searched = 0;
    for (const entry of table.values()) {
      Object.defineProperty(entry, "lastSeen", {
        get() {
          searched++;
          return 0;
        },
      });
    }
    for (let time = 0; time < 100; time++) assert.throws(() => table.add("new", "", time), RangeError);
    assert.ok(searched <= 3000, `${searched} entries looked at`);
  });
});
