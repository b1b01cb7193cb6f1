import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { AuditTrail } from "../../app/login/audit.ts";
import { Backoff } from "../../app/login/backoff.ts";
import { localPath } from "../../app/login/http.ts";
import { hashOf, isPassword, randomPassword } from "../../app/login/passwords.ts";
import { SessionFile } from "../../app/login/sessions.ts";
import { newFolder } from "../support/folders.ts";

describe("the back-off of failed logins", () => {
  const limits = [{ key: "kim", free: 3, longest: 60 }];

  it("lets some pass, then doubles the wait up to the longest", () => {
    const backoff = new Backoff();
    let now = 0;
    const waits = Array.from({ length: 12 }, () => {
      assert.equal(backoff.attempt(limits, now), 0);
      const { wait } = backoff.state(limits, now);
      now += wait;
      return wait / 1000;
    });
    assert.deepEqual(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
  });

  it("does not count what comes while it waits, however much it is", () => {
    const backoff = new Backoff();
    for (let n = 0; n < 3; n++) backoff.attempt(limits, 0);
    for (let n = 0; n < 1000; n++) assert.equal(backoff.attempt(limits, 0), 1000);
    assert.deepEqual(backoff.state(limits, 0), { wait: 1000, refused: 1000 });
    assert.equal(backoff.attempt(limits, 1000), 0);
  });

  it("starts afresh after a success, and an hour after the last failure", () => {
    const backoff = new Backoff();
    for (let n = 0; n < 3; n++) backoff.attempt(limits, 0);
    assert.equal(backoff.attempt(limits, 3_600_001), 0);
    assert.equal(backoff.state(limits, 3_600_001).wait, 0);
    for (let n = 0; n < 2; n++) backoff.attempt(limits, 3_600_001);
    backoff.succeeded(limits);
    assert.equal(backoff.attempt(limits, 3_600_002), 0);
  });

  it("forgets an attempt that was not made", () => {
    const backoff = new Backoff();
    for (let n = 0; n < 3; n++) backoff.attempt(limits, 0);
    backoff.cancelled(limits);
    assert.equal(backoff.state(limits, 0).wait, 0);
  });

  it("waits for the longest of several, and lets no flood of names push out an address", () => {
    const backoff = new Backoff();
    const from = (name: string) => [
      { key: `name ${name}`, free: 3, longest: 60 },
      { key: "address", free: 5, longest: 60 },
    ];
    for (let n = 0; n < 5; n++) assert.equal(backoff.attempt(from(String(n)), 0), 0);
    for (let n = 5; n < 30_000; n++) assert.equal(backoff.attempt(from(String(n)), 0), 1000);
  });
});

describe("a path to go on to after the login", () => {
  it("is one of this server, or the given one", () => {
    for (const path of ["/", "/ui/?a=1#!/2", "/ui/%2F%2Felsewhere"]) assert.equal(localPath(path, "/ui/"), path);
    for (const path of [undefined, "", "ui", "//b", "/\\b", "\\\\b", "https://b", "javascript:0", "/\t/b", "/.//b"])
      assert.equal(localPath(path, "/ui/"), "/ui/", path);
  });
});

describe("passwords", function () {
  this.timeout(10_000);

  it("are known by their hash, however their letters are composed", async () => {
    const hash = await hashOf("Ofen Nº 3 läuft");
    assert.equal(await isPassword("Ofen Nº 3 läuft".normalize("NFD"), hash), true);
    for (const wrong of ["ofen Nº 3 läuft", "", "Ofen Nº 3 läuft "]) assert.equal(await isPassword(wrong, hash), false);
    assert.equal(await isPassword("Ofen Nº 3 läuft", undefined), false);
    assert.equal(await isPassword("anything", "not a hash"), false);
  });

  it("that are made are long and never the same", () => {
    const made = Array.from({ length: 1000 }, randomPassword);
    assert.equal(new Set(made).size, 1000);
    assert.ok(made.every((password) => /^[\w-]{20}$/.test(password)));
  });
});

describe("the sessions", () => {
  const data = (name: string, until = Date.now() + 60_000) => ({
    cookie: { originalMaxAge: null },
    user: { name, version: "1" },
    until,
  });

  it("are at most a thousand, of which the oldest ends", () => {
    const sessions = new SessionFile(join(newFolder(), "sessions.json"), assert.fail);
    for (let n = 0; n < 1001; n++) sessions.set(`id ${n}`, data(`user ${n}`));
    assert.equal(sessions.find("id 0"), undefined);
    assert.equal(sessions.find("id 1")?.user?.name, "user 1");
  });

  it("are there after a restart, without those that have ended", () => {
    const path = join(newFolder(), "sessions.json");
    const before = new SessionFile(path, assert.fail);
    before.set("kim", data("Kim"));
    before.set("late", data("Late", Date.now() - 1));
    before.close();
    const after = new SessionFile(path, assert.fail);
    assert.equal(after.find("kim")?.user?.name, "Kim");
    assert.equal(after.find("late"), undefined);
    after.destroy("kim");
    assert.equal(after.find("kim"), undefined);
  });
});

describe("the audit trail", () => {
  const entry = (by: string) => ({ by, action: "login", from: "127.0.0.1", outcome: "ok" as const });

  it("keeps five files of 5 MB at most, the newest entries in the first", () => {
    const folder = newFolder();
    const heard: string[] = [];
    const detail = "x".repeat(100_000);
    for (let n = 0; n < 300; n++) {
      const trail = new AuditTrail(join(folder, "audit.jsonl"), assert.fail, ({ by }) => heard.push(by));
      trail.record({ ...entry(`user ${n}`), detail });
      trail.close();
    }
    const files = readdirSync(folder).sort();
    assert.deepEqual(files, ["audit.1.jsonl", "audit.2.jsonl", "audit.3.jsonl", "audit.4.jsonl", "audit.jsonl"]);
    for (const file of files) assert.ok(statSync(join(folder, file)).size <= 5_000_000);
    const lines = readFileSync(join(folder, "audit.jsonl"), "utf8").trim().split("\n");
    assert.equal(JSON.parse(lines.at(-1) ?? "").by, "user 299");
    assert.equal(heard.length, 300);
  });

  it("lets nobody wash away what stands there", () => {
    const folder = newFolder();
    const warnings: string[] = [];
    const trail = new AuditTrail(
      join(folder, "audit.jsonl"),
      (text) => warnings.push(text),
      () => undefined,
    );
    for (let n = 0; n < 10_000; n++) trail.record(entry("Kim"));
    trail.record(entry("Alex"));
    trail.close();
    const lines = readFileSync(join(folder, "audit.jsonl"), "utf8").trim().split("\n");
    assert.ok(lines.length < 100, `${lines.length} lines`);
    assert.ok(lines.some((line) => JSON.parse(line).by === "Alex"));
    assert.match(warnings.join(), /entries of the audit trail were too many at once/);
  });
});
