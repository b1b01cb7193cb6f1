import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, startChild } from "../support/child.ts";
import { newFolder } from "../support/folders.ts";
import { PageSocket } from "../support/page-socket.ts";
import { freePort } from "../support/ports.ts";
import { logIn, Session } from "../support/session.ts";

const root = join(import.meta.dirname, "..", "..");
const program = join(root, "dist", "device-analytics.js");
const PASSWORD = "long enough for all";

/** A flow of somebody's own: a dashboard, and an endpoint for machines and one for nobody. */
const FLOW = [
  { id: "tab", type: "tab" },
  { id: "page", type: "ui_tab", name: "Page" },
  { id: "group", type: "ui_group", name: "Group", tab: "page", className: "" },
  {
    id: "input",
    type: "ui_text_input",
    z: "tab",
    group: "group",
    delay: 0,
    mode: "text",
    className: "role-operator",
    wires: [["said"]],
  },
  {
    id: "said",
    type: "function",
    z: "tab",
    func: "node.warn(msg.by + ' (' + msg.role + '): ' + msg.payload);",
    wires: [],
  },
  ...["machines", "inner"].flatMap((name) => [
    { id: name, type: "http in", z: "tab", url: `/${name}`, method: "post", wires: [[`${name}-response`]] },
    { id: `${name}-response`, type: "http response", z: "tab", statusCode: "204", wires: [] },
  ]),
  // Any node of the package makes its login known to the flows.
  { id: "series", type: "live-series", z: "tab", wires: [[]] },
];

for (const [version, node, nodeRed] of [
  ["Node-RED 5 on Node 24", process.execPath, "node-red"],
  ["Node-RED 4.1 on Node 20", join(root, "node_modules", "node20", "bin", "node"), "node-red-4"],
] as const) {
  describe(`the settings that npx prints, in ${version}`, function () {
    this.timeout(60_000);
    let child: Child;
    let url: string;
    let admin: Session;

    before(async () => {
      const userDir = newFolder();
      mkdirSync(join(userDir, "node_modules", "@device-analytics"), { recursive: true });
      symlinkSync(root, join(userDir, "node_modules", "@device-analytics", "node-red"));
      symlinkSync(
        join(root, "node_modules", "node-red-dashboard"),
        join(userDir, "node_modules", "node-red-dashboard"),
      );
      const modules = { "@device-analytics/node-red": "*", "node-red-dashboard": "*" };
      writeFileSync(join(userDir, "package.json"), JSON.stringify({ dependencies: modules }));
      writeFileSync(join(userDir, "flows.json"), JSON.stringify(FLOW));

      const run = (...args: string[]) => execFileSync(node, [program, ...args], { encoding: "utf8", input: PASSWORD });
      const [top = "", within = ""] = run("settings").split("// 2. Within module.exports = { ... }:");
      const port = await freePort();
      const own = `uiHost: "127.0.0.1", uiPort: ${port}, flowFile: "flows.json", credentialSecret: false,
        telemetry: { enabled: false }, userDir: __dirname,`;
      const settings = join(userDir, "settings.cjs");
      writeFileSync(settings, `${top.replace("open: []", 'open: ["/machines"]')}module.exports = {${own}${within}};`);
      run("users", "add", "boss", "--role", "admin", "--user-dir", userDir);
      run("users", "add", "guest", "--user-dir", userDir);
      child = await startChild(node, [join(root, "node_modules", nodeRed, "red.js"), "-u", userDir, "-s", settings]);
      await child.waitFor(/Started flows/, 30_000);
      url = `http://127.0.0.1:${port}`;
      admin = await logIn(url, { name: "boss", password: PASSWORD });
    });

    after(() => child.stop());

    it("let nobody in without a login", async () => {
      const nobody = new Session(url);
      for (const path of ["/", "/flows", "/ui/", "/ui/manifest.json", "/red/red.min.js"])
        assert.equal((await nobody.fetch(path)).status, 401, path);
      await assert.rejects(PageSocket.open(nobody));
    });

    it("lead on to where somebody wanted", async () => {
      const session = new Session(url);
      await session.renew();
      const response = await session.post("/ui/login", { name: "guest", password: PASSWORD, next: "/ui/?a=1" });
      assert.equal(response.headers.get("location"), "/ui/?a=1");
    });

    it("let an admin edit, with the token, and others not", async () => {
      const guest = await logIn(url, { name: "guest", password: PASSWORD });
      assert.equal((await guest.fetch("/flows")).status, 403);
      const flows = await (await admin.fetch("/flows")).text();
      const deploy = (headers = {}) =>
        admin.fetch("/flows", {
          method: "POST",
          body: flows,
          headers: { "Content-Type": "application/json", "Node-RED-Deployment-Type": "flows", ...headers },
        });
      assert.equal((await deploy({ "X-CSRF-Token": "" })).status, 403);
      assert.equal((await deploy({ Origin: "http://elsewhere.example" })).status, 403);
      assert.equal((await deploy({ Origin: url })).status, 204);
    });

    it("leave open what is to be open, and that alone", async () => {
      const machine = new Session(url);
      assert.equal((await machine.fetch("/machines", { method: "POST" })).status, 204);
      assert.equal((await machine.fetch("/inner", { method: "POST" })).status, 401);
      assert.equal((await admin.fetch("/inner", { method: "POST" })).status, 204);
    });

    it("have the dashboard obey the role, and say who it was", async () => {
      assert.match(await (await admin.fetch("/ui/")).text(), /<script src="session.js">/);
      await using boss = await PageSocket.open(admin);
      await using guest = await PageSocket.open(await logIn(url, { name: "guest", password: PASSWORD }));
      await guest.emit("update-value", { id: "input", value: "mine" });
      await guest.settled();
      await boss.emit("update-value", { id: "input", value: "yours", by: "guest" });
      await child.waitFor(/boss \(admin\): yours/);
      assert.ok(!child.output().includes("mine"));
    });
  });
}
