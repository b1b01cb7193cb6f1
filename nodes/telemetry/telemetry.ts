/** telemetry: takes whatever devices send and gives Readings. */
import { type Conversion, converter } from "../../core/conversion.ts";
import type { Format } from "../../core/reading.ts";
import { deviceInTopic } from "../../core/topics.ts";
import { SettingError } from "../lib/options.ts";
import { define } from "../lib/runtime.ts";
import { options } from "./options.ts";

export default define("telemetry", options, ({ settings }) => {
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
      convert(reading);
      return false;
    },
  };
});
