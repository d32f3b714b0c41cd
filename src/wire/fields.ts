import { GatewayError } from "../errors.ts";
import { FieldBlock, fieldName, trimSpace } from "./header-list.ts";

// One pass over a whole head: a control character, a CR without LF, or an LF without CR. Everything but these may
// stand in a field value (RFC 9110 5.5); bare CR and LF are refused, never repaired (RFC 9112 2.2).
const BAD_HEAD = /[^\t\r\n\x20-\x7e\x80-\xff]|\r[^\n]|[^\r]\n/;

/** Says whether a head, or the beginning of one, holds a byte that no head may hold. A last CR is left open. */
export function hasBadOctet(text: string): boolean {
  return BAD_HEAD.test(text);
}

const SPACE = 32;
const TAB = 9;

/**
 * Reads the field lines of a text, parted by CRLF, the last one without. It must have passed `hasBadOctet`.
 * Throws `bad_request` for folding, bad names and lines without a colon, `headers_too_large` for more than `limit`
 * lines.
 */
export function parseFields(text: string, limit: number): FieldBlock {
  const block = new FieldBlock(text);
  let at = 0;
  while (at < text.length) {
    let end = text.indexOf("\r\n", at);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(at);
    if (first === SPACE || first === TAB) throw badField("A header line begins with white space (folding).");
    const colon = text.indexOf(":", at);
    if (colon < 0 || colon > end) throw badField("A header line has no colon.");
    const name = fieldName(text.slice(at, colon));
    if (name === null) throw badField("A header name is not a token.");
    if (block.names.length >= limit) throw new GatewayError("headers_too_large", `More than ${limit} header fields.`);
    block.names.push(name);
    block.starts.push(at);
    at = end + 2;
  }
  return block;
}

function badField(detail: string): GatewayError {
  return new GatewayError("bad_request", detail);
}

/** The elements of a comma-separated list, in lower case, without empty ones (RFC 9110 5.6.1). */
export function listElements(value: string): string[] {
  const found: string[] = [];
  for (const part of value.split(",")) {
    const element = trimSpace(part).toLowerCase();
    if (element !== "") found.push(element);
  }
  return found;
}

const DIGITS = /^\d{1,15}$/;

/** A Content-Length as a number, or -1 when it is malformed or absurd (RFC 9110 8.6). */
export function parseLength(value: string): number {
  return DIGITS.test(value) ? Number(value) : -1;
}

/** Says whether a text, from there on, is just that ending. */
export function endsWith(text: string, from: number, ending: string): boolean {
  return text.length - from === ending.length && text.endsWith(ending);
}
