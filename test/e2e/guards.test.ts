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

interface Decided {
  readonly policy: string;
  readonly outcome: string;
  readonly about?: string;
}

/** What policies did with the first request of this status with such an outcome among them, from the access log. */
async function decisionsOf(gateway: TestGateway, status: number, outcome: string): Promise<readonly string[]> {
  let found: readonly Decided[] = [];
  await gateway.logged((line) => {
    // As the access log writes it.
    found = line["decisions"] as readonly Decided[];
    return line["status"] === status && found.some((one) => one.outcome === outcome);
  });
  return found.map(({ policy, outcome: did, about }) => `${policy} ${did} ${about}`);
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
    expect(await decisionsOf(gateway, 500, "ejected")).toEqual(["outlier_detection ejected e0"]);
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
    expect(await decisionsOf(gateway, 500, "opened")).toEqual(["circuit_breaker opened shop"]);
    const refused = await gateway.exchange(get());
    expect([refused.status, header(refused, "retry-after")]).toEqual([503, "1"]);
    expect(JSON.parse(refused.body.toString())).toMatchObject({ type: "urn:torii:problem:circuit_open" });
    expect(await decisionsOf(gateway, 503, "open")).toEqual(["circuit_breaker open shop"]);
    expect(upstream.requests).toHaveLength(4);
    expect(await metricsOf(gateway)).toContain('torii_circuit_breaker_state{service="shop"} 2');
    works = true;
    let status = 503;
    while (status === 503) status = (await gateway.exchange(get())).status;
    expect(status).toBe(200);
    for (let i = 0; i < 10; i++) expect((await gateway.exchange(get())).status).toBe(200);
    expect(await decisionsOf(gateway, 200, "probe")).toEqual(["circuit_breaker probe shop"]);
    expect(await decisionsOf(gateway, 200, "closed")).toEqual([
      "circuit_breaker probe shop",
      "circuit_breaker closed shop",
    ]);
    const metrics = await metricsOf(gateway);
    expect(metrics).toContain('torii_circuit_breaker_state{service="shop"} 0');
    for (const state of ["open", "half_open", "closed"])
      expect(metrics).toContain(`torii_circuit_breaker_changes_total{service="shop",state="${state}"} 1`);
    expect(metrics).toMatch(/torii_circuit_breaker_refused_total\{service="shop",reason="open"\} [1-9]/);
  });
});
