import { GatewayError } from "../errors.ts";
import { hasBadOctet } from "./fields.ts";
import { dropForwardingFields, dropNamedFields } from "./forwarding.ts";
import { ownCopy } from "./header-list.ts";
import { type HeadLimits, ParsedRequest, parseRequest } from "./parse-request.ts";
import { NOTHING } from "./view.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const EMPTY_LINES_LIMIT = 4;

// What the first requests of untrusted clients' connections said: many say the same, and then share one reading. It
// costs less memory, and less of the processor's cache when there are hundreds of connections.
const SHARED = new Map<string, ParsedRequest>();
const SHARED_LIMIT = 256;

function share(fields: string, head: ParsedRequest): void {
  if (SHARED.size >= SHARED_LIMIT) SHARED.clear();
  SHARED.set(ownCopy(fields), head);
}

function fieldsOf(text: string): string {
  const end = text.indexOf("\r\n");
  return end < 0 ? "" : text.slice(end + 2);
}

/**
 * Gathers a request's head from the pieces in which it comes, and takes away the fields that are not for anybody
 * behind this connection.
 */
export class HeadReader {
  /** What follows the head that `read` returned last; a view on the bytes given. */
  rest: Buffer = NOTHING;
  /** The request line of the head that was refused, as far as it came; "" before. */
  line = "";
  readonly #isTrusted: boolean;
  /** The request before, if the next may repeat its fields. */
  #last: ParsedRequest | null = null;
  #partial: Buffer | null = null;
  #scanned = 0;
  #isFirst = true;

  /** `isTrusted`: the client is a proxy whose word on other clients counts. */
  constructor(isTrusted: boolean) {
    this.#isTrusted = isTrusted;
  }

  get hasPartial(): boolean {
    return this.#partial !== null;
  }

  /** The head, once it is whole; null before. Throws what `parseRequest` throws, as soon as it is certain. */
  read(piece: Buffer, limits: HeadLimits): ParsedRequest | null {
    const bytes = this.#partial === null ? piece : Buffer.concat([this.#partial, piece]);
    this.#partial = null;
    try {
      return this.#readHead(bytes, limits);
    } catch (error) {
      this.line = lineOf(bytes);
      throw error;
    }
  }

  #readHead(bytes: Buffer, limits: HeadLimits): ParsedRequest | null {
    const start = emptyLines(bytes);
    const end = bytes.indexOf(HEAD_END, start);
    if (end < 0) {
      this.#keep(start === 0 ? bytes : bytes.subarray(start), limits);
      return null;
    }
    this.#scanned = 0;
    checkSize(bytes, start, end, limits);
    // A view costs as much as parsing a field: the common case has nothing behind the head.
    this.rest = end + 4 === bytes.length ? NOTHING : bytes.subarray(end + 4);
    return this.#parse(bytes.toString("latin1", start, end), limits);
  }

  #parse(text: string, limits: HeadLimits): ParsedRequest {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst && !this.#isTrusted) this.#last = SHARED.get(fieldsOf(text)) ?? null;
    const head = parseRequest(text, limits, this.#last);
    if (head.isRepeated) return head;
    dropNamedFields(head.headers);
    if (!this.#isTrusted) dropForwardingFields(head.headers);
    // A list that was changed is not what will come again.
    const isPlain = head.headers.block !== null;
    this.#last = isPlain ? Object.assign(new ParsedRequest(), head, { headers: head.headers.copy() }) : null;
    if (isFirst && !this.#isTrusted && this.#last !== null) share(fieldsOf(text), this.#last);
    return head;
  }

  #keep(bytes: Buffer, limits: HeadLimits): void {
    if (bytes.length === 0) return;
    checkSize(bytes, 0, bytes.length, limits);
    // What can never become a head is refused at once, not waited for.
    if (hasBadOctet(bytes.toString("latin1", Math.max(0, this.#scanned - 1)))) {
      throw new GatewayError("bad_request", "The head holds a control character.");
    }
    this.#scanned = bytes.length;
    this.#partial = Buffer.from(bytes);
  }
}

const LINE_BYTES = 1024;

function lineOf(bytes: Buffer): string {
  const start = emptyLines(bytes);
  const end = bytes.indexOf(13, start);
  return bytes.toString("latin1", start, Math.min(end < 0 ? bytes.length : end, start + LINE_BYTES));
}

/** Empty lines before a request line are ignored (RFC 9112 2.2), a few of them. */
function emptyLines(bytes: Buffer): number {
  let start = 0;
  while (start < 2 * EMPTY_LINES_LIMIT && bytes[start] === 13 && bytes[start + 1] === 10) start += 2;
  return start;
}

function checkSize(bytes: Buffer, start: number, end: number, limits: HeadLimits): void {
  if (end - start <= limits.headerBytes) return;
  const lineEnd = bytes.indexOf(13, start);
  if (lineEnd < 0 || lineEnd - start > limits.uriBytes + 64) {
    throw new GatewayError("uri_too_long", `The target is over ${limits.uriBytes} bytes.`);
  }
  throw new GatewayError("headers_too_large", `The head is over ${limits.headerBytes} bytes.`);
}
