/** What an imported or older flow holds survives the form: environment variables, missing options, wrong choices. */
import { strict as assert } from "node:assert";
import type { Option, Options } from "../../nodes/lib/options.ts";
import { Editor } from "./editor.ts";
import type { FlowNode } from "./node-red.ts";
import { nodes } from "./registry.ts";

/** Credentials and configuration nodes are kept by Node-RED in its own way. */
const isPlain = ({ kind }: Option<unknown>) => kind !== "secret" && kind !== "reference";

/** A configuration in which everything is taken from the environment, and no configuration node is referred to. */
function fromEnvironment(prefix: string, options: Options): Record<string, unknown> {
  const entries = Object.entries(options).filter(([, { kind }]) => kind !== "secret");
  return Object.fromEntries(
    entries.map(([name, { columns, kind }]) => {
      const variable = `${prefix}_${name}`;
      if (kind === "reference") return [name, ""];
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

  const place = (x: number, index: number) => ({ z: "tab", x, y: 60 + 80 * index, wires: [[], []] });
  const variableNodes = nodes.map(
    ({ type, options, user }, index): FlowNode => ({
      ...{ id: `variable-${index}`, type, ...(!user && place(160, index)) },
      ...fromEnvironment(`OPTION_${index}`, options),
    }),
  );
  const oldNodes = nodes.map(({ type, user }, index) => ({
    ...{ id: `old-${index}`, type, ...(!user && place(420, index)) },
  }));
  /** For each configuration node a node that refers to it. */
  const users = nodes.flatMap(({ user }, index) =>
    [variableNodes, oldNodes].flatMap((referredTo, column): FlowNode[] => {
      const id = referredTo[index]?.id;
      return user
        ? [{ id: `user-${id}`, type: user.type, ...place(160 + 260 * column, index), [user.option]: id }]
        : [];
    }),
  );

  before(async () => {
    const flow: FlowNode[] = [{ id: "tab", type: "tab", label: "Flow" }, ...variableNodes, ...oldNodes, ...users];
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

  for (const [index, { type, options, user }] of nodes.entries()) {
    /** The node of the flow by which it is got at. */
    const standIn = (id: string) => (user ? `user-${id}` : id);
    const open = async (id: string) => {
      await editor.openForm(standIn(id));
      if (user) await editor.openConfig(user.option, "edit");
    };
    const done = async () => {
      await editor.done();
      if (user) await editor.cancel();
    };

    it(`keeps every environment variable of ${type}`, async () => {
      const node = variableNodes[index] as FlowNode;
      await open(node.id);
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
      await done();
      assert.ok(!(await editor.wears(standIn(node.id), "changed")));
      assert.ok(!(await editor.wears(standIn(node.id), "error")));

      await open(node.id);
      await editor.type(editor.field("name"), "Renamed");
      await done();
      await editor.deploy();
      // How many outputs there are is counted by the editor.
      const { outputs, ...saved } = (await editor.nodeRed.flow()).find(({ id }) => id === node.id) as FlowNode;
      // A node whose label has become longer is a little moved, and only outputs that there are keep their wires.
      const asBefore = user ? {} : { x: node.x, wires: node.wires };
      assert.deepEqual({ ...saved, ...asBefore }, { ...node, name: "Renamed" });
    });

    it(`shows the defaults of options that a ${type} node lacks`, async () => {
      await open(`old-${index}`);
      await editor.unfold();
      for (const [name, { kind, value }] of Object.entries(options)) {
        if (kind === "table") assert.equal(await editor.table(name).locator("li").count(), (value as unknown[]).length);
        else if (kind === "flag") assert.equal(await editor.field(name).isChecked(), value);
        else assert.equal(await editor.field(name).inputValue(), kind === "reference" ? "_ADD_" : String(value));
      }
      assert.equal(await wrongFields(), 0);
    });
  }
});
