/** What the processors of this machine do, for us and for others. */
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Clock ticks of a second in /proc, on every Linux that people use. */
const TICKS = 100;

/** The time that all processors and this program's processes have worked, s. */
export interface Work {
  all: number;
  own: number;
  /** Time of the measurement, s. */
  at: number;
}

/** What has been worked so far. Cost: one look into /proc for each process. */
export function work(): Work {
  const all = cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0) / 1000;
  return { all, own: ownSeconds(), at: performance.now() / 1000 };
}

/** The share of all processors that other programs took between two measurements, percent. */
export function shareOfOthers(before: Work, after: Work): number {
  const others = after.all - before.all - (after.own - before.own);
  return Math.max(0, (100 * others) / cpus().length / (after.at - before.at));
}

/** Of this process and all that descend from it; where there is no /proc, all that is worked counts as others' work. */
function ownSeconds(): number {
  const parents = new Map<number, { parent: number; seconds: number }>();
  for (const name of entriesOf("/proc")) {
    const stat = /^\d+$/.test(name) ? textOf(`/proc/${name}/stat`) : undefined;
    if (stat === undefined) continue;
    // The name of the program, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    parents.set(Number(name), { parent: Number(fields[1]), seconds: ticks / TICKS });
  }
  let sum = 0;
  for (const [pid, { seconds }] of parents) {
    let ancestor: number | undefined = pid;
    while (ancestor !== undefined && ancestor !== process.pid) ancestor = parents.get(ancestor)?.parent;
    if (ancestor === process.pid) sum += seconds;
  }
  return sum;
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Undefined when the process has ended meanwhile. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
