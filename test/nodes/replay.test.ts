import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { Sent } from "../../core/simulator/transport.ts";
import type { Reading } from "../../core/types.ts";
import { Replay, type ReplayOptions } from "../../nodes/simulator/replay.ts";
import type { Consumer } from "../../nodes/simulator/simulation.ts";
import { delivered, hooks, MESSAGE_HOOKS, Simulated, type Taker } from "./simulated.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const RECORDED = Date.UTC(2020, 6, 12);

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "replay-"));
});
after(() => rmSync(folder, { recursive: true }));

/** Writes a recording of readings at these seconds, and gives its path. */
function record(seconds: readonly number[], name = "recording.csv"): string {
  const rows = seconds.map((second, index) => `${RECORDED + second * 1000},R${(index % 3) + 1},${index}`);
  return save(name, ["ts,device,x", ...rows].join("\n"));
}

function save(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const count = (length: number) => Array.from({ length }, (_, index) => index);
const readingOf = ({ payload }: { payload?: unknown }) => payload as Reading;

describe("a replay by the clock", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: NOW }));
  afterEach(() => mock.timers.reset());

  interface Arrival {
    x: number | undefined;
    /** Seconds since the replay began, and the reading's own time. */
    at: number;
    timestamp: number;
  }

  interface Course {
    batchSize?: number;
    take?: (arrivals: Arrival[], replay: Replay) => void;
    /** Lets the time go by for which the replay waits. */
    pass?: (arrivals: Arrival[]) => void;
  }

  /** Plays to the end, or until `take` closes it, and tells what came when. Time passes only where the replay waits. */
  async function play(options: Partial<ReplayOptions> & { file: string }, course: Course = {}) {
    const { batchSize = 1, take, pass = () => mock.timers.runAll() } = course;
    const arrivals: Arrival[] = [];
    const batches: number[] = [];
    const consumer: Consumer = {
      take(sent: Sent[]) {
        batches.push(sent.length);
        for (const { timestamp, metrics } of sent.map(readingOf)) {
          arrivals.push({ x: metrics.x, at: (Date.now() - NOW) / 1000, timestamp });
        }
        take?.(arrivals, replay);
        return undefined;
      },
    };
    const replay = new Replay(
      { speed: 1, loop: false, timestamps: "now", ...options },
      consumer,
      () => undefined,
      batchSize,
    );
    await replay.open();
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    const end = replay.play();
    end.then(over, over);
    while (!isOver) {
      await turn();
      pass(arrivals);
    }
    await end;
    return { arrivals, batches, replay };
  }

  const times = (arrivals: Arrival[]) => arrivals.map(({ at }) => at);

  it("keeps the recorded distances", async () => {
    const { arrivals } = await play({ file: record([0, 1, 3.5, 3.5, 60]) });
    assert.deepEqual(times(arrivals), [0, 1, 3.5, 3.5, 60]);
    assert.deepEqual(
      arrivals.map(({ timestamp }) => (timestamp - NOW) / 1000),
      [0, 1, 3.5, 3.5, 60],
    );
  });

  for (const speed of [0.5, 4]) {
    it(`divides them by a speed of ${speed}, in the times of the readings too`, async () => {
      const { arrivals } = await play({ file: record([0, 2, 10]), speed });
      const expected = [0, 2 / speed, 10 / speed];
      assert.deepEqual(times(arrivals), expected);
      assert.deepEqual(
        arrivals.map(({ timestamp }) => (timestamp - NOW) / 1000),
        expected,
      );
    });
  }

  it("leaves the recorded times as they are, if told so", async () => {
    const { arrivals } = await play({ file: record([0, 2, 10]), speed: 2, timestamps: "original" });
    assert.deepEqual(times(arrivals), [0, 1, 5]);
    assert.deepEqual(
      arrivals.map(({ timestamp }) => (timestamp - RECORDED) / 1000),
      [0, 2, 10],
    );
  });

  it("sends at once what is out of order, at its own time", async () => {
    const { arrivals } = await play({ file: record([0, 10, 4, -3, 12]) });
    assert.deepEqual(times(arrivals), [0, 10, 10, 10, 12]);
    assert.deepEqual(
      arrivals.map(({ timestamp }) => (timestamp - NOW) / 1000),
      [0, 10, 4, -3, 12],
    );
  });

  it("does not wait at speed 0, and the time of a reading is that of sending", async () => {
    const { arrivals } = await play({ file: record(count(50)), speed: 0 }, { take: () => mock.timers.tick(7) });
    assert.deepEqual(
      arrivals.map(({ timestamp }) => timestamp),
      count(50).map((index) => NOW + 7 * index),
    );
  });

  it("waits longer than a timer can", async () => {
    const days = 86_400 * 40;
    assert.deepEqual(times((await play({ file: record([0, days]) })).arrivals), [0, days]);
  });

  it("begins again in a loop, a reading's distance later", async () => {
    const { arrivals, replay } = await play(
      { file: record([0, 5, 10]), loop: true },
      { take: (arrivals, replay) => arrivals.length === 8 && replay.close() },
    );
    assert.deepEqual(times(arrivals), [0, 5, 10, 15, 20, 25, 30, 35]);
    assert.deepEqual([replay.rounds, replay.sent], [2, 8]);
  });

  it("in a loop of a single reading is not in a hurry either", async () => {
    const { arrivals } = await play(
      { file: record([0]), loop: true },
      { take: (arrivals, replay) => arrivals.length === 3 && replay.close() },
    );
    assert.deepEqual(times(arrivals), [0, 1, 2]);
  });

  it("gives together what is due together", async () => {
    const { arrivals, batches } = await play({ file: record([0, 0, 0, 0, 0, 5, 5]) }, { batchSize: 3 });
    assert.deepEqual(batches, [3, 2, 2]);
    assert.deepEqual(times(arrivals), [0, 0, 0, 0, 0, 5, 5]);
  });

  it("after a pause goes on as if it had not been", async () => {
    const day = 86_400;
    let paused: Replay | undefined;
    const { arrivals } = await play(
      { file: record([0, 5, 10]) },
      {
        take(arrivals, replay) {
          if (arrivals.length !== 2) return;
          paused = replay;
          paused.pause();
        },
        pass() {
          mock.timers.runAll();
          if (Date.now() >= NOW + day * 1000) paused?.resume();
        },
      },
    );
    assert.deepEqual(times(arrivals), [0, 5, 10 + day]);
    assert.equal(arrivals[2]?.timestamp, NOW + (10 + day) * 1000);
  });

  for (const [what, jump] of [
    ["does not hurry after the machine has slept for an hour", 3600],
    ["does not wait for an hour to come back when the clock is set", -3600],
  ] as const) {
    it(what, async () => {
      const clock = Date.now;
      let offset = 0;
      Date.now = () => clock() + offset;
      const pass = ({ length }: Arrival[]) => {
        if (length === 2) offset = jump * 1000;
        mock.timers.runAll();
      };
      const { arrivals } = await play({ file: record([0, 5, 10, 15]) }, { pass });
      assert.deepEqual(times(arrivals), [0, 5, 10 + jump, 15 + jump]);
      assert.equal(arrivals[3]?.timestamp, NOW + (15 + jump) * 1000);
    });
  }

  it("ends with an error if there is no reading in the file", async () => {
    const file = join(folder, "none.csv");
    writeFileSync(file, "device,x\nR1,\nR2,\n");
    for (const loop of [false, true]) {
      await assert.rejects(play({ file, loop }), /none.csv holds no reading: line 2: it holds no metric/);
    }
  });
});

describe("simulator as a replay", () => {
  let simulated: Simulated | undefined;

  const start = async (options: object, take?: Taker, extra?: object[]) => {
    simulated = await Simulated.start({ profile: "replay", speed: 0, ...options }, take, extra);
    return simulated;
  };
  const end = async () => {
    const flow = simulated as Simulated;
    await flow.until(() => ["finished", "failed"].includes(flow.state?.state ?? ""));
    return flow.state;
  };
  const values = () => simulated?.readings.map((message) => readingOf(message).metrics.x);
  const hooked = () => MESSAGE_HOOKS.filter((name) => hooks.has(name));

  afterEach(async () => {
    await simulated?.stop();
    simulated = undefined;
    assert.deepEqual(hooked(), []);
  });

  const rows = count(1000);
  const lines = rows.map((x) => JSON.stringify({ device_id: `R${x % 3}`, timestamp: RECORDED + x, x })).join("\n");
  for (const [name, write] of [
    ["CSV", () => record(rows, "all.csv")],
    ["JSON lines", () => save("all.jsonl", lines)],
    ["gzipped JSON lines", () => save("all.jsonl.gz", gzipSync(lines))],
  ] as const) {
    it(`plays ${name}: each reading in a message with its device as topic, and says what came of it`, async () => {
      const file = write();
      const flow = await start({ file });
      assert.deepEqual(await end(), {
        state: "finished",
        profile: "replay",
        file,
        sent: 1000,
        percent: 100,
        rounds: 1,
        refused: 0,
        partlyRefused: 0,
        uncompleted: 0,
      });
      assert.deepEqual(values(), rows);
      assert.ok(flow.readings.every((message) => message.topic === readingOf(message).deviceId));
      assert.equal(new Set(flow.readings.map(({ _msgid }) => _msgid)).size, 1000);
      assert.deepEqual(flow.errors, []);
    });
  }

  it("plays arrays in batch mode", async () => {
    const flow = await start({ file: record(rows), emit: "batch" });
    assert.equal((await end())?.sent, 1000);
    const arrays = flow.readings.map(({ payload }) => payload as Reading[]);
    assert.deepEqual(
      arrays.map(({ length }) => length),
      [500, 500],
    );
    assert.deepEqual(
      arrays.flat().map(({ metrics }) => metrics.x),
      rows,
    );
  });

  it("shows how far it has come, and that it has ended", async () => {
    const waiting: (() => void)[] = [];
    let isHolding = true;
    const flow = await start({ file: record(rows) }, (_message, done) => {
      if (isHolding) waiting.push(done);
      else done();
    });
    await flow.until(() => flow.statuses.length === 1);
    isHolding = false;
    for (const done of waiting) done();
    await flow.until(() => flow.statuses.length === 2);
    assert.deepEqual(flow.statuses, ["blue dot status.replaying 256 25", "blue ring status.finished 1000"]);
  });

  it("counts what can't be taken, tells the first reason once, and goes on", async () => {
    const flow = await start({ file: save("bad.csv", "device,x\nR1,1\nR1\n,2\nR1,3\n") });
    const state = await end();
    assert.deepEqual(values(), [1, 3]);
    assert.deepEqual([state?.refused, state?.reason], [2, "line 3: it has 1 cells, and the header names 2"]);
    assert.deepEqual(
      flow.reports.map((report) => [report.state.state, report.state.refused]),
      [
        ["running", 0],
        ["running", 1],
        ["finished", 2],
      ],
    );
    assert.deepEqual(flow.logged("warn"), [
      "not all records can be taken, such as line 3: it has 1 cells, and the header names 2",
    ]);
  });

  for (const [way, wires, extra] of [
    ["at once", [["readings"], ["reports"]], []],
    [
      "by a node that sends it on later",
      [["relay"], ["reports"]],
      [{ id: "relay", type: "relay", wires: [["readings"]] }],
    ],
    [
      "by an old node that is never done",
      [["old"], ["reports"]],
      [{ id: "old", type: "old relay", wires: [["readings"]] }],
    ],
    [
      "beside another node that is faster",
      [["relay", "readings"], ["reports"]],
      [{ id: "relay", type: "relay", wires: [] }],
    ],
  ] as const) {
    it(`is held back by what takes it ${way}`, async () => {
      const waiting: (() => void)[] = [];
      let most = 0;
      const take: Taker = (_message, done) => {
        waiting.push(done);
        most = Math.max(most, waiting.length);
      };
      const flow = await start({ file: record(rows), wires }, take, [...extra]);
      await flow.until(() => waiting.length === 256);
      await delivered();
      assert.equal(flow.readings.length, 256);
      assert.deepEqual(hooked(), MESSAGE_HOOKS);
      waiting.shift()?.();
      await flow.until(() => flow.readings.length === 257);
      await delivered();
      assert.equal(flow.readings.length, 257);
      while (flow.state?.state !== "finished") {
        waiting.shift()?.();
        await delivered();
      }
      assert.equal(most, 256);
      assert.deepEqual(values(), rows);
    });
  }

  it("holds back arrays too", async () => {
    const waiting: (() => void)[] = [];
    const flow = await start({ file: record(count(5000)), emit: "batch" }, (_message, done) => waiting.push(done));
    await flow.until(() => waiting.length === 4);
    await delivered();
    assert.equal(flow.readings.length, 4);
  });

  it("waits for nobody where nothing is wired, and lets others have their turn", async () => {
    let turns = 0;
    const flow = await start({ file: record(count(50_000)), wires: [[], ["reports"]] });
    while (flow.state?.state !== "finished") {
      turns++;
      await turn();
    }
    assert.equal(flow.state?.sent, 50_000);
    assert.ok(turns > 10, `${turns} turns`);
  });

  it("gives up what is not completed for ten seconds, says so once, and tries with a few", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const flow = await start({ file: record(rows) }, () => undefined);
      const sent: number[] = [];
      for (let round = 0; round < 4; round++) {
        await delivered();
        await flow.until(() => flow.readings.length > (sent.at(-1) ?? 0));
        await delivered();
        sent.push(flow.readings.length);
        mock.timers.tick(10_000);
      }
      assert.deepEqual(sent, [256, 257, 259, 263]);
      assert.deepEqual(flow.logged("warn"), [
        "256 messages were not completed by the nodes behind, and are waited for no longer",
      ]);
      assert.equal((await flow.command("status")).state.uncompleted, 263);
    } finally {
      mock.timers.reset();
    }
  });

  it("pauses with stop, goes on with start, and begins again with restart", async () => {
    const file = record(rows);
    const waiting: (() => void)[] = [];
    const flow = await start({ file, autoStart: false }, (_message, done) => waiting.push(done));
    assert.deepEqual(hooked(), []);
    await flow.command("start");
    await flow.until(() => flow.readings.length === 256);
    assert.equal((await flow.command("stop")).state.state, "stopped");
    assert.deepEqual(hooked(), []);
    for (const done of waiting.splice(0)) done();
    await delivered();
    const { length } = flow.readings;
    assert.ok(length <= 257);
    assert.equal((await flow.command("start")).state.state, "running");
    await flow.until(() => flow.readings.length === length + 256);
    assert.deepEqual(values(), rows.slice(0, length + 256));
    flow.readings.length = 0;
    const { ok, state } = await flow.command("restart");
    assert.deepEqual([ok, state.state], [true, "running"]);
    await flow.until(() => flow.readings.length === 256);
    assert.deepEqual(values(), rows.slice(0, 256));
  });

  it("once it has ended begins again with restart only", async () => {
    const flow = await start({ file: record([0, 1]) });
    await end();
    const { ok, state } = await flow.command("start");
    assert.deepEqual([ok, state.state], [true, "finished"]);
    await flow.command("restart");
    await flow.until(() => flow.readings.length === 4);
    assert.deepEqual(values(), [0, 1, 0, 1]);
  });

  for (const [command, payload] of [
    ["restart", { deviceId: "R1" }],
    ["set", { deviceId: "R1", parameter: "load", value: 1 }],
    ["fault", { deviceId: "R1", fault: "stuck" }],
  ] as const) {
    it(`refuses ${command} of a recorded device`, async () => {
      const flow = await start({ file: record([0, 1000]), speed: 1 });
      const { ok, error, state } = await flow.command(command, payload);
      assert.deepEqual([ok, state.state], [false, "running"]);
      assert.match(error ?? "", /^R1 is recorded/);
      await flow.until(() => flow.errors.length === 1);
      assert.deepEqual(flow.errors, [error]);
    });
  }

  it("needs the name of a file", async () => {
    const flow = await start({ file: " " });
    assert.deepEqual(flow.logged("error"), ["file: a replay needs one"]);
  });

  it("tells a Catch node and output 2 of a file that isn't there, and starts once it is", async () => {
    const file = join(folder, "later.csv");
    const flow = await start({ file });
    const state = await end();
    assert.deepEqual([state?.state, state?.error], ["failed", `there is no file ${file}`]);
    await flow.until(() => flow.errors.length === 1 && flow.statuses.length > 0);
    assert.deepEqual(flow.errors, [`there is no file ${file}`]);
    assert.equal(flow.statuses.at(-1), `red ring there is no file ${file}`);
    const { ok, error } = await flow.command("start");
    assert.deepEqual([ok, error], [false, `there is no file ${file}`]);
    record([0, 1], "later.csv");
    assert.equal((await flow.command("start")).ok, true);
    assert.equal((await end())?.sent, 2);
  });

  it("tells of a file that turns out to be damaged", async () => {
    const bytes = gzipSync(
      `device,x\n${count(100_000)
        .map((x) => `R1,${Math.sin(x)}`)
        .join("\n")}`,
    );
    const flow = await start({ file: save("broken.csv.gz", bytes.subarray(0, -1000)), emit: "batch" });
    const state = await end();
    assert.equal(state?.state, "failed");
    assert.match(state?.error ?? "", /broken.csv.gz cannot be read: unexpected end of file/);
    assert.ok((state?.sent ?? 0) > 90_000);
    await flow.until(() => flow.errors.length === 1);
    assert.deepEqual(flow.errors, [state?.error]);
  });

  it("tells of a file that vanishes before it is played again", async () => {
    const file = record([0, 1], "vanishing.csv");
    const flow = await start({ file, loop: true }, (message, done) => {
      if (readingOf(message).metrics.x === 1) rmSync(file, { force: true });
      done();
    });
    assert.deepEqual([(await end())?.error, flow.errors.length], [`there is no file ${file}`, 1]);
  });

  it("ends with its flow, whatever it is at", async () => {
    for (const options of [{ speed: 0 }, { speed: 1 }, { speed: 0, autoStart: false }]) {
      const flow = await start({ file: record(rows), ...options }, () => undefined);
      await delivered();
      await flow.stop();
      const { length } = flow.readings;
      await delivered();
      assert.equal(flow.readings.length, length);
      assert.deepEqual(hooked(), []);
    }
  });
});

describe("a replay of a file that is larger than the memory", () => {
  const program = join(import.meta.dirname, "..", "..", "bench", "speed", "replay.ts");

  it("reads 100 MB with a heap of 48 MB", function () {
    this.timeout(180_000);
    const args = ["--max-old-space-size=48", program, "--megabytes", "100"];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const [, records = "", most = ""] = /(\d+) records[\s\S]*RSS.* (\d+) MB at most/.exec(stdout) ?? [];
    assert.ok(Number(records) > 1_000_000, stdout);
    assert.ok(Number(most) < 300, stdout);
  });
});
