import { KnownName } from "./hpack-names.ts";
import { SHORT_COOKIE_BYTES } from "./hpack-policy.ts";
import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD_BYTES, STATIC_COUNT } from "./hpack-table.ts";
import { huffmanBytes, writeHuffman } from "./huffman.ts";

const FIRST_BUFFER_BYTES = 256;
/** A larger buffer is not kept for the next block. */
const KEPT_BUFFER_BYTES = 16 * 1024;
/** Two length prefixes and an index of at most five octets each, rounded up. */
const FIELD_OVERHEAD_BYTES = 16;
const NAMES_LIMIT = 128;
/** Of names and values that are remembered, in sizes of the table. */
const KNOWN_TABLES = 4;

// How a field's first octet begins (RFC 7541 6.2), and the bits of it that are left for the index.
const INCREMENTAL = 0x40;
const INCREMENTAL_MASK = 0x3f;
const PLAIN = 0x00;
const NEVER = 0x10;
const LITERAL_MASK = 0x0f;

/**
 * One direction of one connection: `begin`, the block's fields in their order, `end`. By a field's name it decides
 * whether it goes into the table (see hpack-policy.ts), and it learns which names have values that always change.
 * Its memory is bounded by the table's size and 128 names.
 */
export class HpackEncoder {
  /**
   * Another number after every change of the table. The bytes of a block before whose `begin` and after whose `end` it
   * was the same may be copied and sent again for as long as it is that number: they mean the same fields. A change of
   * size counts when it is asked for.
   */
  generation = 0;
  /** The block's bytes, from 0 to `length`, until the next `begin`: what `end` shows, without making a view. */
  bytes: Uint8Array = new Uint8Array(FIRST_BUFFER_BYTES);
  length = 0;
  readonly #ownMaxBytes: number;
  #maxBytes = DEFAULT_TABLE_BYTES;
  #wantedBytes: number;
  /** The smallest size that was asked for since the last block. */
  #smallestBytes: number;
  #tableBytes = 0;
  /** Entries are numbered from 1 on as they come; those up to `#evicted` are gone. */
  #inserted = 0;
  #evicted = 0;
  /** The sizes of the entries that are there, the oldest first, from `#firstSize` on. */
  #sizes: number[] = [];
  #firstSize = 0;
  #names = new Map<string, KnownName>();
  #knownBytes = 0;

  /** `maxTableBytes`: most that we use of what the peer allows. */
  constructor(maxTableBytes = DEFAULT_TABLE_BYTES) {
    this.#ownMaxBytes = maxTableBytes;
    this.#wantedBytes = Math.min(maxTableBytes, DEFAULT_TABLE_BYTES);
    this.#smallestBytes = this.#wantedBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. The next block says what became of it (RFC 7541 4.2). */
  setMaxTableBytes(bytes: number): void {
    this.#wantedBytes = Math.min(this.#ownMaxBytes, bytes);
    this.#smallestBytes = Math.min(this.#smallestBytes, this.#wantedBytes);
    this.generation++;
  }

  /** Starts a block; what `end` showed of the one before is no longer valid. */
  begin(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BUFFER_BYTES) this.bytes = new Uint8Array(FIRST_BUFFER_BYTES);
    if (this.#wantedBytes !== this.#maxBytes || this.#smallestBytes < this.#maxBytes) this.#resize();
  }

  /**
   * Adds a field. The name is lower case, both have one character an octet (of others only the lowest eight bits are
   * sent), and both are valid: nothing is checked.
   */
  field(name: string, value: string): void {
    this.#reserve(name.length + value.length + FIELD_OVERHEAD_BYTES);
    const known = this.#names.get(name) ?? this.#learn(name);
    const policy = known.policy;
    if (policy === "never" || (name === "cookie" && value.length < SHORT_COOKIE_BYTES)) {
      this.#literal(known, value, NEVER);
      return;
    }
    const whole = known.staticField(value);
    if (whole !== 0) {
      this.#integer(whole, 0x7f, 0x80);
      return;
    }
    if (policy === "plain") {
      this.#literal(known, value, PLAIN);
      return;
    }
    const insertion = known.insertion(value, this.#evicted);
    if (insertion !== 0) this.#integer(this.#indexOf(insertion), 0x7f, 0x80);
    else if (this.#isRoomFor(name, value) && known.isWorthIndexing(value)) this.#insert(known, value);
    else this.#literal(known, value, PLAIN);
  }

  /** Adds fields of an earlier block by their bytes, `generation` being what it was before and after them. */
  fields(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** The block: a view that is valid until the next `begin`. */
  end(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** An entry that would drive out nearly all others is not worth it. */
  #isRoomFor(name: string, value: string): boolean {
    return name.length + value.length + ENTRY_OVERHEAD_BYTES <= this.#maxBytes * 0.75;
  }

  #indexOf(insertion: number): number {
    return STATIC_COUNT + 1 + this.#inserted - insertion;
  }

  #learn(name: string): KnownName {
    if (this.#names.size >= NAMES_LIMIT || this.#knownBytes > KNOWN_TABLES * this.#ownMaxBytes) this.#forget();
    const known = new KnownName(name);
    this.#names.set(known.name, known);
    this.#knownBytes += name.length + ENTRY_OVERHEAD_BYTES;
    return known;
  }

  /** The table keeps its entries: nothing points to them any more until they are gone. */
  #forget(): void {
    this.#names.clear();
    this.#knownBytes = 0;
  }

  #insert(known: KnownName, value: string): void {
    // The name's entry may be driven out by this very field: its index still counts (RFC 7541 4.4).
    this.#literal(known, value, INCREMENTAL);
    const bytes = known.name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evict(this.#maxBytes - bytes);
    this.#sizes.push(bytes);
    this.#tableBytes += bytes;
    this.#inserted++;
    this.generation++;
    this.#knownBytes += known.remember(value, this.#inserted);
  }

  #evict(bytes: number): void {
    while (this.#tableBytes > bytes) {
      this.#tableBytes -= this.#sizes[this.#firstSize++] ?? 0;
      this.#evicted++;
    }
    if (this.#firstSize < 64) return;
    this.#sizes = this.#sizes.slice(this.#firstSize);
    this.#firstSize = 0;
  }

  /** The smallest size first, as the peer threw out what was over it, then the last (RFC 7541 4.2). */
  #resize(): void {
    if (this.#smallestBytes < this.#wantedBytes && this.#smallestBytes < this.#maxBytes) {
      this.#sizeUpdate(this.#smallestBytes);
    }
    if (this.#wantedBytes !== this.#maxBytes) this.#sizeUpdate(this.#wantedBytes);
    this.#smallestBytes = this.#wantedBytes;
  }

  #sizeUpdate(bytes: number): void {
    this.#integer(bytes, 0x1f, 0x20);
    this.#maxBytes = bytes;
    this.#evict(bytes);
    this.generation++;
  }

  #literal(known: KnownName, value: string, kind: number): void {
    const index = this.#nameIndex(known);
    this.#integer(index, kind === INCREMENTAL ? INCREMENTAL_MASK : LITERAL_MASK, kind);
    if (index === 0) this.#string(known.name);
    this.#string(value);
  }

  #nameIndex(known: KnownName): number {
    if (known.staticIndex !== 0) return known.staticIndex;
    return known.newest > this.#evicted ? this.#indexOf(known.newest) : 0;
  }

  #string(text: string): void {
    const coded = huffmanBytes(text);
    if (coded < text.length) {
      this.#integer(coded, 0x7f, 0x80);
      this.length = writeHuffman(text, this.bytes, this.length);
      return;
    }
    this.#integer(text.length, 0x7f, 0);
    const bytes = this.bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** An integer whose prefix is the bits of `mask`, with `first` in the octet's other bits (RFC 7541 5.1). */
  #integer(value: number, mask: number, first: number): void {
    if (value < mask) {
      this.bytes[this.length++] = first | value;
      return;
    }
    this.bytes[this.length++] = first | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.bytes[this.length++] = 0x80 | (rest % 128);
    this.bytes[this.length++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const grown = new Uint8Array(2 ** Math.ceil(Math.log2(this.length + bytes)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
