import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { responseFields } from "../../src/gateway/response-fields.ts";
import { authority, type TestCertificate } from "../support/certificates.ts";
import { answer } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { catchAll, startGateway, type TestGateway } from "../support.ts";

const STATUS = { address: "127.0.0.1", port: 0 };

interface Setup {
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly certificate?: TestCertificate;
}

function leaf(): TestCertificate {
  return authority().issue({ names: ["gw.test"], otherNames: ["IP:127.0.0.1"] });
}

function document({ listener, limits = {}, certificate = leaf() }: Setup) {
  const tls = { certificates: [{ cert: certificate.certPath, key: certificate.keyPath }] };
  return {
    listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls, http3: "experimental", hsts: {}, ...listener }],
    status: STATUS,
    limits,
    shutdown: { delay: "0s", timeout: "5s" },
  };
}

function start(url: string, setup: Setup = {}): Promise<TestGateway> {
  const accessLog = { enabled: false };
  return startGateway({ torii: { ...document(setup), telemetry: { accessLog } }, routes: catchAll(url) });
}

function fetchHttp3({ port }: TestGateway, path: string, init: BunFetchRequestInit = {}): Promise<Response> {
  const url = `https://127.0.0.1:${port}${path}`;
  return fetch(url, { ...init, protocol: "http3", tls: { rejectUnauthorized: false } });
}

/** Asks as a client of its own, for one knows more authorities from its start only; its status, or "refused". */
async function askInTrust(port: number): Promise<string> {
  const init = `{ protocol: "http3", signal: AbortSignal.timeout(3000) }`;
  const code = `console.log(await fetch("https://127.0.0.1:${port}/", ${init}).then((r) => r.status, () => "refused"))`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: authority("HTTP3 root").certPath };
  return (await Bun.$`${process.execPath} -e ${code}`.env(env).text()).trim();
}

describe("HTTP/3", () => {
  test("takes requests the same way as the listener beside it", async () => {
    const fields = ["X-Own: 1", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 4"];
    await using upstream = startAnswering(() => answer("201 Created", fields, "body"));
    await using gateway = await start(upstream.url);
    const response = await fetchHttp3(gateway, "/a//b?x=%7e", {
      method: "PUT",
      body: "sent",
      headers: { "x-mine": "2" },
    });
    expect([response.status, await response.text(), response.headers.get("x-own")]).toEqual([201, "body", "1"]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("strict-transport-security")).toBe("max-age=31536000");
    const [request] = upstream.requests;
    expect([request?.method, request?.target, request?.body.toString()]).toEqual(["PUT", "/a//b?x=%7e", "sent"]);
    const seen = ["x-mine", "x-forwarded-proto", "x-forwarded-for"].map((name) =>
      header(request ?? { headers: [] }, name),
    );
    expect(seen).toEqual(["2", "https", "127.0.0.1"]);
  });

  test("streams both ways: the head before the body, and pieces as they come", async () => {
    const more = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.head();
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
      await more.promise;
      await connection.send("3\r\ntwo\r\n0\r\n\r\n");
    });
    await using gateway = await start(upstream.url);
    const response = await fetchHttp3(gateway, "/");
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("one");
    more.resolve();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("two");
    expect((await reader?.read())?.done).toBe(true);
  });

  test("carries large bodies whole", async () => {
    const large = Buffer.alloc(5_000_000, "abcdefg");
    await using upstream = startAnswering((request) =>
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${request.body.length}\r\n\r\n`), request.body]),
    );
    await using gateway = await start(upstream.url);
    const response = await fetchHttp3(gateway, "/", { method: "POST", body: large });
    expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true);
  });

  test("refuses what the listener beside it refuses", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await start(upstream.url, { limits: { bodyBytes: "1KiB", headerBytes: "2KiB" } });
    const statuses = async (path: string, init?: BunFetchRequestInit) => (await fetchHttp3(gateway, path, init)).status;
    expect(await statuses("/", { method: "POST", body: "x".repeat(2000) })).toBe(413);
    expect(await statuses("/", { headers: { "x-big": "x".repeat(3000) } })).toBe(431);
    expect(await statuses("/a%2fb")).toBe(400);
    const endless = new ReadableStream({
      async pull(controller) {
        await Bun.sleep(0);
        controller.enqueue(Buffer.alloc(600));
      },
    });
    expect(await statuses("/", { method: "POST", body: endless })).toBe(413);
    expect(upstream.requests).toEqual([]);
  });

  test("refuses gRPC with a status, for it has no trailers", async () => {
    await using gateway = await start("http://127.0.0.1:1");
    const headers = { "content-type": "application/grpc" };
    const response = await fetchHttp3(gateway, "/pkg.Service/Method", { method: "POST", body: "x", headers });
    expect([response.status, response.headers.get("grpc-status")]).toEqual([200, "12"]);
  });

  test("is announced by the listener beside it, at the port that it has", () => {
    const tls = {
      certificates: [],
      minVersion: "TLSv1.2",
      ciphers: null,
      isStrictSni: false,
      clientAuth: null,
    } as const;
    const listener = { hsts: null, port: 8443, hasHttp3: true, tls } as const;
    expect(responseFields(listener)?.pairs).toEqual([["Alt-Svc", 'h3=":8443"; ma=3600']]);
    expect(responseFields({ ...listener, hasHttp3: false })).toBeNull();
  });

  test("is not served where clients show certificates, and the log says so", async () => {
    const clientAuth = { ca: authority().certPath, mode: "request" };
    const { certPath: cert, keyPath: key } = leaf();
    const tls = { certificates: [{ cert, key }], clientAuth };
    await using gateway = await start("http://127.0.0.1:1", { listener: { tls } });
    expect(gateway.log.map(({ msg }) => msg)).toContain("HTTP/3 is not offered where clients show certificates");
  });

  test("stops when a reload says so, and shows a new certificate", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await start(upstream.url);
    expect((await fetchHttp3(gateway, "/")).status).toBe(200);
    const certificate = authority().renew({ names: ["gw.test"], otherNames: ["IP:127.0.0.1"] });
    await gateway.write("torii.yaml", JSON.stringify(document({ certificate })));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect((await fetchHttp3(gateway, "/new")).status).toBe(200);
    await gateway.write("torii.yaml", JSON.stringify(document({ listener: { http3: false } })));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    const refused = fetchHttp3(gateway, "/old", { signal: AbortSignal.timeout(1000) });
    expect(
      await refused.then(
        ({ status }) => status,
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("shows the intermediates that a reload adds to the certificate that it has", async () => {
    await using upstream = startAnswering(() => ok());
    const whole = authority("HTTP3 root")
      .intermediate("HTTP3 middle")
      .issue({ names: ["gw.test"], otherNames: ["IP:127.0.0.1"] });
    const certPath = `${whole.certPath}.alone`;
    await writeFile(certPath, whole.cert.slice(0, whole.cert.indexOf("-----BEGIN", 1)));
    await using gateway = await start(upstream.url, { certificate: { ...whole, certPath } });
    expect(await askInTrust(gateway.port)).toBe("refused");
    await writeFile(certPath, whole.cert);
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect(await askInTrust(gateway.port)).toBe("200");
  });

  test("tells the service when its client has left", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.head();
      await connection.peer.ending();
    });
    await using gateway = await start(upstream.url);
    const leaving = new AbortController();
    const response = fetchHttp3(gateway, "/", { signal: leaving.signal }).catch(() => null);
    const { peer } = await upstream.connection(0);
    await peer.until(() => peer.receivedBytes > 0, "a request");
    leaving.abort();
    expect(await response).toBeNull();
    expect(await peer.ending()).not.toBe("open");
  });

  test("lets what is under way end in a drain, and refuses what comes then", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok("late"));
    });
    await using gateway = await start(upstream.url);
    const late = fetchHttp3(gateway, "/");
    await upstream.taken(1);
    const drained = gateway.gateway.drain();
    // The end of the delay comes with a turn of the event loop.
    await eventually(async () => (await fetchHttp3(gateway, "/", { method: "OPTIONS" })).status === 503, "refusals");
    release.resolve();
    expect(await (await late).text()).toBe("late");
    await drained;
  });
});
