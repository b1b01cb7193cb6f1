/** What a spool remembers beside its segments: what is acknowledged, and how far it had come. Replaced as a whole. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { Ranges } from "./ranges.ts";

export interface SpoolState {
  acknowledged: Ranges;
  /** Number after that of the last reading that was known when it was saved. */
  end: number;
}

const NAME = "acknowledged";

/** One line: the checksum of the numbers that follow it. */
export function encodeState({ acknowledged, end }: SpoolState): string {
  const numbers = [end, ...acknowledged.toNumbers()].join();
  return `${crc32(numbers).toString(16)} ${numbers}\n`;
}

/** What was saved in a folder; undefined when it is not there, or damaged. */
export async function readState(folder: string): Promise<SpoolState | undefined> {
  const text = await readFile(join(folder, NAME), "utf8").catch(() => "");
  const [, sum = "", numbers = ""] = /^([0-9a-f]{1,8}) ([\d,]+)\n$/.exec(text) ?? [];
  if (numbers === "" || Number.parseInt(sum, 16) !== crc32(numbers)) return undefined;
  const [end = 0, ...acknowledged] = numbers.split(",").map(Number);
  return { acknowledged: Ranges.from(acknowledged), end };
}

/** Saves it so that a crash leaves either this or what was there before. */
export async function writeState(folder: string, text: string): Promise<void> {
  const path = join(folder, NAME);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
