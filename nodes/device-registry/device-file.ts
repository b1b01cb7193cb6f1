/** The list of devices as a CSV file, whose columns are named like those of the table. */
import { type BigIntStats, readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import type { DeviceRecord } from "../../core/types.ts";
import { delimiterOf } from "../lib/csv.ts";
import type { Settings } from "../lib/options.ts";
import { options } from "./options.ts";

/** How often the file is looked at, ms. Looking by name sees a file that is put in its place as well. */
const LOOK_INTERVAL = 500;

/** A row of the table. */
type Row = Settings<typeof options>["devices"][number];

/** Reads the devices of a file, in one go: some 15 µs a device. Throws an Error that names the file if it is no such list. */
export function readDevices(path: string): DeviceRecord[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
    return toRecords(options.devices.parse(parseRows(text)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: ${code === "ENOENT" ? "there is no such file" : message}`);
  }
}

function parseRows(text: string): unknown {
  if (text.trim() === "") throw new Error("it is empty");
  const known = Object.keys(options.devices.columns ?? {});
  return parse(text, {
    delimiter: delimiterOf(text),
    skip_empty_lines: true,
    trim: true,
    columns(header: string[]) {
      const unknown = header.find((name) => !known.includes(name));
      if (unknown !== undefined)
        throw new Error(`there is a column ${JSON.stringify(unknown)}, known are ${known.join(", ")}`);
      if (!header.includes("deviceId")) throw new Error("there is no column deviceId");
      return header;
    },
  });
}

/** Rows as what is known of the devices, without what is empty. */
export function toRecords(rows: readonly Row[]): DeviceRecord[] {
  return rows.map(({ deviceId, tags, limits, ...texts }) => {
    const known = Object.entries(texts).filter(([, value]) => value !== "" && value !== undefined);
    return {
      deviceId,
      ...Object.fromEntries(known),
      ...(Object.keys(tags).length > 0 && { tags }),
      ...(Object.keys(limits).length > 0 && { limits }),
    };
  });
}

/**
 * Calls `changed` when a file is no more what it is now, and then stays as it is from one look to the next, lest a
 * half-written list counts. Ends when the returned function is called.
 */
export function watchDevices(path: string, changed: () => void): () => void {
  let last = presentMark(path);
  let isUnsettled = false;
  let isLooking = false;
  let isEnded = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    const present = await stat(path, { bigint: true }).then(markOf, () => NONE);
    isLooking = false;
    if (isEnded) return;
    if (present !== last) isUnsettled = true;
    else if (isUnsettled) {
      isUnsettled = false;
      changed();
    }
    last = present;
  };
  const timer = setInterval(look, LOOK_INTERVAL);
  return () => {
    isEnded = true;
    clearInterval(timer);
  };
}

/** The mark of a file that can't be looked at. */
const NONE = "";

function presentMark(path: string): string {
  try {
    return markOf(statSync(path, { bigint: true }));
  } catch {
    return NONE;
  }
}

/** What tells a file from what it was before, and from another one. */
function markOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join();
}
