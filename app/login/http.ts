/** What the login needs of HTTP: forms, cookies, addresses, answers. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { CONTENT_POLICY } from "./pages.ts";

/** A form has at most so many bytes. */
const MAX_FORM = 8192;

/** The fields of a form that was sent; undefined when it is too long. */
export async function formOf(request: IncomingMessage): Promise<Map<string, string> | undefined> {
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_FORM) request.destroy();
  });
  const content = await text(request).catch(() => undefined);
  return content === undefined ? undefined : new Map(new URLSearchParams(content));
}

/** The value of a cookie. */
export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const cookies = (request.headers.cookie ?? "").split(/; */);
  return cookies.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The path of a request as its client wrote it; undefined for what no browser sends, and routers read differently. */
export function pathOf(request: IncomingMessage & { originalUrl?: string }): string | undefined {
  const target = request.originalUrl ?? request.url ?? "";
  const [path = ""] = target.split("?");
  return path.startsWith("/") && !/[#\\\s]/.test(target) ? path : undefined;
}

/** Whether a page of this very server sent it, as far as browsers say; other programs say nothing. */
export function isFromHere({ headers }: IncomingMessage): boolean {
  if (headers["sec-fetch-site"] !== undefined && !/^(same-origin|none)$/.test(String(headers["sec-fetch-site"])))
    return false;
  if (headers.origin === undefined) return true;
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
}

/** Whether it is a browser that opens a page, to which a page is the right answer. */
export const wantsPage = ({ method, headers }: IncomingMessage) =>
  method === "GET" && /text\/html/.test(headers.accept ?? "");

/** Whether it came encrypted. */
export const isSecure = (request: IncomingMessage) =>
  "encrypted" in request.socket && request.socket.encrypted === true;

/** Where it came from. */
export const addressOf = (request: IncomingMessage) => request.socket.remoteAddress ?? "";

export function sendPage(response: ServerResponse, status: number, html: string): void {
  response.setHeader("Content-Security-Policy", CONTENT_POLICY);
  send(response, status, "text/html; charset=utf-8", inTheme(html, response.req));
}

/** A page in the theme that its browser has chosen; elements/theme.ts keeps the choice. */
export function inTheme(html: string, request: IncomingMessage): string {
  const theme = cookieOf(request, "device-analytics-theme");
  return theme === "light" || theme === "dark" ? html.replace("<html", `<html data-theme="${theme}"`) : html;
}

export function sendJson(response: ServerResponse, status: number, content: object): void {
  send(response, status, "application/json; charset=utf-8", JSON.stringify(content));
}

export function send(response: ServerResponse, status: number, type: string, content: string | Buffer): void {
  if (!response.hasHeader("Cache-Control")) response.setHeader("Cache-Control", "no-store");
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(content) });
  response.end(response.req.method === "HEAD" ? undefined : content);
}

export function redirect(response: ServerResponse, status: 302 | 303, location: string): void {
  response.setHeader("Cache-Control", "no-store");
  response.writeHead(status, { Location: location }).end();
}

/** A path on this server to go on to; `otherwise` for anything that could lead elsewhere. */
export function localPath(text: string | undefined, otherwise: string): string {
  const here = "http://here.invalid";
  if (!text?.startsWith("/") || !URL.canParse(text, here)) return otherwise;
  const { origin, pathname, search, hash } = new URL(text, here);
  return origin === here && !pathname.startsWith("//") ? pathname + search + hash : otherwise;
}
