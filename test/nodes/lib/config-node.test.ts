import assert from "node:assert/strict";
import { mock } from "node:test";
import { configNode } from "../../../nodes/lib/config-node.ts";
import { integer, reference, SettingError, secret, text } from "../../../nodes/lib/options.ts";
import { define } from "../../../nodes/lib/runtime.ts";
import { type FlowOptions, startNode, type TestNode } from "../../support/test-flow.ts";

interface Well {
  draw(): string;
}

const variable = (name: string) => `\${${name}}`;

describe("a configuration node", () => {
  let node: TestNode | undefined;
  let report: ((problem: string | undefined) => void) | undefined;
  let closed = 0;

  /** A configuration node that gives water, unless it is poisoned. */
  const well = configNode("well", { depth: integer(5, { min: 1 }), key: secret() }, (host) => {
    report = host.report;
    if (host.settings.key === "poison") throw new SettingError("the well is poisoned");
    return {
      value: { draw: () => `water from ${host.settings.depth} m` },
      async close() {
        await Promise.resolve();
        closed++;
      },
    };
  });

  const bucket = define("bucket", { name: text(""), well: reference("well") }, (host) => {
    const source = host.config<Well>("well");
    return {
      receive: (_message, send) => send({ payload: source?.draw() ?? "air" }),
      status: () => ({ fill: "green", shape: "dot", text: "fine" }),
    };
  });

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    closed = 0;
  });
  afterEach(async () => {
    await node?.stop();
    node = undefined;
    mock.timers.reset();
  });

  /** Starts a bucket on a well of these properties. */
  async function startBucket(properties: object, options: FlowOptions = {}): Promise<TestNode> {
    node = await startNode(
      bucket,
      { type: "bucket", well: "w" },
      { ...options, definitions: [well], configs: [{ id: "w", type: "well", ...properties }] },
    );
    return node;
  }

  function assertRedRing({ statuses, send, output }: TestNode, text: string): void {
    assert.deepEqual(statuses(), [{ fill: "red", shape: "ring", text }]);
    send({});
    assert.deepEqual(output(1), []);
  }

  it("gives the nodes that use it what it has opened", async () => {
    const { send, output, statuses } = await startBucket({ depth: "30" });
    send({});
    assert.equal(output(1)[0]?.payload, "water from 30 m");
    assert.deepEqual(statuses(), [{ fill: "green", shape: "dot", text: "fine" }]);
  });

  it("need not be there if the reference is empty", async () => {
    node = await startNode(bucket, { type: "bucket", well: "" }, { definitions: [well] });
    node.send({});
    assert.equal(node.output(1)[0]?.payload, "air");
  });

  it("shows as a red ring on its users when it is missing", async () => {
    node = await startNode(bucket, { type: "bucket", well: "none" }, { definitions: [well] });
    assertRedRing(node, "well: the configuration node is missing or disabled");
  });

  it("shows as a red ring on its users when it is disabled", async () => {
    assertRedRing(await startBucket({ d: true }), "well: the configuration node is missing or disabled");
  });

  it("shows as a red ring on its users when the node is of another kind", async () => {
    node = await startNode(
      bucket,
      { type: "bucket", well: "h" },
      { definitions: [well], configs: [{ id: "h", type: "helper" }] },
    );
    assertRedRing(node, "well: the configuration node is missing or disabled");
  });

  it("shows what is wrong with its settings on its users, and logs it", async () => {
    const bucket = await startBucket({ depth: 0 });
    assertRedRing(bucket, "well: depth: must be a whole number from 1 up");
    assert.deepEqual(bucket.logged(), [
      "depth: must be a whole number from 1 up",
      "well: depth: must be a whole number from 1 up",
    ]);
  });

  it("shows why it could not be opened on its users", async () => {
    const bucket = await startBucket({}, { credentials: { w: { key: "poison" } } });
    assertRedRing(bucket, "well: the well is poisoned");
  });

  it("takes environment variables", async () => {
    process.env.DEVICE_ANALYTICS_TEST = "12";
    try {
      const { send, output } = await startBucket({ depth: variable("DEVICE_ANALYTICS_TEST") });
      send({});
      assert.equal(output(1)[0]?.payload, "water from 12 m");
    } finally {
      delete process.env.DEVICE_ANALYTICS_TEST;
    }
  });

  it("shows a later problem on its users until it is over, while they go on", async () => {
    const { send, output, statuses } = await startBucket({});
    mock.timers.tick(1000);
    report?.("the well is dry");
    report?.("the well is dry");
    mock.timers.tick(1000);
    assert.deepEqual(statuses().slice(1), [{ fill: "red", shape: "ring", text: "the well is dry" }]);
    send({});
    assert.equal(output(1).length, 1);
    report?.(undefined);
    mock.timers.tick(1000);
    assert.deepEqual(statuses().at(-1), { fill: "green", shape: "dot", text: "fine" });
  });

  it("closes what it has opened, and shows nothing on users that are gone", async () => {
    const { statuses, stop } = await startBucket({});
    await stop();
    node = undefined;
    assert.equal(closed, 1);
    report?.("too late");
    mock.timers.tick(5000);
    assert.equal(statuses().length, 1);
  });
});
