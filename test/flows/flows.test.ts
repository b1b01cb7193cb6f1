import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type FlowNode, formatFlow, mergeFiles, sharedNodes } from "../../app/flow-files.ts";
import { Fleet, type FleetOptions } from "../../core/simulator/fleet.ts";
import { ZScoreDetector } from "../../core/z-score.ts";
import { parseAll } from "../../nodes/lib/options.ts";
import { options as simulatorOptions } from "../../nodes/simulator/options.ts";
import { options as zScoreOptions } from "../../nodes/z-score-anomaly/options.ts";

const root = join(import.meta.dirname, "..", "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

function filesOf(folder: string): Map<string, FlowNode[]> {
  const path = join(root, folder);
  const names = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".json")) : [];
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(join(path, name), "utf8"))]));
}

const flows = filesOf("flows");
const all = mergeFiles(flows);
const ofType = (type: string, nodes = all) => nodes.filter((node) => node.type === type);
const isReference = (value: unknown) => /^\$\{\w+\}$/.test(String(value));

/** Settings of the only node of a type in all flows, as the runtime gets them without environment variables. */
function settingsOf(type: string): Record<string, unknown> {
  const [node = {}] = ofType(type);
  return Object.fromEntries(Object.entries(node).filter(([, value]) => !isReference(value)));
}

describe("the shipped flows", () => {
  it("have at most five lines in any function node, as the examples", () => {
    for (const [name, nodes] of [...flows, ...filesOf("examples")]) {
      for (const node of ofType("function", nodes)) {
        const code = [node.initialize, node.func, node.finalize].map((part) => String(part ?? ""));
        const lines = code.flatMap((part) => part.split("\n")).filter((line) => line.trim() !== "");
        assert.ok(lines.length <= 5, `${name}: function "${node.name}" has ${lines.length} lines`);
      }
    }
  });

  for (const [name, nodes] of flows) {
    describe(name, () => {
      const ids = new Set(nodes.map((node) => node.id));

      it("can be imported on its own: ids are unique, and all that a node refers to is there", () => {
        assert.equal(ids.size, nodes.length);
        for (const node of nodes) {
          const wires = (node.wires as string[][] | undefined) ?? [];
          const references = [node.z, node.g, node.broker, node.registry, node.historian, ...wires.flat()];
          for (const reference of [
            ...references,
            ...((node.scope as string[]) ?? []),
            ...((node.nodes as string[]) ?? []),
          ]) {
            if (isReference(reference) || !reference) continue;
            assert.ok(ids.has(String(reference)), `${node.id} refers to ${reference}`);
          }
        }
      });

      it("is written as a deploy writes it", () => {
        assert.equal(readFileSync(join(root, "flows", name), "utf8"), formatFlow(nodes));
      });

      it("names the palettes that it needs, in this version", () => {
        const [settings] = ofType("global-config", nodes);
        const modules = settings?.modules as Record<string, string>;
        assert.equal(modules[manifest.name], manifest.version);
      });

      it("tells what it does and what to edit, with every node in a group that says what it is for", () => {
        const [comment] = ofType("comment", nodes);
        assert.match(String(comment?.info), /\*\*To edit\*\*/);
        for (const group of ofType("group", nodes)) assert.ok(group.name && group.info, group.id);
        const places = nodes.filter((node) => node.x !== undefined && !["group", "comment"].includes(node.type));
        assert.deepEqual(
          places.filter((node) => !node.g).map((node) => node.id),
          [],
        );
      });

      it("says for our nodes every option, and none that there isn't", async () => {
        for (const node of nodes.filter((node) => node.type in manifest["node-red"].nodes)) {
          const { options } = await import(`../../nodes/${node.type}/options.ts`);
          const { credentials, ...rest } = node;
          const own = Object.keys({ ...rest, ...(credentials as object) }).filter(
            (key) => !["id", "type", "z", "g", "x", "y", "outputs", "wires"].includes(key),
          );
          assert.deepEqual(own.sort(), Object.keys(options).sort(), node.id);
        }
      });

      it("reads and writes MQTT so that nothing is lost: QoS 1, a fixed client id, a session that stays", () => {
        for (const node of [...ofType("mqtt in", nodes), ...ofType("mqtt out", nodes)])
          assert.equal(node.qos, "1", node.id);
        const brokers = ofType("mqtt-broker", nodes);
        assert.equal(brokers.length, 1);
        const [{ cleansession, autoUnsubscribe, clientid, broker, verifyservercert, credentials } = {} as FlowNode] =
          brokers;
        assert.deepEqual([cleansession, autoUnsubscribe, verifyservercert], [false, false, true]);
        for (const value of [broker, clientid, ...Object.values(credentials as object)]) assert.ok(isReference(value));
      });
    });
  }

  it("hold what they share identically", () => {
    for (const nodes of flows.values()) {
      for (const [id, shared] of sharedNodes(nodes)) assert.deepEqual(shared, sharedNodes(all).get(id));
    }
  });

  it("have a client id for each broker, which names the plant; the pages of the dashboard share one", () => {
    const settings = ofType("global-config").flatMap((node) => node.env as { name: string; value: string }[]);
    const variables = new Map(settings.map(({ name, value }) => [name, value]));
    const clients = ofType("mqtt-broker").map(({ clientid }) => variables.get(String(clientid).slice(2, -1)) ?? "");
    const concerns = [...flows.keys()].filter((name) => !name.startsWith("dashboard-"));
    assert.equal(new Set(clients).size, concerns.length);
    for (const client of clients) assert.match(client, /^\$\{PLANT\}-\w+$/);
  });

  it("show a fault within two minutes, and find it, whatever the time of day", () => {
    const options = parseAll(simulatorOptions, settingsOf("simulator"));
    for (let hour = 0; hour < 24; hour++) {
      const faults = judged(options, Date.UTC(2026, 2, 3, hour, 20), 120).filter(({ fault }) => fault);
      assert.ok(
        faults.some(({ isAnomaly }) => isAnomaly),
        `nothing at ${hour}:20`,
      );
    }
  });

  it("raise few false alarms: less than 2 % of the readings of a healthy fleet", () => {
    const options = { ...parseAll(simulatorOptions, settingsOf("simulator")), faultsPerDeviceDay: 0 };
    const readings = judged(options, Date.UTC(2026, 2, 3, 6, 0), 6 * 3600);
    const alarms = readings.filter(({ isAnomaly }) => isAnomaly);
    assert.ok(alarms.length < 0.02 * readings.length, `${alarms.length} of ${readings.length}`);
  });
});

/** What the shipped detector says of a fleet's readings, beside the truth. */
function judged(options: FleetOptions, start: number, seconds: number) {
  const fleet = new Fleet(options, start);
  const detectorOptions = parseAll(zScoreOptions, settingsOf("z-score-anomaly"));
  const detectors = new Map<string, ZScoreDetector>();
  const readings: { fault: string | null | undefined; isAnomaly: boolean }[] = [];
  while (fleet.nextDue() <= start + seconds * 1000) {
    for (const reading of fleet.tick(fleet.nextDue())) {
      const detector = detectors.get(reading.deviceId) ?? new ZScoreDetector("z-score", detectorOptions);
      detectors.set(reading.deviceId, detector);
      readings.push({ fault: reading.truth?.fault, isAnomaly: detector.push(reading)?.isAnomaly === true });
    }
  }
  return readings;
}
