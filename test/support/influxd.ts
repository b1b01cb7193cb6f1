/** A real InfluxDB for tests: influxd on a free port, as it would stand in a factory. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeCertificates } from "./certificates.ts";
import { type Child, startChild } from "./child.ts";
import { newFolder } from "./folders.ts";
import { freePort } from "./ports.ts";

/** Who administers an influxd that asks for passwords. */
export const ADMIN = { username: "admin", password: "correct horse" };

export interface InfluxdOptions {
  /** Asks for a user and password; `ADMIN` is the first. */
  auth?: boolean;
  /** Speaks TLS, with a certificate for `localhost` from an authority made for it. */
  tls?: boolean;
  /** More lines of its configuration by section, such as `{ http: ["max-body-size = 1000"] }`. */
  config?: Partial<Record<"coordinator" | "data" | "http" | "retention", string[]>>;
}

export interface Influxd extends AsyncDisposable {
  port: number;
  /** `http://127.0.0.1:port`, or `https://localhost:port` */
  url: string;
  /** File of the certificate authority, when it speaks TLS. */
  ca: string;
  folder: string;
  /** Asks it, as `ADMIN`; gives the series of the one statement. Not when it speaks TLS. */
  query(statement: string, database?: string): Promise<InfluxSeries[]>;
  /** Writes lines with times in ms, as `ADMIN`. */
  write(lines: string, database: string, policy?: string): Promise<void>;
  /** Ends it; nobody listens on its port any more. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same port and data, once it has been stopped. */
  start(): Promise<void>;
  /** Holds it: connections are accepted and nothing is answered. */
  pause(): void;
  resume(): void;
  output(): string;
}

export interface InfluxSeries {
  name: string;
  tags?: Record<string, string>;
  columns: string[];
  values: unknown[][];
}

/** Starts influxd and waits until it answers; `await using` kills it at the end of the block. */
export async function startInfluxd({ auth = false, tls = false, config = {} }: InfluxdOptions = {}): Promise<Influxd> {
  const folder = newFolder();
  const port = await freePort();
  const url = `${tls ? "https://localhost" : "http://127.0.0.1"}:${port}`;
  if (tls) makeCertificates(folder);
  const file = join(folder, "influxdb.conf");
  const text = (value: string) => JSON.stringify(value);
  writeFileSync(
    file,
    [
      "reporting-enabled = false",
      `bind-address = "127.0.0.1:${await freePort()}"`,
      "[meta]",
      `dir = ${text(join(folder, "meta"))}`,
      "[data]",
      `dir = ${text(join(folder, "data"))}`,
      `wal-dir = ${text(join(folder, "wal"))}`,
      "query-log-enabled = false",
      ...(config.data ?? []),
      "[coordinator]",
      ...(config.coordinator ?? []),
      "[retention]",
      ...(config.retention ?? []),
      "[monitor]",
      "store-enabled = false",
      "[http]",
      `bind-address = "127.0.0.1:${port}"`,
      "log-enabled = false",
      `auth-enabled = ${auth}`,
      `https-enabled = ${tls}`,
      ...(tls ? [`https-certificate = ${text(join(folder, "server.pem"))}`] : []),
      ...(tls ? [`https-private-key = ${text(join(folder, "server.key"))}`] : []),
      ...(config.http ?? []),
      "",
    ].join("\n"),
  );
  const authorization = `Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString("base64")}`;
  const headers = auth ? { authorization } : {};
  let child: Child | undefined;

  async function start(): Promise<void> {
    child = await startChild("influxd", ["-config", file], { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
    // Once it listens, it answers only when its shards are open.
    await child.waitFor(/Listening on HTTP/);
    for (;;) {
      if (!child.isRunning()) throw new Error(`influxd ended:\n${child.output()}`);
      if (tls || (await fetch(`${url}/ping`).catch(() => undefined))?.status === 204) return;
      await delay(20);
    }
  }

  async function query(statement: string, database = ""): Promise<InfluxSeries[]> {
    const body = new URLSearchParams({ q: statement, db: database, epoch: "ms" });
    const response = await fetch(`${url}/query`, { method: "POST", headers, body });
    const answer = (await response.json()) as {
      error?: string;
      results?: { error?: string; series?: InfluxSeries[] }[];
    };
    const error = answer.error ?? answer.results?.[0]?.error;
    if (error) throw new Error(`${statement}: ${error}`);
    return answer.results?.[0]?.series ?? [];
  }

  await start();
  if (auth) await query(`CREATE USER "${ADMIN.username}" WITH PASSWORD '${ADMIN.password}' WITH ALL PRIVILEGES`);
  return {
    port,
    url,
    ca: join(folder, "ca.pem"),
    folder,
    query,
    start,
    async write(lines, database, policy = "") {
      const target = new URLSearchParams({ db: database, rp: policy, precision: "ms" });
      const response = await fetch(`${url}/write?${target}`, { method: "POST", headers, body: lines });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    },
    async stop(signal = "SIGTERM") {
      await child?.stop(signal);
    },
    pause: () => process.kill(child?.pid ?? 0, "SIGSTOP"),
    resume: () => process.kill(child?.pid ?? 0, "SIGCONT"),
    output: () => child?.output() ?? "",
    async [Symbol.asyncDispose]() {
      await child?.stop("SIGKILL");
    },
  };
}
