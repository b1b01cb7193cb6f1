/** `npm run edit`: the application on the flow files of this checkout, which a deploy writes. */
import { run } from "./run.ts";

await run("edit");
