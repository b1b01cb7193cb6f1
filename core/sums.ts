/** The sums that stand for a set of values: how a value joins them, and how those of two sets become those of both. */

/**
 * Which sums are kept, and in which order: the sum of the values, the sums of their differences to the mean to the
 * powers 2, 3 and 4, the least and the greatest value; the sum of the times, that of their squared differences to the
 * mean, and that of the products of both differences. Such a record stands in an array, `width` numbers side by side.
 *
 * Values and times are taken as differences to an anchor, one of the values and its time, which stands at the beginning
 * of the array: so 10⁹ ± 0.1 is as exact as 0 ± 0.1. Least and greatest value are the values themselves.
 */
export interface SumPlan {
  /** The highest power, from 1 to 4. */
  readonly order: number;
  /** Place of the least value in a record; 0 without. */
  readonly extremes: number;
  /** Place of the sum of the times in a record; 0 without. */
  readonly trend: number;
  readonly width: number;
}

/** Slots of the anchor and of its time. */
export const ANCHOR = 0;
export const ANCHOR_TIME = 1;

export function planSums(order: number, hasExtremes: boolean, hasTrend: boolean): SumPlan {
  const width = hasExtremes ? order + 2 : order;
  return {
    order,
    extremes: hasExtremes ? order : 0,
    trend: hasTrend ? width : 0,
    width: hasTrend ? width + 3 : width,
  };
}

/**
 * Writes to slot `to` the sums of the set at `from`, which may be the same slot, and one more value. O(1).
 *
 * After Youngs, Cramer 1971 and Pébay 2008, "Formulas for Robust, One-Pass Parallel Computation of Covariances and
 * Arbitrary-Order Statistical Moments".
 *
 * @param count values of the set at `from`; what stands there does not matter when it is 0
 */
export function addToSums(
  { order, extremes, trend }: SumPlan,
  slots: number[],
  from: number,
  to: number,
  count: number,
  valueSlot: number,
  timeSlot: number,
): void {
  if (trend > 0) addTrend(slots, from, trend, to, count, valueSlot, timeSlot);
  if (order > 2) addHigherPowers(slots, order, from, to, count, valueSlot);
  addMoments(slots, order, from, to, count, valueSlot);
  if (extremes > 0) addExtremes(slots, from + extremes, to + extremes, count, valueSlot);
}

function addMoments(slots: number[], order: number, from: number, to: number, count: number, valueSlot: number): void {
  const difference = (slots[valueSlot] as number) - (slots[ANCHOR] as number);
  const sum = count > 0 ? (slots[from] as number) : 0;
  if (order > 1) {
    const cross = count * difference - sum;
    slots[to + 1] = count > 0 ? (slots[from + 1] as number) + (cross * cross) / (count * (count + 1)) : 0;
  }
  slots[to] = sum + difference;
}

function addExtremes(slots: number[], from: number, to: number, count: number, valueSlot: number): void {
  const value = slots[valueSlot] as number;
  const least = slots[from] as number;
  const greatest = slots[from + 1] as number;
  slots[to] = count > 0 && least < value ? least : value;
  slots[to + 1] = count > 0 && greatest > value ? greatest : value;
}

/** To be called before `addMoments`, which it needs the former result of. */
function addHigherPowers(
  slots: number[],
  order: number,
  from: number,
  to: number,
  count: number,
  valueSlot: number,
): void {
  if (count === 0) {
    slots[to + 2] = 0;
    if (order > 3) slots[to + 3] = 0;
    return;
  }
  const difference = (slots[valueSlot] as number) - (slots[ANCHOR] as number);
  const squares = slots[from + 1] as number;
  const cubes = slots[from + 2] as number;
  const cross = count * difference - (slots[from] as number);
  const pairs = count * (count + 1);
  const step = cross / pairs;
  const term = cross * step;
  if (order > 3) {
    slots[to + 3] =
      (slots[from + 3] as number) +
      term * step * step * (pairs - 2 * count + 1) +
      6 * step * step * squares -
      4 * step * cubes;
  }
  slots[to + 2] = cubes + term * step * (count - 1) - 3 * step * squares;
}

/** To be called before `addMoments`, which it needs the former result of. */
function addTrend(
  slots: number[],
  from: number,
  trend: number,
  to: number,
  count: number,
  valueSlot: number,
  timeSlot: number,
): void {
  const elapsed = (slots[timeSlot] as number) - (slots[ANCHOR_TIME] as number);
  if (count === 0) {
    slots[to + trend] = elapsed;
    slots[to + trend + 1] = 0;
    slots[to + trend + 2] = 0;
    return;
  }
  const difference = (slots[valueSlot] as number) - (slots[ANCHOR] as number);
  const times = slots[from + trend] as number;
  const cross = count * difference - (slots[from] as number);
  const timeCross = count * elapsed - times;
  const pairs = count * (count + 1);
  slots[to + trend] = times + elapsed;
  slots[to + trend + 1] = (slots[from + trend + 1] as number) + (timeCross * timeCross) / pairs;
  slots[to + trend + 2] = (slots[from + trend + 2] as number) + (timeCross * cross) / pairs;
}

/**
 * Writes into `result` the sums of two sets together (Chan, Golub, LeVeque 1983; Pébay 2008), or those of the second
 * alone when the first is empty. O(1).
 */
export function mergeSums(
  plan: SumPlan,
  slots: number[],
  first: number,
  firstCount: number,
  second: number,
  secondCount: number,
  result: number[],
): void {
  if (firstCount === 0) {
    for (let place = 0; place < plan.width; place++) result[place] = slots[second + place] as number;
    return;
  }
  const { order, extremes, trend } = plan;
  const sum = slots[first] as number;
  const otherSum = slots[second] as number;
  result[0] = sum + otherSum;
  if (order > 1) {
    const cross = firstCount * otherSum - secondCount * sum;
    const pairs = firstCount * secondCount * (firstCount + secondCount);
    result[1] = (slots[first + 1] as number) + (slots[second + 1] as number) + (cross * cross) / pairs;
  }
  if (order > 2) mergeHigherPowers(slots, order, first, firstCount, second, secondCount, result);
  if (extremes > 0) {
    const least = slots[first + extremes] as number;
    const otherLeast = slots[second + extremes] as number;
    const greatest = slots[first + extremes + 1] as number;
    const otherGreatest = slots[second + extremes + 1] as number;
    result[extremes] = least < otherLeast ? least : otherLeast;
    result[extremes + 1] = greatest > otherGreatest ? greatest : otherGreatest;
  }
  if (trend > 0) mergeTrend(slots, trend, first, firstCount, second, secondCount, result);
}

function mergeHigherPowers(
  slots: number[],
  order: number,
  first: number,
  firstCount: number,
  second: number,
  secondCount: number,
  result: number[],
): void {
  const squares = slots[first + 1] as number;
  const otherSquares = slots[second + 1] as number;
  const cubes = slots[first + 2] as number;
  const otherCubes = slots[second + 2] as number;
  const count = firstCount + secondCount;
  const cross = firstCount * (slots[second] as number) - secondCount * (slots[first] as number);
  const step = cross / (firstCount * secondCount * count);
  const term = cross * step;
  if (order > 3) {
    result[3] =
      (slots[first + 3] as number) +
      (slots[second + 3] as number) +
      term * step * step * (count * count - 3 * firstCount * secondCount) +
      6 * step * step * (firstCount * firstCount * otherSquares + secondCount * secondCount * squares) +
      4 * step * (firstCount * otherCubes - secondCount * cubes);
  }
  result[2] =
    cubes +
    otherCubes +
    term * step * (firstCount - secondCount) +
    3 * step * (firstCount * otherSquares - secondCount * squares);
}

function mergeTrend(
  slots: number[],
  trend: number,
  first: number,
  firstCount: number,
  second: number,
  secondCount: number,
  result: number[],
): void {
  const times = slots[first + trend] as number;
  const otherTimes = slots[second + trend] as number;
  const pairs = firstCount * secondCount * (firstCount + secondCount);
  const cross = firstCount * (slots[second] as number) - secondCount * (slots[first] as number);
  const timeCross = firstCount * otherTimes - secondCount * times;
  result[trend] = times + otherTimes;
  result[trend + 1] =
    (slots[first + trend + 1] as number) + (slots[second + trend + 1] as number) + (timeCross * timeCross) / pairs;
  result[trend + 2] =
    (slots[first + trend + 2] as number) + (slots[second + trend + 2] as number) + (timeCross * cross) / pairs;
}
