/**
 * What to do with a field of some name:
 * - `index`: into the table at once, until its values turn out to change all the time;
 * - `repeat`: into the table when the same value comes twice in a row;
 * - `plain`: never into our table, as its values hardly repeat;
 * - `never`: into nobody's table on the whole way (RFC 7541 7.1.3): a secret, which somebody who can add fields to the
 *   same connection could guess piece by piece from the lengths of what is sent.
 */
export type IndexPolicy = "index" | "repeat" | "plain" | "never";

const SECRET = [
  "authorization",
  "proxy-authorization",
  "authentication-info",
  "proxy-authentication-info",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-forwarded-client-cert",
];
const PLAIN = [
  ":path",
  "age",
  "content-length",
  "content-range",
  "etag",
  "grpc-timeout",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "range",
  "traceparent",
  "tracestate",
  "x-correlation-id",
  "x-request-id",
  "x-request-timeout",
];
// One connection to a service carries the requests of many clients.
const REPEAT = ["cookie", "forwarded", "referer", "user-agent", "x-forwarded-for", "x-real-ip"];

const POLICIES: ReadonlyMap<string, IndexPolicy> = new Map<string, IndexPolicy>([
  ...SECRET.map((name) => [name, "never"] as const),
  ...PLAIN.map((name) => [name, "plain"] as const),
  ...REPEAT.map((name) => [name, "repeat"] as const),
]);

/** The policy of a lower-case name; `index` for a name of which nothing is known. */
export function indexPolicy(name: string): IndexPolicy {
  return POLICIES.get(name) ?? "index";
}

/** A cookie shorter than this could be guessed: it is treated as a secret, as browsers and nghttp2 do. */
export const SHORT_COOKIE_BYTES = 20;
