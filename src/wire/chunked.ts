import { GatewayError } from "../errors.ts";
import { hasBadOctet, parseFields } from "./fields.ts";
import { isForwardingField } from "./forwarding.ts";
import { HeaderList } from "./header-list.ts";

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
/** A chunk-size line may not be longer, its extensions included; they are dropped (RFC 9112 7.1.1). */
const SIZE_LINE_LIMIT = 1024;
/** 2^48: no body is larger, and no sum of sizes leaves the exact integers. */
const SIZE_DIGITS_LIMIT = 12;
const TRAILER_COUNT_LIMIT = 100;

type State = "size" | "extension" | "size_lf" | "data" | "data_cr" | "data_lf" | "trailer" | "done";

// Fields that frame, route or authenticate never count when they come behind the body (RFC 9110 6.5.1).
const FORBIDDEN_TRAILERS = new Set([
  "content-length",
  "transfer-encoding",
  "host",
  "authorization",
  "connection",
  "content-encoding",
  "content-type",
  "content-range",
  "trailer",
  "te",
  "upgrade",
  "expect",
  "max-forwards",
  "cache-control",
  "set-cookie",
  "cookie",
  "www-authenticate",
  "proxy-authorization",
  "proxy-authenticate",
  "proxy-connection",
  "keep-alive",
  "forwarded",
  "via",
  "x-request-id",
]);

/** Takes the chunked coding off (RFC 9112 7.1), strictly and piece by piece. */
export class ChunkedDecoder {
  /** Trailer fields, once done; null when there were none. */
  trailers: HeaderList | null = null;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #left = 0;
  #trailerText = "";
  readonly #trailerBytes: number;
  /** Bytes of the last `decode` that belonged to the body; what follows them is not ours. */
  consumed = 0;

  constructor(trailerBytes: number) {
    this.#trailerBytes = trailerBytes;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Decodes a piece **in place** and returns the payload in it, as a view on the same memory; `consumed` tells where
   * the coding ended when `isDone`. Throws `bad_request` for anything but the grammar, `headers_too_large` for
   * trailers over the bound.
   */
  decode(bytes: Uint8Array): Uint8Array {
    let at = 0;
    let start = 0;
    let used = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state !== "data") {
        at = this.#control(bytes, at);
        continue;
      }
      const take = Math.min(this.#left, bytes.length - at);
      if (used === 0) start = at;
      else bytes.copyWithin(start + used, at, at + take);
      used += take;
      at += take;
      this.#left -= take;
      if (this.#left === 0) this.#state = "data_cr";
    }
    this.consumed = at;
    return bytes.subarray(start, start + used);
  }

  #control(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] ?? 0;
    switch (this.#state) {
      case "size":
        this.#sizeByte(byte);
        return at + 1;
      case "extension":
        this.#extensionByte(byte);
        return at + 1;
      case "size_lf":
        if (byte !== LF) throw bad("A chunk's size line does not end in CRLF.");
        this.#beginChunk();
        return at + 1;
      case "data_cr":
        if (byte !== CR) throw bad("A chunk is longer than its size.");
        this.#state = "data_lf";
        return at + 1;
      case "data_lf":
        if (byte !== LF) throw bad("A chunk does not end in CRLF.");
        this.#state = "size";
        this.#digits = 0;
        this.#size = 0;
        this.#lineBytes = 0;
        return at + 1;
      default:
        return this.#trailer(bytes, at);
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexValue(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      // Leading zeros are digits too; the bound on them keeps a line from growing without end.
      if (this.#size > 0) this.#digits++;
      if (this.#digits > SIZE_DIGITS_LIMIT || ++this.#lineBytes > SIZE_LINE_LIMIT)
        throw bad("A chunk size is too large.");
      return;
    }
    if (this.#lineBytes === 0) throw bad("A chunk has no size.");
    if (byte === SEMICOLON) this.#state = "extension";
    else if (byte === CR) this.#state = "size_lf";
    else throw bad("A chunk size is not hexadecimal.");
  }

  #extensionByte(byte: number): void {
    if (byte === CR) this.#state = "size_lf";
    else if (byte !== 9 && (byte < 32 || byte === 127)) throw bad("A chunk extension holds a control character.");
    else if (++this.#lineBytes > SIZE_LINE_LIMIT) throw bad("A chunk extension is too long.");
  }

  #beginChunk(): void {
    this.#left = this.#size;
    this.#state = this.#size === 0 ? "trailer" : "data";
  }

  #trailer(bytes: Uint8Array, from: number): number {
    const before = this.#trailerText.length;
    // The bound keeps the text, and so the work on it, small; one byte more tells that it is exceeded.
    const piece = bytes.subarray(from, from + this.#trailerBytes + 5 - before);
    this.#trailerText += Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("latin1");
    const end = this.#trailerText.startsWith("\r\n") ? 2 : endOfFields(this.#trailerText, before);
    if (end > 0) {
      this.#trailerText = this.#trailerText.slice(0, end);
      this.#endTrailers();
      return from + end - before;
    }
    if (this.#trailerText.length > this.#trailerBytes) {
      throw new GatewayError("headers_too_large", `The trailer section is over ${this.#trailerBytes} bytes.`);
    }
    // What cannot become a trailer section is refused at once, not waited for. The line end before it belongs to the
    // check: an LF right behind that has no CR of its own.
    const isBad = hasBadOctet(`\r\n${this.#trailerText.slice(Math.max(0, before - 1))}`.slice(before > 0 ? 2 : 0));
    if (isBad || badStart(this.#trailerText)) throw bad("The trailer section is malformed.");
    return bytes.length;
  }

  #endTrailers(): void {
    this.#state = "done";
    if (this.#trailerText.length === 2) return;
    const text = this.#trailerText.slice(0, -4);
    if (hasBadOctet(text)) throw bad("The trailer section holds a control character.");
    this.trailers = allowedTrailers(new HeaderList(parseFields(text, TRAILER_COUNT_LIMIT)));
  }
}

/** The trailers that may be passed on, or null when there are none. */
export function allowedTrailers(all: HeaderList): HeaderList | null {
  const kept = new HeaderList();
  for (const [i, name] of all.names.entries()) {
    // Whoever merges trailers into the head would take them for the gateway's word.
    if (!FORBIDDEN_TRAILERS.has(name) && !isForwardingField(name)) kept.appendFrom(all, i);
  }
  return kept.size === 0 ? null : kept;
}

/** Behind the empty line that ends the fields; 0 when it has not come. Only the new part is searched. */
function endOfFields(text: string, before: number): number {
  const at = text.indexOf("\r\n\r\n", Math.max(0, before - 3));
  return at < 0 ? 0 : at + 4;
}

function badStart(text: string): boolean {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  return /^[^!#$%&'*+\-.^_`|~0-9A-Za-z\r]/.test(line) || /^[^:]*[ \t]/.test(line) || /(^|\n)[^:\r\n]+\r\n/.test(text);
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function bad(detail: string): GatewayError {
  return new GatewayError("bad_request", detail);
}
