import { describe, expect, test } from "bun:test";
import { get } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

const FAILED = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

interface Guarded {
  readonly urls: readonly string[];
  readonly service: Readonly<Record<string, unknown>>;
}

/** A gateway of one service, with its metrics. */
function start({ urls, service }: Guarded) {
  return startGateway({
    torii: { status: { address: "127.0.0.1", port: 0 } },
    routes: {
      services: { shop: { endpoints: urls.map((url, at) => ({ url, id: `e${at}` })), ...service } },
      routes: [{ name: "all", backends: [{ service: "shop" }] }],
    },
  });
}

async function metricsOf({ gateway }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
}

describe("outlier detection", () => {
  test("takes an endpoint that answers 500 out, and sends nothing there any more", async () => {
    await using bad = startAnswering(() => FAILED);
    await using good = startAnswering(() => ok("good"));
    await using gateway = await start({
      urls: [bad.url, good.url],
      service: { loadBalancing: { policy: "round_robin" }, outlierDetection: { consecutiveFailures: 3 } },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 20; i++) statuses.push((await gateway.exchange(get())).status);
    expect(statuses.filter((status) => status === 500)).toHaveLength(3);
    expect(bad.requests).toHaveLength(3);
    const metrics = await metricsOf(gateway);
    expect(metrics).toContain('torii_endpoint_ejections_total{service="shop"} 1');
    expect(metrics).toContain('torii_endpoint_ejected{service="shop"} 1');
  });

  test("keeps the only endpoint, however it fails", async () => {
    await using bad = startAnswering(() => FAILED);
    await using gateway = await start({ urls: [bad.url], service: { outlierDetection: { consecutiveFailures: 1 } } });
    for (let i = 0; i < 5; i++) expect((await gateway.exchange(get())).status).toBe(500);
    expect(bad.requests).toHaveLength(5);
  });
});

describe("a circuit breaker", () => {
  test("refuses while the service fails, tries it when its time is over, and closes when it works", async () => {
    let works = false;
    await using upstream = startAnswering(() => (works ? ok("well") : FAILED));
    await using gateway = await start({
      urls: [upstream.url],
      service: { circuitBreaker: { minRequests: 4, openFor: "300ms" } },
    });
    for (let i = 0; i < 4; i++) expect((await gateway.exchange(get())).status).toBe(500);
    const refused = await gateway.exchange(get());
    expect([refused.status, header(refused, "retry-after")]).toEqual([503, "1"]);
    expect(JSON.parse(refused.body.toString())).toMatchObject({ type: "urn:torii:problem:circuit_open" });
    expect(upstream.requests).toHaveLength(4);
    expect(await metricsOf(gateway)).toContain('torii_circuit_breaker_state{service="shop"} 2');
    works = true;
    let status = 503;
    while (status === 503) status = (await gateway.exchange(get())).status;
    expect(status).toBe(200);
    for (let i = 0; i < 10; i++) expect((await gateway.exchange(get())).status).toBe(200);
    const metrics = await metricsOf(gateway);
    expect(metrics).toContain('torii_circuit_breaker_state{service="shop"} 0');
    expect(metrics).toContain('torii_circuit_breaker_changes_total{service="shop",state="open"} 1');
  });
});
