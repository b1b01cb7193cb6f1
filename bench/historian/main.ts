/** `npm run bench:historian`: spool, both engines and historian-write, one after another. Ends with exit code 1 if a target is missed. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const PROGRAMS = ["spool", "embedded", "influx", "write", "import"];

const failed = PROGRAMS.filter((name) => {
  const program = join(import.meta.dirname, `${name}.ts`);
  return spawnSync(process.execPath, [program], { stdio: "inherit" }).status !== 0;
});
process.exit(failed.length > 0 ? 1 : 0);
