import type { Exchange } from "../wire/exchange.ts";
import type { Passage } from "../wire/l4/passage.ts";
import { claimReader, cookieValue, queryParameter } from "../wire/named-value.ts";
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
      return ({ target }) => queryParameter(target, name);
    case "jwt":
      return claimText(name);
  }
}

function claimText(name: string): (exchange: Exchange) => string | null {
  const read = claimReader(name);
  return ({ claims }) => read(claims);
}

/** The key of a connection whose bytes are passed on: it has an address, and with TLS a name. */
export function passageKey({ source }: HashBy, { client, sni }: Passage): number | undefined {
  if (source === "ip") return keyOf(client.address);
  return source === "host" ? keyOf(sni) : undefined;
}

/** An empty value tells nobody from anybody. */
function keyOf(text: string | null): number | undefined {
  return text === null || text === "" ? undefined : hashText(text);
}
