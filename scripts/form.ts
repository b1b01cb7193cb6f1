/** Turns a form of placeholders into html: `{{windowSize}}` becomes the row with the field for that option. */
import type { Option, Options } from "../nodes/lib/options.ts";
import { stateOptions } from "../nodes/lib/options.ts";

type Texts = { [key: string]: string | Texts };

/**
 * Expands the placeholders of a form; `{{state}}` stands for a folded section of the options that all nodes with state
 * have. `texts` tells which texts there are, for only those get a place.
 */
export function expandForm(form: string, options: Options, texts: Texts, isConfig: boolean): string {
  const prefix = isConfig ? "node-config-input" : "node-input";
  const row = (name: string) => {
    const option = options[name];
    if (!option) throw new Error(`the form has a field {{${name}}}, but there is no such option`);
    return rowOf(`${prefix}-${name}`, name, option, textsOf(texts, name));
  };
  return form.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    if (name !== "state") return row(name);
    const rows = Object.keys(stateOptions).map(row).join("\n");
    return `<details><summary style="margin-bottom: 12px" data-i18n="sections.state"></summary>\n${rows}\n</details>`;
  });
}

function textsOf(texts: Texts, name: string): Texts {
  const own = (texts.options as Texts | undefined)?.[name];
  return typeof own === "object" ? own : {};
}

function rowOf(id: string, name: string, option: Option<unknown>, texts: Texts): string {
  const key = `options.${name}`;
  const label = `<label for="${id}" style="width: 150px" data-i18n="${key}.label"></label>`;
  const unit = "unit" in texts ? ` <span data-i18n="${key}.unit"></span>` : "";
  if (option.kind === "table") {
    return `<div class="form-row"><span data-i18n="${key}.label"></span>${unit}<ol id="${id}-rows"></ol></div>`;
  }
  return `<div class="form-row">${label}${fieldOf(id, key, option, texts)}${unit}</div>`;
}

function fieldOf(id: string, key: string, option: Option<unknown>, texts: Texts): string {
  const placeholder = "placeholder" in texts ? ` data-i18n="[placeholder]${key}.placeholder"` : "";
  const width = "width: calc(100% - 150px)";
  switch (option.kind) {
    case "choice": {
      const choices = (option.choices ?? []).map(
        (choice) => `<option value="${choice}" data-i18n="${key}.values.${choice}"></option>`,
      );
      return `<select id="${id}" style="${width}">${choices.join("")}</select>`;
    }
    case "flag":
      return `<input type="checkbox" id="${id}" style="width: auto; vertical-align: top">`;
    case "number":
      return `<input type="text" id="${id}" style="width: 100px"${placeholder}>`;
    case "secret":
      return `<input type="password" id="${id}" style="${width}"${placeholder}>`;
    default:
      return `<input type="text" id="${id}" style="${width}"${placeholder}>`;
  }
}
