import { type Context, Hono, type MiddlewareHandler, type Next } from "hono";
import { HTTPException } from "hono/http-exception";
import { type Ask, askOf, ChunkSource, runChain } from "./support.ts";

/** What a client and a service see of one request, whoever runs the middleware. */
export interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: string;
  /** Bodies that reached the service. */
  readonly received: readonly string[];
}

/** A plugin as its writer sees it. */
export type Middleware = (context: Context, next: Next) => unknown;

/** One behaviour; what is expected holds for the chain, and for Hono as far as `compare` goes. */
export interface Case {
  readonly name: string;
  readonly plugins: () => readonly Middleware[];
  readonly ask?: Ask;
  readonly requestBody?: readonly string[];
  /** What is the same on both sides; the body of an error is each side's own. */
  readonly compare?: readonly (keyof Seen)[];
  readonly expect: Partial<Seen>;
}

const REPLY_HEADERS: readonly (readonly [string, string])[] = [
  ["content-type", "text/plain"],
  ["x-service", "catalog"],
  ["set-cookie", "a=1"],
  ["set-cookie", "b=2"],
];
const REPLY_CHUNKS = ["from ", "the ", "service"];

function seenOf(response: Response, body: string, received: readonly string[]): Seen {
  const headers: Record<string, string> = {};
  for (const [name, value] of response.headers) {
    if (name !== "set-cookie" && name !== "content-length") headers[name] = value;
  }
  const type = headers["content-type"];
  if (type !== undefined) headers["content-type"] = type.toLowerCase().replace("; ", ";");
  return { status: response.status, headers, cookies: response.headers.getSetCookie(), body, received };
}

/** Runs the case under Hono's own app, whose handler plays the service. */
export async function underHono(one: Case): Promise<Seen> {
  const received: string[] = [];
  const app = new Hono();
  for (const plugin of one.plugins()) app.use(plugin as MiddlewareHandler);
  app.all("*", async (c) => {
    received.push(await c.req.text());
    const stream = new ReadableStream({
      start(controller) {
        for (const chunk of REPLY_CHUNKS) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
    const headers = new Headers();
    for (const [name, value] of REPLY_HEADERS) headers.append(name, value);
    return c.body(stream, { status: 200, headers });
  });
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.newResponse(error.getResponse().body, error.getResponse());
    return c.text("error", 500);
  });
  const server = Bun.serve({ port: 0, fetch: (request) => app.fetch(request, { marker: "env" }) });
  try {
    const asked = askOf(one.ask ?? {}, one.requestBody?.join("") ?? null);
    const request = new Request(asked, { redirect: "manual" });
    const url = new URL(request.url);
    const response = await fetch(`http://127.0.0.1:${server.port}${url.pathname}${url.search}`, request);
    return seenOf(
      new Response(null, { status: response.status, headers: withoutDate(response) }),
      await response.text(),
      received,
    );
  } finally {
    await server.stop(true);
  }
}

function withoutDate(response: Response): Headers {
  const headers = new Headers(response.headers);
  headers.delete("date");
  headers.delete("transfer-encoding");
  return headers;
}

/** Runs the case under the gateway's chain, with a service that reads the request and answers the same. */
export async function underChain(one: Case): Promise<Seen> {
  const body = one.requestBody === undefined ? null : new ChunkSource(one.requestBody);
  const prepare = (exchange: object) => Object.assign(exchange, { marker: "env" });
  const middleware = one.plugins().map((plugin) => plugin as MiddlewareHandler);
  const reply = { headers: REPLY_HEADERS, body: new ChunkSource(REPLY_CHUNKS) };
  const { answer, received } = await runChain(middleware, { ...one.ask, body, prepare }, reply);
  const response = new Response(null, { status: answer.status, headers: answer.headers });
  return seenOf(
    response,
    answer.text,
    received.map((one) => one.body),
  );
}
