/** Names that are input: which a list of names means, what a record has by one, and what people call a device. */

/**
 * What a record has by a name that is input: a metric may be called `constructor`, which every object inherits. Cost: one
 * look-up.
 */
export function ownOf<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A device by what people call it, with its id beside that, for names can repeat: "Pump (P7)". */
export function deviceLabel({ deviceId, name }: { deviceId: string; name?: string | undefined }): string {
  return name === undefined ? deviceId : `${name} (${deviceId})`;
}

/** Tells which metrics count. */
export type MetricFilter = (metric: string) => boolean;

/**
 * Tells whether a name is meant by a list of names, in which `*` stands for any characters.
 *
 * @returns a predicate, or undefined for an empty list, which means every name. It remembers its answers, for a bounded
 *   number of names, so that each call costs one look-up.
 */
export function nameFilter(names: readonly string[]): MetricFilter | undefined {
  if (names.length === 0 || names.includes("*")) return undefined;
  const patterns = names.map((name) => new RegExp(`^${name.split("*").map(escapeRegExp).join(".*")}$`, "s"));
  const known = new Map<string, boolean>();
  return (name) => {
    let isMeant = known.get(name);
    if (isMeant === undefined) {
      isMeant = patterns.some((pattern) => pattern.test(name));
      if (known.size < 10_000) known.set(name, isMeant);
    }
    return isMeant;
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
