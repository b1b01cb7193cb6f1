/** Logs in as browsers do, over HTTP: a form, cookies and the token that goes with each change. */
import assert from "node:assert/strict";

/** The administrator of every application that a test starts. */
export const ADMIN = { name: "admin", password: "correct horse battery" };

/** What a browser keeps and sends. */
export class Session {
  readonly url: string;
  readonly cookies = new Map<string, string>();
  /** What goes with each change; that of the form until somebody has logged in. */
  token = "";

  constructor(url: string) {
    this.url = url;
  }

  /** Asks for a path; a change carries the token unless `headers` say otherwise. Redirects are not followed. */
  async fetch(path: string, { headers, ...init }: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.url + path, {
      redirect: "manual",
      ...init,
      headers: { Cookie: cookie, "X-CSRF-Token": this.token, ...(headers as Record<string, string>) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** Sends a form of the login's own pages. */
  post(path: string, fields: Record<string, string>): Promise<Response> {
    return this.fetch(path, { method: "POST", body: new URLSearchParams({ csrf: this.token, ...fields }) });
  }

  /** Takes a new token, of the session or before that of the form. */
  async renew(): Promise<{ name?: string; role?: string }> {
    const about = (await (await this.fetch("/ui/session")).json()) as { token: string; name?: string; role?: string };
    this.token = about.token;
    return about;
  }

  /** Tries to log in; gives the answer. */
  async tryLogIn(name: string, password: string): Promise<Response> {
    await this.renew();
    const response = await this.post("/ui/login", { name, password });
    await this.renew();
    return response;
  }
}

/** Logs in, which must work. */
export async function logIn(url: string, { name, password } = ADMIN): Promise<Session> {
  const session = new Session(url);
  const response = await session.tryLogIn(name, password);
  assert.equal(response.status, 303, `login as ${name}: ${response.status}`);
  return session;
}
