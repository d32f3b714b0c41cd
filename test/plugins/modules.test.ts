import { describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import { builtIns } from "../../plugins/index.ts";
import { HONO_MODULES } from "../../src/config/hono-modules.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { type Ask, ChunkSource, depsFor, type Reply, type Run, runChain } from "./support.ts";

async function provision(name: string, options: unknown = {}): Promise<MiddlewareHandler> {
  const catalog = await createCatalogs(builtIns)({ folder: null, names: [name] });
  const plugin = catalog.get(name);
  if (plugin === undefined) throw new Error(`there is no ${name}`);
  return plugin.provision(plugin.options.parse(options), depsFor("test"));
}

async function run(use: { name: string; with?: unknown }, ask: Ask = {}, reply: Reply = {}): Promise<Run> {
  return runChain([await provision(use.name, use.with)], ask, reply);
}

const ORIGIN = "https://shop.example.com";
const HTML = [["Content-Type", "text/html"]] as const;

describe("hono/cors", () => {
  const use = { name: "hono/cors", with: { origin: ORIGIN, exposeHeaders: ["x-a"], credentials: true } };

  test("marks the service's response and leaves its body alone", async () => {
    const body = new ChunkSource(["text"], 4);
    const { answer } = await run(use, { headers: [["Origin", ORIGIN]] }, { body, headers: HTML });
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(answer.headers.get("vary")).toBe("Origin");
    expect(answer.headers.get("content-type")).toBe("text/html");
    expect(answer.body).toBe(body);
  });

  test("answers a preflight", async () => {
    const { answer, received } = await run(use, { method: "OPTIONS", headers: [["Origin", ORIGIN]] });
    expect([answer.status, received.length, answer.headers.get("access-control-allow-methods")]).toEqual([
      204,
      0,
      "GET,HEAD,PUT,POST,DELETE,PATCH,QUERY",
    ]);
  });
});

test("hono/secure-headers sets its headers and takes X-Powered-By away", async () => {
  const { answer } = await run({ name: "hono/secure-headers" }, {}, { headers: [["X-Powered-By", "PHP"]] });
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.has("x-powered-by")).toBe(false);
});

describe("hono/etag", () => {
  test("gives a response a tag and answers 304 to who has it", async () => {
    const reply = () => ({ headers: HTML, body: new ChunkSource(["a", "b"]) });
    const first = await run({ name: "hono/etag" }, {}, reply());
    const tag = first.answer.headers.get("etag") ?? "";
    expect([first.answer.text, tag.length]).toEqual(["ab", 42]);
    const second = await run({ name: "hono/etag" }, { headers: [["If-None-Match", tag]] }, reply());
    expect([second.answer.status, second.answer.text, second.answer.headers.has("content-type")]).toEqual([
      304,
      "",
      false,
    ]);
  });

  test("leaves the service's own tag and body alone", async () => {
    const body = new ChunkSource(["a"]);
    const { answer } = await run({ name: "hono/etag" }, {}, { body, headers: [["ETag", '"own"']] });
    expect([answer.headers.get("etag"), answer.body]).toEqual(['"own"', body]);
  });
});

test("hono/compress compresses, and drops the length", async () => {
  const text = "hello ".repeat(500);
  const headers = [
    ["Content-Type", "text/plain"],
    ["Content-Length", "3000"],
  ] as const;
  const reply = { headers, body: new ChunkSource([text.slice(0, 1000), text.slice(1000)], 3000) };
  const { answer } = await runChain(
    [await provision("hono/compress")],
    { headers: [["Accept-Encoding", "gzip"]] },
    reply,
  );
  expect(answer.headers.get("content-encoding")).toBe("gzip");
  expect(answer.headers.has("content-length")).toBe(false);
  expect(answer.headers.get("vary")).toBe("Accept-Encoding");
  expect(answer.text.length).toBeLessThan(500);
  const plain = await runChain(
    [await provision("hono/compress")],
    {},
    { headers, body: new ChunkSource([text], 3000) },
  );
  expect(plain.answer.text).toBe(text);
});

describe("hono/basic-auth", () => {
  const use = { name: "hono/basic-auth", with: { username: "ann", password: "secret" } };

  test("lets in who knows the password, and refuses everybody else", async () => {
    const good = await run(use, { headers: [["Authorization", `Basic ${btoa("ann:secret")}`]] });
    const bad = await run(use, { headers: [["Authorization", `Basic ${btoa("ann:other")}`]] });
    const none = await run(use);
    expect([good.answer.status, bad.answer.status, none.answer.status]).toEqual([200, 401, 401]);
    expect(none.answer.headers.get("www-authenticate")).toBe('Basic realm="Secure Area"');
    expect([good.received.length, bad.received.length]).toEqual([1, 0]);
  });

  test("without a password is a fault when it is made", async () => {
    await expect(provision("hono/basic-auth", { username: "ann" })).rejects.toThrow("username and password");
  });
});

describe("hono/body-limit", () => {
  const use = { name: "hono/body-limit", with: { maxSize: 5 } };
  const post = (chunks: readonly string[], headers: Ask["headers"] = []): Ask => {
    return { method: "POST", body: new ChunkSource(chunks), headers };
  };

  test("refuses what says that it is too long, and what turns out to be", async () => {
    const told = await run(use, post(["123456"], [["Content-Length", "6"]]));
    const found = await run(use, post(["123", "456"], [["Transfer-Encoding", "chunked"]]));
    expect([told.answer.status, found.answer.status]).toEqual([413, 413]);
    expect([told.received.length, found.received.length]).toEqual([0, 0]);
  });

  test("lets what is short enough through, whole", async () => {
    const told = await run(use, post(["12345"], [["Content-Length", "5"]]));
    const found = await run(use, post(["12", "345"], [["Transfer-Encoding", "chunked"]]));
    expect([told.received[0]?.body, found.received[0]?.body]).toEqual(["12345", "12345"]);
    expect(found.received[0]?.method).toBe("POST");
  });
});

describe("hono/ip-restriction", () => {
  const use = {
    name: "hono/ip-restriction",
    with: { denyList: ["192.0.2.66"], allowList: ["192.0.2.0/24", "2001:db8::/32"] },
  };

  test("goes by the client's address", async () => {
    const addresses = ["192.0.2.1", "192.0.2.66", "198.51.100.1", "2001:db8::1", "2001:db9::1"];
    const runs = await Promise.all(addresses.map((address) => run(use, { address })));
    expect(runs.map(({ answer }) => answer.status)).toEqual([200, 403, 403, 200, 403]);
  });
});

test("other modules work by their names: hono/request-id, hono/powered-by, hono/pretty-json", async () => {
  const id = await run({ name: "hono/request-id", with: { headerName: "x-id" } });
  expect(id.answer.headers.get("x-id")).not.toBeNull();
  const powered = await run({ name: "hono/powered-by", with: { serverName: "Torii" } });
  expect(powered.answer.headers.get("x-powered-by")).toBe("Torii");
  const reply = { headers: [["Content-Type", "application/json"]] as const, body: new ChunkSource(['{"a":1}']) };
  const pretty = await run({ name: "hono/pretty-json" }, { target: "/?pretty" }, reply);
  expect(pretty.answer.text).toBe('{\n  "a": 1\n}');
});

/** What a module needs at least; the others need nothing. */
const NEEDED: Readonly<Record<string, unknown>> = {
  "hono/basic-auth": { username: "ann", password: "secret" },
  "hono/bearer-auth": { token: "secret" },
  "hono/body-limit": { maxSize: 5 },
  "hono/jwk": { jwks_uri: "https://id.example.com/keys", alg: ["RS256"] },
  "hono/jwt": { secret: "secret", alg: "HS256" },
  "hono/timeout": 5000,
};

test.each(Object.keys(HONO_MODULES))("%s makes a middleware", async (name) => {
  expect(await provision(name, NEEDED[name])).toBeFunction();
});

test("the documentation lists the modules that are there", async () => {
  const text = await Bun.file(new URL("../../docs/plugins.md", import.meta.url)).text();
  const list = /^These are there, .*?: (.*?)\. Their/m.exec(text)?.[1] ?? "";
  const names = list.replaceAll("`", "").replaceAll("hono/", "").split(", ");
  expect(names.map((name) => `hono/${name}`)).toEqual(Object.keys(HONO_MODULES));
});

describe("a module that cannot be used", () => {
  async function faultOf(name: string): Promise<string | undefined> {
    const catalog = await createCatalogs(builtIns)({ folder: null, names: [name] });
    return catalog.get(name)?.options.safeParse({}).error?.issues[0]?.message;
  }

  test("says what is wrong, as a fault of its use", async () => {
    expect(await faultOf("hono/no-such-thing")).toStartWith("there is no module hono/no-such-thing; ");
    expect(await faultOf("hono/cros")).toBe(
      'there is no module hono/cros; did you mean "hono/cors"? Otherwise install it where the configuration stands',
    );
    expect(await faultOf("hono/logger")).toContain("writes into the access log; see telemetry.accessLog");
    expect(await faultOf("hono/language")).toContain("several functions (");
    expect(await faultOf("hono/trailing-slash")).toContain("several functions (");
    expect(await faultOf("hono/trailing-slash")).toContain("write a plugin of your own");
    expect(await faultOf("hono/utils/mime")).toContain("several functions");
  });

  test("is no plugin when its name may mean something else, or belongs to the runtime", async () => {
    const catalog = await createCatalogs(builtIns)({ folder: null, names: ["corse", "path", "fs"] });
    expect([catalog.get("corse"), catalog.get("path"), catalog.get("fs")]).toEqual([undefined, undefined, undefined]);
    expect(catalog.names()).toContain("cors");
  });
});
