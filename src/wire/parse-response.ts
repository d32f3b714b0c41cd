import { GatewayError } from "../errors.ts";
import type { ResponseHead } from "./exchange.ts";
import { endsWith, hasBadOctet, listElements, parseFields, parseLength } from "./fields.ts";
import { HeaderList, isFieldValue } from "./header-list.ts";

/** How a response's body ends (RFC 9112 6.3). */
export type Framing = "none" | "length" | "chunked" | "close";

/** An upstream's response head, with what it says about framing and the connection. */
export class ParsedResponse implements ResponseHead {
  status = 0;
  reason = "";
  minor = 1;
  headers = new HeaderList();
  contentLength = -1;
  isChunked = false;
  keepsAlive = true;
}

const FIELD_LIMIT = 1000;
const KEEP_ALIVE: readonly string[] = ["keep-alive"];

/**
 * Parses a response head without its last empty line. `last` is one of the same endpoint: it often says the
 * same again, and equal fields need no second reading. Throws `upstream_protocol`.
 */
export function parseResponse(text: string, last: ParsedResponse | null = null): ParsedResponse {
  const head = new ParsedResponse();
  let end = text.indexOf("\r\n");
  if (end < 0) end = text.length;
  parseStatusLine(text, end, head);
  const block = last?.headers.block ?? null;
  if (last !== null && block !== null && last.minor === head.minor && endsWith(text, end + 2, block.text)) {
    head.headers = new HeaderList(block);
    head.contentLength = last.contentLength;
    head.isChunked = last.isChunked;
    head.keepsAlive = last.keepsAlive;
    return head;
  }
  if (hasBadOctet(text) || text.charCodeAt(text.length - 1) === 13) throw broken("holds a control character");
  try {
    head.headers = new HeaderList(parseFields(text.slice(end + 2), FIELD_LIMIT));
  } catch (cause) {
    throw broken("has malformed header fields", cause);
  }
  readFields(head);
  return head;
}

/** `HTTP/1.1 200 OK`; the reason and the space before it may be missing, as some servers leave them out. */
function parseStatusLine(text: string, end: number, head: ParsedResponse): void {
  const minor = text.charCodeAt(7) - 48;
  const status = digit(text, 9) * 100 + digit(text, 10) * 10 + digit(text, 11);
  const isLine = isHttp1(text) && (minor === 0 || minor === 1) && text.charCodeAt(8) === 32;
  // A part that is no digit makes the sum NaN.
  if (!isLine || !(status >= 100) || (end > 12 && text.charCodeAt(12) !== 32)) throw broken("has no valid status line");
  head.minor = minor;
  head.status = status;
  head.reason = end > 13 ? text.slice(13, end) : "";
  if (head.reason !== "OK" && !isFieldValue(head.reason)) throw broken("has no valid status line");
}

/** `HTTP/1.` by its codes: a call into the runtime for each response would be noticed. */
function isHttp1(text: string): boolean {
  return (
    text.charCodeAt(0) === 72 &&
    text.charCodeAt(1) === 84 &&
    text.charCodeAt(2) === 84 &&
    text.charCodeAt(3) === 80 &&
    text.charCodeAt(4) === 47 &&
    text.charCodeAt(5) === 49 &&
    text.charCodeAt(6) === 46
  );
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 48;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

function broken(what: string, cause?: unknown): GatewayError {
  return new GatewayError("upstream_protocol", `The upstream's response ${what}.`, { cause });
}

function readFields(head: ParsedResponse): void {
  const { names } = head.headers;
  let isKept = head.minor === 1;
  let isClosed = false;
  for (let i = 0; i < names.length; i++) {
    switch (names[i]) {
      case "content-length":
        readLength(head, head.headers.valueAt(i));
        break;
      case "transfer-encoding":
        readCoding(head, head.headers.valueAt(i));
        break;
      case "connection": {
        const value = head.headers.valueAt(i);
        const tokens = value === "keep-alive" ? KEEP_ALIVE : listElements(value);
        if (tokens.includes("close")) isClosed = true;
        else if (tokens.includes("keep-alive")) isKept = true;
        break;
      }
    }
  }
  // A coding overrides a length; the connection is not used again, as the two may be a smuggling attempt (6.1).
  if (head.isChunked && head.contentLength >= 0) {
    head.contentLength = -1;
    isKept = false;
  }
  head.keepsAlive = isKept && !isClosed;
}

function readLength(head: ParsedResponse, value: string): void {
  const length = parseLength(value);
  if (length < 0) throw broken("has an invalid Content-Length");
  if (head.contentLength >= 0 && head.contentLength !== length) throw broken("has two different Content-Lengths");
  head.contentLength = length;
}

function readCoding(head: ParsedResponse, value: string): void {
  if (head.isChunked || value.toLowerCase() !== "chunked" || head.minor === 0) {
    throw broken("has a Transfer-Encoding other than chunked");
  }
  head.isChunked = true;
}

/** Says whether a response of that status to that method never has a body (RFC 9110 6.4.1). */
export function isBodiless(status: number, method: string): boolean {
  return method === "HEAD" || status === 204 || status === 304 || status < 200;
}

/** How the body of this response to a request of that method is framed. */
export function framingOf(head: ParsedResponse, method: string): Framing {
  if (isBodiless(head.status, method)) return "none";
  if (head.isChunked) return "chunked";
  if (head.contentLength >= 0) return head.contentLength === 0 ? "none" : "length";
  return "close";
}
