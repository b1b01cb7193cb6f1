import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FlowNode, formatFlow } from "../../app/flow-files.ts";
import { FlowFolder } from "../../app/flow-folder.ts";
import { newFolder } from "../support/folders.ts";
import { changed, newTab, nodeOf, shippedFiles, withoutTab } from "./flows.ts";

describe("flow folder", () => {
  let folder: string;
  let flows: FlowFolder;

  beforeEach(() => {
    folder = newFolder();
    flows = new FlowFolder(folder);
    for (const [name, nodes] of shippedFiles()) writeFileSync(join(folder, `${name}.json`), formatFlow(nodes));
  });

  const contents = () => new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as FlowNode[];
  const ids = (name: string) => read(name).map((node) => node.id);

  it("merges the files into one flow, in which what they share stands once", async () => {
    const flow = await flows.load();
    assert.deepEqual(
      flow.map((node) => node.id),
      [
        "line",
        "pumps",
        "line-group",
        "line-in",
        "line-out",
        "settings",
        "broker",
        "pump-in",
        "pump-sub",
        "sub",
        "sub-in",
      ],
    );
  });

  it("changes no byte when nothing was changed", async () => {
    await flows.save(await flows.load());
    const before = contents();
    await flows.save(await flows.load());
    assert.deepEqual(contents(), before);
  });

  it("writes the same text whatever order nodes and properties come in", async () => {
    await flows.save(await flows.load());
    const before = contents();
    const turned = (await flows.load()).map((node) => Object.fromEntries(Object.entries(node).reverse()) as FlowNode);
    const inTabs = turned.filter((node) => node.type === "tab" || node.z === "line" || node.z === "pumps");
    const shared = turned.filter((node) => !inTabs.includes(node)).reverse();
    await flows.save([...shared.filter((node) => node.z !== "sub"), ...inTabs, nodeOf(turned, "sub-in")]);
    assert.deepEqual(contents(), before);
  });

  it("changes the two lines of its place when one node is moved", async () => {
    await flows.save(await flows.load());
    const before = contents();
    await flows.save(changed(await flows.load(), "line-out", { x: 340, y: 70 }));
    const after = contents();
    assert.equal(after.get("pumps.json"), before.get("pumps.json"));
    const lines = (text = "") => text.split("\n");
    const differing = lines(after.get("line.json")).filter(
      (line, index) => line !== lines(before.get("line.json"))[index],
    );
    assert.deepEqual(differing, ['    "x": 340,', '    "y": 70,']);
    assert.equal(lines(after.get("line.json")).length, lines(before.get("line.json")).length);
  });

  it("leaves the frames of groups, which differ from one machine's fonts to the next, unless something in them moves", async () => {
    await flows.save(await flows.load());
    const before = contents();
    const elsewhere = changed(await flows.load(), "line-group", { x: 4, w: 232 });
    await flows.save(elsewhere);
    assert.deepEqual(contents(), before);
    await flows.save(changed(elsewhere, "line-in", { x: 120 }));
    const { x, w } = nodeOf(read("line.json"), "line-group");
    assert.deepEqual([x, w], [4, 232]);
  });

  it("ends files with a line break and puts identity first, place last", async () => {
    await flows.save(await flows.load());
    const text = readFileSync(join(folder, "line.json"), "utf8");
    assert.ok(text.endsWith("]\n"));
    assert.deepEqual(Object.keys(nodeOf(read("line.json"), "line-in")), [
      "id",
      "type",
      "z",
      "g",
      "broker",
      "x",
      "y",
      "wires",
    ]);
  });

  it("writes a new tab into a new file named after its label, with the shared nodes that it needs", async () => {
    const user: FlowNode = { id: "own-in", type: "mqtt in", z: "own", broker: "broker", x: 1, y: 1, wires: [[]] };
    await flows.save([...(await flows.load()), ...newTab("own", "Öfen & Halle 3"), user]);
    assert.deepEqual(ids("ofen-halle-3.json"), ["own", "own-inject", "own-in", "settings", "broker"]);
  });

  it("numbers new files whose labels are alike or say nothing", async () => {
    const tabs = [...newTab("a", "Line"), ...newTab("b", "Line"), ...newTab("c", "☃"), ...newTab("d", "")];
    await flows.save([...(await flows.load()), ...tabs]);
    assert.deepEqual(ids("line-2.json").slice(0, 1), ["a"]);
    assert.deepEqual(ids("line-3.json").slice(0, 1), ["b"]);
    assert.deepEqual(ids("flow.json").slice(0, 1), ["c"]);
    assert.deepEqual(ids("flow-2.json").slice(0, 1), ["d"]);
  });

  it("keeps a file's name when its tab gets another label", async () => {
    await flows.save(changed(await flows.load(), "pumps", { label: "Water" }));
    assert.equal(nodeOf(read("pumps.json"), "pumps").label, "Water");
  });

  it("keeps tabs of one file together, and removes the file with its last tab", async () => {
    writeFileSync(
      join(folder, "line.json"),
      formatFlow([...(shippedFiles().get("line") ?? []), ...newTab("second", "Second")]),
    );
    await flows.save(withoutTab(await flows.load(), "line"));
    assert.deepEqual(ids("line.json"), ["second", "second-inject", "settings"]);
    await flows.save(withoutTab(await flows.load(), "second"));
    assert.deepEqual(readdirSync(folder), ["pumps.json"]);
  });

  it("keeps configuration nodes and subflows that no tab uses in the file that they stood in", async () => {
    await flows.save(withoutTab(await flows.load(), "line").filter((node) => node.z !== "pumps"));
    assert.deepEqual(ids("pumps.json"), ["pumps", "sub", "sub-in", "settings", "broker"]);
    const unused: FlowNode = { id: "new-broker", type: "mqtt-broker" };
    await flows.save([...(await flows.load()), unused]);
    assert.deepEqual(ids("pumps.json"), ["pumps", "sub", "sub-in", "settings", "broker", "new-broker"]);
  });

  it("remembers an order of the tabs that is not that of their files, and only such", async () => {
    const [line, pumps, ...rest] = await flows.load();
    assert.ok(line && pumps);
    await flows.save([pumps, line, ...rest]);
    assert.deepEqual((await flows.load()).slice(0, 2), [pumps, line]);
    await flows.save([line, pumps, ...rest]);
    assert.deepEqual(readdirSync(folder), ["line.json", "pumps.json"]);
  });

  it("names the file that it cannot read", async () => {
    writeFileSync(join(folder, "line.json"), '[{"id":');
    await assert.rejects(flows.load(), /line\.json cannot be read: /);
    writeFileSync(join(folder, "line.json"), '{"id": "a"}');
    await assert.rejects(flows.load(), /line\.json is not a flow/);
    rmSync(join(folder, "line.json"));
    mkdirSync(join(folder, "line.json"));
    await assert.rejects(flows.load(), /line\.json/);
  });
});
