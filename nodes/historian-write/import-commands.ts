/** The commands of historian-write that import a file, and break that off. */
import { join } from "node:path";
import { parseColumnMap } from "../lib/csv.ts";
import type { Historian } from "../lib/historian.ts";
import type { Command } from "../lib/runtime.ts";
import { type ImportFigures, type ImportOptions, importHistory } from "./import.ts";

/** One import at a time; its progress goes to output 1. */
export class ImportCommands {
  readonly commands: Record<string, Command> = {
    import: (args, { command: _, ...message }, send) =>
      this.#import(args, (figures) => send([{ ...message, topic: "import", payload: figures }, null])),
    "cancel-import": () => {
      if (!this.#cancelling) throw new Error("there is no import to cancel");
      this.#cancelling.abort();
    },
  };
  readonly #historian: Historian;
  readonly #userDir: string | undefined;
  #cancelling: AbortController | undefined;
  #running: Promise<void> | undefined;

  constructor(historian: Historian, userDir: string | undefined) {
    this.#historian = historian;
    this.#userDir = userDir;
  }

  /** Breaks off what is running. */
  async close(): Promise<void> {
    this.#cancelling?.abort();
    await this.#running?.catch(() => undefined);
  }

  async #import(args: unknown, progress: (figures: ImportFigures) => void): Promise<void> {
    if (this.#cancelling) throw new Error("an import is running: wait for its end, or cancel it");
    const { file, map } =
      typeof args === "object" && args !== null ? (args as Record<string, unknown>) : { file: args };
    if (typeof file !== "string" || file === "") throw new Error("an import needs the path of a file");
    if (!this.#userDir) throw new Error("an import needs Node-RED's user directory, to keep how far it has come");
    const columns = map === undefined ? undefined : parseColumnMap(map);
    const folder = join(this.#userDir, "device-analytics", "imports");
    const cancelling = new AbortController();
    this.#cancelling = cancelling;
    this.#running = this.#run(file, { folder, progress, signal: cancelling.signal, ...(columns && { columns }) });
    await this.#running;
  }

  async #run(file: string, options: ImportOptions): Promise<void> {
    try {
      await importHistory(file, this.#historian, options);
    } catch (error) {
      if (!options.signal?.aborted) throw error;
    } finally {
      this.#cancelling = undefined;
    }
  }
}
