import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("device-alarms", "state", options, { inputs: 1, outputs: 3 });
