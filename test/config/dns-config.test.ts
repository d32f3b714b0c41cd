import { describe, expect, test } from "bun:test";
import { CERTS, load } from "./folder.ts";

async function optionsOf(text: string) {
  const { config } = await load({ ...CERTS, "routes/a.yaml": `services:\n  a: ${text}\n` });
  return config.services[0]?.options;
}

describe("a service in DNS", () => {
  test("asks for a host at a port, of the system's servers, in the clear, unless more is said", async () => {
    expect(await optionsOf("{ dns: { name: Catalog.Internal., port: 8080 } }")).toMatchObject({
      discover: "dns",
      dns: { name: "catalog.internal", port: 8080, resolver: null, scheme: "http" },
      tls: null,
    });
  });

  test("asks for SRV records, whose ports count", async () => {
    expect(await optionsOf("{ discover: dns, dns: { srv: _http._tcp.catalog.internal } }")).toMatchObject({
      dns: { name: "_http._tcp.catalog.internal", port: null },
    });
  });

  test.each([
    ["10.0.0.2", "10.0.0.2:53"],
    ["10.0.0.2:5353", "10.0.0.2:5353"],
    ["fd00::2", "[fd00::2]:53"],
    ["[fd00::2]:5353", "[fd00::2]:5353"],
  ])("asks the resolver %s at %s", async (resolver, server) => {
    const options = await optionsOf(`{ dns: { name: a.internal, port: 80, resolver: "${resolver}" } }`);
    expect(options?.dns?.resolver).toBe(server);
  });

  test("verifies certificates by the name that is asked for, unless another is given", async () => {
    const https = (dns: string, more = "") => optionsOf(`{ dns: { ${dns}, scheme: https }${more} }`);
    expect((await https("name: a.internal, port: 443"))?.tls).toEqual({
      caPem: null,
      serverName: "a.internal",
      certPem: null,
      keyPem: null,
    });
    expect((await https("srv: _https._tcp.b.internal"))?.tls?.serverName).toBe("b.internal");
    const own = await https("name: a.internal, port: 443", ", tls: { ca: certs/root.pem, serverName: c.internal }");
    expect(own?.tls).toMatchObject({ serverName: "c.internal", caPem: CERTS["certs/root.pem"] ?? "" });
    const withCa = await https("name: a.internal, port: 443", ", tls: { ca: certs/root.pem }");
    expect(withCa?.tls).toMatchObject({ serverName: "a.internal", caPem: CERTS["certs/root.pem"] ?? "" });
  });
});
