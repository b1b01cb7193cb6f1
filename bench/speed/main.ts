/**
 * `npm run bench`: what our nodes cost beside empty ones and beside the packages that people use today, how much memory
 * a device takes, and what 10,000 devices do to Node-RED. Prints one table and writes it to bench/results.json; ends
 * with exit code 1 if a target is missed.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { measureCore } from "./core.ts";
import { measureLoad } from "./load.ts";
import { measureMemory } from "./memory.ts";
import { measureNodes, measurePeers } from "./nodes.ts";
import { progress, type Row, tableOf } from "./report.ts";
import { startRuntime } from "./runtime.ts";
import { COMPARISONS } from "./trials.ts";

const rows: Row[] = [];
progress("core");
rows.push(measureCore());
progress("starting Node-RED");
const runtime = await startRuntime(new Set(COMPARISONS.flatMap(({ peer }) => peer ?? [])));
rows.push(...(await measureMemory(runtime)));
rows.push(...(await measureNodes(runtime)));
rows.push(...(await measurePeers(runtime)));
await runtime.stop();
rows.push(...(await measureLoad()));

console.log(tableOf(rows));
await writeFile(join(import.meta.dirname, "..", "results.json"), `${JSON.stringify(rows, null, 2)}\n`);
process.exit(rows.some(({ isMet }) => isMet === false) ? 1 : 0);
