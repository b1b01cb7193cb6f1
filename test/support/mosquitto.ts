/** A real MQTT broker for tests: mosquitto on a free port, as it would stand in a factory. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeCertificates } from "./certificates.ts";
import { startChild } from "./child.ts";
import { newFolder } from "./folders.ts";
import { freePort } from "./ports.ts";

export interface MosquittoOptions {
  /** Only these may connect, by name and password; anyone when absent. */
  users?: Record<string, string>;
  /** Speak TLS, with a certificate for `localhost` from an authority made for this broker. */
  tls?: boolean;
  /** A free one when absent. */
  port?: number;
}

export interface Mosquitto extends AsyncDisposable {
  port: number;
  /** `mqtt://127.0.0.1:port`, or `mqtts://localhost:port` */
  url: string;
  /** File of the certificate authority, when it speaks TLS. */
  ca: string;
  stop(): Promise<void>;
}

/** Starts mosquitto and waits until it accepts connections; `await using` stops it at the end of the block. */
export async function startMosquitto({ users, tls = false, port }: MosquittoOptions = {}): Promise<Mosquitto> {
  const folder = newFolder();
  const number = port ?? (await freePort());
  const ca = join(folder, "ca.pem");
  // A broker that is started by root would otherwise become another user, who may not read this folder.
  const settings = ["user root", `listener ${number} 127.0.0.1`, `allow_anonymous ${!users}`, "persistence false"];
  settings.push("max_queued_messages 0", "max_inflight_messages 0");
  if (users) {
    const passwords = join(folder, "passwords");
    writeFileSync(passwords, "");
    for (const [name, password] of Object.entries(users)) {
      execFileSync("mosquitto_passwd", ["-b", passwords, name, password], { stdio: "ignore" });
    }
    settings.push(`password_file ${passwords}`);
  }
  if (tls) {
    makeCertificates(folder);
    settings.push(`certfile ${join(folder, "server.pem")}`, `keyfile ${join(folder, "server.key")}`);
  }
  writeFileSync(join(folder, "mosquitto.conf"), `${settings.join("\n")}\n`);
  const child = await startChild("mosquitto", ["-c", join(folder, "mosquitto.conf")], {
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
  });
  while (!(await accepts(number))) {
    if (!child.isRunning()) throw new Error(`mosquitto ended:\n${child.output()}`);
    await delay(20);
  }
  return {
    port: number,
    url: tls ? `mqtts://localhost:${number}` : `mqtt://127.0.0.1:${number}`,
    ca,
    async stop() {
      await child.stop();
    },
    [Symbol.asyncDispose]: child[Symbol.asyncDispose],
  };
}

/** True if somebody listens on the port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket
      .once("error", () => resolve(false))
      .once("connect", () => {
        socket.destroy();
        resolve(true);
      });
  });
}
