import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

RED.nodes.registerType("z-score-anomaly", {
  ...describe("z-score-anomaly", "analytics", options),
  inputs: 1,
  outputs: 2,
});
