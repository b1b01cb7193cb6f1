import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("historian-query", "store", options, { inputs: 1, outputs: 2 });
