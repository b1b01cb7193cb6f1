import assert from "node:assert/strict";
import { mock } from "node:test";
import type { Node, NodeStatus } from "node-red";
import { StatusLine } from "../../../nodes/lib/status.ts";

/** A status line whose text the test sets, and what it shows. */
function newLine() {
  const shown: string[] = [];
  const state = { text: "a", asked: 0 };
  const node = { status: (status: NodeStatus) => shown.push(status.text ?? "") } as unknown as Node;
  const line = new StatusLine(node, () => {
    state.asked++;
    return { text: state.text };
  });
  const update = (text: string) => {
    state.text = text;
    line.update();
  };
  return { line, shown, state, update };
}

/** Lets seconds pass, one after another: a timer that another one starts counts from the end of a tick. */
function pass(seconds: number): void {
  for (let i = 0; i < seconds; i++) mock.timers.tick(1000);
}

describe("StatusLine", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("shows the first status at once", () => {
    const { shown, update } = newLine();
    update("a");
    assert.deepEqual(shown, ["a"]);
  });

  it("shows the newest of a second at the end of it", () => {
    const { shown, update } = newLine();
    for (const text of ["a", "b", "c"]) update(text);
    mock.timers.tick(999);
    assert.deepEqual(shown, ["a"]);
    mock.timers.tick(1);
    assert.deepEqual(shown, ["a", "c"]);
  });

  it("shows one a second at most, however the changes fall", () => {
    const { shown, update } = newLine();
    const times: number[] = [];
    for (let time = 0; time < 10_000; time += 7) {
      update(`${time}`);
      if (shown.length > times.length) times.push(time);
      mock.timers.tick(7);
      if (shown.length > times.length) times.push(time + 7);
    }
    assert.ok(times.length >= 9);
    for (const [index, time] of times.entries()) if (index > 0) assert.ok(time - (times[index - 1] ?? 0) >= 1000 - 7);
  });

  it("shows nothing twice", () => {
    const { shown, update } = newLine();
    update("a");
    update("b");
    update("a");
    pass(1);
    update("a");
    pass(5);
    assert.deepEqual(shown, ["a"]);
    update("b");
    assert.deepEqual(shown, ["a", "b"]);
  });

  it("asks for the status only when it is about to be shown", () => {
    const { state, update } = newLine();
    for (let i = 0; i < 1000; i++) update("a");
    assert.equal(state.asked, 1);
    pass(10);
    assert.equal(state.asked, 2);
  });

  it("shows nothing after it was closed", () => {
    const { line, shown, update } = newLine();
    update("a");
    update("b");
    line.close();
    pass(5);
    assert.deepEqual(shown, ["a"]);
  });
});
