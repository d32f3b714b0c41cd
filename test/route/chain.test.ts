import { describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { GatewayError } from "../../src/errors.ts";
import { linkChain } from "../../src/route/chain.ts";
import { KEPT_BYTES } from "../../src/wire/fetch-request.ts";
import { headerList } from "../../src/wire/header-list.ts";
import { ChunkSource, makeExchange, Recorder, readAll, runChain } from "../plugins/support.ts";

const pass: MiddlewareHandler = (_, next) => next();

describe("a body that no plugin touches", () => {
  test("of a response leaves as the very source that the service gave", async () => {
    const body = new ChunkSource(["big"], 3);
    const { answer } = await runChain([pass, pass], {}, { body });
    expect(answer.body).toBe(body);
  });

  test("of a response wrapped by a plugin is still that source", async () => {
    const body = new ChunkSource(["big"], 3);
    const wrap: MiddlewareHandler = async (c, next) => {
      await next();
      c.res = new Response(c.res.body, c.res);
    };
    const { answer } = await runChain([wrap, wrap], {}, { body });
    expect(answer.body).toBe(body);
    expect(answer.text).toBe("big");
  });

  test("of a request is forwarded as it is, even when raw was taken and replaced with the same body", async () => {
    const body = new ChunkSource(["up", "load"], 6);
    const replace: MiddlewareHandler = (c, next) => {
      c.req.raw = new Request(c.req.url, { method: "PUT", body: c.req.raw.body });
      return next();
    };
    const { received } = await runChain([replace], { method: "POST", body });
    expect(received[0]?.source).toBe(body);
    expect(received[0]?.body).toBe("upload");
  });
});

describe("a response's body", () => {
  test("is pulled no faster than the plugin's reader asks", async () => {
    const body = new ChunkSource(["1", "2", "3", "4"]);
    let delivered = 0;
    const peek: MiddlewareHandler = async (c, next) => {
      await next();
      const reader = c.res.body?.getReader();
      await reader?.read();
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      delivered = body.delivered;
      await reader?.cancel();
      c.res = undefined;
      c.res = c.text("done");
    };
    await runChain([peek], {}, { body });
    expect(delivered).toBe(1);
    expect(body.isCancelled).toBe(true);
  });

  test("that a plugin replaced without a look is given up, so that its connection is free", async () => {
    const body = new ChunkSource(["never"]);
    const replace: MiddlewareHandler = async (c, next) => {
      await next();
      c.res = undefined;
      c.res = c.text("mine");
    };
    const { answer } = await runChain([replace], {}, { body });
    expect(answer.text).toBe("mine");
    expect([body.isCancelled, body.pipes]).toEqual([true, 0]);
  });

  test("is given up when a plugin throws after next", async () => {
    const body = new ChunkSource(["never"]);
    const fail: MiddlewareHandler = async (_, next) => {
      await next();
      throw new Error("late");
    };
    const headers = [
      ["content-encoding", "gzip"],
      ["x-service", "1"],
    ] as const;
    const { answer } = await runChain([fail], {}, { body, headers });
    expect(answer.status).toBe(500);
    expect(body.isCancelled).toBe(true);
    expect([answer.headers.get("content-encoding"), answer.headers.get("x-service")]).toEqual([null, "1"]);
  });

  test("that was read and left as it is goes out all the same", async () => {
    let seen = "";
    const look: MiddlewareHandler = async (c, next) => {
      await next();
      seen = await c.res.text();
    };
    const { answer } = await runChain([look], {}, { body: new ChunkSource(["a", "b"]) });
    expect([seen, answer.text]).toEqual(["ab", "ab"]);
  });

  test("that a plugin took and did not replace is an error, not an empty answer", async () => {
    const take: MiddlewareHandler = async (c, next) => {
      await next();
      await c.res.body?.getReader().read();
    };
    const { answer } = await runChain([take], {}, { body: new ChunkSource(["a", "b"]) });
    expect(answer.status).toBe(500);
  });

  test("breaks off when the service's breaks off, also through a plugin's stream", async () => {
    const error = new GatewayError("upstream_reset", "gone");
    const transform: MiddlewareHandler = async (c, next) => {
      await next();
      c.res = new Response(c.res.body?.pipeThrough(new TransformStream()), c.res);
    };
    for (const chain of [[pass], [transform]]) {
      const { answer } = await runChain(chain, {}, { body: new ChunkSource(["part"], 100, error) });
      expect(answer.text).toBe("part");
      expect(answer.error).not.toBeNull();
    }
  });

  test("of a plugin's stream ends in an error when the stream does", async () => {
    const stream = () =>
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new TextEncoder().encode("part"));
          await new Promise(setImmediate);
          controller.error(new Error("broken"));
        },
      });
    const { answer } = await runChain([() => Promise.resolve(new Response(stream()))]);
    expect(answer.error?.code).toBe("internal");
  });

  test("of a slow stream does not hold its head back", async () => {
    const gate = Promise.withResolvers<void>();
    const stream = new ReadableStream({
      async pull(controller) {
        await gate.promise;
        controller.enqueue("late");
        controller.close();
      },
    });
    const recorder = new Recorder();
    const exchange = makeExchange({}, recorder);
    const chain = linkChain([() => Promise.resolve(new Response(stream, { status: 201 }))]);
    chain.serve(exchange, () => undefined);
    const { head, body } = await recorder.answered;
    expect(head.status).toBe(201);
    gate.resolve();
    expect((await readAll(body)).text).toBe("late");
  });

  test("that is at hand is sent whole, with its length known", async () => {
    const answers: MiddlewareHandler[] = [
      (c) => Promise.resolve(c.text("four")),
      () => Promise.resolve(new Response(new Uint8Array(4))),
      () => Promise.resolve(new Response(new Blob(["four"]))),
      async (c) => {
        c.res = new Response("four");
        c.header("x-again", "1");
      },
    ];
    for (const answering of answers) {
      const { answer } = await runChain([answering]);
      expect(answer.body).toBeInstanceOf(Uint8Array);
      expect(answer.text.length).toBe(4);
    }
  });
});

describe("a request's body that a plugin reads", () => {
  test("is refused with 413 beyond what is kept", async () => {
    const read: MiddlewareHandler = async (c, next) => {
      await c.req.text();
      await next();
    };
    const known = await runChain([read], { method: "POST", body: new ChunkSource(["x"], KEPT_BYTES + 1) });
    expect(known.answer.status).toBe(413);
    expect(known.received).toEqual([]);
    const chunk = "x".repeat(4 * 1024 * 1024);
    const body = new ChunkSource([chunk, chunk, chunk, chunk]);
    const unknown = await runChain([read], { method: "POST", body });
    expect(unknown.answer.status).toBe(413);
    expect([body.isCancelled, body.delivered]).toEqual([true, 3]);
  });

  test("in part is an error: the service would get a torn one", async () => {
    const read: MiddlewareHandler = async (c, next) => {
      await c.req.raw.body?.getReader().read();
      await next();
    };
    const { answer, received } = await runChain([read], { method: "POST", body: new ChunkSource(["a", "b"]) });
    expect(answer.status).toBe(500);
    expect(received).toEqual([]);
  });

  test("chunk by chunk to its end goes upstream as it was", async () => {
    const read: MiddlewareHandler = async (c, next) => {
      let size = 0;
      for await (const chunk of c.req.raw.body ?? []) size += chunk.length;
      c.req.raw.headers.set("x-size", String(size));
      await next();
    };
    const { received } = await runChain([read], { method: "POST", body: new ChunkSource(["a", "bc"]) });
    expect(received[0]?.body).toBe("abc");
    expect(received[0]?.headers.get("x-size")).toBe("3");
  });

  test("keeps bytes that are no text", async () => {
    const bytes = String.fromCharCode(0xd800);
    const read: MiddlewareHandler = async (c, next) => {
      await c.req.text();
      await next();
    };
    const { received } = await runChain([read], { method: "POST", body: new ChunkSource([bytes]) });
    expect(received[0]?.source?.length).toBe(3);
  });

  test("fails as the client's connection fails", async () => {
    const read: MiddlewareHandler = async (c, next) => {
      await c.req.text();
      await next();
    };
    const gone = new GatewayError("client_closed", "left");
    const { answer, exchange } = await runChain([read], { method: "POST", body: new ChunkSource(["a"], null, gone) });
    expect(answer.status).toBe(499);
    expect(exchange.error?.code).toBe("client_closed");
  });

  test("after it was forwarded is a TypeError, unless it was kept", async () => {
    const results: string[] = [];
    const late: MiddlewareHandler = async (c, next) => {
      await next();
      results.push(await c.req.raw.text().catch((error: Error) => error.name));
    };
    const early: MiddlewareHandler = async (c, next) => {
      await c.req.text();
      await next();
      results.push(await c.req.text());
    };
    const taken: MiddlewareHandler = async (c, next) => {
      const { raw } = c.req;
      await next();
      results.push(await raw.text().catch((error: Error) => error.name));
    };
    for (const chain of [late, early, taken]) await runChain([chain], { method: "POST", body: new ChunkSource(["a"]) });
    expect(results).toEqual(["", "a", "TypeError"]);
  });
});

describe("a request's head", () => {
  test("keeps order, case and duplicates of the fields that a plugin does not touch", async () => {
    const change: MiddlewareHandler = (c, next) => {
      c.req.raw.headers.set("X-New", "1");
      c.req.raw.headers.delete("accept");
      return next();
    };
    const headers = [
      ["X-B", "1"],
      ["Accept", "*/*"],
      ["x-A", "2"],
      ["X-b", "3"],
    ] as const;
    const { received } = await runChain([change], { headers });
    expect(received[0]?.lines).toEqual(["Host: shop.example.com", "X-B: 1", "x-A: 2", "X-b: 3", "x-new: 1"]);
  });

  test("is changed through c.env, and c.req sees it", async () => {
    let seen: string | undefined;
    const change: MiddlewareHandler = (c, next) => {
      c.env.headers.set("X-Team", "shop");
      c.env.upstreamTarget = "/other";
      seen = c.req.header("x-team");
      return next();
    };
    const { received } = await runChain([change]);
    expect(seen).toBe("shop");
    expect(received[0]).toMatchObject({ target: "/other", lines: ["Host: shop.example.com", "X-Team: shop"] });
  });

  test("goes upstream with the method, host, path and headers of a request put in its place", async () => {
    const replace: MiddlewareHandler = (c, next) => {
      c.req.raw = new Request("http://other.example:81/new?q", { method: "PUT", body: "new", headers: { "x-a": "1" } });
      return next();
    };
    const body = new ChunkSource(["old"]);
    const { received } = await runChain([replace], { method: "POST", body, headers: [["X-Old", "1"]] });
    expect(received[0]).toMatchObject({ method: "PUT", authority: "other.example:81", target: "/new?q", body: "new" });
    expect(received[0]?.headers.has("x-old")).toBe(false);
    expect(body.isCancelled).toBe(true);
  });

  test("keeps its method and raw target when only headers of the raw request are replaced", async () => {
    const replace: MiddlewareHandler = (c, next) => {
      c.req.raw = new Request(c.req.raw, { headers: { "x-a": "1" } });
      return next();
    };
    const { received } = await runChain([replace], { method: "DELETE", target: "/a//b;c?x=%7e" });
    expect(received[0]).toMatchObject({ method: "DELETE", target: "/a//b;c?x=%7e" });
  });

  test("keeps a method that Fetch does not know", async () => {
    const look: MiddlewareHandler = (c, next) => {
      c.req.raw.headers.set("x-method", c.req.method);
      return next();
    };
    const { received } = await runChain([look], { method: "FROBNICATE" });
    expect([received[0]?.method, received[0]?.headers.get("x-method")]).toEqual(["FROBNICATE", "FROBNICATE"]);
  });

  test("has an absolute URL even without a Host and for OPTIONS *", async () => {
    const urls: string[] = [];
    const look: MiddlewareHandler = (c, next) => {
      urls.push(c.req.url, new URL(c.req.raw.url).pathname);
      return next();
    };
    await runChain([look], { method: "OPTIONS", target: "*" });
    await runChain([look], { prepare: (exchange) => Object.assign(exchange, { authority: "" }) });
    expect(urls).toEqual(["http://shop.example.com/", "/", "http://localhost/", "/"]);
  });

  test("gives the values of the pattern's parameters, decoded once", async () => {
    let seen: unknown[] = [];
    const look: MiddlewareHandler = (c, next) => {
      seen = [c.req.param("id"), c.req.param("none"), c.req.param(), routePath(c)];
      return next();
    };
    await runChain([look], { prepare: (exchange) => Object.assign(exchange, { params: { id: "a%20b" } }) });
    expect(seen).toEqual(["a%20b", undefined, { id: "a%20b" }, "/*"]);
  });
});

describe("an error", () => {
  test("of the service is its problem, and plugins see it in c.error", async () => {
    let seen: unknown;
    const look: MiddlewareHandler = async (c, next) => {
      await next();
      seen = c.error;
      c.header("x-seen", "1");
    };
    const error = new GatewayError("no_endpoint", "nobody is there", { retryAfter: 3 });
    const { answer, exchange } = await runChain([look], {}, { error });
    expect(seen).toBe(error);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("3");
    expect(answer.headers.get("x-seen")).toBe("1");
    expect(JSON.parse(answer.text)).toMatchObject({ type: "urn:torii:problem:no_endpoint", detail: "nobody is there" });
    expect(exchange.error).toBe(error);
  });

  test("of a plugin tells the client nothing and the log everything", async () => {
    const fail: MiddlewareHandler = () => {
      throw new Error("the secret is 42");
    };
    const { answer, exchange } = await runChain([fail]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.text).not.toContain("42");
    expect(exchange.error?.cause).toMatchObject({ message: "the secret is 42" });
  });

  test("that is no Error is an internal one", async () => {
    const fail: MiddlewareHandler = () => Promise.reject("just a text");
    const { answer } = await runChain([pass, fail]);
    expect(answer.status).toBe(500);
  });

  test("of c.notFound() is the problem that no route matches", async () => {
    const { answer } = await runChain([(c) => Promise.resolve(c.notFound())]);
    expect([answer.status, JSON.parse(answer.text).type]).toEqual([404, "urn:torii:problem:route_not_found"]);
  });
});

test("a response that comes after the chain has ended is given up", async () => {
  const body = new ChunkSource(["never"]);
  const forget: MiddlewareHandler = async (_, next) => {
    void next();
  };
  const recorder = new Recorder();
  const exchange = makeExchange({}, recorder);
  let deliver = () => {};
  linkChain([forget]).serve(exchange, (asked, receiver) => {
    const head = { status: 200, reason: "OK", headers: headerList([]) };
    deliver = () => receiver.onResponse(asked, { head, body });
  });
  expect((await recorder.answered).head.status).toBe(500);
  deliver();
  await new Promise(setImmediate);
  expect(body.isCancelled).toBe(true);
});
