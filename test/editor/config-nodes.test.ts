/** A configuration node is made and changed in the form of a node that refers to it, and counts after Deploy. */
import { strict as assert } from "node:assert";
import { Editor, textOf } from "./editor.ts";

const FLOW = [
  { id: "tab", type: "tab", label: "Flow" },
  { id: "in", type: "http in", z: "tab", url: "/telemetry", method: "post", x: 120, y: 60, wires: [["telemetry"]] },
  { id: "telemetry", type: "telemetry", z: "tab", x: 320, y: 60, wires: [["out"], []] },
  { id: "out", type: "http response", z: "tab", x: 520, y: 60, wires: [] },
];

describe("in the editor, a device-registry", function () {
  this.timeout(60_000);
  let editor: Editor;

  before(async () => {
    editor = await Editor.open(FLOW);
  });
  after(() => editor?.close());
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  const cell = (column: string) => editor.cells("devices", column);
  /** The tags that telemetry gives to a reading. */
  const tags = async () => {
    const response = await fetch(`${editor.nodeRed.url}/telemetry`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ device: "P7", temperature: 60 }),
      signal: AbortSignal.timeout(5000),
    });
    return (await response.json()).tags;
  };

  // One story: each test goes on where the one before has stopped.
  it("is made in the form of a node that uses it, which marks wrong cells and says why", async () => {
    await editor.openForm("telemetry");
    await editor.openConfig("registry", "add");
    await editor.type(editor.field("name"), "Pumps");
    await editor.addRow("devices");
    assert.equal(await editor.reasonAt(cell("deviceId")), "must not be empty");
    await editor.type(cell("deviceId"), "P7");
    await editor.type(cell("location"), "hall 3");
    await editor.type(cell("limits"), "overheating");
    assert.equal(await editor.reasonAt(cell("limits")), "must be names with numbers, such as overheating=80");
    await editor.type(cell("limits"), "overheating=80");
    await editor.type(cell("tags"), "A");
    assert.equal(await editor.reasonAt(cell("tags")), "must be pairs such as line=A, model=X 200");
    await editor.type(cell("tags"), "line=A");
    assert.equal(await textOf(editor.table("devices").locator("summary")), "P7 · hall 3 · line=A · overheating=80");
    await editor.done();
    assert.equal(await textOf(editor.field("registry").locator(":checked")), "Pumps");
    await editor.done();
    assert.ok(!(await editor.wears("telemetry", "error")));
  });

  it("lends its list to the node once that is deployed", async () => {
    assert.equal(await tags(), undefined);
    await editor.deploy();
    assert.deepEqual(await tags(), { line: "A", location: "hall 3" });
  });

  it("shows its list again, and what is changed in it holds after the next deploy", async () => {
    await editor.openForm("telemetry");
    await editor.openConfig("registry", "edit");
    await editor.unfold();
    assert.equal(await cell("limits").inputValue(), "overheating=80");
    await editor.type(cell("location"), "hall 4");
    await editor.done();
    await editor.done();
    await editor.deploy();
    assert.deepEqual(await tags(), { line: "A", location: "hall 4" });
  });

  it("is left as it was by Cancel", async () => {
    await editor.openForm("telemetry");
    await editor.openConfig("registry", "edit");
    await editor.deleteRow("devices", 0);
    await editor.cancel();
    assert.ok(!(await editor.wears("telemetry", "changed")));
    await editor.openForm("telemetry");
    await editor.openConfig("registry", "edit");
    assert.equal(await cell("deviceId").inputValue(), "P7");
  });
});
