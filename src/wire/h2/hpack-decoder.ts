import { HpackError } from "./hpack-error.ts";
import { BlockMemo } from "./hpack-memo.ts";
import {
  DEFAULT_TABLE_BYTES,
  DynamicTable,
  ENTRY_OVERHEAD_BYTES,
  STATIC_COUNT,
  STATIC_NAMES,
  STATIC_VALUES,
} from "./hpack-table.ts";
import { huffmanText } from "./huffman.ts";

/** Takes the fields of a block in their order. Must not throw: the rest of the block would be lost to the table. */
export interface FieldSink {
  /** A field as it was sent, one character an octet; whether it is valid is for the caller to say. */
  field(name: string, value: string): void;
}

export interface HpackDecoderOptions {
  readonly sink: FieldSink;
  /** Our SETTINGS_HEADER_TABLE_SIZE. */
  readonly maxTableBytes: number;
  /** Our SETTINGS_MAX_HEADER_LIST_SIZE: most that the fields of one block may count, each name + value + 32. */
  readonly maxListBytes: number;
}

// Five octets hold 28 bits beyond the prefix: far more than any index, length or size that could be accepted.
const INTEGER_SHIFT_LIMIT = 28;

/**
 * One direction of one connection. Whoever makes something of a block's fields, such as a request's head, may keep it
 * with `share`: when the very same bytes come again and have not changed the table, `decode` gives the sink nothing
 * and leaves that same object in `shared`. So:
 *
 *     const isWhole = decoder.decode(bytes, start, end);
 *     let head = decoder.shared;
 *     if (head === null) decoder.share((head = makeHead(…what the sink took…)));
 *
 * What is shared must not be changed by anybody, and is kept for as long as the memo keeps it.
 */
export class HpackDecoder<Shared = never> {
  /** What was shared for the block that was decoded last, or null: then the sink was given its fields. */
  shared: Shared | null = null;
  readonly #sink: FieldSink;
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  readonly #memo = new BlockMemo<Shared>();
  #bytes: Uint8Array = NO_BYTES;
  #at = 0;
  #end = 0;
  /** Where the last block began, or -1 when it may not be remembered. */
  #start = -1;
  #listBytes = 0;

  constructor(options: HpackDecoderOptions) {
    this.#sink = options.sink;
    this.#maxTableBytes = options.maxTableBytes;
    this.#maxListBytes = options.maxListBytes;
  }

  /**
   * Decodes the whole header block bytes[start, end). False when it was over the bound of a list: the sink was given
   * the fields up to there, the table is in step. Throws an HpackError for what cannot be decoded; the connection is
   * then to be closed, and the decoder not to be used again.
   */
  decode(bytes: Uint8Array, start: number, end: number): boolean {
    this.shared = this.#memo.find(bytes, start, end);
    if (this.shared !== null) return true;
    const generation = this.#table.generation;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#listBytes = 0;
    this.#readSizes();
    while (this.#at < end) this.#readField();
    const isWhole = this.#listBytes <= this.#maxListBytes;
    const isSteady = this.#table.generation === generation;
    if (!isSteady) this.#memo.expire(this.#table.generation);
    this.#start = isSteady && isWhole ? start : -1;
    return isWhole;
  }

  /** Offers what was made of the block that was decoded last, to be called before its bytes change; may keep nothing. */
  share(shared: Shared): void {
    // Not held any longer: they may be a part of much more.
    const bytes = this.#bytes;
    this.#bytes = NO_BYTES;
    if (this.#start < 0) return;
    this.#memo.offer(bytes.subarray(this.#start, this.#end), shared);
    this.#start = -1;
  }

  /** Size updates stand only at the beginning of a block (RFC 7541 4.2). */
  #readSizes(): void {
    while (this.#at < this.#end && ((this.#bytes[this.#at] ?? 0) & 0xe0) === 0x20) {
      const bytes = this.#integer(0x1f);
      if (bytes > this.#maxTableBytes) throw new HpackError("a table size over the one that was agreed");
      this.#table.resize(bytes);
    }
  }

  #readField(): void {
    const first = this.#bytes[this.#at] ?? 0;
    if (first >= 0x80) {
      const index = this.#integer(0x7f);
      this.#give(this.#nameAt(index), this.#valueAt(index));
    } else if (first >= 0x40) {
      const name = this.#name(0x3f);
      const value = this.#string();
      this.#table.add(name, value);
      this.#give(name, value);
    } else if (first >= 0x20) {
      throw new HpackError("a table size behind a field");
    } else {
      // Without indexing, or never indexed: the same to us, as what we send on is encoded anew, by its name.
      const name = this.#name(0x0f);
      this.#give(name, this.#string());
    }
  }

  #give(name: string, value: string): void {
    this.#listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (this.#listBytes <= this.#maxListBytes) this.#sink.field(name, value);
  }

  #name(mask: number): string {
    const index = this.#integer(mask);
    return index === 0 ? this.#string() : this.#nameAt(index);
  }

  #nameAt(index: number): string {
    this.#check(index);
    return index <= STATIC_COUNT ? (STATIC_NAMES[index] ?? "") : this.#table.name(index - STATIC_COUNT - 1);
  }

  #valueAt(index: number): string {
    return index <= STATIC_COUNT ? (STATIC_VALUES[index] ?? "") : this.#table.value(index - STATIC_COUNT - 1);
  }

  #check(index: number): void {
    if (index === 0 || index > STATIC_COUNT + this.#table.count) throw new HpackError("an index outside the tables");
  }

  #string(): string {
    if (this.#at >= this.#end) throw new HpackError("a block that is cut off");
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    if (length > this.#end - start) throw new HpackError("a string longer than its block");
    this.#at = start + length;
    return isHuffman ? huffmanText(this.#bytes, start, this.#at) : latin1(this.#bytes, start, this.#at);
  }

  /** The integer whose prefix is these bits of the next octet (RFC 7541 5.1). */
  #integer(mask: number): number {
    const prefix = (this.#bytes[this.#at++] ?? 0) & mask;
    if (prefix < mask) return prefix;
    let value = mask;
    for (let shift = 0; shift < INTEGER_SHIFT_LIMIT; shift += 7) {
      if (this.#at >= this.#end) throw new HpackError("a block that is cut off");
      const octet = this.#bytes[this.#at++] ?? 0;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw new HpackError("an integer that is too large");
  }
}

const NO_BYTES = new Uint8Array(0);

/** A text of its own, not a view on the block. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.prototype.toString.call(bytes, "latin1", start, end);
}
