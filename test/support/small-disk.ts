/** A small disk of its own for a test, in memory. It takes the right to mount one: as root, or `unshare -rm npm test`. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "./folders.ts";

export interface SmallDisk extends Disposable {
  folder: string;
  /** Leaves so many bytes free, more or less a page, by a file that takes the rest. */
  leaveFree(bytes: number): void;
}

/** Mounts a disk; `using` takes it away at the end of the block. */
export function mountSmallDisk(bytes: number): SmallDisk {
  const folder = newFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder], { stdio: "pipe" });
  const ballast = join(folder, "ballast");
  return {
    folder,
    leaveFree(wanted) {
      rmSync(ballast, { force: true });
      const { bavail, bsize } = statfsSync(folder);
      const file = openSync(ballast, "w");
      try {
        for (let left = bavail - Math.floor(wanted / bsize); left > 0; left--) writeSync(file, Buffer.alloc(bsize));
      } finally {
        closeSync(file);
      }
    },
    [Symbol.dispose]() {
      execFileSync("umount", ["--lazy", folder]);
    },
  };
}
