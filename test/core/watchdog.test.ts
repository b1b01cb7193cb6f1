import assert from "node:assert/strict";
import fc from "fast-check";
import type { StatusEvent } from "../../core/types.ts";
import { TICK_PERIOD, Watchdog, type WatchdogOptions, WatchedDevice, type WatchedEntry } from "../../core/watchdog.ts";
import { random } from "./oracle.ts";

const START = Date.UTC(2026, 2, 1, 12);
const HOUR = 3_600_000;
const OPTIONS: WatchdogOptions = {
  timeoutSeconds: 15,
  timeout: "fixed",
  learnedFactor: 3,
  startupGraceSeconds: 0,
  groupOutagePercent: 80,
};

interface Sender {
  intervalSeconds: number;
  /** Time of its next message, ms since START. */
  next: number;
  isSilent: boolean;
}

/** A watchdog and the fleet that it watches, in a time of their own. */
class Trial {
  readonly options: WatchdogOptions;
  readonly senders = new Map<string, Sender>();
  devices = new Map<string, WatchedEntry>();
  watchdog: Watchdog;
  /** True time, ms since START. */
  time = 0;
  /** By how much the system's clock is wrong, ms. */
  error = 0;
  events: StatusEvent[] = [];

  constructor(options: Partial<WatchdogOptions> = {}) {
    this.options = { ...OPTIONS, ...options };
    this.watchdog = new Watchdog(this.options);
    this.watchdog.begin(this.devices, this.now);
  }

  get now(): number {
    return START + this.time + this.error;
  }

  /** The device's entry, made if there is none. */
  entry(deviceId: string): WatchedEntry {
    const entry = this.devices.get(deviceId) ?? { deviceId, state: this.watchdog.watch() };
    this.devices.set(deviceId, entry);
    return entry;
  }

  /** Devices R1, R2, … that send at this interval, at times of their own. */
  add(count: number, intervalSeconds: number, prefix = "R"): this {
    const next = random(count);
    for (let i = 1; i <= count; i++) {
      const first = this.time + 1 + Math.floor(next() * intervalSeconds * 1000);
      this.senders.set(`${prefix}${i}`, { intervalSeconds, next: first, isSilent: false });
    }
    return this;
  }

  silence(isMeant: (deviceId: string) => boolean = () => true, isSilent = true): void {
    for (const [deviceId, sender] of this.senders) if (isMeant(deviceId)) sender.isSilent = isSilent;
  }

  hear(deviceId: string): void {
    this.take(this.watchdog.hear(this.entry(deviceId), this.now));
  }

  status(deviceId: string, status: StatusEvent["status"], timestamp = this.now): void {
    this.take(this.watchdog.pushStatus(this.entry(deviceId), { deviceId, status, timestamp }, this.now));
  }

  /** Lets devices send and the watchdog tick; gives what it has reported meanwhile, without the time. */
  run(seconds: number): string[] {
    const count = this.events.length;
    for (const end = this.time + seconds * 1000; this.time < end; ) {
      this.deliver(this.time + TICK_PERIOD);
      for (const event of this.watchdog.tick(this.devices, this.now)) this.take(event);
    }
    return this.events.slice(count).map(({ deviceId, status }) => `${deviceId} ${status}`);
  }

  /** Lets time pass in which nobody runs; gives messages afterwards, as a broker does. */
  suspend(seconds: number): void {
    const messages: string[] = [];
    for (const [deviceId, sender] of this.senders) {
      for (; sender.next <= this.time + seconds * 1000; sender.next += sender.intervalSeconds * 1000) {
        if (!sender.isSilent) messages.push(deviceId);
      }
    }
    this.time += seconds * 1000;
    for (const event of this.watchdog.tick(this.devices, this.now)) this.take(event);
    for (const deviceId of messages) this.hear(deviceId);
  }

  /** Stops for some seconds, in which devices go on, and starts as another watchdog with what was saved. */
  restart(seconds: number, options = this.options): void {
    const saved = JSON.parse(JSON.stringify([this.watchdog, [...this.devices.values()]]));
    this.pass(seconds);
    this.watchdog = Watchdog.from(options, saved[0]);
    this.devices = new Map(
      saved[1].map(({ deviceId, state }: WatchedEntry) => [deviceId, { deviceId, state: WatchedDevice.from(state) }]),
    );
    this.watchdog.begin(this.devices, this.now);
  }

  /** Lets time pass in which devices send to nobody, but somebody ticks. */
  runUnheard(seconds: number): void {
    const silent = [...this.senders].filter(([, { isSilent }]) => !isSilent).map(([deviceId]) => deviceId);
    this.silence();
    this.run(seconds);
    this.silence((deviceId) => silent.includes(deviceId), false);
  }

  private pass(seconds: number): void {
    this.time += seconds * 1000;
    for (const sender of this.senders.values()) {
      while (sender.next <= this.time) sender.next += sender.intervalSeconds * 1000;
    }
  }

  private deliver(until: number): void {
    const due: [time: number, deviceId: string][] = [];
    for (const [deviceId, sender] of this.senders) {
      for (; sender.next <= until; sender.next += sender.intervalSeconds * 1000) {
        if (!sender.isSilent) due.push([sender.next, deviceId]);
      }
    }
    for (const [time, deviceId] of due.sort(([a], [b]) => a - b)) {
      this.time = time;
      this.hear(deviceId);
    }
    this.time = until;
  }

  private take(event: StatusEvent | undefined): void {
    if (event) this.events.push(event);
  }
}

const count = (events: string[], end: string) => events.filter((event) => event.endsWith(` ${end}`)).length;

describe("the watchdog", () => {
  it("reports a device that is heard for the first time, that falls silent, and that is back", () => {
    const trial = new Trial();
    trial.hear("R1");
    trial.run(14.5);
    assert.deepEqual(trial.events, [
      { deviceId: "R1", status: "online", lastSeen: START, silentSeconds: 0, timestamp: START },
    ]);
    trial.run(5);
    trial.hear("R1");
    trial.hear("R1");
    assert.deepEqual(trial.events.slice(1), [
      { deviceId: "R1", status: "offline", lastSeen: START, silentSeconds: 15, timestamp: START + 15_000 },
      { deviceId: "R1", status: "online", lastSeen: START + 19_500, silentSeconds: 0, timestamp: START + 19_500 },
    ]);
  });

  it("finds silence of 10,000 devices within the timeout and a second, never too early", () => {
    const trial = new Trial().add(10_000, 5);
    assert.equal(count(trial.run(20), "online"), 10_000);
    const isDead = (deviceId: string) => deviceId.endsWith("7");
    trial.silence(isDead);
    const reported = trial.run(30);
    assert.equal(reported.length, 1000);
    for (const { deviceId, status, lastSeen = 0, timestamp } of trial.events.slice(-1000)) {
      assert.ok(isDead(deviceId) && status === "offline");
      const silence = timestamp - lastSeen;
      assert.ok(silence >= 15_000 && silence <= 16_000, `${silence}`);
    }
  });

  it("agrees with the plain comparison of times, whenever a device sends", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1 }), (gaps) => {
        const trial = new Trial();
        const expected: [status: string, time: number][] = [["online", 0]];
        let tick = TICK_PERIOD;
        trial.hear("R1");
        for (const gap of gaps) {
          const heard = trial.time;
          for (; tick < heard + gap; tick += TICK_PERIOD) {
            trial.time = tick;
            trial.events.push(...trial.watchdog.tick(trial.devices, trial.now));
          }
          trial.time = heard + gap;
          trial.hear("R1");
          const overdue = Math.ceil((heard + 15_000) / TICK_PERIOD) * TICK_PERIOD;
          if (overdue < trial.time) expected.push(["offline", overdue], ["online", trial.time]);
        }
        assert.deepEqual(
          trial.events.map(({ status, timestamp }) => [status, timestamp - START]),
          expected,
        );
      }),
    );
  });

  describe("raises no false alarm", () => {
    for (const [what, step] of [
      ["forward", HOUR],
      ["back", -HOUR],
    ] as const) {
      it(`when the clock is set ${what} by an hour, and finds the silence after it in time`, () => {
        const trial = new Trial().add(20, 5);
        trial.run(30);
        trial.error += step;
        assert.deepEqual(trial.run(60), []);
        trial.silence((deviceId) => deviceId === "R3");
        assert.deepEqual(trial.run(16), ["R3 offline"]);
        const { timestamp, lastSeen = 0 } = trial.events.at(-1) as StatusEvent;
        assert.ok(timestamp - lastSeen <= 16_000);
      });
    }

    it("when the clock is set again and again", () => {
      const trial = new Trial().add(20, 5);
      trial.run(30);
      const next = random(7);
      for (let i = 0; i < 50; i++) {
        trial.error = Math.round((next() - 0.5) * 2 * HOUR);
        assert.deepEqual(trial.run(3), []);
      }
    });

    it("when it is suspended for a minute", () => {
      const trial = new Trial().add(20, 5);
      trial.run(30);
      trial.suspend(60);
      assert.deepEqual(trial.run(60), []);
    });

    it("when the broker is restarted and devices take their time to come back", () => {
      const trial = new Trial({ startupGraceSeconds: 10 }).add(20, 5);
      trial.run(30);
      trial.watchdog.connect(false, trial.now);
      trial.runUnheard(120);
      trial.watchdog.connect(true, trial.now);
      trial.runUnheard(9);
      assert.deepEqual(trial.run(60), []);
      assert.equal(trial.events.length, 20, "none during it either");
    });

    it("for a healthy hour, with some jitter", () => {
      const trial = new Trial({ timeout: "learned" });
      const next = random(3);
      const due = new Map(Array.from({ length: 50 }, (_, i) => [`R${i}`, next() * 5]));
      for (let second = 0; second < 3600; second++) {
        for (const [deviceId, time] of due) {
          if (time > second) continue;
          trial.hear(deviceId);
          due.set(deviceId, time + 4 + 2 * next());
        }
        trial.run(1);
      }
      assert.deepEqual(
        trial.events.filter(({ status }) => status !== "online"),
        [],
      );
    });
  });

  describe("without a connection", () => {
    it("lets no time pass, but keeps the silence before", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(10);
      trial.watchdog.connect(false, trial.now);
      assert.equal(trial.watchdog.isConnected, false);
      assert.deepEqual(trial.run(600), []);
      trial.watchdog.connect(true, trial.now);
      assert.deepEqual(trial.run(4.5), []);
      assert.deepEqual(trial.run(0.5), ["R1 offline"]);
    });

    it("counts the time up to the moment at which it is lost", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(14.5);
      trial.time += 499;
      trial.watchdog.connect(false, trial.now);
      trial.watchdog.connect(false, trial.now);
      trial.time += 60_000;
      trial.watchdog.connect(true, trial.now);
      trial.watchdog.connect(true, trial.now);
      trial.time += 1;
      assert.equal([...trial.watchdog.tick(trial.devices, trial.now)].length, 1);
    });
  });

  describe("when all are silent at once", () => {
    it("reports one outage of the connection, and the devices as unknown when they are overdue", () => {
      const trial = new Trial().add(100, 5);
      trial.run(30);
      trial.silence();
      const lastSeen = Math.max(...Array.from(trial.devices.values(), ({ state }) => state.lastSeen ?? 0));
      const events = trial.run(60);
      assert.equal(events[0], "* offline");
      assert.deepEqual([count(events, "unknown"), events.length], [100, 101]);
      const outage = trial.events.find(({ deviceId }) => deviceId === "*") as StatusEvent;
      assert.equal(outage.lastSeen, lastSeen);
      assert.ok(outage.timestamp - lastSeen <= 16_000);
      assert.equal(trial.watchdog.isOutage, true);
    });

    it("reports it over when they are back, and offline only those that are not, after their timeout", () => {
      const trial = new Trial({ startupGraceSeconds: 10 }).add(100, 5);
      trial.run(40);
      trial.silence();
      trial.run(600);
      trial.silence((deviceId) => !["R7", "R8"].includes(deviceId), false);
      const back = trial.run(15);
      assert.deepEqual([count(back, "online"), count(back, "offline")], [99, 0]);
      assert.ok(back.includes("* online"));
      assert.equal(trial.watchdog.isOutage, false);
      assert.deepEqual(trial.run(60).sort(), ["R7 offline", "R8 offline"]);
    });

    it("gives devices that come back slowly the grace and their timeout", () => {
      const trial = new Trial({ startupGraceSeconds: 10 }).add(100, 5);
      trial.run(40);
      trial.silence();
      trial.run(60);
      for (let i = 2; i <= 100; i += 2) {
        trial.silence((deviceId) => Number(deviceId.slice(1)) <= i, false);
        trial.run(0.5);
      }
      trial.run(60);
      assert.deepEqual(
        trial.events.filter(({ status }) => status === "offline").map(({ deviceId }) => deviceId),
        ["*"],
      );
      assert.deepEqual(new Set(trial.events.slice(-101).map(({ status }) => status)), new Set(["online"]));
    });

    it("needs three devices and the share that is set", () => {
      for (const [devices, dead, percent, isOutage] of [
        [2, 2, 80, false],
        [3, 3, 80, true],
        [5, 4, 80, true],
        [10, 7, 80, false],
        [10, 7, 70, true],
        [1000, 100, 80, false],
        [100, 99, 100, false],
        [100, 100, 100, true],
      ] as const) {
        const trial = new Trial({ groupOutagePercent: percent }).add(devices, 5);
        trial.run(30);
        trial.silence((deviceId) => Number(deviceId.slice(1)) <= dead);
        const events = trial.run(60);
        assert.equal(events.includes("* offline"), isOutage, `${dead} of ${devices}`);
        assert.equal(count(events, isOutage ? "unknown" : "offline"), dead);
      }
    });

    it("is not misled by devices that send too rarely to tell", () => {
      const trial = new Trial({ timeout: "learned" }).add(10, 5).add(30, 300, "slow");
      trial.run(3600);
      trial.silence();
      const events = trial.run(3600);
      assert.equal(events[0], "* offline");
      assert.deepEqual([count(events, "unknown"), events.length], [40, 41]);
    });

    it("takes the rare message of another device for a sign of life", () => {
      const trial = new Trial({ timeout: "learned", groupOutagePercent: 100 }).add(10, 5).add(200, 300, "slow");
      trial.run(3600);
      trial.silence((deviceId) => deviceId.startsWith("R"));
      assert.deepEqual(trial.run(60).sort(), Array.from({ length: 10 }, (_, i) => `R${i + 1} offline`).sort());
    });

    it("does not count devices that were offline before, or never seen", () => {
      const trial = new Trial().add(10, 5);
      for (let i = 0; i < 50; i++) trial.entry(`never ${i}`);
      assert.equal(count(trial.run(30), "offline"), 50);
      trial.silence((deviceId) => deviceId === "R1");
      assert.deepEqual(trial.run(30), ["R1 offline"]);
      trial.silence();
      const events = trial.run(30);
      assert.deepEqual([events[0], count(events, "unknown"), events.length], ["* offline", 9, 10]);
      trial.silence(() => true, false);
      assert.equal(count(trial.run(30), "online"), 11);
    });

    it("ends when there are no devices any more", () => {
      const trial = new Trial().add(5, 5);
      trial.run(30);
      trial.silence();
      trial.run(30);
      trial.devices.clear();
      assert.deepEqual(trial.run(1), ["* online"]);
    });
  });

  describe("of a device with an interval of its own", () => {
    it("waits for so many of its usual intervals once it has learnt them", () => {
      const trial = new Trial({ timeout: "learned" }).add(1, 60).add(1, 2, "fast").add(1, 0.1, "faster");
      trial.run(3600);
      trial.events = [];
      trial.silence();
      trial.run(400);
      const silences = Object.fromEntries(
        trial.events.map(({ deviceId, timestamp, lastSeen = 0 }) => [deviceId, (timestamp - lastSeen) / 1000]),
      );
      const isAbout = (deviceId: string, seconds: number) => {
        const silence = silences[deviceId] ?? Number.NaN;
        assert.ok(silence >= seconds && silence <= seconds + 0.5, `${deviceId} ${silence}`);
      };
      isAbout("fast1", 6);
      isAbout("faster1", 5);
      isAbout("R1", 180);
    });

    it("waits for the fixed timeout until then", () => {
      const trial = new Trial({ timeout: "learned", timeoutSeconds: 100 });
      for (let i = 0; i < 5; i++) {
        trial.hear("R1");
        trial.run(5);
      }
      assert.deepEqual(trial.run(94.5), []);
      assert.deepEqual(trial.run(1), ["R1 offline"]);
    });

    it("waits for so many of the intervals that others know", () => {
      for (const timeout of ["fixed", "learned"] as const) {
        const trial = new Trial({ timeout });
        trial.entry("R1").state.intervalSeconds = 20;
        trial.hear("R1");
        assert.deepEqual(trial.run(59.5), []);
        assert.deepEqual(trial.run(0.5), ["R1 offline"]);
      }
    });
  });

  it("reports an expected device that was never seen, after its timeout and the grace", () => {
    const trial = new Trial({ startupGraceSeconds: 10 });
    trial.entry("R1");
    assert.deepEqual(trial.run(24.5), []);
    trial.run(1);
    const [event] = trial.events;
    assert.deepEqual(event, { deviceId: "R1", status: "offline", silentSeconds: 15, timestamp: START + 25_000 });
    assert.deepEqual(trial.run(600), []);
  });

  describe("of a device in maintenance", () => {
    it("reports nothing, and counts its silence anew afterwards", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(10);
      trial.entry("R1").state.maintainedUntil = trial.now + 60_000;
      trial.status("R1", "offline");
      assert.deepEqual(trial.run(74), []);
      assert.deepEqual(trial.run(1), ["R1 offline"]);
    });

    it("reports with the first reading after it that the device is back", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(20);
      trial.entry("R1").state.maintainedUntil = trial.now + 60_000;
      trial.hear("R1");
      assert.deepEqual(trial.run(70), []);
      trial.hear("R1");
      assert.equal(trial.events.at(-1)?.status, "online");
      assert.equal(trial.events.length, 3);
    });

    it("does not count it in an outage", () => {
      const trial = new Trial().add(4, 5);
      trial.run(30);
      trial.entry("R4").state.maintainedUntil = Infinity;
      trial.silence();
      assert.deepEqual(trial.run(60).sort(), ["* offline", "R1 unknown", "R2 unknown", "R3 unknown"]);
    });
  });

  describe("told of a device by others", () => {
    it("takes it at once", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(1);
      trial.status("R1", "offline");
      trial.status("R1", "offline");
      trial.run(1);
      trial.status("R1", "online");
      trial.status("R2", "unknown");
      assert.deepEqual(
        trial.events.map(({ deviceId, status, timestamp }) => [deviceId, status, timestamp - START]),
        [
          ["R1", "online", 0],
          ["R1", "offline", 1000],
          ["R1", "online", 2000],
          ["R2", "unknown", 2000],
        ],
      );
      assert.deepEqual(trial.run(20), ["R1 offline", "R2 offline"]);
    });

    it("passes over what has been overtaken, such as its own events that come back to it", () => {
      const trial = new Trial();
      trial.hear("R1");
      trial.run(20);
      trial.hear("R1");
      const sent = [...trial.events];
      trial.run(1);
      for (let i = 0; i < 3; i++)
        for (const { deviceId, status, timestamp } of sent) trial.status(deviceId, status, timestamp);
      assert.deepEqual(trial.events, sent);
    });
  });

  it("lists what it has reported, as it is at present", () => {
    const trial = new Trial().add(3, 5);
    trial.entry("never seen");
    trial.run(14);
    assert.deepEqual(
      Array.from(trial.watchdog.list(trial.devices), ({ deviceId, status }) => `${deviceId} ${status}`),
      [...trial.devices.keys()].filter((deviceId) => deviceId !== "never seen").map((deviceId) => `${deviceId} online`),
    );
    trial.silence();
    trial.run(30);
    const [first, ...others] = trial.watchdog.list(trial.devices);
    const outage = trial.events.find(({ deviceId }) => deviceId === "*");
    assert.deepEqual([first?.deviceId, first?.status, first?.timestamp], ["*", "offline", outage?.timestamp]);
    assert.deepEqual(
      others.map(({ deviceId, status }) => `${deviceId} ${status}`),
      [...trial.devices.keys()].map((id) => (id === "never seen" ? "never seen offline" : `${id} unknown`)),
    );
  });

  describe("after a restart", () => {
    it("reports a device that died meanwhile, with the time it was last seen, and no other", () => {
      const trial = new Trial({ startupGraceSeconds: 10 }).add(20, 5);
      trial.run(40);
      const { lastSeen } = trial.entry("R3").state;
      trial.silence((deviceId) => deviceId === "R3");
      trial.restart(3600);
      assert.deepEqual(trial.run(10), [], "in the grace");
      assert.deepEqual(trial.run(16), ["R3 offline"]);
      assert.equal(trial.events.at(-1)?.lastSeen, lastSeen);
      assert.deepEqual(trial.run(60), []);
    });

    it("adds the silence after it to that before it", () => {
      const trial = new Trial();
      trial.hear("R1");
      for (let i = 0; i < 14; i++) {
        assert.deepEqual(trial.run(1), []);
        trial.restart(100);
      }
      assert.deepEqual(trial.run(1), ["R1 offline"]);
    });

    it("repeats nothing of what it has reported", () => {
      const trial = new Trial().add(20, 5);
      trial.run(30);
      trial.silence((deviceId) => deviceId === "R3");
      trial.run(30);
      trial.restart(10);
      assert.deepEqual(trial.run(60), []);
      trial.silence(() => true, false);
      assert.deepEqual(trial.run(10), ["R3 online"]);
    });

    it("goes on with an outage", () => {
      const trial = new Trial().add(20, 5);
      trial.run(30);
      trial.silence();
      trial.run(30);
      trial.restart(10);
      assert.deepEqual(trial.run(60), []);
      trial.silence(() => true, false);
      assert.equal(count(trial.run(10), "online"), 21);
    });

    it("remembers the usual intervals", () => {
      const trial = new Trial({ timeout: "learned" }).add(1, 60);
      trial.run(3600);
      trial.restart(10);
      assert.deepEqual(trial.run(300), []);
    });

    it("counts on if the watched time was saved before the devices", () => {
      const trial = new Trial();
      const saved = JSON.parse(JSON.stringify(trial.watchdog));
      trial.run(50);
      trial.hear("R1");
      trial.watchdog = Watchdog.from(trial.options, saved);
      trial.watchdog.begin(trial.devices, trial.now);
      assert.deepEqual(trial.run(15), ["R1 offline"]);
    });

    it("does not take any other state", () => {
      for (const state of [null, 1, {}, { watched: "1" }, { watched: 1, outageSince: "now" }]) {
        assert.throws(() => Watchdog.from(OPTIONS, state), TypeError);
      }
      const good = JSON.parse(JSON.stringify(new WatchedDevice(5)));
      assert.doesNotThrow(() => WatchedDevice.from(good));
      const wrong = [
        { status: "dead" },
        { silentFrom: null },
        { lastSeen: "now" },
        { changedAt: null },
        { interval: 1 },
      ];
      for (const state of [null, {}, ...wrong.map((each) => ({ ...good, ...each }))]) {
        assert.throws(() => WatchedDevice.from(state), TypeError);
      }
    });
  });
});
