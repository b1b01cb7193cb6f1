import assert from "node:assert/strict";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type Application, startApplication } from "../support/application.ts";
import { newFolder } from "../support/folders.ts";
import { connectClient } from "../support/mqtt.ts";
import { freePort } from "../support/ports.ts";

const notification = {
  kind: "alarm",
  severity: "critical",
  title: "Critical: P7 <hall 3> is overheating",
  text: "Temperature 81.3 °C, limit 75 °C.\nOpen the valve & call 123.",
  to: "operators",
  alarm: { alarmId: "P7/overheating", deviceId: "P7", condition: "overheating" },
};

interface Request {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Receiver extends AsyncDisposable {
  url: string;
  /** What came on a path so far. */
  on(path: string): Request[];
  requests: Request[];
}

/** A server that takes webhooks, except for so many of the first on each path. */
async function startReceiver({ port = 0, failures = 0 } = {}): Promise<Receiver> {
  const requests: Request[] = [];
  const on = (path: string) => requests.filter((request) => request.path === path);
  const server = createServer(async (request, response) => {
    const { url: path = "", headers } = request;
    requests.push({ path, headers, body: await text(request) });
    response.writeHead(on(path).length > failures ? 200 : 503).end();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    on,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await delay(20);
}

const connected = (application: Application) => application.waitFor(/Connected to broker: plant-notifications@/);

async function publish({ mqttUrl }: Application, payload: unknown = notification): Promise<void> {
  await using client = await connectClient(mqttUrl);
  await client.publish("plant/notifications/operators", payload);
}

/** The text that a display shows. */
async function displayed({ mqttUrl }: Application): Promise<string | undefined> {
  await using client = await connectClient(mqttUrl);
  await client.subscribe("plant/display");
  const [shown] = await client.messages("plant/display");
  return shown?.text;
}

/** What is kept of the notifications for the webhook. */
function savedIn(userDir: string): string {
  const files = globSync(join(userDir, "device-analytics", "state", "notifications-webhook-delivery", "*.jsonl"));
  return files.map((file) => readFileSync(file, "utf8")).join();
}

const complaints = (application: Application) =>
  application.output().match(/^.*(\[error\]|\[warn\]|Error:).*$/gm) ?? [];

describe("the flow of notifications", function () {
  this.timeout(60_000);

  it("sends to each channel until it has taken the notification", async () => {
    await using receiver = await startReceiver({ failures: 1 });
    const { url } = receiver;
    const env = {
      SLACK_WEBHOOK_URL: `${url}/slack`,
      TEAMS_WEBHOOK_URL: `${url}/teams`,
      WEBHOOK_URL: `${url}/any`,
      WEBHOOK_TOKEN: "secret of the webhook",
      SMS_GATEWAY_URL: `${url}/sms`,
      SMS_GATEWAY_TOKEN: "secret of the gateway",
      SMS_TO: "+49 123",
    };
    await using application = await startApplication({ env });
    await connected(application);
    await publish(application);
    const paths = ["/slack", "/teams", "/any", "/sms"];
    await until(() => paths.every((path) => receiver.on(path).length === 2));
    for (const path of paths) {
      const [first, second] = receiver.on(path);
      assert.equal(first?.body, second?.body, path);
      assert.equal(second?.headers["content-type"], "application/json");
    }
    const body = (path: string) => JSON.parse(receiver.on(path)[1]?.body ?? "");
    const headers = (path: string) => receiver.on(path).map(({ headers }) => headers);

    assert.deepEqual(body("/slack"), {
      text:
        "*Critical: P7 &lt;hall 3&gt; is overheating*\n" +
        "Temperature 81.3 °C, limit 75 °C.\nOpen the valve &amp; call 123.",
    });
    const [{ contentType, content }] = body("/teams").attachments;
    assert.equal(contentType, "application/vnd.microsoft.card.adaptive");
    assert.deepEqual(
      content.body.map(({ text, color }: { text: string; color?: string }) => [text, color]),
      [
        [notification.title, "attention"],
        [notification.text.replace("\n", "\n\n"), undefined],
      ],
    );
    assert.deepEqual(body("/any"), notification);
    assert.ok(headers("/any").every(({ authorization }) => authorization === "Bearer secret of the webhook"));
    assert.equal(new Set(headers("/any").map((each) => each["idempotency-key"])).size, 1);
    assert.match(String(headers("/any")[0]?.["idempotency-key"]), /\w/);
    assert.deepEqual(body("/sms"), { to: "+49 123", text: notification.title });
    assert.ok(headers("/sms").every(({ authorization }) => authorization === "Bearer secret of the gateway"));
    assert.ok([...headers("/slack"), ...headers("/teams")].every(({ authorization }) => authorization === undefined));

    await delay(1000);
    assert.equal(receiver.requests.length, 8);
    assert.doesNotMatch(JSON.stringify(await application.flow()), /secret of/);
    assert.deepEqual(complaints(application), []);
  });

  it("asks for no authorisation that is not set", async () => {
    await using receiver = await startReceiver();
    await using application = await startApplication({ env: { WEBHOOK_URL: `${receiver.url}/any` } });
    await connected(application);
    await publish(application);
    await until(() => receiver.requests.length === 1);
    assert.equal(receiver.requests[0]?.headers.authorization, undefined);
  });

  it("sends nothing but the text for displays when nothing is configured, and nothing is an error", async () => {
    await using application = await startApplication();
    await connected(application);
    for (const nonsense of ["", "hello", "[]", "null", '{"title":1}']) await publish(application, nonsense);
    await publish(application);
    assert.equal(await displayed(application), notification.text);
    await delay(500);
    assert.deepEqual(complaints(application), []);
  });

  it("delivers after a restart what could not be delivered before", async () => {
    const port = await freePort();
    const env = { WEBHOOK_URL: `http://127.0.0.1:${port}/any` };
    const userDir = newFolder();
    const application = await startApplication({ env, userDir });
    await connected(application);
    await publish(application);
    await until(() => savedIn(userDir).includes("ECONNREFUSED"));
    assert.equal(await application.stop(), 0);
    await using receiver = await startReceiver({ port });
    await using _again = await startApplication({ env, userDir });
    await until(() => receiver.requests.length > 0);
    assert.deepEqual(JSON.parse(receiver.requests[0]?.body ?? ""), notification);
  });

  it("sends e-mail, once its node is enabled, until the server has taken it", async () => {
    await using mail = await startMailServer();
    const { port, received } = mail;
    const env = {
      ...{ MAIL_TO: "operators@example.com, boss@example.com", MAIL_SERVER: "127.0.0.1", MAIL_PORT: String(port) },
      ...{ MAIL_USER: "plant@example.com", MAIL_PASSWORD: "correct horse" },
    };
    await using application = await startApplication({ env });
    const { flows } = await application.flow();
    const isSender = (node: { id: string }) => node.id === "notifications-mail-send";
    // The server of this test has no certificate.
    await application.deploy(flows.map((node) => (isSender(node) ? { ...node, d: false, secure: false } : node)));
    await application.waitFor(/(Connected to broker: plant-notifications@[\s\S]*){2}/);
    await publish(application);
    await until(() => received.length === 2);
    const [first, second] = received;
    assert.equal(first?.login, "plant@example.com correct horse");
    assert.deepEqual(second?.recipients, ["operators@example.com", "boss@example.com"]);
    assert.match(second?.message ?? "", /^Subject: Critical: P7 <hall 3> is overheating$/m);
    assert.match(second?.message ?? "", /^Open the valve & call 123\.$/m);
    await delay(1000);
    assert.equal(received.length, 2);
  });
});

interface Mail {
  login: string;
  recipients: string[];
  message: string;
}

interface Session {
  user: string;
  envelope: { rcptTo: { address: string }[] };
}

/** The part of smtp-server that is used. */
interface MailServer {
  listen(port: number, host: string): void;
  close(): void;
  server: { address(): AddressInfo };
}

/** A mail server that refuses the first mail for the time being. */
async function startMailServer(): Promise<AsyncDisposable & { port: number; received: Mail[] }> {
  const { SMTPServer } = createRequire(import.meta.url)("smtp-server") as {
    SMTPServer: new (options: object) => MailServer;
  };
  const received: Mail[] = [];
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS"],
    allowInsecureAuth: true,
    onAuth(login: { username: string; password: string }, _session: Session, done: (e: null, r: object) => void) {
      done(null, { user: `${login.username} ${login.password}` });
    },
    async onData(stream: Readable, { user, envelope }: Session, done: (error?: Error) => void) {
      const message = (await text(stream)).replaceAll("\r", "");
      received.push({ login: user, recipients: envelope.rcptTo.map(({ address }) => address), message });
      done(received.length === 1 ? Object.assign(new Error("try again later"), { responseCode: 451 }) : undefined);
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server.server as never, "listening");
  return {
    port: server.server.address().port,
    received,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
