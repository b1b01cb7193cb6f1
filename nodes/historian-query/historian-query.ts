/** historian-query: asks a historian, and answers with what a chart, a table, a flow or a spreadsheet takes. */
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { type Historian, QueryError } from "../lib/historian.ts";
import { SettingError } from "../lib/options.ts";
import { define, type Message, type Send } from "../lib/runtime.ts";
import { ANSWERS, type Asking } from "./answers.ts";
import { csvOf, type Progress, respond, writeFile } from "./export.ts";
import { Cancelled, Jobs, type Work } from "./jobs.ts";
import { options } from "./options.ts";
import { type HistoryQuery, queryOf } from "./query.ts";
import { lastReadings } from "./warm-start.ts";

/** How often the progress of an export is told, ms. */
const PROGRESS_INTERVAL = 1000;

export default define("historian-query", options, (host) => {
  const { RED, settings, registry } = host;
  const historian = historianOf(host.config<Historian>("historian"));
  try {
    queryOf(settings, undefined, Date.now());
  } catch (error) {
    throw new SettingError(error instanceof Error ? error.message : String(error));
  }
  const queries = new Jobs(settings.concurrency, () => host.changed());
  /** Who waits for the answers to questions, by their ids. */
  const askers = new Map<string, { socketid: unknown; questionId: unknown }>();
  // Of their own, for a slow client must not keep others from their answers.
  const exports = new Jobs(settings.concurrency, () => host.changed());

  return {
    async receive(message, send) {
      const now = Date.now();
      try {
        const query = queryOf(settings, message.query, now);
        if (query.queryType === "export") return await exportAll(query, message, send);
        const work: Work<void> = (signal) => answer({ historian, query, now, signal, registry }, message, send);
        const id: string = RED.util.generateId();
        askers.set(id, { socketid: message.socketid, questionId: message.questionId });
        await queries.run(id, work, 1000 * settings.timeoutSeconds).finally(() => askers.delete(id));
      } catch (error) {
        if (error instanceof Cancelled) return;
        // Node-RED would show its class to whoever has asked.
        throw error instanceof RangeError ? new QueryError(error.message) : error;
      }
    },

    commands: {
      abandon(args, { socketid }) {
        if (socketid === undefined) throw new Error("abandon takes the socketid of the page that no longer waits");
        const questionId = typeof args === "object" && args !== null && "id" in args ? args.id : undefined;
        for (const [id, asker] of askers) {
          if (asker.socketid !== socketid) continue;
          if (questionId === undefined || asker.questionId === questionId) queries.cancel(id);
        }
      },

      cancel(args, message, send) {
        const exportId = typeof args === "object" && args !== null && "exportId" in args ? args.exportId : undefined;
        if (exportId !== undefined && typeof exportId !== "string") {
          throw new Error(`cancel takes { exportId }, or nothing for all, not ${inspect(exportId)}`);
        }
        send([null, { ...message, payload: { cancelled: exports.cancel(exportId) } }]);
      },
    },

    status() {
      const running = queries.running + queries.waiting;
      const texts = [
        ...(running > 0 ? [host.translate("status.queries", { count: running })] : []),
        ...(exports.running > 0 ? [host.translate("status.exports", { count: exports.running })] : []),
      ];
      if (texts.length === 0) return { fill: "green", shape: "dot", text: host.translate("status.ready") };
      return { fill: "blue", shape: "dot", text: texts.join(", ") };
    },

    async close() {
      await Promise.all([queries.close(), exports.close()]);
    },
  };

  async function answer(asking: Asking, message: Message, send: Send): Promise<void> {
    const { query, signal } = asking;
    const { queryType } = query;
    if (queryType === "readings") {
      for await (const payload of lastReadings(historian, query, signal)) {
        signal.throwIfAborted();
        send({ ...message, query, payload, isHistory: true });
        // Let the flow behind work, so that messages don't pile up before it.
        await nextTurn();
      }
    } else if (queryType !== "export") {
      const payload = await ANSWERS[queryType](asking);
      // Whoever asked has been told that there is no answer.
      signal.throwIfAborted();
      send(Object.assign(message, { payload, query }));
    }
  }

  async function exportAll(query: HistoryQuery, message: Message, send: Send): Promise<void> {
    const response = responseOf(message);
    const file = response ? undefined : fileOf(message);
    const exportId: string = RED.util.generateId();
    const { req: _, res: __, command: ___, ...envelope } = message;
    const progress: Progress = { rows: 0, bytes: 0, share: 0, columns: [] };
    const begin = Date.now();
    const report = () => {
      const { rows, bytes, share } = progress;
      const seconds = (Date.now() - begin) / 1000;
      return {
        exportId,
        measurement: query.measurement,
        ...(file !== undefined && { file }),
        rows,
        bytes,
        share,
        seconds,
      };
    };
    const tell = (state: string, more: object = {}) =>
      send([null, { ...envelope, query, payload: { state, ...report(), ...more } }]);
    const timer = setInterval(() => tell("running"), PROGRESS_INTERVAL);
    try {
      await exports.run(exportId, (signal, cancel) => {
        // It is closed after its end, too.
        if (response?.destroyed) cancel();
        else response?.once("close", () => response.writableFinished || cancel());
        const blocks = csvOf(historian, query, progress, signal);
        if (response) return respond(blocks, response, `${query.measurement}.csv`, signal);
        return writeFile(blocks, file ?? "", exportId, signal);
      });
      tell("finished");
      if (file !== undefined)
        send([Object.assign(message, { payload: { ...report(), columns: progress.columns }, query }), null]);
    } catch (error) {
      const isCancelled = error instanceof Cancelled;
      tell(isCancelled ? "cancelled" : "failed", isCancelled ? {} : { reason: (error as Error).message });
      if (!isCancelled) throw error;
    } finally {
      clearInterval(timer);
    }
  }

  /** The file of the settings; where there is none, that of the message, as the `file` node has it. */
  function fileOf({ filename }: Message): string {
    const file = settings.file || filename;
    if (typeof file === "string" && file !== "") return file;
    throw new Error("file: name one in the settings or in msg.filename, or ask with a message of an http in node");
  }
});

function historianOf(historian: Historian | undefined): Historian {
  if (historian) return historian;
  throw new SettingError("historian: choose one");
}

/** The response that a message of an `http in` node carries. */
function responseOf({ res }: Message): ServerResponse | undefined {
  return typeof res === "object" && res !== null && "_res" in res ? (res._res as ServerResponse) : undefined;
}
