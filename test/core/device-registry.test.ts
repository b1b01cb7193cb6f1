import assert from "node:assert/strict";
import fc from "fast-check";
import { DeviceRegistry, isMaintenance, MAX_IN_MAINTENANCE, MAX_LISTED } from "../../core/device-registry.ts";
import type { DeviceRecord, Maintenance } from "../../core/types.ts";

const NOW = Date.UTC(2026, 2, 1, 12);

function registryOf(records: DeviceRecord[], isStrict = false): DeviceRegistry {
  const registry = new DeviceRegistry(isStrict);
  registry.setList(records);
  return registry;
}

const ids = (registry: DeviceRegistry) => Array.from(registry.records(), ({ deviceId }) => deviceId);

describe("a device registry", () => {
  describe("with its list", () => {
    it("knows each device by its name, whatever that is", () => {
      const records = ["R1", "__proto__", "constructor", "a/b+c#", "Ä ß"].map((deviceId) => ({
        deviceId,
        name: `the ${deviceId}`,
      }));
      const registry = registryOf(records);
      for (const record of records) assert.equal(registry.get(record.deviceId), record);
      assert.equal(registry.get("toString"), undefined);
      assert.deepEqual([...registry.records()], records);
    });

    for (const [what, records, reason] of [
      ["a device twice", [{ deviceId: "R1" }, { deviceId: "R2" }, { deviceId: "R1" }], /"R1" is listed twice/],
      ["a device that hangs on itself", [{ deviceId: "R1", parent: "R1" }], /the parents of the device "R1" lead back/],
      [
        "parents in a loop",
        [
          { deviceId: "R1", parent: "G1" },
          { deviceId: "G1", parent: "G2" },
          { deviceId: "G2", parent: "G1" },
        ],
        /the parents of the device "G1" lead back to it/,
      ],
      ["a name too long for any reading", [{ deviceId: "R".repeat(257) }], /a name of more than 256 characters/],
      [
        "too many devices",
        Array.from({ length: MAX_LISTED + 1 }, (_, index) => ({ deviceId: `R${index}` })),
        /100001 devices are listed, at most 100000 are taken/,
      ],
    ] satisfies [string, DeviceRecord[], RegExp][]) {
      it(`refuses ${what}, and keeps the list before`, () => {
        const registry = registryOf([{ deviceId: "R0" }]);
        assert.throws(() => registry.setList(records), reason);
        assert.deepEqual(ids(registry), ["R0"]);
      });
    }

    it("refuses exactly the lists whose parents form a loop", () => {
      const name = fc.constantFrom<string[]>("A", "B", "C", "D", "E");
      const lists = fc.uniqueArray(fc.record({ deviceId: name, parent: fc.option(name, { nil: undefined }) }), {
        selector: ({ deviceId }) => deviceId,
      });
      fc.assert(
        fc.property(lists, (list) => {
          const records = list.map(({ deviceId, parent }) =>
            parent === undefined ? { deviceId } : { deviceId, parent },
          );
          const parentOf = new Map(list.map(({ deviceId, parent }) => [deviceId, parent]));
          // Whoever has more ancestors than there are devices meets one of them again.
          const hasLoop = list.some(({ deviceId }) => {
            let id: string | undefined = deviceId;
            for (let step = 0; step <= list.length; step++) id = id === undefined ? undefined : parentOf.get(id);
            return id !== undefined;
          });
          if (hasLoop) assert.throws(() => registryOf(records), /lead back to it/);
          else registryOf(records);
        }),
      );
    });

    it("takes long chains of parents", () => {
      const chain = Array.from({ length: 20_000 }, (_, index) => ({ deviceId: `${index}`, parent: `${index + 1}` }));
      const registry = registryOf(chain);
      registry.maintain({ deviceId: "20000", seconds: 1 }, NOW);
      assert.ok(registry.maintenance("0", NOW));
    });
  });

  describe("with maintenances", () => {
    it("has a device in maintenance from the command until its time is over", () => {
      const registry = registryOf([]);
      registry.maintain({ deviceId: "R1", seconds: 60, by: "Ada", reason: "new bearing" }, NOW);
      const maintenance = { since: NOW, until: NOW + 60_000, by: "Ada", reason: "new bearing" };
      assert.deepEqual(registry.maintenance("R1", NOW), maintenance);
      assert.deepEqual(registry.maintenance("R1", NOW + 59_999), maintenance);
      assert.equal(registry.maintenance("R1", NOW + 60_000), undefined);
      assert.equal(registry.maintenance("R2", NOW), undefined);
    });

    it("ends one at 0 seconds", () => {
      const registry = registryOf([]);
      registry.maintain({ deviceId: "R1", seconds: 60 }, NOW);
      registry.maintain({ deviceId: "R1", seconds: 0 }, NOW + 1);
      assert.equal(registry.maintenance("R1", NOW + 1), undefined);
      assert.throws(
        () => registry.maintain({ deviceId: "R1", seconds: 0 }, NOW + 2),
        /"R1" itself is not in maintenance/,
      );
    });

    it("prolongs or shortens one that has begun", () => {
      const registry = registryOf([]);
      registry.maintain({ deviceId: "R1", seconds: 60, by: "Ada" }, NOW);
      registry.maintain({ deviceId: "R1", seconds: 600, by: "Bob" }, NOW + 1000);
      assert.deepEqual(registry.maintenance("R1", NOW + 2000), { since: NOW, until: NOW + 601_000, by: "Bob" });
      registry.maintain({ deviceId: "R1", seconds: 1 }, NOW + 2000);
      assert.equal(registry.maintenance("R1", NOW + 3000), undefined);
      registry.maintain({ deviceId: "R1", seconds: 1 }, NOW + 5000);
      assert.equal(registry.maintenance("R1", NOW + 5000)?.since, NOW + 5000);
    });

    it("has a device in maintenance with the one that it hangs on, listed or not, its own going first", () => {
      const registry = registryOf([
        { deviceId: "R1", parent: "G1" },
        { deviceId: "G1", parent: "hall 3" },
        { deviceId: "R2" },
      ]);
      registry.maintain({ deviceId: "hall 3", seconds: 60, reason: "painting" }, NOW);
      assert.equal(registry.maintenance("R1", NOW)?.reason, "painting");
      assert.equal(registry.maintenance("G1", NOW)?.reason, "painting");
      assert.equal(registry.maintenance("R2", NOW), undefined);
      registry.maintain({ deviceId: "R1", seconds: 10, reason: "new bearing" }, NOW);
      assert.equal(registry.maintenance("R1", NOW)?.reason, "new bearing");
      assert.equal(registry.maintenance("R1", NOW + 10_000)?.reason, "painting");
      assert.throws(() => registry.maintain({ deviceId: "G1", seconds: 0 }, NOW), /"G1" itself is not in maintenance/);
    });

    it("forgets what is over, and says so once", () => {
      const registry = registryOf([]);
      registry.maintain({ deviceId: "R1", seconds: 10 }, NOW);
      registry.maintain({ deviceId: "R2", seconds: 20 }, NOW);
      assert.equal(registry.expire(NOW + 9999), false);
      assert.equal(registry.expire(NOW + 10_000), true);
      assert.equal(registry.expire(NOW + 10_000), false);
      assert.deepEqual(
        registry.toJSON().map(([deviceId]) => deviceId),
        ["R2"],
      );
    });

    it("keeps them when the list is replaced", () => {
      const registry = registryOf([{ deviceId: "R1" }], true);
      registry.maintain({ deviceId: "R1", seconds: 10 }, NOW);
      registry.setList([]);
      assert.ok(registry.maintenance("R1", NOW));
      registry.maintain({ deviceId: "R1", seconds: 0 }, NOW);
    });

    for (const [what, args, reason] of [
      ["nothing", undefined, /deviceId is undefined, it must be the name of a device/],
      ["no device", { seconds: 5 }, /deviceId is undefined/],
      ["an empty name", { deviceId: "", seconds: 5 }, /deviceId is "", it must/],
      ["a device that is no text", { deviceId: 5, seconds: 5 }, /deviceId is 5, it must/],
      ["no time", { deviceId: "R1" }, /seconds is undefined, it must be a number from 0, which ends it, to 31622400/],
      ["time as text", { deviceId: "R1", seconds: "60" }, /seconds is "60", it must/],
      ["a negative time", { deviceId: "R1", seconds: -1 }, /seconds is -1/],
      ["no number", { deviceId: "R1", seconds: Number.NaN }, /seconds is NaN/],
      ["more than a year", { deviceId: "R1", seconds: 31_622_401 }, /seconds is 31622401/],
      ["a person that is no text", { deviceId: "R1", seconds: 5, by: {} }, /by is an object, it must be text/],
      [
        "an endless reason",
        { deviceId: "R1", seconds: 5, reason: "x".repeat(1001) },
        /reason is "x+…", it must be text/,
      ],
    ] satisfies [string, unknown, RegExp][]) {
      it(`refuses ${what}, with nothing changed`, () => {
        const registry = registryOf([]);
        registry.maintain({ deviceId: "R1", seconds: 60 }, NOW);
        const before = JSON.stringify(registry);
        assert.throws(() => registry.maintain(args, NOW), reason);
        assert.equal(JSON.stringify(registry), before);
      });
    }

    it("refuses devices that are not listed if it is strict", () => {
      const registry = registryOf([{ deviceId: "R1" }], true);
      registry.maintain({ deviceId: "R1", seconds: 5 }, NOW);
      const args = { deviceId: "R2", seconds: 5 };
      assert.throws(() => registry.maintain(args, NOW), /the device "R2" is not in the device registry/);
    });

    it("takes no more than it has room for, and has room again when some are over", () => {
      const registry = registryOf([]);
      for (let index = 0; index < MAX_IN_MAINTENANCE; index++) {
        registry.maintain({ deviceId: `R${index}`, seconds: index === 0 ? 5 : 60 }, NOW);
      }
      const more = { deviceId: "more", seconds: 60 };
      assert.throws(() => registry.maintain(more, NOW), /10000 devices are in maintenance already/);
      registry.maintain({ deviceId: "R1", seconds: 90 }, NOW);
      registry.expire(NOW + 5000);
      registry.maintain(more, NOW + 5000);
      assert.ok(registry.maintenance("more", NOW + 5000));
    });
  });

  describe("saved as JSON", () => {
    it("has the same devices in maintenance again", () => {
      const registry = registryOf([]);
      registry.maintain({ deviceId: "__proto__", seconds: 60, by: "Ada", reason: "new bearing" }, NOW);
      registry.maintain({ deviceId: "R2", seconds: 5 }, NOW);
      const copy = DeviceRegistry.from(true, JSON.parse(JSON.stringify(registry)));
      assert.deepEqual(copy.toJSON(), registry.toJSON());
      assert.deepEqual(copy.maintenance("__proto__", NOW), registry.maintenance("__proto__", NOW));
      assert.ok(copy.isStrict);
    });

    for (const state of [null, {}, [["R1"]], [["R1", { since: 1 }]], [[1, { since: 1, until: 2 }]]]) {
      it(`refuses ${JSON.stringify(state)}`, () => {
        assert.throws(() => DeviceRegistry.from(false, state), TypeError);
      });
    }
  });
});

describe("a maintenance", () => {
  it("is an object with two times, and texts at most", () => {
    const maintenance: Maintenance = { since: NOW, until: NOW + 1 };
    assert.ok(isMaintenance(maintenance));
    assert.ok(isMaintenance({ ...maintenance, by: "Ada", reason: "new bearing" }));
    for (const other of [undefined, null, true, "yes", [], {}, { since: NOW }, { ...maintenance, by: 5 }]) {
      assert.ok(!isMaintenance(other), JSON.stringify(other));
    }
  });
});
