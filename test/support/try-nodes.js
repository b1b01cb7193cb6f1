/**
 * Loads the installed package into a Node-RED, gives each node one message, and writes what came of it to standard
 * output. A program of its own in plain JavaScript: it also runs on Node 20, with the Node-RED that it is told.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";

const PATIENCE = 5000;

const { nodeRed, userDir, messages } = JSON.parse(process.argv[2] ?? "");
const RED = createRequire(import.meta.url)(nodeRed);

/** By node: what it sent first, or the error that it gave. */
const answers = new Map();
let answered = () => {};
const answer = (id, what) => {
  if (!answers.has(id)) answers.set(id, what);
  answered();
};

// Its own server, which never listens.
RED.init(createServer(), {
  userDir,
  flowFile: "flows.json",
  credentialSecret: false,
  httpAdminRoot: false,
  httpNodeRoot: false,
  telemetry: { enabled: false },
  externalModules: { palette: { allowInstall: false } },
  logging: { console: { level: "off" } },
});
const running = new Promise((resolve) => RED.events.once("flows:started", resolve));
await RED.start();
await running;
const failures = RED.nodes.getNodeList(({ err }) => err).map(({ id, err }) => `${id}: ${err}`);

RED.hooks.add("onSend", (events) => {
  for (const { source, msg } of events) answer(source.id, { output: source.port + 1, payload: msg.payload });
});
RED.hooks.add("onComplete", ({ node, error }) => {
  if (error) answer(node.id, { error: error.message });
});
for (const [id, message] of Object.entries(messages)) {
  const node = RED.nodes.getNode(id);
  if (node) node.receive(structuredClone(message));
  else answer(id, { error: "it was not created" });
}
await new Promise((resolve) => {
  answered = () => answers.size >= Object.keys(messages).length && resolve();
  answered();
  setTimeout(resolve, PATIENCE);
});

console.log(
  JSON.stringify({ node: process.version, nodeRed: RED.version(), failures, answers: Object.fromEntries(answers) }),
);
await RED.stop();
process.exit();
