/** The editor's half of every node, made from the same options as its runtime: defaults, validators, tables. */
import { movedOutputs, type NamedOutputs, outputNames } from "./named-outputs.ts";
import { isEnvironment, type Option, OptionError, type Options } from "./options.ts";

/** Colours by what a node is for; the editor's label text is readable on them in the light and the dark theme. */
const COLOURS = { source: "#86c29d", analytics: "#7db1dc", state: "#f3c98b", store: "#c9b6e4" };

/** Tables with more columns than this show a row as one line of text, which opens on a click. */
const INLINE_COLUMNS = 5;

/** Characters of a cell that stand on one line well. */
const LINE_LENGTH = 40;

/** A node in the editor: what Node-RED gives to the functions of a definition as `this`. */
export interface EditedNode {
  _(key: string, values?: Record<string, string | number>): string;
  name?: string;
  [property: string]: unknown;
}

type Row = Record<string, unknown>;

/**
 * A node's definition: what follows from its options and its locale, and `own`, which is special about it. With `named`,
 * the outputs that a table names come after its own.
 */
export function describe<T extends { outputs?: number }>(
  type: string,
  group: keyof typeof COLOURS | "config",
  options: Options,
  own: T,
  named?: NamedOutputs,
) {
  const isConfig = group === "config";
  const prefix = isConfig ? "node-config-input" : "node-input";
  const entries = Object.entries(options);
  const secrets = entries.filter(([, option]) => option.kind === "secret");
  const ownOutputs = own.outputs ?? 0;
  const namesOf = (node: Partial<EditedNode>) => {
    const rows = named && (node[named.table] ?? options[named.table]?.value);
    return named && Array.isArray(rows) ? outputNames(named, rows) : [];
  };
  const outputs = ownOutputs + namesOf({}).length;
  /** What shows at a node in a flow, where configuration nodes don't stand. */
  const flowLabels = {
    labelStyle(this: EditedNode) {
      return this.name ? "node_label_italic" : "";
    },
    inputLabels(this: EditedNode) {
      return this._("input");
    },
    outputLabels(this: EditedNode, index: number) {
      return namesOf(this)[index - ownOutputs] ?? this._(`outputs.${index}`);
    },
  };
  return {
    category: isConfig ? "config" : "device analytics",
    ...(!isConfig && { color: COLOURS[group], icon: `${type}.svg` }),
    defaults: {
      ...Object.fromEntries(
        entries
          .filter(([, option]) => option.kind !== "secret")
          .map(([name, option]) => [name, propertyOf(name, option)]),
      ),
      ...(named && { outputs: { value: outputs } }),
    },
    // With an empty one, the editor would ask the runtime for credentials each time that the form is opened.
    ...(secrets.length > 0 && {
      credentials: Object.fromEntries(secrets.map(([name]) => [name, { type: "password" }])),
    }),
    label(this: EditedNode) {
      return this.name || this._("label");
    },
    paletteLabel(this: EditedNode) {
      return this._("label");
    },
    ...(!isConfig && flowLabels),
    oneditprepare(this: EditedNode) {
      for (const [name, option] of entries) prepareField(this, `#${prefix}-${name}`, name, option);
      showParts(this, $(isConfig ? "#node-config-dialog-edit-form" : "#dialog-form"), `#${prefix}`, options);
      // Here the editor looks for what becomes of the outputs.
      if (named) $("<input>", { type: "hidden", id: `${prefix}-outputs` }).appendTo("#dialog-form");
    },
    oneditsave(this: EditedNode) {
      const former = namesOf(this);
      for (const [name, { kind }] of entries) if (kind === "table") this[name] = rowsOf($(`#${prefix}-${name}-rows`));
      if (!named) return;
      const cells = changesOf($(`#${prefix}-${named.table}-rows`), named.columns);
      const map = outputMap(ownOutputs, former, namesOf(this), cells);
      $(`#${prefix}-outputs`).val(JSON.stringify(map));
    },
    ...own,
    ...(named && { outputs, ownOutputs }),
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
  const field = $(selector);
  // A flow may be older than the option.
  const value = node[name] ?? option.value;
  if (option.kind === "table") {
    prepareTable(node, $(`${selector}-rows`), name, option.columns ?? {}, Array.isArray(value) ? value : []);
  } else if (option.kind === "flag") {
    if (isEnvironment(value)) field.attr("type", "text").val(value);
    else field.prop("checked", String(value) === "true");
  } else if (option.kind === "choice") {
    setChoice(field, option, value);
  } else if (option.kind !== "secret" && option.kind !== "reference") {
    field.val(String(value));
    if (option.choices && !isEnvironment(value)) useCheckList(node, field, name, option.choices);
  }
  if (reasonOf(node, option, value) !== undefined) field.closest("details").prop("open", true);
}

/**
 * Shows each part of a form that is for some values of a choice, such as `data-for="engine=influxdb,embedded"`, while one of
 * them is chosen; and as long as it is not known what is, or something in it is wrong.
 */
function showParts(node: EditedNode, form: JQuery, prefix: string, options: Options): void {
  for (const part of form.find("[data-for]").toArray()) {
    const [name = "", values = ""] = (part.dataset.for ?? "").split("=");
    const choice = $(`${prefix}-${name}`);
    const isWrong = () =>
      Object.entries(options).some(([name, option]) => {
        const field = $(part).find(`input${prefix}-${name}[type=text]`);
        return field.length > 0 && reasonOf(node, option, field.val()) !== undefined;
      });
    const show = () => {
      const chosen = String(choice.val());
      $(part).toggle(values.split(",").includes(chosen) || !options[name]?.choices?.includes(chosen) || isWrong());
    };
    choice.on("change", show);
    show();
  }
}

/** A choice also shows what is none of its words, `${NAME}` or something wrong, so that Done does not lose it. */
function setChoice(select: JQuery, { choices }: Option<unknown>, value: unknown): void {
  const text = String(value);
  if (!choices?.includes(text)) select.append($("<option>", { value: text, text }));
  select.val(text);
}

function useCheckList(node: EditedNode, field: JQuery, name: string, choices: readonly string[]): void {
  const options = choices.map((value) => ({ value, label: node._(`options.${name}.values.${value}`) }));
  const type = { value: name, multiple: true, options };
  field.typedInput({ types: [type] });
}

// --- tables

function prepareTable(node: EditedNode, list: JQuery, table: string, columns: Options, rows: Row[]): void {
  const defaults = Object.fromEntries(Object.entries(columns).map(([name, { value }]) => [name, value]));
  const isInline = Object.keys(columns).length <= INLINE_COLUMNS;
  list.editableList<Row>({
    header: isInline ? headerOf(node, table, columns) : undefined,
    addItem(container, _index, item) {
      const isNew = Object.keys(item).length === 0;
      const row = { ...defaults, ...item };
      const cells = Object.entries(columns).map(([name, column]) => cellOf(node, table, name, column, row[name]));
      if (isInline) container.css({ display: "flex", gap: "6px" }).append(cells);
      else addFolded(container, cells, isNew);
      if (isNew) cells[0]?.trigger("focus");
    },
    height: "auto",
    sortable: true,
    removable: true,
  });
  // Before it is made, the list would take this for its height once and for all.
  list.css("min-height", "60px");
  list.editableList("addItems", structuredClone(rows));
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

/** One line that sums a row up, and folded away under it the labelled cells. A new row is open, and so is a wrong one. */
function addFolded(container: JQuery, cells: JQuery[], isNew: boolean): void {
  const details = $("<details>");
  const summary = $("<summary>").css("margin-bottom", "6px").appendTo(details);
  for (const cell of cells) {
    $("<label>")
      .css({ display: "flex", "align-items": "center", width: "auto", "margin-bottom": "6px" })
      .append($("<span>", { text: cell.attr("aria-label") ?? "" }).css("width", "140px"), cell)
      .appendTo(details);
  }
  const isWrong = () => cells.some((cell) => cell.hasClass("input-error"));
  const sumUp = () =>
    summary
      .text(cells.map(shownIn).filter(Boolean).join(" · ") || "…")
      .css("color", isWrong() ? "var(--red-ui-text-color-error)" : "");
  sumUp();
  details.on("input change", sumUp).prop("open", isNew || isWrong());
  container.append(details);
}

/**
 * What a cell tells a reader: of a choice the chosen word, of a check box its label, else its text. What is usual, or
 * longer than fits, is not told.
 */
function shownIn(cell: JQuery): string {
  if (cell.is("select")) return cell.find(":selected").text();
  if (cell.is("[type=checkbox]")) return cell.prop("checked") ? (cell.attr("aria-label") ?? "") : "";
  const text = String(cell.val());
  return text === cell.data("usual") || text.length > LINE_LENGTH ? "" : text;
}

/** The field of one cell. As long as its value is not right, it is marked, and a tooltip tells the reason. */
function cellOf(node: EditedNode, table: string, name: string, column: Option<unknown>, value: unknown): JQuery {
  const cell = fieldOf(node, table, name, column, value).attr("data-column", name);
  cell.data({ saved: value, usual: String(column.value) });
  cell.attr("aria-label", node._(`options.${table}.columns.${name}.label`));
  const reason = () => reasonOf(node, column, contentOf(cell)) ?? null;
  const mark = () => cell.toggleClass("input-error", reason() !== null);
  cell.on("input change", mark);
  mark();
  RED.popover.tooltip(cell, reason);
  return cell;
}

function fieldOf(node: EditedNode, table: string, name: string, column: Option<unknown>, value: unknown): JQuery {
  if (column.kind === "flag" && !isEnvironment(value)) {
    return $("<input>", { type: "checkbox" })
      .prop("checked", String(value) === "true")
      .css("width", "auto");
  }
  if (column.kind === "choice") {
    const choices = (column.choices ?? []).map((choice) =>
      $("<option>", { value: choice, text: node._(`options.${table}.columns.${name}.values.${choice}`) }),
    );
    const select = $("<select>").append(choices).css({ flex: "1 1 0", "min-width": 0 });
    setChoice(select, column, value);
    return select;
  }
  const text = String(value ?? "");
  return $(text.length > LINE_LENGTH ? '<textarea rows="3">' : '<input type="text">')
    .val(text)
    .css({ flex: "1 1 0", "min-width": 0 });
}

/** What a cell holds: until somebody changes it, what was saved, of the type that it had. */
function contentOf(cell: JQuery): unknown {
  const saved: unknown = cell.data("saved");
  const content: unknown = cell.is("[type=checkbox]") ? cell.prop("checked") : cell.val();
  return String(content) === String(saved) ? saved : content;
}

/** The rows of a table that are not deleted; a deleted one is there until it has faded away. */
function rowElements(list: JQuery): HTMLElement[] {
  return list.children(":not(.red-ui-editableList-item-deleting)").toArray();
}

function rowsOf(list: JQuery): Row[] {
  return rowElements(list).map((row) =>
    Object.fromEntries(
      $(row)
        .find("[data-column]")
        .toArray()
        .map((cell) => [$(cell).attr("data-column") ?? "", contentOf($(cell))]),
    ),
  );
}

/** What the cells of some columns held when the form was opened, and what they hold. */
function changesOf(list: JQuery, columns: readonly string[]): [before: unknown, now: unknown][] {
  return rowElements(list).flatMap((row) =>
    columns.map((column): [unknown, unknown] => {
      const cell = $(row).find(`[data-column="${column}"]`);
      return [cell.data("saved"), contentOf(cell)];
    }),
  );
}

/** The new place of each output by its former one, as Node-RED wants it: -1 for none, and a key of its own for a new one. */
function outputMap(
  own: number,
  former: string[],
  present: string[],
  cells: [before: unknown, now: unknown][],
): Record<string, number> {
  const places = movedOutputs(former, present, cells);
  const moved = places.map((place, index) => [own + index, place < 0 ? place : own + place]);
  const added = present.map((_, index) => index).filter((index) => !places.includes(index));
  return Object.fromEntries([
    ...Array.from({ length: own }, (_, index) => [index, index]),
    ...moved,
    ...added.map((index) => [`new${index}`, own + index]),
  ]);
}
