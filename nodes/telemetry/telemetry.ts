/** telemetry: takes whatever devices send and gives Readings. */
import { type Conversion, converter } from "../../core/conversion.ts";
import { isMaintenance } from "../../core/device-registry.ts";
import type { Format } from "../../core/reading.ts";
import { deviceInTopic } from "../../core/topics.ts";
import type { Reading } from "../../core/types.ts";
import { SettingError } from "../lib/options.ts";
import type { Registry } from "../lib/registry.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

export default define("telemetry", options, ({ settings, registry }) => {
  const { deviceFromTopic, conversions, ...format } = settings;
  if (deviceFromTopic !== "" && !deviceFromTopic.split("/").includes("+")) {
    throw new SettingError('deviceFromTopic: must hold a level "+", which is the device');
  }
  const deviceIn = deviceFromTopic === "" ? undefined : deviceInTopic(deviceFromTopic);
  const convert = converter(conversions satisfies Conversion[]);

  return {
    hasDeadLetters: true,
    format({ topic }): Format {
      if (deviceIn === undefined) return format;
      const deviceId = typeof topic === "string" ? deviceIn(topic) : undefined;
      if (deviceId === undefined) throw new Error(`msg.topic does not fit ${deviceFromTopic}: ${String(topic)}`);
      return { ...format, deviceId };
    },
    analyse(reading) {
      if (registry?.isStrict && registry.get(reading.deviceId) === undefined) {
        throw new Error(`the device ${JSON.stringify(reading.deviceId)} is not in the device registry`);
      }
      convert(reading);
      if (registry) introduce(reading, registry);
      else if (reading.maintenance !== undefined && !isMaintenance(reading.maintenance)) delete reading.maintenance;
      return false;
    },
  };
});

/** Adds what the registry knows of the device. Whether it is in maintenance is for the registry to say, not for the device. */
function introduce(reading: Reading, registry: Registry): void {
  const { tags, location } = registry.get(reading.deviceId) ?? {};
  if (tags !== undefined || location !== undefined) {
    reading.tags = { ...tags, ...(location !== undefined && { location }), ...reading.tags };
  }
  const maintenance = registry.maintenance(reading.deviceId, Date.now());
  if (maintenance) reading.maintenance = { ...maintenance };
  else if (reading.maintenance !== undefined) delete reading.maintenance;
}
