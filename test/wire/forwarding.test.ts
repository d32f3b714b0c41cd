import { describe, expect, test } from "bun:test";
import { connect } from "../support/client.ts";
import { type Forwarded, forward, get } from "../support/forward.ts";
import { header, values } from "../support/message.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

const LIES = [
  "Forwarded: for=1.2.3.4",
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: evil.test",
  "X-Forwarded-Port: 1",
  "X-Real-IP: 1.2.3.4",
];

function trusting(...blocks: readonly string[]) {
  return { torii: { trustedProxies: blocks } };
}

function told({ request }: Forwarded): Readonly<Record<string, string | null>> {
  const names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
  return Object.fromEntries(names.map((name) => [name, header(request, name)]));
}

describe("from anybody", () => {
  test("the peer, the scheme and the host are told as they are", async () => {
    const seen = await forward("GET /r HTTP/1.1\r\nHost: gw.test:8080\r\n\r\n");
    expect(told(seen)).toEqual({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "gw.test:8080",
    });
    expect(header(seen.request, "x-forwarded-port")).toMatch(/^\d+$/);
  });

  test("Forwarded tells the same, with quotes where there is a colon", async () => {
    const { request } = await forward("GET /r HTTP/1.1\r\nHost: gw.test:8080\r\n\r\n");
    const pairs = (header(request, "forwarded") ?? "").split(";");
    expect(pairs).toContain("for=127.0.0.1");
    expect(pairs).toContain('host="gw.test:8080"');
    expect(pairs).toContain("proto=http");
  });

  test("what the client says of itself is replaced", async () => {
    const seen = await forward(get(...LIES));
    expect(JSON.stringify(seen.request.headers)).not.toMatch(/1\.2\.3\.4|evil/);
    expect(told(seen)).toEqual({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "gw.test",
    });
    expect(values(seen.request, "x-forwarded-port")).toHaveLength(1);
  });

  test("trusting others changes nothing for this peer", async () => {
    const seen = await forward(get(...LIES), trusting("10.0.0.0/8", "192.0.2.1"));
    expect(JSON.stringify(seen.request.headers)).not.toMatch(/1\.2\.3\.4|evil/);
  });

  test("an IPv6 peer stands in brackets and quotes", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, {
      torii: { listeners: [{ name: "http", address: "::1", port: 0 }] },
    });
    using client = await connect({ address: "::1", port: gateway.port });
    await client.send(get());
    await client.response();
    const [request] = upstream.requests;
    expect(header(request ?? { headers: [] }, "forwarded")).toContain('for="[::1]"');
    expect(header(request ?? { headers: [] }, "x-forwarded-for")).toBe("::1");
  });
});

describe("from a trusted proxy", () => {
  test("elements of Forwarded are kept and the peer is appended", async () => {
    const { request } = await forward(
      get('Forwarded: for=192.0.2.43, for="[2001:db8:cafe::17]:4711";proto=https'),
      trusting("127.0.0.0/8"),
    );
    expect(header(request, "forwarded")).toMatch(
      /^for=192\.0\.2\.43, ?for="\[2001:db8:cafe::17\]:4711";proto=https, ?for=127\.0\.0\.1;/,
    );
  });

  test("X-Forwarded-For is appended to, and the outer scheme and host are believed", async () => {
    const seen = await forward(
      get("X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com"),
      trusting("127.0.0.1"),
    );
    expect(told(seen)).toEqual({
      "x-forwarded-for": "198.51.100.7, 127.0.0.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "shop.example.com",
    });
  });

  test.each(['for="_gazonk"', "for=_SEVKISEK", "for=unknown", "For=192.0.2.1;Proto=http;by=203.0.113.43"])(
    "%s is legal and kept",
    async (element) => {
      const { request, response } = await forward(get(`Forwarded: ${element}`), trusting("127.0.0.1"));
      expect(response.status).toBe(200);
      expect(header(request, "forwarded")).toStartWith(`${element}, for=127.0.0.1`);
    },
  );

  test("a malformed Forwarded is dropped whole", async () => {
    const { request } = await forward(get('Forwarded: for="192.0.2.1;proto=https, for='), trusting("127.0.0.1"));
    expect(header(request, "forwarded")).toStartWith("for=127.0.0.1;");
  });

  test.each([
    ["the last address that is not trusted", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["the first of all when every one is trusted", "10.0.0.9, 10.0.0.2", "10.0.0.9"],
    ["the proxy when there is nothing that is an address", "unknown, _hidden", "127.0.0.1"],
    ["the last address before a word that is none", "6.6.6.6, unknown, 10.0.0.2", "10.0.0.2"],
  ])("the client is %s", async (_, list, client) => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, trusting("127.0.0.0/8", "10.0.0.0/8"));
    await gateway.exchange(get(`X-Forwarded-For: ${list}`));
    const line = await gateway.logged(({ path }) => path === "/r");
    expect(line["client"]).toBe(client);
  });
});
