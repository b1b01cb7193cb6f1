import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FlowFiles, type FlowNode, formatFlow } from "../../app/flow-files.ts";
import { FlowOverlay } from "../../app/flow-overlay.ts";
import { newFolder } from "../support/folders.ts";
import { changed, newTab, nodeOf, shippedFiles, withoutTab } from "./flows.ts";

describe("flow overlay", () => {
  let shipped: string;
  let user: string;
  let notices: string[];
  let flows: FlowOverlay;

  beforeEach(() => {
    shipped = newFolder();
    user = join(newFolder(), "flows");
    restart(shippedFiles());
  });

  /** Ships these files from now on, as an upgrade does, and starts again. */
  function restart(files: FlowFiles): void {
    for (const name of readdirSync(shipped)) rmSync(join(shipped, name));
    for (const [name, nodes] of files) writeFileSync(join(shipped, `${name}.json`), formatFlow(nodes));
    notices = [];
    flows = new FlowOverlay(shipped, user, (text) => notices.push(text));
  }

  /** The shipped files with some properties of one node changed in all of them. */
  function upgraded(id: string, properties: Partial<FlowNode>): FlowFiles {
    return new Map([...shippedFiles()].map(([name, nodes]) => [name, changed(nodes, id, properties)]));
  }

  const kept = () => (existsSync(user) ? readdirSync(user).sort() : []);
  const idsOf = (flow: FlowNode[]) => flow.map((node) => node.id).sort();

  it("gives the shipped flow, and keeps nothing when it is deployed unchanged", async () => {
    const flow = await flows.load();
    assert.deepEqual(
      idsOf(flow),
      idsOf([...new Map([...shippedFiles().values()].flat().map((node) => [node.id, node])).values()]),
    );
    await flows.save(flow);
    assert.deepEqual(kept(), []);
  });

  it("keeps a changed tab whole, and only that", async () => {
    await flows.save(changed(await flows.load(), "line-out", { active: false }));
    assert.deepEqual(kept(), ["_shipped.json", "line.json"]);
    restart(shippedFiles());
    assert.equal(nodeOf(await flows.load(), "line-out").active, false);
    assert.deepEqual(notices, []);
  });

  it("takes no notice of the frames of groups, which differ from one machine's fonts to the next", async () => {
    await flows.save(changed(await flows.load(), "line-group", { x: 4, w: 232 }));
    assert.deepEqual(kept(), []);
  });

  it("brings the new version of what the user has not changed", async () => {
    await flows.save(changed(await flows.load(), "line-out", { active: false }));
    restart(upgraded("pump-in", { qos: "1" }));
    const flow = await flows.load();
    assert.equal(nodeOf(flow, "pump-in").qos, "1");
    assert.equal(nodeOf(flow, "line-out").active, false);
    assert.deepEqual(notices, []);
  });

  it("keeps the user's version of a tab that an upgrade changes too, and says so once", async () => {
    await flows.save(changed(await flows.load(), "line-out", { active: false }));
    const upgrade = upgraded("line-in", { qos: "1" });
    restart(upgrade);
    const flow = await flows.load();
    assert.equal(nodeOf(flow, "line-out").active, false);
    assert.equal(nodeOf(flow, "line-in").qos, undefined);
    assert.equal(notices.length, 1);
    assert.match(notices[0] ?? "", /line\.json.*Yours is kept/);
    await flows.save(await flows.load());
    restart(upgrade);
    await flows.load();
    assert.deepEqual(notices, []);
  });

  it("follows the shipped flow again when the user takes a change back", async () => {
    const flow = await flows.load();
    await flows.save(changed(flow, "line-out", { active: false }));
    await flows.save(flow);
    assert.deepEqual(kept(), []);
  });

  it("keeps a deleted tab deleted, through upgrades, until it is brought back", async () => {
    const flow = await flows.load();
    await flows.save(withoutTab(flow, "line"));
    assert.ok(!idsOf(await flows.load()).includes("line"));
    restart(upgraded("line-in", { qos: "1" }));
    assert.ok(!idsOf(await flows.load()).includes("line-in"));
    await flows.save(flow);
    restart(shippedFiles());
    assert.ok(idsOf(await flows.load()).includes("line-in"));
  });

  it("keeps a changed configuration node apart, so that the tabs which use it stay as shipped", async () => {
    await flows.save(changed(await flows.load(), "broker", { broker: "mqtts://real" }));
    assert.deepEqual(kept(), ["_shared.json", "_shipped.json"]);
    restart(upgraded("line-in", { qos: "1" }));
    const flow = await flows.load();
    assert.equal(nodeOf(flow, "broker").broker, "mqtts://real");
    assert.equal(nodeOf(flow, "line-in").qos, "1");
    assert.deepEqual(notices, []);
  });

  it("says once when an upgrade changes a configuration node that the user has changed", async () => {
    await flows.save(changed(await flows.load(), "broker", { broker: "mqtts://real" }));
    restart(upgraded("broker", { keepalive: 30 }));
    assert.equal(nodeOf(await flows.load(), "broker").keepalive, undefined);
    assert.match(notices.join(), /Plant \(mqtt-broker\)/);
    await flows.load();
    assert.equal(notices.length, 1);
  });

  it("keeps a changed subflow apart from the tabs that use it", async () => {
    await flows.save(changed(await flows.load(), "sub-in", { func: "return null;" }));
    assert.deepEqual(kept(), ["_shared.json", "_shipped.json"]);
    assert.equal(nodeOf(await flows.load(), "sub-in").func, "return null;");
  });

  it("keeps the user's own tabs and configuration nodes, used or not", async () => {
    const own: FlowNode[] = [...newTab("own", "Own"), { id: "own-broker", type: "mqtt-broker", name: "Own" }];
    await flows.save([...(await flows.load()), ...own]);
    restart(upgraded("line-in", { qos: "1" }));
    const flow = await flows.load();
    for (const node of own) assert.deepEqual(nodeOf(flow, node.id), node);
    await flows.save(withoutTab(flow, "own").filter((node) => node.id !== "own-broker"));
    assert.deepEqual(kept(), []);
  });

  it("gives way when an upgrade ships a file of the same name as the user's own", async () => {
    await flows.save([...(await flows.load()), ...newTab("own", "Ovens")]);
    restart(new Map([...shippedFiles(), ["ovens", newTab("ovens", "Ovens")]]));
    const flow = await flows.load();
    assert.ok(nodeOf(flow, "own-inject") && nodeOf(flow, "ovens-inject"));
    await flows.save(flow);
    assert.deepEqual(kept(), ["ovens-2.json"]);
  });

  it("adds newly shipped settings for all flows to the user's", async () => {
    const variable = (name: string, value: string) => ({ name, type: "str", value });
    const mine = [variable("PLANT", "hall 3"), variable("MINE", "1")];
    await flows.save(changed(await flows.load(), "settings", { env: mine }));
    restart(
      upgraded("settings", {
        env: [variable("PLANT", "plant"), variable("NEW", "2")],
        modules: { "node-red": "5.1.0" },
      }),
    );
    const settings = nodeOf(await flows.load(), "settings");
    assert.deepEqual(settings.env, [...mine, variable("NEW", "2")]);
    assert.deepEqual(settings.modules, { "node-red": "5.1.0" });
    assert.deepEqual(notices, []);
  });

  it("still has the configuration nodes of a changed tab when an upgrade no longer ships them", async () => {
    await flows.save(changed(await flows.load(), "line-out", { active: false }));
    const files = new Map(
      [...shippedFiles()].map(([name, nodes]) => [name, nodes.filter((node) => node.type !== "mqtt-broker")]),
    );
    restart(files);
    assert.equal(nodeOf(await flows.load(), "broker").type, "mqtt-broker");
  });

  it("remembers the order of the tabs, and puts newly shipped ones last", async () => {
    const [line, pumps, ...rest] = await flows.load();
    assert.ok(line && pumps);
    await flows.save([pumps, line, ...rest]);
    assert.deepEqual(kept(), ["tab-order.txt"]);
    restart(new Map([["a", newTab("a", "A")], ...shippedFiles()]));
    const tabs = (await flows.load()).filter((node) => node.type === "tab");
    assert.deepEqual(
      tabs.map((tab) => tab.id),
      ["pumps", "line", "a"],
    );
  });

  it("writes the user's files readable and whole, so that they can be imported elsewhere", async () => {
    await flows.save(changed(await flows.load(), "pump-in", { qos: "2" }));
    const text = readFileSync(join(user, "pumps.json"), "utf8");
    assert.deepEqual(idsOf(JSON.parse(text)), ["broker", "pump-in", "pump-sub", "pumps", "settings", "sub", "sub-in"]);
    assert.equal(text, formatFlow(JSON.parse(text)));
  });
});
