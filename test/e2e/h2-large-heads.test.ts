import { expect, test } from "bun:test";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { request } from "../support/forward.ts";
import { startGateway } from "../support.ts";

/** A server of the runtime's, which resets requests over the size that it told. */
async function startSmall(maxHeaderListSize: number) {
  const server = createServer({ settings: { maxHeaderListSize } });
  const sizes: number[] = [];
  server.on("stream", (stream: ServerHttp2Stream, fields) => {
    sizes.push(Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + String(value).length + 32, 0));
    stream.respond({ ":status": 200 });
    stream.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    sizes,
    [Symbol.dispose]: () => void server.close(),
  };
}

test("a request with more fields than an endpoint says it takes is refused, and the endpoint is not to blame", async () => {
  using small = await startSmall(4096);
  await using gateway = await startGateway({
    routes: {
      services: {
        shop: {
          protocol: "h2c",
          endpoints: [{ url: small.url }],
          outlierDetection: { consecutiveFailures: 1, maxEjected: "100%" },
          circuitBreaker: { minRequests: 1, failureRate: "1%" },
        },
      },
      routes: [{ name: "all", retry: { attempts: 2 }, backends: [{ service: "shop" }] }],
    },
  });
  const ask = async (bytes: number) =>
    (await gateway.exchange(request("GET /", `X-Large: ${"a".repeat(bytes)}`))).status;
  const statuses: number[] = [];
  for (let bytes = 2000; bytes < 5000; bytes += 250) statuses.push(await ask(bytes));
  expect(new Set(statuses)).toEqual(new Set([200, 431]));
  expect(statuses).toEqual(statuses.toSorted());
  expect(await ask(10_000)).toBe(431);
  expect(await ask(10)).toBe(200);
  expect(Math.max(...small.sizes)).toBeGreaterThan(3500);
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.gateway.statusPort}/metrics`)).text();
  expect(metrics).toContain('torii_circuit_breaker_state{service="shop"} 0');
  expect(metrics).toContain('torii_endpoint_ejected{service="shop"} 0');
});
