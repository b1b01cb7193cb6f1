/** From what a sensor counts to what engineers read: names, units and scales of metrics. */
import type { Reading } from "./types.ts";

/** How one property becomes a metric: value × factor + offset, in `unit`. */
export interface Conversion {
  property: string;
  /** Name of the metric; empty keeps the property's. */
  metric: string;
  factor: number;
  offset: number;
  /** Unit of the result; empty keeps what the reading says. */
  unit: string;
}

/**
 * Converts the metrics that a table names and leaves the others alone. The metrics and units of a reading are replaced,
 * not changed, so that what was received stays as it was. A result that is not finite throws with nothing changed.
 */
export function converter(conversions: readonly Conversion[]): (reading: Reading) => void {
  if (conversions.length === 0) return () => {};
  const table = new Map(conversions.map((conversion) => [conversion.property, conversion]));
  return (reading) => {
    const given = new Map(Object.entries(reading.units ?? {}));
    const metrics: Record<string, number> = {};
    const units: Record<string, string> = {};
    for (const [property, value] of Object.entries(reading.metrics)) {
      const { metric = "", factor = 1, offset = 0, unit = "" } = table.get(property) ?? {};
      const name = metric || property;
      const result = value * factor + offset;
      if (!Number.isFinite(result)) throw new RangeError(`${property}: ${value} × ${factor} + ${offset} is not finite`);
      metrics[name] = result;
      const resultUnit = unit || given.get(property);
      if (resultUnit) units[name] = resultUnit;
    }
    reading.metrics = metrics;
    if (Object.keys(units).length > 0) reading.units = units;
  };
}
