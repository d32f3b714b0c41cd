import type { ErrorCode } from "../errors.ts";
import { redactTarget } from "./redaction.ts";

/** What the access log tells of a connection's TLS. */
export interface AccessTls {
  readonly version: string;
  readonly sni: string | null;
  readonly certificate: {
    readonly isVerified: boolean;
    readonly subject: string;
    readonly spiffeId: string | null;
    readonly fingerprint: string;
  } | null;
}

/** What a policy did with a request. */
export interface AccessDecision {
  readonly policy: string;
  readonly outcome: string;
  readonly about: string | null;
}

/** What the access log tells of one request. Strings come as they stood on the wire. */
export interface AccessEntry {
  /** When the request ended, in milliseconds since 1970. */
  readonly at: number;
  readonly id: string;
  readonly traceId: string | null;
  /** The client's address. */
  readonly client: string;
  /** Null on a connection in the clear. One object for all requests of a connection: its text is made once. */
  readonly tls: AccessTls | null;
  /** Empty, like host and target, for a request that could not be parsed that far. */
  readonly method: string;
  readonly host: string;
  /** Path and query; secrets in the query are masked in the line. */
  readonly target: string;
  /** `HTTP/1.1` and the like. */
  readonly protocol: string;
  readonly route: string | null;
  readonly service: string | null;
  readonly endpoint: string | null;
  /** 499 when the client left first. */
  readonly status: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** The whole, from the parsed head to the last byte. */
  readonly durationMs: number;
  /** What of it was waiting for the service; null when none was asked. */
  readonly upstreamMs: number | null;
  readonly attempts: number;
  readonly error: ErrorCode | null;
  /** What policies did, in their order; null for nothing. */
  readonly decisions: readonly AccessDecision[] | null;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON asks for exactly these to be escaped (RFC 8259 7).
const NEEDS_ESCAPE = /["\\\u0000-\u001f]/;

function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function quotedOrNull(text: string | null): string {
  return text === null ? "null" : quoted(text);
}

/** Milliseconds to the microsecond; null for what is no number, which JSON cannot say. */
function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return "null";
  return String(Math.round(ms * 1000) / 1000);
}

/** Gives times as RFC 3339 in UTC with milliseconds. The text of a second is made once. */
export function createTimeText(): (at: number) => string {
  let second = Number.NaN;
  let prefix = "";
  return (at) => {
    const now = Math.floor(at / 1000);
    if (now !== second) {
      second = now;
      prefix = new Date(now * 1000).toISOString().slice(0, -4);
    }
    const ms = Math.floor(at) - now * 1000;
    return `${prefix}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
  };
}

function decisionsText(decisions: readonly AccessDecision[] | null): string {
  if (decisions === null) return "[]";
  const texts = decisions.map(
    ({ policy, outcome, about }) =>
      `{"policy":${quoted(policy)},"outcome":${quoted(outcome)}${about === null ? "" : `,"about":${quoted(about)}`}}`,
  );
  return `[${texts.join(",")}]`;
}

const TLS_TEXTS = new WeakMap<AccessTls, string>();

function tlsText(tls: AccessTls | null): string {
  if (tls === null) return "null";
  const known = TLS_TEXTS.get(tls);
  if (known !== undefined) return known;
  const { version, sni, certificate } = tls;
  const { subject, spiffeId, fingerprint, isVerified } = certificate ?? {};
  const clientCertificate = certificate && { subject, spiffeId, fingerprint, verified: isVerified };
  const text = JSON.stringify({ version, sni, clientCertificate });
  TLS_TEXTS.set(tls, text);
  return text;
}

/** One line of JSON with its line end. Concatenated: `JSON.stringify` of an object costs more than all the rest. */
export function accessLine(entry: AccessEntry, time: string): string {
  return (
    `{"time":"${time}","requestId":${quoted(entry.id)},"traceId":${quotedOrNull(entry.traceId)}` +
    `,"client":${quoted(entry.client)},"tls":${tlsText(entry.tls)},"method":${quoted(entry.method)},"host":${quoted(entry.host)}` +
    `,"path":${quoted(redactTarget(entry.target))},"protocol":${quoted(entry.protocol)}` +
    `,"route":${quotedOrNull(entry.route)},"service":${quotedOrNull(entry.service)}` +
    `,"endpoint":${quotedOrNull(entry.endpoint)},"status":${entry.status}` +
    `,"bytesReceived":${entry.bytesReceived},"bytesSent":${entry.bytesSent}` +
    `,"durationMs":${duration(entry.durationMs)},"upstreamMs":${duration(entry.upstreamMs)}` +
    `,"attempts":${entry.attempts},"flags":${entry.error === null ? "[]" : `["${entry.error}"]`}` +
    `,"decisions":${decisionsText(entry.decisions)}}\n`
  );
}
