import { describe, expect, test } from "bun:test";
import { exchange } from "../test/support/client.ts";
import { get, request } from "../test/support/forward.ts";
import { eventually, startLoad } from "../test/support/load.ts";
import { openEchoSocket, openEvents, startEvents } from "../test/support/streams.ts";
import { ok, startAnswering } from "../test/support/upstream.ts";
import { startWebSocketEcho } from "../test/support/websocket.ts";
import { type SoakGateway, startSoakGateway } from "./gateway.ts";

const EDITS = 1000;
const STREAMS = 50;

function service(url: string) {
  return { discover: "static", endpoints: [{ url }] };
}

/** Routes to three services, and one whose answer tells the number of the edit. */
function routesOf(
  urls: { readonly plain: string; readonly events: string; readonly echo: string },
  edit: number,
  surplus = 0,
) {
  const further = Array.from({ length: surplus }, (_, at) => ({
    name: `further-${edit}-${at}`,
    hostnames: [`h${at % 100}.test`],
    matches: [{ path: `/further/${at}/*` }],
    backends: [{ service: "plain" }],
  }));
  return {
    services: { plain: service(urls.plain), events: service(urls.events), echo: service(urls.echo) },
    routes: [
      { name: "events", matches: [{ path: "/events" }], backends: [{ service: "events" }] },
      { name: "echo", matches: [{ path: "/ws" }], backends: [{ service: "echo" }] },
      {
        name: "edit",
        matches: [{ path: "/edit" }],
        plugins: [{ use: "respond", with: { status: 200, body: String(edit) } }],
      },
      { name: "plain", matches: [{ path: "/*" }], backends: [{ service: "plain" }] },
      ...further,
    ],
  };
}

async function liveEdit(gateway: SoakGateway): Promise<string> {
  return (await exchange(gateway, request("GET /edit"))).body.toString();
}

describe("edits under load", () => {
  test(`${EDITS} edits fail no request and drop none of ${STREAMS} WebSockets and ${STREAMS} event streams`, async () => {
    await using plain = startAnswering(() => ok());
    await using events = startEvents(100);
    using echo = startWebSocketEcho();
    const urls = { plain: plain.url, events: events.url, echo: echo.url };
    await using gateway = await startSoakGateway(routesOf(urls, 0));
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => openEvents(gateway, request("GET /events"))),
    );
    const sockets = await Promise.all(
      Array.from({ length: STREAMS }, () => openEchoSocket(`ws://127.0.0.1:${gateway.port}/ws`)),
    );
    const load = startLoad({ to: gateway, connections: 16, request: get(), pauseMs: 2 });
    const rssBefore = await gateway.rssBytes();
    for (let edit = 1; edit <= EDITS; edit++) {
      // Every tenth edit is broken at first: it must change nothing.
      if (edit % 10 === 0)
        await gateway.writeRoutes("routes:\n  - name: all\n    matchs: []\n").then(() => Bun.sleep(150));
      await gateway.writeRoutes(routesOf(urls, edit));
      await eventually(async () => (await liveEdit(gateway)) === String(edit), `edit ${edit}`, 10_000);
      await sockets[edit % STREAMS]?.ask(`edit ${edit}`);
    }
    const newest = streams.map((stream) => stream.newest());
    await eventually(() => streams.every((stream, at) => stream.newest() > (newest[at] ?? 0)), "every stream to go on");
    await Promise.all(sockets.map((socket) => socket.ask("last")));
    const { answered, failures } = await load.stop();
    console.log(`${answered} requests; memory ${((await gateway.rssBytes()) - rssBefore) / 1024 / 1024} MiB more`);
    expect(failures).toEqual([]);
    expect(gateway.process.output()).toMatch(/main\.yaml.*3/);
    for (const open of [...streams, ...sockets]) open[Symbol.dispose]();
  });

  test("reloads of 1,000 routes fail no request", async () => {
    await using plain = startAnswering(() => ok());
    const urls = { plain: plain.url, events: plain.url, echo: plain.url };
    await using gateway = await startSoakGateway(routesOf(urls, 0, 1000));
    const load = startLoad({ to: gateway, connections: 64, request: get() });
    for (let edit = 1; edit <= 30; edit++) {
      await gateway.writeRoutes(routesOf(urls, edit, 1000));
      await eventually(async () => (await liveEdit(gateway)) === String(edit), `edit ${edit}`, 20_000);
    }
    const { answered, failures } = await load.stop();
    console.log(`${answered} requests`);
    expect(failures).toEqual([]);
  });
});
