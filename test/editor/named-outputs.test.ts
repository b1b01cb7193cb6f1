/** Wires stay at the outputs that a table names, whatever becomes of its rows. */
import { strict as assert } from "node:assert";
import { Editor } from "./editor.ts";
import { nodes } from "./registry.ts";

const TABLE = "routes";

const row = (output: string, escalateTo = "") => ({
  severity: "warning",
  devices: "",
  conditions: "",
  output,
  repeatSeconds: 0,
  escalateAfterSeconds: 0,
  escalateTo,
  continue: false,
});
const defaults = Object.fromEntries(
  Object.entries(nodes.find(({ type }) => type === "alert-router")?.options ?? {}).map(([name, { value }]) => [
    name,
    value,
  ]),
);

const TARGETS = ["others", "sms", "boss", "mail", "log"];

describe("in the editor, wires of alert-router", function () {
  this.timeout(60_000);
  let editor: Editor;

  before(async () => {
    editor = await Editor.open([
      { id: "tab", type: "tab", label: "Flow" },
      {
        ...defaults,
        ...{ id: "router", type: "alert-router", z: "tab", x: 200, y: 200, name: "router", outputs: 5 },
        routes: [row("sms", "boss"), row("mail"), row("log")],
        wires: TARGETS.map((target) => [target]),
      },
      ...TARGETS.map((id, index) => ({ id, type: "junction", z: "tab", x: 500, y: 60 + 60 * index, wires: [] })),
    ]);
  });
  after(() => editor?.close());
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  const deployed = async () => (await editor.nodeRed.flow()).find(({ id }) => id === "router");
  const cell = (column: string, index: number) => editor.cells(TABLE, column).nth(index);
  const showsLabels = async (names: string[]) => {
    const ports = editor.node("router").locator(".red-ui-flow-port-output .red-ui-flow-port");
    assert.equal(await ports.count(), names.length + 1);
    for (const [index, name] of names.entries()) {
      await ports.nth(index + 1).hover();
      // The editor shows it twice, and takes one of them away only when the mouse comes to the next port.
      await editor.page.locator(".red-ui-flow-port-tooltip-label", { hasText: name }).first().waitFor();
      await editor.leave();
    }
  };

  /** Changes the form, and compares the ports and their wires once that is deployed, and once the page is loaded anew. */
  async function edit(change: () => Promise<void>, names: string[], wires: string[][]): Promise<void> {
    await editor.openForm("router");
    await editor.unfold();
    await change();
    await editor.done();
    await editor.deploy();
    const check = async () => {
      const node = await deployed();
      assert.deepEqual([node?.wires, node?.outputs], [wires, wires.length]);
      await showsLabels(names);
    };
    await check();
    await editor.reload();
    await check();
  }

  it("stay when nothing is changed", async () => {
    await editor.openForm("router");
    await editor.done();
    assert.ok(!(await editor.wears("router", "changed")));
    await showsLabels(["sms", "boss", "mail", "log"]);
  });

  it("follow rows that are moved", async () => {
    await edit(
      async () => {
        for (const summary of await editor.table(TABLE).locator("summary").all()) await summary.click();
        await editor.moveRow(TABLE, 2, 0);
      },
      ["log", "sms", "boss", "mail"],
      [["others"], ["log"], ["sms"], ["boss"], ["mail"]],
    );
  });

  it("follow names that are changed", async () => {
    await edit(
      async () => {
        await editor.type(cell("output", 0), "archive");
        await editor.type(cell("escalateTo", 1), "chief");
      },
      ["archive", "sms", "chief", "mail"],
      [["others"], ["log"], ["sms"], ["boss"], ["mail"]],
    );
  });

  it("go with the rows that are deleted, and new names have none", async () => {
    await edit(
      async () => {
        await editor.deleteRow(TABLE, 0);
        await editor.addRow(TABLE);
        await editor.type(editor.cells(TABLE, "output").last(), "new");
      },
      ["sms", "chief", "mail", "new"],
      [["others"], ["sms"], ["boss"], ["mail"], []],
    );
  });

  it("follow all of that at once", async () => {
    await edit(
      async () => {
        await editor.type(cell("output", 1), "post");
        await editor.type(cell("escalateTo", 0), "");
        for (const summary of await editor.table(TABLE).locator("summary").all()) await summary.click();
        await editor.moveRow(TABLE, 1, 0);
      },
      ["post", "sms", "new"],
      [["others"], ["mail"], ["sms"], []],
    );
  });

  it("stay where they were after Cancel, and come back with undo", async () => {
    await editor.openForm("router");
    await editor.unfold();
    await editor.deleteRow(TABLE, 0);
    await editor.cancel();
    assert.ok(!(await editor.wears("router", "changed")));

    await editor.openForm("router");
    await editor.unfold();
    await editor.deleteRow(TABLE, 0);
    await editor.done();
    await showsLabels(["sms", "new"]);
    await editor.page.mouse.click(700, 700);
    await editor.page.keyboard.press("ControlOrMeta+Z");
    await editor.node("router").locator(".red-ui-flow-port-output").nth(3).waitFor();
    await showsLabels(["post", "sms", "new"]);
    assert.ok(!(await editor.wears("router", "changed")));
  });
});
