import { describe, expect, test } from "bun:test";
import { clientCertField } from "../../src/wire/client-cert-field.ts";
import { headerList } from "../../src/wire/header-list.ts";
import type { ClientCertificate } from "../../src/wire/tls/tls-info.ts";

const CERTIFICATE: ClientCertificate = {
  isVerified: true,
  subject: "CN=shop,O=Example",
  issuer: "CN=CA",
  serialNumber: "01",
  dns: ["a.test", "b.test"],
  uris: ["spiffe://mesh.test/shop"],
  spiffeId: "spiffe://mesh.test/shop",
  fingerprint: "ab".repeat(32),
  notAfterAt: 0,
};

interface Asking {
  readonly certificate?: ClientCertificate | null;
  readonly isTrusted?: boolean;
  readonly sent?: string;
}

function fieldOf({ certificate = CERTIFICATE, isTrusted = false, sent }: Asking): string {
  const headers = headerList(sent === undefined ? [] : [["X-Forwarded-Client-Cert", sent]]);
  const tls = { version: "TLSv1.3", sni: null, alpn: null, certificate } as const;
  const client = { address: "1.1.1.1", peer: "1.1.1.1", port: 1, localPort: 2, isTrusted, tls };
  return clientCertField({ client, headers });
}

const OWN = `Hash=${"ab".repeat(32)};Subject="CN=shop,O=Example";URI=spiffe://mesh.test/shop;DNS=a.test;DNS=b.test`;

describe("X-Forwarded-Client-Cert", () => {
  test("tells of a verified certificate in Envoy's syntax, the same text for the whole connection", () => {
    expect(fieldOf({})).toBe(`X-Forwarded-Client-Cert: ${OWN}\r\n`);
    expect(fieldOf({})).toBe(fieldOf({}));
  });

  test("quotes what would be read as the syntax", () => {
    const uris = ["https://a.test/?x=1,2;3"];
    expect(fieldOf({ certificate: { ...CERTIFICATE, uris, dns: [] } })).toContain(';URI="https://a.test/?x=1,2;3"\r\n');
  });

  test("is not there without a certificate, or with one that was not verified", () => {
    expect(fieldOf({ certificate: null })).toBe("");
    expect(fieldOf({ certificate: { ...CERTIFICATE, isVerified: false } })).toBe("");
  });

  test("is not a client's own word", () => {
    expect(fieldOf({ sent: "Hash=forged" })).toBe(`X-Forwarded-Client-Cert: ${OWN}\r\n`);
    expect(fieldOf({ sent: "Hash=forged", certificate: null })).toBe("");
  });

  test("stands behind what a trusted proxy said of its own client, which passes without one too", () => {
    const sent = 'Hash=cd;Subject="CN=a"';
    expect(fieldOf({ sent, isTrusted: true })).toBe(`X-Forwarded-Client-Cert: ${sent},${OWN}\r\n`);
    expect(fieldOf({ sent, isTrusted: true, certificate: null })).toBe(`X-Forwarded-Client-Cert: ${sent}\r\n`);
  });
});
