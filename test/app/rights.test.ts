import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { FlowNode } from "../../app/flow-files.ts";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { connectClient } from "../support/mqtt.ts";
import { PageSocket } from "../support/page-socket.ts";
import { ADMIN, logIn, Session } from "../support/session.ts";

interface Route {
  base: string;
  path: string;
  /** Whether the path is a regular expression. */
  isPattern: boolean;
  /** None: it answers all of them, at its path and below. */
  methods: string[];
}

const ROLES = ["viewer", "operator", "admin"] as const;
const PASSWORD = "long enough for all";

/** Paths that fit the patterns of the editor's routes. */
const SAMPLES = [
  "/resources/module/file.js",
  "/locales/editor",
  "/library/local/flows",
  "/library/local/flows/file",
  "/nodes/messages",
  "/nodes/module/set/messages",
  "/nodes/module",
  "/nodes/module/set",
  "/plugins/module",
  "/plugins/module/set",
];

/** What everybody may do, and what viewers may; all else is for administrators. */
const PUBLIC = /^(GET|POST) \/ui\/login$|^GET \/ui\/session(\.js)?$/;
const VIEWERS =
  /^GET \/(history\.csv)?$|^GET \/ui(\/(?!users$).*)?$|^GET \/device-analytics\/.*$|^(GET|POST) \/ui\/(logout|socket\.io\/.*)$/;

/** What a page may say without touching a widget. */
const LOOKING = ["ui-replay-state", "ui-change", "ui-collapse", "ui-refresh", "ui-audio", "ui-params"];

/** Widgets for trying out: on the class of a widget, or else of its group, depends who may use it. */
const WIDGETS: FlowNode[] = [
  { id: "try", type: "tab", label: "Try" },
  { id: "try-page", type: "ui_tab", name: "Try", order: 9 },
  ...["role-viewer wide", "role-admin", ""].map((className, n) => ({
    id: `try-group-${n}`,
    type: "ui_group",
    name: `Group ${n}`,
    tab: "try-page",
    order: n,
    className,
  })),
  ...[
    { id: "for-viewers", group: "try-group-0", className: "" },
    { id: "for-operators", group: "try-group-2", className: "narrow not-role-viewer" },
    { id: "for-admins", group: "try-group-1", className: "" },
    { id: "again-for-operators", group: "try-group-1", className: "role-operator" },
  ].map((widget) => ({ ...widget, type: "ui_text_input", z: "try", delay: 0, mode: "text", wires: [["try-out"]] })),
  {
    id: "choice-for-viewers",
    type: "ui_dropdown",
    z: "try",
    group: "try-group-0",
    className: "",
    options: [{ label: "", value: 1, type: "num" }],
    wires: [[]],
  },
  {
    id: "template-for-viewers",
    type: "ui_template",
    z: "try",
    group: "try-group-0",
    className: "",
    format: "",
    wires: [["try-out"]],
  },
  {
    id: "try-out",
    type: "function",
    z: "try",
    func: 'return { topic: "plant/said", payload: msg };',
    wires: [["try-mqtt"]],
  },
  { id: "try-mqtt", type: "mqtt out", z: "try", broker: "dashboard-broker", topic: "", qos: "1", wires: [] },
];

describe("the rights of those who have logged in", function () {
  this.timeout(120_000);
  let application: Application;
  let routes: Route[];
  let events: string[];
  let expired: Session;
  const sessions = new Map<string, Session>();

  before(async () => {
    const userDir = newFolder();
    await using early = await startApplication({ userDir, env: { SESSION_HOURS: String(1 / 3600) } });
    expired = await early.admin();
    await early.stop();

    const file = join(newFolder(), "routes.json");
    const probe = pathToFileURL(join(import.meta.dirname, "..", "support", "routes.js"));
    application = await startApplication({ userDir, env: { NODE_OPTIONS: `--import=${probe}`, ROUTES: file } });
    const admin = await application.admin();
    sessions.set("admin", admin);
    for (const role of ["viewer", "operator"]) {
      await admin.post("/ui/users", { action: "add", name: role, role, password: PASSWORD });
      sessions.set(role, await logIn(application.url, { name: role, password: PASSWORD }));
    }
    await using _page = await PageSocket.open(admin);
    process.kill(application.pid, "SIGUSR2");
    while (!existsSync(file)) await delay(50);
    ({ routes, events } = JSON.parse(readFileSync(file, "utf8")));
  });

  after(() => application.stop());

  const as = (role: string) => sessions.get(role) ?? assert.fail();

  /** A method and path for every route, own pages of the login among them. */
  function requests(): [method: string, path: string][] {
    const own = ["login", "logout", "users", "session", "session.js"].map((name) => `/ui/${name}`);
    const found = routes.flatMap(({ base, path, isPattern, methods }) => {
      const root = base.replace(/\/+$/, "").replaceAll("//", "/");
      const sample = isPattern ? SAMPLES.find((each) => new RegExp(path).test(each)) : filledIn(path);
      assert.ok(sample !== undefined, `no sample path for ${path}: add one`);
      if (methods.length > 0) return methods.map((method): [string, string] => [method, root + sample]);
      if (path === "") return [];
      return [root + sample, `${root}${sample}/x`].flatMap((each): [string, string][] => [
        ["GET", each],
        ["POST", each],
      ]);
    });
    const more = ["/nowhere", "/ui/nowhere", "/UI/x", "//ui/x", "/ui/socket.io/x", "/admin", "/ADMIN/flows"];
    const others = [...own, ...more].flatMap((path) => ["GET", "POST", "DELETE"].map((method) => `${method} ${path}`));
    const all = new Set([...found.map((each) => each.join(" ")), ...others]);
    return [...all].map((each) => each.split(" ") as [string, string]);
  }

  const filledIn = (path: string) =>
    path
      .replace(/:(\w+)\(([^|)]+)[^)]*\)/g, "$2")
      .replace(/:\w+/g, "x")
      .replace(/\/\?\*|\*/g, (sign) => (sign === "*" ? "x" : "/x"));

  /** Asks for something; a change is none that could be carried out. */
  const ask = (session: Session, method: string, path: string, headers: Record<string, string> = {}) =>
    session.fetch(path, {
      method,
      headers: { ...headers, ...(method === "GET" ? {} : { "Content-Type": "application/json" }) },
      ...(method === "GET" ? {} : { body: "{" }),
    });

  async function statuses(session: Session, headers: Record<string, string> = {}): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const [method, path] of requests()) {
      // These end the session.
      if (path === "/ui/logout" && method === "POST") continue;
      const response = await ask(session, method, path, headers);
      await response.arrayBuffer();
      found.set(`${method} ${path}`, response.status);
    }
    return found;
  }

  /** At the login itself, 401 says that the password is wrong. */
  const isOpen = (status: number, what: string) => (status !== 401 || what === "POST /ui/login") && status !== 403;

  it("are asked of every route that there is", () => {
    const paths = requests().map((each) => each.join(" "));
    for (const known of ["POST /admin/flows", "GET /", "GET /device-analytics/x", "POST /admin/inject/x", "GET /ui/x"])
      assert.ok(paths.includes(known), `${known} is not among ${paths.join(", ")}`);
  });

  const forged = () => {
    const session = new Session(application.url);
    for (const [name, value] of as("admin").cookies)
      session.cookies.set(name, name === "device-analytics" ? value.replace(/^(.{10})../, "$1AA") : value);
    session.token = as("admin").token;
    return session;
  };
  const strangers: [who: string, session: () => Session][] = [
    ["nobody", () => new Session(application.url)],
    ["a forged cookie", forged],
    [
      "an expired session",
      () => Object.assign(new Session(application.url), { cookies: expired.cookies, token: expired.token }),
    ],
  ];

  for (const [who, session] of strangers) {
    it(`give ${who} the login and nothing else, over HTTP`, async () => {
      for (const [what, status] of await statuses(session())) {
        const isPage = /socket\.io\//.test(what) && status === 403;
        if (PUBLIC.test(what)) assert.ok(status < 400 || /^POST/.test(what), `${what}: ${status}`);
        else assert.ok(status === 401 || isPage, `${what}: ${status}`);
      }
    });

    it(`give ${who} no web socket`, async () => {
      for (const path of ["/admin/comms", "/ui/socket.io/?EIO=4&transport=websocket", "/elsewhere"])
        assert.equal(await upgraded(session(), path), 401, path);
      await assert.rejects(PageSocket.open(session()), /refused: 403/);
    });
  }

  for (const role of ["viewer", "operator"]) {
    it(`give ${role}s the dashboard and history alone, over HTTP`, async () => {
      for (const [what, status] of await statuses(as(role)))
        assert.equal(isOpen(status, what), PUBLIC.test(what) || VIEWERS.test(what), `${what}: ${status}`);
    });

    it(`give ${role}s the web socket of the dashboard alone`, async () => {
      assert.equal(await upgraded(as(role), "/ui/socket.io/?EIO=4&transport=websocket"), 101);
      for (const path of ["/admin/comms", "/elsewhere"]) assert.equal(await upgraded(as(role), path), 403, path);
    });
  }

  it("give admins everything", async () => {
    for (const [what, status] of await statuses(as("admin"))) assert.ok(isOpen(status, what), `${what}: ${status}`);
    for (const path of ["/admin/comms", "/ui/socket.io/?EIO=4&transport=websocket"])
      assert.equal(await upgraded(as("admin"), path), 101, path);
  });

  for (const [what, headers] of [
    ["without the token of the session", { "X-CSRF-Token": "" }],
    ["with another's token", { "X-CSRF-Token": "A".repeat(43) }],
    ["from a page of another server", { Origin: "http://elsewhere.example" }],
    ["from another site", { "Sec-Fetch-Site": "cross-site" }],
  ] as const) {
    it(`let nobody change anything ${what}`, async () => {
      for (const [request, status] of await statuses(as("admin"), headers)) {
        const isToken = "X-CSRF-Token" in headers;
        const isLooking = request.startsWith("GET") || (isToken && /socket\.io\//.test(request));
        if (!isLooking) assert.equal(status, 403, request);
      }
    });
  }

  it("let no page of another server open a web socket", async () => {
    for (const path of ["/admin/comms", "/ui/socket.io/?EIO=4&transport=websocket"])
      assert.equal(await upgraded(as("admin"), path, { Origin: "http://elsewhere.example" }), 403, path);
  });

  it("refuse what no browser sends", async () => {
    for (const target of ["http://elsewhere.example/ui/login", "/ui/login#/../admin", "/ui\\..\\admin"])
      assert.equal(await raw(target), 400, target);
  });

  describe("on the socket of a page", () => {
    const heard = (id: string) =>
      [...application.output().matchAll(/^heard (.*)$/gm)]
        .map(([, line = ""]) => JSON.parse(line) as { socket: string; event: string; value: { id?: string } })
        .filter(({ socket }) => socket === id);

    before(async () => {
      await application.deploy([...(await application.flow()).flows, ...WIDGETS]);
    });

    it("are asked of every event that there is", () => {
      assert.deepEqual(events.sort(), [...LOOKING, "disconnect", "error", "update-value"].sort());
    });

    for (const role of ROLES) {
      it(`let ${role}s look, and say nothing that is unknown`, async () => {
        await using page = await PageSocket.open(as(role));
        for (const event of LOOKING) await page.emit(event, {});
        await page.emit("anything", {});
        await page.emit("update-value", null);
        await page.emit("update-value");
        await page.emit("update-value", { id: "nowhere", value: 1 });
        await page.emit("update-value", { id: "analytics-z-score", value: 1 });
        await page.settled();
        assert.deepEqual(
          heard(page.id).map(({ event }) => event),
          [...LOOKING, "ui-replay-state"],
        );
      });

      it(`let ${role}s use the widgets that are for them, and tell them of the others`, async () => {
        const { flows } = await application.flow();
        const shipped = flows.filter(({ type, z }) => type.startsWith("ui_") && z !== "try" && z).map(({ id }) => id);
        assert.ok(shipped.length > 30);
        const expected: [id: string, least: (typeof ROLES)[number], data: object][] = [
          ...shipped.map((id): [string, "operator", object] => [id, "operator", { value: { msg: {} } }]),
          ["dashboard-live-page", "viewer", { msg: { command: "watch", payload: {} } }],
          ["dashboard-live-page", "viewer", { msg: { command: "query", payload: { query: { devices: ["R1"] } } } }],
          ["dashboard-live-page", "operator", { msg: { payload: { deviceId: "R1", metrics: { temperature: 99 } } } }],
          ["dashboard-live-page", "operator", { msg: { command: "ack" } }],
          ["dashboard-live-page", "operator", { msg: { command: "watch", payload: [{ command: "restart" }] } }],
          ["dashboard-live-page", "operator", { msg: { command: "set", deviceId: "R1", limit: 3 } }],
          ["dashboard-live-page", "admin", { msg: { command: "set", limit: 3 } }],
          ["dashboard-live-page", "admin", { msg: { command: "set", payload: { deviceId: "*", limit: 3 } } }],
          ["dashboard-live-page", "admin", { msg: { command: "reset" } }],
          ["dashboard-live-page", "admin", { msg: { command: "watch", payload: [[[{ payload: {} }]]] } }],
          ["dashboard-start", "operator", { value: 1 }],
          ["for-viewers", "viewer", { value: "text" }],
          ["for-viewers", "operator", { value: { command: "restart" } }],
          ["for-operators", "operator", { value: "text" }],
          ["for-admins", "admin", { value: "text" }],
          ["again-for-operators", "operator", { value: "text" }],
        ];
        await using page = await PageSocket.open(as(role));
        for (const [id, , data] of expected) await page.emit("update-value", { id, ...data });
        await page.settled();
        const allowed = expected.filter(([, least]) => ROLES.indexOf(role) >= ROLES.indexOf(least)).map(([id]) => id);
        const taken = heard(page.id).filter(({ event }) => event === "update-value");
        assert.deepEqual(
          taken.map(({ value }) => value.id),
          allowed,
        );
        const told = page.received.filter(([name]) => name === "show-toast");
        assert.equal(told.length, expected.length - allowed.length);
      });
    }

    it("end no application by what would break a widget", async () => {
      const clumsy = { name: "clumsy", password: PASSWORD };
      await (await application.admin()).post("/ui/users", { action: "add", role: "viewer", ...clumsy });
      await using page = await PageSocket.open(await logIn(application.url, clumsy));
      for (const event of ["ui-params", "ui-collapse"]) await page.emit(event, null);
      await page.emit("update-value", { id: "choice-for-viewers", value: null });
      await page.emit("update-value", { id: "template-for-viewers", msg: null });
      await page.settled();
      assert.ok(application.isRunning());
      await delay(300);
      const trail = readFileSync(join(application.userDir, "audit.jsonl"), "utf8");
      assert.equal([...trail.matchAll(/"outcome":"failed","reason":"Cannot read properties of null/g)].length, 2);
    });

    it("have each message say who it was, whatever the page has written", async () => {
      await using client = await connectClient<Record<string, unknown>>(application.mqttUrl);
      await client.subscribe("plant/said");
      await using page = await PageSocket.open(as("operator"));
      const lie = { by: "admin", role: "admin", socketid: "another" };
      await page.emit("update-value", { id: "template-for-viewers", msg: { ...lie, payload: "lie 1" }, ...lie });
      await page.emit("update-value", { id: "template-for-viewers", value: "lie 2", ...lie });
      await page.emit("update-value", { id: "for-viewers", value: "lie 3", meta: lie, ...lie });
      const lies = () => client.received.filter(({ text }) => text.includes('"payload":"lie '));
      while (lies().length < 3) await delay(20);
      for (const { payload } of lies()) {
        assert.deepEqual([payload.by, payload.role, payload.socketid], ["operator", "operator", page.id]);
      }
    });

    it("have the simulator's commands say so, too", async () => {
      await using client = await connectClient<{ command: string; by: string }>(application.mqttUrl);
      await client.subscribe("plant/command/+");
      await using page = await PageSocket.open(as("operator"));
      await page.emit("update-value", { id: "dashboard-start", value: 1 });
      const commands = async () => (await client.messages("plant/command/*")).map(({ payload }) => payload);
      assert.deepEqual(await commands(), [{ command: "start", by: "operator" }]);
    });

    it("end with the session, the role and the user", async () => {
      const admin = await application.admin();
      await admin.post("/ui/users", { action: "add", name: "passing", role: "operator", password: PASSWORD });
      const session = await logIn(application.url, { name: "passing", password: PASSWORD });
      await using page = await PageSocket.open(session);
      await page.emit("update-value", { id: "for-operators", value: "1" });
      await page.settled();
      await admin.post("/ui/users", { action: "role", name: "passing", role: "viewer" });
      await page.emit("update-value", { id: "for-operators", value: "2" });
      await page.settled();
      assert.equal(heard(page.id).filter(({ event }) => event === "update-value").length, 1);
      await admin.post("/ui/users", { action: "remove", name: "passing" });
      assert.equal(await page.emit("update-value", { id: "for-viewers", value: "3" }), 403);
      assert.equal((await session.fetch("/ui/")).status, 401);
    });

    it("close it soon after the session has ended, also if it says nothing", async () => {
      const session = await logIn(application.url, { name: "viewer", password: PASSWORD });
      const closed = upgraded(session, "/ui/socket.io/?EIO=4&transport=websocket", {}, true);
      await delay(300);
      assert.equal((await session.post("/ui/logout", {})).status, 303);
      assert.equal(await closed, 101);
    });
  });

  it("are written down: who did what, from where, and what came of it", async () => {
    await using client = await connectClient<Record<string, unknown>>(application.mqttUrl);
    await client.subscribe("plant/audit");
    await using page = await PageSocket.open(as("viewer"));
    await page.emit("update-value", { id: "dashboard-stop", value: { command: "stop" } });
    await page.settled();
    const [message] = await client.messages("plant/audit");
    const { timestamp, ...entry } = message?.payload ?? {};
    assert.ok(Math.abs(Number(timestamp) - Date.now()) < 10_000);
    assert.deepEqual(entry, {
      by: "viewer",
      role: "viewer",
      action: "command",
      target: "Stop",
      detail: '{"command":"stop"}',
      from: "127.0.0.1",
      outcome: "refused",
      reason: "needs the role operator",
    });
    await delay(300);
    const trail = readFileSync(join(application.userDir, "audit.jsonl"), "utf8");
    assert.ok(trail.includes(JSON.stringify(message?.payload)));
    for (const secret of [PASSWORD, ADMIN.password]) assert.ok(!trail.includes(secret));
  });

  /** The status with which a request for a web socket is answered; waits until it is closed, if asked to. */
  function upgraded(session: Session, path: string, headers = {}, untilClosed = false): Promise<number> {
    const cookie = [...session.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const websocket = { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13" };
    const asked = request(application.url + path, {
      headers: { Connection: "Upgrade", Upgrade: "websocket", ...websocket, Cookie: cookie, ...headers },
    });
    return new Promise((resolve, reject) => {
      asked.on("upgrade", (response, socket) => {
        if (untilClosed) socket.resume().on("close", () => resolve(response.statusCode ?? 0));
        else {
          socket.destroy();
          resolve(response.statusCode ?? 0);
        }
      });
      asked.on("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  /** The status of a request whose target is written as it is. */
  function raw(target: string): Promise<number> {
    const { hostname, port } = new URL(application.url);
    return new Promise((resolve, reject) => {
      const asked = request({ hostname, port, path: target }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on("error", reject).end();
    });
  }
});
