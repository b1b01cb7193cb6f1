/** The command that manages users, for `npm run users` and for `npx @device-analytics/node-red users`. */
import { once } from "node:events";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { parseArgs } from "node:util";
import { AuditTrail } from "./audit.ts";
import { randomPassword } from "./passwords.ts";
import { ROLES } from "./rights.ts";
import { fileOfUsers, UserError, UserFile } from "./users.ts";

/** The help; `command` is how it was called. */
const helpOf = (command: string, userDir: string) => `Usage: ${command} [--user-dir DIR] ...

  list                    the users and their roles
  add NAME --role ROLE    a new user: ${ROLES.join(", ")} (viewer)
  role NAME ROLE          another role; pages that are open follow
  password NAME           another password; its sessions end
  remove NAME             its sessions end

A password is asked for, or read from standard input; an empty one makes a random one, which is printed.
  --user-dir DIR          where the users are kept (${userDir})
`;

/**
 * Runs the command and gives its exit code.
 *
 * @param userDir the folder of the users unless the arguments name another
 */
export async function manageUsers(args: string[], command: string, userDir: string): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { role: { type: "string" }, "user-dir": { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    const [action = "", name = "", role = ""] = positionals;
    const isComplete = { list: 1, add: 2, role: 3, password: 2, remove: 2 }[action] === positionals.length;
    if (values.help || !isComplete) {
      console.log(helpOf(command, userDir));
      return values.help ? 0 : 1;
    }
    const folder = resolve(process.env.INIT_CWD ?? "", values["user-dir"] ?? userDir);
    const users = new UserFile(fileOfUsers(folder), (text) => console.error(text));
    if (action === "list") {
      for (const user of users.list()) console.log(`${user.role.padEnd(10)}${user.name}`);
      return 0;
    }
    const asks = action === "add" || action === "password";
    const typed = asks ? await askPassword() : "";
    const password = typed || randomPassword();
    if (action === "add") await users.add(name, values.role ?? "viewer", password);
    if (action === "password") await users.setPassword(name, password);
    if (action === "role") users.setRole(name, role);
    if (action === "remove") users.remove(name);
    const trail = new AuditTrail(join(folder, "audit.jsonl"), console.error, () => undefined);
    trail.record({
      by: userInfo().username,
      action: "user",
      target: name,
      detail: action,
      from: "command line",
      outcome: "ok",
    });
    trail.close();
    if (asks && !typed) console.log(`The password is ${password} (shown this once)`);
    return 0;
  } catch (error) {
    const isMistake = error instanceof UserError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
    if (!isMistake) throw error;
    console.error((error as Error).message);
    return 1;
  }
}

/** Reads a line that is not shown. */
async function askPassword(): Promise<string> {
  const isTerminal = process.stdin.isTTY === true;
  if (isTerminal) process.stdout.write("Password (empty for a random one): ");
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: isTerminal });
  const [typed] = await Promise.race([once(lines, "line"), once(lines, "close")]);
  lines.close();
  if (isTerminal) process.stdout.write("\n");
  return typed ?? "";
}
