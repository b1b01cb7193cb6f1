import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("rolling-features", "analytics", options, { inputs: 1, outputs: 1 });
