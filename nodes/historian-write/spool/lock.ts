/** Keeps a folder to one owner, of all processes of this machine. A lock whose owner has ended holds nothing. */
import { readdir, readFile, readlink, realpath, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** How often an owner touches its lock, ms, for those who can't see its process: it may be in another container. */
const BEAT = 1000;

/** What a lock says that has been given back. */
const FREE = "free\n";

/** Folders that this process has: here it does not depend on a file, which a full disk may leave empty. */
const own = new Set<string>();

/**
 * Takes a folder.
 *
 * @returns what gives it back
 * @throws Error when somebody has it, in this process or another
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = await realpath(folder);
  if (own.has(path)) throw inUse(folder, "another node");
  own.add(path);
  try {
    const lock = await takeLock(path);
    const beat = setInterval(() => void utimes(lock, new Date(), new Date()).catch(() => {}), BEAT).unref();
    return async () => {
      clearInterval(beat);
      // A lock that stays is found to be of a process that has ended.
      await writeFile(lock, FREE).catch(() => {});
      own.delete(path);
    };
  } catch (error) {
    own.delete(path);
    throw error;
  }
}

/**
 * Makes the lock with the highest number, which is the one that counts. Of several who find that the newest one holds
 * nothing, one makes the next. Who was too slow, so that there is a newer one already, finds it when it looks again.
 */
async function takeLock(folder: string): Promise<string> {
  const pathOf = (number: number) => join(folder, `lock.${number}`);
  for (;;) {
    const newest = (await findLocks(folder)).at(-1) ?? 0;
    const owner = newest === 0 ? undefined : await ownerOf(pathOf(newest));
    if (owner !== undefined) throw inUse(folder, owner);
    const path = pathOf(newest + 1);
    try {
      await writeFile(path, await identity(process.pid), { flag: "wx" });
    } catch (error) {
      if (isError(error, "EEXIST")) continue;
      if (!isError(error, "ENOSPC", "EDQUOT")) throw error;
    }
    const locks = await findLocks(folder);
    const isNewest = locks.at(-1) === newest + 1;
    for (const number of isNewest ? locks.slice(0, -1) : [newest + 1]) await rm(pathOf(number), { force: true });
    if (isNewest) return path;
  }
}

/** Numbers of the locks in a folder, ascending. */
async function findLocks(folder: string): Promise<number[]> {
  const numbers = (await readdir(folder)).map((name) => Number(/^lock\.(\d{1,15})$/.exec(name)?.[1] ?? 0));
  return numbers.filter((number) => number > 0).sort((a, b) => a - b);
}

function inUse(folder: string, who: string): Error {
  return new Error(`${folder} is in use by ${who}: each spool needs a folder of its own`);
}

/** Who holds a lock; undefined if nobody does. */
async function ownerOf(path: string): Promise<string | undefined> {
  const read = () => readFile(path, "utf8").catch(() => "");
  const lock = await read();
  const [pid = "", , boot, space] = lock.trimEnd().split(" ");
  const [, , ownBoot, ownSpace] = (await identity(process.pid)).trimEnd().split(" ");
  if (lock !== "" && boot !== ownBoot) return undefined;
  if (space === ownSpace && lock !== "") {
    return lock === (await identity(Number(pid))) ? `the process ${pid}` : undefined;
  }
  // Numbers of processes say nothing here, or it is just being written, or the disk is full.
  const touched = async () => (await stat(path).catch(() => undefined))?.mtimeMs;
  const before = await touched();
  await wait(2.5 * BEAT);
  if (lock === "" && (await read()) !== "") return await ownerOf(path);
  return (await touched()) === before ? undefined : "another process";
}

/** What tells a process from all others that have or had its number: when it was started. Empty if it does not run. */
async function identity(pid: number): Promise<string> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (isError(error, "ESRCH")) return "";
  }
  const read = (path: string) => readFile(path, "utf8").catch(() => "");
  const status = await read(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may hold anything.
  const fields = status.slice(status.lastIndexOf(")")).split(" ");
  if (fields[1] === "Z") return "";
  const boot = await read("/proc/sys/kernel/random/boot_id");
  const space = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${pid} ${fields[20] ?? ""} ${boot.trim()} ${space}\n`;
}

/** True for an error of the system with one of these codes. */
export function isError(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? "");
}
