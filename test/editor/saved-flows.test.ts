/** What an imported or older flow holds survives the form: environment variables, missing options, wrong choices. */
import { strict as assert } from "node:assert";
import type { Option, Options } from "../../nodes/lib/options.ts";
import { Editor } from "./editor.ts";
import type { FlowNode } from "./node-red.ts";
import { nodes } from "./registry.ts";

/** Credentials and configuration nodes are kept by Node-RED in its own way. */
const isPlain = ({ kind }: Option<unknown>) => kind !== "secret" && kind !== "reference";

/** A configuration in which everything is taken from the environment. */
function fromEnvironment(prefix: string, options: Options): Record<string, unknown> {
  const entries = Object.entries(options).filter(([, option]) => isPlain(option));
  return Object.fromEntries(
    entries.map(([name, { columns }]) => {
      const variable = `${prefix}_${name}`;
      return [name, columns ? [fromEnvironment(variable, columns)] : `\${${variable}}`];
    }),
  );
}

/** An environment in which these variables have the defaults of their options. */
function environmentOf(prefix: string, options: Options): NodeJS.ProcessEnv {
  return Object.assign(
    {},
    ...Object.entries(options).map(([name, { columns, value }]) =>
      columns ? environmentOf(`${prefix}_${name}`, columns) : { [`${prefix}_${name}`]: String(value) },
    ),
  );
}

describe("in the editor, a saved flow", function () {
  this.timeout(60_000);
  let editor: Editor;

  const variableNodes = nodes.map(
    ({ type, options }, index): FlowNode => ({
      ...{ id: `variable-${index}`, type, z: "tab", x: 160, y: 60 + 80 * index, wires: [[], []] },
      ...fromEnvironment(`OPTION_${index}`, options),
    }),
  );
  const oldNodes = nodes.map(({ type }, index) => ({
    ...{ id: `old-${index}`, type, z: "tab", x: 420, y: 60 + 80 * index, wires: [[], []] },
  }));

  before(async () => {
    const flow: FlowNode[] = [{ id: "tab", type: "tab", label: "Flow" }, ...variableNodes, ...oldNodes];
    flow.push({ id: "foreign", type: "z-score-anomaly", z: "tab", x: 660, y: 60, wires: [[], []], method: "quantum" });
    const env = nodes.map(({ options }, index) => environmentOf(`OPTION_${index}`, options));
    editor = await Editor.open(flow, Object.assign({}, ...env));
  });
  after(() => editor?.close());
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  const wrongFields = () => editor.form.locator(".input-error").count();

  it("keeps a choice that there is not, marked as wrong, until another one is made", async () => {
    assert.match(await editor.triangleText("foreign"), /Method must be one of standard, robust, ewma/);
    await editor.openForm("foreign");
    assert.equal(await editor.field("method").inputValue(), "quantum");
    assert.equal(await wrongFields(), 1);
    await editor.choose("method", "ewma");
    assert.equal(await wrongFields(), 0);
    await editor.done();
    assert.ok(!(await editor.wears("foreign", "error")));
  });

  for (const [index, { type, options }] of nodes.entries()) {
    it(`keeps every environment variable of ${type}`, async () => {
      const node = variableNodes[index] as FlowNode;
      await editor.openForm(node.id);
      await editor.unfold();
      for (const [name, option] of Object.entries(options).filter(([, option]) => isPlain(option))) {
        if (option.kind !== "table") {
          assert.equal(await editor.field(name).inputValue(), node[name]);
          continue;
        }
        const [row] = node[name] as Record<string, string>[];
        for (const [column, text] of Object.entries(row ?? {})) {
          assert.equal(await editor.cells(name, column).inputValue(), text);
        }
      }
      assert.equal(await wrongFields(), 0);
      await editor.done();
      assert.ok(!(await editor.wears(node.id, "changed")));
      assert.ok(!(await editor.wears(node.id, "error")));

      await editor.openForm(node.id);
      await editor.type(editor.field("name"), "Renamed");
      await editor.done();
      await editor.deploy();
      const saved = (await editor.nodeRed.flow()).find(({ id }) => id === node.id);
      // A node whose label has become longer is a little moved, and only outputs that there are keep their wires.
      assert.deepEqual({ ...saved, x: node.x, wires: node.wires }, { ...node, name: "Renamed" });
    });

    it(`shows the defaults of options that a ${type} node lacks`, async () => {
      await editor.openForm(`old-${index}`);
      await editor.unfold();
      for (const [name, { kind, value }] of Object.entries(options)) {
        if (kind === "table") assert.equal(await editor.table(name).locator("li").count(), (value as unknown[]).length);
        else if (kind === "flag") assert.equal(await editor.field(name).isChecked(), value);
        else assert.equal(await editor.field(name).inputValue(), String(value));
      }
      assert.equal(await wrongFields(), 0);
    });
  }
});
