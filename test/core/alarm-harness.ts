/** An alarm system with its devices, a registry and a clock, which can be restarted at any time. */
import type { AlarmCondition } from "../../core/alarm-conditions.ts";
import { AlarmSystem } from "../../core/alarm-system.ts";
import type { DeviceAlarms } from "../../core/device-alarms.ts";
import type { Alarm, DeviceRecord, Maintenance, Reading, StatusEvent, WindowResult } from "../../core/types.ts";

export const condition = (more: Partial<AlarmCondition> = {}): AlarmCondition => ({
  name: "hot",
  source: "metric",
  match: "temperature",
  comparison: ">",
  limit: 75,
  resetLimit: 70,
  occurrences: 1,
  withinReadings: 1,
  onDelaySeconds: 0,
  offDelaySeconds: 0,
  severity: "warning",
  latch: false,
  advice: "",
  ...more,
});

interface HarnessOptions {
  severityMayFall?: boolean;
  records?: DeviceRecord[];
}

export class Harness {
  now = Date.UTC(2026, 2, 1, 12);
  readonly journal: Alarm[] = [];
  readonly maintenances = new Map<string, Maintenance>();
  readonly #records: Map<string, DeviceRecord>;
  readonly #conditions: AlarmCondition[];
  readonly #options: HarnessOptions;
  #devices = new Map<string, { deviceId: string; state: DeviceAlarms }>();
  system: AlarmSystem;

  constructor(conditions: AlarmCondition[], options: HarnessOptions = {}) {
    this.#conditions = conditions;
    this.#options = options;
    this.#records = new Map(options.records?.map((record) => [record.deviceId, record]));
    this.system = this.#open();
    this.system.begin(this.now);
  }

  /** Takes temperature and whatever else of a device. */
  read(deviceId: string, temperature: number, more: Partial<Reading> = {}): void {
    this.push({ deviceId, timestamp: this.now, metrics: { temperature }, ...more });
  }

  push(reading: Reading): void {
    this.system.push(this.#device(reading.deviceId), reading, this.now);
  }

  window(result: Partial<WindowResult> & { group: string }): void {
    const whole = { windowStart: 0, windowEnd: 0, count: 1, anomalyCount: 0, isUpdate: false, metrics: {}, ...result };
    this.system.pushWindow(this.#device(result.group), whole, this.now);
  }

  status(deviceId: string, status: StatusEvent["status"]): void {
    this.system.pushStatus(this.#device(deviceId), { deviceId, status, timestamp: this.now }, this.now);
  }

  maintain(deviceId: string, seconds: number): void {
    this.maintenances.set(deviceId, { since: this.now, until: this.now + seconds * 1000, reason: "new bearing" });
    this.system.review();
  }

  maintenance(deviceId: string): Maintenance | undefined {
    const maintenance = this.maintenances.get(deviceId);
    return maintenance && maintenance.until > this.now ? maintenance : undefined;
  }

  pass(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.now += 1000;
      this.system.tick(this.now);
    }
  }

  /** Begins anew with nothing but what was saved, as text. */
  restart(conditions = this.#conditions): void {
    const saved = JSON.parse(JSON.stringify([...this.#devices.values()]));
    const limits = JSON.parse(JSON.stringify(this.system));
    this.#devices = new Map();
    this.system = this.#open(conditions);
    for (const { deviceId, state } of saved) {
      this.#devices.set(deviceId, { deviceId, state: this.system.restoreDevice(state) });
    }
    this.system.restore(limits);
    this.system.begin(this.now);
  }

  /** The lines of the journal, in short. */
  lines(): string[] {
    return this.journal.map(({ alarmId, change, severity, state, isAnnunciated }) =>
      [alarmId, change, severity, state, ...(isAnnunciated ? ["!"] : [])].join(" "),
    );
  }

  #open(conditions = this.#conditions): AlarmSystem {
    const { severityMayFall = false, records } = this.#options;
    const known = {
      get: (deviceId: string) => this.#records.get(deviceId),
      maintenance: (deviceId: string) => this.maintenance(deviceId),
    };
    return new AlarmSystem(
      { conditions, severityMayFall, maximumShelveSeconds: 600, maxDevices: 10 },
      { get: (deviceId) => this.#devices.get(deviceId), values: () => this.#devices.values() },
      records && known,
      (alarm) => this.journal.push(alarm),
    );
  }

  #device(deviceId: string) {
    const device = this.#devices.get(deviceId) ?? { deviceId, state: this.system.createDevice() };
    this.#devices.set(deviceId, device);
    return device;
  }
}
