/** Programs that tests run beside them: their output is kept, and none outlives the tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";

const running = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

/** A running program. */
export interface Child extends AsyncDisposable {
  pid: number;
  isRunning(): boolean;
  /** All that it has written to standard output and standard error so far. */
  output(): string;
  /** Waits until the output matches. Throws, with the output, when the program ends before or takes too long. */
  waitFor(pattern: RegExp, milliseconds?: number): Promise<RegExpExecArray>;
  /** Ends it with a signal, unless it has ended, and gives its exit code; null when the signal itself ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Waits until it ends by itself and gives its exit code. */
  ended(): Promise<number | null>;
}

export interface ChildOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Starts a program; `await using` stops it at the end of the block. */
export async function startChild(command: string, args: string[], { cwd, env }: ChildOptions = {}): Promise<Child> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  let output = "";
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const resume of waiting) resume();
    waiting.clear();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      changed();
    });
  }
  await once(child, "spawn");
  // A test that fails before it stops the program must not keep the test run from its end.
  child.unref();
  (child.stdout as Socket).unref();
  (child.stderr as Socket).unref();
  running.add(child);
  void exit.then(() => running.delete(child));

  async function waitedFor<T>(promise: Promise<T>): Promise<T> {
    child.ref();
    return await promise.finally(() => child.unref());
  }

  async function find(pattern: RegExp, milliseconds: number): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(milliseconds);
    timeout.onabort = changed;
    let isOver = false;
    void exit.then(() => {
      isOver = true;
      changed();
    });
    for (;;) {
      const found = pattern.exec(output);
      if (found) return found;
      const reason = isOver ? "ended" : `${milliseconds} ms`;
      if (isOver || timeout.aborted) throw new Error(`${reason} without ${pattern}:\n${output}`);
      await new Promise<void>((resolve) => waiting.add(resolve));
    }
  }

  function stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    child.kill(signal);
    return waitedFor(exit);
  }

  return {
    pid: child.pid ?? 0,
    isRunning: () => running.has(child),
    output: () => output,
    ended: () => waitedFor(exit),
    stop,
    waitFor: (pattern, milliseconds = 15_000) => waitedFor(find(pattern, milliseconds)),
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}
