/** Calls from one thread to another: what is sent, and the calling side. */
import { Worker } from "node:worker_threads";
import { QueryError, StoreUnavailable } from "../../lib/historian.ts";
import type { Retention } from "../engine.ts";

/** What a thread begins with. */
export interface ThreadData {
  file: string;
  retention: Retention;
  role: "writer" | "reader";
}

/** A call of a method, or the end of one that is no longer wanted. */
export type Request = { id: number; method: string; args: unknown[] } | { id: number; method?: undefined };

/** What came of a call. */
export interface Answer {
  id: number;
  result?: unknown;
  error?: { kind: "unavailable" | "query" | "other"; message: string };
}

interface Call {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** A worker thread that answers calls. */
export class Thread {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  /** Resolves when it has ended, so that calls only fail. */
  readonly ended: Promise<void>;
  #failure: Error | undefined;
  #lastId = 0;

  constructor(url: URL, workerData: ThreadData) {
    // SQLite is called experimental by Node.js 22. Other options of the process may be none for threads.
    this.#worker = new Worker(url, { workerData, execArgv: ["--disable-warning=ExperimentalWarning"] });
    this.#worker.on("message", (answer: Answer) => this.#take(answer));
    this.#worker.once("error", (error) => this.#fail(new StoreUnavailable(`the historian has failed: ${error}`)));
    this.ended = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#fail(new StoreUnavailable("the historian is closed"));
        resolve();
      });
    });
  }

  /** Resolves with what the method gives. Buffers in `transfer` are the thread's from then on. */
  async call<T>(method: string, args: unknown[], signal?: AbortSignal, transfer: ArrayBuffer[] = []): Promise<T> {
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    const id = ++this.#lastId;
    const abort = () => {
      this.#calls.get(id)?.reject(signal?.reason);
      this.#calls.delete(id);
      this.#worker.postMessage({ id } satisfies Request);
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return (await new Promise((resolve, reject) => {
        this.#calls.set(id, { resolve, reject });
        this.#worker.postMessage({ id, method, args } satisfies Request, transfer);
      })) as T;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Has it finish what it is at, and waits for its end. */
  async close(): Promise<void> {
    await this.call("close", []).catch(() => undefined);
    await this.ended;
  }

  #take({ id, result, error }: Answer): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(errorOf(error));
    else call?.resolve(result);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const call of this.#calls.values()) call.reject(this.#failure);
    this.#calls.clear();
  }
}

function errorOf({ kind, message }: NonNullable<Answer["error"]>): Error {
  if (kind === "unavailable") return new StoreUnavailable(message);
  return kind === "query" ? new QueryError(message) : new Error(message);
}
