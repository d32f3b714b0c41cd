import type { Exchange } from "../wire/exchange.ts";
import type { Passage } from "../wire/l4/passage.ts";
import { hashText } from "./hash.ts";
import type { HashBy } from "./options.ts";

/** A key for `consistent_hash`, or undefined where the request has nothing to make one from. */
export type ExchangeKey = (exchange: Exchange) => number | undefined;

/** What the key of a request is made from. */
export function exchangeKey({ source, name }: HashBy): ExchangeKey {
  const text = exchangeText(source, name);
  return (exchange) => keyOf(text(exchange));
}

function exchangeText(source: HashBy["source"], name: string): (exchange: Exchange) => string | null {
  switch (source) {
    case "ip":
      return ({ client }) => client.address;
    case "host":
      return ({ host }) => host;
    case "header":
      return ({ headers }) => headers.get(name);
    case "cookie":
      return ({ headers }) => cookieValue(headers.values("cookie"), name);
    case "query":
      return ({ target }) => queryValue(target, name);
    case "jwt":
      return claimReader(name);
  }
}

/** The key of a connection whose bytes are passed on: it has an address, and with TLS a name. */
export function passageKey({ source }: HashBy, { client, sni }: Passage): number | undefined {
  if (source === "ip") return keyOf(client.address);
  return source === "host" ? keyOf(sni) : undefined;
}

/** The first cookie of that name as it is written, without its quotes (RFC 6265 4.1.1); null when there is none. */
function cookieValue(fields: readonly string[], name: string): string | null {
  for (const pair of fields.flatMap((field) => field.split(";"))) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return unquoted(pair.slice(equals + 1).trim());
  }
  return null;
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

function queryValue(target: string, name: string): string | null {
  const start = target.indexOf("?");
  return start < 0 ? null : new URLSearchParams(target.slice(start + 1)).get(name);
}

/** Reads a claim by its name or, where there is none of that name, by its path through the claims that are maps. */
function claimReader(name: string): (exchange: Exchange) => string | null {
  const path = name.split(".");
  return ({ claims }) => {
    if (claims === null) return null;
    return textOf(Object.hasOwn(claims, name) ? claims[name] : path.reduce(memberOf, claims));
  };
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** Of what is neither a text nor a number nor a boolean no key is made. */
function textOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** An empty value tells nobody from anybody. */
function keyOf(text: string | null): number | undefined {
  return text === null || text === "" ? undefined : hashText(text);
}
