/** A thread of the embedded historian: the one that writes, or the one that reads. Calls are answered in turns. */
import { setImmediate } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { AggregateQuery, Chunk, RowOptions, Selection, StatisticsQuery } from "../../core/history/types.ts";
import { QueryError, StoreUnavailable } from "../lib/historian.ts";
import { meaning } from "./embedded/file.ts";
import { StoreReader } from "./embedded/reader.ts";
import type { Answer, Request, ThreadData } from "./embedded/thread.ts";
import { StoreWriter } from "./embedded/writer.ts";

/** How long a question is worked at before others have their turn, ms. */
const TURN_MILLISECONDS = 10;

/** Does what is called for. `id` is that of the call. */
type Method = (args: unknown[], id: number) => unknown;

const { file, retention, role } = workerData as ThreadData;
const port = parentPort as MessagePort;
const running = new Set<number>();
const cancelled = new Set<number>();
const methods = new Map<string, Method>([["open", role === "writer" ? openWriter : openReader]]);

port.on("message", (request: Request) => {
  if (request.method !== undefined) void answer(request.id, request.method, request.args);
  else if (running.has(request.id)) cancelled.add(request.id);
});

async function answer(id: number, name: string, args: unknown[]): Promise<void> {
  running.add(id);
  try {
    const method = methods.get(name);
    if (!method) throw new TypeError(`the ${role} has no method ${name}`);
    port.postMessage({ id, result: await method(args, id) } satisfies Answer);
  } catch (error) {
    port.postMessage({ id, error: described(meaning(file, error)) } satisfies Answer);
  }
  running.delete(id);
  cancelled.delete(id);
  if (name === "close") port.close();
}

function openWriter(): number {
  const writer = new StoreWriter(file, retention);
  methods.set("write", ([lines]) => writer.write(lines as Uint8Array, Date.now()));
  methods.set("maintain", async ([now], id) => {
    await drive(writer.maintain(now as number), id);
    return writer.rawSince(now as number);
  });
  methods.set("close", (_, id) => close(writer, id));
  return writer.rawSince(Date.now());
}

function openReader(): void {
  const reader = new StoreReader(file, retention);
  const cursors = new Map<number, Generator<Chunk | undefined, void>>();
  methods.set("rows", ([selection, options], id) => {
    cursors.set(id, reader.rows(selection as Selection, options as RowOptions));
    return id;
  });
  methods.set("next", ([cursor], id) => {
    const rows = cursors.get(cursor as number);
    return rows && drive(rows, id);
  });
  methods.set("drop", ([cursor]) => void cursors.delete(cursor as number));
  methods.set("aggregate", ([query], id) => drive(reader.aggregate(query as AggregateQuery), id));
  methods.set("statistics", ([query], id) => drive(reader.statistics(query as StatisticsQuery), id));
  methods.set("latest", ([selection], id) => drive(reader.latest(selection as Selection), id));
  methods.set("catalogue", () => reader.catalogue());
  methods.set("check", () => reader.check());
  methods.set("close", (_, id) => close(reader, id));
}

/** Works until there is something to give, in turns with the other calls. */
async function drive<T, R>(work: Generator<T | undefined, R>, id: number): Promise<T | R> {
  let end = performance.now() + TURN_MILLISECONDS;
  for (;;) {
    const step = work.next();
    if (step.done || step.value !== undefined) return step.value as T | R;
    if (performance.now() < end) continue;
    await setImmediate();
    if (cancelled.has(id)) throw new StoreUnavailable("the historian is closed");
    end = performance.now() + TURN_MILLISECONDS;
  }
}

function close(store: { close(): void }, id: number): void {
  for (const other of running) if (other !== id) cancelled.add(other);
  store.close();
}

function described(error: unknown): NonNullable<Answer["error"]> {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof StoreUnavailable) return { kind: "unavailable", message };
  return { kind: error instanceof QueryError ? "query" : "other", message };
}
