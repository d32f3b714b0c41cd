import { afterEach, describe, expect, spyOn, test } from "bun:test";
import type { RawClient } from "../support/client.ts";
import { get } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { handshake, startWebSocketEcho } from "../support/websocket.ts";
import { startGateway, type TestGateway } from "../support.ts";

const PATIENT = { isRelieved: true, isPatient: true };

const now = performance.now.bind(performance);
const clock = spyOn(performance, "now");

afterEach(() => void clock.mockImplementation(now));

/** Lets so much time pass for deadlines. */
function skip(ms: number): void {
  clock.mockImplementation(() => now() + ms);
}

interface Edge extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** A connection that has asked once. */
  kept(): Promise<RawClient>;
  /** Begins a drain; resolves when it has come to the point where idle connections would be closed. */
  drain(): Promise<{ readonly drained: Promise<void> }>;
}

/** A gateway that goes on elsewhere when this one drains. */
async function startEdge(timeout: string): Promise<Edge> {
  const upstream = startAnswering(() => ok());
  const echo = startWebSocketEcho();
  const service = (url: string) => ({ discover: "static", endpoints: [{ url }] });
  const gateway = await startGateway({
    torii: {
      listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
      status: { address: "127.0.0.1", port: 0 },
      telemetry: { accessLog: { enabled: false } },
      shutdown: { delay: "0s", timeout },
    },
    routes: {
      services: { plain: service(upstream.url), echo: service(echo.url) },
      routes: [
        { name: "echo", matches: [{ path: "/ws" }], backends: [{ service: "echo" }] },
        { name: "plain", matches: [{ path: "/*" }], backends: [{ service: "plain" }] },
      ],
    },
  });
  const kept = async () => {
    const client = await gateway.connect();
    await client.send(get());
    await client.response();
    return client;
  };
  return {
    gateway,
    kept,
    async drain() {
      const witness = await gateway.connect();
      await witness.send(handshake("/ws"));
      await witness.response();
      const drained = gateway.gateway.drain(PATIENT);
      await witness.peer.until(() => witness.peer.text.includes("going away"), "the WebSocket to be closed");
      witness.close();
      return { drained };
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      echo[Symbol.dispose]();
    },
  };
}

describe("a drain of a gateway that goes on elsewhere", () => {
  test("closes no kept connection before its client has asked, and been told to go", async () => {
    await using edge = await startEdge("60s");
    using kept = await edge.kept();
    using silent = await edge.gateway.connect();
    const { drained } = await edge.drain();
    for (const client of [kept, silent]) {
      await client.send(get());
      const response = await client.response();
      expect([response.status, header(response, "connection")]).toEqual([200, "close"]);
      client.close();
    }
    await drained;
  });

  test("closes those whose clients have been silent for ten seconds, and waits for them no longer", async () => {
    await using edge = await startEdge("60s");
    using kept = await edge.kept();
    const { drained } = await edge.drain();
    expect(kept.peer.state).toBe("open");
    skip(10_500);
    await drained;
    expect(await kept.peer.ending()).toBe("ended");
  });

  test("waits no longer than shutdown.timeout, and ends in order what is between requests then", async () => {
    await using edge = await startEdge("50ms");
    using kept = await edge.kept();
    const { drained } = await edge.drain();
    await drained;
    expect(await kept.peer.ending()).toBe("ended");
  });
});
