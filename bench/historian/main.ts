/**
 * `npm run bench:historian`: spool, both engines, historian-write, import and questions, one after another. Ends with exit
 * code 1 if a target is missed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const PROGRAMS = ["spool", "embedded", "influx", "write", "import", "questions"];

const failed = PROGRAMS.filter((name) => {
  const program = join(import.meta.dirname, `${name}.ts`);
  return spawnSync(process.execPath, [program], { stdio: "inherit" }).status !== 0;
});
process.exit(failed.length > 0 ? 1 : 0);
