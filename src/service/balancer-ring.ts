import { hashText, mixBits } from "./hash.ts";

/** Points of an endpoint of about the mean weight, at least: shares then stray by a twelfth (1 / √160). */
const POINTS = 160;
/** Of so many endpoints, and of twice as many each has half the points: to lay out a million takes a tenth of a second. */
const FULL_MEMBERS = 4096;
/** No endpoint has more, however heavy it is beside the others. */
const POINTS_LIMIT = 16_384;
const GOLDEN = 0x9e3779b9;

export interface RingMember {
  readonly id: string;
  /** Over 0. */
  readonly weight: number;
}

/** Points on a circle of 2^32, in order, each its owner's. Never changed once it is laid out. */
export class Ring {
  /** Index by the place of the point: its hash, its owner's index, and which part of its owner's points it completes. */
  readonly hashes: Uint32Array;
  readonly owners: Uint32Array;
  readonly levels: Float32Array;
  /** In the order of their indexes. */
  readonly members: readonly RingMember[];
  /** What the members' numbers of points are reckoned by; rings of one unit have the same points for a member. */
  readonly unit: number;
  /** The first point of each slice of the circle: no search is needed. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  /**
   * Where a member's points are depends on its id alone, so one that leaves takes only its own along. How many there
   * are depends on the mean weight too, but changes only where that passes a power of two.
   */
  constructor(members: readonly RingMember[]) {
    // Nothing of an endpoint is held beyond that.
    this.members = members.map(({ id, weight }) => ({ id, weight }));
    this.unit = unitOf(members);
    const counts = pointCounts(members, this.unit);
    const size = counts.reduce((sum, count) => sum + count, 0);
    const bits = Math.min(24, Math.max(1, Math.ceil(Math.log2(size + 1))));
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits + 1);
    this.hashes = new Uint32Array(size);
    this.owners = new Uint32Array(size);
    this.levels = new Float32Array(size);
    this.#divide(members, counts);
    this.#place(members, counts);
  }

  get size(): number {
    return this.hashes.length;
  }

  /** The place of the first point at or after a hash, round the circle; 0 on an empty ring. */
  find(hash: number): number {
    const { hashes } = this;
    let at = this.#starts[hash >>> this.#shift] ?? 0;
    while (at < hashes.length && (hashes[at] ?? 0) < hash) at++;
    return at < hashes.length ? at : 0;
  }

  /** Counts the points of every slice. */
  #divide(members: readonly RingMember[], counts: readonly number[]): void {
    const starts = this.#starts;
    eachPoint(members, counts, (hash) => {
      const next = (hash >>> this.#shift) + 1;
      starts[next] = (starts[next] ?? 0) + 1;
    });
    for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  }

  /** Puts each point into its slice, in order there. A slice holds about one. */
  #place(members: readonly RingMember[], counts: readonly number[]): void {
    const { hashes, owners, levels } = this;
    const ends = this.#starts.slice();
    eachPoint(members, counts, (hash, owner, level) => {
      const slice = hash >>> this.#shift;
      const first = this.#starts[slice] ?? 0;
      let at = ends[slice] ?? 0;
      ends[slice] = at + 1;
      for (; at > first && (hashes[at - 1] ?? 0) > hash; at--) {
        hashes[at] = hashes[at - 1] ?? 0;
        owners[at] = owners[at - 1] ?? 0;
        levels[at] = levels[at - 1] ?? 0;
      }
      hashes[at] = hash;
      owners[at] = owner;
      levels[at] = level;
    });
  }
}

function eachPoint(
  members: readonly RingMember[],
  counts: readonly number[],
  visit: (hash: number, owner: number, level: number) => void,
): void {
  for (const [owner, { id }] of members.entries()) {
    const count = counts[owner] ?? 0;
    const start = hashText(id);
    // Ids whose hashes are equal or near still have sequences of their own.
    const step = (hashText(`${id}\n`) ^ GOLDEN) | 1;
    for (let i = 0; i < count; i++) visit(mixBits(start + Math.imul(i, step)), owner, (i + 1) / count);
  }
}

/**
 * The greatest power of two that is not over the mean weight, 0 without members; of a great many members as many times
 * that as keeps their points few.
 */
export function unitOf(members: readonly RingMember[]): number {
  const mean = members.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, members.length);
  const halvings = Math.max(0, Math.ceil(Math.log2(members.length / FULL_MEMBERS)));
  return 2 ** (Math.floor(Math.log2(mean)) + halvings);
}

function pointCounts(members: readonly RingMember[], unit: number): readonly number[] {
  return members.map(({ weight }) => Math.min(POINTS_LIMIT, Math.max(1, Math.round((POINTS * weight) / unit))));
}
