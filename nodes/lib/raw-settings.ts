/** What the editor gave for a node, before it is parsed. */
import type { Node, NodeCredentials } from "node-red";
import type { Options } from "./options.ts";

export type RawConfig = Record<string, unknown>;

/** A node's configuration together with its credentials, which Node-RED keeps apart. */
export function rawSettings(node: Node, config: RawConfig): RawConfig {
  return { ...config, ...(node as Node & { credentials?: RawConfig }).credentials };
}

/** The declaration of the credentials among some options, as `registerType` wants it on both sides. */
export function credentialsOf(options: Options): NodeCredentials<Record<string, string>> {
  const secrets = Object.entries(options).filter(([, option]) => option.kind === "secret");
  return Object.fromEntries(secrets.map(([name]) => [name, { type: "password" }]));
}
