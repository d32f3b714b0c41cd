import { expect, test } from "bun:test";
import { startUpstream } from "../support/upstream.ts";
import { openTunnel, SWITCHING } from "../support/websocket.ts";
import { startProxy } from "../support.ts";

test("a tunnel that neither end reads is reset at both ends when a drain runs out of time", async () => {
  const ends = Promise.withResolvers<string>();
  await using upstream = startUpstream(async (connection) => {
    await connection.request();
    await connection.send(SWITCHING);
    // Far more than kernels hold: the gateway has to hold the service back.
    void connection.send(Buffer.alloc(64 * 1024 * 1024)).catch(() => {});
    await connection.peer.until(() => connection.peer.isGone, "the end", 5000);
    ends.resolve(connection.peer.state);
  });
  await using gateway = await startProxy(upstream.url, {
    torii: {
      listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
      status: { address: "127.0.0.1", port: 0 },
      telemetry: { accessLog: { enabled: false } },
      shutdown: { delay: "0s", timeout: "100ms" },
    },
  });
  const { client } = await openTunnel({ port: gateway.port });
  using _closing = client;
  client.peer.pause();
  await gateway.gateway.drain();
  expect(await ends.promise).toBe("reset");
});
