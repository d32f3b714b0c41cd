/**
 * What `rate-limit` adds to a request that it admits, in nanoseconds: `bun bench/micro-rate-limit.ts`. Each figure is
 * the least of several rounds, above a route with one middleware that passes on; the service answers at once.
 */
import type { MiddlewareHandler } from "hono";
import rateLimit from "../plugins/rate-limit.ts";
import { createMemoryLimits } from "../src/limit/plugin-limits.ts";
import { linkChain } from "../src/route/chain.ts";
import type { Forward } from "../src/route/context.ts";
import { Exchange, type ExchangeOrigin, type RequestHead, type Responder } from "../src/wire/exchange.ts";
import { headerList } from "../src/wire/header-list.ts";

const ROUNDS = 25;
const REQUESTS = 20_000;

let onAnswered = () => {};
const responder: Responder = {
  respond: (exchange) => {
    exchange.isAnswered = true;
    onAnswered();
  },
  inform: () => {},
  refuse: () => {},
};

const HEAD = { method: "GET", target: "/items?x=1", minor: 1, protocol: "HTTP/1.1", host: "shop.example.com" } as const;
const ORIGIN = { id: "1", startedAt: 0, scheme: "http", listener: "http", body: null, upgrade: null } as const;

function makeExchange(address: string): Exchange {
  const headers = headerList([
    ["Host", "shop.example.com"],
    ["X-User", "ann"],
    ["Accept", "*/*"],
  ]);
  const head: RequestHead = { ...HEAD, authority: "shop.example.com", headers };
  const client = { address, peer: address, port: 5000, localPort: 8080, isTrusted: false, tls: null };
  const origin: ExchangeOrigin = { ...ORIGIN, client, expectsContinue: false, responder };
  return new Exchange(head, origin);
}

const forward: Forward = (exchange, receiver) => {
  const headers = headerList([["Content-Type", "text/plain"]]);
  receiver.onResponse(exchange, { head: { status: 200, reason: "OK", headers }, body: null });
};

const passing: MiddlewareHandler = (_, next) => next();
const limits = createMemoryLimits();
let uses = 0;

function limited(options: Readonly<Record<string, unknown>>): MiddlewareHandler {
  const all = { limit: 1_000_000_000, per: "1s", by: "ip", ...options };
  return rateLimit.provision(all, { route: `r${uses++}`, limits, isShadow: false });
}

async function round(middleware: readonly MiddlewareHandler[], address: string): Promise<number> {
  const chain = linkChain(middleware);
  const startedAt = Bun.nanoseconds();
  for (let at = 0; at < REQUESTS; at++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    onAnswered = resolve;
    chain.serve(makeExchange(address), forward);
    await promise;
  }
  return (Bun.nanoseconds() - startedAt) / REQUESTS;
}

const SCENARIOS: readonly (readonly [string, readonly MiddlewareHandler[], string])[] = [
  ["one middleware that passes on", [passing], "192.0.2.1"],
  ["rate-limit by ip, headers off", [limited({ headers: "off" })], "192.0.2.1"],
  ["rate-limit by ip, draft headers", [limited({})], "192.0.2.1"],
  ["rate-limit by an IPv6 network", [limited({})], "2001:db8:1:2:3:4:5:6"],
  ["rate-limit by header and ip, both headers", [limited({ by: "header.x-user+ip", headers: "both" })], "192.0.2.1"],
];

const least = SCENARIOS.map(() => Number.POSITIVE_INFINITY);
for (let at = 0; at < ROUNDS; at++) {
  for (const [index, [, middleware, address]] of SCENARIOS.entries()) {
    least[index] = Math.min(least[index] ?? 0, await round(middleware, address));
  }
}
const [base = 0] = least;
for (const [index, [name]] of SCENARIOS.entries()) {
  const nanos = least[index] ?? 0;
  console.log(`${name.padEnd(44)} ${nanos.toFixed(0).padStart(6)} ns  ${(nanos - base).toFixed(0).padStart(6)} above`);
}
await limits.close();
