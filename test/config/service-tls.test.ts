import { describe, expect, test } from "bun:test";
import { fingerprintsOf } from "../../src/config/certificate-dates.ts";
import { CERTS, faults, load, NOW_AT } from "./folder.ts";

function services(text: string, nowAt = NOW_AT) {
  return load({ ...CERTS, "routes/a.yaml": `services:\n${text}` }, { nowAt });
}

describe("a service", () => {
  test("is spoken to as its protocol and its URLs say", async () => {
    const { config } = await services(`
  a: { endpoints: [{ url: https://10.0.0.1 }, { url: "http://10.0.0.1:8080" }] }
  b: { protocol: h2, endpoints: [{ url: "https://[::1]:8443/" }] }
  c: { protocol: h2c, endpoints: [{ url: http://10.0.0.1 }], proxyProtocol: v2 }
  d: { protocol: h2, tls: {} }
`);
    expect(config.services.map(({ options }) => options)).toMatchObject([
      {
        protocol: "http1",
        tls: null,
        endpoints: [
          { id: "10.0.0.1:443", url: "https://10.0.0.1:443" },
          { id: "10.0.0.1:8080", url: "http://10.0.0.1:8080" },
        ],
      },
      { protocol: "h2", endpoints: [{ url: "https://[::1]:8443" }] },
      { protocol: "h2c", proxyProtocol: "v2" },
      { protocol: "h2", tls: null, discover: "memory" },
    ]);
  });

  test("verifies and shows what its files hold, which are watched", async () => {
    const { config, watched } = await services(`
  a:
    endpoints: [{ url: https://10.0.0.1 }]
    tls: { ca: certs/root.pem, serverName: A.internal, cert: certs/client.pem, key: "\${file:certs/client.key}" }
`);
    expect(config.services[0]?.options.tls).toEqual({
      caPem: CERTS["certs/root.pem"] ?? "",
      serverName: "a.internal",
      certPem: CERTS["certs/client.pem"] ?? "",
      keyPem: CERTS["certs/client.key"] ?? "",
    });
    for (const name of ["root.pem", "client.pem", "client.key"])
      expect(watched.some((path) => path.endsWith(`/certs/${name}`))).toBe(true);
  });

  test("may show a certificate without its issuer's: the server that asks for one has that", async () => {
    const { warnings } = await services(
      "  a: { discover: memory, tls: { cert: certs/client.pem, key: certs/client.key } }\n",
    );
    expect(warnings).toEqual([]);
  });

  test("keeps a certificate that expired while it was in force", async () => {
    const text = "  a: { discover: memory, tls: { cert: certs/client.pem, key: certs/client.key } }\n";
    const nowAt = Date.parse("2126-01-02T00:00:00Z");
    const files = { ...CERTS, "routes/a.yaml": `services:\n${text}` };
    const certificatesInForce = fingerprintsOf((await services(text)).config);
    expect((await load(files, { nowAt, certificatesInForce })).warnings[0]?.message).toContain("expired on 2126-01-01");
    expect(await faults(files, { nowAt })).toHaveLength(1);
  });
});
