import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

RED.nodes.registerType("simulator", { ...describe("simulator", "source", options), inputs: 1, outputs: 2 });
