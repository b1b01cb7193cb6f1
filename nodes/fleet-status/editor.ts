import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("fleet-status", "state", options, { inputs: 1, outputs: 2 });
