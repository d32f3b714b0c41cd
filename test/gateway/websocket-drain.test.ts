import { describe, expect, test } from "bun:test";
import { connect as connectHttp2 } from "node:http2";
import { openTunnel, textFrame } from "../support/websocket.ts";
import { startProxy, type TestGateway } from "../support.ts";

interface Service extends Disposable {
  readonly url: string;
  /** Messages and closings in the order in which they came. */
  readonly seen: string[];
  /** Sends to the newest client. */
  send(text: string): void;
}

function startService(): Service {
  const seen: string[] = [];
  let newest: { send(text: string): unknown } | null = null;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: {
      open(socket) {
        newest = socket;
      },
      message(socket, message) {
        seen.push(String(message));
        socket.send(message);
      },
      close: (_socket, code, reason) => void seen.push(`closed ${code} ${reason}`),
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    send: (text) => void newest?.send(text),
    [Symbol.dispose]: () => void server.stop(true),
  };
}

function startDraining(service: Service, timeout = "5s"): Promise<TestGateway> {
  return startProxy(service.url, {
    torii: {
      listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
      status: { address: "127.0.0.1", port: 0 },
      telemetry: { accessLog: { enabled: false } },
      shutdown: { delay: "0s", timeout },
    },
  });
}

describe("a WebSocket, when the gateway goes", () => {
  test("is closed with 1001 at both ends, once messages under way are whole, and the drain waits for it", async () => {
    using service = startService();
    await using gateway = await startDraining(service);
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
    const events: string[] = [];
    const closed = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    const big = "m".repeat(3_000_000);
    client.onopen = () => opened.resolve();
    client.onmessage = ({ data }) => void events.push(`${String(data).length} bytes`);
    client.onclose = ({ code, reason }) => {
      events.push(`closed ${code} ${reason}`);
      closed.resolve();
    };
    await opened.promise;
    client.send("first");
    // Far more than one read brings: its frame is under way in both directions when the drain begins.
    client.send(big);
    const drained = gateway.gateway.drain();
    await closed.promise;
    await drained;
    expect(events.at(-1)).toBe("closed 1001 going away");
    for (const event of events.slice(0, -1)) expect(["5 bytes", "3000000 bytes"]).toContain(event);
    expect(service.seen.map((text) => (text === big ? "big" : text))).toEqual([
      "first",
      "big",
      "closed 1001 going away",
    ]);
  });

  test("over an HTTP/2 stream is told the same way (RFC 8441)", async () => {
    using service = startService();
    await using gateway = await startDraining(service);
    const session = connectHttp2(gateway.url);
    const ready = Promise.withResolvers<void>();
    session.on("remoteSettings", () => ready.resolve());
    session.on("error", () => {});
    await ready.promise;
    const stream = session.request(
      {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":path": "/",
        ":scheme": "http",
        "sec-websocket-version": "13",
      },
      { endStream: false },
    );
    const received: Buffer[] = [];
    const echo = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    stream.on("error", told.reject);
    stream.on("data", (bytes: Buffer) => {
      received.push(bytes);
      echo.resolve();
      if (Buffer.concat(received).includes("going away")) told.resolve();
    });
    stream.write(textFrame("hello"));
    await echo.promise;
    const drained = gateway.gateway.drain();
    await told.promise;
    const [frame] = [Buffer.concat(received).subarray("\x81\x05hello".length)];
    expect([frame[0], frame.readUInt16BE(2)]).toEqual([0x88, 1001]);
    // The client's own closing, masked, with the same code.
    stream.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]));
    await drained;
    expect(service.seen).toEqual(["hello", "closed 1001 "]);
    session.destroy();
  });

  test("whose client does not answer is closed towards the service all the same, and does not hold the drain up", async () => {
    using service = startService();
    await using gateway = await startDraining(service, "1500ms");
    const { client, response } = await openTunnel(gateway, "/");
    expect(response.status).toBe(101);
    await gateway.gateway.drain();
    expect(service.seen).toEqual(["closed 1001 going away"]);
    expect(await client.peer.ending()).not.toBe("open");
  });
});
