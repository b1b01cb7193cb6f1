import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { get } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import mqtt from "mqtt";
import { type Application, launch, startApplication } from "../support/application.ts";
import { startChild } from "../support/child.ts";
import { newFolder } from "../support/folders.ts";
import { ADMIN, logIn, Session } from "../support/session.ts";

const PASSWORD = "long enough for all";
const app = join(import.meta.dirname, "..", "..", "app");

/** Every file of a folder, by its path. */
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Runs the command `users` with a password on its standard input. */
const users = (userDir: string, password: string, ...args: string[]) =>
  execFileSync(process.execPath, [join(app, "users.ts"), ...args, "--user-dir", userDir], {
    input: `${password}\n`,
    encoding: "utf8",
    stdio: "pipe",
  });

describe("the login", function () {
  this.timeout(90_000);

  describe("of a new application", () => {
    it("has one user, admin, whose random password is printed once and kept nowhere", async () => {
      const userDir = newFolder();
      const first = await startApplication({ userDir, env: { ADMIN_PASSWORD: "" } });
      const [, password = ""] = await first.waitFor(/log in as +admin, password (\S+) /);
      assert.ok(password.length >= 20);
      await logIn(first.url, { name: "admin", password });
      await first.stop();
      for (const path of filesIn(userDir)) assert.ok(!readFileSync(path, "utf8").includes(password), path);
      await using again = await startApplication({ userDir, env: { ADMIN_PASSWORD: "something else" } });
      assert.ok(!again.output().includes("password"));
      await logIn(again.url, { name: "admin", password });
      assert.equal((await new Session(again.url).tryLogIn("admin", "something else")).status, 401);
    });

    it("has no default password, and takes none that is short", async () => {
      await using refused = await launch({ env: { ADMIN_PASSWORD: "admin" } });
      assert.equal(await refused.ended(), 1);
      assert.equal(refused.output(), "ADMIN_PASSWORD will not do: a password has at least 10 characters\n");
    });
  });

  describe("over HTTP", () => {
    let application: Application;

    before(async () => {
      application = await startApplication();
    });

    after(() => application.stop());

    const trail = async () => {
      await delay(300);
      const lines = readFileSync(join(application.userDir, "audit.jsonl"), "utf8").trim().split("\n");
      return lines.map((line) => JSON.parse(line) as Record<string, string>);
    };
    const add = async (name: string, role = "operator") => {
      const admin = await application.admin();
      const response = await admin.post("/ui/users", { action: "add", name, role, password: PASSWORD });
      assert.equal(response.status, 200);
    };
    /** What a page shows of a form's fields. */
    const messages = async (response: Response) =>
      [...(await response.text()).matchAll(/role="(?:alert|status)">([^<]*)/g)].map(([, text]) => text);

    it("is where a browser lands, which goes on to where it wanted", async () => {
      const session = new Session(application.url);
      const page = await session.fetch("/ui/?x=1", { headers: { Accept: "text/html" } });
      assert.equal(page.headers.get("location"), "/ui/login?next=%2Fui%2F%3Fx%3D1");
      assert.match(await (await session.fetch("/ui/login?next=%2Fui%2F%3Fx%3D1")).text(), /value="\/ui\/\?x=1"/);
      await session.renew();
      const response = await session.post("/ui/login", { ...ADMIN, next: "/ui/?x=1" });
      assert.deepEqual([response.status, response.headers.get("location")], [303, "/ui/?x=1"]);
    });

    it("leads nowhere else", async () => {
      for (const next of ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example", "/.//x", "x"]) {
        const session = new Session(application.url);
        await session.renew();
        const response = await session.post("/ui/login", { ...ADMIN, next });
        assert.equal(response.headers.get("location"), "/ui/", next);
      }
    });

    it("keeps its cookie from scripts and other sites, and gives each login a new one", async () => {
      const session = new Session(application.url);
      await session.renew();
      const response = await session.post("/ui/login", ADMIN);
      const [cookie = ""] = response.headers.getSetCookie().filter((each) => each.startsWith("device-analytics="));
      assert.match(cookie, /; HttpOnly/);
      assert.match(cookie, /; SameSite=Lax/);
      const before = session.cookies.get("device-analytics");
      await session.tryLogIn(ADMIN.name, ADMIN.password);
      assert.notEqual(session.cookies.get("device-analytics"), before);
      const old = new Session(application.url);
      old.cookies.set("device-analytics", String(before));
      assert.equal((await old.fetch("/ui/")).status, 401);
    });

    it("is no use without the token of its own form", async () => {
      const session = new Session(application.url);
      assert.equal((await session.post("/ui/login", ADMIN)).status, 403);
      const other = new Session(application.url);
      await other.renew();
      session.token = other.token;
      await session.fetch("/ui/login");
      assert.equal((await session.post("/ui/login", ADMIN)).status, 403);
    });

    it("says the same of a wrong name and a wrong password, and takes as long", async () => {
      await add("kim");
      const times = new Map<string, number>();
      for (const name of ["kim", "nobody"]) {
        const start = performance.now();
        const response = await new Session(application.url).tryLogIn(name, "wrong");
        times.set(name, performance.now() - start);
        assert.equal(response.status, 401);
        assert.deepEqual(await messages(response), ["Wrong name or password."]);
      }
      assert.ok((times.get("nobody") ?? 0) > (times.get("kim") ?? 0) / 4);
    });

    it("ends with a log-out, on the server too, and a link alone does not log out", async () => {
      const session = await logIn(application.url);
      const stolen = new Session(application.url);
      for (const [name, value] of session.cookies) stolen.cookies.set(name, value);
      assert.match(await (await session.fetch("/ui/logout")).text(), /logged in as admin/);
      assert.equal((await session.fetch("/ui/")).status, 200);
      assert.equal((await session.post("/ui/logout", {})).status, 303);
      assert.deepEqual([...session.cookies.keys()].sort(), ["device-analytics-form", "device-analytics-known"]);
      assert.equal((await stolen.fetch("/ui/")).status, 401);
    });

    it("ends with another password", async () => {
      await add("alex");
      const session = await logIn(application.url, { name: "alex", password: PASSWORD });
      users(application.userDir, "another password", "password", "alex");
      assert.equal((await session.fetch("/ui/")).status, 401);
      await logIn(application.url, { name: "Alex", password: "another password" });
    });

    it("survives a form that is far too long", async () => {
      const session = new Session(application.url);
      await session.renew();
      await assert.rejects(session.post("/ui/login", { ...ADMIN, next: "x".repeat(100_000) }));
      await logIn(application.url);
    });

    it("lets admins manage users on a page, and no one lose the last admin", async () => {
      const admin = await application.admin();
      const change = async (action: string, name: string, more = {}) =>
        (await messages(await admin.post("/ui/users", { action, name, ...more }))).join();
      const sam = { role: "viewer", password: PASSWORD };
      assert.equal(
        await change("add", "Sam O’Neill <b>", sam),
        changed("a name has 1 to 64 letters, digits, blanks, and . _ @ - between its first and last letter"),
      );
      assert.equal(await change("add", "Sam", sam), "Sam can log in now.");
      assert.equal(await change("add", "sam", sam), changed("there is a user sam already"));
      assert.equal(
        await change("add", "Pat", { ...sam, password: "short" }),
        changed("a password has at least 10 characters"),
      );
      assert.equal(await change("role", "Sam", { role: "operator" }), "Sam is operator now.");
      assert.equal(
        await change("role", "Sam", { role: "king" }),
        changed("the role is one of viewer, operator, admin, not king"),
      );
      assert.equal(await change("role", "__proto__", { role: "admin" }), changed("there is no user __proto__"));
      assert.equal(await change("role", "ADMIN", { role: "viewer" }), changed("another admin must do this to you"));
      assert.equal(await change("remove", "admin"), changed("another admin must do this to you"));
      assert.equal(await change("remove", "Sam"), "Sam is removed.");
      assert.equal(await change("dance", "Sam"), changed("there is no such action"));
      assert.throws(() => users(application.userDir, "", "remove", "admin"), /there must be an admin/);
    });

    const changed = (reason: string) => `Nothing was changed: ${reason.replaceAll("<", "&#60;")}.`;

    it("keeps users, sessions and keys from others on this machine, and passwords as scrypt hashes", async () => {
      await delay(700);
      for (const name of ["users.json", "sessions.json", "session-secret", "audit.jsonl"])
        assert.equal(statSync(join(application.userDir, name)).mode & 0o077, 0, name);
      const kept = JSON.parse(readFileSync(join(application.userDir, "users.json"), "utf8"));
      for (const { password } of kept) assert.match(password, /^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
      assert.equal(new Set(kept.map(({ password }: { password: string }) => password)).size, kept.length);
      const id = decodeURIComponent((await logIn(application.url)).cookies.get("device-analytics") ?? "").slice(2, 30);
      await delay(700);
      assert.ok(!readFileSync(join(application.userDir, "sessions.json"), "utf8").includes(id));
    });

    it("slows and locks who guesses, says so, and lets the user in again", async () => {
      await add("robin");
      const robin = { name: "robin", password: PASSWORD };
      const known = await logIn(application.url, robin);
      const guesser = new Session(application.url);
      await guesser.renew();
      const counts = new Map<number, number>();
      for (let n = 0; n < 1000; n += 10) {
        const guess = async (_: unknown, i: number) =>
          (await guesser.post("/ui/login", { name: "robin", password: `guess number ${n + i}` })).status;
        for (const status of await Promise.all(Array.from({ length: 10 }, guess)))
          counts.set(status, (counts.get(status) ?? 0) + 1);
      }
      assert.ok((counts.get(401) ?? 0) <= 12, `${counts.get(401)} were tried`);
      assert.equal((counts.get(401) ?? 0) + (counts.get(429) ?? 0), 1000);
      await application.waitFor(
        /\[warn\] login as "robin" from 127\.0\.0\.1: wrong name or password.*locked for \d+ s/,
      );

      const locked = await new Session(application.url).tryLogIn("robin", PASSWORD);
      assert.equal(locked.status, 429);
      const seconds = Number(locked.headers.get("retry-after"));
      assert.ok(seconds >= 1 && seconds <= 60, `${seconds} s`);
      assert.deepEqual(await messages(locked), [`Too many failed logins. Try again in ${seconds} s.`]);
      assert.equal((await known.fetch("/ui/")).status, 200, "who is in stays in");
      assert.equal((await known.tryLogIn("robin", PASSWORD)).status, 303, "a browser that is known gets in at once");
      await delay(1000 * seconds);
      await logIn(application.url, robin);

      const guesses = (await trail()).filter(({ by, action }) => by === "robin" && action === "login");
      assert.ok(guesses.length < 30);
      assert.match(guesses.at(-1)?.reason ?? "", /^after \d+ refused attempts$/);
      assert.deepEqual(
        [guesses.at(-1)?.outcome, guesses.at(-1)?.from, guesses.at(-1)?.role],
        ["ok", "127.0.0.1", "operator"],
      );
    });

    it("writes down what admins change in the editor", async () => {
      await application.deploy((await application.flow()).flows);
      const entry = (await trail()).filter(({ action }) => action === "POST /admin/flows").at(-1);
      assert.deepEqual([entry?.by, entry?.role, entry?.outcome], ["admin", "admin", "ok"]);
    });
  });

  it("stays over a restart, and ends at its time", async () => {
    const userDir = newFolder();
    const hours = { SESSION_HOURS: String(25 / 3600) };
    const first = await startApplication({ userDir, env: hours });
    const session = await logIn(first.url);
    const start = Date.now();
    await first.stop();
    await using second = await startApplication({ userDir, env: hours });
    const after = Object.assign(new Session(second.url), { cookies: session.cookies, token: session.token });
    assert.equal((await after.fetch("/ui/")).status, 200);
    await delay(start + 25_500 - Date.now());
    assert.equal((await after.fetch("/ui/")).status, 401);
  });

  it("lets nobody in when the users cannot be read, and says so", async () => {
    const userDir = newFolder();
    const application = await startApplication({ userDir });
    const admin = await application.admin();
    execFileSync("sh", ["-c", `echo '[{"name":' > '${join(userDir, "users.json")}'`]);
    assert.equal((await admin.fetch("/ui/")).status, 401);
    await application.waitFor(/users\.json cannot be read: .*, so nobody can log in/);
    assert.throws(() => users(userDir, PASSWORD, "add", "Kim", "--role", "admin"), /users\.json cannot be read/);
    await application.stop();
    await using again = await startApplication({ userDir });
    assert.equal((await new Session(again.url).tryLogIn(ADMIN.name, ADMIN.password)).status, 401);
  });
});

describe("npm run users", function () {
  this.timeout(30_000);

  it("makes, lists, changes and removes users, and prints a password that it made", () => {
    const userDir = newFolder();
    assert.equal(users(userDir, PASSWORD, "add", "Kim", "--role", "admin"), "");
    assert.match(users(userDir, "", "add", "José 2"), /^The password is \S{20} \(shown this once\)\n$/);
    users(userDir, "", "role", "josé 2", "operator");
    assert.equal(users(userDir, "", "list"), "operator  José 2\nadmin     Kim\n");
    users(userDir, "", "remove", "josé 2");
    assert.equal(users(userDir, "", "list"), "admin     Kim\n");
  });

  for (const [what, args, reason] of [
    ["an unknown role", ["add", "Kim", "--role", "king"], /the role is one of viewer, operator, admin, not king/],
    ["a name that is none", ["add", "../../etc"], /a name has 1 to 64 letters/],
    ["an unknown user", ["remove", "Kim"], /there is no user Kim/],
    ["an unknown option", ["list", "--all"], /Unknown option '--all'/],
  ] as const) {
    it(`refuses ${what}`, () => {
      const userDir = newFolder();
      assert.throws(() => users(userDir, PASSWORD, ...args), reason);
      assert.ok(!existsSync(join(userDir, "users.json")));
    });
  }
});

describe("listening wider than this machine", function () {
  this.timeout(60_000);
  const address = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === "IPv4" && !each.internal)?.address;

  it("is asked for with HOST, warns when there is no TLS, and does not widen the broker", async () => {
    await using application = await startApplication({ env: { HOST: "0.0.0.0" } });
    await application.waitFor(/\[warn\] HOST is 0\.0\.0\.0: passwords cross the network unencrypted/);
    const { port } = new URL(application.url);
    assert.ok(address, "this machine has no network address");
    assert.equal((await fetch(`http://${address}:${port}/ui/session`)).status, 200);
    const broker = mqtt.connect(`mqtt://${address}:${new URL(application.mqttUrl).port}`, { reconnectPeriod: 0 });
    await new Promise((resolve) => broker.once("error", resolve));
    broker.end(true);
  });

  it("speaks TLS with a certificate, and its cookies then stay on it", async () => {
    const folder = newFolder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", cert, ...subject], {
      stdio: "ignore",
    });
    await using application = await startApplication({ env: { HOST: "0.0.0.0", TLS_CERT: cert, TLS_KEY: key } });
    assert.match(application.url, /^https:/);
    assert.ok(!application.output().includes("unencrypted"));
    const { port } = new URL(application.url);
    const cookies = await new Promise<string[]>((resolve, reject) =>
      get(
        { host: "127.0.0.1", port, path: "/ui/session", ca: readFileSync(cert), servername: "localhost" },
        (response) => {
          response.resume();
          assert.ok(response.headers["strict-transport-security"]);
          resolve(response.headers["set-cookie"] ?? []);
        },
      ).on("error", reject),
    );
    assert.ok(cookies.length > 0 && cookies.every((cookie) => /; Secure/.test(cookie)));
  });

  for (const [what, env, reason] of [
    ["half a certificate", { TLS_CERT: "cert.pem" }, "TLS_CERT and TLS_KEY go together: give both"],
    [
      "a certificate that is none",
      { TLS_CERT: import.meta.filename, TLS_KEY: import.meta.filename },
      /^TLS_CERT and TLS_KEY cannot be used: /,
    ],
    ["an address of another machine", { HOST: "192.0.2.1" }, "HOST is no address of this machine"],
    ["a session without length", { SESSION_HOURS: "0" }, "SESSION_HOURS must be a number above 0, to 8760, not 0"],
    [
      "users of a broker elsewhere",
      { MQTT_USERS: "users", MQTT_URL: "mqtt://b" },
      /^MQTT_USERS is for the embedded broker/,
    ],
    ["users of the broker that are not there", { MQTT_USERS: "/no/such" }, /^MQTT_USERS cannot be read: /],
    [
      "users of the broker that are none",
      { MQTT_USERS: import.meta.filename },
      /^MQTT_USERS: line 1 of .* is none of mosquitto_passwd/,
    ],
  ] as const) {
    it(`refuses ${what}, in one line`, async () => {
      const ports = "MQTT_URL" in env ? ["--port", "0"] : ["--port", "0", "--mqtt-port", "0"];
      await using child = await launch({ env, args: [...ports, "--user-dir", newFolder()] });
      assert.equal(await child.ended(), 1);
      assert.equal(child.output().trimEnd().split("\n").length, 1, child.output());
      if (typeof reason === "string") assert.equal(child.output(), `${reason}\n`);
      else assert.match(child.output(), reason);
    });
  }

  it("opens the broker to the users of a file, who can be devices and no more", async () => {
    const file = join(newFolder(), "mqtt-users");
    await using maker = await startChild("mosquitto_passwd", ["-b", "-c", file, "pump", "device secret"]);
    assert.equal(await maker.ended(), 0);
    await using application = await startApplication({ env: { HOST: "0.0.0.0", MQTT_USERS: file } });
    await application.waitFor(/Connected to broker: plant-analytics@/);
    const url = `mqtt://${address}:${new URL(application.mqttUrl).port}`;
    const connect = (username: string, password: string) =>
      mqtt.connectAsync(url, { username, password, reconnectPeriod: 0 }, false);
    await assert.rejects(mqtt.connectAsync(url, { reconnectPeriod: 0 }, false), /Not authorized/);
    await assert.rejects(connect("pump", "wrong"), /Not authorized/);
    await assert.rejects(connect("device-analytics", ""), /Not authorized/);

    const device = await connect("pump", "device secret");
    const analysed = new Promise((resolve) => device.on("message", resolve));
    await device.subscribeAsync("plant/analysis/pump");
    // The analysis may not yet have subscribed.
    const reading = JSON.stringify({ deviceId: "pump", metrics: { n: 1 } });
    const timer = setInterval(() => device.publish("plant/telemetry/pump", reading, { qos: 1 }), 100);
    assert.equal(await analysed, "plant/analysis/pump");
    clearInterval(timer);
    const cut = new Promise<void>((resolve) => device.once("close", () => resolve()));
    device.publish("plant/request/R1", JSON.stringify({ command: "restart", by: "admin" }), { qos: 1 });
    await cut;
    device.end(true);
  });
});
