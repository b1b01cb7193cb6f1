/** What the application says in the terminal. */

/** An entry of Node-RED's log: `id` and `type` are there when a node wrote it. */
interface Entry {
  level: number;
  msg: unknown;
  id?: string;
  type?: string;
  name?: string;
  timestamp: number;
}

const LEVELS = new Map([
  [10, "fatal"],
  [20, "error"],
  [30, "warn"],
  [40, "info"],
]);
const WARN = 30;

/** A line on standard output. */
export const say = (text: string) => console.log(text);

/** A warning of the application itself. */
export const warn = (text: string) => write("warn", new Date(), text);

function write(level: string, time: Date, text: string): void {
  console.log(`${time.toISOString()} [${level}] ${text}`);
}

/**
 * Handles Node-RED's log: warnings and errors, and what nodes report of themselves. A broker's connection is reported
 * when it comes or goes, not at every attempt.
 *
 * @param ignored texts that are expected and mean nothing to the user
 */
export function logHandler(ignored: () => string[]): (entry: Entry) => void {
  const last = new Map<string, string>();
  return ({ level, msg, id, type, name, timestamp }) => {
    const text = String((msg as { message?: string } | null)?.message ?? msg).trim();
    const source = type ? `[${type}:${name || id}] ` : "";
    if (source === "" && (level > WARN || ignored().includes(text))) return;
    if (type === "mqtt-broker" && last.get(source) === text) return;
    last.set(source, text);
    write(LEVELS.get(level) ?? "info", new Date(timestamp), source + text);
  };
}
