/** The outputs that the routes name. Those of its own, which comes first, is for what no route takes. */
import type { NamedOutputs } from "../lib/named-outputs.ts";

export const routeOutputs: NamedOutputs = { table: "routes", columns: ["output", "escalateTo"] };
