/** Every registered node as it shows in the editor: palette, form, reasons of wrong values, help, both themes. */
import { strict as assert } from "node:assert";
import type { Locator } from "playwright-core";
import type { Option, Options } from "../../nodes/lib/options.ts";
import { Editor, textOf } from "./editor.ts";
import { faintTexts, layoutProblems } from "./look.ts";
import { nodes } from "./registry.ts";

const namesOf = (kind: Option<unknown>["kind"], options: Options) =>
  Object.keys(options).filter((name) => options[name]?.kind === kind);

const REASON = /must be a (whole )?number/;

/** What a field shows of a value. */
const shown = ({ kind, value }: Option<unknown>) =>
  kind === "flag" ? value : kind === "reference" ? "_ADD_" : String(value);

describe("in the editor", function () {
  this.timeout(60_000);
  let editor: Editor;

  before(async () => {
    editor = await Editor.open([{ id: "tab", type: "tab", label: "Flow" }]);
  });
  after(() => editor?.close());
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  for (const [index, { type, options, purpose, user }] of nodes.entries()) {
    describe(type, () => {
      let id: string;
      /** Opens its form; that of a configuration node from a node that refers to it. */
      const open = async () => {
        await editor.openForm(id);
        if (user) await editor.openConfig(user.option, "add");
        await editor.unfold();
      };

      if (user) {
        it("stands in no palette", async () => assert.equal(await editor.paletteEntry(type).count(), 0));
      } else
        it("stands in the palette with its icon, and a tooltip says what it is for", async () => {
          const entry = editor.paletteEntry(type);
          const category = editor.page.locator(".red-ui-palette-category").filter({ has: entry });
          assert.equal(await textOf(category.locator(".red-ui-palette-header")), "device analytics");

          const icon = entry.locator(".red-ui-palette-icon");
          const [address, width] = await icon.evaluate(async (icon) => {
            const image = new Image();
            image.src = getComputedStyle(icon).backgroundImage.slice(5, -2);
            await image.decode();
            return [image.src, image.naturalWidth];
          });
          assert.match(String(address), new RegExp(`/${type}\\.svg$`));
          assert.ok(Number(width) > 0);

          await entry.hover();
          const tooltip = await textOf(editor.page.locator(".red-ui-popover:not(.red-ui-tooltip)"));
          assert.ok(tooltip.includes(purpose), tooltip);
          await editor.leave();
        });

      /** Has the form show a field that is there for some values of a choice only. */
      const reveal = async (field: Locator) => {
        const part = field.locator("xpath=ancestor::*[@data-for]");
        if ((await part.count()) === 0 || (await part.isVisible())) return;
        const [choice = "", values = ""] = ((await part.getAttribute("data-for")) ?? "").split("=");
        await editor.choose(choice, values.split(",")[0] ?? "");
      };

      it("is added, and its form shows every option with its default, nothing cut or out of place", async () => {
        id = await editor.dragIn(user?.type ?? type, { x: 200, y: 60 + 80 * index });
        await open();

        assert.deepEqual(await layoutProblems(editor.form), []);
        for (const [name, option] of Object.entries(options)) {
          const field = option.kind === "table" ? editor.table(name) : editor.field(name);
          // Of a check list, Node-RED hides the field and shows its typed input instead.
          const typedInput = field.locator("+ .red-ui-typedInput-container");
          await reveal(field);
          assert.ok((await field.isVisible()) || (await typedInput.isVisible()), name);
          if (option.kind === "table") continue;
          assert.notEqual(await textOf(editor.label(name)), "", name);
          assert.equal(option.kind === "flag" ? await field.isChecked() : await field.inputValue(), shown(option));
        }

        for (const name of namesOf("table", options)) await editor.addRow(name);
        assert.deepEqual(await layoutProblems(editor.form), []);
      });

      const numbers = namesOf("number", options);
      if (numbers.length > 0) {
        it("marks wrong numbers with the reason, at their fields and at a node in a flow, until they are put right", async () => {
          const labels: string[] = [];
          await open();
          for (const name of numbers) {
            await reveal(editor.field(name));
            await editor.type(editor.field(name), "x");
            assert.ok(await editor.isWrong(editor.field(name)), name);
            labels.push(await textOf(editor.label(name)));
          }
          assert.match(await editor.reasonAt(editor.field(numbers[0] ?? "")), REASON);
          // A configuration node stands in no flow, where it could wear a triangle.
          if (user) return;
          await editor.done();

          const reasons = await editor.triangleText(id);
          for (const label of labels) assert.match(reasons, new RegExp(`${label} ${REASON.source}`));

          await editor.openForm(id);
          for (const name of numbers) {
            assert.ok(await editor.field(name).isVisible(), `${name} is wrong and folded away`);
            await editor.type(editor.field(name), String(options[name]?.value));
            assert.ok(!(await editor.isWrong(editor.field(name))), name);
          }
          await editor.done();
          await editor.takesOff(id, "error");
        });
      }

      it("shows its help beside the form", async () => {
        await open();
        await editor.page.locator(".red-ui-tray-footer .fa-book").last().click();
        const help = editor.page.locator(".red-ui-help .red-ui-help");
        await help.getByText(purpose).waitFor();
        assert.doesNotMatch(await textOf(help), /`|^#/m);
      });

      for (const theme of ["dark", "light"] as const) {
        it(`is readable in the ${theme} theme`, async () => {
          await editor.useTheme(theme);
          const labels = editor.paletteEntry(type).locator(".red-ui-palette-label").or(editor.node(id).locator("text"));
          assert.deepEqual(await faintTexts(labels), []);
          await open();
          assert.deepEqual(await faintTexts(editor.form.locator("label, summary, select, input, [data-i18n]")), []);
        });
      }
    });
  }
});
