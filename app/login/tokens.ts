/** What the login signs: the tokens that go with each change, and that a browser is known; and the cookies they are in. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ServerResponse } from "node:http";
import { cookieOf, isSecure } from "./http.ts";
import type { SessionRequest } from "./sessions.ts";
import { keyOf, type User } from "./users.ts";

/** The cookie of the session. */
export const SESSION_COOKIE = "device-analytics";

/** Other cookies: the token of the session, which scripts read; what the token of a form is made of; who is known here. */
const TOKEN = "device-analytics-token";
const FORM = "device-analytics-form";
const KNOWN = "device-analytics-known";

/** Seconds that a browser is known after a login. */
const KNOWN_SECONDS = 180 * 86_400;

/** Makes and checks tokens with one key. */
export class Tokens {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** A text signed; different kinds of texts begin differently. */
  sign(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }

  /** The token of a session, or before there is one, of the browser's form; undefined when it has none. */
  of(request: SessionRequest, user: User | undefined): string | undefined {
    if (user) return this.sign(`token ${request.sessionID}`);
    const form = cookieOf(request, FORM);
    return form === undefined ? undefined : this.sign(`form ${form}`);
  }

  /** Whether this is the token of a request. */
  isOf(request: SessionRequest, user: User | undefined, given: unknown): boolean {
    const expected = this.of(request, user);
    if (expected === undefined || typeof given !== "string") return false;
    const [a, b] = [Buffer.from(given), Buffer.from(expected)];
    return a.length === b.length && timingSafeEqual(a, b);
  }

  /** The token for a page that is about to be sent, with the cookie that it may need. */
  forPage(request: SessionRequest, response: ServerResponse, user: User | undefined): string {
    const known = this.of(request, user);
    if (known !== undefined) return known;
    const form = randomBytes(18).toString("base64url");
    setCookie(request, response, FORM, form, "HttpOnly; SameSite=Strict");
    return this.sign(`form ${form}`);
  }

  /** Sets the cookies of somebody whose session begins. */
  begin(request: SessionRequest, response: ServerResponse, user: User, seconds: number): void {
    const lasting = `Max-Age=${Math.ceil(seconds)}`;
    setCookie(request, response, TOKEN, this.of(request, user) ?? "", `SameSite=Lax; ${lasting}`);
    const known = this.sign(`known ${keyOf(user.name)}`);
    setCookie(request, response, KNOWN, known, `HttpOnly; SameSite=Strict; Max-Age=${KNOWN_SECONDS}`);
  }

  /** Takes the cookies of a session away. */
  end(request: SessionRequest, response: ServerResponse): void {
    for (const name of [SESSION_COOKIE, TOKEN]) setCookie(request, response, name, "", "Max-Age=0");
  }

  /** Whether the user of this name has logged in with this browser before. */
  isKnown(request: SessionRequest, name: string): boolean {
    return cookieOf(request, KNOWN) === this.sign(`known ${keyOf(name)}`);
  }
}

function setCookie(request: SessionRequest, response: ServerResponse, name: string, value: string, more: string): void {
  const secure = isSecure(request) ? "; Secure" : "";
  response.appendHeader("Set-Cookie", `${name}=${value}; Path=/; ${more}${secure}`);
}
