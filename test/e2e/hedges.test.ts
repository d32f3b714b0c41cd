import { describe, expect, test } from "bun:test";
import { startReady } from "../supervisor/support.ts";
import { exchange } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually, startLoad } from "../support/load.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

/** Whoever fails once is out, or has the circuit opened. */
const STRICT = {
  outlierDetection: { consecutiveFailures: 1, maxEjected: "100%" },
  circuitBreaker: { minRequests: 1, failureRate: "1%" },
};

const PLUGINS = [
  { use: "request-headers", with: { set: { "x-asked": "yes" } } },
  { use: "response-headers", with: { set: { "x-answered": "yes" } } },
];

interface Hedged {
  readonly urls: readonly string[];
  readonly hedge?: unknown;
  readonly retry?: Readonly<Record<string, unknown>>;
  readonly service?: Readonly<Record<string, unknown>>;
}

/** Routes to a service that takes its endpoints in turn. */
function routesOf({ urls, hedge = { after: "30ms" }, retry, service }: Hedged) {
  const endpoints = urls.map((url, index) => ({ id: String(index), url }));
  const loadBalancing = { policy: "round_robin" };
  return {
    services: { mesh: { discover: "static", endpoints, loadBalancing, ...service } },
    routes: [
      { name: "all", retry: { budget: "100%", hedge, ...retry }, plugins: PLUGINS, backends: [{ service: "mesh" }] },
    ],
  };
}

/** Takes requests and never answers. */
const startSilent = () =>
  startUpstream(async (connection) => {
    for (;;) await connection.request(600_000);
  });

const goneOf = ({ connections }: Upstream) => connections.filter(({ peer }) => peer.isGone).length;

async function metricsOf({ gateway }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
}

/** The counts of `torii_hedges_total`, by result. */
async function hedges(gateway: TestGateway): Promise<Readonly<Record<string, number>>> {
  const lines = (await metricsOf(gateway)).matchAll(/^torii_hedges_total\{service="mesh",result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, result = "", count]) => [result, Number(count)]));
}

/** The first request that begins with this endpoint: whose turn it is first is chance. */
async function untilAsked(gateway: TestGateway, upstream: Upstream) {
  for (;;) {
    const response = gateway.exchange(get());
    await Promise.race([upstream.taken(1), response]);
    if (upstream.requests.length > 0) return { response };
  }
}

describe("a route with hedges", () => {
  test("answers every request although an endpoint answers none, which sees them called off and is not blamed", async () => {
    await using silent = startSilent();
    await using one = startAnswering(() => ok());
    await using two = startAnswering(() => ok());
    const urls = [silent.url, one.url, two.url];
    await using gateway = await startGateway({ routes: routesOf({ urls, service: STRICT }) });
    const load = startLoad({ to: gateway, connections: 8, request: request("GET /") });
    await eventually(() => load.answered() > 300 && silent.requests.length > 50, "load");
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    const { won = 0, ...others } = await hedges(gateway);
    expect([won, others]).toEqual([silent.requests.length, {}]);
    await eventually(() => goneOf(silent) === silent.connections.length, "the attempts to be called off");
    const metrics = await metricsOf(gateway);
    expect(metrics).toContain('torii_endpoint_ejected{service="mesh"} 0');
    expect(metrics).toContain('torii_circuit_breaker_state{service="mesh"} 0');
    expect(metrics).not.toContain("torii_retries_total{");
  }, 30_000);

  test("waits as long as a share of recent responses took, and no longer", async () => {
    let isSilent = false;
    await using ill = startUpstream(async (connection) => {
      for (;;) {
        await connection.request(600_000);
        if (!isSilent) await connection.send(ok());
      }
    });
    await using well = startAnswering(() => ok());
    const routes = routesOf({ urls: [ill.url, well.url], hedge: { after: "p95" } });
    await using gateway = await startGateway({ routes });
    const load = startLoad({ to: gateway, connections: 4, request: request("GET /") });
    await eventually(() => load.answered() > 300, "load on a well mesh");
    isSilent = true;
    const answered = load.answered();
    await eventually(() => load.answered() > answered + 300, "load on an ill mesh");
    expect((await load.stop()).failures).toEqual([]);
    expect((await hedges(gateway))["won"]).toBeGreaterThan(50);
  }, 30_000);

  test("says in the access log what it did, and of whom the response is", async () => {
    await using silent = startSilent();
    await using well = startAnswering(() => ok("well"));
    await using gateway = await startGateway({ routes: routesOf({ urls: [silent.url, well.url] }) });
    const put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    while (silent.requests.length === 0) {
      const response = await gateway.exchange(put);
      expect([response.body.toString(), header(response, "x-answered")]).toEqual(["well", "yes"]);
    }
    expect(await gateway.logged(({ attempts }) => attempts === 2)).toMatchObject({
      status: 200,
      endpoint: "1",
      decisions: [
        { policy: "hedge", outcome: "sent", about: "1" },
        { policy: "hedge", outcome: "won", about: "1" },
        { policy: "hedge", outcome: "lost", about: "0" },
      ],
    });
    for (const { body, headers } of [...silent.requests, ...well.requests]) {
      expect(body.toString()).toBe("hi");
      expect(headers).toContainEqual(["x-asked", "yes"]);
    }
  });

  test("calls both attempts off when the client leaves", async () => {
    await using first = startSilent();
    await using second = startSilent();
    await using gateway = await startGateway({ routes: routesOf({ urls: [first.url, second.url], service: STRICT }) });
    const client = await gateway.connect();
    await client.send(get());
    for (const upstream of [first, second]) await upstream.taken(1);
    client.peer.reset();
    await eventually(() => goneOf(first) + goneOf(second) === 2, "both to be called off");
    expect(await gateway.logged(({ status }) => status === 499)).toMatchObject({ attempts: 2 });
    expect(await hedges(gateway)).toEqual({ abandoned: 1 });
    expect(await metricsOf(gateway)).toContain('torii_endpoint_ejected{service="mesh"} 0');
  });

  test("sends no more of them than the budget allows", async () => {
    await using first = startSilent();
    await using second = startSilent();
    const retry = { budget: "0%", perTryTimeout: "600ms", on: ["connect_failure"] };
    await using gateway = await startGateway({ routes: routesOf({ urls: [first.url, second.url], retry }) });
    const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await gateway.exchange(get())).status));
    expect(new Set(statuses)).toEqual(new Set([504]));
    const { failed, budget_exhausted: refused } = await hedges(gateway);
    // Ten within ten seconds are free.
    expect([failed, refused, first.requests.length + second.requests.length]).toEqual([10, 20, 40]);
  });

  test("finishes what it began when a reload takes hedges and the service's endpoints away", async () => {
    await using silent = startSilent();
    await using well = startAnswering(() => ok("well"));
    await using other = startAnswering(() => ok("other"));
    const hedged = routesOf({ urls: [silent.url, well.url], hedge: { after: "500ms" } });
    await using gateway = await startGateway({ routes: hedged });
    const asked = await untilAsked(gateway, silent);
    await gateway.write("routes/main.yaml", JSON.stringify(routesOf({ urls: [other.url] })));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect((await gateway.exchange(get())).body.toString()).toBe("other");
    expect((await asked.response).body.toString()).toBe("well");
    await eventually(() => goneOf(silent) === 1, "the first to be called off");
  });

  test("finishes what it began in a drain", async () => {
    await using silent = startSilent();
    await using well = startAnswering(() => ok("well"));
    await using gateway = await startGateway({
      routes: routesOf({ urls: [silent.url, well.url], hedge: { after: "300ms" } }),
      torii: { shutdown: { delay: "0s", timeout: "5s" } },
    });
    const asked = await untilAsked(gateway, silent);
    const drained = gateway.gateway.drain();
    expect((await asked.response).body.toString()).toBe("well");
    await drained;
    await eventually(() => goneOf(silent) === 1, "the first to be called off");
  });

  test("counts the hedges of all workers together", async () => {
    await using silent = startSilent();
    await using well = startAnswering(() => ok("well"));
    const routes = JSON.stringify(routesOf({ urls: [silent.url, well.url] }));
    await using workers = await startReady({
      files: { "routes/main.yaml": routes, "routes/main.ts": "export default { routes: [] };\n" },
    });
    const asks = Array.from({ length: 40 }, async () => (await exchange(workers, get())).status);
    expect(new Set(await Promise.all(asks))).toEqual(new Set([200]));
    expect(silent.requests.length).toBeGreaterThan(5);
    expect(await workers.metric('torii_hedges_total{service="mesh",result="won"}')).toBe(silent.requests.length);
    await eventually(() => goneOf(silent) === silent.connections.length, "all to be called off");
  }, 60_000);
});
