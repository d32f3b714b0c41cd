import { describe, expect, test } from "bun:test";
import { accessLine, createTimeText } from "../../src/telemetry/access-line.ts";
import { redactTarget } from "../../src/telemetry/redaction.ts";
import { accessEntry } from "./support.ts";

describe("a line", () => {
  test("holds every field, numbers as numbers", () => {
    const line = accessLine(accessEntry({ durationMs: 12.34567, upstreamMs: 11 }), "2026-01-02T03:04:05.006Z");
    expect(line.endsWith("}\n")).toBe(true);
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-02T03:04:05.006Z",
      requestId: "0123456789abcdef0123456789abcdef",
      traceId: null,
      client: "192.0.2.7",
      tls: null,
      method: "GET",
      host: "shop.example.com",
      path: "/catalog/items?page=2",
      protocol: "HTTP/1.1",
      route: "catalog",
      service: "catalog",
      endpoint: "127.0.0.1:9001",
      status: 200,
      bytesReceived: 0,
      bytesSent: 1234,
      durationMs: 12.346,
      upstreamMs: 11,
      attempts: 1,
      flags: [],
      decisions: [],
    });
  });

  test("tells in their order what policies did, and about what", () => {
    const decisions = [
      { policy: "retry", outcome: "budget_exhausted", about: null },
      { policy: "rate_limit", outcome: "refused", about: 'per "minute"' },
    ];
    expect(JSON.parse(accessLine(accessEntry({ decisions }), "")).decisions).toEqual([
      { policy: "retry", outcome: "budget_exhausted" },
      { policy: "rate_limit", outcome: "refused", about: 'per "minute"' },
    ]);
  });

  test("tells of TLS what was agreed on, and who the client proved to be", () => {
    const certificate = { isVerified: true, subject: "CN=shop", spiffeId: "spiffe://a/b", fingerprint: "ab" };
    const tls = { version: "TLSv1.3", sni: "a.test", certificate };
    const told = (entry: Parameters<typeof accessEntry>[0]) => JSON.parse(accessLine(accessEntry(entry), "")).tls;
    expect([told({ tls }), told({ tls }), told({ tls: { ...tls, sni: null, certificate: null } })]).toEqual([
      ...Array.from({ length: 2 }, () => ({
        version: "TLSv1.3",
        sni: "a.test",
        clientCertificate: { subject: "CN=shop", spiffeId: "spiffe://a/b", fingerprint: "ab", verified: true },
      })),
      { version: "TLSv1.3", sni: null, clientCertificate: null },
    ]);
  });

  test("of a request that met no route and no service says null", () => {
    const entry = accessEntry({ route: null, service: null, endpoint: null, upstreamMs: null, error: "bad_request" });
    const { route, service, endpoint, upstreamMs, flags } = JSON.parse(accessLine(entry, ""));
    expect({ route, service, endpoint, upstreamMs, flags }).toEqual({
      route: null,
      service: null,
      endpoint: null,
      upstreamMs: null,
      flags: ["bad_request"],
    });
  });

  test("escapes quotes, backslashes and controls, so that no client can forge a line", () => {
    const target = '/a"b\\c\n{"status":200}\u0000\u001f';
    const line = accessLine(accessEntry({ target }), "");
    expect(line.trimEnd()).not.toContain("\n");
    expect(JSON.parse(line).path).toBe(target);
  });

  test("keeps the whole range of Latin-1", () => {
    const target = `/${Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join("")}`;
    const bytes = new TextEncoder().encode(accessLine(accessEntry({ target }), ""));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    expect(JSON.parse(text).path).toBe(target);
  });

  test("says null for a duration that is no number", () => {
    expect(JSON.parse(accessLine(accessEntry({ durationMs: Number.NaN }), "")).durationMs).toBeNull();
  });
});

describe("times", () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5);

  test("are RFC 3339 in UTC with milliseconds, also when time goes back", () => {
    const text = createTimeText();
    expect([at + 7, at + 42.9, at + 999, at + 1000, at - 1].map(text)).toEqual([
      "2026-01-02T03:04:05.007Z",
      "2026-01-02T03:04:05.042Z",
      "2026-01-02T03:04:05.999Z",
      "2026-01-02T03:04:06.000Z",
      "2026-01-02T03:04:04.999Z",
    ]);
  });
});

describe("secrets in a query are masked", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["/a?token=abc&page=2", "/a?token=***&page=2"],
    ["/a?access_token=x&ID_TOKEN=y&refreshToken=z", "/a?access_token=***&ID_TOKEN=***&refreshToken=***"],
    [
      "/a?X-Amz-Signature=f&X-Amz-Date=2026&X-Goog-Signature=g",
      "/a?X-Amz-Signature=***&X-Amz-Date=2026&X-Goog-Signature=***",
    ],
    ["/a?X-Amz-Security-Token=f&X-Amz-Credential=c", "/a?X-Amz-Security-Token=***&X-Amz-Credential=***"],
    ["/cb?code=1&state=2", "/cb?code=***&state=2"],
    ["/a?api_key=1&apikey=2&api-key=3&key=4", "/a?api_key=***&apikey=***&api-key=***&key=***"],
    ["/a?user[password]=p&user%5Bpassword%5D=q", "/a?user[password]=***&user%5Bpassword%5D=***"],
    ["/a?%74oken=x", "/a?%74oken=***"],
    ["/a?a=1;token=x", "/a?a=1;token=***"],
    ["/a?token=x=y?z", "/a?token=***"],
    [
      "/a?sig=1&signature=2&password=3&secret=4&client_secret=5",
      "/a?sig=***&signature=***&password=***&secret=***&client_secret=***",
    ],
  ];
  test.each(rows)("%s", (target, masked) => {
    expect(redactTarget(target)).toBe(masked);
  });

  const plain = [
    "/token=abc",
    "/a?",
    "/a?token",
    "/a?token=",
    "/a?page=2&q=a%20b",
    "/a?%zz=1",
    "/a?keyword=x&tokens=2",
    "",
  ];
  test.each(plain)("%p stays as it is", (target) => {
    expect(redactTarget(target)).toBe(target);
  });
});
