import { createHash } from "node:crypto";
import {
  addressBytes,
  claimReader,
  cookieValue,
  type PluginContext,
  queryParameter,
  scalarText,
} from "../../src/plugin.ts";

/** Reads a part of a key from a request; null or empty: the request has none. */
export type KeySource = (context: PluginContext) => string | number | boolean | null | undefined;

/** IPv6 networks are given to customers as these: within one, an address costs nothing. */
const IPV6_BITS = 64;
/** Longer values stand for themselves by their digest. */
const LONGEST = 128;
/** IPv6 addresses whose networks are remembered. */
const NETWORKS = 4096;

const FORMS = "ip, ip/56, host, route, apikey, header.NAME, cookie.NAME, query.NAME or jwt.CLAIM, joined by +";

/** Parses one part of `by`. Throws a SyntaxError in words for users. */
export function keySource(part: string): KeySource {
  const [, word = "", separator, rest = ""] = /^([a-z]+)(?:([./])(.*))?$/s.exec(part) ?? [];
  if (word === "ip" && separator !== ".") return addressSource(part, separator === undefined ? null : rest);
  if (separator === undefined) {
    const plain = PLAIN[word];
    if (plain !== undefined) return plain;
  }
  const named = separator === "." ? NAMED[word] : undefined;
  if (named === undefined) throw new SyntaxError(`${JSON.stringify(part)} is nothing to count by; write ${FORMS}`);
  if (rest === "")
    throw new SyntaxError(`${JSON.stringify(part)} lacks a name; write for example ${word}.${EXAMPLES[word]}`);
  return named(rest);
}

const EXAMPLES: Readonly<Record<string, string>> = { header: "x-tenant", cookie: "session", query: "key", jwt: "sub" };

const PLAIN: Readonly<Record<string, KeySource>> = {
  host: ({ env }) => env.host,
  route: ({ env }) => env.route,
  apikey: (context) => scalarText(context.get("apiKey")),
};

const NAMED: Readonly<Record<string, (name: string) => KeySource>> = {
  header: headerSource,
  cookie: cookieSource,
  query:
    (name) =>
    ({ env }) =>
      queryParameter(env.target, name),
  jwt: claimSource,
};

function headerSource(name: string): KeySource {
  if (!/^[!#$%&'*\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    throw new SyntaxError(`${JSON.stringify(name)} is no header name; write for example header.x-tenant`);
  }
  return ({ env }) => env.headers.get(name);
}

function cookieSource(name: string): KeySource {
  return (context) => {
    const field = context.req.header("cookie");
    return field === undefined ? null : cookieValue([field], name);
  };
}

function claimSource(name: string): KeySource {
  const read = claimReader(name);
  // Only who verified a token sets this: what the request itself says of who sent it counts for nothing.
  return (context) => read(context.get("jwtPayload"));
}

function addressSource(part: string, bits: string | null): KeySource {
  const prefix = bits === null ? IPV6_BITS : Number(/^\d{1,3}$/.exec(bits)?.[0] ?? Number.NaN);
  if (!(prefix >= 1 && prefix <= 128)) {
    throw new SyntaxError(
      `${JSON.stringify(part)} has no length of an IPv6 prefix; write for example ip/56, from 1 to 128`,
    );
  }
  const known = new Map<string, string>();
  return ({ env }) => {
    const { address } = env.client;
    if (!address.includes(":")) return address;
    const before = known.get(address);
    if (before !== undefined) return before;
    const network = networkOf(address, prefix);
    if (known.size >= NETWORKS) known.clear();
    // A part of the head as it came would keep all of that.
    known.set(Buffer.from(address, "latin1").toString("latin1"), network);
    return network;
  };
}

/** The network of an IPv6 address as text; an IPv4-mapped one is the IPv4 address. */
export function networkOf(address: string, prefix: number): string {
  const bytes = addressBytes(address);
  if (bytes === null) return address;
  if (bytes.length === 4) return bytes.join(".");
  const kept = bytes.map((byte, at) => byte & (0xff00 >> Math.max(0, Math.min(8, prefix - at * 8))) & 0xff);
  return `${Buffer.from(kept).toString("hex")}/${prefix}`;
}

/**
 * A value as part of a key: unlike values are unlike parts, whatever they hold, and what is missing is a part of its
 * own. A long one is its digest, so that keys stay small.
 */
export function keyPart(value: string | null | undefined): string {
  if (typeof value !== "string" || value === "") return "-";
  if (value.length <= LONGEST) return `=${value}`;
  // UTF-16 as it is: UTF-8 would make one of all lone surrogates.
  return `#${createHash("sha256").update(Buffer.from(value, "utf16le")).digest("base64url")}`;
}

/** The key of a request, from the parts of `by` or from a user's function. */
export function keyReader(by: string | KeySource): (context: PluginContext) => string {
  if (typeof by === "function") return (context) => keyPart(scalarText(by(context)));
  const [first, ...rest] = by.split("+").map((part) => keySource(part.trim()));
  if (first === undefined) throw new SyntaxError(`is empty; write ${FORMS}`);
  if (rest.length === 0) return (context) => keyPart(scalarText(first(context)));
  const sources = [first, ...rest];
  return (context) => {
    let key = "";
    for (const source of sources) {
      const part = keyPart(scalarText(source(context)));
      // With its length, so that no value can look like two.
      key += `${part.length}${part}`;
    }
    return key;
  };
}
