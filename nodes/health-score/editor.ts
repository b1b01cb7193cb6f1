import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("health-score", "analytics", options, { inputs: 1, outputs: 3 });
