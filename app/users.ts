/** `npm run users`: the users of the application in this checkout. */
import { join } from "node:path";
import { manageUsers } from "./login/command.ts";

const userDir = join(import.meta.dirname, "..", ".device-analytics");
process.exitCode = await manageUsers(process.argv.slice(2), "npm run users --", userDir);
