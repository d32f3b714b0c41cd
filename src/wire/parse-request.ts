import { GatewayError } from "../errors.ts";
import type { HttpProtocol, RequestHead } from "./exchange.ts";
import { endsWith, hasBadOctet, listElements, parseFields, parseLength } from "./fields.ts";
import { fieldName, HeaderList, ownCopy } from "./header-list.ts";

export interface HeadLimits {
  /** Bytes of the whole head, from the request line to the empty line. */
  readonly headerBytes: number;
  /** Number of field lines. */
  readonly headerCount: number;
  /** Bytes of the request target. */
  readonly uriBytes: number;
}

/** A request's head as parsed, with what its fields say about framing and the connection. */
export class ParsedRequest implements RequestHead {
  method = "";
  target = "";
  minor = 1;
  protocol: HttpProtocol = "HTTP/1.1";
  host = "";
  authority = "";
  headers = new HeaderList();
  /** True when there is an Upgrade, whether it counts for this method or not. */
  namesUpgrade = false;
  /** False when the target named the authority, which the fields then do not. */
  isOriginForm = true;
  /** True when its fields are those of the request before, which have been looked at already. */
  isRepeated = false;
  /** -1 without Content-Length. */
  contentLength = -1;
  isChunked = false;
  keepsAlive = true;
  expectsContinue = false;
  /** Lower-case protocol of a valid upgrade request, or null. */
  upgrade: string | null = null;
}

const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
// No white space, no control; a fragment never belongs to a request target (RFC 9112 3.2).
const TARGET = /^[\x21\x22\x24-\x7e\x80-\xff]+$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/**
 * Parses a head without its last empty line, strictly by RFC 9112: what is ambiguous is refused. `last` is the one
 * before on the same connection: a client mostly sends the same fields again, and equal ones need no second reading.
 * Throws GatewayError: `bad_request`, `uri_too_long`, `headers_too_large`, `method_not_allowed`,
 * `version_not_supported`, `expectation_failed`, `not_implemented`.
 */
export function parseRequest(text: string, limits: HeadLimits, last: ParsedRequest | null = null): ParsedRequest {
  const head = new ParsedRequest();
  let end = text.indexOf("\r\n");
  if (end < 0) end = text.length;
  parseRequestLine(text, end, head, limits.uriBytes);
  if (last !== null && repeats(head, last, text, end + 2) && head.headers.size <= limits.headerCount) return head;
  if (hasBadOctet(text) || text.charCodeAt(text.length - 1) === 13) throw bad("The head holds a control character.");
  head.headers = new HeaderList(parseFields(text.slice(end + 2), limits.headerCount));
  readFields(head);
  return head;
}

/** Takes over what was read from equal fields. What depends on method or target as well is read anew. */
function repeats(head: ParsedRequest, last: ParsedRequest, text: string, from: number): boolean {
  const { block } = last.headers;
  if (block === null || !last.isOriginForm || last.namesUpgrade) return false;
  if (last.minor !== head.minor || head.target.charCodeAt(0) !== 47) return false;
  if (!endsWith(text, from, block.text)) return false;
  head.headers = new HeaderList(block);
  head.host = last.host;
  head.authority = last.authority;
  head.contentLength = last.contentLength;
  head.isChunked = last.isChunked;
  head.keepsAlive = last.keepsAlive;
  head.expectsContinue = last.expectsContinue;
  head.isRepeated = true;
  return true;
}

function bad(detail: string): GatewayError {
  return new GatewayError("bad_request", detail);
}

function parseRequestLine(text: string, end: number, head: ParsedRequest, uriBytes: number): void {
  const space = text.indexOf(" ");
  const minor = text.charCodeAt(end - 1) - 48;
  const isHttp1 = text.startsWith(" HTTP/1.", end - 9) && (minor === 0 || minor === 1);
  if (!isHttp1 || space < 1 || space > end - 10) throw lineError(text.slice(0, end));
  head.method = text.slice(0, space);
  head.minor = minor;
  if (minor === 0) head.protocol = "HTTP/1.0";
  checkMethod(head.method);
  const target = text.slice(space + 1, end - 9);
  checkTarget(target, uriBytes);
  head.target = target;
}

/** Throws `uri_too_long`, or `bad_request` for what may not stand in any target. */
export function checkTarget(target: string, uriBytes: number): void {
  if (target.length > uriBytes) throw new GatewayError("uri_too_long", `The target is over ${uriBytes} bytes.`);
  if (!TARGET.test(target)) throw bad("The request target holds white space, a control character or a fragment.");
}

function lineError(line: string): GatewayError {
  if (/ HTTP\/\d\.\d$/.test(line) && !/ HTTP\/1\.[01]$/.test(line)) {
    return new GatewayError("version_not_supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
  }
  return bad("The request line is malformed.");
}

/** Throws `bad_request` for what is no method, `method_not_allowed` for those that are not served. */
export function checkMethod(method: string): void {
  if (KNOWN_METHODS.has(method)) return;
  if (fieldName(method) === null) throw bad("The method is not a token.");
  if (method === "CONNECT" || method === "TRACE") {
    throw new GatewayError("method_not_allowed", `${method} is not served.`);
  }
}

const NO_OPTIONS: readonly string[] = [];

function readFields(head: ParsedRequest): void {
  const { names } = head.headers;
  let hosts = 0;
  let codings = 0;
  let upgrade: string | null = null;
  let connection = NO_OPTIONS;
  for (let i = 0; i < names.length; i++) {
    switch (names[i]) {
      case "host":
        hosts++;
        head.authority = head.headers.valueAt(i);
        break;
      case "content-length":
        readLength(head, head.headers.valueAt(i));
        break;
      case "transfer-encoding":
        codings++;
        readCoding(head, head.headers.valueAt(i));
        break;
      case "connection":
        connection = [...connection, ...listElements(head.headers.valueAt(i))];
        break;
      case "expect":
        readExpectation(head, head.headers.valueAt(i));
        break;
      case "upgrade":
        upgrade = head.headers.get("upgrade")?.toLowerCase() ?? null;
        break;
    }
  }
  head.namesUpgrade = upgrade !== null;
  checkFraming(head, codings);
  readTarget(head, hosts);
  readConnection(head, connection, upgrade);
}

function readLength(head: ParsedRequest, value: string): void {
  const length = parseLength(value);
  if (length < 0) throw bad("Content-Length is not a number.");
  if (head.contentLength >= 0) throw bad("There is more than one Content-Length.");
  head.contentLength = length;
}

function readCoding(head: ParsedRequest, value: string): void {
  const coding = value.toLowerCase();
  if (coding === "chunked") head.isChunked = true;
  else if (coding === "gzip, chunked" || coding === "deflate, chunked") {
    throw new GatewayError("not_implemented", "Only the chunked transfer coding is understood.");
  } else throw bad("Transfer-Encoding is not chunked.");
}

function checkFraming(head: ParsedRequest, codings: number): void {
  if (codings > 1) throw bad("There is more than one Transfer-Encoding.");
  if (codings === 1 && head.contentLength >= 0) throw bad("There are both Content-Length and Transfer-Encoding.");
  if (codings === 1 && head.minor === 0) throw bad("HTTP/1.0 has no Transfer-Encoding.");
}

function readExpectation(head: ParsedRequest, value: string): void {
  if (value.toLowerCase() !== "100-continue") {
    throw new GatewayError("expectation_failed", "The only expectation that can be met is 100-continue.");
  }
  // An HTTP/1.0 client cannot expect an interim response (RFC 9110 10.1.1).
  if (head.minor === 1) head.expectsContinue = true;
}

function readTarget(head: ParsedRequest, hosts: number): void {
  if (hosts > 1) throw bad("There is more than one Host.");
  if (hosts === 0 && head.minor === 1) throw bad("There is no Host.");
  if (head.target.charCodeAt(0) !== 47) {
    head.isOriginForm = false;
    readOtherForm(head);
  }
  if (hosts === 0 && head.authority === "") return;
  head.host = hostOf(head.authority);
}

function readOtherForm(head: ParsedRequest): void {
  if (head.target === "*" && head.method === "OPTIONS") return;
  const absolute = ABSOLUTE.exec(head.target);
  if (absolute === null) throw bad("The request target is neither a path nor an absolute http URL.");
  // The target's authority wins over the Host field (RFC 9112 3.2.2).
  head.authority = absolute[1] ?? "";
  if (head.authority === "") throw bad("The request target names no host.");
  const rest = absolute[2] ?? "";
  head.target = rest.charCodeAt(0) === 47 ? rest : `/${rest}`;
}

const AUTHORITY = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{0,5})?$/;
const HOSTS = new Map<string, string>();
const HOSTS_LIMIT = 4096;

/**
 * Lower-case host of an authority, without port and last dot; valid ones are remembered, within bounds. Throws
 * `bad_request` for others.
 */
export function hostOf(authority: string): string {
  const known = HOSTS.get(authority);
  if (known !== undefined) return known;
  // What no URL can be made of (a port over 65535, four numbers that are no address) is no authority to anybody.
  const isValid = AUTHORITY.test(authority) && URL.canParse(`http://${authority}/`);
  if (!isValid) throw bad("Host is not a valid host name.");
  const host = authority.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
  if (HOSTS.size < HOSTS_LIMIT) HOSTS.set(ownCopy(authority), host);
  return host;
}

// These would take the connection out of the hands of HTTP/1.1 with no tunnel in sight.
const UNTUNNELLED = /^(?:h2c?|http\/|tls\/)/;

function readConnection(head: ParsedRequest, tokens: readonly string[], upgrade: string | null): void {
  head.keepsAlive = !tokens.includes("close") && (head.minor === 1 || tokens.includes("keep-alive"));
  if (upgrade === null || head.minor === 0 || !tokens.includes("upgrade")) return;
  const hasBody = head.isChunked || head.contentLength > 0;
  const isTunnelled = !listElements(upgrade).some((protocol) => UNTUNNELLED.test(protocol));
  if (head.method === "GET" && !hasBody && isTunnelled) head.upgrade = upgrade;
}
