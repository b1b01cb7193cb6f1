/** The form of a historian: it shows what its engine needs, and tests the connection as it stands in the form. */
import { strict as assert } from "node:assert";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../support/folders.ts";
import { ADMIN, type Influxd, startInfluxd } from "../support/influxd.ts";
import { freePort } from "../support/ports.ts";
import { Editor, textOf } from "./editor.ts";

const FLOW = [
  { id: "tab", type: "tab", label: "Flow" },
  { id: "write", type: "historian-write", z: "tab", historian: "", x: 200, y: 100, wires: [[], []] },
];

const EMBEDDED = ["file"];
const INFLUXDB = ["url", "database", "username", "password", "token"];

const variable = (name: string) => `\${${name}}`;

describe("in the editor, a historian", function () {
  this.timeout(60_000);
  let influxd: Influxd;
  let editor: Editor;

  before(async () => {
    influxd = await startInfluxd({ auth: true });
    await influxd.query("CREATE DATABASE plant");
    await influxd.query("CREATE USER guest WITH PASSWORD 'secret'");
    editor = await Editor.open(FLOW, { STORE_URL: influxd.url });
  });
  after(async () => {
    await editor?.close();
    await influxd?.stop();
  });
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  const open = async (which: "add" | "edit" = "add") => {
    await editor.openForm("write");
    await editor.openConfig("historian", which);
  };
  const fill = async (settings: Record<string, string>) => {
    for (const [option, value] of Object.entries(settings)) await editor.type(editor.field(option), value);
  };
  /** What the button says in the end. */
  const outcome = async () => {
    const button = editor.form.getByRole("button", { name: "Test connection" });
    await button.click();
    // It is locked as long as the store is asked.
    await button.click({ trial: true, timeout: 15_000 });
    return await textOf(editor.form.getByRole("status"));
  };
  const visible = async () => {
    const shown: string[] = [];
    for (const option of [...EMBEDDED, ...INFLUXDB]) if (await editor.field(option).isVisible()) shown.push(option);
    return shown;
  };
  const asAdmin = () => ({ url: influxd.url, database: "plant", ...ADMIN });

  it("shows the fields of the chosen engine alone", async () => {
    await open();
    assert.deepEqual(await visible(), EMBEDDED);
    await editor.choose("engine", "influxdb");
    assert.deepEqual(await visible(), INFLUXDB);
    await editor.choose("engine", "embedded");
    assert.deepEqual(await visible(), EMBEDDED);
  });

  it("tells the version of an InfluxDB that takes what stands in the form", async () => {
    await open();
    await editor.choose("engine", "influxdb");
    await fill(asAdmin());
    assert.match(await outcome(), /^All is well: .*1\.6\.7/);
  });

  const wrong: [what: string, settings: () => Promise<object> | object, reason: RegExp][] = [
    ["nobody listens", async () => ({ url: `http://127.0.0.1:${await freePort()}` }), /refuses connections/],
    ["the host is unknown", () => ({ url: "http://nowhere.invalid:8086" }), /nowhere\.invalid/],
    ["the address is none", () => ({ url: "nowhere" }), /url/],
    ["the password is wrong", () => ({ password: "wrong" }), /user|password|credentials|authoriz/i],
    ["the database is missing", () => ({ username: "guest", password: "secret", database: "nothing" }), /nothing/],
  ];
  for (const [what, settings, reason] of wrong) {
    it(`says so when ${what}`, async () => {
      await open();
      await editor.choose("engine", "influxdb");
      await fill({ ...asAdmin(), ...(await settings()) });
      assert.match(await outcome(), reason);
    });
  }

  it("takes stored secrets and environment variables for the test", async () => {
    await open();
    await editor.choose("engine", "influxdb");
    await fill(asAdmin());
    await editor.done();
    await editor.done();
    await editor.deploy();
    await open("edit");
    await fill({ url: variable("STORE_URL") });
    assert.match(await outcome(), /^All is well/);
    await fill({ url: variable("NO_STORE_URL") });
    assert.match(await outcome(), /NO_STORE_URL/);
  });

  it("tells whether the file of the embedded engine can be written, and leaves nothing behind", async () => {
    const folder = newFolder();
    await open();
    await editor.choose("engine", "embedded");
    await fill({ file: join(folder, "a", "b", "history.sqlite") });
    assert.match(await outcome(), /^All is well: /);
    assert.deepEqual(readdirSync(folder), []);
    await fill({ file: "/dev/null/history.sqlite" });
    assert.match(await outcome(), /\/dev\/null/);
  });
});
