/** The order in which history is given. */
import { type PointTags, TAGS } from "./types.ts";

/** Orders texts by the bytes of their UTF-8, which is the order of their code points. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Orders sets of tags by their values, tag by tag in the order of TAGS; one without a tag comes first. */
export function compareTags(a: PointTags, b: PointTags): number {
  for (const tag of TAGS) {
    const order = compareTexts(a[tag] ?? "", b[tag] ?? "");
    if (order !== 0) return order;
  }
  return 0;
}

/** The same text for the same set of tags, as a key of a Map. A missing tag is as good as an empty one. */
export function tagsKey(tags: PointTags): string {
  return JSON.stringify(TAGS.map((tag) => tags[tag] ?? ""));
}
