/** delivery: sends a message on, again and again, until its delivery is confirmed. */
import { randomInt } from "node:crypto";
import { inspect } from "node:util";
import type { Node, NodeMessage } from "node-red";
import { type Attempt, Delivery, type GivenUp } from "../../core/delivery.ts";
import { outcomeOf } from "../../core/delivery-outcome.ts";
import { Random } from "../../core/random.ts";
import { define, type Message } from "../lib/runtime.ts";
import { options } from "./options.ts";

/** How often is looked for what is due, ms. */
const TICK = 200;

export default define("delivery", options, (host) => {
  const { RED, node, settings } = host;
  const random = new Random(randomInt(2 ** 32));
  /** Begin of the ids, by which this node knows its own messages again. */
  const prefix = `${node.id}.`;
  let delivery = new Delivery(settings, random);
  let timer: NodeJS.Timeout | undefined;

  return {
    common: {
      save: () => delivery.toJSON(),
      restore: (saved) => {
        delivery = Delivery.from(settings, random, saved);
      },
    },

    receive(message) {
      const now = Date.now();
      if (message.delivery !== undefined) settle(message, now);
      else delivery.push(prefix + RED.util.generateId(), contentOf(message), now);
      changed();
      work();
    },

    commands: {
      retry() {
        delivery.retry(Date.now());
        changed();
        work();
      },

      list(_args, message, send) {
        const payload = Array.from(
          delivery.pending(),
          ({ id, content, addedAt, attempts, isInFlight, due, reason }) => ({
            id,
            ...messageOf(content),
            addedAt,
            attempts,
            ...(isInFlight ? {} : { nextAttemptAt: due }),
            ...(reason !== undefined && { reason }),
          }),
        );
        send([null, null, { ...message, payload }]);
      },

      reset() {
        delivery = new Delivery(settings, random);
        changed();
      },
    },

    status() {
      const waiting = delivery.size - delivery.inFlight;
      if (waiting > 0) {
        const seconds = Math.ceil(delivery.nextInSeconds(Date.now()) ?? 0);
        return { fill: "yellow", shape: "ring", text: host.translate("status.waiting", { count: waiting, seconds }) };
      }
      if (delivery.size === 0) return { fill: "green", shape: "dot", text: host.translate("status.idle") };
      return { fill: "blue", shape: "dot", text: host.translate("status.inFlight", { count: delivery.inFlight }) };
    },

    ready() {
      timer = setInterval(work, TICK);
    },

    close() {
      clearInterval(timer);
    },
  };

  function settle(message: Message, now: number): void {
    const { id, attempt } = (message.delivery ?? {}) as { id?: unknown; attempt?: unknown };
    if (typeof id !== "string" || typeof attempt !== "number") {
      throw new Error(`msg.delivery must be as this node has sent it, it is ${inspect(message.delivery)}`);
    }
    if (!id.startsWith(prefix)) {
      throw new Error("msg.delivery is of another delivery node: wire its outcome to that, or delete msg.delivery");
    }
    delivery.settle(id, attempt, outcomeOf(message, now), now);
  }

  /** Sends what is due, and tells of what is given up. */
  function work(): void {
    const { attempts, givenUp } = delivery.tick(Date.now());
    if (attempts.length + givenUp.length > 0) changed();
    else if (delivery.size > 0) host.changed();
    for (const each of givenUp) tellOf(each);
    for (const { id, content, attempt } of attempts) host.send({ ...messageOf(content), delivery: { id, attempt } });
  }

  function tellOf({ content, reason, attempts }: GivenUp): void {
    const { payload, ...message } = messageOf(content);
    const { wires } = node as Node & { wires: string[][] };
    if ((wires[1]?.length ?? 0) > 0) host.send([null, { ...message, payload: { reason, payload, attempts } }]);
    else node.error(`given up after ${attempts} attempts: ${reason}`, { ...message, payload } as NodeMessage);
  }

  function changed(): void {
    host.touch();
    host.saveSoon();
    host.changed();
  }
});

/** What is kept of a message, as text: whoever gets it may change it, and a restart must not lose it. */
function contentOf({ topic, payload }: Message): Attempt["content"] {
  return JSON.stringify({ topic, payload });
}

function messageOf(content: string): Message {
  return JSON.parse(content, (_key, value) => {
    return value?.type === "Buffer" && Array.isArray(value.data) ? Buffer.from(value.data) : value;
  });
}
