/** How long what is numbered has been there. */

/** Marks that are kept: ages are right to within a 256th of the longest. */
const MAX_MARKS = 512;

interface Mark {
  end: number;
  /** ms since 1970. */
  at: number;
}

/** Remembers when numbers were reached. Cost: O(1) for a new number, O(what is forgotten) for an age. */
export class Ages {
  #marks: Mark[] = [];
  /** Time between two marks, ms. */
  #spacing = 0;

  /** Tells that at `now`, in ms since 1970, there are all numbers below `end`. */
  push(end: number, now: number): void {
    const last = this.#marks.at(-1);
    if (end <= (last?.end ?? 0)) return;
    if (last && now - last.at < this.#spacing) last.end = end;
    else this.#marks.push({ end, at: now });
    if (this.#marks.length < MAX_MARKS) return;
    this.#marks = this.#marks.filter((_, place) => place % 2 === 1);
    this.#spacing = (now - (this.#marks[0]?.at ?? now)) / (MAX_MARKS / 2);
  }

  /** For how long the number has been there, ms; what is below it is forgotten. 0 if it is not there. */
  ageOf(number: number, now: number): number {
    const place = this.#marks.findIndex(({ end }) => end > number);
    this.#marks.splice(0, place < 0 ? this.#marks.length : place);
    const [mark] = this.#marks;
    if (!mark) this.#spacing = 0;
    return mark ? Math.max(0, now - mark.at) : 0;
  }
}
