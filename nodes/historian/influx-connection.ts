/** The way to an InfluxDB: requests over HTTP, answers as they stream in, and what failures mean in plain words. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { QueryError, StoreUnavailable } from "../lib/historian.ts";
import { SettingError } from "../lib/options.ts";

/** Where an InfluxDB is and who asks: a user with password, or a token. */
export interface InfluxSettings {
  /** `http://host:port`, `https://host:port`, with a path if it stands behind a proxy. */
  url: string;
  database: string;
  username: string;
  password: string;
  token: string;
}

/** Points of one set of tags, or a part of them, as InfluxDB gives them. */
export interface Series {
  /** Which statement of the query it answers, from 0. */
  statement: number;
  name: string;
  tags: Record<string, string>;
  columns: string[];
  values: (number | string | null)[][];
}

interface Answer {
  error?: string;
  results?: {
    statement_id: number;
    error?: string;
    series?: (Omit<Series, "statement" | "tags"> & Partial<Series>)[];
  }[];
}

/** How long the answer to a write may take, ms. A connection that is open only on this side ends by it. */
const WRITE_TIME = 10_000;

/** After this time without an answer, a server is greeted once more, on another connection, ms. */
const GREETING_INTERVAL = 2000;

/** How long a query may be without a sign of life, ms. */
const QUERY_TIME = 60_000;

/** The same for a roll-up, which gives none before its end. */
export const ROLL_UP_TIME = 600_000;

/** Rows of a set of tags in one piece of an answer. */
const CHUNK_ROWS = 2000;

/** Characters of what a server says of an error. */
const MAX_TEXT = 100_000;

/** The answer to a write: 204 when everything is written. */
export interface WriteAnswer {
  status: number;
  /** What the server says against it. */
  reason: string;
}

/** Requests to one database. Connections are kept; nothing is tried twice. */
export class InfluxConnection {
  readonly url: URL;
  /** Address and database, without secrets. */
  readonly location: string;
  readonly headers: Record<string, string>;
  readonly agent: HttpAgent;
  readonly #settings: InfluxSettings;
  readonly #request: typeof httpRequest;
  readonly #path: string;

  /** @throws SettingError when the address is none, or there is no database */
  constructor(settings: InfluxSettings) {
    if (!/^https?:/i.test(settings.url) || !URL.canParse(settings.url)) {
      throw new SettingError("url: must be like http://127.0.0.1:8086");
    }
    if (settings.database === "") throw new SettingError("database: must be named");
    const url = new URL(settings.url);
    const isSecure = url.protocol === "https:";
    this.url = url;
    this.#settings = settings;
    this.#path = url.pathname.replace(/\/+$/, "");
    this.location = `${url.origin}${this.#path}/${settings.database}`;
    this.headers = authorization(settings);
    this.agent = isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
    this.#request = isSecure ? httpsRequest : httpRequest;
  }

  /** Version of the server. Throws StoreUnavailable, also when it is no InfluxDB. */
  async version(): Promise<string> {
    const { response, text } = await this.#greet();
    const status = response.statusCode ?? 0;
    if (status === 401 || status === 403) throw this.#refusal(status, reasonIn(text));
    const version = response.headers["x-influxdb-version"];
    if (typeof version !== "string") throw this.#noInfluxDB(status);
    return version.replace(/^v/, "");
  }

  /** Posts lines of line protocol, in pieces. Throws StoreUnavailable when there is no answer, or only a later one. */
  async write(lines: Uint8Array[], policy: string): Promise<WriteAnswer> {
    const target = new URLSearchParams({ db: this.#settings.database, precision: "ms" });
    if (policy !== "") target.set("rp", policy);
    const { response, text } = await this.#exchange("POST", `/write?${target}`, lines);
    const status = response.statusCode ?? 0;
    if (status === 204) return { status, reason: "" };
    const reason = reasonIn(text);
    if (status === 429 || status >= 500) {
      const retryAfter = Number.parseInt(response.headers["retry-after"] ?? "", 10);
      const message = `${this.location} can't write now: ${status} ${reason}`;
      throw new StoreUnavailable(message, Number.isNaN(retryAfter) ? undefined : retryAfter);
    }
    if (status === 401 || status === 403 || status === 404) throw this.#refusal(status, reason);
    if (![400, 413, 422].includes(status)) throw this.#noInfluxDB(status);
    return { status, reason };
  }

  /**
   * Asks statements and gives their series as they come, statement after statement, in constant memory. Who stops
   * taking them, or aborts, ends the query on the server. `limit`: ms without a sign of life.
   *
   * @throws QueryError, StoreUnavailable, and what the signal was aborted with
   */
  async *query(statements: readonly string[], signal?: AbortSignal, limit = QUERY_TIME): AsyncGenerator<Series> {
    const form = new URLSearchParams({
      db: this.#settings.database,
      q: statements.join(";"),
      epoch: "ms",
      chunked: "true",
      chunk_size: String(CHUNK_ROWS),
    });
    const silence = new AbortController();
    let isTaking = false;
    // Who takes the answer slowly is no fault of the server.
    const timer = setTimeout(() => (isTaking ? timer.refresh() : silence.abort()), limit);
    const ends = AbortSignal.any(signal ? [signal, silence.signal] : [silence.signal]);
    let response: IncomingMessage | undefined;
    try {
      response = await this.#send("POST", "/query", [Buffer.from(form.toString())], ends);
      const status = response.statusCode ?? 0;
      if (status !== 200) throw this.failure(status, reasonIn(await textOf(response)));
      for await (const line of linesOf(response)) {
        timer.refresh();
        for (const series of this.#seriesIn(line)) {
          isTaking = true;
          yield series;
          isTaking = false;
        }
        timer.refresh();
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw silence.signal.aborted ? this.#late(limit) : this.explain(error);
    } finally {
      clearTimeout(timer);
      response?.destroy();
    }
  }

  /** Ends all connections. */
  close(): void {
    this.agent.destroy();
  }

  /** What an error means, as an error of the historian. */
  explain(error: unknown): Error {
    if (error instanceof StoreUnavailable || error instanceof QueryError) return error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    return new StoreUnavailable(connectionProblem(code, this.url) ?? `${this.url.origin}: ${message}`);
  }

  *#seriesIn(line: string): Generator<Series> {
    const { error, results = [] } = JSON.parse(line) as Answer;
    if (error) throw this.failure(200, error);
    for (const { statement_id: statement, error, series = [] } of results) {
      if (error) throw this.failure(200, error);
      for (const { name, tags = {}, columns, values = [] } of series) yield { statement, name, tags, columns, values };
    }
  }

  /** What a failed query means, by the status of its answer and what the server says; 200 for a failed statement. */
  failure(status: number, reason: string): Error {
    if (/^(database|retention policy) not found/.test(reason)) return this.#refusal(404, reason);
    if (status === 401 || status === 403 || status === 404) return this.#refusal(status, reason);
    if (status === 429 || status >= 500) {
      return new StoreUnavailable(`${this.location} can't answer now: ${status} ${reason}`);
    }
    if (status !== 200 && status !== 400) return this.#noInfluxDB(status);
    const advice = /max-select|limit|timeout/.test(reason) ? "; ask for a shorter range or fewer devices" : "";
    return new QueryError(`InfluxDB does not answer that: ${reason}${advice}`);
  }

  #refusal(status: number, reason: string): StoreUnavailable {
    const { database, username, token } = this.#settings;
    const { origin } = this.url;
    const who = token ? "the token" : `the user "${username}"`;
    if (status === 401) {
      const isUnknown = !token && username === "";
      const problem = isUnknown ? "it wants a user or a token" : `${who}${token ? "" : " or the password"} is wrong`;
      return new StoreUnavailable(`${origin}: ${problem} (${reason})`);
    }
    if (status === 403) {
      const advice = token ? "give it read and write access" : `an administrator may GRANT ALL ON "${database}"`;
      return new StoreUnavailable(`${origin}: ${who} may not use "${database}": ${advice} (${reason})`);
    }
    const advice = `create "${database}", or map it to a bucket where InfluxDB 2.x wants that (influx v1 dbrp create)`;
    return new StoreUnavailable(`${origin}: ${reason || "there is no such database"}: ${advice}`);
  }

  #noInfluxDB(status: number): StoreUnavailable {
    return new StoreUnavailable(
      `${this.url.origin} answers (${status}), but not as an InfluxDB does: check the address`,
    );
  }

  #late(limit: number): StoreUnavailable {
    return new StoreUnavailable(`${this.url.origin} did not answer within ${limit / 1000} s`);
  }

  /**
   * Greets the server until it answers the first time, or refuses. What has been sent into a connection that is dead gets
   * no answer, even once the server is back.
   */
  async #greet(): Promise<{ response: IncomingMessage; text: string }> {
    const ending = new AbortController();
    const { signal } = ending;
    const greetings = Array.from({ length: WRITE_TIME / GREETING_INTERVAL }, async (_, place) => {
      await delay(place * GREETING_INTERVAL, undefined, { signal });
      return await this.#exchange("GET", "/ping", [], signal);
    });
    for (const greeting of greetings) greeting.catch(() => undefined);
    try {
      return await Promise.race(greetings);
    } finally {
      ending.abort();
    }
  }

  /** A request and its whole answer, within WRITE_TIME. */
  async #exchange(
    method: string,
    path: string,
    body: Uint8Array[],
    signal?: AbortSignal,
  ): Promise<{ response: IncomingMessage; text: string }> {
    const limit = AbortSignal.timeout(WRITE_TIME);
    const ends = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const response = await this.#send(method, path, body, ends);
      return { response, text: await textOf(response) };
    } catch (error) {
      throw limit.aborted ? this.#late(WRITE_TIME) : this.explain(error);
    }
  }

  /** Sends a request and waits until its answer begins. */
  #send(method: string, path: string, body: Uint8Array[], signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { protocol, hostname, port } = this.url;
      const request = this.#request({
        protocol,
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port,
        path: this.#path + path,
        method,
        headers: {
          ...this.headers,
          "content-length": body.reduce((sum, { byteLength }) => sum + byteLength, 0),
          ...(path === "/query" && { "content-type": "application/x-www-form-urlencoded" }),
        },
        agent: this.agent,
        signal,
      });
      request.once("response", resolve);
      request.once("error", reject);
      for (const part of body) request.write(part);
      request.end();
    });
  }
}

function authorization({ username, password, token }: InfluxSettings): Record<string, string> {
  if (token !== "") return { authorization: `Token ${token}` };
  if (username === "") return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

/** What the code of a failed connection means; undefined for a code that says nothing in particular. */
function connectionProblem(code: string, { origin, hostname }: URL): string | undefined {
  if (code === "ECONNREFUSED") return `${origin} refuses connections: is InfluxDB running, and is the port right?`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `there is no host "${hostname}": check the address`;
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH") return `there is no way to ${origin}: check the network`;
  if (code === "ETIMEDOUT") return `${origin} does not answer: check the address and the network`;
  if (code === "ECONNRESET" || code === "EPIPE") return `${origin} has broken the connection`;
  if (/CERT|SIGNATURE/.test(code)) {
    return `the certificate of ${origin} is not trusted (${code}): name the file of its authority in NODE_EXTRA_CA_CERTS`;
  }
  if (/^ERR_SSL|^EPROTO/.test(code)) return `${origin} does not speak TLS: is it http instead of https?`;
  if (/^HPE_/.test(code)) return `${origin} does not speak HTTP: is it https instead of http, or another port?`;
  return undefined;
}

/** The whole answer, as far as it is not absurdly long. */
async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of response.setEncoding("utf8")) if (text.length < MAX_TEXT) text += part;
  return text;
}

/** What the server says of an error: JSON of 1.x, 2.x or 3.x, or anything else. */
export function reasonIn(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    return String(error ?? message ?? text).trim();
  } catch {
    return text.trim().slice(0, 200);
  }
}

/** Lines of an answer as they come. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let parts: string[] = [];
  for await (const text of response.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = text.split("\n");
    while (lines.length > 1) {
      const line = parts.join("") + lines.shift();
      parts = [];
      if (line.trim() !== "") yield line;
    }
    parts.push(...lines);
  }
  const last = parts.join("");
  if (last.trim() !== "") yield last;
}
