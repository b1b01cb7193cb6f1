/** The editor's half of every node, made from the same options as its runtime: defaults, validators, tables. */
import { isEnvironment, type Option, OptionError, type Options } from "./options.ts";

/** Colours by what a node is for; the editor's label text is readable on them in the light and the dark theme. */
const COLOURS = { source: "#a8d5ba", analytics: "#9ec9e8", state: "#f3c98b", store: "#c9b6e4", config: "#c9b6e4" };

/** Tables with more columns than this show a row as one line of text, which opens on a click. */
const INLINE_COLUMNS = 5;

/** A node in the editor: what Node-RED gives to the functions of a definition as `this`. */
export interface EditedNode {
  _(key: string, values?: Record<string, string | number>): string;
  name?: string;
  [property: string]: unknown;
}

type Row = Record<string, unknown>;

/**
 * All of a node's definition that follows from its options and its locale. The node's own file adds what is left:
 * `inputs`, `outputs`, and whatever is special about it.
 */
export function describe(type: string, group: keyof typeof COLOURS, options: Options) {
  const isConfig = group === "config";
  const prefix = isConfig ? "node-config-input" : "node-input";
  const entries = Object.entries(options);
  return {
    category: isConfig ? "config" : "device analytics",
    color: COLOURS[group],
    icon: `${type}.svg`,
    defaults: Object.fromEntries(
      entries
        .filter(([, option]) => option.kind !== "secret")
        .map(([name, option]) => [name, propertyOf(name, option)]),
    ),
    credentials: Object.fromEntries(
      entries.filter(([, option]) => option.kind === "secret").map(([name]) => [name, { type: "password" }]),
    ),
    paletteLabel(this: EditedNode) {
      return this._("label");
    },
    label(this: EditedNode) {
      return this.name || this._("label");
    },
    labelStyle(this: EditedNode) {
      return this.name ? "node_label_italic" : "";
    },
    inputLabels(this: EditedNode) {
      return this._("input");
    },
    outputLabels(this: EditedNode, index: number) {
      return this._(`outputs.${index}`);
    },
    oneditprepare(this: EditedNode) {
      for (const [name, option] of entries) prepareField(this, `#${prefix}-${name}`, name, option);
    },
    oneditsave(this: EditedNode) {
      for (const [name, { kind }] of entries) if (kind === "table") this[name] = rowsOf($(`#${prefix}-${name}-rows`));
    },
  };
}

/** A property's default and validator, as Node-RED wants them. Its reasons show at the field and at the node. */
function propertyOf(name: string, option: Option<unknown>) {
  if (option.kind === "reference") return { value: option.value, type: option.type, required: false };
  return {
    value: option.value,
    // Node-RED shows a validator's text as the reason only if it declares two parameters.
    validate(this: EditedNode, value: unknown, _options: unknown): true | string | string[] {
      const label = this._(`options.${name}.label`);
      if (option.kind === "table" && option.columns && Array.isArray(value)) {
        const reasons = value.flatMap((row: Row, index) => rowReasons(this, name, option.columns ?? {}, row, index));
        return reasons.length === 0 ? true : reasons.map((reason) => `${label}: ${reason}`);
      }
      const reason = reasonOf(this, option, value);
      return reason === undefined ? true : `${label} ${reason}`;
    },
  };
}

/** Why a value is not taken, in the user's language, or undefined. Environment variables are known at runtime only. */
function reasonOf(node: EditedNode, option: Option<unknown>, value: unknown): string | undefined {
  if (isEnvironment(value)) return undefined;
  try {
    option.parse(value);
    return undefined;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return node._(`errors.${error.code}`, error.values);
  }
}

function rowReasons(node: EditedNode, table: string, columns: Options, row: Row, index: number): string[] {
  return Object.entries(columns).flatMap(([name, column]) => {
    const reason = reasonOf(node, column, row[name]);
    const text = `${node._(`options.${table}.columns.${name}.label`)} ${reason}`;
    return reason === undefined ? [] : [node._("errors.row", { row: index + 1, reason: text })];
  });
}

function prepareField(node: EditedNode, selector: string, name: string, option: Option<unknown>): void {
  const value = node[name];
  if (option.kind === "table") prepareTable(node, $(`${selector}-rows`), name, option.columns ?? {});
  else if (isEnvironment(value)) useTextField($(selector), value);
  else if (option.kind === "list" && option.choices) {
    const options = option.choices.map((value) => ({ value, label: node._(`options.${name}.values.${value}`) }));
    $(selector).typedInput({ types: [{ value: name, multiple: true, options }] } as never);
  }
}

/** A choice or a check box cannot hold `${NAME}`: it becomes a text field, so that Done does not lose it. */
function useTextField(field: JQuery, value: string): void {
  if (field.is("select, [type=checkbox]")) {
    const id = field.attr("id") ?? "";
    field.replaceWith($("<input>", { type: "text", id }).val(value));
  }
}

// --- tables

function prepareTable(node: EditedNode, list: JQuery, table: string, columns: Options): void {
  const defaults = Object.fromEntries(Object.entries(columns).map(([name, { value }]) => [name, value]));
  const isInline = Object.keys(columns).length <= INLINE_COLUMNS;
  list.css({ "min-height": "120px", "min-width": "420px" }).editableList({
    header: isInline ? headerOf(node, table, columns) : undefined,
    addItem(container: JQuery, _index: number, item: Row) {
      const isNew = Object.keys(item).length === 0;
      const row = { ...defaults, ...item };
      const cells = Object.entries(columns).map(([name, column]) => cellOf(node, table, name, column, row[name]));
      if (isInline) container.css({ display: "flex", gap: "6px" }).append(cells);
      else addFolded(node, container, table, columns, cells, isNew);
    },
    sortable: true,
    removable: true,
  } as never);
  list.editableList("addItems" as never, structuredClone(node[table]) as never);
}

function headerOf(node: EditedNode, table: string, columns: Options): JQuery {
  const header = $("<div>").css({ display: "flex", gap: "6px", padding: "0 34px 0 30px" });
  for (const name of Object.keys(columns)) {
    $("<div>", { text: node._(`options.${table}.columns.${name}.label`) })
      .css({ flex: "1 1 0", "min-width": 0, overflow: "hidden", "text-overflow": "ellipsis" })
      .appendTo(header);
  }
  return header;
}

/** One line that sums the row up, and beneath it the labelled cells, shown on a click. */
function addFolded(
  node: EditedNode,
  container: JQuery,
  table: string,
  columns: Options,
  cells: JQuery[],
  isOpen: boolean,
): void {
  const names = Object.keys(columns);
  const details = $("<div>").css({ "padding-top": "6px" }).toggle(isOpen);
  cells.forEach((cell, index) => {
    const label = node._(`options.${table}.columns.${names[index]}.label`);
    $("<div>", { class: "form-row" })
      .append($("<label>", { text: label }).css("width", "140px"), cell)
      .appendTo(details);
  });
  const summary = $("<a>", { href: "#", class: "da-summary" }).css({ display: "block" });
  const sumUp = () =>
    summary.text(
      cells
        .map((cell) => String(contentOf(cell)))
        .filter((text) => text !== "")
        .join(" · "),
    );
  summary.on("click", (event) => {
    event.preventDefault();
    details.toggle();
  });
  details.on("change", sumUp);
  sumUp();
  container.append(summary, details);
}

/** The field of one cell. It is marked, with the reason as its tooltip, as soon as its value is not right. */
function cellOf(node: EditedNode, table: string, name: string, column: Option<unknown>, value: unknown): JQuery {
  const cell = fieldOf(node, table, name, column, value).attr("data-column", name);
  cell.attr("aria-label", node._(`options.${table}.columns.${name}.label`));
  const mark = () => {
    const reason = reasonOf(node, column, contentOf(cell));
    cell.toggleClass("input-error", reason !== undefined).attr("title", reason ?? "");
  };
  cell.on("input change", mark);
  mark();
  return cell;
}

function fieldOf(node: EditedNode, table: string, name: string, column: Option<unknown>, value: unknown): JQuery {
  if (column.kind === "flag" && !isEnvironment(value)) {
    return $("<input>", { type: "checkbox" })
      .prop("checked", value === true)
      .css("width", "auto");
  }
  if (column.choices && !isEnvironment(value)) {
    const choices = column.choices.map((choice) =>
      $("<option>", { value: choice, text: node._(`options.${table}.columns.${name}.values.${choice}`) }),
    );
    return $("<select>").append(choices).val(String(value)).css({ flex: "1 1 0", "min-width": 0 });
  }
  return $("<input>", { type: "text" })
    .val(String(value ?? ""))
    .css({ flex: "1 1 0", "min-width": 0 });
}

function contentOf(cell: JQuery): unknown {
  return cell.is("[type=checkbox]") ? cell.prop("checked") : cell.val();
}

function rowsOf(list: JQuery): Row[] {
  const items = list.editableList("items" as never) as unknown as JQuery;
  return items.toArray().map((item) =>
    Object.fromEntries(
      $(item)
        .find("[data-column]")
        .toArray()
        .map((cell) => [$(cell).attr("data-column") ?? "", contentOf($(cell))]),
    ),
  );
}
