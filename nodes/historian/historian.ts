/** historian: the store of all history that nodes write to and ask, kept in order once a minute. */
import type { NodeAPI } from "node-red";
import { configNode } from "../lib/config-node.ts";
import type { Historian } from "../lib/historian.ts";
import { serveConnectionTest } from "./connection-test.ts";
import { openEngine } from "./open-engine.ts";
import { options } from "./options.ts";

/** How often the store is kept in order, ms. */
const MAINTENANCE = 60_000;

/** How often one that does not answer is asked again, ms. */
const RETRY = 2000;

const historian = configNode<typeof options, Historian>("historian", options, (host) => {
  const { node, RED } = host;
  const engine = openEngine(host.settings, RED.settings.userDir, node.id);
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let problem: string | undefined;
  tend();

  return {
    value: engine,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await engine.close();
    },
  };

  /** Looks after the store, and comes back to it later. */
  async function tend(): Promise<void> {
    let wait = RETRY;
    try {
      await engine.check();
      wait = MAINTENANCE;
      await engine.maintain(Date.now());
      settle(undefined);
    } catch (error) {
      settle((error as Error).message);
    }
    if (!isClosed) timer = setTimeout(tend, wait);
  }

  function settle(now: string | undefined): void {
    if (isClosed || now === problem) return;
    problem = now;
    if (problem !== undefined) node.error(problem);
    host.report(problem);
  }
});

export default (RED: NodeAPI): void => {
  historian(RED);
  serveConnectionTest(RED);
};
