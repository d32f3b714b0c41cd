import { describe, expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions, UpstreamTls } from "../../src/service/options.ts";
import { createService } from "../../src/service/service.ts";
import { lazyTls } from "../../src/service/tls.ts";
import { authority } from "../support/certificates.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { forward, serviceDeps, serviceOptions, spec, type Warnings } from "./support.ts";

const ca = authority();
const TLS: UpstreamTls = { caPem: ca.cert, serverName: null, certPem: null, keyPem: null };

function startSecure(otherName: string) {
  const { cert, key } = ca.issue({ otherNames: [otherName] });
  return startAnswering((request) => ok(request.target), { tls: { cert, key } });
}

/** A service with these endpoints, open during `use`. */
async function withService(
  urls: readonly string[],
  options: Partial<ServiceOptions>,
  use: (ask: (line: string) => Promise<string>, warnings: Warnings) => Promise<void>,
): Promise<void> {
  const warnings: Warnings = [];
  const registry = createStaticRegistry({ shop: urls.map((url, at) => spec(`e${at}`, url)) });
  const service = createService("shop", serviceOptions(options), serviceDeps(registry, warnings));
  await service.ready;
  await use(async (line) => (await forward(service, { line })).outcome, warnings);
  service.close();
}

describe("a service with an https endpoint", () => {
  test("verifies it by the service's authority and the endpoint's host", async () => {
    await using upstream = startSecure("IP:127.0.0.1");
    await withService([upstream.url], { tls: TLS }, async (ask) => {
      expect([await ask("GET /a HTTP/1.1"), await ask("GET /b HTTP/1.1")]).toEqual(["/a", "/b"]);
    });
    expect(upstream.connections).toHaveLength(1);
  });

  test("verifies it by the service's name for it, where there is one", async () => {
    await using upstream = startSecure("DNS:shop.internal");
    await withService([upstream.url], { tls: { ...TLS, serverName: "shop.internal" } }, async (ask) => {
      expect(await ask("GET /a HTTP/1.1")).toBe("/a");
    });
    await withService([upstream.url], { tls: TLS }, async (ask) => {
      expect(await ask("GET /a HTTP/1.1")).toBe("upstream_connect");
    });
  });

  test("trusts the system's authorities without any of its own", async () => {
    await using upstream = startSecure("IP:127.0.0.1");
    await withService([upstream.url], {}, async (ask) => {
      expect(await ask("GET /a HTTP/1.1")).toBe("upstream_connect");
    });
  });

  test("may have endpoints in the clear beside it", async () => {
    await using secure = startSecure("IP:127.0.0.1");
    await using plain = startAnswering((request) => ok(request.target));
    await withService([secure.url, plain.url], { tls: TLS }, async (ask) => {
      for (const line of ["GET /a HTTP/1.1", "GET /b HTTP/1.1"]) expect(await ask(line)).toMatch(/^\/[ab]$/);
    });
    expect([secure.requests.length, plain.requests.length]).toEqual([1, 1]);
  });

  test("says so when its authority cannot be read", async () => {
    await withService(["https://127.0.0.1:1"], { tls: { ...TLS, caPem: "none" } }, async (_, warnings) => {
      expect(warnings).toEqual([expect.stringContaining("registry failed")]);
    });
  });
});

test("a service's context is made when it is first asked for, once", () => {
  const tls = lazyTls(serviceOptions({ tls: TLS }));
  expect(tls()).toBe(tls());
});
