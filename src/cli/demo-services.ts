import { DEMO_PAGE } from "./demo-page.ts";

/** A sample service's endpoint that is up. */
export interface DemoServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const EVENT_EVERY_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

const ITEMS = [
  { id: 1, name: "lantern", price: 24 },
  { id: 2, name: "folding fan", price: 12 },
  { id: 3, name: "tea bowl", price: 38 },
] as const;

/** With a line end, so that a terminal's prompt does not stick to it. */
function json(value: unknown, { status = 200, indent = 0 } = {}): Response {
  const headers = { "content-type": "application/json" };
  return new Response(`${JSON.stringify(value, null, indent)}\n`, { status, headers });
}

function origin(port: number | undefined): string {
  return `http://${LOOPBACK}:${port}`;
}

/** An endpoint of the catalog: `…/items` lists, `…/items/1` shows one; each answer says who gave it. */
export function startCatalog(endpoint: string, version: string): DemoServer {
  const server = Bun.serve({
    hostname: LOOPBACK,
    port: 0,
    development: false,
    // The gateway's pool decides how long a connection lives, not this end.
    idleTimeout: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      const id = /\/items\/(\d+)$/.exec(pathname)?.[1];
      const found = id === undefined ? ITEMS : ITEMS.filter((item) => item.id === Number(id));
      const status = found.length === 0 ? 404 : 200;
      return json({ endpoint, version, path: pathname, items: found }, { status });
    },
  });
  return { url: origin(server.port), close: () => server.stop(true) };
}

async function echo(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const seen = {
    method: request.method,
    path: url.pathname + url.search,
    host: request.headers.get("host"),
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  };
  return json(seen, { indent: 2 });
}

function events(): Response {
  let timer: Timer | null = null;
  let count = 0;
  const body = new ReadableStream<string>({
    start: (controller) => {
      const send = (): void => controller.enqueue(`id: ${++count}\ndata: event ${count}\n\n`);
      send();
      timer = setInterval(send, EVENT_EVERY_MS);
    },
    cancel: () => clearInterval(timer ?? undefined),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

async function slow(request: Request): Promise<Response> {
  const asked = Number(new URL(request.url).searchParams.get("ms") ?? 1000);
  const waitedMs = Math.min(Math.max(Number.isFinite(asked) ? asked : 0, 0), LONGEST_WAIT_MS);
  await Bun.sleep(waitedMs);
  return json({ waitedMs });
}

/** The `web` service: a page, an echo, server-sent events, a slow answer and a WebSocket that says all back. */
export function startWeb(): DemoServer {
  const server = Bun.serve({
    hostname: LOOPBACK,
    port: 0,
    development: false,
    idleTimeout: 0,
    fetch: (request, web) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/") return new Response(DEMO_PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
      if (pathname === "/echo" || pathname.startsWith("/echo/")) return echo(request);
      if (pathname === "/events") return events();
      if (pathname === "/slow") return slow(request);
      if (pathname !== "/ws") return new Response("There is nothing here; see /\n", { status: 404 });
      if (web.upgrade(request)) return undefined;
      return new Response("This is a WebSocket\n", { status: 426, headers: { upgrade: "websocket" } });
    },
    websocket: {
      message: (socket, message) => {
        socket.send(message);
      },
    },
  });
  return { url: origin(server.port), close: () => server.stop(true) };
}
