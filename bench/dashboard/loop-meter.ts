/**
 * Loaded into the application by application.ts (`--import`): measures its event loop. Each SIGUSR2 prints one line with
 * the figures since the one before.
 */
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

export interface LoopFigures {
  /** By how much turns of the event loop were late, ms; 99 of 100 were better. */
  delay: number;
  /** Processor time that the thread spent between two looks, ms; 99 of 100 were better. What others do adds nothing. */
  work: number;
  /** Of one processor, percent, with all threads. */
  processor: number;
  /** Memory of the process (RSS). */
  megabytes: number;
}

/** How a line with figures begins; their number and the figures as JSON follow. */
export const FIGURES_LINE = "loop figures";

/** How often the event loop is looked at, ms. What is recorded is the time between two looks. */
const PERIOD = 10;

// Threads of the application load this file too.
if (isMainThread && process.env.LOOP_METER) {
  const delays = monitorEventLoopDelay({ resolution: PERIOD });
  const works = createHistogram();
  let usage = process.threadCpuUsage();
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(usage);
    usage = process.threadCpuUsage();
    works.record(Math.max(1, user + system));
  }, PERIOD).unref();
  delays.enable();
  let count = 0;
  let since = performance.now();
  let allUsage = process.cpuUsage();
  process.on("SIGUSR2", () => {
    const { user, system } = process.cpuUsage(allUsage);
    const figures: LoopFigures = {
      delay: Math.max(0, delays.percentile(99) / 1e6 - PERIOD),
      work: works.percentile(99) / 1000,
      processor: (user + system) / (performance.now() - since) / 10,
      megabytes: process.memoryUsage.rss() / 1e6,
    };
    console.log(`${FIGURES_LINE} ${++count} ${JSON.stringify(figures)}`);
    delays.reset();
    works.reset();
    since = performance.now();
    allUsage = process.cpuUsage();
  });
}
