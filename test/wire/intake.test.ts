import { describe, expect, test } from "bun:test";
import { proxyHeader } from "../../src/wire/l4/proxy-header.ts";
import { connect } from "../support/client.ts";
import { clientHello } from "../support/client-hello.ts";
import { get } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { entry, type ServingOptions, serve, type TestListener, tlsFacts } from "./tls/support.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const V1 = "PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n";
const V2 = proxyHeader("v2", { address: "2001:db8::7", port: 5555 }, { address: "2001:db8::1", port: 443 });
const TRUSTING: ServingOptions = { trusted: ["127.0.0.1"] };

const http = (hasHttp2 = false) => entry({ name: "http", protocol: "http", hasHttp2 });
const proxied = (options: Parameters<typeof entry>[0] = {}) =>
  entry({ name: "http", protocol: "http", expectsProxyProtocol: true, ...options });

/** A client is served, and so whatever came before its request was read. */
async function isServed(server: TestListener, header = ""): Promise<void> {
  using client = await connect(server);
  await client.send(header + get());
  expect((await client.response()).status).toBe(200);
}

describe("a connection in the clear", () => {
  test("speaks HTTP/2 after its preface, in whatever pieces that comes, and HTTP/1.1 otherwise", async () => {
    using server = serve([http(true)]);
    using http2 = await connect(server);
    await http2.peer.sendSplit(`${PREFACE}\0\0\0\x04\0\0\0\0\0`, [1, 3, 10, 24]);
    // A frame of settings is the first that a server sends.
    const head = await http2.peer.take(9);
    expect(head[3]).toBe(4);
    using http1 = await connect(server);
    await http1.peer.sendSplit(`P${get().replace("GET", "UT")}`, [1, 2]);
    expect((await http1.response()).status).toBe(200);
  });

  test("is answered in HTTP/1.1 whatever it says where HTTP/2 is off", async () => {
    using server = serve([http()]);
    using client = await connect(server);
    await client.send(PREFACE);
    expect((await client.response()).status).toBeGreaterThanOrEqual(400);
  });

  test("is closed after a part of the preface and silence, as after silence alone", async () => {
    using server = serve([http(true)]);
    using part = await connect(server);
    await part.send("PRI * HT");
    using silent = await connect(server);
    await eventually(() => server.gate.open === 2, "both connections");
    await isServed(server);
    server.skip(5200);
    expect([await part.peer.ending(), await silent.peer.ending()]).toEqual(["ended", "ended"]);
    expect(server.events.filter((event) => event !== "opened" && event !== "closed")).toEqual([]);
  });
});

describe("a header of the PROXY protocol", () => {
  test("from a trusted proxy tells who the client is and where it came to", async () => {
    using server = serve([proxied()], TRUSTING);
    for (const header of [Buffer.from(V1), V2]) {
      using client = await connect(server);
      await client.send(Buffer.concat([header, Buffer.from(get())]));
      expect((await client.response()).status).toBe(200);
    }
    expect(server.exchanges.map(({ client }) => client)).toEqual([
      { address: "203.0.113.7", peer: "203.0.113.7", port: 56_324, localPort: 443, isTrusted: false, tls: null },
      { address: "2001:db8::7", peer: "2001:db8::7", port: 5555, localPort: 443, isTrusted: false, tls: null },
    ]);
  });

  test("may come in pieces, with no request behind it yet", async () => {
    using server = serve([proxied({ hasHttp2: true })], TRUSTING);
    using client = await connect(server);
    await client.peer.sendSplit(V1 + get(), [1, 5, 20, V1.length]);
    expect((await client.response()).status).toBe(200);
    expect(server.exchanges[0]?.client.peer).toBe("203.0.113.7");
  });

  test("that names nobody leaves the proxy itself as the client", async () => {
    using server = serve([proxied()], TRUSTING);
    using client = await connect(server);
    await client.send(`PROXY UNKNOWN\r\n${get()}`);
    expect((await client.response()).status).toBe(200);
    expect(server.exchanges[0]?.client).toMatchObject({ peer: "127.0.0.1", isTrusted: true, localPort: server.port });
  });

  test("stands in front of TLS, and of a connection that is passed on", async () => {
    using server = serve([proxied({ name: "https", protocol: "https", tls: tlsFacts(["a.test"]) })], TRUSTING);
    using client = await connect(server);
    await client.send(Buffer.concat([Buffer.from(V1), await clientHello("-servername", "a.test")]));
    expect((await client.peer.take(6))[5]).toBe(2);
    using tcp = serve([proxied({ name: "tcp", protocol: "tcp" })], TRUSTING);
    using passed = await connect(tcp);
    await passed.send(V1);
    await eventually(() => tcp.events.includes("passage tcp null"), "the passage");
  });

  test("is not believed of anybody else, nor is what comes without it", async () => {
    using strangers = serve([proxied()]);
    using stranger = await connect(strangers);
    await stranger.send(V1 + get());
    expect(["closed", "reset"]).toContain(await stranger.peer.closing());
    using server = serve([proxied()], TRUSTING);
    for (const bytes of [get(), "PROXY TCP4 1.2.3.4 nonsense\r\n", "\r\n\r\n\0\r\nQUIT\n\x99"]) {
      using client = await connect(server);
      await client.send(bytes);
      expect(await client.peer.closing()).toBe("reset");
    }
    await eventually(() => server.gate.open + strangers.gate.open === 0, "the connections to be let go");
    expect(strangers.events).toEqual(["proxy_untrusted"]);
    expect(server.events.filter((event) => event === "proxy_malformed")).toHaveLength(3);
    expect([...server.exchanges, ...strangers.exchanges]).toEqual([]);
  });

  test("that does not come whole in time ends the connection", async () => {
    using server = serve([proxied()], TRUSTING);
    using client = await connect(server);
    await client.send("PROXY TC");
    await eventually(() => server.gate.open === 1, "the connection");
    await isServed(server, V1);
    expect(client.peer.receivedBytes).toBe(0);
    server.skip(5200);
    expect(await client.peer.ending()).toBe("ended");
    expect(server.events).toContain("proxy_timeout");
  });

  test("decides whose connections are counted", async () => {
    using server = serve([proxied()], { ...TRUSTING, connectionsPerClient: 1 });
    using one = await connect(server);
    using two = await connect(server);
    using again = await connect(server);
    for (const [client, header] of [
      [one, V1],
      [two, V1.replace("113.7", "113.8")],
    ] as const) {
      await client.send(header + get());
      expect((await client.response()).status).toBe(200);
    }
    await again.send(V1 + get());
    expect(await again.peer.closing()).toBe("reset");
    await eventually(() => server.gate.open === 2, "the third to be let go");
    expect(server.events).toContain("client_limit");
    expect([...server.gate.byAddress]).toEqual([
      ["203.0.113.7", 1],
      ["203.0.113.8", 1],
    ]);
  });
});
