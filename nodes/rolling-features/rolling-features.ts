/** rolling-features: adds to each reading numbers that sum up the latest values of its metrics. */
import { nameFilter } from "../../core/names.ts";
import { type FeatureOptions, type FeaturePlan, planFeatures, RollingFeatures } from "../../core/rolling-features.ts";
import type { Reading } from "../../core/types.ts";
import { SettingError } from "../lib/options.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

export default define<typeof options, RollingFeatures>("rolling-features", options, ({ settings }) => {
  const plan = planOf(settings);
  const accepts = nameFilter(settings.metrics);
  /** By device the latest readings of the message at hand, in which gaps are filled backwards. */
  const batches = new Map<string, Reading[]>();

  function batchOf(deviceId: string): Reading[] {
    const batch = batches.get(deviceId) ?? [];
    batches.set(deviceId, batch);
    return batch;
  }

  return {
    state: {
      version: 1,
      create: () => new RollingFeatures(plan),
      save: (features) => features.toJSON(),
      restore: (saved) => RollingFeatures.from(plan, saved),
    },

    // Called once a message, before its readings are analysed.
    ...(plan.fillsGaps && {
      format() {
        batches.clear();
        return {};
      },
    }),

    analyse(reading, features) {
      features.push(reading, accepts, plan.fillsGaps ? batchOf(reading.deviceId) : undefined);
      return false;
    },
  };
});

function planOf(settings: FeatureOptions): FeaturePlan {
  if (settings.features.length === 0 && !settings.timeOfDay) throw new SettingError("features: must name at least one");
  try {
    return planFeatures(settings);
  } catch (error) {
    throw error instanceof RangeError ? new SettingError(error.message) : error;
  }
}
