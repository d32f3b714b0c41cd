import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { collectExpiry, warnOfExpiry } from "../../src/gateway/certificate-watch.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { CERTS, load, NOW_AT } from "../config/folder.ts";
import { authority } from "../support/certificates.ts";
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
    collectExpiry(metrics, () => config);
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

/** The serial number of the certificate that a new connection is shown. */
async function shownSerial(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, servername: "shop.test", rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

describe("a certificate that is rotated", () => {
  test("is shown once its key has followed, and nothing is lost in between", async () => {
    const [before, after] = [authority().renew({ names: ["shop.test"] }), authority().renew({ names: ["shop.test"] })];
    const tls = { certificates: [{ cert: "shop.pem", key: "shop.key" }] };
    await using gateway = await startGateway({
      torii: { listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls }] },
      routes: "",
      files: { "shop.pem": before.cert, "shop.key": before.key },
    });
    const serialOf = ({ cert }: { readonly cert: string }) => new X509Certificate(cert).serialNumber;
    expect(await shownSerial(gateway.port)).toBe(serialOf(before));
    const refused = () => gateway.log.some((line) => String(line["message"]).includes("does not belong to shop.pem"));
    await gateway.write("shop.pem", after.cert);
    await eventually(refused, "the fault");
    expect(await shownSerial(gateway.port)).toBe(serialOf(before));
    await gateway.write("shop.key", after.key);
    await eventually(async () => (await shownSerial(gateway.port)) === serialOf(after), "the new certificate");
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
