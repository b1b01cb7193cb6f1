/** The Node-RED that the nodes run in, for what its settings have loaded before there was one: the login. */
import type { NodeAPI } from "node-red";

let running: NodeAPI | undefined;
const waiting: ((RED: NodeAPI) => void)[] = [];

/** Tells which one it is; each node does when it is loaded. */
export function announce(RED: NodeAPI): void {
  if (running) return;
  running = RED;
  for (const listener of waiting.splice(0)) listener(RED);
}

/** Calls the listener with it, as soon as it is known. */
export function whenRunning(listener: (RED: NodeAPI) => void): void {
  if (running) listener(running);
  else waiting.push(listener);
}
