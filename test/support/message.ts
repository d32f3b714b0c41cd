/** One HTTP/1 message as it stood on the wire. */
export interface Message {
  /** Request line or status line. */
  readonly startLine: string;
  /** Name as written and value without surrounding whitespace, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What is there of the body, decoded from chunks. */
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Lengths of the chunks that arrived. */
  readonly chunks: readonly number[];
  /** False while the body is not whole; a truncated message stays so for ever. */
  readonly isComplete: boolean;
  /** Bytes of the input that belong to this message. */
  readonly length: number;
}

export interface ResponseMessage extends Message {
  readonly status: number;
  readonly reason: string;
}

export interface RequestMessage extends Message {
  readonly method: string;
  readonly target: string;
  readonly version: string;
}

type Fields = Message["headers"];

/** All values of a header, in order; empty when there is none. */
export function values(message: { readonly headers: Fields }, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  return message.headers.filter(([field]) => field.toLowerCase() === wanted).map(([, value]) => value);
}

/** The values of a header joined by `, `, or null. */
export function header(message: { readonly headers: Fields }, name: string): string | null {
  const found = values(message, name);
  return found.length === 0 ? null : found.join(", ");
}

function fieldsOf(lines: readonly string[]): Fields {
  return lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon <= 0 || /[\s]/.test(line.slice(0, colon))) throw new Error(`no field line: ${JSON.stringify(line)}`);
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")] as const;
  });
}

interface Body {
  readonly body: Buffer;
  readonly trailers: Fields;
  readonly chunks: readonly number[];
  readonly isComplete: boolean;
  readonly end: number;
}

function trailersAt(bytes: Buffer, from: number): { readonly trailers: Fields; readonly end: number } | null {
  const lines: string[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    if (lineEnd === at) return { trailers: fieldsOf(lines), end: lineEnd + 2 };
    lines.push(bytes.toString("latin1", at, lineEnd));
    at = lineEnd + 2;
  }
}

function chunkedBody(bytes: Buffer, from: number): Body {
  const parts: Buffer[] = [];
  const partial = (): Body => ({
    body: Buffer.concat(parts),
    trailers: [],
    chunks: parts.map((part) => part.length),
    isComplete: false,
    end: bytes.length,
  });
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return partial();
    const line = bytes.toString("latin1", at, lineEnd);
    if (!/^[0-9a-f]+(?:[ \t]*;.*)?$/i.test(line))
      throw new Error(`no chunk size: ${JSON.stringify(line.slice(0, 40))}`);
    const size = Number.parseInt(line, 16);
    const start = lineEnd + 2;
    if (size === 0) {
      const rest = trailersAt(bytes, start);
      return rest === null ? partial() : { ...partial(), trailers: rest.trailers, isComplete: true, end: rest.end };
    }
    parts.push(bytes.subarray(start, Math.min(start + size, bytes.length)));
    if (bytes.length < start + size + 2) return partial();
    if (bytes.toString("latin1", start + size, start + size + 2) !== "\r\n") throw new Error("no CRLF after a chunk");
    at = start + size + 2;
  }
}

function plainBody(bytes: Buffer, from: number, length: number): Body {
  const body = bytes.subarray(from, Math.min(from + length, bytes.length));
  return { body, trailers: [], chunks: [], isComplete: body.length === length, end: from + body.length };
}

interface Framing {
  /** True for messages that never have a body. */
  readonly isBodiless: boolean;
  /** True when a body without framing runs to the end of the connection. */
  readonly isUntilClose: boolean;
  /** True once no more bytes can come. */
  readonly hasEnded: boolean;
}

function framingOf(headers: Fields, framing: Framing): Message["framing"] {
  if (framing.isBodiless) return "none";
  const coding = header({ headers }, "transfer-encoding");
  const length = header({ headers }, "content-length");
  if (coding !== null && length !== null) throw new Error("Content-Length beside Transfer-Encoding");
  if (coding !== null) {
    if (coding.toLowerCase() !== "chunked") throw new Error(`Transfer-Encoding: ${coding}`);
    return "chunked";
  }
  if (length !== null) {
    if (!/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`);
    return "length";
  }
  return framing.isUntilClose ? "close" : "none";
}

function parse(bytes: Buffer, kindOf: (startLine: string) => Framing): Message | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [startLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers = fieldsOf(lines);
  const expected = kindOf(startLine);
  const framing = framingOf(headers, expected);
  const from = headEnd + 4;
  const { end, ...body } =
    framing === "chunked"
      ? chunkedBody(bytes, from)
      : framing === "length"
        ? plainBody(bytes, from, Number(header({ headers }, "content-length")))
        : framing === "close"
          ? { ...plainBody(bytes, from, bytes.length - from), isComplete: expected.hasEnded }
          : plainBody(bytes, from, 0);
  return { startLine, headers, framing, ...body, length: end };
}

export interface ResponseExpectation {
  /** Method of the request that this answers; the answer to HEAD has no body. */
  readonly method?: string;
  /** True once the server ended the connection cleanly. */
  readonly hasEnded?: boolean;
}

/** The first response in the bytes, or null while its head is not whole. Throws at anything that is not HTTP/1. */
export function parseResponse(bytes: Buffer, expectation: ResponseExpectation = {}): ResponseMessage | null {
  let status = 0;
  let reason = "";
  const message = parse(bytes, (startLine) => {
    const match = /^HTTP\/1\.[01] ([1-9]\d\d) (.*)$/.exec(startLine);
    if (match === null) throw new Error(`no status line: ${JSON.stringify(startLine.slice(0, 80))}`);
    status = Number(match[1]);
    reason = match[2] ?? "";
    const isBodiless = status < 200 || status === 204 || status === 304 || expectation.method === "HEAD";
    return { isBodiless, isUntilClose: true, hasEnded: expectation.hasEnded ?? false };
  });
  return message === null ? null : { ...message, status, reason };
}

/** The first request in the bytes, or null while its head is not whole. Throws at anything that is not HTTP/1. */
export function parseRequest(bytes: Buffer): RequestMessage | null {
  const message = parse(bytes, () => ({ isBodiless: false, isUntilClose: false, hasEnded: false }));
  if (message === null) return null;
  const match = /^(\S+) (\S+) (HTTP\/1\.[01])$/.exec(message.startLine);
  if (match === null) throw new Error(`no request line: ${JSON.stringify(message.startLine.slice(0, 80))}`);
  return { ...message, method: match[1] ?? "", target: match[2] ?? "", version: match[3] ?? "" };
}
