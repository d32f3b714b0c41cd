import { expect, test } from "bun:test";
import { openChromium } from "../support/chromium.ts";
import { EDGE_NAMES, startEdge } from "../support/edge.ts";
import { eventually } from "../support/load.ts";
import { startWebSocketEcho } from "../support/websocket.ts";

/** Asks for much at once, talks over a WebSocket, and sends what it saw back the way it came. */
const SCRIPT = `
const items = await Promise.all(Array.from({ length: 40 }, (_, i) => fetch("/item/" + i).then((it) => it.text())));
const body = new Blob(["x".repeat(1_000_000)]);
const uploaded = await fetch("/upload", { method: "POST", body }).then((it) => it.text());
const socket = await new Promise((resolve) => {
  const heard = [];
  const opened = new WebSocket(location.origin.replace("http", "ws") + "/socket");
  opened.onopen = () => ["one", "x".repeat(100_000)].forEach((text) => opened.send(text));
  opened.onmessage = ({ data }) => heard.push(data) === 2 && opened.close(1000, "done");
  opened.onclose = ({ code, wasClean }) => resolve({ heard: heard.map((text) => text.length), code, wasClean });
});
const [page, ...rest] = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
const protocols = [...new Set(rest.map((entry) => entry.nextHopProtocol))];
const report = { items, uploaded, socket, page: page.nextHopProtocol, protocols };
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
`;

const PAGE = `<!doctype html><title>edge</title><link rel="icon" href="data:,"><script type="module">${SCRIPT}</script>`;

interface Pages extends Disposable {
  readonly url: string;
  /** Null until it came. */
  readonly report: () => unknown;
}

/** Serves the page, and hears what came of it. */
function startPages(): Pages {
  let report: unknown = null;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/": new Response(PAGE, { headers: { "content-type": "text/html" } }),
      "/item/:id": ({ params }) => new Response(`item ${params.id}`),
      "/upload": async (request) => new Response(String((await request.bytes()).length)),
      "/report": async (request) => {
        report = await request.json();
        return new Response();
      },
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    report: () => report,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

function routesTo(pages: string, sockets: string) {
  const service = (url: string) => ({ discover: "static", endpoints: [{ url }] });
  return {
    services: { pages: service(pages), sockets: service(sockets) },
    routes: [
      { name: "sockets", matches: [{ path: "/socket" }], backends: [{ service: "sockets" }] },
      { name: "pages", matches: [{ path: "/*" }], backends: [{ service: "pages" }] },
    ],
  };
}

/** Versions of HTTP by the browser's names, then by the access log's. */
test.each([
  ["https", "h2", "HTTP/2.0", 200],
  ["http", "http/1.1", "HTTP/1.1", 101],
])("Chromium loads a page over %s with %s, and a WebSocket over the same", async (scheme, alpn, protocol, status) => {
  using pages = startPages();
  using sockets = startWebSocketEcho();
  await using edge = await startEdge(pages.url, { routes: routesTo(pages.url, sockets.url) });
  const url = `${scheme}://${EDGE_NAMES.shop}:${edge.port(scheme)}/`;
  await using browser = await openChromium({ url, accepts: [edge.certificate] });
  const reported = eventually(() => pages.report() !== null, "a report", 15_000);
  await reported.catch((error) => Promise.reject(new Error(`${error}\n${browser.output()}`)));
  expect(pages.report()).toEqual({
    items: Array.from({ length: 40 }, (_, i) => `item ${i}`),
    uploaded: "1000000",
    socket: { heard: [3, 100_000], code: 1000, wasClean: true },
    page: alpn,
    protocols: [alpn],
  });
  const line = await edge.gateway.logged(({ path }) => path === "/socket");
  expect(line).toMatchObject({ protocol, status, service: "sockets" });
});
