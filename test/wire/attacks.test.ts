import { describe, expect, test } from "bun:test";
import { connect } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { startGateway, startProxy } from "../support.ts";

const RESPOND = { name: "here", plugins: [{ use: "respond", with: { status: 200, body: "here" } }] };

describe("the gateway goes on serving", () => {
  test("after connections that were reset before they could be looked at", async () => {
    await using upstream = startAnswering(() => ok("alive"));
    await using gateway = await startProxy(upstream.url);
    for (let i = 0; i < 50; i++) {
      const client = await connect(gateway);
      client.peer.reset();
    }
    const response = await gateway.exchange(get());
    expect([response.status, response.body.toString()]).toEqual([200, "alive"]);
  });

  test("others while one client pipelines without end", async () => {
    await using gateway = await startGateway({ routes: { routes: [RESPOND] } });
    using greedy = await gateway.connect();
    greedy.peer.discard();
    const pipelined = request("GET /").repeat(2000);
    let isOver = false;
    const pouring = (async () => {
      while (!isOver) await greedy.send(pipelined);
    })();
    await eventually(() => greedy.peer.receivedBytes > 1_000_000, "the greedy client to be served");
    const before = greedy.peer.receivedBytes;
    for (let i = 0; i < 20; i++) expect((await gateway.exchange(get())).status).toBe(200);
    isOver = true;
    await pouring;
    // It was served all along: nobody was starved.
    expect(greedy.peer.receivedBytes).toBeGreaterThan(before);
  });
});

describe("a client cannot", () => {
  test("take away what a plugin sets, by naming it in Connection", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, {
      route: { plugins: [{ use: "request-headers", with: { set: { "x-user": "known" } } }] },
    });
    await gateway.exchange(request("GET /", "Connection: close, x-user", "X-User: liar"));
    expect(upstream.requests[0]?.headers.filter(([name]) => name.toLowerCase() === "x-user")).toEqual([
      ["x-user", "known"],
    ]);
  });

  test("get another client's connection out of step, when a plugin changes the method", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      await connection.send("late!");
      await connection.request();
      await connection.send(ok("second"));
    });
    const plugin = `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "as-get",
  options: z.strictObject({}),
  create: () => (c, next) => {
    c.env.upstreamMethod = "GET";
    return next();
  },
});
`;
    await using gateway = await startGateway({
      torii: { plugins: "own/" },
      files: { "own/as-get.ts": plugin },
      routes: {
        services: { up: { endpoints: [{ url: upstream.url }], maxConnections: 1 } },
        routes: [{ name: "all", plugins: [{ use: "as-get", with: {} }], backends: [{ service: "up" }] }],
      },
    });
    const head = await gateway.exchange(request("HEAD /", "Connection: close"), "HEAD");
    expect([head.status, head.body.length]).toEqual([200, 0]);
    const next = await gateway.exchange(get());
    expect(next.body.toString()).not.toContain("late!");
  });
});
