import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, copyCheckout, startApplication } from "../support/application.ts";
import { changed, newTab, nodeOf, withoutTab } from "./flows.ts";

describe("npm run edit", function () {
  this.timeout(60_000);
  let checkout: string;
  let application: Application;

  beforeEach(async () => {
    checkout = copyCheckout();
    application = await startApplication({ command: "edit", checkout });
  });

  afterEach(async () => {
    await application.stop();
  });

  const contents = () => {
    const folder = join(checkout, "flows");
    return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  };

  it("changes no byte when a flow is deployed as it is", async () => {
    const before = contents();
    await application.deploy((await application.flow()).flows);
    assert.deepEqual(contents(), before);
  });

  it("changes one line when one node is moved to the right", async () => {
    const before = contents().get("analytics.json")?.split("\n") ?? [];
    const { flows } = await application.flow();
    const { x } = nodeOf(flows, "analytics-out");
    await application.deploy(changed(flows, "analytics-out", { x: Number(x) + 20 }));
    const after = contents().get("analytics.json")?.split("\n") ?? [];
    assert.equal(after.length, before.length);
    assert.deepEqual(
      after.filter((line, index) => line !== before[index]),
      [`    "x": ${Number(x) + 20},`],
    );
  });

  it("writes a new tab into a file of its own, and removes that of a deleted tab", async () => {
    const { flows } = await application.flow();
    await application.deploy([...withoutTab(flows, "analytics"), ...newTab("own", "Oven watch")]);
    const names = [...contents().keys()];
    assert.ok(names.includes("oven-watch.json"));
    assert.ok(!names.includes("analytics.json"));
  });

  it("never writes a password into the files, but the name of the variable that holds it", async () => {
    const { flows } = await application.flow();
    assert.ok(flows.every((node) => node.credentials === undefined));
    const reference = "$" + "{OVEN_PASSWORD}";
    const typed = { user: "oven-user", password: reference };
    await application.deploy(changed(flows, "analytics-broker", { credentials: typed }));
    const text = contents().get("analytics.json") ?? "";
    assert.deepEqual(nodeOf(JSON.parse(text), "analytics-broker").credentials, { password: reference });
    assert.ok(!text.includes("oven-user"));
  });

  it("keeps nothing among the files that npm start keeps for the user", () => {
    assert.deepEqual(readdirSync(application.userDir), ["edit"]);
  });
});
