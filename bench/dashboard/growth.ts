/** Whether what is measured again and again grows. */
import { linearRegression, mean, sum } from "simple-statistics";

/** A quantity at a time. */
export type Sample = [minutes: number, value: number];

/** Of a normal distribution, 19 of 20 values are within so many standard deviations. */
const NINETEEN_OF_TWENTY = 1.96;

/**
 * By how much a quantity grows in ten minutes for certain: the lower end of the 95 % interval of the slope of its line
 * (least squares), and 0 when that is below: a slope that cannot be told from none. Undefined for fewer than 10 samples,
 * which tell nothing.
 */
export function certainGrowth(samples: Sample[]): number | undefined {
  if (samples.length < 10) return undefined;
  const { m: slope, b: start } = linearRegression(samples);
  const middle = mean(samples.map(([time]) => time));
  const spread = sum(samples.map(([time]) => (time - middle) ** 2));
  const rest = sum(samples.map(([time, value]) => (value - start - slope * time) ** 2));
  const error = Math.sqrt(rest / (samples.length - 2) / spread);
  return 10 * Math.max(0, slope - NINETEEN_OF_TWENTY * error);
}
