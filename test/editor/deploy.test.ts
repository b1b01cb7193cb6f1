/** What is dragged, set and wired with mouse and keyboard is what the runtime does after Deploy. */
import { strict as assert } from "node:assert";
import { Editor, textOf } from "./editor.ts";
import type { FlowNode } from "./node-red.ts";

/** A place to send readings to and one that answers, still to be wired to a node between them. */
const endpoint = (path: string, y: number) => [
  { id: `${path}-in`, type: "http in", z: "tab", url: `/${path}`, method: "post", x: 120, y, wires: [[]] },
  { id: `${path}-out`, type: "http response", z: "tab", x: 700, y, wires: [] },
];

describe("in the editor, with the mouse", function () {
  this.timeout(60_000);
  let editor: Editor;

  before(async () => {
    const flow = [{ id: "tab", type: "tab", label: "Flow" }, ...endpoint("telemetry", 60), ...endpoint("z-score", 180)];
    editor = await Editor.open(flow);
  });
  after(() => editor?.close());
  afterEach(async () => {
    await editor.cancel();
    assert.deepEqual(editor.complaints, []);
  });

  const send = async (path: string, payload: object) => {
    const response = await fetch(`${editor.nodeRed.url}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(payload),
      signal: AbortSignal.timeout(5000),
    });
    return await response.json();
  };
  const deployed = async (id: string) => (await editor.nodeRed.flow()).find((node) => node.id === id);

  // The tests of a node are one story: each goes on where the one before has stopped.
  describe("telemetry", () => {
    const fahrenheit = { device: "P7", temp_f: 212 };
    const cell = (column: string, row = 0) => editor.cells("conversions", column).nth(row);
    const isWrong = (column: string) => editor.isWrong(cell(column));
    let id: string;

    before(async () => {
      id = await editor.dragIn("telemetry", { x: 420, y: 60 });
      await editor.wire("telemetry-in", 0, id);
      await editor.wire(id, 0, "telemetry-out");
    });

    it("marks the wrong cells of a new row, says why, and takes the mark away when they are put right", async () => {
      await editor.openForm(id);
      await editor.addRow("conversions");
      assert.ok(await cell("property").evaluate((cell) => cell === document.activeElement));
      assert.ok(await isWrong("property"));
      assert.equal(await editor.reasonAt(cell("property")), "must not be empty");
      await editor.type(cell("property"), "temp_f");
      assert.ok(!(await isWrong("property")));

      await editor.type(cell("factor"), "5/9");
      assert.ok(await isWrong("factor"));
      assert.equal(await editor.reasonAt(cell("factor")), "must be a number");
      await editor.type(cell("factor"), "0.5");
      assert.ok(!(await isWrong("factor")));
    });

    it("wears a red triangle that names row and column of a wrong cell", async () => {
      await editor.openForm(id);
      await editor.addRow("conversions");
      await editor.type(cell("property"), "temp_f");
      await editor.type(cell("factor"), "5/9");
      await editor.done();
      assert.match(await editor.triangleText(id), /Conversions: row 1: Factor must be a number/);
    });

    it("converts as its table says once that is deployed", async () => {
      await editor.openForm(id);
      await editor.type(cell("metric"), "temperature");
      await editor.type(cell("factor"), "0.5");
      await editor.type(cell("offset"), "-6");
      await editor.type(cell("unit"), "°C");
      await editor.addRow("conversions");
      await editor.type(cell("property", 1), "rpm");
      await editor.type(cell("metric", 1), "speed");
      await editor.done();
      assert.ok(!(await editor.wears(id, "error")));
      await editor.deploy();

      const { metrics, units } = await send("telemetry", { ...fahrenheit, rpm: 1500 });
      assert.deepEqual(metrics, { temperature: 100, speed: 1500 });
      assert.deepEqual(units, { temperature: "°C" });
    });

    it("shows its saved rows again, and Cancel leaves them as they were", async () => {
      const before = await deployed(id);
      await editor.openForm(id);
      assert.equal(await cell("property").inputValue(), "temp_f");
      assert.equal(await cell("unit").inputValue(), "°C");
      assert.equal(await cell("property", 1).inputValue(), "rpm");
      await editor.type(cell("factor"), "100");
      await editor.deleteRow("conversions", 1);
      await editor.cancel();
      assert.ok(!(await editor.wears(id, "changed")));

      await editor.openForm(id);
      assert.equal(await cell("factor").inputValue(), "0.5");
      assert.equal(await editor.cells("conversions", "property").count(), 2);
      await editor.done();
      assert.ok(!(await editor.wears(id, "changed")));
      assert.deepEqual(await deployed(id), before);
    });

    it("no longer converts what was deleted from its table", async () => {
      await editor.openForm(id);
      await editor.deleteRow("conversions", 0);
      await editor.done();
      await editor.deploy();
      const { metrics } = await send("telemetry", { ...fahrenheit, rpm: 1500 });
      assert.deepEqual(metrics, { temp_f: 212, speed: 1500 });
    });
  });

  describe("simulator", () => {
    it("simulates the devices that were set, until its check box is cleared", async () => {
      const id = await editor.dragIn("simulator", { x: 420, y: 300 });
      const debug = await editor.dragIn("debug", { x: 700, y: 300 });
      await editor.wire(id, 0, debug);
      await editor.openForm(id);
      await editor.type(editor.field("devices"), "3");
      await editor.type(editor.field("devicePrefix"), "Pump-");
      await editor.type(editor.field("intervalSeconds"), "0.2");
      await editor.done();
      await editor.deploy();

      const messages = editor.page.locator(".red-ui-debug-msg");
      for (const index of [0, 1, 2]) assert.match(await textOf(messages.nth(index)), new RegExp(`Pump-${index + 1} :`));
      assert.match(await textOf(messages.nth(3)), /Pump-1 :/);

      await editor.openForm(id);
      await editor.field("autoStart").click();
      await editor.done();
      await editor.deploy();
      await editor.node(id).locator(".red-ui-flow-node-status-label", { hasText: "stopped" }).waitFor();
    });
  });

  describe("z-score-anomaly", () => {
    let id: string;

    before(async () => {
      id = await editor.dragIn("z-score-anomaly", { x: 420, y: 180 });
      await editor.wire("z-score-in", 0, id);
      await editor.wire(id, 0, "z-score-out");
    });

    it("judges with the method, window and threshold that were set", async () => {
      await editor.openForm(id);
      await editor.choose("method", "robust");
      await editor.type(editor.field("windowSize"), "5");
      await editor.type(editor.field("threshold"), "3");
      await editor.done();
      await editor.deploy();

      const { method, windowSize, threshold } = (await deployed(id)) as FlowNode;
      assert.deepEqual({ method, windowSize, threshold }, { method: "robust", windowSize: "5", threshold: "3" });
      // Median 10, median absolute deviation 1: 3 deviations lie at 10 + 3 × 1.4826. The mean would be misled by the 50.
      const verdicts = [];
      for (const temperature of [10, 11, 9, 10, 50, 15]) {
        const reading = await send("z-score", { deviceId: "P7", timestamp: 1e12, metrics: { temperature } });
        verdicts.push(reading.verdicts?.["z-score-anomaly"]);
      }
      assert.deepEqual(verdicts.slice(0, 5), Array(5).fill(undefined));
      const { isAnomaly, threshold: used, metrics } = verdicts[5];
      assert.deepEqual({ isAnomaly, used }, { isAnomaly: true, used: 3 });
      assert.ok(Math.abs(metrics.temperature.upper - (10 + 3 * 1.4826)) < 1e-3);
    });

    it("shows what was set, and Cancel leaves it as it was", async () => {
      await editor.openForm(id);
      assert.equal(await editor.field("method").inputValue(), "robust");
      assert.equal(await editor.field("windowSize").inputValue(), "5");
      await editor.choose("method", "ewma");
      await editor.type(editor.field("windowSize"), "7");
      await editor.cancel();
      assert.ok(!(await editor.wears(id, "changed")));
      await editor.openForm(id);
      assert.equal(await editor.field("method").inputValue(), "robust");
      assert.equal(await editor.field("windowSize").inputValue(), "5");
    });
  });
});
