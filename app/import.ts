/** `npm run import`: recorded data straight into the store of `npm start`, whether that runs or not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ImportFigures, importHistory } from "../nodes/historian-write/import.ts";
import { type ColumnMap, parseColumnMap } from "../nodes/lib/csv.ts";
import { openHistory } from "./history.ts";
import { say, warn } from "./log.ts";
import { fromCaller, readOptions, StartError } from "./options.ts";

const help = `Usage: npm run import -- FILE [options]

FILE is CSV with a header, or JSON lines, also gzipped. Devices, times, tags and metrics are told from
the names of the columns, unless a map says what they mean:

  --map JSON       such as '{"device":"machine","timestamp":"when","timestampUnit":"s",
                   "metrics":{"temp":"temperature"},"tags":{"hall":"location"}}', or a file of that;
                   timestampUnit is auto, s, ms or iso, and "metrics":"*" takes all that are left
  --user-dir DIR   where the application keeps its files (.device-analytics)
  --help

Environment
  INFLUX_URL       address of an InfluxDB, in place of the embedded store; with INFLUX_DATABASE,
                   INFLUX_USER and INFLUX_PASSWORD, or INFLUX_TOKEN

An import that was broken off goes on with the same command. What is older than the store keeps is refused:
how long that is, is set at the historian in the editor. Why which rows are refused is written to a report.
`;

interface Invocation {
  file: string;
  columns: ColumnMap | undefined;
  userDir: string;
}

/** Reads the arguments. Gives undefined when help is asked for; throws a StartError for what is wrong. */
function readInvocation(args: string[], env: NodeJS.ProcessEnv): Invocation | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new StartError("One file is to be named (--help lists the options)");
  const userDir = values["user-dir"];
  const launcher = readOptions("start", userDir === undefined ? [] : ["--user-dir", userDir], env);
  return {
    file: fromCaller(file, env),
    columns: values.map === undefined ? undefined : readMap(values.map, env),
    userDir: launcher?.userDir ?? "",
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { map: { type: "string" }, "user-dir": { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\n/);
    throw new StartError(`${reason} (--help lists the options)`);
  }
}

function readMap(text: string, env: NodeJS.ProcessEnv): ColumnMap {
  try {
    return parseColumnMap(
      JSON.parse(text.trimStart().startsWith("{") ? text : readFileSync(fromCaller(text, env), "utf8")),
    );
  } catch (error) {
    throw new StartError(`--map: ${(error as Error).message}`);
  }
}

/** Runs until all is imported, or until a signal. Throws a StartError for what ends it before. */
async function run({ file, columns, userDir }: Invocation): Promise<void> {
  const history = await openHistory(userDir, process.env);
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  let problem: string | undefined;
  const progress = (figures: ImportFigures) => {
    if (figures.problem !== problem) warn(figures.problem ?? `${history.location} is there`);
    problem = figures.problem;
    if (process.stdout.isTTY) process.stdout.write(`\r${inWords(figures)} `);
  };
  const folder = join(userDir, "device-analytics", "imports");
  try {
    const { signal } = stopping;
    const figures = await importHistory(file, history, { folder, signal, progress, ...(columns && { columns }) });
    say(`${process.stdout.isTTY ? "\n" : ""}${inWords(figures)}, into ${history.location}`);
    if (figures.report) say(`Why not all was taken: ${figures.report}`);
  } catch (error) {
    if (stopping.signal.aborted) throw new StartError("Broken off: the same command goes on here");
    throw new StartError((error as Error).message);
  } finally {
    await history.close();
  }
}

function inWords({ bytes, fileBytes, rows, refused, partlyRefused, rowsPerSecond }: ImportFigures): string {
  const percent = fileBytes === 0 ? 0 : Math.floor((100 * bytes) / fileBytes);
  return `${percent} %: ${rows} rows, ${rowsPerSecond} rows/s, ${refused} refused, ${partlyRefused} in part`;
}

try {
  const invocation = readInvocation(process.argv.slice(2), process.env);
  if (invocation) await run(invocation);
  else say(help);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
