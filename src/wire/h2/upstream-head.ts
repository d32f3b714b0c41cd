import type { Exchange } from "../exchange.ts";
import { listElements } from "../fields.ts";
import { clientFields, gatewayFields } from "../forwarding.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";

/** What a request's head says beside the exchange's own fields. */
export interface RequestHeadFacts {
  readonly scheme: "http" | "https";
  /** Content-Length, or null to say none. */
  readonly length: number | null;
  readonly expectsContinue: boolean;
  /** Protocol of an extended CONNECT (RFC 8441), or null. */
  readonly protocol: string | null;
}

/** Begins a block and adds a request's head to it: the pseudo-header fields, the client's, then the gateway's own. */
export function encodeRequestHead(encoder: HpackEncoder, exchange: Exchange, facts: RequestHeadFacts): void {
  encoder.begin();
  encoder.field(":method", facts.protocol === null ? exchange.upstreamMethod : "CONNECT");
  if (facts.protocol !== null) encoder.field(":protocol", facts.protocol);
  encoder.field(":scheme", facts.scheme);
  encoder.field(":authority", exchange.upstreamAuthority);
  encoder.field(":path", exchange.upstreamTarget);
  addFields(encoder, fieldsOf(clientFields(exchange)), facts.protocol !== null);
  addFields(encoder, fieldsOf(gatewayFields(exchange)), false);
  if (facts.length !== null) encoder.field("content-length", String(facts.length));
  if (facts.expectsContinue) encoder.field("expect", "100-continue");
  const te = exchange.headers.get("te");
  if (te !== null && (te === "trailers" || listElements(te).includes("trailers"))) encoder.field("te", "trailers");
  encoder.field("x-request-id", exchange.id);
}

// Of the opening handshake only HTTP/1.1's has them (RFC 8441 5.1).
const KEY = "sec-websocket-key";

function addFields(encoder: HpackEncoder, { names, values }: Fields, isWebSocket: boolean): void {
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? "";
    if (!isWebSocket || name !== KEY) encoder.field(name, values[i] ?? "");
  }
}

interface Fields {
  /** In lower case. */
  readonly names: readonly string[];
  readonly values: readonly string[];
}

// Heads say the same again and again, and whoever writes them gives the very same text: it is taken apart once.
const KNOWN = new Map<string, Fields>();
const KNOWN_LIMIT = 512;
/** Longer ones are rarely seen twice, and would be kept for nothing. */
const KNOWN_CHARACTERS = 4096;

function fieldsOf(text: string): Fields {
  const known = KNOWN.get(text);
  if (known !== undefined) return known;
  const fields = parse(text);
  if (text.length > KNOWN_CHARACTERS) return fields;
  if (KNOWN.size >= KNOWN_LIMIT) KNOWN.clear();
  KNOWN.set(text, fields);
  return fields;
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
  return { names, values };
}

// RFC 9113 8.2.1: no space around a value.
const OUTER_SPACE = /^[ \t]+|[ \t]+$/g;
