import { describe } from "../lib/editor.ts";
import { options } from "./options.ts";

export default describe("device-registry", "config", options, {});
