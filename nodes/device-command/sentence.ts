/** What became of a command, in words. */
import type { CommandLine } from "../../core/device-commands.ts";

/** Characters of the arguments that are shown. */
const SHOWN_LENGTH = 200;

/** One sentence for a person: who asked which device for what, and what came of it. */
export function sentence(
  { deviceId: device, command, arguments: args, by, outcome, error, seconds = 0 }: CommandLine,
  translate: (key: string, values?: Record<string, string | number>) => string,
): string {
  const key = outcome === "answered-late" && error !== undefined ? "failed-late" : outcome;
  return translate(`outcomes.${key}`, {
    device,
    command: command + listed(args),
    by: by ?? translate("outcomes.nobody"),
    seconds: Math.round(seconds * 10) / 10,
    error: error ?? "",
  });
}

function listed(args: Record<string, unknown>): string {
  const parts = Object.entries(args).map(([name, value]) => {
    return `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  if (parts.length === 0) return "";
  const text = parts.join(", ");
  return ` (${text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text})`;
}
