import { describe, expect, test } from "bun:test";
import { metric } from "../gateway/support.ts";
import { closedPort } from "../support/unreachable.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

/** A gateway that passes the bytes of one listener to these endpoints. */
function startPipe(urls: readonly string[], service: Readonly<Record<string, unknown>>): Promise<TestGateway> {
  return startGateway({
    torii: { listeners: [{ name: "pipe", protocol: "tcp", address: "127.0.0.1", port: 0 }] },
    routes: {
      services: {
        db: {
          endpoints: urls.map((url, at) => ({ url, id: `e${at}` })),
          loadBalancing: { policy: "round_robin" },
          ...service,
        },
      },
      routes: [{ name: "pipe", listeners: ["pipe"], backends: [{ service: "db" }] }],
    },
  });
}

/** Says its name, and holds the connection. */
const named = (name: string): Upstream => startUpstream((connection) => connection.send(name));
const dead = () => `http://127.0.0.1:${closedPort()}`;

async function refusedAfter(gateway: TestGateway): Promise<void> {
  using client = await gateway.connect();
  await client.peer.ending();
}

describe("connections of a tcp listener", () => {
  test("go no more to an endpoint that does not accept, when so many failed to", async () => {
    await using well = named("well");
    await using gateway = await startPipe([dead(), well.url], {
      outlierDetection: { consecutiveFailures: 2, maxEjected: "50%" },
    });
    for (let i = 0; i < 8; i++) {
      using client = await gateway.connect();
      expect((await client.peer.take(4)).toString()).toBe("well");
    }
    const cause = await gateway.logged(({ decisions }) => JSON.stringify(decisions)?.includes("ejected"));
    expect(cause).toMatchObject({
      endpoint: "e1",
      attempts: 2,
      decisions: [{ policy: "outlier_detection", outcome: "ejected", about: "e0" }],
    });
    expect(await metric(gateway, 'torii_endpoint_ejected{service="db"}')).toBe(1);
    expect(gateway.log.filter(({ msg }) => msg === "endpoint ejected")).toHaveLength(1);
  });

  test("open the circuit of a service that accepts none, and are refused until it is tried again", async () => {
    await using gateway = await startPipe([dead()], { circuitBreaker: { minRequests: 2, openFor: "1h" } });
    for (let i = 0; i < 3; i++) await refusedAfter(gateway);
    const [opened, refused] = await Promise.all([
      gateway.logged(({ decisions }) => JSON.stringify(decisions)?.includes("opened")),
      gateway.logged(({ flags }) => JSON.stringify(flags) === '["circuit_open"]'),
    ]);
    expect(opened).toMatchObject({
      flags: ["upstream_connect"],
      decisions: [{ policy: "circuit_breaker", outcome: "opened", about: "db" }],
    });
    expect(refused).toMatchObject({
      attempts: 0,
      endpoint: null,
      decisions: [{ policy: "circuit_breaker", outcome: "open", about: "db" }],
    });
    expect(await metric(gateway, 'torii_circuit_breaker_state{service="db"}')).toBe(2);
    expect(await metric(gateway, 'torii_circuit_breaker_refused_total{service="db",reason="open"}')).toBe(1);
    expect(await metric(gateway, 'torii_passthrough_connections_total{route="pipe",result="circuit_open"}')).toBe(1);
  });

  test("over maxRequests are refused until one of those that are open ends", async () => {
    await using well = named("well");
    await using gateway = await startPipe([well.url], { circuitBreaker: { maxRequests: 1 } });
    const first = await gateway.connect();
    expect((await first.peer.take(4)).toString()).toBe("well");
    await refusedAfter(gateway);
    const refused = await gateway.logged(({ flags }) => JSON.stringify(flags) === '["overloaded"]');
    expect(refused).toMatchObject({ decisions: [{ policy: "circuit_breaker", outcome: "full", about: "db" }] });
    first.peer.reset();
    await gateway.logged(({ bytesSent }) => bytesSent === 4);
    using second = await gateway.connect();
    expect((await second.peer.take(4)).toString()).toBe("well");
    expect(await metric(gateway, "torii_passthrough_connections_open")).toBe(1);
  });
});
