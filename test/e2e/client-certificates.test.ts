import { describe, expect, test } from "bun:test";
import { freePort, metric } from "../gateway/support.ts";
import { authority, type TestCertificate } from "../support/certificates.ts";
import type { ResponseMessage } from "../support/message.ts";
import { connectTls } from "../support/tls-client.ts";
import { startEcho } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

const ca = authority();
const shop = ca.issue({
  usage: "client",
  commonName: 'sh"op',
  names: ["shop.client.test"],
  otherNames: ["URI:spiffe://mesh.test/shop"],
});
const server = ca.issue({ names: ["open.test", "closed.test", "*.wild.test"] });
const other = authority("Other CA").issue({ usage: "client", commonName: "other" });

const certificates = [{ cert: server.certPath, key: server.keyPath }];
const tell = `(c, next) => { const tls = c.env.client.tls; c.header("x-seen", JSON.stringify({
  sni: tls.sni, version: tls.version, subject: tls.certificate?.subject ?? null, spiffe: tls.certificate?.spiffeId ?? null }));
  return next(); }`;

/** `open.test` for everybody and `closed.test` for who has a certificate, on one port; `both` stands at either. */
function start(url: string, mode: "require" | "request" = "require"): Promise<TestGateway> {
  const port = freePort();
  const address = "127.0.0.1";
  const clientAuth = { ca: ca.certPath, mode };
  return startGateway({
    torii: {
      listeners: [
        { name: "open", address, port, hostnames: ["open.test", "*.wild.test"], tls: { certificates } },
        { name: "closed", address, port, hostnames: ["closed.test"], tls: { certificates, clientAuth } },
      ],
    },
    files: {
      "routes/main.ts": `export default {
        services: { echo: { discover: "static", endpoints: [{ url: ${JSON.stringify(url)} }] } },
        routes: [
          { name: "all", plugins: [{ use: ${tell} }], backends: [{ service: "echo" }] },
          { name: "reached", hostnames: ["closed.test"], listeners: ["open"], backends: [{ service: "echo" }],
            matches: [{ path: "/by-the-other-listener" }] },
        ],
      };\n`,
    },
  });
}

interface Asking {
  readonly name: string;
  readonly host?: string;
  readonly path?: string;
  readonly certificate?: TestCertificate;
  readonly fields?: string;
}

async function ask({ port }: { readonly port: number }, asking: Asking): Promise<ResponseMessage> {
  const { name, host = name, path = "/", certificate, fields = "" } = asking;
  using client = await connectTls({ port }, { name, ...(certificate === undefined ? {} : { certificate }) });
  await client.raw.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  return await client.raw.response();
}

const fingerprintOf = ({ cert }: TestCertificate) => {
  const der = Buffer.from(cert.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return new Bun.CryptoHasher("sha256").update(der).digest("hex");
};

/** A field that the service got, by its lower-case name; null for none. */
function received(response: ResponseMessage, name: string): string | null {
  return JSON.parse(response.body.toString()).headers[name] ?? null;
}

describe("a verified client", () => {
  test("is known to plugins, to the service and to the access log", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url);
    const fields = "X-Forwarded-Client-Cert: Hash=forged\r\nx_forwarded_client_cert: Hash=forged\r\n";
    const response = await ask(gateway, { name: "closed.test", certificate: shop, fields });
    expect(response.status).toBe(200);
    const subject = "O=Torii,CN=sh\\22op";
    expect(received(response, "x-forwarded-client-cert")).toBe(
      `Hash=${fingerprintOf(shop)};Subject="${subject}";URI=spiffe://mesh.test/shop;DNS=shop.client.test`,
    );
    expect(received(response, "x_forwarded_client_cert")).toBeNull();
    expect(received(response, "x-forwarded-proto")).toBe("https");
    const seen = response.headers.find(([name]) => name.toLowerCase() === "x-seen")?.[1] ?? "null";
    expect(JSON.parse(seen)).toEqual({
      sni: "closed.test",
      version: "TLSv1.3",
      subject,
      spiffe: "spiffe://mesh.test/shop",
    });
    expect((await gateway.logged((line) => line["host"] === "closed.test"))["tls"]).toEqual({
      version: "TLSv1.3",
      sni: "closed.test",
      clientCertificate: {
        subject,
        spiffeId: "spiffe://mesh.test/shop",
        fingerprint: fingerprintOf(shop),
        verified: true,
      },
    });
  });

  test("is told of by no one but the gateway where there is no certificate", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url);
    const fields = "X-Forwarded-Client-Cert: Hash=forged\r\n";
    const response = await ask(gateway, { name: "open.test", certificate: shop, fields });
    expect(received(response, "x-forwarded-client-cert")).toBeNull();
    expect((await gateway.logged((line) => line["host"] === "open.test"))["tls"]).toEqual({
      version: "TLSv1.3",
      sni: "open.test",
      clientCertificate: null,
    });
  });

  test("is told apart from one whose certificate is asked for and not good", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url, "request");
    const response = await ask(gateway, { name: "closed.test", certificate: other });
    expect([response.status, received(response, "x-forwarded-client-cert")]).toEqual([200, null]);
    const line = await gateway.logged((one) => one["host"] === "closed.test");
    expect(line["tls"]).toMatchObject({ clientCertificate: { subject: "O=Torii,CN=other", verified: false } });
  });
});

describe("a host that needs a certificate", () => {
  test("is reached by no other name, however it is written, and by no route of another listener", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url);
    const hosts = ["closed.test", "CLOSED.test", "closed.test.", "closed.test:443", "closed.test.:8443"];
    for (const host of hosts) {
      const response = await ask(gateway, { name: "open.test", host, certificate: shop });
      expect([host, response.status]).toEqual([host, 421]);
      expect(JSON.parse(response.body.toString())).toMatchObject({ type: "urn:torii:problem:misdirected_request" });
    }
    const absolute = { name: "open.test", path: "https://closed.test/", host: "open.test" };
    expect((await ask(gateway, absolute)).status).toBe(421);
    const bound = { name: "open.test", host: "closed.test", path: "/by-the-other-listener" };
    expect((await ask(gateway, bound)).status).toBe(421);
    expect(echo.requests).toHaveLength(0);
  });

  test("lets the connection be used for other hosts of its own listener only", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url);
    expect((await ask(gateway, { name: "open.test", host: "a.wild.test" })).status).toBe(200);
    expect((await ask(gateway, { name: "closed.test", host: "open.test", certificate: shop })).status).toBe(421);
    expect((await ask(gateway, { name: "open.test", host: "nobody.test" })).status).toBe(404);
  });

  test("holds over HTTP/2 as well, where connections are shared between hosts", async () => {
    await using echo = startEcho();
    await using gateway = await start(echo.url);
    const to = ["--connect-to", `::127.0.0.1:${gateway.port}`, "--cacert", ca.certPath, "--http2", "-so", "/dev/null"];
    const curl = async (...args: readonly string[]) => {
      const client = Bun.spawn(["curl", ...to, "-w", "%{http_version} %{http_code}", ...args], { stdout: "pipe" });
      return await new Response(client.stdout).text();
    };
    const identity = ["--cert", shop.certPath, "--key", shop.keyPath];
    expect([
      await curl("https://open.test/"),
      await curl("-H", "Host: closed.test", "https://open.test/"),
      await curl("-H", "Host: a.wild.test", "https://open.test/"),
      await curl(...identity, "https://closed.test/"),
    ]).toEqual(["2 200", "2 421", "2 200", "2 200"]);
    expect(await curl("https://closed.test/")).toEndWith("000");
    expect(
      await metric(gateway, "torii_tls_handshakes_total", 'listener="closed",version="",result="certificate"'),
    ).toBe(1);
  });
});
