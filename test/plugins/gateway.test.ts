import { describe, expect, test } from "bun:test";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header, type ResponseMessage, values } from "../support/message.ts";
import { ok, type Seen, startAnswering, startEcho, startUpstream } from "../support/upstream.ts";
import { catchAll, startGateway, startProxy, type TestGateway } from "../support.ts";

interface Use {
  readonly use: string;
  readonly with?: unknown;
}

/** A gateway whose only route runs these plugins. */
function through(url: string, ...plugins: readonly Use[]): Promise<TestGateway> {
  return startProxy(url, { route: { plugins } });
}

function post(body: string, ...fields: readonly string[]): string {
  return `${request("POST /p", ...fields, `Content-Length: ${body.length}`)}${body}`;
}

function chunked(...chunks: readonly string[]): string {
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return `${request("POST /p", "Transfer-Encoding: chunked")}${body}0\r\n\r\n`;
}

function seenOf(response: ResponseMessage): Seen {
  return JSON.parse(response.body.toString());
}

const ORIGIN = "https://shop.example.com";

describe("Hono's middleware by name, through the gateway", () => {
  test("hono/cors marks responses and answers preflights", async () => {
    await using upstream = startAnswering(() => ok("text"));
    await using gateway = await through(upstream.url, { use: "hono/cors", with: { origin: ORIGIN } });
    const marked = await gateway.exchange(get(`Origin: ${ORIGIN}`));
    expect([header(marked, "access-control-allow-origin"), marked.body.toString()]).toEqual([ORIGIN, "text"]);
    const preflight = await gateway.exchange(request("OPTIONS /p", `Origin: ${ORIGIN}`), "OPTIONS");
    expect([preflight.status, upstream.requests.length]).toEqual([204, 1]);
  });

  test("hono/secure-headers sets its headers and keeps the body's length", async () => {
    await using upstream = startAnswering(() => ok("text", "X-Powered-By: PHP"));
    await using gateway = await through(upstream.url, { use: "hono/secure-headers" });
    const response = await gateway.exchange(get());
    expect(header(response, "x-frame-options")).toBe("SAMEORIGIN");
    expect(header(response, "x-powered-by")).toBeNull();
    expect([header(response, "content-length"), response.body.toString()]).toEqual(["4", "text"]);
  });

  test("hono/etag answers 304 to who has the tag", async () => {
    await using upstream = startAnswering(() => ok("text"));
    await using gateway = await through(upstream.url, { use: "hono/etag" });
    const first = await gateway.exchange(get());
    const tag = header(first, "etag") ?? "";
    const second = await gateway.exchange(get(`If-None-Match: ${tag}`));
    expect([first.body.toString(), tag.length, second.status]).toEqual(["text", 42, 304]);
  });

  test("hono/compress sends a compressed body in chunks", async () => {
    const text = "hello ".repeat(1000);
    await using upstream = startAnswering(() => ok(text));
    await using gateway = await through(upstream.url, { use: "hono/compress" });
    const response = await gateway.exchange(get("Accept-Encoding: gzip"));
    expect([header(response, "content-encoding"), header(response, "content-length")]).toEqual(["gzip", null]);
    expect(new TextDecoder().decode(Bun.gunzipSync(new Uint8Array(response.body)))).toBe(text);
  });

  test("hono/basic-auth keeps strangers out", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await through(upstream.url, {
      use: "hono/basic-auth",
      with: { username: "ann", password: "secret" },
    });
    const stranger = await gateway.exchange(get());
    const friend = await gateway.exchange(get(`Authorization: Basic ${btoa("ann:secret")}`));
    expect([stranger.status, friend.status, upstream.requests.length]).toEqual([401, 200, 1]);
    expect(header(stranger, "www-authenticate")).toBe('Basic realm="Secure Area"');
  });

  test("hono/body-limit refuses long bodies, told and found, and forwards short ones", async () => {
    await using upstream = startEcho();
    await using gateway = await through(upstream.url, { use: "hono/body-limit", with: { maxSize: 5 } });
    const statuses = [];
    for (const sent of [post("123456"), chunked("123", "456")]) {
      statuses.push((await gateway.exchange(sent, "POST")).status);
    }
    expect([statuses, upstream.requests.length]).toEqual([[413, 413], 0]);
    for (const sent of [post("12345"), chunked("12", "345")]) {
      expect(seenOf(await gateway.exchange(sent, "POST"))).toMatchObject({ method: "POST", body: "12345" });
    }
  });

  test("hono/ip-restriction goes by the client's address", async () => {
    await using upstream = startAnswering(() => ok());
    const restriction = (list: object) => through(upstream.url, { use: "hono/ip-restriction", with: list });
    await using closed = await restriction({ denyList: ["127.0.0.0/8"] });
    await using open = await restriction({ allowList: ["127.0.0.1"] });
    expect([(await closed.exchange(get())).status, (await open.exchange(get())).status]).toEqual([403, 200]);
  });
});

const READING = `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "reading",
  options: z.strictObject({}),
  create: () => async (c, next) => {
    const text = await c.req.text();
    c.env.headers.set("x-read", String(text.length));
    await next();
    const answer = await c.res.text();
    c.res = new Response(answer.toUpperCase(), c.res);
  },
});
`;

/** A plugin of the user's own that sets a header of the response. */
function marking(value: string): string {
  return `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "marking",
  options: z.strictObject({}),
  create: () => async (c, next) => { await next(); c.header("x-mark", ${JSON.stringify(value)}); },
});
`;
}

describe("a user's plugin", () => {
  const own = (url: string, name: string, text: string) =>
    startGateway({
      torii: {
        listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
        status: { address: "127.0.0.1", port: 0 },
        shutdown: { delay: "0s", timeout: "1s" },
        plugins: "mine/",
      },
      routes: catchAll(url, { route: { plugins: [{ use: name }] } }),
      files: { [`mine/${name}.ts`]: text },
    });

  test("reads a request and a response; both go on, with their lengths", async () => {
    await using upstream = startAnswering(() => ok("answer"));
    await using gateway = await own(upstream.url, "reading", READING);
    for (const sent of [post("hello"), chunked("hel", "lo")]) {
      const response = await gateway.exchange(sent, "POST");
      expect([header(response, "content-length"), response.body.toString()]).toEqual(["6", "ANSWER"]);
    }
    const bodies = upstream.requests.map((one) => [
      one.body.toString(),
      header(one, "x-read"),
      header(one, "content-length"),
    ]);
    expect(bodies).toEqual([
      ["hello", "5", "5"],
      ["hello", "5", "5"],
    ]);
  });

  test("is live again as soon as its file was edited; a broken edit changes nothing", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await own(upstream.url, "marking", marking("one"));
    const mark = async () => header(await gateway.exchange(get()), "x-mark");
    expect(await mark()).toBe("one");
    await gateway.write("mine/marking.ts", marking("two"));
    await eventually(async () => (await mark()) === "two", "the edit");
    await gateway.write("mine/marking.ts", "export default {;");
    const reload = await gateway.gateway.reload();
    expect(JSON.stringify(reload)).toContain("marking.ts");
    expect(await mark()).toBe("two");
  });
});

describe("streams through a plugin that sets a header", () => {
  const plugin = { use: "response-headers", with: { set: { "x-mark": "1" } } };

  test("the head leaves before the first byte, and each byte as it comes", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 4\r\n\r\n");
    });
    await using gateway = await through(upstream.url, plugin);
    const client = await gateway.connect();
    await client.send(get());
    const head = await client.head();
    expect([header(head, "x-mark"), head.body.length]).toEqual(["1", 0]);
    const connection = await upstream.connection(0);
    await connection.send("ab");
    await client.peer.until(() => client.peer.received.toString().endsWith("ab"), "the first bytes");
    await connection.send("cd");
    expect((await client.response()).body.toString()).toBe("abcd");
  });

  test("a client that leaves ends the upstream's connection", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    });
    await using gateway = await through(upstream.url, plugin, { use: "hono/compress" });
    const client = await gateway.connect();
    await client.send(get("Accept-Encoding: gzip"));
    await client.head();
    client.peer.reset();
    const { peer } = await upstream.connection(0);
    await peer.until(() => peer.state !== "open", "the upstream's connection to end");
    expect(peer.state).not.toBe("open");
  });

  test("a response that a plugin replaced frees the upstream's connection at once", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nhalf");
    });
    const replacing = `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "replacing",
  options: z.strictObject({}),
  create: () => async (c, next) => { await next(); c.res = undefined; c.res = c.text("mine", 404); },
});
`;
    await using gateway = await startGateway({
      torii: {
        listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
        status: { address: "127.0.0.1", port: 0 },
        shutdown: { delay: "0s", timeout: "1s" },
        plugins: "mine/",
      },
      routes: catchAll(upstream.url, { route: { plugins: [{ use: "replacing" }] } }),
      files: { "mine/replacing.ts": replacing },
    });
    expect((await gateway.exchange(get())).body.toString()).toBe("mine");
    const { peer } = await upstream.connection(0);
    await peer.until(() => peer.state !== "open", "the upstream's connection to end");
    expect(peer.state).not.toBe("open");
  });

  test("five megabytes arrive whole through a compressing and a reading plugin", async () => {
    const piece = Buffer.alloc(5_000_000);
    for (let i = 0; i < piece.length; i++) piece[i] = (i * 7 + (i >> 8)) & 0x7f;
    await using upstream = startAnswering(() => {
      const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${piece.length}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head), piece]);
    });
    await using gateway = await through(upstream.url, { use: "hono/compress" }, { use: "hono/etag" });
    const response = await gateway.exchange(get("Accept-Encoding: gzip"));
    expect(Buffer.compare(Buffer.from(Bun.gunzipSync(new Uint8Array(response.body))), piece)).toBe(0);
  });
});

describe("the built-in plugins through the gateway", () => {
  test("headers, rewriting and the response's headers work together", async () => {
    await using upstream = startEcho();
    await using gateway = await startProxy(upstream.url, {
      route: {
        matches: [{ path: "/shop/*" }],
        plugins: [
          { use: "rewrite", with: { hostname: "inner.example", path: { prefix: "/api" } } },
          { use: "request-headers", with: { set: { "X-Team": "shop" }, remove: ["X-Gone"] } },
          { use: "response-headers", with: { add: { "Set-Cookie": ["a=1", "b=2"] } } },
        ],
      },
    });
    const response = await gateway.exchange(request("GET /shop/items%20x?q", "X-Gone: 1"));
    const seen = seenOf(response);
    expect([seen.path, seen.host, seen.headers["x-team"], seen.headers["x-gone"]]).toEqual([
      "/api/items%20x?q",
      "inner.example",
      "shop",
      undefined,
    ]);
    expect(values(response, "set-cookie")).toEqual(["a=1", "b=2"]);
  });

  test("an error of the gateway passes up through the plugins", async () => {
    const setup = { route: { plugins: [{ use: "response-headers", with: { set: { "x-mark": "1" } } }] } };
    await using gateway = await startProxy("http://127.0.0.1:1", setup);
    const response = await gateway.exchange(get());
    expect([response.status, header(response, "x-mark"), header(response, "content-type")]).toEqual([
      502,
      "1",
      "application/problem+json",
    ]);
  });

  test("redirect and respond answer without a service", async () => {
    const route = (name: string, path: string, use: Use) => ({ name, matches: [{ path }], plugins: [use] });
    await using gateway = await startGateway({
      routes: {
        routes: [
          route("old", "/old/*", {
            use: "redirect",
            with: { hostname: "new.example", path: { prefix: "/new" }, status: 308 },
          }),
          route("hello", "/hello", { use: "respond", with: { status: 200, json: { hello: "world" } } }),
        ],
      },
    });
    const moved = await gateway.exchange(request("GET /old/a?b"));
    expect(moved.status).toBe(308);
    expect(header(moved, "location")).toMatch(/^http:\/\/new\.example(?::\d+)?\/new\/a\?b$/);
    const hello = await gateway.exchange(request("GET /hello"));
    expect([hello.status, hello.body.toString(), header(hello, "content-length")]).toEqual([
      200,
      '{"hello":"world"}',
      "17",
    ]);
    const head = await gateway.exchange(request("HEAD /hello"), "HEAD");
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });
});
