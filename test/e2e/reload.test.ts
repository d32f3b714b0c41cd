import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { get, request } from "../support/forward.ts";
import { eventually, startLoad } from "../support/load.ts";
import { openEchoSocket, openEvents, startEvents } from "../support/streams.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { startWebSocketEcho } from "../support/websocket.ts";
import { catchAll, startGateway, startProxy, type TestGateway } from "../support.ts";

const FILE = "routes/main.yaml";

async function bodyOf(gateway: TestGateway, target = "/r"): Promise<string> {
  return (await gateway.exchange(request(`GET ${target}`))).body.toString();
}

describe("an edit of a route file", () => {
  test("is live without being asked for", async () => {
    await using one = startAnswering(() => ok("one"));
    await using two = startAnswering(() => ok("two"));
    await using gateway = await startProxy(one.url);
    expect(await bodyOf(gateway)).toBe("one");
    await gateway.write(FILE, JSON.stringify(catchAll(two.url)));
    await eventually(async () => (await bodyOf(gateway)) === "two", "the edit");
  });

  test.each(["written in place", "renamed over"])("is seen when it is %s", async (way) => {
    await using one = startAnswering(() => ok("one"));
    await using two = startAnswering(() => ok("two"));
    await using gateway = await startProxy(one.url);
    const text = JSON.stringify(catchAll(two.url));
    if (way === "renamed over") await gateway.write(FILE, text);
    else await writeFile(join(gateway.folder, FILE), text);
    await eventually(async () => (await bodyOf(gateway)) === "two", "the edit");
  });

  test("fails no request that runs meanwhile", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    const load = startLoad({ to: gateway, connections: 8, request: get() });
    for (let edit = 0; edit < 20; edit++) {
      const before = load.answered();
      await gateway.write(FILE, JSON.stringify(catchAll(upstream.url, { route: { name: `all-${edit}` } })));
      expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
      await eventually(() => load.answered() > before + 8, "requests to go on");
    }
    const { answered, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(160);
  });

  test("lets event streams and WebSockets of other routes go on", async () => {
    await using events = startEvents(5);
    using echo = startWebSocketEcho();
    const routes = (name: string) => ({
      services: {
        events: { discover: "static", endpoints: [{ url: events.url }] },
        echo: { discover: "static", endpoints: [{ url: echo.url }] },
      },
      routes: [
        { name: "events", matches: [{ path: "/events" }], backends: [{ service: "events" }] },
        { name: "echo", matches: [{ path: "/ws" }], backends: [{ service: "echo" }] },
        { name, matches: [{ path: `/${name}` }], backends: [{ service: "echo" }] },
      ],
    });
    await using gateway = await startGateway({ routes: routes("other") });
    using stream = await openEvents(gateway, request("GET /events"));
    using socket = await openEchoSocket(`ws://127.0.0.1:${gateway.port}/ws`);
    for (let edit = 0; edit < 10; edit++) {
      const before = stream.newest();
      await gateway.write(FILE, JSON.stringify(routes(`other-${edit}`)));
      expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
      await stream.client.peer.until(() => stream.newest() > before, "a further event");
      await socket.ask(`after edit ${edit}`);
    }
    expect([stream.isOpen(), socket.isOpen()]).toEqual([true, true]);
  });

  test("lets a request end on the route that it began on", async () => {
    const release = Promise.withResolvers<void>();
    await using slow = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok("slow"));
    });
    await using other = startAnswering(() => ok("other"));
    await using gateway = await startProxy(slow.url);
    using client = await gateway.connect();
    await client.send(get());
    await slow.taken(1);
    await gateway.write(FILE, JSON.stringify(catchAll(other.url)));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect(await bodyOf(gateway)).toBe("other");
    release.resolve();
    expect((await client.response()).body.toString()).toBe("slow");
  });
});

describe("a broken edit", () => {
  const BROKEN =
    'services:\n  upstream:\n    discover: static\n    endpoints: [{ url: "http://127.0.0.1:1" }]\nroutes:\n  - name: all\n    matchs: []\n';

  test("changes nothing and is reported with file, line and field", async () => {
    await using upstream = startAnswering(() => ok("still"));
    await using gateway = await startProxy(upstream.url);
    await gateway.write(FILE, BROKEN);
    const result = await gateway.gateway.reload();
    expect(result.isLive).toBe(false);
    if (!result.isLive)
      expect(result.error.issues.map(({ line, field }) => [line, field])).toContainEqual([
        7,
        expect.stringContaining("routes[0]"),
      ]);
    expect(await bodyOf(gateway)).toBe("still");
  });

  test("is told in the log without being asked for", async () => {
    await using upstream = startAnswering(() => ok("still"));
    await using gateway = await startProxy(upstream.url);
    await gateway.write(FILE, BROKEN);
    await eventually(
      () => gateway.log.some(({ file, line }) => String(file).endsWith("main.yaml") && line === 7),
      "the fault in the log",
    );
    expect(await bodyOf(gateway)).toBe("still");
  });

  test("is forgotten when it is mended", async () => {
    await using one = startAnswering(() => ok("one"));
    await using two = startAnswering(() => ok("two"));
    await using gateway = await startProxy(one.url);
    await gateway.write(FILE, "routes: [\n");
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: false });
    await gateway.write(FILE, JSON.stringify(catchAll(two.url)));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect(await bodyOf(gateway)).toBe("two");
  });

  test("of one file among several changes none", async () => {
    await using one = startAnswering(() => ok("one"));
    await using two = startAnswering(() => ok("two"));
    await using gateway = await startProxy(one.url);
    await gateway.write(FILE, JSON.stringify(catchAll(two.url)));
    await gateway.write("routes/second.yaml", "routes: 7\n");
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: false });
    expect(await bodyOf(gateway)).toBe("one");
  });
});
