/** Readings per second through nodes in a flow, beside the same flow with empty nodes, or with another package's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { median } from "simple-statistics";
import { judged, progress, type Row, undisturbed } from "./report.ts";
import type { FlowNode, Runtime } from "./runtime.ts";
import { batch, CHAIN, COMPARISONS, type MessageOf, type Setup, single, TRIALS, type Trial, value } from "./trials.ts";

const DEVICES = 100;
/** Times that both flows are measured, one after the other. */
const ROUNDS = 15;
/** How long each is measured in a round, ms. */
const ROUND = 150;
/** How long both run before, ms. */
const WARM_UP = 600;
/** Readings that are on their way at a time, in as many messages as they need: about what a socket gives at once. */
const BURST = 200;
/** A burst that takes longer has lost a message, ms. */
const LOST_AFTER = 60_000;

const EMPTY: Setup = { type: "bench-empty" };
const SINK: Setup = { type: "bench-sink" };

interface Work {
  name: string;
  ours: Setup[];
  others: Setup[];
  message: MessageOf;
  /** Readings in a message. */
  readings: number;
  /** True if the last nodes send nothing: then what they have taken in is counted. */
  isSink: boolean;
}

/** Our nodes with their trials, all of the registry in package.json but those that have nothing to measure. */
export function trials(): [type: string, trial: Trial][] {
  return registered().flatMap((type): [string, Trial][] => {
    const trial = TRIALS[type];
    if (trial === undefined) throw new Error(`bench/speed/trials.ts has no line for ${type}`);
    return typeof trial === "string" ? [] : [[type, trial]];
  });
}

/** A node of ours as it is measured. */
export function setupOf(type: string): Setup {
  const trial = TRIALS[type];
  return { type, ...(typeof trial === "object" ? trial.settings : undefined) };
}

/** Every node, and the chain of them, beside empty ones. */
export async function measureNodes(runtime: Runtime): Promise<Row[]> {
  const rows: Row[] = [];
  const work = { message: single, readings: 1, isSink: false };
  const empty = { ...work, name: "empty node / none", ours: [EMPTY], others: [] };
  rows.push(await compare(runtime, empty));
  for (const [type, { message = single, isSink = false }] of trials()) {
    const others = [isSink ? SINK : EMPTY];
    const name = `${type} / empty node`;
    rows.push(await compare(runtime, { ...work, name, ours: [setupOf(type)], others, message, isSink }, 0.6));
  }
  const chain = CHAIN.map(setupOf);
  const name = `${CHAIN.join(" → ")} / empty nodes`;
  rows.push(await compare(runtime, { ...work, name, ours: chain, others: chain.map(() => EMPTY) }, 0.5));

  const arrays = { message: batch, readings: 1000, isSink: false };
  const both = ["rolling-features", "z-score-anomaly"];
  const {
    beside: _,
    ratio: __,
    ...rate
  } = await compare(runtime, {
    ...arrays,
    name: `${both.join(" → ")}, arrays of 1000`,
    ours: both.map(setupOf),
    others: both.map(() => EMPTY),
  });
  rows.push(judged({ ...rate, target: { atLeast: 600_000 } }));
  return rows;
}

/** Our nodes beside those that people use today, on the same work. */
export async function measurePeers(runtime: Runtime): Promise<Row[]> {
  const rows: Row[] = [];
  const types = registered();
  for (const { name, peer, ours, theirs, isSink = false, isAlike = false } of COMPARISONS) {
    if (!types.includes(ours.type)) continue;
    if (peer && !runtime.peers.has(peer)) {
      rows.push({ name: `${name}: ${peer} could not be installed`, unit: "" });
      continue;
    }
    const work = { name, ours: [ours], others: theirs, message: value, readings: 1, isSink };
    rows.push(await compare(runtime, work, isAlike ? undefined : 1));
  }
  return rows;
}

function registered(): string[] {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8"));
  return Object.keys(manifest["node-red"].nodes);
}

let flows = 0;

/**
 * Nodes in a row behind a source, and before a sink unless the last one is one. Ids are new each time, so that no node
 * finds the state of another one.
 */
export function flowOf(nodes: Setup[], isSink: boolean): FlowNode[] {
  const id = `flow${++flows}-`;
  const all: Setup[] = [{ type: "bench-source" }, ...nodes, ...(isSink ? [] : [SINK])];
  return all.map((node, index) => {
    const isLast = index === all.length - 1;
    return { ...node, id: `${id}${index}`, wires: isLast ? [] : [[`${id}${index + 1}`]] };
  });
}

/** Both flows in turns, in one process: what each does undisturbed, and the median of the ratios. */
async function compare(runtime: Runtime, work: Work, target?: number): Promise<Row> {
  const { name, message, readings, isSink } = work;
  progress(name);
  const ours = flowOf(work.ours, isSink);
  const others = flowOf(work.others, isSink);
  await runtime.deploy([...ours, ...others]);
  // What is not told to be complete is not the same work.
  for (const { id } of others) runtime.complete(id);
  const counters = new Map<string, () => void>();
  const unhook = isSink ? runtime.onTaken((id) => counters.get(id)?.()) : undefined;
  const count = Math.ceil(BURST / readings);
  let sent = 0;

  /** From the first message sent to the last one received, ms. */
  function burst(flow: FlowNode[]): Promise<number> {
    const messages = Array.from({ length: count }, () => message(sent++, DEVICES));
    const source = runtime.node(flow[0]?.id ?? "");
    const last = flow.at(-1)?.id ?? "";
    return new Promise((resolve, reject) => {
      const lost = setTimeout(() => reject(new Error(`${name}: not all messages have come through`)), LOST_AFTER);
      let received = 0;
      let start = 0;
      const take = () => {
        if (++received < count) return;
        clearTimeout(lost);
        // A node that works on in promises has done so when the next turn of the loop comes.
        setImmediate(() => resolve(performance.now() - start));
      };
      if (isSink) counters.set(last, take);
      else runtime.node(last).count = take;
      start = performance.now();
      for (const each of messages) source.send(each);
    });
  }

  async function rate(flow: FlowNode[], milliseconds: number): Promise<number> {
    let bursts = 0;
    let elapsed = 0;
    for (; elapsed < milliseconds; bursts++) elapsed += await burst(flow);
    return (bursts * count * readings * 1000) / elapsed;
  }

  await rate(ours, WARM_UP);
  await rate(others, WARM_UP);
  const pairs: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round++) pairs.push([await rate(ours, ROUND), await rate(others, ROUND)]);
  unhook?.();
  if (runtime.errors.length > 0) throw new Error(`${name}: ${runtime.errors[0]}`);
  return judged({
    name,
    value: undisturbed(pairs.map(([our]) => our)),
    unit: "readings/s",
    beside: undisturbed(pairs.map(([, other]) => other)),
    ratio: median(pairs.map(([our, other]) => our / other)),
    ...(target !== undefined && { target: { atLeast: target } }),
  });
}
