import assert from "node:assert/strict";
import { ControlRoom, type Operator, until } from "../dashboard/dashboard.ts";
import { type Application, startApplication } from "../support/application.ts";
import { ADMIN } from "../support/session.ts";

const KIM = { name: "Kim", password: "a viewer's password" };

describe("the login in a browser", function () {
  this.timeout(90_000);
  let application: Application;
  let room: ControlRoom;
  let operator: Operator;

  before(async () => {
    application = await startApplication();
    const admin = await application.admin();
    await admin.post("/ui/users", { action: "add", role: "viewer", ...KIM });
    room = await ControlRoom.open();
  });

  beforeEach(async () => {
    operator = await room.operator();
  });

  afterEach(() => operator.page.context().close());

  after(async () => {
    await room.close();
    await application.stop();
  });

  const path = () => new URL(operator.page.url()).pathname;
  const text = () => operator.page.locator("body").innerText();

  it("says when the password is wrong, and then leads to where the visitor wanted", async () => {
    await operator.page.goto(`${application.url}/ui/#!/0`);
    await operator.logIn({ name: "admin", password: "wrong" });
    await operator.page.getByRole("alert").waitFor();
    assert.match(await text(), /Wrong name or password\./);
    await operator.page.getByLabel("Password").fill(ADMIN.password);
    await operator.page.getByRole("button", { name: "Log in" }).click();
    await operator.page.locator("da-chart").first().waitFor();
    assert.equal(path(), "/ui/");
    assert.match(operator.page.url(), /#!\/0/);
  });

  it("shows who is there, and logs out", async () => {
    await operator.open(application.url);
    await operator.page.getByText("admin (admin)").waitFor();
    await operator.page.getByRole("button", { name: "Log out" }).click();
    await operator.page.waitForURL("**/ui/login");
    await operator.page.goto(`${application.url}/ui/`);
    assert.equal(path(), "/ui/login");
  });

  it("shows an admin the users and the editor, and others neither", async () => {
    await operator.open(application.url);
    assert.equal(await operator.page.getByRole("link", { name: "Editor" }).count(), 1);
    operator.complaints.length = 0;
    await operator.page.getByRole("link", { name: "Users" }).click();
    await operator.page.getByRole("heading", { name: "Users", exact: true }).waitFor();
    assert.match(await text(), /Kim/);
    assert.deepEqual(operator.complaints, []);

    const other = await room.operator();
    await other.open(application.url, KIM);
    await other.page.getByText("Kim (viewer)").waitFor();
    assert.equal(await other.page.getByRole("link", { name: "Users" }).count(), 0);
    for (const place of ["/ui/users", "/admin/"]) {
      await other.page.goto(application.url + place);
      assert.match(await other.page.locator("body").innerText(), /This needs the role admin\./);
    }
    await other.page.context().close();
  });

  it("shows a viewer no buttons, and tells him why nothing happens when one is pressed all the same", async () => {
    await operator.open(application.url, KIM);
    const buttons = operator.page.locator(".da-controls button");
    await until("no button", async () => (await buttons.filter({ visible: true }).count()) === 0);
    await buttons.first().dispatchEvent("click");
    await operator.page.getByText("This needs the role operator; you are viewer.").waitFor();
    await until("it still runs", async () => /running/.test(await text()));
  });

  it("opens the editor for an admin, who deploys and logs out there", async () => {
    const { page } = operator;
    await page.goto(`${application.url}/admin/`);
    await operator.logIn();
    await page.locator("#red-ui-workspace-tabs li").first().waitFor({ timeout: 30_000 });
    await page.waitForFunction("RED.nodes.node('dashboard-tick')");
    await page.evaluate(
      "(() => { const node = RED.nodes.node('dashboard-tick'); node.name = 'each second'; node.changed = true; RED.nodes.dirty(true); })()",
    );
    await page.evaluate("RED.actions.invoke('core:deploy-flows')");
    await until("it is deployed", async () => {
      const node = (await application.flow()).flows.find(({ id }) => id === "dashboard-tick");
      return node?.name === "each second";
    });
    await page.evaluate("RED.user.logout()");
    await page.waitForURL("**/ui/logout");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL("**/ui/login");
  });

  it("says on an open page that the session has ended, and goes on where it was after a login", async () => {
    await using short = await startApplication({ env: { SESSION_HOURS: String(15 / 3600) } });
    const { page } = operator;
    await operator.open(short.url);
    await operator.choose("R3");
    await until("R3 is shown", async () => (await operator.points("metric temperature")).length > 1);
    await page.evaluate("window.isTheSamePage = true");
    await page.getByText("Your session has ended").waitFor({ timeout: 25_000 });
    const last = async () => (await operator.points("metric temperature")).at(-1)?.time ?? 0;
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Wrong name or password.").waitFor();
    const before = Date.now();
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Your session has ended").waitFor({ state: "hidden" });
    await until("the charts go on", async () => (await last()) > before);
    assert.equal(await operator.device(), "R3");
    assert.equal(await page.evaluate("window.isTheSamePage"), true);
  });

  it("says so when the user has logged out in another window, and follows when somebody logs in there", async () => {
    await operator.open(application.url);
    await operator.page.getByText("admin (admin)").waitFor();
    const other = await operator.page.context().newPage();
    await other.goto(`${application.url}/ui/logout`);
    await other.getByRole("button", { name: "Log out" }).click();
    await other.waitForURL("**/ui/login");
    await operator.page.getByText("Your session has ended").waitFor({ timeout: 15_000 });
    await other.getByLabel("Name").fill(KIM.name);
    await other.getByLabel("Password").fill(KIM.password);
    await other.getByRole("button", { name: "Log in" }).click();
    await other.locator("da-chart").first().waitFor();
    await operator.page.getByText("Kim (viewer)").waitFor({ timeout: 20_000 });
  });
});
