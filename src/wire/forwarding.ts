import { addressBytes } from "./address.ts";
import type { AttemptHead } from "./attempt.ts";
import { CLIENT_CERT_FIELD, clientCertField } from "./client-cert-field.ts";
import { now } from "./event.ts";
import type { ClientInfo, Exchange } from "./exchange.ts";
import { listElements } from "./fields.ts";
import { type HeaderList, trimSpace } from "./header-list.ts";
import { TIMEOUT_FIELDS, timeoutField, timeoutValue } from "./request-timeout.ts";

/** The name under which the gateway stands in `Via` (RFC 9110 7.6.3): a pseudonym, never a host name. */
const PSEUDONYM = "torii";
/** So many times may a request have passed a gateway like this one before it is taken for a loop. */
const HOPS_LIMIT = 10;

// Fields that concern one connection only (RFC 9110 7.6.1), and those that the gateway writes itself.
const DROPPED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
  "content-length",
  "host",
  "via",
  "x-request-id",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-real-ip",
  CLIENT_CERT_FIELD,
]);

// What is left of the client's time is less than what it told.
const DROPPED_WITH_TIMEOUTS = new Set([...DROPPED, ...TIMEOUT_FIELDS]);

/** How a request's body is framed upstream. */
export interface RequestFraming {
  readonly length: number | null;
  readonly isChunked: boolean;
  readonly expectsContinue: boolean;
}

/**
 * The head that goes upstream: the client's fields in order and case, without those of the connection, with the
 * gateway's own behind them. The client's address is told in `X-Forwarded-*` and `Forwarded` (RFC 7239).
 */
export function requestText(attempt: AttemptHead, framing: RequestFraming): string {
  const { exchange } = attempt;
  const line = `${exchange.upstreamMethod} ${exchange.upstreamTarget} HTTP/1.1\r\nHost: ${authorityOf(attempt)}\r\n`;
  return `${line}${upstreamFields(attempt)}${connectionText(exchange, framing)}\r\n`;
}

/** Whom the request is for: an HTTP/1.0 client may name no host, the endpoint still needs one (RFC 9112 3.2). */
export function authorityOf({ exchange, authority }: AttemptHead): string {
  return exchange.upstreamAuthority === "" ? authority : exchange.upstreamAuthority;
}

/**
 * The fields that go upstream whatever version is spoken there, each with its line end: the client's without those of
 * the connection, then the gateway's own. Host, framing and `TE` are the caller's.
 */
function upstreamFields(attempt: AttemptHead): string {
  const { exchange } = attempt;
  const timeouts = isTimeTold(exchange) ? timeoutText(attempt) : "";
  return `${clientFields(exchange)}${gatewayFields(exchange)}${timeouts}X-Request-Id: ${exchange.id}\r\n`;
}

/** Of `upstreamFields` the client's: the same text, not only an equal one, for as long as heads say the same. */
export function clientFields(exchange: Exchange): string {
  return exchange.headers.textWithout(isTimeTold(exchange) ? DROPPED_WITH_TIMEOUTS : DROPPED);
}

/** Says whether the head that goes upstream tells how much time is left. */
export function isTimeTold({ expiresAt, toldMs }: Exchange): boolean {
  return expiresAt > 0 || toldMs > 0;
}

/** What is left of the time, in the fields that the client told it by, and in its kind's own where services are told. */
export function timeoutFields(attempt: AttemptHead): readonly (readonly [string, string])[] {
  const { headers, toldMs } = attempt.exchange;
  const leftMs = timeLeftMs(attempt);
  const own = toldMs === 0 ? null : timeoutField(headers);
  return TIMEOUT_FIELDS.flatMap((name) => {
    const given = headers.first(name) ?? (name === own ? "" : null);
    return given === null ? [] : [[name, timeoutValue(name, given, leftMs)] as const];
  });
}

function timeLeftMs({ exchange, timeouts: { responseMs } }: AttemptHead): number {
  const { expiresAt, requestEndedAt, toldMs } = exchange;
  const clientMs = expiresAt === 0 ? Number.POSITIVE_INFINITY : expiresAt - now();
  if (toldMs === 0) return clientMs;
  const attemptMs = responseMs === 0 ? Number.POSITIVE_INFINITY : responseMs;
  return Math.min(clientMs, attemptMs, requestEndedAt === 0 ? toldMs : toldMs - (now() - requestEndedAt));
}

function timeoutText(attempt: AttemptHead): string {
  return timeoutFields(attempt).reduce((text, [name, value]) => `${text}${name}: ${value}\r\n`, "");
}

/** Of `upstreamFields` the gateway's own, but for the request's id, which never repeats. */
export function gatewayFields(exchange: Exchange): string {
  const certificate = clientCertField(exchange);
  const via = viaLine(exchange);
  if (exchange.client.isTrusted) return `${trustedForwarding(exchange)}${certificate}${via}`;
  const known = freshForwarding(exchange);
  if (certificate !== "") return `${known.text}${certificate}${via}`;
  if (known.via !== via) {
    known.via = via;
    known.whole = `${known.text}${via}`;
  }
  return known.whole;
}

function connectionText(exchange: Exchange, framing: RequestFraming): string {
  let text = "";
  if (framing.isChunked) text += "Transfer-Encoding: chunked\r\n";
  else if (framing.length !== null) text += `Content-Length: ${framing.length}\r\n`;
  if (framing.expectsContinue) text += "Expect: 100-continue\r\n";
  const te = exchange.headers.get("te");
  const wantsTrailers = te !== null && listElements(te).includes("trailers");
  if (exchange.upgrade !== null) text += `Connection: Upgrade\r\nUpgrade: ${exchange.headers.get("upgrade")}\r\n`;
  else if (wantsTrailers) text += "Connection: TE\r\nTE: trailers\r\n";
  return text;
}

// What describes the message itself; a sender that names it in Connection gains nothing by it.
const KEPT = new Set([
  "authorization",
  "cookie",
  "set-cookie",
  "content-type",
  "content-encoding",
  "cache-control",
  "date",
]);

/**
 * Takes away the fields that Connection names (RFC 9110 7.6.1). Done before anybody else sees the message, so that
 * what is added later stays.
 */
export function dropNamedFields(headers: HeaderList): void {
  const { names } = headers;
  const at = names.indexOf("connection");
  if (at < 0) return;
  if (names.indexOf("connection", at + 1) < 0 && isPlainConnection(headers.valueAt(at))) return;
  for (const name of listElements(headers.get("connection") ?? "")) {
    // The fields of the connection are read by the gateway itself, and never forwarded.
    if (!DROPPED.has(name) && !KEPT.has(name)) headers.delete(name);
  }
}

function isPlainConnection(value: string): boolean {
  if (value === "keep-alive" || value === "close") return true;
  return /^(?:keep-alive|close|upgrade|keep-alive, upgrade)?$/i.test(value);
}

// Whatever a backend may take for the word of a proxy: with any suffix, and as gateways to CGI write it.
const SPOOFABLE = /^x[-_](?:forwarded|real[-_]ip)(?:$|[-_])/;

/** Says whether a lower-case name is one of those in which a proxy tells of its client. */
export function isForwardingField(name: string): boolean {
  return name.charCodeAt(0) === 120 && SPOOFABLE.test(name);
}

/** Takes away what a client that is no trusted proxy says of itself in the name of one. */
export function dropForwardingFields(headers: HeaderList): void {
  const { names } = headers;
  for (let i = names.length - 1; i >= 0; i--) {
    const name = names[i] ?? "";
    if (isForwardingField(name)) headers.delete(name);
  }
}

// The received protocol's version, without the name that HTTP may leave out (RFC 9110 7.6.3).
const OWN_VIA = {
  "HTTP/1.0": `Via: 1.0 ${PSEUDONYM}\r\n`,
  "HTTP/1.1": `Via: 1.1 ${PSEUDONYM}\r\n`,
  "HTTP/2.0": `Via: 2 ${PSEUDONYM}\r\n`,
  "HTTP/3.0": `Via: 3 ${PSEUDONYM}\r\n`,
} as const;

function viaLine(exchange: Exchange): string {
  const own = OWN_VIA[exchange.protocol];
  const earlier = exchange.headers.get("via");
  return earlier === null ? own : `Via: ${earlier}, ${own.slice(5)}`;
}

/** Says whether a request passed gateways of this kind so often that it must be going round in a circle. */
export function isLoop(headers: HeaderList): boolean {
  const via = headers.get("via");
  return via !== null && via.split(` ${PSEUDONYM}`).length > HOPS_LIMIT;
}

interface Remembered {
  readonly authority: string;
  readonly localPort: number;
  readonly scheme: string;
  readonly text: string;
  /** The text with the Via that it was last sent with. */
  via: string;
  whole: string;
}

// Clients ask for the same host again and again, so the text is made once for each address.
const REMEMBERED = new Map<string, Remembered>();
const REMEMBERED_LIMIT = 4096;

function freshForwarding(exchange: Exchange): Remembered {
  const { authority, client, scheme } = exchange;
  const { localPort } = client;
  const known = REMEMBERED.get(client.peer);
  if (known?.authority === authority && known.localPort === localPort && known.scheme === scheme) return known;
  const text = forwardingText(exchange);
  const made = { authority, localPort, scheme, text, via: "", whole: text };
  if (REMEMBERED.size >= REMEMBERED_LIMIT) REMEMBERED.clear();
  REMEMBERED.set(client.peer, made);
  return made;
}

function forwardingText(exchange: Exchange): string {
  const { client, scheme } = exchange;
  return (
    `X-Forwarded-For: ${client.peer}\r\nX-Forwarded-Proto: ${scheme}\r\n` +
    `X-Forwarded-Host: ${exchange.authority}\r\nX-Forwarded-Port: ${client.localPort}\r\n` +
    `Forwarded: ${forwardedElement(exchange)}\r\n`
  );
}

function trustedForwarding(exchange: Exchange): string {
  const { client, headers, scheme } = exchange;
  const keep = (name: string, own: string) => headers.get(name) ?? own;
  const earlierFor = headers.get("x-forwarded-for");
  const earlier = headers.get("forwarded");
  const element = forwardedElement(exchange);
  const realIp = headers.get("x-real-ip");
  return (
    `X-Forwarded-For: ${earlierFor === null ? "" : `${earlierFor}, `}${client.peer}\r\n` +
    `X-Forwarded-Proto: ${keep("x-forwarded-proto", scheme)}\r\n` +
    `X-Forwarded-Host: ${keep("x-forwarded-host", exchange.authority)}\r\n` +
    `X-Forwarded-Port: ${keep("x-forwarded-port", String(client.localPort))}\r\n` +
    `Forwarded: ${earlier !== null && FORWARDED.test(earlier) ? `${earlier}, ` : ""}${element}\r\n` +
    (realIp === null ? "" : `X-Real-IP: ${realIp}\r\n`)
  );
}

const TOKEN_OR_QUOTED = `(?:[!#$%&'*+\\-.^_\`|~0-9A-Za-z]+|"(?:[^"\\\\]|\\\\.)*")`;
const PAIR = `[A-Za-z]+=${TOKEN_OR_QUOTED}`;
const ELEMENT = `${PAIR}(?:;${PAIR})*`;
// A malformed list is dropped whole, never read halfway (RFC 7239 4).
const FORWARDED = new RegExp(`^${ELEMENT}(?:[ \\t]*,[ \\t]*${ELEMENT})*$`);

function forwardedElement(exchange: Exchange): string {
  const { authority, client, scheme } = exchange;
  const node = client.peer.includes(":") ? `"[${client.peer}]"` : client.peer;
  if (authority === "") return `for=${node};proto=${scheme}`;
  const host = /^[A-Za-z0-9._-]+$/.test(authority) ? authority : `"${authority}"`;
  return `for=${node};host=${host};proto=${scheme}`;
}

/**
 * Who the client is. Behind trusted proxies it is the last address of X-Forwarded-For that is not itself trusted,
 * counted from the right; what is no address ends the search.
 */
export function readClient(headers: HeaderList, peer: ClientInfo, isTrusted: (address: string) => boolean): ClientInfo {
  let { address } = peer;
  const hops = (headers.get("x-forwarded-for") ?? "").split(",");
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = trimSpace(hops[i] ?? "");
    if (addressBytes(hop) === null) break;
    address = hop;
    if (!isTrusted(hop)) break;
  }
  return { ...peer, address };
}
