/** The form of historian-query, which shows what matters for the question that is chosen. */
import { strict as assert } from "node:assert";
import { Editor } from "./editor.ts";

describe("the form of historian-query", function () {
  this.timeout(60_000);
  let editor: Editor;

  before(async () => {
    editor = await Editor.open([{ id: "tab", type: "tab", label: "Flow" }]);
    await editor.openForm(await editor.dragIn("historian-query", { x: 200, y: 60 }));
  });
  after(() => editor?.close());

  /** Which of these fields can be seen. */
  async function seen(...names: string[]): Promise<string[]> {
    const isSeen = await Promise.all(names.map((name) => editor.field(name).isVisible()));
    return names.filter((_, place) => isSeen[place]);
  }
  const fields = ["range", "measurement", "every", "maxPoints", "upper", "readingsPerDevice", "file", "timeoutSeconds"];

  it("shows the fields of the chosen question only", async () => {
    assert.deepEqual(await seen(...fields), ["range", "measurement", "every", "maxPoints", "timeoutSeconds"]);
    await editor.choose("queryType", "distribution");
    assert.deepEqual(await seen(...fields), ["range", "measurement", "upper", "timeoutSeconds"]);
    await editor.choose("queryType", "readings");
    assert.deepEqual(await seen(...fields), ["range", "readingsPerDevice", "timeoutSeconds"]);
    await editor.choose("queryType", "export");
    assert.deepEqual(await seen(...fields), ["range", "measurement", "file", "timeoutSeconds"]);
  });

  it("goes on to show a field that is wrong, until it is put right", async () => {
    await editor.choose("queryType", "readings");
    await editor.type(editor.field("readingsPerDevice"), "x");
    await editor.choose("queryType", "latest");
    assert.deepEqual(await seen("readingsPerDevice", "every"), ["readingsPerDevice"]);
    await editor.type(editor.field("readingsPerDevice"), "10");
    await editor.choose("queryType", "statistics");
    assert.deepEqual(await seen("readingsPerDevice"), []);
  });
});
