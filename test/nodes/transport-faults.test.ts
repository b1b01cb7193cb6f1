/** The simulator's faults of transport, as a telemetry node behind it meets them. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import type { Reading } from "../../core/types.ts";
import simulator from "../../nodes/simulator/simulator.ts";
import telemetry from "../../nodes/telemetry/telemetry.ts";
import { readingsOf, startFlow, type TestFlow } from "../support/test-flow.ts";

const START = Date.UTC(2026, 2, 1, 12);
const FAULTY_SECONDS = 90;
/** Enough for all that was held back. */
const WELL_SECONDS = 70;
const DEVICES = ["R1", "R2", "R3"];
const REASONS = [/not JSON|string is not a reading/, /is not a name/, /is not a finite number/, /is not a time/];

interface Letter {
  reason: string;
  payload: unknown;
}

describe("telemetry behind a simulator", () => {
  let flow: TestFlow;

  const pass = (seconds: number) => {
    for (let step = 0; step < seconds * 4; step++) mock.timers.tick(250);
  };

  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: START }));

  afterEach(async () => {
    mock.timers.reset();
    await flow.stop();
  });

  /** R1 has a fault for a while; what all have sent, and what the telemetry node makes of it. */
  async function meet(fault: string, emit: "each" | "batch") {
    const options = { devices: 3, intervalSeconds: 1, autoStart: false, emit };
    flow = await startFlow(
      [simulator, telemetry],
      [
        { id: "simulator", type: "simulator", wires: [["raw", "telemetry"], []], ...options },
        { id: "telemetry", type: "telemetry", wires: [["readings"], ["dead letters"]] },
        ...["raw", "readings", "dead letters"].map((id) => ({ id, type: "helper", wires: [] })),
      ],
    );
    const command = async (name: string, payload?: object) => {
      flow.send("simulator", { command: name, payload });
      await new Promise((resolve) => setImmediate(resolve));
    };
    await command("fault", { deviceId: "R1", fault, seconds: FAULTY_SECONDS });
    await command("start");
    for (let second = 0; second < FAULTY_SECONDS + WELL_SECONDS; second++) {
      pass(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const own = (device: string) =>
      flow
        .received("readings")
        .flatMap(readingsOf)
        .filter(({ deviceId }) => deviceId === device)
        .map(({ timestamp }) => (timestamp - START) / 1000);
    return {
      raw: flow.received("raw").flatMap(({ payload }) => (emit === "batch" ? (payload as unknown[]) : [payload])),
      letters: flow.received("dead letters").map(({ payload }) => payload as Letter),
      seconds: new Map(DEVICES.map((device) => [device, own(device)])),
    };
  }

  const all = Array.from({ length: FAULTY_SECONDS + WELL_SECONDS }, (_, second) => second);
  const ascending = (numbers: number[] = []) => numbers.toSorted((a, b) => a - b);

  for (const emit of ["each", "batch"] as const) {
    it(`gives every malformed one to the dead letters, untouched, and takes all others (${emit})`, async () => {
      const { raw, letters, seconds } = await meet("malformed", emit);
      assert.equal(letters.length, FAULTY_SECONDS);
      const isTold = (payload: unknown) => (payload as Reading).truth?.fault === "malformed";
      assert.deepEqual(
        letters.map(({ payload }) => payload),
        raw.filter((payload) => typeof payload === "string" || isTold(payload)),
      );
      for (const reason of REASONS) assert.ok(letters.some((letter) => reason.test(letter.reason)));
      for (const { reason } of letters)
        assert.ok(
          REASONS.some((known) => known.test(reason)),
          reason,
        );
      assert.deepEqual(seconds.get("R1"), all.slice(FAULTY_SECONDS));
      for (const device of ["R2", "R3"]) assert.deepEqual(seconds.get(device), all);
    });

    it(`takes late ones, each once, in order and with its own time (${emit})`, async () => {
      const { letters, seconds } = await meet("late", emit);
      assert.deepEqual(letters, []);
      for (const device of DEVICES) assert.deepEqual(seconds.get(device), all);
      const arrivals = flow.received("readings").flatMap(readingsOf);
      const first = arrivals.findIndex(({ deviceId }) => deviceId === "R1");
      const seen = arrivals.slice(0, first).filter(({ deviceId }) => deviceId === "R2").length;
      assert.ok(seen >= 20 && seen <= 61, `R2 was ${seen} s ahead`);
    });

    it(`takes those out of order, each once (${emit})`, async () => {
      const { letters, seconds } = await meet("out-of-order", emit);
      assert.deepEqual(letters, []);
      assert.notDeepEqual(seconds.get("R1"), all);
      assert.deepEqual(ascending(seconds.get("R1")), all);
      for (const device of ["R2", "R3"]) assert.deepEqual(seconds.get(device), all);
    });

    it(`takes duplicates twice (${emit})`, async () => {
      const { letters, seconds } = await meet("duplicate", emit);
      assert.deepEqual(letters, []);
      const twice = all.slice(0, FAULTY_SECONDS).flatMap((second) => [second, second]);
      assert.deepEqual(seconds.get("R1"), [...twice, ...all.slice(FAULTY_SECONDS)]);
      for (const device of ["R2", "R3"]) assert.deepEqual(seconds.get(device), all);
    });
  }
});
