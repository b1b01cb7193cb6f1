import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";
import { routeOutputs } from "./outputs.ts";

export default describe("alert-router", "state", options, { inputs: 1, outputs: 1 }, routeOutputs);
