/** What an existing Node-RED puts into its settings.js to have the same login as the application. */

/** Two parts of a settings.js, with explanations; both are JavaScript as they stand. */
export const SETTINGS = `\
// The login of Device Analytics for an existing Node-RED. It needs the package in the user directory:
//   cd ~/.node-red && npm install @device-analytics/node-red
// and a user, before Node-RED is started again, for there is none until you make one:
//   npx @device-analytics/node-red users add YOUR-NAME --role admin
// Nothing here opens what is closed now. What you have already, keep it, unless it is named below.

// 1. At the top of settings.js, above module.exports:

const { createLogin } = require("@device-analytics/node-red/dist/login.js");
const login = createLogin({
  // Users, sessions and the audit trail (audit.jsonl) are kept here.
  userDir: __dirname,
  // Where the dashboard is, and the editor: httpAdminRoot without a slash at its end, so "" for "/".
  dashboard: "/ui",
  editor: "",
  // Your own endpoints (http in) are for admins from now on. Those that machines call stay open if you list them here,
  // such as "/telemetry", or "/api/" for all below it. Protect them by other means.
  open: [],
});

// 2. Within module.exports = { ... }:

    // In place of an adminAuth that you have: admins edit, others do not get in. It ends the logins of your former users.
    adminAuth: login.adminAuth,
    // In front of the editor, and with httpAdminRoot "/" of everything else that is served over HTTP. If you have one
    // already, put both into an array: [login.gate, yours]. The same goes for the next two.
    httpAdminMiddleware: login.gate,
    // In front of the http in nodes.
    httpNodeMiddleware: login.gate,
    // In front of the dashboard, and of what its pages send: viewers see, operators command, admins do everything.
    ui: { path: "ui", middleware: login.gate, ioMiddleware: login.ioMiddleware },
    // The editor sends a token with each change, and its log-out ends the session. Merge it with what you have.
    editorTheme: { page: { scripts: [login.script] }, logout: { redirect: "/ui/logout" } },

// 3. What stays as you have it: uiHost and https (without https, listen on 127.0.0.1 or put a proxy in front: passwords
//    would cross the network unencrypted), httpStatic (files there are open to all, unless httpStaticAuth is set), and
//    web sockets of the flows' own (websocket in), which the login does not see.
`;
