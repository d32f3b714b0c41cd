import type { ResponseHead } from "../exchange.ts";
import type { FieldBlock } from "../header-list.ts";
import type { OwnFields } from "../own-fields.ts";
import { DROPPED_FIELDS, httpDate } from "../response-text.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";
import { encodeList } from "./stream-encode.ts";

/** What a response's head says beyond its own fields. */
export interface ResponseFacts {
  /** Its Content-Length, or null for none. */
  readonly length: number | null;
  /** The listener's own fields, or null. */
  readonly own: OwnFields | null;
}

/**
 * Encodes the heads of a connection's responses. Heads that say the same again, as those of one busy route do, are
 * not encoded anew as long as the table has not changed.
 */
export class ResponseHeads {
  readonly #encoder: HpackEncoder;
  #block: FieldBlock | null = null;
  #status = 0;
  #length: number | null = null;
  #own: OwnFields | null = null;
  #date = "";
  #generation = -1;
  #bytes = NO_BYTES;

  constructor(encoder: HpackEncoder) {
    this.#encoder = encoder;
  }

  /** The block of a final response's head; valid until the next call. */
  final({ status, headers }: ResponseHead, { length, own }: ResponseFacts): Uint8Array {
    const encoder = this.#encoder;
    const { block } = headers;
    const date = headers.names.includes("date") ? "" : httpDate();
    const isKnown =
      block !== null &&
      block === this.#block &&
      status === this.#status &&
      length === this.#length &&
      own === this.#own &&
      date === this.#date &&
      encoder.generation === this.#generation;
    if (isKnown) return this.#bytes;
    const before = encoder.generation;
    encoder.begin();
    encoder.field(":status", String(status));
    encodeList(encoder, headers, own === null ? DROPPED_FIELDS : own.without(DROPPED_FIELDS));
    if (date !== "") encoder.field("date", date);
    if (own !== null) for (const [name, value] of own.pairs) encoder.field(name.toLowerCase(), value);
    if (length !== null) encoder.field("content-length", String(length));
    const bytes = encoder.end();
    // Only what left the table as it was means the same the next time.
    if (block === null || encoder.generation !== before) {
      this.#block = null;
      return bytes;
    }
    this.#block = block;
    this.#status = status;
    this.#length = length;
    this.#own = own;
    this.#date = date;
    this.#generation = before;
    this.#bytes = bytes.slice();
    return this.#bytes;
  }

  /** The block of an interim response's head; valid until the next call. */
  interim({ status, headers }: ResponseHead): Uint8Array {
    this.#encoder.begin();
    this.#encoder.field(":status", String(status));
    encodeList(this.#encoder, headers, DROPPED_FIELDS);
    return this.#encoder.end();
  }
}

const NO_BYTES = new Uint8Array(0);
