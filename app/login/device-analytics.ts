#!/usr/bin/env node
/** `npx @device-analytics/node-red …`: the login of an existing Node-RED, its settings and its users. */
import { homedir } from "node:os";
import { join } from "node:path";
import { manageUsers } from "./command.ts";
import { SETTINGS } from "./settings-text.ts";

const command = "npx @device-analytics/node-red";
const help = `Usage: ${command} settings   prints what goes into settings.js, and explains it
       ${command} users ...  lists, makes, changes and removes users
`;

const [action, ...rest] = process.argv.slice(2);
if (action === "users") {
  process.exitCode = await manageUsers(rest, `${command} users`, join(homedir(), ".node-red"));
} else {
  console.log(action === "settings" ? SETTINGS : help);
  if (action !== "settings" && action !== "--help") process.exitCode = 1;
}
