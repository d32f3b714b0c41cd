import type { AttemptHead } from "../attempt.ts";
import type { Exchange } from "../exchange.ts";
import { listElements } from "../fields.ts";
import { authorityOf, clientFields, gatewayFields, isTimeTold, timeoutFields } from "../forwarding.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";

/** What a request's head says beside the exchange's own fields. */
export interface RequestHeadFacts {
  /** Content-Length, or null to say none. */
  readonly length: number | null;
  readonly expectsContinue: boolean;
  /** Protocol of an extended CONNECT (RFC 8441), or null. */
  readonly protocol: string | null;
}

/** Texts whose fields are remembered, each for one connection. */
const KNOWN_LIMIT = 128;
/** Longer ones are rarely seen twice, and would be kept for nothing. */
const KNOWN_CHARACTERS = 4096;

/**
 * Encodes the heads of a connection's requests. Heads say the same again and again, and whoever writes them gives the
 * very same text: it is taken apart once, and not encoded anew as long as the table has not changed.
 */
export class RequestHeads {
  readonly #encoder: HpackEncoder;
  readonly #scheme: "http" | "https";
  readonly #known = new Map<string, Fields>();

  constructor(encoder: HpackEncoder, scheme: "http" | "https") {
    this.#encoder = encoder;
    this.#scheme = scheme;
  }

  /** The block: the pseudo-header fields, the client's, then the gateway's own. Valid until the encoder's next one. */
  block(attempt: AttemptHead, facts: RequestHeadFacts): Uint8Array {
    const { exchange } = attempt;
    const encoder = this.#encoder;
    encoder.begin();
    encoder.field(":method", facts.protocol === null ? exchange.upstreamMethod : "CONNECT");
    if (facts.protocol !== null) encoder.field(":protocol", facts.protocol);
    encoder.field(":scheme", this.#scheme);
    encoder.field(":authority", authorityOf(attempt));
    encoder.field(":path", exchange.upstreamTarget);
    const fields = this.#fields(clientFields(exchange));
    if (facts.protocol === null) this.#add(fields);
    else addAllBut(KEY, fields, encoder);
    this.#add(this.#fields(gatewayFields(exchange)));
    if (facts.length !== null) encoder.field("content-length", String(facts.length));
    if (facts.expectsContinue) encoder.field("expect", "100-continue");
    if (wantsTrailers(exchange)) encoder.field("te", "trailers");
    if (isTimeTold(exchange)) for (const [name, value] of timeoutFields(attempt)) encoder.field(name, value);
    encoder.field("x-request-id", exchange.id);
    return encoder.end();
  }

  #fields(text: string): Fields {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const fields = parse(text);
    if (text.length > KNOWN_CHARACTERS) return fields;
    if (this.#known.size >= KNOWN_LIMIT) this.#known.clear();
    this.#known.set(text, fields);
    return fields;
  }

  #add(fields: Fields): void {
    const encoder = this.#encoder;
    const { generation } = encoder;
    if (fields.bytes !== null && fields.generation === generation) {
      encoder.fields(fields.bytes);
      return;
    }
    const start = encoder.length;
    addAllBut("", fields, encoder);
    // Bytes are worth a copy once the table has settled: what changed it was indexed, and reads otherwise the next time.
    const isSettled = fields.generation === generation && encoder.generation === generation;
    fields.bytes = isSettled ? encoder.bytes.slice(start, encoder.length) : null;
    fields.generation = encoder.generation;
  }
}

/** What each field counts beside its name and value (RFC 9113 6.5.2); in a text it has four other characters. */
const FIELD_BYTES = 32;
const LINE_BYTES = FIELD_BYTES - 4;
/** At most what the pseudo-header fields and those of the attempt itself count, but for method, target and authority. */
const OTHER_BYTES = 512;

/** What the head of an attempt counts against the peer's SETTINGS_MAX_HEADER_LIST_SIZE, or some hundred bytes more. */
export function headSize(attempt: AttemptHead): number {
  const { exchange } = attempt;
  const text = clientFields(exchange) + gatewayFields(exchange);
  const target = exchange.upstreamMethod.length + exchange.upstreamTarget.length + authorityOf(attempt).length;
  return text.length + LINE_BYTES * (text.split("\r\n").length - 1) + target + OTHER_BYTES;
}

function wantsTrailers({ headers }: Exchange): boolean {
  const te = headers.get("te");
  return te !== null && (te === "trailers" || listElements(te).includes("trailers"));
}

// Of the opening handshake only HTTP/1.1's has it (RFC 8441 5.1).
const KEY = "sec-websocket-key";

function addAllBut(dropped: string, { names, values }: Fields, encoder: HpackEncoder): void {
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? "";
    if (name !== dropped) encoder.field(name, values[i] ?? "");
  }
}

/** A text of field lines, taken apart. */
interface Fields {
  /** In lower case. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** What they were encoded to, valid while the encoder's generation is this one; null when that is not known. */
  bytes: Uint8Array | null;
  generation: number;
}

/** Takes lines apart that were validated when they came or were set. */
function parse(text: string): Fields {
  const names: string[] = [];
  const values: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    names.push(text.slice(at, colon).toLowerCase());
    values.push(text.slice(colon + 1, end).replace(OUTER_SPACE, ""));
    at = end + 2;
  }
  return { names, values, bytes: null, generation: -1 };
}

// RFC 9113 8.2.1: no space around a value.
const OUTER_SPACE = /^[ \t]+|[ \t]+$/g;
