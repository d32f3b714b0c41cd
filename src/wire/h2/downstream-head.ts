import { randomBytes } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import { parseLength } from "../fields.ts";
import { dropForwardingFields } from "../forwarding.ts";
import { HeaderList } from "../header-list.ts";
import { checkMethod, checkTarget, type HeadLimits, hostOf, ParsedRequest } from "../parse-request.ts";
import { blockOf, type FieldSection, type RegularFields } from "./stream-fields.ts";

export interface HeadReading {
  readonly limits: HeadLimits;
  /** The client is a proxy whose word on other clients counts. */
  readonly isTrusted: boolean;
}

/**
 * The request that a section begins, as if it had come by HTTP/1.1: `:authority` is its Host, crumbs of a cookie are
 * one again (RFC 9113 8.2.3, 8.3.1), a WebSocket's CONNECT is its GET (RFC 8441 5). The section must have no
 * `requestFault`. What was read of the same section or fields before is not read again.
 * Throws GatewayError: `bad_request`, `uri_too_long`, `headers_too_large`, `method_not_allowed`,
 * `expectation_failed`, `not_implemented`.
 */
export function readRequest(section: FieldSection, reading: HeadReading): ParsedRequest {
  const known = section.made;
  if (known instanceof ParsedRequest) return repeated(known);
  const head = new ParsedRequest();
  head.protocol = "HTTP/2.0";
  head.method = section.method ?? "";
  head.target = section.path ?? "";
  if (section.isTooLarge)
    throw new GatewayError("headers_too_large", `The head is over ${reading.limits.headerBytes} bytes.`);
  if (section.protocol === null) checkMethod(head.method);
  else head.method = "GET";
  checkLine(section, head, reading.limits);
  takeFields(section, head, reading);
  if (section.protocol !== null) {
    becomeUpgrade(section.protocol, head);
    return head;
  }
  section.made = head;
  return repeated(head);
}

/** A request of its own that says the same: its fields may be changed. */
function repeated(known: ParsedRequest): ParsedRequest {
  const head = new ParsedRequest();
  head.protocol = known.protocol;
  head.method = known.method;
  head.target = known.target;
  head.host = known.host;
  head.authority = known.authority;
  head.contentLength = known.contentLength;
  head.expectsContinue = known.expectsContinue;
  head.headers = known.headers.copy();
  return head;
}

function bad(detail: string): GatewayError {
  return new GatewayError("bad_request", detail);
}

function checkLine({ scheme }: FieldSection, { method, target }: ParsedRequest, { uriBytes }: HeadLimits): void {
  if (scheme !== "https" && scheme !== "http") throw bad("The scheme is neither http nor https.");
  checkTarget(target, uriBytes);
  const isPath = target.charCodeAt(0) === 47;
  if (!isPath && (target !== "*" || method !== "OPTIONS")) throw bad("The path does not begin with a slash.");
}

/** What was made of fields for one authority. */
class RequestFields extends ParsedRequest {
  pseudoAuthority: string | null = null;
  isTrusted = false;
}

function takeFields(section: FieldSection, head: ParsedRequest, reading: HeadReading): void {
  const { regular } = section;
  let made = regular.made;
  if (
    !(made instanceof RequestFields) ||
    made.pseudoAuthority !== section.authority ||
    made.isTrusted !== reading.isTrusted
  ) {
    if (regular.names.length > reading.limits.headerCount) {
      throw new GatewayError("headers_too_large", `More than ${reading.limits.headerCount} header fields.`);
    }
    made = regular.made = makeFields(regular, section.authority, reading.isTrusted);
  }
  // Narrowed again: the compiler does not see that both ways lead to the same type.
  if (!(made instanceof RequestFields)) return;
  head.headers = made.headers.copy();
  head.host = made.host;
  head.authority = made.authority;
  head.contentLength = made.contentLength;
  head.expectsContinue = made.expectsContinue;
}

function makeFields(regular: RegularFields, authority: string | null, isTrusted: boolean): RequestFields {
  const made = new RequestFields();
  made.pseudoAuthority = authority;
  made.isTrusted = isTrusted;
  const names = ["host"];
  const values = [""];
  let host: string | null = null;
  let cookieAt = -1;
  for (const [i, name] of regular.names.entries()) {
    const value = regular.values[i] ?? "";
    if (name === "host") {
      if (host !== null) throw bad("There is more than one Host.");
      host = value;
      continue;
    }
    if (name === "content-length") readLength(made, value);
    else if (name === "expect") readExpectation(made, value);
    if (name === "cookie" && cookieAt >= 0) {
      values[cookieAt] += `; ${value}`;
      continue;
    }
    if (name === "cookie") cookieAt = names.length;
    names.push(name);
    values.push(value);
  }
  made.authority = agreedAuthority(authority, host);
  made.host = hostOf(made.authority);
  values[0] = made.authority;
  made.headers = new HeaderList(blockOf(names, values));
  if (!isTrusted) dropForwardingFields(made.headers);
  return made;
}

/** Two names for one host would be two hosts to whoever reads the other one (RFC 9113 8.3.1). */
function agreedAuthority(authority: string | null, host: string | null): string {
  if (authority !== null && host !== null && authority.toLowerCase() !== host.toLowerCase()) {
    throw bad("Host says something else than :authority.");
  }
  const agreed = authority ?? host;
  if (agreed === null || agreed === "") throw bad("There is no host.");
  return agreed;
}

function readLength(made: RequestFields, value: string): void {
  const length = parseLength(value);
  if (length < 0) throw bad("Content-Length is not a number.");
  if (made.contentLength >= 0) throw bad("There is more than one Content-Length.");
  made.contentLength = length;
}

function readExpectation(made: RequestFields, value: string): void {
  if (value.toLowerCase() !== "100-continue") {
    throw new GatewayError("expectation_failed", "The only expectation that can be met is 100-continue.");
  }
  made.expectsContinue = true;
}

const KEY_BYTES = 16;

/** What an HTTP/1.1 server needs to be asked for; the key is ours, as the client sends none (RFC 8441 5). */
function becomeUpgrade(protocol: string, head: ParsedRequest): void {
  if (protocol.toLowerCase() !== "websocket") {
    throw new GatewayError("not_implemented", "The only protocol that CONNECT leads to is websocket.");
  }
  if (head.contentLength >= 0) throw bad("A WebSocket has no Content-Length.");
  head.upgrade = "websocket";
  head.namesUpgrade = true;
  const { headers } = head;
  headers.set("upgrade", "websocket");
  headers.set("sec-websocket-key", randomBytes(KEY_BYTES).toString("base64"));
  if (!headers.has("sec-websocket-version")) headers.set("sec-websocket-version", "13");
}
