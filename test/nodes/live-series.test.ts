import assert from "node:assert/strict";
import { mock } from "node:test";
import { configNode } from "../../nodes/lib/config-node.ts";
import liveSeries from "../../nodes/live-series/live-series.ts";
import { startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);

interface Part {
  id: string;
  data: { time?: number[]; series?: { name: string }[]; append?: { time: number[] } };
}

interface Shown {
  deviceId?: string;
  isKnown: boolean;
  devices?: object[];
  device?: object;
  shown: string[];
  charts: Part[];
}

/** A registry with this list. */
function registryOf(list: { deviceId: string; name?: string; location?: string }[]) {
  const maintenances = new Map<string, object>();
  const registry = {
    get: (deviceId: string) => list.find((each) => each.deviceId === deviceId),
    records: () => list,
    maintenance: (deviceId: string) => maintenances.get(deviceId),
    watch: () => () => {},
  };
  return { maintenances, node: configNode("device-registry", {}, () => ({ value: registry })) };
}

describe("live-series", () => {
  let node: TestNode;

  beforeEach(async () => {
    mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: START });
    node = await startNode(liveSeries, { type: "live-series", charts: 2 }, { outputs: 1 });
  });

  afterEach(async () => {
    await node.stop();
    mock.timers.reset();
  });

  const measure = (deviceId: string, metrics: object = { level: 1 }) =>
    node.send({ payload: { deviceId, timestamp: Date.now(), metrics } });
  const watch = (socketid: string, payload: object = {}) => node.send({ command: "watch", socketid, payload });
  const pass = (seconds = 1) => mock.timers.tick(1000 * seconds);
  const sentTo = (socketid: string) =>
    node
      .output(1)
      .filter((message) => message.socketid === socketid)
      .map(({ payload }) => payload as Shown);
  const last = (socketid: string) => sentTo(socketid).at(-1) as Shown;

  it("answers a page at once, with all that it chose and all that it may choose", () => {
    measure("P10");
    measure("P9", { flow: 2, level: 3, battery: 4 });
    watch("a", { deviceId: "P9", metrics: ["level"] });
    const { deviceId, isKnown, devices, shown, charts } = last("a");
    assert.deepEqual(
      { deviceId, isKnown, devices, shown },
      { deviceId: "P9", isKnown: true, devices: [{ deviceId: "P9" }, { deviceId: "P10" }], shown: ["level"] },
    );
    assert.deepEqual(
      charts.map(({ id, data }) => [id, data.time]),
      [["metric level", [START]]],
    );
  });

  it("chooses the first device and the preferred metrics for a page that has not chosen", () => {
    measure("P7", { flow: 2, level: 3, battery: 4 });
    watch("a");
    assert.equal(last("a").deviceId, "P7");
    assert.deepEqual(last("a").shown, ["battery", "flow"]);
  });

  it("stays with the device that it has chosen for a page, also when another one stands before it", () => {
    measure("P7");
    watch("a");
    measure("P1");
    pass();
    assert.deepEqual(last("a").devices, [{ deviceId: "P1" }, { deviceId: "P7" }]);
    assert.equal(last("a").deviceId, "P7");
  });

  it("sends each page what has come to its device, once a second at most", () => {
    measure("P7");
    measure("P8");
    watch("a", { deviceId: "P7" });
    watch("b", { deviceId: "P8" });
    pass(1);
    assert.deepEqual([sentTo("a").length, sentTo("b").length], [1, 1]);
    for (let n = 0; n < 5; n++) {
      mock.timers.tick(100);
      measure("P7");
    }
    pass(1);
    assert.equal(last("a").charts[0]?.data.append?.time.length, 5);
    assert.deepEqual([sentTo("a").length, sentTo("b").length], [2, 1]);
  });

  it("sends all again when there is more to choose from", () => {
    watch("a");
    assert.deepEqual(last("a").devices, []);
    measure("P7");
    pass();
    assert.deepEqual(last("a").devices, [{ deviceId: "P7" }]);
    assert.equal(last("a").charts.length, 1);
    measure("P8");
    pass();
    assert.deepEqual(last("a").devices, [{ deviceId: "P7" }, { deviceId: "P8" }]);
    assert.equal(last("a").deviceId, "P7");
  });

  it("says of a device that was not heard of that it isn't known, and shows it when it comes", () => {
    measure("P7");
    watch("a", { deviceId: "P9" });
    assert.deepEqual([last("a").deviceId, last("a").isKnown, last("a").charts], ["P9", false, []]);
    measure("P9");
    pass();
    assert.deepEqual([last("a").deviceId, last("a").isKnown, last("a").charts.length], ["P9", true, 1]);
  });

  it("takes a page for gone that says nothing for half a minute, or that leaves", () => {
    measure("P7");
    for (const page of ["silent", "leaving", "faithful"]) watch(page);
    node.send({ command: "leave", socketid: "leaving" });
    pass(20);
    watch("faithful", { renew: true });
    pass(15);
    measure("P7");
    pass();
    assert.deepEqual(
      ["silent", "leaving", "faithful"].map((page) => sentTo(page).length),
      [1, 1, 2],
    );
  });

  it("sends all again to a page that renews a choice which is not known any more", () => {
    measure("P7");
    watch("a", { deviceId: "P7", renew: true });
    assert.equal(last("a").charts.length, 1);
  });

  it("sends all again when other limits are given, and draws those that are lines", () => {
    measure("P7");
    watch("a");
    const rules = [
      { flag: "full", metric: "level", comparison: ">", penalty: 30, limit: 12 },
      { flag: "burst", metric: "level", comparison: "drop by >", penalty: 20, limit: 5 },
    ];
    const give = (deviceId: string | undefined) =>
      node.send({ command: "limits", payload: { deviceId, limits: rules } });
    give("P7");
    pass();
    const roles = () => last("a").charts[0]?.data.series?.map(({ name }) => name);
    assert.deepEqual(roles()?.slice(-2), ["anomalies", "full"]);
    give("P7");
    give("P9");
    pass();
    assert.equal(sentTo("a").length, 2);
    give(undefined);
    pass();
    assert.equal(sentTo("a").length, 3);
    node.send({ command: "limits", payload: { deviceId: "P7" } });
    assert.equal(node.caught().length, 1);
  });

  it("tells names, and what there is to say of the device that is shown, when that changes", async () => {
    await node.stop();
    const { maintenances, node: registry } = registryOf([
      { deviceId: "P7", name: "Pump", location: "hall 3" },
      { deviceId: "P1", name: "Spare pump" },
    ]);
    node = await startNode(
      liveSeries,
      { type: "live-series", registry: "list" },
      { outputs: 1, definitions: [registry], configs: [{ id: "list", type: "device-registry" }] },
    );
    measure("P7");
    watch("a");
    const spare = { deviceId: "P1", name: "Spare pump" };
    assert.deepEqual(last("a").devices, [spare, { deviceId: "P7", name: "Pump" }]);
    const pump = { deviceId: "P7", name: "Pump", location: "hall 3" };
    assert.deepEqual([last("a").deviceId, last("a").device], ["P7", pump]);
    pass();
    assert.equal(sentTo("a").length, 1);
    node.send({ payload: { deviceId: "P7", timestamp: Date.now() + 1, metrics: { level: -999 }, quality: "bad" } });
    pass();
    assert.deepEqual([last("a").device, last("a").charts], [{ ...pump, quality: "bad" }, []]);
    measure("P7");
    maintenances.set("P7", { since: START, until: START + 60_000 });
    pass();
    assert.deepEqual(last("a").device, { ...pump, maintenance: { since: START, until: START + 60_000 } });
    watch("a", { deviceId: "P1" });
    assert.deepEqual([last("a").isKnown, last("a").device], [false, { ...spare, isUnheard: true }]);
    measure("P9");
    watch("a", { deviceId: "P9" });
    assert.deepEqual(last("a").device, { deviceId: "P9", isUnlisted: true });
  });

  it("forgets all devices on reset", () => {
    measure("P7");
    watch("a");
    node.send({ command: "reset" });
    pass();
    assert.deepEqual(last("a").devices, []);
  });

  it("refuses what is no reading and what is no choice without harm", () => {
    node.send({ payload: "nonsense" });
    assert.equal(node.caught().length, 1);
    watch("a", { deviceId: 7, metrics: "all" });
    assert.deepEqual(last("a").devices, []);
  });
});
