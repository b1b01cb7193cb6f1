/** The life of one alarm. When its condition holds is found in alarm-levels.ts. */
import { toLevel } from "./topics.ts";
import type { Alarm, AlarmChange, AlarmState, Severity, Silence } from "./types.ts";

/** The severities, the mildest first. */
export const SEVERITIES = ["info", "warning", "critical"] as const satisfies readonly Severity[];

/** How an alarm of a device is called: both parts are percent-encoded, so that it is also two levels of a topic. */
export function alarmIdOf(deviceId: string, condition: string): string {
  return `${toLevel(deviceId)}/${toLevel(condition)}`;
}

/** What is found to be wrong. */
export type Finding = Pick<Alarm, "severity" | "value" | "limit" | "unit" | "metric" | "advice" | "name" | "location">;

/** What can keep an alarm from annunciating. `inhibited`: its device is out of reach, or in maintenance. */
export type SilenceKind = "shelved" | "suppressed" | "outOfService" | "inhibited";

const BEGINS: Record<SilenceKind, AlarmChange> = {
  shelved: "shelved",
  suppressed: "suppressed",
  outOfService: "out-of-service",
  inhibited: "suppressed",
};
const ENDS: Record<SilenceKind, AlarmChange> = {
  shelved: "unshelved",
  suppressed: "unsuppressed",
  outOfService: "in-service",
  inhibited: "unsuppressed",
};

/** An alarm as plain JSON. Each bit is independent of the others; the state's name follows from them. */
export interface AlarmLifeState extends Partial<Record<SilenceKind, Silence>> {
  finding: Finding;
  isActive: boolean;
  isAcknowledged: boolean;
  isLatched: boolean;
  /** True as long as people believe the alarm to stand, for they were told so and not yet that it is over. */
  isTold: boolean;
  raisedAt?: number;
  acknowledgedAt?: number;
  clearedAt?: number;
  count: number;
}

/**
 * One condition of one device, from when it was first raised. States after ISA-18.2 / IEC 62682.
 *
 * It annunciates when it is raised or becomes more severe, and when it is over, if people were told of it; nothing
 * while it is silenced. When the last silence ends, it annunciates if it still stands, and then is to be acknowledged
 * anew; or that it is over, if it was told of before. Each change is journaled once.
 */
export class AlarmLife {
  readonly alarmId: string;
  readonly deviceId: string;
  readonly condition: string;
  readonly #journal: (alarm: Alarm) => void;
  readonly #life: AlarmLifeState;

  /** `journal` takes each change as it happens: an alarm with `change`, `timestamp` and `isAnnunciated`. */
  constructor(
    deviceId: string,
    condition: string,
    journal: (alarm: Alarm) => void,
    life: AlarmLifeState = {
      finding: { severity: "info" },
      isActive: false,
      isAcknowledged: true,
      isLatched: false,
      isTold: false,
      count: 0,
    },
  ) {
    this.alarmId = alarmIdOf(deviceId, condition);
    this.deviceId = deviceId;
    this.condition = condition;
    this.#journal = journal;
    this.#life = life;
  }

  /**
   * Restores what `toJSON` gave.
   *
   * @throws TypeError when `state` is not that
   */
  static from(deviceId: string, condition: string, journal: (alarm: Alarm) => void, state: unknown): AlarmLife {
    requireState(state);
    return new AlarmLife(deviceId, condition, journal, { ...state });
  }

  get severity(): Severity {
    return this.#life.finding.severity;
  }

  /** True while the condition holds. */
  get isActive(): boolean {
    return this.#life.isActive;
  }

  get state(): AlarmState {
    const { isActive, isAcknowledged, isLatched } = this.#life;
    if (isActive) return isAcknowledged ? "acknowledged" : "unacknowledged";
    if (isLatched) return "latched";
    return isAcknowledged ? "normal" : "returned-unacknowledged";
  }

  /** True for what an operator is to see: all that is not normal, and what an operator has silenced. */
  get isOpen(): boolean {
    const { shelved, suppressed, outOfService } = this.#life;
    return this.state !== "normal" || Boolean(shelved || suppressed || outOfService);
  }

  /** True if time alone will change it. */
  get isPending(): boolean {
    const { shelved, inhibited } = this.#life;
    return shelved?.until !== undefined || inhibited !== undefined;
  }

  /** What inhibits it at present. */
  get inhibited(): Silence | undefined {
    return this.#life.inhibited;
  }

  /** The condition holds, as bad as the finding says. */
  raise(finding: Finding, isLatching: boolean, now: number): void {
    const life = this.#life;
    const before = life.finding.severity;
    if (life.isActive && finding.severity === before) return;
    const isNews = !life.isActive || isWorse(finding.severity, before);
    const change = life.isActive ? "severity" : "raised";
    life.finding = finding;
    life.isLatched ||= isLatching;
    if (isNews) this.#unacknowledge();
    if (change === "raised") {
      life.isActive = true;
      life.raisedAt = now;
      life.count++;
      delete life.clearedAt;
    }
    this.#tell(change, now, undefined, isNews);
  }

  /** The condition holds no longer. */
  clear(now: number): void {
    const life = this.#life;
    if (!life.isActive) return;
    life.isActive = false;
    life.clearedAt = now;
    this.#tell("returned", now);
    if (life.shelved?.isOneShot) this.unsilence("shelved", now);
  }

  /** Somebody has seen it. Changes nothing if there is nothing to acknowledge. */
  acknowledge(now: number, by?: string): void {
    if (this.#life.isAcknowledged) return;
    this.#acknowledge(now);
    this.#tell("acknowledged", now, by);
  }

  /**
   * Releases the latch, and acknowledges, for who resets has seen it.
   *
   * @throws Error while the condition holds
   */
  reset(now: number, by?: string): void {
    const life = this.#life;
    if (life.isActive) throw new Error(`${this.alarmId} can't be reset, for its condition still holds`);
    if (!life.isLatched) return;
    life.isLatched = false;
    if (!life.isAcknowledged) this.#acknowledge(now);
    this.#tell("reset", now, by);
  }

  /** Ends the alarm, whatever its state, because nobody will watch its condition any more. */
  close(now: number, by?: string): void {
    const life = this.#life;
    const isOpen = this.isOpen || life.isTold;
    for (const kind of Object.keys(BEGINS) as SilenceKind[]) delete life[kind];
    if (life.isActive) life.clearedAt = now;
    life.isActive = false;
    life.isLatched = false;
    life.isAcknowledged = true;
    if (isOpen) this.#tell("reset", now, by);
  }

  /** Keeps it from annunciating from now on, or under other terms than before. */
  silence(kind: SilenceKind, silence: Silence, now: number): void {
    const life = this.#life;
    const isSeen = kind !== "inhibited" || (!life.inhibited && !life.suppressed && this.state !== "normal");
    life[kind] = silence;
    if (isSeen) this.#tell(BEGINS[kind], now, silence.by);
  }

  /** Ends a silence. Changes nothing if there is none of that kind. */
  unsilence(kind: SilenceKind, now: number, by?: string): void {
    const life = this.#life;
    if (life[kind] === undefined) return;
    delete life[kind];
    const isLeft = !this.#isSilent && this.#isStanding;
    if (isLeft) this.#unacknowledge();
    const isSeen = kind !== "inhibited" || (!life.suppressed && (this.state !== "normal" || life.isTold));
    if (isSeen) this.#tell(ENDS[kind], now, by, isLeft);
  }

  /** Ends a shelving whose time is over. */
  tick(now: number): void {
    const { shelved } = this.#life;
    if (shelved?.until !== undefined && shelved.until <= now) this.unsilence("shelved", now);
  }

  /** The alarm as others see it; a copy. */
  toAlarm(): Alarm {
    const { finding, shelved, suppressed, inhibited, outOfService, raisedAt, acknowledgedAt, clearedAt, count } =
      this.#life;
    const { alarmId, deviceId, condition, state } = this;
    const alarm: Alarm = { alarmId, deviceId, condition, ...finding, state, count };
    const by = suppressed ?? inhibited;
    if (shelved) alarm.shelved = { ...shelved };
    if (by) alarm.suppressed = { ...by };
    if (outOfService) alarm.outOfService = { ...outOfService };
    if (raisedAt !== undefined) alarm.raisedAt = raisedAt;
    if (acknowledgedAt !== undefined) alarm.acknowledgedAt = acknowledgedAt;
    if (clearedAt !== undefined) alarm.clearedAt = clearedAt;
    return alarm;
  }

  toJSON(): AlarmLifeState {
    return { ...this.#life };
  }

  /** True while it is to be told of: the condition holds, or a latch that stands for it. */
  get #isStanding(): boolean {
    return this.#life.isActive || this.#life.isLatched;
  }

  get #isSilent(): boolean {
    const { shelved, suppressed, outOfService, inhibited } = this.#life;
    return Boolean(shelved || suppressed || outOfService || inhibited);
  }

  #acknowledge(now: number): void {
    this.#life.isAcknowledged = true;
    this.#life.acknowledgedAt = now;
  }

  #unacknowledge(): void {
    this.#life.isAcknowledged = false;
    delete this.#life.acknowledgedAt;
  }

  /** Journals a change. `isNews`: people are to be told that the alarm stands. */
  #tell(change: AlarmChange, now: number, by?: string, isNews = false): void {
    const life = this.#life;
    const isStanding = this.#isStanding;
    const isAnnunciated = !this.#isSilent && (isStanding ? isNews : life.isTold);
    if (!this.#isSilent) life.isTold = isStanding;
    const alarm: Alarm = { ...this.toAlarm(), change, timestamp: now, isAnnunciated };
    if (by !== undefined) alarm.by = by;
    this.#journal(alarm);
  }
}

/** True if the first severity is worse than the second. */
export function isWorse(severity: Severity, other: Severity): boolean {
  return SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(other);
}

function requireState(state: unknown): asserts state is AlarmLifeState {
  const { finding, isActive, isAcknowledged, isLatched, isTold, count, ...others } = isRecord(state) ? state : {};
  const areBits = [isActive, isAcknowledged, isLatched, isTold].every((bit) => typeof bit === "boolean");
  const areTimes = [others.raisedAt, others.acknowledgedAt, others.clearedAt].every(isOptionalTime);
  const areSilences = Object.keys(BEGINS).every((kind) => others[kind] === undefined || isSilence(others[kind]));
  const isFound = isRecord(finding) && SEVERITIES.includes(finding.severity as Severity);
  if (!(isFound && areBits && areTimes && areSilences && Number.isInteger(count))) {
    throw new TypeError("it is not the state of an alarm");
  }
}

function isSilence(value: unknown): boolean {
  return isRecord(value) && Number.isFinite(value.since) && isOptionalTime(value.until);
}

function isOptionalTime(value: unknown): boolean {
  return value === undefined || Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
