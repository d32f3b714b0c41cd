import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { eventually } from "../support/load.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(30_000);

const ca = authority();
const { cert, key } = ca.issue({ otherNames: ["IP:127.0.0.1"] });

type Manner = "well" | "sick" | "stalled";

/** An endpoint that answers requests with its name, and its checks in its manner. */
function startEndpoint(name: string, { isSecure = false, port = 0 } = {}) {
  const state: { manner: Manner; checks: number } = { manner: "well", checks: 0 };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    ...(isSecure ? { tls: { cert, key } } : {}),
    fetch(request) {
      if (new URL(request.url).pathname !== "/healthz") return new Response(name);
      state.checks++;
      if (state.manner === "stalled") return new Promise<Response>(() => {});
      return new Response("", { status: state.manner === "well" ? 200 : 500 });
    },
  });
  const at = server.port ?? 0;
  return {
    name,
    state,
    port: at,
    spec: { id: name, url: `${isSecure ? "https" : "http"}://127.0.0.1:${at}` },
    stop: () => server.stop(true),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

type TestEndpoint = ReturnType<typeof startEndpoint>;

const CHECK = { path: "/healthz", interval: "100ms", timeout: "200ms", healthyAfter: 2, unhealthyAfter: 2 };

function routes(endpoints: readonly TestEndpoint[], service: object = {}, route: object = {}) {
  const shop = { discover: "static", endpoints: endpoints.map(({ spec }) => spec), healthCheck: CHECK, ...service };
  return { services: { shop }, routes: [{ name: "shop", backends: [{ service: "shop" }], ...route }] };
}

/** Who answers, of so many requests that everyone would. */
async function answering(gateway: TestGateway): Promise<string> {
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { status, body } = await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    seen.add(status === 200 ? body.toString() : String(status));
  }
  return [...seen].sort().join(" ");
}

async function metrics({ gateway }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
}

/** Waits until the gateway has shown that value for the endpoint. */
function shows(gateway: TestGateway, endpoint: string, value: 0 | 1): Promise<void> {
  const line = `torii_endpoint_healthy{service="shop",endpoint="${endpoint}"} ${value}\n`;
  return eventually(async () => (await metrics(gateway)).includes(line), line, 10_000);
}

const changes = ({ log }: TestGateway) =>
  log.filter(({ msg }) => String(msg).startsWith("endpoint ")).map(({ msg, endpoint }) => `${endpoint} ${msg}`);

describe("a service with health checks", () => {
  test.each<Manner>(["sick", "stalled"])(
    "sends nothing to an endpoint that is %s, until it is well again",
    async (manner) => {
      await using a = startEndpoint("a");
      await using b = startEndpoint("b");
      await using gateway = await startGateway({ routes: routes([a, b]) });
      await eventually(() => a.state.checks > 0 && b.state.checks > 0, "a first check of each");
      expect(await answering(gateway)).toBe("a b");
      b.state.manner = manner;
      await shows(gateway, "b", 0);
      expect(await answering(gateway)).toBe("a");
      b.state.manner = "well";
      await shows(gateway, "b", 1);
      expect(await answering(gateway)).toBe("a b");
      expect(changes(gateway)).toEqual(["b endpoint unhealthy", "b endpoint healthy"]);
      const result = manner === "sick" ? "failure" : "timeout";
      expect(await metrics(gateway)).toMatch(
        new RegExp(`torii_health_checks_total\\{service="shop",result="${result}"\\} \\d`),
      );
    },
  );

  test("takes out an endpoint whose process dies, and takes it back when another is at its port", async () => {
    await using a = startEndpoint("a");
    const b = startEndpoint("b");
    await using gateway = await startGateway({
      routes: routes([a, b], { healthCheck: { ...CHECK, type: "tcp", path: undefined } }),
    });
    await b.stop();
    await shows(gateway, "b", 0);
    expect(await answering(gateway)).toBe("a");
    await using again = startEndpoint("c", { port: b.port });
    await shows(gateway, "b", 1);
    expect(await answering(gateway)).toBe("a c");
    expect(again.state.checks).toBe(0);
  });

  test("uses all when fewer than the panic threshold are well, and counts it", async () => {
    await using a = startEndpoint("a");
    await using b = startEndpoint("b");
    await using gateway = await startGateway({ routes: routes([a, b]) });
    a.state.manner = "sick";
    b.state.manner = "sick";
    await shows(gateway, "a", 0);
    await shows(gateway, "b", 0);
    expect(await answering(gateway)).toBe("a b");
    expect(await metrics(gateway)).toContain('torii_service_panics_total{service="shop"} 1\n');
  });

  test("refuses when nobody is well and the threshold is 0%", async () => {
    await using a = startEndpoint("a");
    const service = { loadBalancing: { panicThreshold: "0%" } };
    await using gateway = await startGateway({ routes: routes([a], service) });
    a.state.manner = "sick";
    await shows(gateway, "a", 0);
    expect(await answering(gateway)).toBe("503");
  });

  test("keeps what it knows when a reload does not change it, and ends its checks when it goes", async () => {
    await using a = startEndpoint("a");
    await using b = startEndpoint("b");
    await using gateway = await startGateway({ routes: routes([a, b]) });
    b.state.manner = "sick";
    await shows(gateway, "b", 0);
    await gateway.write("routes/main.yaml", JSON.stringify(routes([a, b], {}, { name: "shop-2" })));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect(await answering(gateway)).toBe("a");
    // Checks of another service tell how time passes.
    const { services, routes: rules } = routes([a, b], { healthCheck: undefined });
    const others = { ...services, other: routes([b]).services.shop };
    const rule = { name: "other", hostnames: ["other.test"], backends: [{ service: "other" }] };
    await gateway.write("routes/main.yaml", JSON.stringify({ services: others, routes: [...rules, rule] }));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect(await answering(gateway)).toBe("a b");
    expect(await metrics(gateway)).not.toContain('torii_endpoint_healthy{service="shop"');
    const { checks } = a.state;
    const later = b.state.checks + 4;
    await eventually(() => b.state.checks >= later, "checks of another service");
    expect(a.state.checks).toBe(checks);
  });

  test("checks an endpoint that joins, and no longer one that left", async () => {
    await using a = startEndpoint("a");
    await using b = startEndpoint("b");
    b.state.manner = "sick";
    const service = { discover: "memory", endpoints: undefined };
    await using gateway = await startGateway({ routes: routes([], service) });
    const { registry } = gateway;
    for (const { spec } of [a, b]) registry.register("shop", { ...spec, weight: 1 }, 60_000);
    await shows(gateway, "b", 0);
    registry.register("shop", { ...b.spec, weight: 5 }, 60_000);
    expect(await answering(gateway)).toBe("a");
    registry.deregister("shop", "a");
    await eventually(async () => !(await metrics(gateway)).includes('endpoint="a"'), "a to leave");
    const { checks } = a.state;
    const later = b.state.checks + 4;
    await eventually(() => b.state.checks >= later, "checks of the other one");
    expect(a.state.checks).toBe(checks);
    registry.deregister("shop", "b");
    registry.register("shop", { ...b.spec, weight: 1 }, 60_000);
    await shows(gateway, "b", 0);
  });

  test("checks over TLS as requests go, and counts no check as load", async () => {
    await using a = startEndpoint("a", { isSecure: true });
    await using b = startEndpoint("b", { isSecure: true });
    await using gateway = await startGateway({ routes: routes([a, b], { tls: { ca: ca.certPath } }) });
    await eventually(() => a.state.checks > 2 && b.state.checks > 2, "three checks of each");
    expect(await metrics(gateway)).toContain('torii_upstream_connections{service="shop"} 0\n');
    b.state.manner = "stalled";
    const checks = b.state.checks;
    await eventually(() => b.state.checks > checks, "a check that is under way");
    const [service] = gateway.gateway.services.list();
    expect(service?.endpoints.map(({ pool }) => pool.inFlight)).toEqual([0, 0]);
    await shows(gateway, "b", 0);
    expect(await answering(gateway)).toBe("a");
  });
});
