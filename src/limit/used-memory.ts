/** What is used, by when it counts no more: the twin of `USED_LUA`. */
export class Used {
  readonly entries: [until: number, amount: number][] = [];
  readonly #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  add(until: number, amount: number): void {
    if (amount <= 0 || until <= this.#now) return;
    let i = this.entries.length;
    while (i > 0 && (this.entries[i - 1]?.[0] ?? 0) > until) i--;
    const known = this.entries[i - 1];
    if (known?.[0] === until) known[1] += amount;
    else this.entries.splice(i, 0, [until, amount]);
  }

  /** Adds what was written, of which nothing counts longer than to `farthest`. */
  read(text: string, farthest: number): void {
    for (const part of text.split(";").slice(0, -1)) {
      const [until = 0, amount = 0] = part.split(":").map(Number);
      this.add(Math.min(until, farthest), amount);
    }
  }

  get sum(): number {
    return this.entries.reduce((sum, [, amount]) => sum + amount, 0);
  }

  /** When so much is counted no more; `otherwise` where that is more than all. */
  goneAt(amount: number, otherwise: number): number {
    let missing = amount;
    for (const [until, part] of this.entries) {
      missing -= part;
      if (missing <= 0) return until;
    }
    return otherwise;
  }

  /** Writes what counts, and returns when none of it does any more, or `latest`. */
  write(hash: Map<string, string>, latest: number): number {
    const counted = this.entries.filter(([, amount]) => amount > 0);
    if (counted.length === 0) hash.delete("u");
    else hash.set("u", counted.map(([until, amount]) => `${until}:${amount};`).join(""));
    return Math.max(latest, ...counted.map(([until]) => until));
  }
}
