/** What the tests of the spool share: readings that are lines with their own number. */
import { cpSync } from "node:fs";
import { type Batch, type Range, Spool, type SpoolOptions } from "../../../nodes/historian-write/spool/spool.ts";
import { newFolder } from "../../support/folders.ts";

const encoder = new TextEncoder();

/** Segments of 4 kB. */
export const SMALL: Omit<SpoolOptions, "folder"> = {
  limitBytes: 64 * 1024,
  limitAge: 3_600_000,
  whenFull: "refuse",
  fsync: "never",
};

/** Opens a spool, in a new folder unless one is named. */
export async function openSpool(options: Partial<SpoolOptions> = {}): Promise<Spool> {
  return await Spool.open({ folder: newFolder(), ...SMALL, ...options });
}

/** The lines of some readings, each of `length` bytes or as long as its number is. */
export function linesOf({ from, to }: Range, length = 0): Uint8Array {
  let lines = "";
  for (let number = from; number < to; number++) lines += `${String(number).padEnd(length - 1)}\n`;
  return encoder.encode(lines);
}

/** The numbers in a batch. */
export function numbersIn({ bytes }: Batch): number[] {
  return Buffer.from(bytes).toString().split("\n").slice(0, -1).map(Number);
}

/** All that can be read of a range, or from the beginning. */
export async function readAll(spool: Spool, range: Range | number = spool.start): Promise<number[]> {
  const cursor = spool.cursor(range);
  const numbers: number[] = [];
  for (;;) {
    const batch = await cursor.read(1000, 50);
    if (!batch) return numbers;
    for (const number of numbersIn(batch)) numbers.push(number);
  }
}

/** What is on disk at this moment, as a crash would leave it. */
export function crashed(folder: string): string {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true, filter: (file) => !file.includes("lock.") });
  return copy;
}

/** All numbers of a range. */
export function numbers({ from, to }: Range): number[] {
  return Array.from({ length: to - from }, (_, place) => from + place);
}
