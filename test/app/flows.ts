/** A small application's flow for the tests of what keeps flows: two tabs, a shared broker, a subflow. */
import type { FlowFiles, FlowNode } from "../../app/flow-files.ts";

const broker: FlowNode = { id: "broker", type: "mqtt-broker", name: "Plant", broker: "localhost", port: 1883 };
const settings: FlowNode = {
  id: "settings",
  type: "global-config",
  env: [{ name: "PLANT", type: "str", value: "plant" }],
  modules: { "node-red": "5.0.0" },
};
const subflow: FlowNode[] = [
  { id: "sub", type: "subflow", name: "Twice", in: [], out: [], env: [] },
  { id: "sub-in", type: "function", z: "sub", func: "return msg;", x: 100, y: 40, wires: [[]] },
];

/** What is shipped, by file: `line` uses the broker, `pumps` the broker and the subflow. */
export function shippedFiles(): FlowFiles {
  return structuredClone(
    new Map([
      [
        "line",
        [
          { id: "line", type: "tab", label: "Line" },
          { id: "line-group", type: "group", z: "line", nodes: ["line-in"], x: 10, y: 10, w: 200, h: 80 },
          {
            id: "line-in",
            type: "mqtt in",
            z: "line",
            g: "line-group",
            broker: "broker",
            x: 100,
            y: 50,
            wires: [["line-out"]],
          },
          { id: "line-out", type: "debug", z: "line", x: 300, y: 50, wires: [] },
          settings,
          broker,
        ],
      ],
      [
        "pumps",
        [
          { id: "pumps", type: "tab", label: "Pumps" },
          { id: "pump-in", type: "mqtt in", z: "pumps", broker: "broker", x: 100, y: 50, wires: [["pump-sub"]] },
          { id: "pump-sub", type: "subflow:sub", z: "pumps", x: 300, y: 50, wires: [] },
          ...subflow,
          settings,
          broker,
        ],
      ],
    ]),
  );
}

/** The same flow with some properties of one node changed. */
export function changed(flow: FlowNode[], id: string, properties: Partial<FlowNode>): FlowNode[] {
  return flow.map((node) => (node.id === id ? { ...node, ...properties } : node));
}

/** The same flow without these tabs and what stands in them. */
export function withoutTab(flow: FlowNode[], ...tabs: string[]): FlowNode[] {
  return flow.filter((node) => !tabs.includes(node.id) && !tabs.includes(node.z ?? ""));
}

/** A tab of the user's own, with a node on it. */
export function newTab(id: string, label: string): FlowNode[] {
  return [
    { id, type: "tab", label },
    { id: `${id}-inject`, type: "inject", z: id, x: 100, y: 50, wires: [[]] },
  ];
}

/** The node of this id. Throws when there is none. */
export function nodeOf(flow: FlowNode[], id: string): FlowNode {
  const found = flow.find((node) => node.id === id);
  if (!found) throw new Error(`no node ${id}`);
  return found;
}
