/** Whether a condition of one device holds, and at which level: occurrences, hysteresis and delays. */
import type { WatchedTime } from "./watched-time.ts";

/** When a level is entered and left. */
export interface LevelRule {
  /** So many of the latest `withinReadings` must be beyond the limit. */
  readonly occurrences: number;
  readonly withinReadings: number;
  readonly onDelaySeconds: number;
  readonly offDelaySeconds: number;
}

/** As plain JSON. Delays are kept as the ms that have passed of them. */
export interface AlarmLevelsState {
  level: number;
  count: number;
  heldAt: number;
  beyond: number[][];
  onFor: (number | null)[];
  offFor: number | null;
}

/**
 * The level of a condition, −1 while it does not hold.
 *
 * A level is entered when enough of the latest readings are beyond its limit, for as long as its on delay; the highest
 * goes first. It is left when none of the latest readings is within its hysteresis, for as long as its off delay; then
 * for the highest of the lower levels that the readings are beyond, or for none. With one occurrence within one
 * reading, each reading decides by itself.
 *
 * Cost of a reading: O(levels). Memory: O(occurrences).
 */
export class AlarmLevels {
  readonly #rules: readonly LevelRule[];
  readonly #time: WatchedTime;
  #level = -1;
  /** Readings so far. */
  #count = 0;
  /** The latest reading that was within the hysteresis of the present level. */
  #heldAt = 0;
  /** By level: the latest readings that were beyond its limit, as many as its occurrences. */
  readonly #beyond: number[][];
  /** By level: since when there are enough of them. */
  readonly #onSince: (number | undefined)[];
  /** Since when the present level is to be left. */
  #offSince: number | undefined;

  /** @param rules the lowest level first, at most 30 */
  constructor(rules: readonly LevelRule[], time: WatchedTime) {
    this.#rules = rules;
    this.#time = time;
    this.#beyond = rules.map(() => []);
    this.#onSince = rules.map(() => undefined);
  }

  /**
   * Restores what `toJSON` gave, with what fits the rules.
   *
   * @throws TypeError when `state` is not that
   */
  static from(rules: readonly LevelRule[], time: WatchedTime, state: unknown): AlarmLevels {
    requireState(state);
    const levels = new AlarmLevels(rules, time);
    const since = (passed: number | null | undefined) =>
      typeof passed === "number" ? time.elapsed - passed : undefined;
    levels.#level = Math.min(state.level, rules.length - 1);
    levels.#count = state.count;
    levels.#heldAt = state.heldAt;
    for (const [index, { occurrences }] of rules.entries()) {
      levels.#beyond[index] = (state.beyond[index] ?? []).slice(-occurrences);
      levels.#onSince[index] = since(state.onFor[index]);
    }
    levels.#offSince = since(state.offFor);
    return levels;
  }

  get level(): number {
    return this.#level;
  }

  /** True if time alone may change the level. */
  get isPending(): boolean {
    return (
      this.#offSince !== undefined || this.#onSince.some((since, index) => since !== undefined && index > this.#level)
    );
  }

  /**
   * Takes what a reading says, one bit a level.
   *
   * @param beyond it is beyond the limit
   * @param holding it is within the hysteresis, as it is also when beyond the limit
   * @param isSame it belongs to the same instant as the reading before, and counts with it as one
   */
  push(beyond: number, holding: number, isSame = false): void {
    if (!isSame) this.#count++;
    for (let index = 0; index < this.#rules.length; index++) {
      const readings = this.#beyond[index] as number[];
      if (((beyond >> index) & 1) === 0 || readings.at(-1) === this.#count) continue;
      readings.push(this.#count);
      if (readings.length > (this.#rules[index] as LevelRule).occurrences) readings.shift();
    }
    if (this.#level >= 0 && ((holding >> this.#level) & 1) === 1) this.#heldAt = this.#count;
    this.tick();
  }

  /** Looks whether a delay is over. */
  tick(): void {
    const { elapsed } = this.#time;
    let next = this.#level;
    for (let index = 0; index < this.#rules.length; index++) {
      if (!this.#isEntered(index)) {
        this.#onSince[index] = undefined;
        continue;
      }
      const since = this.#onSince[index] ?? elapsed;
      this.#onSince[index] = since;
      if (index > next && elapsed - since >= (this.#rules[index] as LevelRule).onDelaySeconds * 1000) next = index;
    }
    if (next === this.#level && next >= 0) {
      const { withinReadings, offDelaySeconds } = this.#rules[next] as LevelRule;
      if (this.#count - this.#heldAt < withinReadings) this.#offSince = undefined;
      else {
        this.#offSince ??= elapsed;
        if (elapsed - this.#offSince >= offDelaySeconds * 1000) {
          do next--;
          while (next >= 0 && !this.#isEntered(next));
        }
      }
    }
    if (next === this.#level) return;
    this.#level = next;
    this.#heldAt = this.#count;
    this.#offSince = undefined;
  }

  /** Lets the delays begin anew, for nobody knows what has happened meanwhile. */
  restartDelays(): void {
    this.#onSince.fill(undefined);
    this.#offSince = undefined;
  }

  toJSON(): AlarmLevelsState {
    const passed = (since: number | undefined) => (since === undefined ? null : this.#time.elapsed - since);
    return {
      level: this.#level,
      count: this.#count,
      heldAt: this.#heldAt,
      beyond: this.#beyond.map((readings) => [...readings]),
      onFor: this.#onSince.map(passed),
      offFor: passed(this.#offSince),
    };
  }

  #isEntered(index: number): boolean {
    const { occurrences, withinReadings } = this.#rules[index] as LevelRule;
    const readings = this.#beyond[index] as number[];
    return readings.length === occurrences && (readings[0] as number) > this.#count - withinReadings;
  }
}

function requireState(state: unknown): asserts state is AlarmLevelsState {
  const { level, count, heldAt, beyond, onFor, offFor } = (
    typeof state === "object" && state !== null ? state : {}
  ) as Record<string, unknown>;
  const areIndices = [level, count, heldAt].every(Number.isInteger) && (level as number) >= -1;
  const isPassed = (value: unknown) => value === null || Number.isFinite(value);
  const areReadings =
    Array.isArray(beyond) && beyond.every((each) => Array.isArray(each) && each.every(Number.isInteger));
  if (!(areIndices && areReadings && Array.isArray(onFor) && [...onFor, offFor].every(isPassed))) {
    throw new TypeError("these are not the levels of an alarm");
  }
}
