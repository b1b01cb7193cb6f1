/** Which group a reading belongs to. */
import { MAX_NAME_LENGTH } from "../limits.ts";
import type { Reading, Tags } from "../types.ts";

/** Groups readings by their device, or by tags. */
export interface Grouping {
  /** The name of a reading's group. Throws if the reading lacks a tag. */
  groupOf(reading: Reading): string;
  /** The tags that a reading is grouped by; undefined when devices are the groups. */
  tagsOf(reading: Reading): Tags | undefined;
}

/**
 * Groups by `deviceId`, or by one or several tags. The group of one tag has its value for its name; of several, the values
 * are joined by `/`, in them `%` and `/` being percent-encoded.
 *
 * @throws RangeError when there are no names, or `deviceId` is one among others
 */
export function groupingBy(names: readonly string[]): Grouping {
  if (names.length === 0) throw new RangeError("groupBy: must be deviceId, or name at least one tag");
  const [first = "", ...others] = names;
  if (!names.includes("deviceId")) {
    return {
      groupOf: (reading) => checked(others.length === 0 ? tagOf(reading, first) : joined(reading, names)),
      tagsOf: (reading) => Object.fromEntries(names.map((name) => [name, tagOf(reading, name)])),
    };
  }
  if (others.length > 0) throw new RangeError("groupBy: must be either deviceId alone or tags");
  return { groupOf: ({ deviceId }) => deviceId, tagsOf: () => undefined };
}

function joined(reading: Reading, names: readonly string[]): string {
  return names.map((name) => tagOf(reading, name).replace(/[%/]/g, encodeURIComponent)).join("/");
}

function tagOf({ deviceId, tags }: Reading, name: string): string {
  const value = tags && Object.hasOwn(tags, name) ? tags[name] : undefined;
  if (!value) throw new Error(`the reading of ${deviceId} has no tag ${JSON.stringify(name)} to be grouped by`);
  return value;
}

function checked(group: string): string {
  if (group.length <= MAX_NAME_LENGTH) return group;
  throw new Error(`the name of a group has ${group.length} characters, at most ${MAX_NAME_LENGTH} are taken`);
}
