/**
 * What the plugin chain costs for one request, in nanoseconds: `bun bench/micro-chain.ts`.
 * Both sides get a request of twelve fields and a service that answers at once; ours is answered on the exchange.
 * Compare within one run.
 */
import { Hono, type MiddlewareHandler } from "hono";
import { linkChain } from "../src/route/chain.ts";
import type { Forward } from "../src/route/context.ts";
import type { Receiver } from "../src/wire/attempt.ts";
import type { BodySource } from "../src/wire/body.ts";
import { Exchange, type ExchangeOrigin, type RequestHead, type Responder } from "../src/wire/exchange.ts";
import { type HeaderList, headerList } from "../src/wire/header-list.ts";

const BATCHES = 9;
const REQUESTS = 20_000;

const FIELDS: readonly (readonly [string, string])[] = [
  ["Host", "shop.example.com"],
  ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["Accept-Encoding", "gzip, deflate, br"],
  ["Accept-Language", "en-GB,en;q=0.7"],
  ["Cookie", "session=0123456789abcdef; theme=dark"],
  ["Referer", "http://shop.example.com/catalog"],
  ["Sec-Fetch-Mode", "navigate"],
  ["Sec-Fetch-Site", "same-origin"],
  ["X-Team", "catalog"],
  ["Cache-Control", "no-cache"],
  ["Authorization", `Bearer ${"x".repeat(600)}`],
];
const ANSWER_FIELDS: readonly (readonly [string, string])[] = [
  ["Content-Type", "application/json"],
  ["Content-Length", "2"],
  ["Server", "catalog"],
  ["Cache-Control", "max-age=60"],
];

let counter = 0;

const trivial: MiddlewareHandler = async (_, next) => {
  counter++;
  await next();
  counter++;
};
const passing: MiddlewareHandler = (_, next) => {
  counter++;
  return next();
};
const header: MiddlewareHandler = async (c, next) => {
  const team = c.req.header("x-team") ?? "none";
  await next();
  c.header("x-team", team);
};
const direct: MiddlewareHandler = async (c, next) => {
  const team = c.req.header("x-team") ?? "none";
  await next();
  c.res.headers.set("x-team", team);
};

interface Scenario {
  readonly name: string;
  readonly middleware: readonly MiddlewareHandler[];
}

function times(count: number, middleware: MiddlewareHandler): readonly MiddlewareHandler[] {
  return Array.from({ length: count }, () => middleware);
}

const SCENARIOS: readonly Scenario[] = [
  ...[0, 1, 3, 6].map((count) => ({ name: `${count} trivial async`, middleware: times(count, trivial) })),
  { name: "3 that return next()", middleware: times(3, passing) },
  { name: "3 read, c.header() after", middleware: times(3, header) },
  { name: "3 read, c.res.headers.set", middleware: times(3, direct) },
];

let resolveAnswered = () => {};

const responder: Responder = {
  respond: (exchange) => {
    exchange.isAnswered = true;
    resolveAnswered();
  },
  inform: () => {},
  refuse: () => {},
};
const source: BodySource = { length: 2, pipe: () => {}, pause: () => {}, resume: () => {}, cancel: () => {} };
const requestFields = headerList(FIELDS);
const answerFields = headerList(ANSWER_FIELDS);

function makeExchange(headers: HeaderList): Exchange {
  const head: RequestHead = {
    method: "GET",
    target: "/catalog/items?page=1",
    minor: 1,
    protocol: "HTTP/1.1",
    host: "shop.example.com",
    authority: "shop.example.com",
    headers,
  };
  return new Exchange(head, ORIGIN);
}

const ORIGIN: ExchangeOrigin = {
  id: "1",
  startedAt: 0,
  scheme: "http",
  listener: "http",
  client: { address: "192.0.2.1", peer: "192.0.2.1", port: 1, localPort: 80, isTrusted: false, tls: null },
  body: null,
  upgrade: null,
  expectsContinue: false,
  responder,
};

const forward: Forward = (exchange, receiver) => {
  receiver.onResponse(exchange, { head: { status: 200, reason: "OK", headers: answerFields.copy() }, body: source });
};

const STRAIGHT: Receiver = {
  onResponse: (exchange, { head, body }) => exchange.respond(head, body),
  onFailure: (exchange, error) => exchange.refuse(error),
};

/** What every request costs with no chain at all: the exchange, the answer. */
async function baseline(): Promise<void> {
  const answered = new Promise<void>((resolve) => {
    resolveAnswered = resolve;
  });
  forward(makeExchange(requestFields.copy()), STRAIGHT);
  await answered;
}

function ours(middleware: readonly MiddlewareHandler[]): () => Promise<void> {
  const chain = linkChain(middleware);
  return async () => {
    const answered = new Promise<void>((resolve) => {
      resolveAnswered = resolve;
    });
    chain.serve(makeExchange(requestFields.copy()), forward);
    await answered;
  };
}

function hono(middleware: readonly MiddlewareHandler[]): () => Promise<void> {
  const app = new Hono();
  for (const one of middleware) app.use(one);
  const headers = ANSWER_FIELDS.map(([name, value]): [string, string] => [name, value]);
  app.all("*", () => new Response("ok", { headers }));
  const pairs = FIELDS.map(([name, value]): [string, string] => [name, value]);
  return async () => {
    await app.fetch(new Request("http://shop.example.com/catalog/items?page=1", { headers: pairs }));
  };
}

async function nanoseconds(run: () => Promise<void>): Promise<number> {
  const batches: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = Bun.nanoseconds();
    for (let i = 0; i < REQUESTS; i++) await run();
    batches.push((Bun.nanoseconds() - start) / REQUESTS);
  }
  return Math.min(...batches);
}

// Once for nothing, so that the first figure is not the engine's warming up.
await nanoseconds(hono(times(3, header)));
await nanoseconds(ours(times(3, header)));
const none = await nanoseconds(baseline);
const honoNone = await nanoseconds(hono([]));
process.stdout.write(`no chain: ${none.toFixed(0)} ns; Hono app with a handler only: ${honoNone.toFixed(0)} ns\n`);
for (const { name, middleware } of SCENARIOS) {
  const chain = await nanoseconds(ours(middleware));
  const app = await nanoseconds(hono(middleware));
  const added = `chain ${chain.toFixed(0)} ns (+${(chain - none).toFixed(0)})`;
  process.stdout.write(`${name.padEnd(28)} ${added.padEnd(26)} Hono app ${app.toFixed(0)} ns\n`);
}
process.stdout.write(`(${counter} calls)\n`);
