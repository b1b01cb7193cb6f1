import { describe, type EditedNode } from "../lib/editor.ts";
import { options } from "./options.ts";

const definition = describe("historian", "config", options, {});

/** What the test of a connection answers. */
interface Outcome {
  version?: string;
  problem?: string;
}

export default {
  ...definition,
  oneditprepare(this: EditedNode) {
    definition.oneditprepare.call(this);
    const button = $("#node-config-input-test");
    const show = ({ version, problem }: Outcome) => {
      button.prop("disabled", false);
      $("#node-config-input-test-outcome")
        .text(problem ?? this._("test.good", { version: version ?? "" }))
        .css("color", problem === undefined ? "" : "var(--red-ui-text-color-error)");
    };
    button.on("click", () => {
      button.prop("disabled", true);
      $("#node-config-input-test-outcome").text(this._("test.running")).css("color", "");
      const settings = Object.fromEntries(
        Object.keys(options).map((name) => [name, $(`#node-config-input-${name}`).val()]),
      );
      $.ajax({
        url: "device-analytics/historian/test",
        method: "POST",
        contentType: "application/json",
        data: JSON.stringify({ id: this.id, settings }),
      }).then(show, ({ status, statusText }) => show({ problem: `${status} ${statusText}` }));
    });
  },
};
