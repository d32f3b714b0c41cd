const SLOTS = 8;
/** Longer blocks are decoded anew each time. */
const BLOCK_BYTES = 1024;
/** Of all blocks that are remembered for one connection. */
const TOTAL_BYTES = 4096;

/**
 * What was made of the last few header blocks that changed no table. Clients send the very same block again and again:
 * comparing it costs a fraction of reading it. Bounded: eight blocks, 4 KB of them. A block is remembered when it has
 * come twice, so that those which never repeat cost little; all are forgotten when the table has changed.
 */
export class BlockMemo<Shared> {
  #generation = 0;
  #totalBytes = 0;
  #next = 0;
  #marks: number[] = [];
  #blocks: Uint8Array[] = [];
  #shared: Shared[] = [];
  /** Marks of blocks that came once, the oldest replaced first. */
  #seen: number[] = [];
  #nextSeen = 0;

  /** What is kept for the very bytes [start, end), or null. */
  find(bytes: Uint8Array, start: number, end: number): Shared | null {
    const count = this.#blocks.length;
    if (count === 0 || end - start > BLOCK_BYTES) return null;
    const mark = markOf(bytes, start, end);
    for (let slot = 0; slot < count; slot++) {
      if (this.#marks[slot] !== mark) continue;
      const block = this.#blocks[slot];
      if (block === undefined || block.length !== end - start || !isSame(block, bytes, start)) continue;
      return this.#shared[slot] ?? null;
    }
    return null;
  }

  /** Forgets all if the table is no longer what it was. */
  expire(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#forget();
    this.#seen = [];
  }

  /** Keeps something for a block, if it has come before. The bytes are copied. */
  offer(block: Uint8Array, shared: Shared): void {
    if (block.length > BLOCK_BYTES) return;
    const mark = markOf(block, 0, block.length);
    if (!this.#seen.includes(mark)) {
      this.#seen[this.#nextSeen] = mark;
      this.#nextSeen = (this.#nextSeen + 1) % SLOTS;
      return;
    }
    if (this.#totalBytes + block.length > TOTAL_BYTES) this.#forget();
    const slot = this.#next;
    this.#totalBytes += block.length - (this.#blocks[slot]?.length ?? 0);
    this.#marks[slot] = mark;
    // A copy, whatever kind of array it is: a Buffer's `slice` is a view.
    this.#blocks[slot] = new Uint8Array(block);
    this.#shared[slot] = shared;
    this.#next = (slot + 1) % SLOTS;
  }

  #forget(): void {
    if (this.#blocks.length === 0) return;
    this.#marks = [];
    this.#blocks = [];
    this.#shared = [];
    this.#totalBytes = 0;
    this.#next = 0;
  }
}

function markOf(bytes: Uint8Array, start: number, end: number): number {
  let mark = end - start;
  for (let i = start; i < end; i++) mark = (Math.imul(mark, 31) + (bytes[i] ?? 0)) | 0;
  return mark;
}

function isSame(block: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < block.length; i++) if (block[i] !== bytes[start + i]) return false;
  return true;
}
