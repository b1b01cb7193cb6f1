/**
 * What can be set on a node, said once: the runtime takes types, coercion and errors from it, the editor its defaults
 * and validators. The browser reads this file too, so it imports nothing but texts.
 */
import locale from "./locale.json" with { type: "json" };

/** Why a value is not taken: a key of the locale's `errors`, with what its text names. */
export class OptionError extends Error {
  readonly code: ErrorCode;
  readonly values: Record<string, string | number>;

  constructor(code: ErrorCode, values: Record<string, string | number> = {}) {
    super(fill(locale.errors[code], values));
    this.code = code;
    this.values = values;
  }
}

export type ErrorCode = keyof typeof locale.errors;

/** Puts values into a text of the locale, in the way that Node-RED does: `__name__`. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/__(\w+?)__/g, (whole, name) => String(values[name] ?? whole));
}

/** One thing that can be set. `value` is its default as the editor keeps it. */
export interface Option<T> {
  readonly kind: "text" | "number" | "choice" | "flag" | "list" | "table" | "secret" | "reference";
  readonly value: unknown;
  /** Turns what the editor or the environment gave into the proper type, or throws an OptionError. */
  parse(raw: unknown): T;
  /** Of a choice or list: what it may hold. */
  readonly choices?: readonly string[];
  /** Of a table. */
  readonly columns?: Options;
  /** Of a reference: the type of the configuration node. */
  readonly type?: string;
}

export type Options = Record<string, Option<unknown>>;

/** The values of a set of options. */
export type Settings<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** A value that stands for an environment variable as a whole, which Node-RED puts in before the node is made. */
export function isEnvironment(raw: unknown): raw is string {
  return typeof raw === "string" && /^\$\{[^{}]+\}$/.test(raw.trim());
}

/** An option is found missing in a flow that is older than it; then its default counts. */
function option<T>(description: Omit<Option<T>, "parse">, parse: (raw: unknown) => T): Option<T> {
  return {
    ...description,
    parse(raw) {
      if (isEnvironment(raw)) throw new OptionError("environment", { name: raw.trim().slice(2, -1) });
      return parse(raw === undefined || raw === null ? description.value : raw);
    },
  };
}

/** Any text, trimmed. */
export function text(value: string, { required = false } = {}): Option<string> {
  return option({ kind: "text", value }, (raw) => {
    const result = (typeof raw === "string" ? raw : typeof raw === "number" ? String(raw) : fail("text")).trim();
    return required && result === "" ? fail("required") : result;
  });
}

interface Range {
  min?: number;
  max?: number;
}

/** A finite number within the limits, both included. */
export function number(value: number, range: Range = {}): Option<number> {
  return option({ kind: "number", value }, (raw) => toNumber(raw, range, "number"));
}

/** As `number`, or undefined where nothing is given. */
export function optionalNumber(range: Range = {}): Option<number | undefined> {
  return option({ kind: "number", value: "" }, (raw) => {
    return typeof raw === "string" && raw.trim() === "" ? undefined : toNumber(raw, range, "number");
  });
}

/** A whole number within the limits, both included. */
export function integer(value: number, range: Range = {}): Option<number> {
  return option({ kind: "number", value }, (raw) => {
    const result = toNumber(raw, range, "integer");
    return Number.isSafeInteger(result) ? result : fail(...rangeError("integer", range));
  });
}

/** One of a few words. */
export function oneOf<const T extends string>(value: NoInfer<T>, choices: readonly T[]): Option<T> {
  return option({ kind: "choice", value, choices }, (raw) => {
    return choices.find((choice) => choice === raw) ?? fail("choice", { choices: choices.join(", ") });
  });
}

/** Yes or no. */
export function flag(value: boolean): Option<boolean> {
  return option({ kind: "flag", value }, (raw) => {
    if (raw === true || raw === "true" || raw === "1") return true;
    if (raw === false || raw === "false" || raw === "0" || raw === "") return false;
    return fail("flag");
  });
}

/** Names separated by commas; with `choices`, only these. */
export function list<const T extends string = string>(value: NoInfer<T>[] = [], choices?: readonly T[]): Option<T[]> {
  const description = { kind: "list", value: value.join(","), ...(choices && { choices }) } as const;
  return option(description, (raw) => {
    const items: unknown[] = typeof raw === "string" ? raw.split(",") : Array.isArray(raw) ? raw : fail("list");
    const names = items.map((item) => (typeof item === "string" ? item.trim() : fail("list"))).filter(Boolean);
    if (choices && !names.every((name) => (choices as readonly string[]).includes(name))) {
      return fail("choices", { choices: choices.join(", ") });
    }
    return names as T[];
  });
}

/** Names with a text each, as in `line=A, model=X 200`. */
export function pairs(): Option<Record<string, string>> {
  return option({ kind: "text", value: "" }, (raw) => Object.fromEntries(toPairs(raw, "pairs")));
}

/** Names with a number each, as in `overheating=80, low-battery=25`. */
export function numberPairs(): Option<Record<string, number>> {
  return option({ kind: "text", value: "" }, (raw) => {
    const entries = toPairs(raw, "numberPairs").map(([name, text]) => [name, Number(text)] as const);
    return entries.every(([, number]) => Number.isFinite(number)) ? Object.fromEntries(entries) : fail("numberPairs");
  });
}

/** A credential: kept by Node-RED apart from the flow, and checked at runtime only. */
export function secret(): Option<string> {
  return option({ kind: "secret", value: "" }, (raw) => (typeof raw === "string" ? raw : fail("text")));
}

/** The id of a configuration node of a type, or empty for none. */
export function reference(type: string): Option<string> {
  return option({ kind: "reference", value: "", type }, (raw) => (typeof raw === "string" ? raw : fail("text")));
}

/** Rows of the same columns, each an option. */
export function table<C extends Options>(columns: C, rows: Partial<Settings<C>>[] = []): Option<Settings<C>[]> {
  return option({ kind: "table", value: rows, columns }, (raw) => {
    if (!Array.isArray(raw)) return fail("table");
    return raw.map((row, index) => {
      if (typeof row !== "object" || row === null) return fail("row", { row: index + 1, reason: locale.errors.table });
      try {
        return parseAll(columns, row);
      } catch (error) {
        if (!(error instanceof SettingError)) throw error;
        return fail("row", { row: index + 1, reason: error.message });
      }
    });
  });
}

/** The first option that is not right, in a sentence that begins with its name. */
export class SettingError extends Error {}

/** Parses all options of a configuration. Throws a SettingError. Cost: linear in the number of cells. */
export function parseAll<O extends Options>(options: O, raw: Record<string, unknown>): Settings<O> {
  const settings: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    try {
      settings[name] = option.parse(raw[name]);
    } catch (error) {
      throw error instanceof OptionError ? new SettingError(`${name}: ${error.message}`) : error;
    }
  }
  return settings as Settings<O>;
}

function toPairs(raw: unknown, code: "pairs" | "numberPairs"): [name: string, text: string][] {
  if (typeof raw !== "string") return fail(code);
  const parts = raw.split(",").map((part) => part.trim());
  return parts.filter(Boolean).map((part) => {
    const [name = "", ...rest] = part.split("=").map((side) => side.trim());
    const text = rest.join("=");
    return name !== "" && text !== "" ? [name, text] : fail(code);
  });
}

function toNumber(raw: unknown, range: Range, what: "number" | "integer"): number {
  const result = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
  const { min = -Infinity, max = Infinity } = range;
  const isInside = typeof result === "number" && Number.isFinite(result) && result >= min && result <= max;
  return isInside ? result : fail(...rangeError(what, range));
}

function rangeError(what: "number" | "integer", { min, max }: Range): [ErrorCode, Record<string, number>] {
  if (min !== undefined && max !== undefined) return [`${what}Between`, { min, max }];
  if (min !== undefined) return [`${what}From`, { min }];
  return max === undefined ? [what, {}] : [`${what}UpTo`, { max }];
}

function fail(code: ErrorCode, values?: Record<string, string | number>): never {
  throw new OptionError(code, values);
}

/** The options of every node that looks at metrics. */
export const metricOptions = { metrics: list() };

/** The option of every node that knows devices, see registry.ts. */
export const registryOptions = { registry: reference("device-registry") };

/** The options of every node that keeps state per device. */
export const stateOptions = {
  stateStore: text("file", { required: true }),
  maxDevices: integer(10_000, { min: 1, max: 1_000_000 }),
  forgetAfterHours: number(24, { min: 0.1 }),
};
