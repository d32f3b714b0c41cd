import { ownCopy } from "../header-list.ts";
import { type IndexPolicy, indexPolicy } from "./hpack-policy.ts";
import { ENTRY_OVERHEAD_BYTES, STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from "./hpack-table.ts";

interface StaticEntries {
  /** The lowest index of the name. */
  readonly index: number;
  /** The values of that index and the next ones. */
  readonly values: readonly string[];
}

const STATICS: ReadonlyMap<string, StaticEntries> = staticEntries();

function staticEntries(): Map<string, StaticEntries> {
  const entries = new Map<string, { index: number; values: string[] }>();
  for (let index = 1; index <= STATIC_COUNT; index++) {
    const name = STATIC_NAMES[index] ?? "";
    const value = STATIC_VALUES[index] ?? "";
    const known = entries.get(name);
    // A name without a value is no entry that could be pointed to as a whole field, but for the empty value.
    if (known === undefined) entries.set(name, { index, values: [value] });
    else known.values.push(value);
  }
  return entries;
}

const VALUES = 4;
/** So many insertions in a row of which none was used again show that a name's values change all the time. */
const WASTED_LIMIT = 4;

/** What an encoder knows of a field name: where it and its last values stand in the tables. */
export class KnownName {
  readonly name: string;
  readonly policy: IndexPolicy;
  readonly #statics: StaticEntries | null;
  // The last values that were put into the table, and which insertion each was.
  readonly #values: string[] = [];
  readonly #insertions: number[] = [];
  #next = 0;
  #newest = 0;
  #wasted = 0;
  #mark = 0;

  constructor(name: string) {
    this.name = ownCopy(name);
    this.policy = indexPolicy(name);
    this.#statics = STATICS.get(name) ?? null;
  }

  /** The static index of the whole field, or 0. */
  staticField(value: string): number {
    if (this.#statics === null) return 0;
    const { index, values } = this.#statics;
    for (let i = 0; i < values.length; i++) if (values[i] === value) return index + i;
    return 0;
  }

  /** The static index of the name, or 0. */
  get staticIndex(): number {
    return this.#statics === null ? 0 : this.#statics.index;
  }

  /** The insertion that put the newest entry of this name into the table, or 0. */
  get newest(): number {
    return this.#newest;
  }

  /** The insertion that put this field into the table, if that is above `evicted`, or 0. */
  insertion(value: string, evicted: number): number {
    for (let i = 0; i < this.#values.length; i++) {
      const insertion = this.#insertions[i] ?? 0;
      if (insertion <= evicted || this.#values[i] !== value) continue;
      this.#wasted = 0;
      return insertion;
    }
    return 0;
  }

  /** Says whether a value that is not in the table should be put there. */
  isWorthIndexing(value: string): boolean {
    if (this.policy === "index" && this.#wasted < WASTED_LIMIT) return true;
    const mark = markOf(value);
    const isRepeated = mark === this.#mark;
    this.#mark = mark;
    return isRepeated;
  }

  /** Remembers that a value was put into the table; returns how many bytes more are held for it. */
  remember(value: string, insertion: number): number {
    const slot = this.#next;
    const before = this.#values[slot]?.length ?? -ENTRY_OVERHEAD_BYTES;
    this.#values[slot] = ownCopy(value);
    this.#insertions[slot] = insertion;
    this.#next = (slot + 1) % VALUES;
    this.#newest = insertion;
    this.#wasted++;
    return value.length - before;
  }
}

/** A number that two different values seldom share: a value is not kept only to see whether it comes again. */
function markOf(value: string): number {
  let mark = value.length + 1;
  for (let i = Math.max(0, value.length - 32); i < value.length; i++) {
    mark = (Math.imul(mark, 31) + value.charCodeAt(i)) | 0;
  }
  return mark;
}
