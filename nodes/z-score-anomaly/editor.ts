import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("z-score-anomaly", "analytics", options, { inputs: 1, outputs: 2 });
