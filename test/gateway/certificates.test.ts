import { describe, expect, test } from "bun:test";
import { createCertificateWatch, warnOfExpiry } from "../../src/gateway/certificate-watch.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { CERTS, load, NOW_AT } from "../config/folder.ts";
import { eventually } from "../support/load.ts";
import { startGateway } from "../support.ts";

const TORII = `listeners:
  - name: https
    port: 8443
    tls:
      certificates: [{ cert: certs/alone.pem, key: certs/alone.key }, { cert: certs/shop-rsa.pem, key: certs/shop-rsa.key }]
`;
const ENDS_AT = Date.parse("2126-01-01T00:00:00Z");

async function configured() {
  return (await load({ "torii.yaml": TORII, ...CERTS }, { nowAt: NOW_AT })).config;
}

describe("the certificates in force", () => {
  test("tell when they expire as a metric", async () => {
    const config = await configured();
    const metrics = createMetrics({ version: "test" });
    const watch = createCertificateWatch({ metrics, log: { warn() {} }, config: () => config });
    watch.close();
    const lines = (await metrics.render()).split("\n").filter((line) => line.startsWith("torii_certificate_"));
    expect(lines).toEqual([
      `torii_certificate_expiry_timestamp_seconds{listener="https",name="alone.example.com",key_type="ecdsa"} ${ENDS_AT / 1000}`,
      `torii_certificate_expiry_timestamp_seconds{listener="https",name="shop.example.com",key_type="rsa"} ${ENDS_AT / 1000}`,
    ]);
  });

  test("are warned of within 14 days of their end, and after it", async () => {
    const config = await configured();
    const said: unknown[] = [];
    const log = { warn: (facts: unknown) => void said.push(facts) };
    warnOfExpiry({ config: () => config, log }, ENDS_AT - 15 * 86_400_000);
    warnOfExpiry({ config: () => null, log }, ENDS_AT);
    expect(said).toEqual([]);
    warnOfExpiry({ config: () => config, log }, ENDS_AT - 86_400_000);
    warnOfExpiry({ config: () => config, log }, ENDS_AT);
    expect(said).toMatchObject([
      {
        listener: "https",
        certificate: "certs/alone.pem",
        detail: "expires on 2126-01-01T00:00:00Z, in 1 day; renew it",
      },
      { listener: "https", certificate: "certs/shop-rsa.pem" },
      { certificate: "certs/alone.pem", detail: "expired on 2126-01-01T00:00:00Z; renew it" },
      { certificate: "certs/shop-rsa.pem" },
    ]);
  });
});

describe("a refused configuration", () => {
  test("is refused once, and taken as soon as the file comes that it lacked", async () => {
    const routes = (tls: string) => `services: { s: { ${tls} } }\n`;
    await using gateway = await startGateway({ routes: routes("") });
    const refused = () => gateway.log.filter((line) => String(line["msg"]).startsWith("configuration refused"));
    await gateway.write("routes/main.yaml", routes("tls: { ca: late.pem }"));
    await eventually(() => refused().length > 0, "the refusal");
    await gateway.write("late.pem", CERTS["certs/root.pem"] ?? "");
    const options = () => gateway.gateway.snapshot()?.config.services[0]?.options;
    await eventually(() => (options()?.tls?.caPem ?? null) !== null, "the configuration");
    expect(refused()).toHaveLength(1);
  });
});
