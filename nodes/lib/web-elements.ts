/** Serves the custom elements that dashboard pages are made of, at `/device-analytics/elements.js`. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeAPI } from "node-red";

const FILE = new URL("./elements/device-analytics.js", import.meta.url);

const serving = new WeakSet<object>();

/** Sees to it once for a Node-RED; not where it serves no pages. */
export function serveElements({ httpNode, settings, log }: NodeAPI): void {
  if (!httpNode || (settings.httpNodeRoot as unknown) === false || serving.has(httpNode)) return;
  serving.add(httpNode);
  let file: Promise<{ content: Buffer; tag: string }> | undefined;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    file ??= readFile(FILE).then((content) => {
      return { content, tag: `"${createHash("sha256").update(content).digest("base64url")}"` };
    });
    const { content, tag } = await file;
    // Asked for again each time, so that an upgrade is seen at once; what has not changed is not sent.
    response.setHeader("Cache-Control", "no-cache");
    response.setHeader("ETag", tag);
    if (request.headers["if-none-match"] === tag) {
      response.writeHead(304).end();
      return;
    }
    response.writeHead(200, { "Content-Type": "text/javascript; charset=utf-8", "Content-Length": content.length });
    response.end(request.method === "HEAD" ? undefined : content);
  }

  httpNode.use("/device-analytics", (request, response, next) => {
    if (request.path !== "/elements.js" || !["GET", "HEAD"].includes(request.method)) next();
    else
      answer(request, response).catch((error: Error) => {
        file = undefined;
        log.error(`the elements of dashboard pages cannot be served: ${error.message}`);
        next(error);
      });
  });
}
