/** The users of the embedded broker: a file as mosquitto_passwd makes it, with a line `name:$7$…` a user. */
import { pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { StartError } from "./options.ts";

/** PBKDF2 with SHA-512, the only kind that mosquitto_passwd has made by default since 2.0. */
const LINE = /^([^:]+):\$7\$(\d+)\$([A-Za-z\d+/=]+)\$([A-Za-z\d+/=]+)$/;

/** More would let a login stop the broker. */
const MAX_ITERATIONS = 10_000;

/** Users and their passwords. */
export interface MqttUsers {
  isUser(name: string, password: Buffer): boolean;
}

/** Reads a file of users. Throws a StartError when it cannot, with the line that is wrong. */
export function readMqttUsers(path: string): MqttUsers {
  const users = new Map<string, (password: Buffer) => boolean>();
  textOf(path)
    .split("\n")
    .forEach((text, index) => {
      const line = text.trim();
      if (line === "" || line.startsWith("#")) return;
      const [, name, iterations, salt = "", hash = ""] = LINE.exec(line) ?? [];
      if (name === undefined || Number(iterations) > MAX_ITERATIONS)
        throw new StartError(`MQTT_USERS: line ${index + 1} of ${path} is none of mosquitto_passwd (name:$7$…)`);
      const expected = Buffer.from(hash, "base64");
      users.set(name, (password) => {
        const found = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(iterations), expected.length, "sha512");
        return timingSafeEqual(found, expected);
      });
    });
  return { isUser: (name, password) => users.get(name)?.(password) ?? false };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StartError(`MQTT_USERS cannot be read: ${(error as Error).message}`);
  }
}
