import assert from "node:assert/strict";
import { mock } from "node:test";
import liveSeries from "../../nodes/live-series/live-series.ts";
import { startNode, type TestNode } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);

interface Part {
  id: string;
  data: { time?: number[]; append?: { time: number[] } };
}

interface Shown {
  deviceId?: string;
  isKnown: boolean;
  devices?: string[];
  shown: string[];
  charts: Part[];
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
      { deviceId: "P9", isKnown: true, devices: ["P9", "P10"], shown: ["level"] },
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
    assert.deepEqual(last("a").devices, ["P7"]);
    assert.equal(last("a").charts.length, 1);
    measure("P8");
    pass();
    assert.deepEqual(last("a").devices, ["P7", "P8"]);
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
