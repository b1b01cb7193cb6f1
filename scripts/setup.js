// Makes a checkout ready to run: installs its packages, builds dist/, and with --servers installs what the tests need.
// With --packages it leaves dist/ as it is, which an application that runs is using.
// Plain JavaScript without a dependency: it runs before anything is installed, on any Node from 18.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");

/** Debian packages of what the tests run against, by the program that each brings. */
const SERVERS = { influxd: "influxdb", mosquitto: "mosquitto", chromium: "chromium", strace: "strace" };

/** Programs of the system alone: npm must not run from the folder that it is about to replace. */
const systemPath = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .concat("/usr/sbin", "/sbin");

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function run(reason, command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: systemPath.join(delimiter), ...env },
  });
  if (status !== 0) fail(error ? `${reason}: ${error.message}` : reason);
}

const hasProgram = (name) => systemPath.some((folder) => existsSync(join(folder, name)));

/** npm writes both lock files within the same moment, so a second's difference says nothing. */
function packagesAreCurrent() {
  const installed = join(modules, ".package-lock.json");
  return (
    existsSync(installed) && statSync(join(root, "package-lock.json")).mtimeMs <= statSync(installed).mtimeMs + 1000
  );
}

function installServers() {
  const missing = Object.keys(SERVERS).filter((program) => !hasProgram(program));
  if (missing.length === 0) return;
  const packages = missing.map((program) => SERVERS[program]);
  const remedy = `The tests need ${missing.join(", ")}. Install them with: apt-get install ${packages.join(" ")}`;
  if (!hasProgram("apt-get") || process.getuid?.() !== 0) fail(`${remedy} (as root, on Debian)`);
  const options = ["-o", "DPkg::Lock::Timeout=300"];
  // Runlevel 1 keeps Debian from starting the servers: the tests start their own, on free ports.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  run(`${remedy} (apt-get update failed)`, "apt-get", [...options, "update"], env);
  run(
    `${remedy} (apt-get install failed)`,
    "apt-get",
    [...options, "install", "-y", "--no-install-recommends", ...packages],
    env,
  );
  const stillMissing = missing.filter((program) => !hasProgram(program));
  if (stillMissing.length > 0) fail(`${remedy} (installed, but without ${stillMissing.join(", ")})`);
}

if (!packagesAreCurrent()) {
  run("Installing the packages failed (npm ci)", "npm", ["ci", "--include=dev", "--no-audit", "--no-fund"]);
}
if (process.argv.includes("--servers")) installServers();
if (!process.argv.includes("--packages")) run("The build failed", join(modules, ".bin", "node"), ["scripts/build.ts"]);
