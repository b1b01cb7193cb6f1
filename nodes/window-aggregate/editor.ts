import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("window-aggregate", "analytics", options, { inputs: 1, outputs: 2 });
