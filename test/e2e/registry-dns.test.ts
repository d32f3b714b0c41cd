import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { type DnsRecord, startDnsServer } from "../support/dns-server.ts";
import { eventually, startLoad } from "../support/load.ts";
import { startOrigin } from "../support/origin.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(30_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SRV_NAME = "_http._tcp.shop.internal";

function a(address: string): DnsRecord {
  return { type: "A", address, ttl: 1 };
}

function srv(port: number): DnsRecord {
  return { type: "SRV", target: "host.internal", port, ttl: 1 };
}

function startShop(dns: Readonly<Record<string, unknown>>, service = {}): Promise<TestGateway> {
  return startGateway({ routes: routes(dns, service) });
}

function routes(dns: Readonly<Record<string, unknown>>, service = {}) {
  return {
    services: { shop: { discover: "dns", dns, ...service } },
    routes: [{ name: "shop", backends: [{ service: "shop" }] }],
  };
}

function knows({ gateway }: TestGateway, ids: readonly string[], timeoutMs: number): Promise<void> {
  const known = () => gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
  return eventually(() => Bun.deepEquals(known(), [...ids]), `the endpoints ${ids}`, timeoutMs);
}

function messages({ log }: TestGateway): readonly unknown[] {
  return log.map(({ msg }) => msg).filter((msg) => String(msg).startsWith("DNS"));
}

async function metrics({ gateway }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
}

describe("a service in DNS", () => {
  test("is served where its records point, and follows them within their TTL, without a failed request", async () => {
    await using one = startOrigin();
    await using two = startOrigin();
    const server = await startDnsServer({ [SRV_NAME]: [srv(one.port)], "host.internal": [a("127.0.0.1")] });
    await using gateway = await startShop({ srv: SRV_NAME, resolver: server.address });
    const load = startLoad({ to: gateway, connections: 4, request: GET, pauseMs: 5 });
    await knows(gateway, [`127.0.0.1:${one.port}`], 0);
    server.set(SRV_NAME, [srv(two.port)]);
    await knows(gateway, [`127.0.0.1:${two.port}`], 4000);
    expect((await gateway.exchange(GET)).status).toBe(200);
    const { failures, answered } = await load.stop();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    server.close();
  });

  test("keeps its endpoints while the server is silent, through a reload too, and says so once", async () => {
    await using origin = startOrigin();
    const server = await startDnsServer({ "shop.internal": [a("127.0.0.1")] });
    const dns = { name: "shop.internal", port: origin.port, resolver: server.address };
    await using gateway = await startShop(dns);
    server.set("shop.internal", "silence");
    await eventually(() => messages(gateway).length > 0, "the warning", 10_000);
    expect((await gateway.exchange(GET)).status).toBe(200);
    await gateway.write("routes/main.yaml", JSON.stringify(routes(dns, { timeouts: { idle: "30s" } })));
    expect((await gateway.gateway.reload()).isLive).toBe(true);
    expect((await gateway.exchange(GET)).status).toBe(200);
    expect(new Set(messages(gateway))).toEqual(new Set(["DNS has no good answer: endpoints stay as last known"]));
    expect(await metrics(gateway)).toMatch(/torii_dns_failures_total\{service="shop",reason="timeout"\} [1-9]/);
    server.close();
  });

  test("is gone when its name does not exist any more, and back when it does", async () => {
    await using origin = startOrigin();
    const server = await startDnsServer({ "shop.internal": [a("127.0.0.1")] });
    await using gateway = await startShop({ name: "shop.internal", port: origin.port, resolver: server.address });
    server.set("shop.internal", "nxdomain");
    await knows(gateway, [], 10_000);
    expect((await gateway.exchange(GET)).status).toBe(503);
    server.set("shop.internal", [a("127.0.0.1")]);
    await knows(gateway, [`127.0.0.1:${origin.port}`], 8000);
    expect((await gateway.exchange(GET)).status).toBe(200);
    expect(messages(gateway)).toEqual([
      "DNS has no good answer: endpoints stay as last known",
      "DNS says that the service has no endpoint",
      "DNS answers again",
    ]);
    server.close();
  });

  test("over TLS shows a certificate for the name that was asked for, and no other is accepted", async () => {
    const ca = authority();
    const { cert, key } = ca.issue({ otherNames: ["DNS:pay.internal"] });
    await using upstream = startAnswering(() => ok("paid"), { tls: { cert, key } });
    const records = [srv(Number(new URL(upstream.url).port))];
    const server = await startDnsServer({
      "_https._tcp.pay.internal": records,
      "_https._tcp.other.internal": records,
      "host.internal": [a("127.0.0.1")],
    });
    const over = (name: string) =>
      startShop(
        { srv: `_https._tcp.${name}`, resolver: server.address, scheme: "https" },
        { tls: { ca: ca.certPath } },
      );
    await using right = await over("pay.internal");
    await using wrong = await over("other.internal");
    expect((await right.exchange(GET)).status).toBe(200);
    expect((await wrong.exchange(GET)).status).toBe(502);
    server.close();
  });

  test("lets a gateway start while the server is silent, and is served when it answers", async () => {
    await using origin = startOrigin();
    const server = await startDnsServer({ "shop.internal": "silence" });
    await using gateway = await startShop({ name: "shop.internal", port: origin.port, resolver: server.address });
    expect((await gateway.exchange(GET)).status).toBe(503);
    server.set("shop.internal", [a("127.0.0.1")]);
    await knows(gateway, [`127.0.0.1:${origin.port}`], 8000);
    expect((await gateway.exchange(GET)).status).toBe(200);
  });
});
