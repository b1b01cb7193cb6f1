/** historian-write: stores what comes in, by way of a spool on disk, so that nothing that was accepted is lost. */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Node, NodeMessage, NodeStatus, NodeStatusFill } from "node-red";
import { LineWriter, parseLine } from "../../core/history/lines.ts";
import { isHistoryEvent, PointWriter } from "../../core/history/points.ts";
import type { Historian, RefusedLine } from "../lib/historian.ts";
import { SettingError } from "../lib/options.ts";
import { define } from "../lib/runtime.ts";
import { Ages } from "./ages.ts";
import { ImportCommands } from "./import-commands.ts";
import { options } from "./options.ts";
import { Sender } from "./sender.ts";
import { Spool } from "./spool/spool.ts";

/** How often figures are sent, ms. */
const TICK = 1000;

/** How much the latest second counts in the rate that the status shows. */
const WEIGHT = 0.3;

export default define("historian-write", options, (host) => {
  const { node, settings, RED } = host;
  const historian = host.config<Historian>("historian");
  if (!historian) throw new SettingError("historian: must be chosen");
  const lines = new LineWriter();
  const points = new PointWriter(lines, settings.record);
  let spool: Spool | undefined;
  let sender: Sender | undefined;
  let timer: NodeJS.Timeout | undefined;
  let added = 0;
  let rate = 0;
  let writtenBefore = 0;
  let sent = "";
  /** Why the latest message was not accepted. */
  let refusal: string | undefined;
  const ages = new Ages();
  const imports = new ImportCommands(historian, RED.settings.userDir);

  const opening = Spool.open({
    folder: folderOf(settings.spoolFolder, RED.settings.userDir, node.id),
    limitBytes: settings.spoolLimitMegabytes * 1e6,
    limitAge: settings.spoolLimitHours * 3_600_000,
    whenFull: settings.whenFull,
    fsync: settings.fsync,
  });
  opening.then(
    (opened) => {
      spool = opened;
      sender = new Sender({ ...settings, spool, historian, refuse: report, changed: () => host.changed() });
      timer = setInterval(tick, TICK);
      tick();
    },
    (error: Error) => {
      refusal = error.message;
      node.error(error.message);
      host.changed();
    },
  );

  return {
    isSink: true,
    commands: imports.commands,

    analyse(reading) {
      points.reading(reading);
      return false;
    },

    takeEvent(event) {
      if (!isHistoryEvent(event)) return false;
      points.event(event, Date.now());
      return true;
    },

    async accepted() {
      const { count } = lines;
      if (count === 0) return;
      let bytes = lines.take();
      if (!spool) {
        // They hold only until the next message.
        bytes = bytes.slice();
        await opening;
      }
      await keep(bytes, count);
    },

    status,

    problemStatus() {
      const own = status();
      // As long as all is well here, that of the historian is news.
      return own.fill === "green" ? undefined : own;
    },

    async close() {
      // What is on its way to this node still comes.
      await nextTurn();
      const opened = await opening.catch(() => undefined);
      clearInterval(timer);
      await sender?.close();
      await opened?.close();
      await imports.close();
    },
  };

  async function keep(bytes: Uint8Array, count: number): Promise<void> {
    try {
      await spool?.append(bytes, count);
    } catch (error) {
      refuseFor((error as Error).message);
      throw error;
    }
    added += count;
    sender?.added(count);
    refuseFor(undefined);
  }

  function refuseFor(reason: string | undefined): void {
    if (reason === refusal) return;
    refusal = reason;
    host.changed();
  }

  /** Gives what the store refuses to output 2, or where nothing is wired to that, to a Catch node. */
  function report(refused: RefusedLine[]): void {
    const letters = refused.map(({ line, reason }) => ({ reason, payload: decoded(line) }));
    const { wires } = node as Node & { wires: string[][] };
    if ((wires[1]?.length ?? 0) > 0) host.send([null, letters.map((payload) => ({ payload }))]);
    else {
      const points = letters.map(({ payload }) => payload);
      node.error(`the store refuses ${points.length} points: ${letters[0]?.reason}`, {
        payload: points,
      } as NodeMessage);
    }
  }

  function tick(): void {
    if (!spool || !sender) return;
    const { written, refused } = sender;
    rate += WEIGHT * ((written - writtenBefore) / (TICK / 1000) - rate);
    writtenBefore = written;
    const now = Date.now();
    ages.push(spool.end, now);
    const backlogSeconds = Math.round(ages.ageOf(spool.start, now) / 1000);
    const { waiting, bytes, dropped, damaged } = spool.figures;
    const payload = { added, written, refused, dropped, damaged, spooled: waiting, backlogSeconds, bytes };
    const text = JSON.stringify(payload);
    if (text !== sent) host.send({ payload });
    sent = text;
    host.changed();
  }

  function status(): NodeStatus {
    const ring = (fill: NodeStatusFill, text: string): NodeStatus => ({ fill, shape: "ring", text });
    if (refusal !== undefined) return ring("red", refusal);
    if (!spool || !sender) return ring("grey", host.translate("status.opening"));
    const count = inWords(spool.figures.waiting);
    const { failure, isCatchingUp } = sender;
    if (failure !== undefined) return ring("yellow", host.translate("status.waiting", { count, reason: failure }));
    if (isCatchingUp) return ring("yellow", host.translate("status.catchingUp", { count, rate: inWords(rate) }));
    return { fill: "green", shape: "dot", text: host.translate("status.rate", { rate: inWords(rate) }) };
  }
});

/** The folder of the spool; unlike that of a node's state, it is never deleted for its node being gone. */
function folderOf(named: string, userDir: string | undefined, nodeId: string): string {
  if (named !== "") return named;
  if (!userDir) throw new SettingError("spoolFolder: must be named, for Node-RED has no user directory");
  return join(userDir, "device-analytics", "spool", encodeURIComponent(nodeId));
}

/** A line as a point in plain JSON, or as it is if it cannot be read. */
function decoded(line: string): unknown {
  try {
    const { fields, ...point } = parseLine(line);
    return { ...point, fields: Object.fromEntries(fields) };
  } catch {
    return line;
  }
}

function inWords(count: number): string {
  return Math.round(count).toLocaleString("en");
}
