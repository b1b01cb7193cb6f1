/** `npm start`: the whole application on this machine. */
import { run } from "./run.ts";

await run("start");
