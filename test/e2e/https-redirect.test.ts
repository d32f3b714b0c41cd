import { describe, expect, test } from "bun:test";
import { request } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { catchAll, startGateway, type TestGateway } from "../support.ts";

/** A gateway whose one listener only redirects; its routes lead to `url`. */
function startRedirecting(url: string, redirectToHttps: unknown = true, route = {}): Promise<TestGateway> {
  const listeners = [{ name: "http", address: "127.0.0.1", port: 0, redirectToHttps }];
  const status = { address: "127.0.0.1", port: 0 };
  return startGateway({ torii: { listeners, status }, routes: catchAll(url, { route }) });
}

async function location(gateway: TestGateway, line: string, ...fields: readonly string[]) {
  const response = await gateway.exchange(request(line, ...fields), line.split(" ")[0]);
  return [response.status, header(response, "location")];
}

describe("a listener that redirects to https", () => {
  test("sends every request to the same target, byte for byte, and none to a service", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startRedirecting(upstream.url);
    expect(await location(gateway, "GET /a//b/../c%2f?x=%7e&y")).toEqual([301, "https://gw.test/a//b/../c%2f?x=%7e&y"]);
    expect(await location(gateway, "HEAD /")).toEqual([301, "https://gw.test/"]);
    expect(await location(gateway, "POST /form", "Content-Length: 0")).toEqual([308, "https://gw.test/form"]);
    expect(upstream.requests).toEqual([]);
  });

  test("names the port of https, and not the one that the client came to", async () => {
    await using gateway = await startRedirecting("http://127.0.0.1:1", { port: 8443 });
    const bytes = "GET / HTTP/1.1\r\nHost: Shop.Example:8080\r\n\r\n";
    expect(header(await gateway.exchange(bytes), "location")).toBe("https://shop.example:8443/");
  });

  test("refuses a request whose host cannot be told, or is none", async () => {
    await using gateway = await startRedirecting("http://127.0.0.1:1");
    const hosts = ["Host: a b", "Host: evil.example/x", "Host: a\r\nHost: b", "X-Host: a"];
    for (const host of hosts) {
      expect((await gateway.exchange(`GET / HTTP/1.1\r\n${host}\r\n\r\n`)).status).toBe(400);
    }
    const old = await gateway.exchange("GET / HTTP/1.0\r\n\r\n");
    expect([old.status, header(old, "location")]).toEqual([400, null]);
  });

  test("lets routes answer the challenges of certificate authorities, and redirects those that none takes", async () => {
    await using upstream = startAnswering(() => ok("proof"));
    const matches = [{ path: "/.well-known/acme-challenge/known" }];
    await using gateway = await startRedirecting(upstream.url, true, { matches });
    expect((await gateway.exchange(request("GET /.well-known/acme-challenge/known"))).body.toString()).toBe("proof");
    expect(await location(gateway, "GET /.well-known/acme-challenge/other")).toEqual([
      301,
      "https://gw.test/.well-known/acme-challenge/other",
    ]);
  });

  test("stops when a reload says so", async () => {
    await using upstream = startAnswering(() => ok("here"));
    await using gateway = await startRedirecting(upstream.url);
    const listeners = [{ name: "http", address: "127.0.0.1", port: 0 }];
    await gateway.write(
      "torii.yaml",
      JSON.stringify({
        listeners,
        status: { address: "127.0.0.1", port: 0 },
        telemetry: { accessLog: { enabled: false } },
      }),
    );
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect((await gateway.exchange(request("GET /"))).body.toString()).toBe("here");
  });
});
