/** What is known of all numbers of the fields of groups, in bounded memory. */
import { compareTags, compareTexts } from "./order.ts";
import type { Chunk, PointTags, Statistics, StatisticsQuery, Tag } from "./types.ts";
import { ValueSamples } from "./value-sample.ts";

/** The tags that a group has; a missing one is "". */
export function groupTags(tags: PointTags, groupBy: readonly Tag[]): PointTags {
  return Object.fromEntries(groupBy.map((tag) => [tag, tags[tag] ?? ""]));
}

/** The same text for the same field of the same group. */
export function groupKey(tags: PointTags, groupBy: readonly Tag[], field: string): string {
  return JSON.stringify([...groupBy.map((tag) => tags[tag] ?? ""), field]);
}

/** Takes in values and gives the statistics of each group and field. */
export class StatisticsTable {
  readonly #groupBy: readonly Tag[];
  readonly #samples = new ValueSamples();
  readonly #groups = new Map<string, { key: string; tags: PointTags; field: string }>();

  constructor({ groupBy }: Pick<StatisticsQuery, "groupBy">) {
    this.#groupBy = groupBy;
  }

  /** Groups and fields that have a number. */
  get size(): number {
    return this.#samples.size;
  }

  /** The key, for `add`, of the group and field to which these belong. */
  keyOf(tags: PointTags, field: string): string {
    const key = groupKey(tags, this.#groupBy, field);
    if (!this.#groups.has(key)) this.#groups.set(key, { key, tags: groupTags(tags, this.#groupBy), field });
    return key;
  }

  /** Takes in the numbers of a column from one place to before another. O(1) a value, amortised. */
  add(key: string, values: ArrayLike<unknown>, begin: number, end: number): void {
    this.#samples.push(key, values, begin, end);
  }

  addChunk({ tags, times, fields, values }: Chunk): void {
    for (const [place, field] of fields.entries())
      this.add(this.keyOf(tags, field), values[place] ?? [], 0, times.length);
  }

  /** One after another, for each is sorted: O(n log n) of its sample. In the order of a historian's groups. */
  *results(): Generator<Statistics> {
    const groups = [...this.#groups.values()].sort(
      (a, b) => compareTags(a.tags, b.tags) || compareTexts(a.field, b.field),
    );
    for (const { key, tags, field } of groups) {
      const sample = this.#samples.get(key);
      if (!sample) continue;
      const { count, mean, stdev, min, max } = sample;
      yield { tags, field, count, mean, stdev, min, max, sample: sample.sorted() };
    }
  }
}
