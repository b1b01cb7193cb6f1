/** The pages of the login, in the look of the dashboard: plain HTML that works without a script. */
import { ROLES } from "./rights.ts";
import type { User } from "./users.ts";

/** Text as it stands in HTML, also within quotes. */
const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: dark; --line: light-dark(#6b7a89, #5b6b7d); --card: light-dark(#f7f9fa, #1c2530); --page: light-dark(#dfe4e9, #111820); }
:root[data-theme="light"] { color-scheme: light; }
body { margin: 0; background: var(--page); color: light-dark(#16202b, #e8edf2); font: 16px/1.4 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
main.narrow { max-width: 22rem; padding-top: 12vh; }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0 0 1rem; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 2rem 0 0.75rem; }
form.card, .table, p.note { background: var(--card); border-radius: 8px; }
form.card { padding: 1.25rem; display: grid; gap: 0.9rem; max-width: 22rem; box-sizing: border-box; }
label { display: grid; gap: 0.3rem; font-weight: 600; }
input, select, button { font: inherit; font-weight: 400; color: inherit; background: light-dark(#fff, #111820); border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem 0.7rem; box-sizing: border-box; }
input::placeholder { color: light-dark(#5a6775, #9aa7b4); }
label > input, label > select { width: 100%; }
button { background: light-dark(#cfe6f3, #17506e); border-color: light-dark(#0072b2, #56b4e9); font-weight: 600; cursor: pointer; white-space: nowrap; }
button.danger { background: none; border-color: light-dark(#b93a08, #d98a5f); }
:is(input, select, button, a):focus-visible { outline: 3px solid light-dark(#005a8c, #f0e442); outline-offset: 1px; }
p.note { padding: 0.75rem 1rem; border-left: 4px solid light-dark(#b93a08, #d55e00); }
p.note.good { border-color: light-dark(#00795a, #2aa876); }
a { color: light-dark(#005a8c, #8fd0f5); }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: 0.6rem 0.8rem; }
td { border-top: 1px solid light-dark(#c3ccd5, #2b3744); }
td form { display: inline-flex; gap: 0.4rem; }
nav { display: flex; gap: 1.5rem; margin-bottom: 1.5rem; }
`;

function page(title: string, content: string, { narrow = false, script = "" } = {}): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · Device Analytics</title><style>${STYLE}</style></head>
<body><main${narrow ? ' class="narrow"' : ""}>${content}</main>${script && `<script src="${script}"></script>`}</body></html>
`;
}

/** What a page may load: only what is on it, and its script from here. */
export const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const note = (text: string | undefined, isGood = false) =>
  text ? `<p class="note${isGood ? " good" : ""}" role="${isGood ? "status" : "alert"}">${escaped(text)}</p>` : "";

const hidden = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escaped(value)}">`;

/** Where to log in; `next` is the path to go on to. */
export function loginPage(token: string, next: string, name: string, problem?: string): string {
  return page(
    "Log in",
    `<h1>Device Analytics</h1>${note(problem)}
<form class="card" method="post" action="login">${hidden("csrf", token)}${hidden("next", next)}
<label>Name <input name="name" value="${escaped(name)}" autocomplete="username" autocapitalize="none" required${name ? "" : " autofocus"}></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required${name ? " autofocus" : ""}></label>
<button>Log in</button></form>`,
    { narrow: true, script: "session.js" },
  );
}

/** Asks whether to log out: a link alone must not do it. */
export function logoutPage(token: string, { name, role }: User): string {
  return page(
    "Log out",
    `<h1>Log out</h1><form class="card" method="post" action="logout">${hidden("csrf", token)}
<div>You are logged in as ${escaped(name)} (${role}).</div><button>Log out</button></form>`,
    { narrow: true },
  );
}

/** Says why something is not there for this user. */
export function refusalPage(reason: string, home: string): string {
  return page(
    "Not allowed",
    `<h1>Not allowed</h1>${note(reason)}<p><a href="${home}/">To the dashboard</a> · <a href="${home}/logout">Log in as somebody else</a></p>`,
    { narrow: true },
  );
}

/** All users, for an administrator to change. */
export function usersPage(token: string, self: User, users: User[], done?: string, problem?: string): string {
  const form = (action: string, name: string, fields: string) =>
    `<form method="post" action="users">${hidden("csrf", token)}${hidden("action", action)}${hidden("name", name)}${fields}</form>`;
  const options = (role: string) =>
    ROLES.map((each) => `<option${each === role ? " selected" : ""}>${each}</option>`).join("");
  const rows = users.map(({ name, role }) => {
    const label = (what: string) => `aria-label="${what} ${escaped(name)}"`;
    const isSelf = name === self.name;
    return `<tr><td>${escaped(name)}${isSelf ? " (you)" : ""}</td>
<td>${isSelf ? role : form("role", name, `<select name="role" ${label("Role of")}>${options(role)}</select><button>Save</button>`)}</td>
<td>${form("password", name, `<input name="password" type="password" autocomplete="new-password" placeholder="new password" required ${label("New password of")}><button>Set</button>`)}</td>
<td>${isSelf ? "" : form("remove", name, `<button class="danger" ${label("Remove")}>Remove</button>`)}</td></tr>`;
  });
  return page(
    "Users",
    `<nav><a href="./">Dashboard</a><a href="logout">Log out</a></nav><h1>Users</h1>${note(done, true)}${note(problem)}
<div class="table"><table><thead><tr><th>Name</th><th>Role</th><th>Password</th><th></th></tr></thead><tbody>${rows.join("")}</tbody></table></div>
<p>A viewer sees everything. An operator also acknowledges, shelves and gives commands. An admin also changes limits of the whole fleet, users and flows.</p>
<h2>New user</h2><form class="card" method="post" action="users">${hidden("csrf", token)}${hidden("action", "add")}
<label>Name <input name="name" autocomplete="off" autocapitalize="none" required></label>
<label>Role <select name="role">${options("viewer")}</select></label>
<label>Password <input name="password" type="password" autocomplete="new-password" required></label>
<button>Add</button></form>`,
  );
}
